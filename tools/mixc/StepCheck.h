//===- StepCheck.h - Sequences in steps are as good as whole ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_STEPCHECK_H
#define MIXWRIGHT_TOOLS_MIXC_STEPCHECK_H

#include "tools/driver/Steps.h"

namespace mix::mixc {

/// One way to have the tokens of whole sequences by the step form.
struct StepCase {
  std::string name;
  int64_t tokens, batch, heads;
  bool sharesHeads = false; ///< the second input (of one: the first) has one head for all
  bool isStaggered = false; ///< sequences have different numbers of new tokens
  bool isPaged = false;     ///< caches lie in pages of one cache block
  bool wrapsWindows = false;
};

/// The calls to check kernels with that take turns; `canStagger` says whether sequences may have
/// different numbers of new tokens in one call. Sequences are long enough to complete blocks of
/// tokens of the spec, if these are not very long.
std::vector<StepCase> makeStepCases(driver::StepKernels kernels, const driver::Signature &signature,
                                    bool canStagger);

/// Calls until all tokens are had: of 1 to 4 tokens, or of as many as fill several blocks if
/// it is a prefill's turn; where staggered, of 0 tokens too.
driver::StepPlan planSteps(driver::StepKernels kernels, const StepCase &which);

/// Compares bits: of each sequence in calls of its own, which `run` runs, with caches in one piece.
/// Returns what differs, or an empty string. Not for staggered steps, whose sequences are cut
/// otherwise.
llvm::Expected<std::string>
findStepInfluence(driver::StepKernels kernels, const driver::Signature &signature,
                  llvm::StringRef axis, const driver::Call &whole, const driver::StepPlan &plan,
                  const driver::CallResult &result, driver::StepRunner run);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_STEPCHECK_H
