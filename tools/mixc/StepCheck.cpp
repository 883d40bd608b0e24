//===- StepCheck.cpp - Sequences in steps are as good as whole ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/StepCheck.h"
#include "tools/mixc/PackedCheck.h"
#include "llvm/ADT/STLExtras.h"
#include <random>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// The most new tokens of a step, as when draft tokens are checked.
static constexpr int64_t mostNewTokens = 4;
/// A window that is longer is not waited for: the definition takes too long on so many tokens.
static constexpr int64_t longestWindow = 600;

std::vector<StepCase> mix::mixc::makeStepCases(const mixwright_kernel &kernel, bool canStagger) {
  std::vector<StepCase> cases;
  cases.push_back({"T=37 in steps", 37, 2, 2});
  cases.push_back({"T=37 in steps, pages", 37, 2, 2, false, false, /*isPaged=*/true});
  cases.push_back({"T=21 in steps, shared heads", 21, 1, 3, /*sharesHeads=*/true});
  if (canStagger)
    cases.push_back({"T=37 in steps, own positions", 37, 3, 2, false, /*isStaggered=*/true,
                     /*isPaged=*/true});
  int64_t window = getLargestWindow(kernel);
  if (window > 0 && window <= longestWindow) {
    // Until every row of the ring has been used again.
    int64_t tokens = 2 * (window + kernel.cache_block) + mostNewTokens;
    for (bool isPaged : {false, true})
      cases.push_back(
          {"T=" + std::to_string(tokens) + " in steps, ring" + (isPaged ? " of pages" : ""), tokens,
           1, 1, false, false, isPaged, /*wrapsWindows=*/true});
  }
  return cases;
}

StepPlan mix::mixc::planSteps(const mixwright_kernel &kernel, const StepCase &which) {
  StepPlan plan;
  plan.isPacked = which.isStaggered;
  plan.caches.rows = which.tokens;
  plan.caches.pageRows = which.isPaged ? kernel.cache_block : 0;
  plan.caches.newTokens = mostNewTokens;
  plan.caches.wrapsWindows = which.wrapsWindows;
  std::mt19937 random(3);
  std::vector<int64_t> left(which.batch, which.tokens);
  while (llvm::any_of(left, [](int64_t tokens) { return tokens > 0; })) {
    std::vector<int64_t> counts(which.batch);
    for (auto [n, count] : llvm::enumerate(counts)) {
      bool asFirst = n > 0 && !which.isStaggered;
      int64_t drawn = which.isStaggered ? static_cast<int64_t>(random() % (mostNewTokens + 1))
                                        : 1 + static_cast<int64_t>(random() % mostNewTokens);
      count = asFirst ? counts.front() : std::min(drawn, left[n]);
      left[n] -= count;
    }
    plan.counts.push_back(std::move(counts));
  }
  return plan;
}

/// One sequence of a call of layout BTHD, as a call of its own.
static Call takeSequence(const Signature &signature, const Call &whole, int64_t sequence) {
  Call alone;
  alone.shape = whole.shape;
  alone.shape.batch = 1;
  for (const Argument &arg : signature.inputs) {
    const Tensor &given = whole.inputs.find(arg.name)->second;
    if (arg.kind == ArgumentKind::Param) {
      alone.inputs.try_emplace(arg.name, given);
      continue;
    }
    llvm::SmallVector<int64_t, 6> shape(given.getShape());
    shape.front() = 1;
    alone.inputs.try_emplace(arg.name, given.takePart(sequence, shape));
  }
  return alone;
}

Expected<std::string> mix::mixc::findStepInfluence(const mixwright_kernel &kernel,
                                                   const Signature &signature, StringRef axis,
                                                   const Call &whole, const StepPlan &plan,
                                                   const CallResult &result) {
  Expected<ThreadPool> pool = ThreadPool::create(1);
  if (!pool)
    return pool.takeError();
  for (int64_t n = 0; n < whole.shape.batch; ++n) {
    Call alone = takeSequence(signature, whole, n);
    StepPlan own = plan;
    own.caches.pageRows = 0;
    own.caches.wrapsWindows = false;
    for (std::vector<int64_t> &counts : own.counts)
      counts = {counts[n]};
    Expected<CallResult> again = runInSteps(kernel, signature, axis, alone, own, *pool);
    if (!again)
      return again.takeError();
    std::string what =
        findDifference(signature, {whole.shape, result, n}, {alone.shape, *again, 0});
    if (!what.empty())
      return "sequence " + std::to_string(n) + ": the bits of " + what +
             " differ from those that it has alone, with caches in one piece, on one thread";
  }
  return std::string();
}
