//===- TileMaskTest.cpp - Interval analysis against brute force -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A predicate is built twice: as operations of level L2 for the analysis, and as a
// function of (i, j). With constant ranges the analysis folds to constants, which are
// compared with what trying every position gives. Sound: nothing true lies outside of
// the bounds, a full block has no false element, an empty one no true element. Exact,
// for the masks that people write: the bounds are tight and every full block is found.
//
//===----------------------------------------------------------------------===//

#include "passes/TileMask.h"
#include "dialect/Axes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace mix;

namespace {

constexpr int64_t kTokens = 30;

/// A value of level L2 and the same as a function of the positions.
struct Expr {
  Value value;
  std::function<int64_t(int64_t, int64_t)> at;
};

int64_t floorDivide(int64_t a, int64_t b) { return (a - (((a % b) + b) % b)) / b; }

class TileMaskTest : public ::testing::Test {
protected:
  TileMaskTest() : builder(&context), loc(builder.getUnknownLoc()) {
    context.loadDialect<MixDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect>();
    module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
  }

  RankedTensorType getType(llvm::ArrayRef<llvm::StringRef> axes, Type element) {
    return getTensorType(element, axes, SmallVector<int64_t>(axes.size(), ShapedType::kDynamic));
  }
  Expr position(llvm::StringRef axis) {
    bool isRow = axis == "i:T";
    return {IotaOp::create(builder, loc, getType({axis}, builder.getI64Type())),
            [=](int64_t i, int64_t j) { return isRow ? i : j; }};
  }
  Expr row() { return position("i:T"); }
  Expr key() { return position("j:T"); }
  Expr constant(int64_t n) {
    auto type = RankedTensorType::get({}, builder.getI64Type());
    return {arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, n)),
            [=](int64_t, int64_t) { return n; }};
  }
  /// The number of tokens: a scalar that only the caller knows.
  Expr size() {
    return {SizeOp::create(builder, loc, RankedTensorType::get({}, builder.getI64Type()), "T"),
            [](int64_t, int64_t) { return kTokens; }};
  }
  /// Numbers that the analysis cannot know.
  Expr data() {
    Expr j = key();
    Value opaque = arith::ShLIOp::create(builder, loc, j.value, j.value);
    return {opaque, [](int64_t, int64_t j) { return (j * 7919 + 13) % 5; }};
  }

  /// The values brought to the union of their axes.
  std::pair<Value, Value> align(Value a, Value b) {
    RankedTensorType type = joinAxes({a.getType(), b.getType()});
    auto widen = [&](Value value) -> Value {
      return type == value.getType() ? value : BroadcastOp::create(builder, loc, type, value);
    };
    return {widen(a), widen(b)};
  }
  template <typename Op, typename Fn> Expr apply(const Expr &a, const Expr &b, Fn fn) {
    auto [lhs, rhs] = align(a.value, b.value);
    return {Op::create(builder, loc, lhs, rhs),
            [=](int64_t i, int64_t j) { return fn(a.at(i, j), b.at(i, j)); }};
  }
  Expr add(Expr a, Expr b) { return apply<arith::AddIOp>(a, b, std::plus<int64_t>()); }
  Expr sub(Expr a, Expr b) { return apply<arith::SubIOp>(a, b, std::minus<int64_t>()); }
  Expr mul(Expr a, Expr b) { return apply<arith::MulIOp>(a, b, std::multiplies<int64_t>()); }
  Expr div(Expr a, int64_t c) { return apply<arith::FloorDivSIOp>(a, constant(c), floorDivide); }
  Expr rem(Expr a, int64_t c) {
    return apply<arith::RemSIOp>(a, constant(c), [](int64_t x, int64_t y) { return x % y; });
  }
  Expr max(Expr a, Expr b) {
    return apply<arith::MaxSIOp>(a, b, [](int64_t x, int64_t y) { return std::max(x, y); });
  }
  Expr min(Expr a, Expr b) {
    return apply<arith::MinSIOp>(a, b, [](int64_t x, int64_t y) { return std::min(x, y); });
  }
  Expr abs(Expr a) {
    return {math::AbsIOp::create(builder, loc, a.value),
            [=](int64_t i, int64_t j) { return std::abs(a.at(i, j)); }};
  }

  template <typename Fn>
  Expr compare(arith::CmpIPredicate predicate, const Expr &a, const Expr &b, Fn fn) {
    auto [lhs, rhs] = align(a.value, b.value);
    Value result = arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
    return {result, [=](int64_t i, int64_t j) { return fn(a.at(i, j), b.at(i, j)); }};
  }
  using P = arith::CmpIPredicate;
  Expr le(Expr a, Expr b) { return compare(P::sle, a, b, std::less_equal<int64_t>()); }
  Expr lt(Expr a, Expr b) { return compare(P::slt, a, b, std::less<int64_t>()); }
  Expr ge(Expr a, Expr b) { return compare(P::sge, a, b, std::greater_equal<int64_t>()); }
  Expr gt(Expr a, Expr b) { return compare(P::sgt, a, b, std::greater<int64_t>()); }
  Expr eq(Expr a, Expr b) { return compare(P::eq, a, b, std::equal_to<int64_t>()); }
  Expr ne(Expr a, Expr b) { return compare(P::ne, a, b, std::not_equal_to<int64_t>()); }
  Expr both(Expr a, Expr b) { return apply<arith::AndIOp>(a, b, std::bit_and<int64_t>()); }
  Expr either(Expr a, Expr b) { return apply<arith::OrIOp>(a, b, std::bit_or<int64_t>()); }
  Expr negate(Expr a) {
    auto type = RankedTensorType::get({}, builder.getI1Type());
    Expr yes = {arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, true)),
                [](int64_t, int64_t) { return 1; }};
    return apply<arith::XOrIOp>(a, yes, std::bit_xor<int64_t>());
  }

  Value index(int64_t n) { return arith::ConstantIndexOp::create(builder, loc, n); }
  MaskAnalysis analyse() {
    return MaskAnalysis(builder, loc, [this](Value value) {
      return value.getDefiningOp<SizeOp>() ? index(kTokens) : Value();
    });
  }
  static std::optional<int64_t> getConstant(Value value) {
    APInt number;
    if (!value)
      return std::nullopt;
    EXPECT_TRUE(matchPattern(value, m_ConstantInt(&number))) << "the analysis did not fold";
    return number.getBitWidth() == 1 ? number.getZExtValue() : number.getSExtValue();
  }

  /// Checks one mask for rows [i0, i1] and, as the block of keys, [j0, j1].
  void check(const Expr &mask, int64_t i0, int64_t i1, int64_t j0, int64_t j1, bool isExact) {
    int64_t first = kTokens, last = -1;
    bool all = true, any = false;
    for (int64_t i = i0; i <= i1; ++i)
      for (int64_t j = 0; j < kTokens; ++j) {
        bool isTrue = mask.at(i, j);
        bool isInBlock = j >= j0 && j <= j1;
        all &= isTrue || !isInBlock;
        any |= isTrue && isInBlock;
        if (isTrue) {
          first = std::min(first, j);
          last = std::max(last, j);
        }
      }

    MaskAnalysis analysis = analyse();
    analysis.setRange("i:T", {index(i0), index(i1)});
    analysis.setRange("j:T", {index(0), index(kTokens - 1)});
    IndexRange bounds = analysis.getBounds(mask.value, "j:T");
    int64_t lower = std::max<int64_t>(0, getConstant(bounds.first).value_or(0));
    int64_t upper = std::min(kTokens - 1, getConstant(bounds.last).value_or(kTokens));
    analysis.setRange("j:T", {index(j0), index(j1)});
    bool isFull = getConstant(analysis.isFull(mask.value)).value_or(0);
    bool mayHold = getConstant(analysis.mayHold(mask.value)).value_or(1);

    EXPECT_TRUE(last < 0 || (lower <= first && upper >= last))
        << "bounds " << lower << ".." << upper << " miss " << first << ".." << last;
    EXPECT_TRUE(!isFull || all) << "a block with a false element is called full";
    EXPECT_TRUE(mayHold || !any) << "a block with a true element is called empty";
    if (!isExact)
      return;
    if (last < 0)
      EXPECT_GT(lower, upper) << "no key is seen, but the loop is not empty";
    else
      EXPECT_EQ(std::pair(lower, upper), std::pair(first, last)) << "bounds are not tight";
    EXPECT_EQ(isFull, all) << "full blocks are not told from partial ones";
    EXPECT_EQ(mayHold, any) << "empty blocks are not told from partial ones";
  }

  /// Checks what is known of `i - j` where the mask is true.
  void checkDistances(const Expr &mask, bool isExact) {
    Interval found = analyse().getDistances(mask.value, "i:T", "j:T");
    std::optional<int64_t> first, last;
    for (int64_t i = 0; i < kTokens; ++i)
      for (int64_t j = 0; j < kTokens; ++j)
        if (mask.at(i, j)) {
          first = std::min(first.value_or(i - j), i - j);
          last = std::max(last.value_or(i - j), i - j);
        }
    if (!first)
      return;
    EXPECT_LE(found.first.value_or(*first), *first) << "some keys are farther in the future";
    EXPECT_GE(found.last.value_or(*last), *last) << "some keys are farther in the past";
    if (isExact) {
      EXPECT_EQ(found.first, first);
      EXPECT_EQ(found.last, last);
    }
  }

  /// The same for all blocks of a few sizes.
  void checkBlocks(const Expr &mask, bool isExact) {
    for (int64_t rows : {1, 5, 8})
      for (int64_t keys : {1, 3, 8})
        for (int64_t i0 = 0; i0 < kTokens; i0 += rows)
          for (int64_t j0 = 0; j0 < kTokens; j0 += keys) {
            SCOPED_TRACE("rows " + std::to_string(i0) + "+" + std::to_string(rows) + ", keys " +
                         std::to_string(j0) + "+" + std::to_string(keys));
            check(mask, i0, std::min(i0 + rows, kTokens) - 1, j0, std::min(j0 + keys, kTokens) - 1,
                  isExact);
            if (HasFailure())
              return;
          }
  }

  Expr randomInteger(std::mt19937 &random, int depth);
  Expr randomPredicate(std::mt19937 &random, int depth);

  MLIRContext context;
  OpBuilder builder;
  Location loc;
  OwningOpRef<ModuleOp> module;
};

