//===- Steps.h - A sequence, a few tokens at a time -------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a caller of a step form (mixwright/runtime.h) keeps between calls is known from
// the kernel alone: its states and caches, with the windows that these keep.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_STEPS_H
#define MIXWRIGHT_TOOLS_DRIVER_STEPS_H

#include "mlir/IR/BuiltinOps.h"
#include "tools/driver/RunKernel.h"

namespace mix::driver {

/// An argument of the tile programs of a step form, workspaces left out.
struct StepArgument {
  std::string name;
  std::string kind;        ///< "input", "param", "position", "state", "cache", "output"
  std::string elementType; ///< "float32"
  llvm::SmallVector<std::string, 4> axes;
  llvm::SmallVector<int64_t, 4> sizes; ///< -1: given by the tokens of a call
  int64_t window = 0;                  ///< of a cache: 0 if it keeps all tokens
  std::vector<std::string> sources;    ///< of a cache: what it is made of

  bool isKept() const { return kind == "state" || kind == "cache"; }
  /// Of one head: a state, or the row of a token in a cache.
  int64_t bytes = 0;
};

/// The arguments of a step form at level L3, in the order of the kernel's.
std::vector<StepArgument> getStepArguments(mlir::ModuleOp programs);

/// How the caches of a call lie in memory.
struct CacheLayout {
  int64_t rows = 0;          ///< of each sequence
  int64_t pageRows = 0;      ///< > 0: in pages, in an order that is shuffled
  int64_t newTokens = 0;     ///< the most that a call appends
  bool wrapsWindows = false; ///< a cache with a window has no more rows than that needs
  int64_t block = 1;         ///< and those are a multiple of so many
};

/// Whether a kernel keeps a window of some rows, and the largest such window.
int64_t getLargestWindow(const mixwright_kernel &kernel);

/// Gives a call memory for those states and caches that it lacks, filled with NaN; with
/// pages also their block tables. A cache has as few heads as what it is made of allows.
void makeStepMemory(const mixwright_kernel &kernel, const Signature &signature,
                    const CacheLayout &layout, Call &call);

/// A sequence of calls that have all tokens of a larger one.
struct StepPlan {
  /// New tokens of each sequence in each call; equal ones unless packed.
  std::vector<std::vector<int64_t>> counts;
  bool isPacked = false;
  CacheLayout caches;
};

/// Kernels of one mixer that take turns: they keep the same states and caches.
using StepKernels = llvm::ArrayRef<const mixwright_kernel *>;

/// Runs one call of a kernel, on whatever it was compiled for, with results that start as NaN.
using StepRunner =
    llvm::function_ref<llvm::Expected<CallResult>(const mixwright_kernel &, const Call &)>;

/// Runs a call in layout BTHD, from the beginning of its sequences, as the plan says, and
/// joins the outputs. `axis` is the token axis that the calls walk along. The final states
/// are those that the mixer declares.
llvm::Expected<CallResult> runInSteps(StepKernels kernels, const Signature &signature,
                                      llvm::StringRef axis, const Call &whole, const StepPlan &plan,
                                      StepRunner run);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_STEPS_H
