//===- RunDevice.h - Run tile programs as GPU kernels -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXEVALUATE_RUNDEVICE_H
#define MIXWRIGHT_TOOLS_MIXEVALUATE_RUNDEVICE_H

#include "dialect/Evaluate.h"
#include "mlir/IR/BuiltinOps.h"

namespace mix {

/// How kernels run on the emulator.
struct EmulatorRun {
  std::string chip;
  std::string schedule; ///< "forward", "reversed", or the seed of a random order.
  int64_t rowGap;       ///< Elements between the rows of tensors.
};

/// Compiles the phases of a mixer for a GPU and runs them on the emulator, for two heads that
/// share their inputs and must give the same bits. Hostile like `compileForCpu`; an error
/// too if the emulator finds anything.
llvm::Expected<Evaluation> runOnEmulator(mlir::ModuleOp module, llvm::StringRef mixer,
                                         const EmulatorRun &options,
                                         const llvm::StringMap<Array> &inputs,
                                         const llvm::StringMap<Array> &states);

} // namespace mix

#endif // MIXWRIGHT_TOOLS_MIXEVALUATE_RUNDEVICE_H