Expr TileMaskTest::randomInteger(std::mt19937 &random, int depth) {
  auto draw = [&](int n) { return int64_t(random() % n); };
  if (depth == 0)
    switch (draw(5)) {
    case 0:
    case 1:
      return key();
    case 2:
      return constant(draw(41) - 20);
    case 3:
      return draw(4) ? row() : data();
    default:
      return draw(4) ? row() : size();
    }
  auto operand = [&] { return randomInteger(random, depth - 1); };
  switch (draw(8)) {
  case 0:
  case 1:
    return add(operand(), operand());
  case 2:
    return sub(operand(), operand());
  case 3:
    return mul(operand(), constant(draw(9) - 4));
  case 4:
    return div(operand(), 1 + draw(9));
  case 5:
    return rem(operand(), 1 + draw(9));
  case 6:
    return abs(operand());
  default:
    return draw(2) ? max(operand(), operand()) : min(operand(), operand());
  }
}

Expr TileMaskTest::randomPredicate(std::mt19937 &random, int depth) {
  if (depth > 0)
    switch (random() % 4) {
    case 0:
      return both(randomPredicate(random, depth - 1), randomPredicate(random, depth - 1));
    case 1:
      return either(randomPredicate(random, depth - 1), randomPredicate(random, depth - 1));
    case 2:
      return negate(randomPredicate(random, depth - 1));
    default:
      break;
    }
  Expr a = randomInteger(random, random() % 4), b = randomInteger(random, random() % 3);
  switch (random() % 6) {
  case 0:
    return le(a, b);
  case 1:
    return lt(a, b);
  case 2:
    return ge(a, b);
  case 3:
    return gt(a, b);
  case 4:
    return eq(a, b);
  default:
    return ne(a, b);
  }
}

