//===- StepCheck.cpp - Sequences in steps are as good as whole ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/StepCheck.h"
#include "tools/driver/Compile.h"
#include "tools/mixc/PackedCheck.h"
#include "llvm/ADT/STLExtras.h"
#include <random>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// The most new tokens of a step, as when draft tokens are checked, and of a prefill.
static constexpr int64_t mostNewTokens = 4, mostPrefilled = 80;
/// A window or a block that is longer is not waited for: the definition takes too long on so many
/// tokens.
static constexpr int64_t longestWindow = 600;

static bool isPrefill(const mixwright_kernel &kernel) {
  return kernel.form == getFormName(Form::Prefill);
}

static int64_t getMostNewTokens(const mixwright_kernel &kernel) {
  return isPrefill(kernel) ? mostPrefilled : mostNewTokens;
}

/// The largest that a number of any kernel is.
static int64_t getMost(StepKernels kernels,
                       llvm::function_ref<int64_t(const mixwright_kernel &)> getNumber) {
  int64_t most = 0;
  for (const mixwright_kernel *kernel : kernels)
    most = std::max(most, getNumber(*kernel));
  return most;
}

static int64_t getCacheBlock(StepKernels kernels) {
  return getMost(kernels, [](const mixwright_kernel &kernel) { return kernel.cache_block; });
}

/// So many tokens that two blocks of each kind are complete, and another is not.
static int64_t countBlockTokens(const Signature &signature) {
  int64_t tokens = 0;
  for (const auto &[axis, base] : signature.blocks)
    if (2 * base.second < longestWindow)
      tokens = std::max(tokens, 2 * base.second + 3);
  return tokens;
}

std::vector<StepCase> mix::mixc::makeStepCases(StepKernels kernels, const Signature &signature,
                                               bool canStagger) {
  std::vector<StepCase> cases;
  bool hasPrefill = llvm::any_of(kernels, [](const auto *kernel) { return isPrefill(*kernel); });
  int64_t tokens = std::max<int64_t>(hasPrefill ? 101 : 37, countBlockTokens(signature));
  int64_t fewer = hasPrefill ? 85 : 21;
  auto name = [&](int64_t count, StringRef what = "") {
    return ("T=" + llvm::Twine(count) + (hasPrefill ? " in prefills and steps" : " in steps") +
            (what.empty() ? "" : ", ") + what)
        .str();
  };
  cases.push_back({name(tokens), tokens, 2, 2});
  cases.push_back({name(tokens, "pages"), tokens, 2, 2, false, false, /*isPaged=*/true});
  cases.push_back({name(fewer, "shared heads"), fewer, 1, 3, /*sharesHeads=*/true});
  if (canStagger)
    cases.push_back({name(tokens, "own positions"), tokens, 3, 2, false, /*isStaggered=*/true,
                     /*isPaged=*/true});
  int64_t window = getMost(kernels, getLargestWindow);
  if (window > 0 && window <= longestWindow) {
    // Until every row of the ring has been used again.
    int64_t rows = window + getCacheBlock(kernels) + (hasPrefill ? mostPrefilled : 0);
    int64_t all = 2 * rows + mostNewTokens;
    for (bool isPaged : {false, true})
      cases.push_back({name(all, isPaged ? "ring of pages" : "ring"), all, 1, 1, false, false,
                       isPaged, /*wrapsWindows=*/true});
  }
  return cases;
}

StepPlan mix::mixc::planSteps(StepKernels kernels, const StepCase &which) {
  StepPlan plan;
  plan.isPacked = which.isStaggered;
  plan.caches.rows = which.tokens;
  plan.caches.pageRows = which.isPaged ? getCacheBlock(kernels) : 0;
  plan.caches.block = getCacheBlock(kernels);
  plan.caches.newTokens = getMost(kernels, getMostNewTokens);
  plan.caches.wrapsWindows = which.wrapsWindows;
  std::mt19937 random(3);
  std::vector<int64_t> left(which.batch, which.tokens);
  while (llvm::any_of(left, [](int64_t tokens) { return tokens > 0; })) {
    int64_t most = getMostNewTokens(*kernels[plan.counts.size() % kernels.size()]);
    std::vector<int64_t> counts(which.batch);
    for (auto [n, count] : llvm::enumerate(counts)) {
      bool asFirst = n > 0 && !which.isStaggered;
      int64_t drawn = which.isStaggered ? static_cast<int64_t>(random() % (most + 1))
                                        : 1 + static_cast<int64_t>(random() % most);
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

Expected<std::string> mix::mixc::findStepInfluence(StepKernels kernels, const Signature &signature,
                                                   StringRef axis, const Call &whole,
                                                   const StepPlan &plan, const CallResult &result,
                                                   StepRunner run) {
  for (int64_t n = 0; n < whole.shape.batch; ++n) {
    Call alone = takeSequence(signature, whole, n);
    StepPlan own = plan;
    own.caches.pageRows = 0;
    own.caches.wrapsWindows = false;
    for (std::vector<int64_t> &counts : own.counts)
      counts = {counts[n]};
    Expected<CallResult> again = runInSteps(kernels, signature, axis, alone, own, run);
    if (!again)
      return again.takeError();
    std::string what =
        findDifference(signature, {whole.shape, result, n}, {alone.shape, *again, 0});
    if (!what.empty())
      return "sequence " + std::to_string(n) + ": the bits of " + what +
             " differ from those that it has alone, with caches in one piece";
  }
  return std::string();
}
