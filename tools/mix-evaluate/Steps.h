//===- Steps.h - A sequence in steps ----------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXEVALUATE_STEPS_H
#define MIXWRIGHT_TOOLS_MIXEVALUATE_STEPS_H

#include "dialect/Evaluate.h"
#include "mlir/IR/BuiltinOps.h"
#include <functional>

namespace mix {

/// What the step form of a mixer keeps between calls.
struct StepSignature {
  std::string space;    ///< The tokens of a call: "T".
  std::string position; ///< The name of the position.
  int64_t mostTokens;   ///< In a call: few of a step, several chunks of a prefill.
  /// Caches by name: their axes and sizes, -1 for the axis of all tokens.
  llvm::StringMap<Array> caches;
};

/// The signature of the step form of `mixer`, of level L2 or L3; none if the module's is
/// another form.
std::optional<StepSignature> getStepSignature(mlir::ModuleOp module, llvm::StringRef mixer);

/// Runs one call on its inputs, caches and position, and the states of the call before.
using StepFn = std::function<llvm::Expected<Evaluation>(const llvm::StringMap<Array> &inputs,
                                                        const llvm::StringMap<Array> &states)>;

/// Cuts a sequence into calls of 1 to 4 tokens, or now and then of as many as the program is
/// made for, at places that `seed` draws, and carries states and caches from one to the next. New
/// rows of a cache start as NaN.
llvm::Expected<Evaluation> evaluateInSteps(const StepSignature &signature,
                                           const llvm::StringMap<Array> &inputs, uint64_t seed,
                                           const StepFn &step);

} // namespace mix

#endif // MIXWRIGHT_TOOLS_MIXEVALUATE_STEPS_H