TEST_F(TileMaskTest, Causal) { checkBlocks(le(key(), row()), true); }
TEST_F(TileMaskTest, CausalReversed) { checkBlocks(ge(row(), key()), true); }
TEST_F(TileMaskTest, CausalNegated) { checkBlocks(negate(gt(key(), row())), true); }
TEST_F(TileMaskTest, CausalAsDifference) { checkBlocks(ge(sub(row(), key()), constant(0)), true); }
TEST_F(TileMaskTest, Future) { checkBlocks(gt(key(), row()), true); }
TEST_F(TileMaskTest, Lookahead) { checkBlocks(le(key(), add(row(), constant(3))), true); }
TEST_F(TileMaskTest, EverySecondKey) { checkBlocks(le(mul(constant(2), key()), row()), true); }
TEST_F(TileMaskTest, OwnPosition) { checkBlocks(eq(key(), row()), true); }
TEST_F(TileMaskTest, FirstKeys) { checkBlocks(lt(key(), constant(7)), true); }
TEST_F(TileMaskTest, LastKeys) { checkBlocks(ge(key(), sub(size(), constant(7))), true); }
TEST_F(TileMaskTest, SomeRows) {
  checkBlocks(both(ge(row(), constant(10)), le(key(), row())), false);
}
TEST_F(TileMaskTest, Blocks) { checkBlocks(eq(div(key(), 6), div(row(), 6)), true); }
TEST_F(TileMaskTest, EarlierBlocks) { checkBlocks(lt(key(), div(row(), 6)), true); }
TEST_F(TileMaskTest, BlockAsRange) {
  Expr start = mul(div(row(), 6), constant(6));
  // The first row's block starts and the last row's block ends what the loop visits.
  checkBlocks(both(ge(key(), start), lt(key(), add(start, constant(6)))), false);
}

TEST_F(TileMaskTest, Window) {
  Expr mask = both(le(key(), row()), lt(sub(row(), key()), constant(9)));
  checkBlocks(mask, true);
}
TEST_F(TileMaskTest, WindowBothSides) {
  checkBlocks(le(abs(sub(row(), key())), constant(4)), true);
}
TEST_F(TileMaskTest, PrefixOrCausal) {
  // A block that only the union covers is not called full.
  checkBlocks(either(le(key(), row()), lt(key(), constant(8))), false);
}

