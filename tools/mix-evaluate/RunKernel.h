//===- RunKernel.h - Compile tile programs and run them ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXEVALUATE_RUNKERNEL_H
#define MIXWRIGHT_TOOLS_MIXEVALUATE_RUNKERNEL_H

#include "dialect/Evaluate.h"
#include "mlir/IR/BuiltinOps.h"
#include <functional>

namespace mix {

/// Runs one call of a mixer. Of a step form, position and caches are inputs, and `states` of the
/// result holds the caches too.
using KernelFn = std::function<llvm::Expected<Evaluation>(const llvm::StringMap<Array> &inputs,
                                                          const llvm::StringMap<Array> &states)>;

/// Compiles the phases of a mixer for a CPU that this machine has, to a function that runs them
/// on one instance. Hostile on purpose: every row is followed by a gap, caches lie in pages
/// in reverse order, and gaps, outputs, workspaces and scratch hold NaN. An error if a gap was
/// written. The module must live as long as the function.
llvm::Expected<KernelFn> compileForCpu(mlir::ModuleOp module, llvm::StringRef mixer,
                                       llvm::StringRef chip);

} // namespace mix

#endif // MIXWRIGHT_TOOLS_MIXEVALUATE_RUNKERNEL_H
