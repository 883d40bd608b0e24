//===- ExprTest.cpp - Coefficients ------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Random.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mix::algebra;
using namespace mix::algebra::testing;

namespace {

class ExprTest : public ::testing::Test {
protected:
  Pool pool;
  Expr k = pool.atom(0, {"K"}), v = pool.atom(1, {"V"}), s = pool.atom(2, {}),
       kv = pool.atom(3, {"K", "V"});
};

TEST_F(ExprTest, EqualUpToOrderAndLikeTerms) {
  EXPECT_EQ(pool.mul(pool.mul(k, v), s), pool.mul(v, pool.mul(s, k)));
  EXPECT_EQ(pool.add(pool.add(k, v), k), pool.add(v, pool.mul(pool.number(2), k)));
  EXPECT_EQ(pool.add(k, pool.negate(k)), pool.zero());
  EXPECT_EQ(pool.add(pool.mul(k, s), pool.negate(pool.mul(s, k))), pool.zero());
  EXPECT_NE(pool.mul(k, s), pool.mul(v, s));
}

TEST_F(ExprTest, DifferenceOfSumsCancels) {
  EXPECT_EQ(pool.add(pool.add(k, s), pool.negate(pool.add(k, v))), pool.add(s, pool.negate(v)));
}

TEST_F(ExprTest, InverseOfProductIsProductOfInverses) {
  EXPECT_EQ(pool.inverse(pool.mul(k, s)), pool.mul(pool.inverse(s), pool.inverse(k)));
  EXPECT_EQ(pool.inverse(pool.inverse(k)), k);
}

TEST_F(ExprTest, ReductionLetsGoOfWhatItDoesNotSum) {
  EXPECT_EQ(pool.reduce(pool.mul(k, pool.mul(v, s)), {"K"}),
            pool.mul(pool.mul(v, s), pool.reduce(k, {"K"})));
  EXPECT_EQ(pool.reduce(pool.mul(k, v), {"K", "V"}),
            pool.mul(pool.reduce(k, {"K"}), pool.reduce(v, {"V"})));
  EXPECT_EQ(pool.reduce(s, {"K"}), pool.mul(s, pool.size("K")));
  EXPECT_EQ(pool.reduce(pool.mul(kv, v), {"K", "V"})->kind, ExprKind::Reduce);
}

TEST_F(ExprTest, GuardHidesWhatIsNotFinite) {
  Expr mask = pool.atom(20, {}, /*isFinite=*/true), finite = pool.atom(21, {"K"}, true);
  // A finite value is multiplied; an inverse may be infinite where the mask is zero.
  EXPECT_EQ(pool.guard(mask, true, finite), pool.mul(mask, finite));
  Expr guarded = pool.guard(mask, true, pool.mul(finite, pool.inverse(s)));
  auto zeros = [](Expr, const Positions &) { return 0.0; };
  EXPECT_EQ(evaluate(guarded, {{"K", 0}}, zeros, getSize), 0);
  EXPECT_TRUE(std::isnan(evaluate(pool.guard(mask, false, pool.mul(finite, pool.inverse(s))),
                                  {{"K", 0}}, zeros, getSize)));
}

/// The rules preserve meaning: each operation, on random operands, equals the
/// same operation on their values.
TEST_F(ExprTest, OperationsMeanWhatTheySay) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Generator generate(pool, seed);
    Expr a = generate.expr(3), b = generate.expr(3);
    AxisSet axes = generate.axes();
    Expr sum = pool.add(a, b), product = pool.mul(a, b), total = pool.reduce(a, axes);
    forEachPosition([&](const Positions &at) {
      double x = valueOf(a, at), y = valueOf(b, at);
      EXPECT_NEAR(valueOf(sum, at), x + y, 1e-10 * (1 + std::abs(x) + std::abs(y)));
      EXPECT_NEAR(valueOf(product, at), x * y, 1e-10 * (1 + std::abs(x * y)));
    });
    // A sum over all positions of the summed axes, one at a time.
    std::map<std::vector<long>, double> expected;
    double scale = 1;
    auto rest = [&](const Positions &at) {
      std::vector<long> key;
      for (const auto &[axis, position] : at)
        if (!axes.contains(axis))
          key.push_back(position);
      return key;
    };
    forEachPosition([&](const Positions &at) {
      expected[rest(at)] += valueOf(a, at);
      scale += std::abs(valueOf(a, at));
    });
    forEachPosition([&](const Positions &at) {
      EXPECT_NEAR(valueOf(total, at), expected[rest(at)], 1e-10 * scale) << toString(total);
    });
  }
}

} // namespace
