//===- LinearFormTest.cpp - Values that are linear in states ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/LinearForm.h"
#include "Random.h"
#include <gtest/gtest.h>

using namespace mix::algebra;
using namespace mix::algebra::testing;

namespace {

class LinearFormTest : public ::testing::Test {
protected:
  Pool pool;
  FormAlgebra algebra{pool};
  Symbol state{0, {"K", "V"}};
  /// The state's elements, as an atom, for the meaning of a form.
  Expr element = pool.atom(100, {"K", "V"});
  Expr k = pool.atom(0, {"K"}), v = pool.atom(1, {"V"}), s = pool.atom(2, {}),
       q = pool.atom(6, {"K"});

  /// A form as an expression, with the state's elements in place of the symbol.
  Expr expand(const LinearForm &form) {
    Expr total = form.constant;
    for (const LinearTerm &term : form.terms)
      total = pool.add(
          total, pool.mul(term.outer, pool.reduce(pool.mul(term.inner, element), term.reduced)));
    return total;
  }
  LinearForm read(Expr key) {
    return *algebra.reduce(algebra.scale(algebra.symbol(state), key), {"K"});
  }
};

TEST_F(LinearFormTest, EqualReadsAreOneTerm) {
  LinearForm form = algebra.add(read(k), algebra.scale(read(pool.mul(s, k)), v));
  ASSERT_EQ(form.terms.size(), 1u);
  EXPECT_EQ(form.terms[0].inner, k);
  EXPECT_EQ(form.terms[0].outer, pool.add(pool.one(), pool.mul(s, v)));
}

TEST_F(LinearFormTest, WriteBackThenReadIsAScalarProduct) {
  // sum[K](q * k * (k^T S)) = <q, k> (k^T S)
  LinearForm form = *algebra.reduce(algebra.scale(algebra.scale(read(k), k), q), {"K"});
  ASSERT_EQ(form.terms.size(), 1u);
  EXPECT_EQ(form.terms[0].outer, pool.reduce(pool.mul(q, k), {"K"}));
  EXPECT_EQ(form.terms[0].inner, k);
  EXPECT_EQ(form.terms[0].reduced, AxisSet({"K"}));
}

TEST_F(LinearFormTest, SumOverABroadcastAxisCountsIt) {
  LinearForm form = *algebra.reduce(read(k), {"M"});
  ASSERT_EQ(form.terms.size(), 1u);
  EXPECT_EQ(form.terms[0].outer, pool.size("M"));
}

TEST_F(LinearFormTest, SumOfAnOuterProductFactorNeedsTheAxisApart) {
  // sum[V](k[K] * v[V] * (k^T S)[V]): k stays outside, v goes inside.
  LinearForm form = *algebra.reduce(algebra.scale(read(k), pool.mul(k, v)), {"V"});
  ASSERT_EQ(form.terms.size(), 1u);
  EXPECT_EQ(form.terms[0].outer, k);
  EXPECT_EQ(form.terms[0].inner, pool.mul(k, v));
  EXPECT_EQ(form.terms[0].reduced, AxisSet({"K", "V"}));
  // An opaque coefficient over both would be captured by the contraction.
  Expr kv = pool.atom(9, {"K", "V"});
  EXPECT_FALSE(algebra.reduce(algebra.scale(read(k), kv), {"V"}));
}

TEST_F(LinearFormTest, WhatCancelsIsGone) {
  LinearForm form = algebra.add(read(k), algebra.scale(read(k), pool.number(-1)));
  EXPECT_TRUE(form.isConstant());
}

/// Random chains of operations keep the meaning of the form.
TEST_F(LinearFormTest, OperationsMeanWhatTheySay) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Generator generate(pool, seed);
    LinearForm form = algebra.symbol(state);
    Expr meaning = element;
    for (unsigned step = 0; step < 5; ++step) {
      Expr factor = generate.expr(1);
      switch (generate.below(3)) {
      case 0:
        form = algebra.scale(form, factor);
        meaning = pool.mul(meaning, factor);
        break;
      case 1: {
        LinearForm other = algebra.scale(algebra.symbol(state), factor);
        form = algebra.add(form, other);
        meaning = pool.add(meaning, pool.mul(element, factor));
        break;
      }
      case 2: {
        AxisSet axes = generate.axes();
        std::optional<LinearForm> reduced = algebra.reduce(form, axes);
        if (!reduced)
          break;
        form = *reduced;
        meaning = pool.reduce(meaning, axes);
        break;
      }
      }
    }
    Expr expanded = expand(form);
    forEachPosition([&](const Positions &at) {
      double expected = valueOf(meaning, at);
      EXPECT_NEAR(valueOf(expanded, at), expected, 1e-9 * (1 + std::abs(expected)))
          << toString(form);
    });
  }
}

} // namespace
