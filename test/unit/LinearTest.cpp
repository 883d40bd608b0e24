//===- LinearTest.cpp - Bounds of positions -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The prover that guards reads must never call a bound proved that does not hold.
// Small random systems are checked against every assignment of small integers.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Linear.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"
#include <random>

using namespace mix::frontend;

namespace {

const Linear t = Linear::ofTerm("t"), i = Linear::ofTerm("i"), size = Linear::ofTerm("T");

/// 0 <= position < T
std::vector<Linear> onAxis(const Linear &position) { return {position, size - position + -1}; }

TEST(Linear, ProvesWhatGuardsSay) {
  TermTable terms;
  std::vector<Linear> facts = onAxis(t);
  EXPECT_TRUE(terms.isNonNegative(t, facts));
  EXPECT_FALSE(terms.isNonNegative(t + -1, facts));
  EXPECT_FALSE(terms.isNonNegative(size - t + -2, facts));
  facts.push_back(t + -1); // t >= 1
  EXPECT_TRUE(terms.isNonNegative(t + -1, facts));
  EXPECT_FALSE(terms.isNonNegative(t + -2, facts));
  // i <= t, so t - i is a lag.
  facts = onAxis(t);
  facts.push_back(i);
  facts.push_back(t - i);
  EXPECT_TRUE(terms.isNonNegative(t - i, facts));
  EXPECT_TRUE(terms.isNonNegative(size - (t - i) + -1, facts));
  EXPECT_FALSE(terms.isNonNegative(i - t, facts));
}

TEST(Linear, KnowsQuotients) {
  TermTable terms;
  std::vector<Linear> facts = onAxis(t);
  Linear block = terms.floorDivide(t, 4);
  Linear blocks = Linear::ofTerm("B"); // the blocks cover the axis: 4 B >= T
  terms.assume(blocks.scaled(4) - size);
  EXPECT_TRUE(terms.isNonNegative(block, facts));
  EXPECT_TRUE(terms.isNonNegative(blocks - block + -1, facts));
  EXPECT_FALSE(terms.isNonNegative(block + -1, facts));
  EXPECT_TRUE(terms.isNonNegative(t - block.scaled(4), facts));
  EXPECT_TRUE(terms.isNonNegative(block.scaled(4), facts));
}

TEST(Linear, SplitsMinimaAndMaxima) {
  TermTable terms;
  std::vector<Linear> facts = onAxis(t);
  Linear clamped = terms.extremum(/*isMax=*/true, t + -3, Linear::ofConstant(0));
  EXPECT_TRUE(terms.isNonNegative(clamped, facts));
  EXPECT_TRUE(terms.isNonNegative(size - clamped + -1, facts));
  Linear next = terms.extremum(/*isMax=*/false, t + 1, size + -1);
  EXPECT_TRUE(terms.isNonNegative(size - next + -1, facts));
  EXPECT_TRUE(terms.isNonNegative(next, facts));
  EXPECT_FALSE(terms.isNonNegative(next + -1, facts));
}

TEST(Linear, IsSound) {
  std::mt19937 generator(std::random_device{}());
  std::uniform_int_distribution<int> coefficient(-3, 3), bound(-4, 4);
  const std::string names[] = {"a", "b", "c"};
  auto draw = [&] {
    Linear form = Linear::ofConstant(bound(generator));
    for (const std::string &name : names)
      form = form + Linear::ofTerm(name).scaled(coefficient(generator));
    return form;
  };
  auto evaluate = [&](const Linear &form, const int (&values)[3]) {
    double value = form.constant;
    for (int n = 0; n < 3; ++n)
      value += form.getCoefficient(names[n]) * values[n];
    return value;
  };
  unsigned proved = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<Linear> facts = {draw(), draw(), draw(), draw()};
    Linear form = draw();
    if (!TermTable().isNonNegative(form, facts))
      continue;
    ++proved;
    for (int a = -5; a <= 5; ++a)
      for (int b = -5; b <= 5; ++b)
        for (int c = -5; c <= 5; ++c) {
          int values[] = {a, b, c};
          bool holds =
              llvm::all_of(facts, [&](const Linear &fact) { return evaluate(fact, values) >= 0; });
          if (holds)
            ASSERT_GE(evaluate(form, values), 0) << form.getKey();
        }
  }
  EXPECT_GT(proved, 20u);
}

} // namespace
