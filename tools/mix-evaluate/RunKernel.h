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

namespace mix {

/// Compiles the phases of a mixer for a CPU that this machine has, and runs them on one
/// instance. Hostile on purpose: every row is followed by a gap, and gaps, outputs,
/// workspaces and scratch hold NaN. An error if a gap was written.
llvm::Expected<Evaluation> runOnCpu(mlir::ModuleOp module, llvm::StringRef mixer,
                                    llvm::StringRef chip, const llvm::StringMap<Array> &inputs,
                                    const llvm::StringMap<Array> &states);

} // namespace mix

#endif // MIXWRIGHT_TOOLS_MIXEVALUATE_RUNKERNEL_H
