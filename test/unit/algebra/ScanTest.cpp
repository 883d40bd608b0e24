//===- ScanTest.cpp - The class of a recurrence -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/Scan.h"
#include "Random.h"
#include <gtest/gtest.h>

using namespace mix::algebra;
using namespace mix::algebra::testing;

namespace {

class ScanTest : public ::testing::Test {
protected:
  Pool pool;
  FormAlgebra algebra{pool};
  Symbol state{0, {"K", "V"}}, after{1, {"K", "V"}};
  Expr k = pool.atom(0, {"K"}), v = pool.atom(1, {"V"}), beta = pool.atom(2, {}),
       q = pool.atom(3, {"K"}), aK = pool.atom(4, {"K"}), aV = pool.atom(5, {"V"}),
       aKV = pool.atom(6, {"K", "V"}), p = pool.atom(7, {"V"}), k2 = pool.atom(8, {"K"});
  LinearForm s = algebra.symbol(state);

  LinearForm contract(const LinearForm &form, Expr key, AxisSet axes) {
    return *algebra.reduce(algebra.scale(form, key), axes);
  }
  LinearForm plus(const LinearForm &form, Expr e) { return algebra.add(form, algebra.constant(e)); }
  /// S + beta k (v - k^T S)
  LinearForm deltaStep(const LinearForm &form, Expr key) {
    LinearForm error = plus(algebra.scale(contract(form, key, {"K"}), pool.number(-1)), v);
    return algebra.add(form, algebra.scale(error, pool.mul(beta, key)));
  }
  Classification classifyOne(const LinearForm &update, const std::vector<LinearTerm> &queries) {
    return classify(pool, {state}, {update}, queries);
  }
  std::vector<LinearTerm> query(Expr key, AxisSet axes) {
    return contract(algebra.symbol(after), key, axes).terms;
  }
};

TEST_F(ScanTest, DeltaRuleIsRankOne) {
  Classification result = classifyOne(deltaStep(s, k), query(q, {"K"}));
  ASSERT_EQ(result.kind, Classification::Affine);
  EXPECT_EQ(result.scans[0].contracted, AxisSet({"K"}));
  EXPECT_TRUE(isOne(result.scans[0].mixes[0][0]));
  ASSERT_EQ(result.scans[0].updates.size(), 1u);
  EXPECT_EQ(result.scans[0].updates[0].left, k);
  EXPECT_EQ(result.scans[0].updates[0].value, pool.mul(beta, v));
  ASSERT_EQ(result.scans[0].reads.size(), 1u);
  EXPECT_EQ(result.scans[0].reads[0].key, k);
  EXPECT_EQ(result.scans[0].updates[0].coefs[0].second, pool.negate(beta));
}

TEST_F(ScanTest, DecayBeforeTheReadIsFoldedIntoTheKey) {
  Classification result = classifyOne(deltaStep(algebra.scale(s, aK), k), query(q, {"K"}));
  ASSERT_EQ(result.kind, Classification::Affine);
  EXPECT_EQ(result.scans[0].mixes[0][0], aK);
  ASSERT_EQ(result.scans[0].reads.size(), 1u);
  EXPECT_EQ(result.scans[0].reads[0].key, pool.mul(aK, k));
}

TEST_F(ScanTest, TwoDeltaStepsAreRankTwo) {
  Classification result = classifyOne(deltaStep(deltaStep(s, k), k2), query(q, {"K"}));
  ASSERT_EQ(result.kind, Classification::Affine);
  EXPECT_EQ(result.scans[0].updates.size(), 2u);
  EXPECT_EQ(result.scans[0].reads.size(), 2u);
}

TEST_F(ScanTest, EqualWritesWithDifferentLeftsAreRankOne) {
  LinearForm update = plus(plus(s, pool.mul(k, v)), pool.mul(k2, v));
  Classification result = classifyOne(update, query(q, {"K"}));
  ASSERT_EQ(result.kind, Classification::Affine);
  ASSERT_EQ(result.scans[0].updates.size(), 1u);
  EXPECT_EQ(result.scans[0].updates[0].left, pool.add(k, k2));
}

TEST_F(ScanTest, OrientationFollowsTheReads) {
  LinearForm update = plus(algebra.scale(s, aV), pool.mul(k, v));
  Classification overK = classifyOne(update, query(q, {"K"}));
  Classification overV = classifyOne(update, query(p, {"V"}));
  ASSERT_EQ(overK.kind, Classification::Affine);
  ASSERT_EQ(overV.kind, Classification::Affine);
  EXPECT_EQ(overK.scans[0].updates[0].left, k);
  EXPECT_EQ(overV.scans[0].updates[0].left, v);
}

TEST_F(ScanTest, WithoutReadsEverySideHasItsScan) {
  std::vector<LinearTerm> queries = query(q, {"K"});
  queries.push_back(query(p, {"V"}).front());
  LinearForm update = plus(algebra.scale(s, beta), pool.mul(k, v));
  Classification result = classifyOne(update, queries);
  ASSERT_EQ(result.kind, Classification::Affine);
  ASSERT_EQ(result.scans.size(), 2u);
  EXPECT_EQ(result.scans[0].contracted, AxisSet({"K"}));
  EXPECT_EQ(result.scans[1].contracted, AxisSet({"V"}));
}

TEST_F(ScanTest, DecayOverBothSidesIsElementwiseWithoutReads) {
  LinearForm update = plus(algebra.scale(s, aKV), pool.mul(k, v));
  EXPECT_EQ(classifyOne(update, query(q, {"K"})).kind, Classification::Elementwise);
  LinearForm withRead = deltaStep(algebra.scale(s, aKV), k);
  Classification result = classifyOne(withRead, query(q, {"K"}));
  EXPECT_EQ(result.kind, Classification::Sequential);
  EXPECT_FALSE(result.reason.empty());
}

TEST_F(ScanTest, WholeStateAsOutputIsElementwise) {
  LinearForm update = plus(algebra.scale(s, beta), pool.mul(k, v));
  EXPECT_EQ(classifyOne(update, algebra.symbol(after).terms).kind, Classification::Elementwise);
}

TEST_F(ScanTest, ReadsOverTwoSidesAreSequential) {
  LinearForm update = algebra.add(deltaStep(s, k), algebra.scale(contract(s, p, {"V"}), v));
  EXPECT_EQ(classifyOne(update, {}).kind, Classification::Sequential);
}

TEST_F(ScanTest, MomentumWritesOneRowIntoBothStates) {
  // M' = eta M + beta k (v - k^T S), S' = S + q M': one row, with the weights 1 and q.
  Symbol momentum{2, {"K", "V"}};
  Expr eta = pool.atom(9, {}), scale = pool.atom(10, {});
  LinearForm error = plus(algebra.scale(contract(s, k, {"K"}), pool.number(-1)), v);
  LinearForm nextMomentum = algebra.add(algebra.scale(algebra.symbol(momentum), eta),
                                        algebra.scale(error, pool.mul(beta, k)));
  LinearForm next = algebra.add(s, algebra.scale(nextMomentum, scale));
  for (bool isMomentumFirst : {false, true}) {
    Classification result =
        isMomentumFirst ? classify(pool, {momentum, state}, {nextMomentum, next}, query(q, {"K"}))
                        : classify(pool, {state, momentum}, {next, nextMomentum}, query(q, {"K"}));
    ASSERT_EQ(result.kind, Classification::Affine);
    const AffineScan &scan = result.scans[0];
    unsigned ofMomentum = isMomentumFirst ? 0 : 1, ofState = 1 - ofMomentum;
    EXPECT_TRUE(isOne(scan.mixes[ofState][ofState]));
    EXPECT_EQ(scan.mixes[ofState][ofMomentum], pool.mul(eta, scale));
    EXPECT_TRUE(isZero(scan.mixes[ofMomentum][ofState]));
    ASSERT_EQ(scan.updates.size(), 1u);
    EXPECT_EQ(scan.updates[0].left, k);
    EXPECT_TRUE(isOne(scan.updates[0].weights[ofMomentum]));
    EXPECT_EQ(scan.updates[0].weights[ofState], scale);
    ASSERT_EQ(scan.reads.size(), 1u);
    EXPECT_EQ(scan.reads[0].state, ofState);
  }
}

TEST_F(ScanTest, QueryOverMoreAxesIsSummedAfterwards) {
  // sum[K,V](q p S) = sum[V](p (q^T S))
  std::vector<LinearTerm> terms = query(pool.mul(q, p), {"K", "V"});
  Classification result = classifyOne(deltaStep(s, k), terms);
  ASSERT_EQ(result.kind, Classification::Affine);
  std::optional<std::vector<QueryPlan>> plans =
      planQueries(pool, terms.front(), result.scans[0].contracted);
  ASSERT_TRUE(plans && plans->size() == 1);
  EXPECT_EQ(plans->front().key, q);
  EXPECT_EQ(plans->front().weight, p);
  EXPECT_EQ(plans->front().rest, AxisSet({"V"}));
}

/// A derived scan, run one step on random elements, equals the update.
TEST_F(ScanTest, RandomUpdatesKeepTheirMeaning) {
  unsigned numAffine = 0;
  Expr element = pool.atom(100, {"K", "V"});
  for (unsigned seed = 0; seed < 100; ++seed) {
    Generator generate(pool, seed);
    LinearForm update = s;
    for (unsigned step = 0; step < 4; ++step) {
      static const AxisSet sides[] = {{"K"}, {"V"}, {}};
      Expr side = pool.atom(20 + generate.below(9), sides[generate.below(3)]);
      switch (generate.below(4)) {
      case 0:
        update = algebra.scale(update, side);
        break;
      case 1:
        update = plus(update, pool.mul(k2, pool.mul(side, v)));
        break;
      case 2:
        update = deltaStep(update, pool.atom(40 + generate.below(3), {"K"}));
        break;
      case 3:
        update = algebra.add(update, algebra.scale(contract(update, k, {"K"}), pool.mul(k, side)));
        break;
      }
    }
    Classification result = classifyOne(update, query(q, {"K"}));
    if (result.kind != Classification::Affine)
      continue;
    ++numAffine;
    Expr expected = update.constant;
    for (const LinearTerm &term : update.terms)
      expected = pool.add(
          expected, pool.mul(term.outer, pool.reduce(pool.mul(term.inner, element), term.reduced)));
    Expr derived = pool.mul(result.scans[0].mixes[0][0], element);
    for (const AffineScan::Update &row : result.scans[0].updates) {
      EXPECT_TRUE(row.left->axes.isSubsetOf({"K"}));
      EXPECT_TRUE(row.value->axes.isSubsetOf({"V"}));
      Expr y = row.value;
      for (auto [read, coef] : row.coefs)
        y = pool.add(y,
                     pool.mul(coef, pool.reduce(pool.mul(result.scans[0].reads[read].key, element),
                                                result.scans[0].contracted)));
      derived = pool.add(derived, pool.mul(row.left, y));
    }
    forEachPosition([&](const Positions &at) {
      double value = valueOf(expected, at);
      EXPECT_NEAR(valueOf(derived, at), value, 1e-9 * (1 + std::abs(value)));
    });
  }
  EXPECT_GT(numAffine, 25u);
}

} // namespace