TEST_F(TileMaskTest, PrefixOrCausalBounds) {
  Expr mask = either(le(key(), row()), lt(key(), constant(8)));
  check(mask, 16, 23, 0, 7, true);
  check(mask, 0, 3, 0, 7, true);
  check(mask, 0, 3, 8, 15, true);
}

TEST_F(TileMaskTest, SinkAndWindowHasEmptyBlocks) {
  Expr window = both(le(key(), row()), lt(sub(row(), key()), constant(8)));
  Expr mask = either(window, both(lt(key(), constant(2)), le(key(), row())));
  checkBlocks(mask, false);
  check(mask, 22, 29, 8, 13, true);
  EXPECT_TRUE(analyse().hasHoles(mask.value));
  EXPECT_FALSE(analyse().hasHoles(window.value));
}

TEST_F(TileMaskTest, DataIsUnknownButTheRestCounts) {
  Expr mask = both(le(key(), row()), eq(data(), constant(1)));
  checkBlocks(mask, false);
  MaskAnalysis analysis = analyse();
  analysis.setRange("i:T", {index(8), index(15)});
  EXPECT_EQ(getConstant(analysis.getBounds(mask.value, "j:T").last), 15);
  EXPECT_FALSE(analysis.isFull(mask.value));
}

TEST_F(TileMaskTest, DilationIsPartial) {
  Expr mask = both(eq(rem(sub(row(), key()), 4), constant(0)), le(key(), row()));
  checkBlocks(mask, false);
  MaskAnalysis analysis = analyse();
  analysis.setRange("i:T", {index(8), index(15)});
  EXPECT_EQ(getConstant(analysis.getBounds(mask.value, "j:T").last), 15);
}

TEST_F(TileMaskTest, HugeConstantsAreLeftAlone) {
  constexpr int64_t huge = std::numeric_limits<int64_t>::max();
  checkBlocks(le(key(), constant(huge)), false);
  checkBlocks(lt(sub(row(), key()), constant(huge)), false);
}

TEST_F(TileMaskTest, Distances) {
  Expr causal = le(key(), row());
  checkDistances(both(causal, lt(sub(row(), key()), constant(9))), true);
  checkDistances(le(abs(sub(row(), key())), constant(4)), true);
  checkDistances(both(causal, eq(div(key(), 6), div(row(), 6))), true);
  checkDistances(both(causal, ge(div(key(), 6), sub(div(row(), 6), constant(2)))), true);
  checkDistances(both(causal, lt(key(), add(mul(div(row(), 4), constant(4)), constant(2)))), false);
  checkDistances(either(both(causal, lt(sub(row(), key()), constant(3))), eq(key(), row())), true);
  // Without a window nothing is known of the past, and without causality nothing of the future.
  Interval past = analyse().getDistances(causal.value, "i:T", "j:T");
  EXPECT_EQ(past.first, 0);
  EXPECT_FALSE(past.last);
  EXPECT_FALSE(analyse().getDistances(eq(data(), constant(1)).value, "i:T", "j:T").first);
}

TEST_F(TileMaskTest, DistancesOfIndices) {
  auto getDistances = [&](const Expr &index) {
    Interval found = analyse().getDistances(index.value, row().value);
    return std::pair(found.first, found.last);
  };
  using Found = std::pair<std::optional<int64_t>, std::optional<int64_t>>;
  EXPECT_EQ(getDistances(sub(row(), constant(3))), Found(3, 3));
  EXPECT_EQ(getDistances(add(row(), constant(1))), Found(-1, -1));
  EXPECT_EQ(getDistances(mul(div(row(), 4), constant(4))), Found(0, 3));
  EXPECT_EQ(getDistances(div(row(), 2)), Found(0, std::nullopt));
  EXPECT_EQ(getDistances(sub(row(), key())), Found(0, std::nullopt));
}

TEST_F(TileMaskTest, RandomPredicatesAreSound) {
  unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int n = 0; n < 300 && !HasFailure(); ++n) {
    builder.setInsertionPointToEnd(module->getBody());
    Expr mask = randomPredicate(random, 3);
    checkDistances(mask, false);
    for (int block = 0; block < 8; ++block) {
      int64_t i0 = random() % kTokens, j0 = random() % kTokens;
      int64_t i1 = std::min<int64_t>(kTokens - 1, i0 + random() % 9);
      int64_t j1 = std::min<int64_t>(kTokens - 1, j0 + random() % 9);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", predicate " + std::to_string(n));
      check(mask, i0, i1, j0, j1, false);
    }
  }
}

} // namespace
