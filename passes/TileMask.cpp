//===- TileMask.cpp - What a mask says about a block ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TileMask.h"
#include "dialect/Axes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Build.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

std::optional<int64_t> MaskAnalysis::getConstant(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(stripBroadcasts(value), m_Constant(&elements)) || !elements.isSplat() ||
      !isa<IntegerType>(elements.getElementType()))
    return std::nullopt;
  APInt element = elements.getSplatValue<APInt>();
  return element.getBitWidth() == 1 ? int64_t(element.getZExtValue()) : element.getSExtValue();
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

Value MaskAnalysis::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value MaskAnalysis::truth(bool value) {
  return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value));
}

template <typename Op> Value MaskAnalysis::scalar(Value a, Value b) {
  return a && b ? builder.createOrFold<Op>(loc, a, b) : Value();
}

Value MaskAnalysis::scale(Value a, int64_t factor) {
  return factor == 1 ? a : scalar<arith::MulIOp>(a, constant(factor));
}

Value MaskAnalysis::floorDivide(Value a, int64_t divisor) {
  return divisor == 1 ? a : scalar<arith::FloorDivSIOp>(a, constant(divisor));
}

Value MaskAnalysis::atMost(Value a, Value b) {
  return a && b ? builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, a, b)
                : Value();
}

//===----------------------------------------------------------------------===//
// Linear forms
//===----------------------------------------------------------------------===//

/// `a + scale * b`, unless its numbers are too large.
std::optional<MaskAnalysis::Linear> MaskAnalysis::combine(const Linear &a, int64_t scale,
                                                          const Linear &b) {
  auto add = [&](int64_t x, int64_t y, int64_t limit) -> std::optional<int64_t> {
    std::optional<int64_t> sum = llvm::checkedMulAdd(scale, y, x);
    return sum && std::abs(*sum) <= limit ? sum : std::nullopt;
  };
  Linear result = a;
  std::optional<int64_t> sum = add(a.constant, b.constant, kMaxConstant);
  if (!sum)
    return std::nullopt;
  result.constant = *sum;
  for (auto [atom, coefficient] : b.terms) {
    sum = add(result.terms.lookup(atom), coefficient, kMaxCoefficient);
    if (!sum)
      return std::nullopt;
    if (*sum == 0)
      result.terms.erase(atom);
    else
      result.terms[atom] = *sum;
  }
  return result;
}

MaskAnalysis::Linear MaskAnalysis::getAtom(Value value) {
  Linear result;
  if (auto iota = value.getDefiningOp<IotaOp>())
    value = positions.try_emplace(getAxes(value).front(), value).first->second;
  result.terms[value] = 1;
  return result;
}

MaskAnalysis::Linear MaskAnalysis::getLinear(Value value) {
  auto it = linears.find(value);
  if (it != linears.end())
    return it->second;
  Linear result = computeLinear(value);
  linears[value] = result;
  return result;
}

MaskAnalysis::Linear MaskAnalysis::computeLinear(Value value) {
  if (std::optional<int64_t> number = getConstant(value)) {
    Linear result;
    result.constant = *number;
    return std::abs(*number) <= kMaxConstant ? result : getAtom(value);
  }
  Operation *op = value.getDefiningOp();
  std::optional<Linear> result;
  if (auto broadcast = dyn_cast_or_null<BroadcastOp>(op))
    return getLinear(broadcast.getSource());
  if (auto add = dyn_cast_or_null<arith::AddIOp>(op))
    result = combine(getLinear(add.getLhs()), 1, getLinear(add.getRhs()));
  else if (auto sub = dyn_cast_or_null<arith::SubIOp>(op))
    result = combine(getLinear(sub.getLhs()), -1, getLinear(sub.getRhs()));
  else if (auto mul = dyn_cast_or_null<arith::MulIOp>(op)) {
    if (std::optional<int64_t> factor = getConstant(mul.getRhs()))
      result = combine({}, *factor, getLinear(mul.getLhs()));
    else if (std::optional<int64_t> factor = getConstant(mul.getLhs()))
      result = combine({}, *factor, getLinear(mul.getRhs()));
  }
  return result ? *result : getAtom(value);
}

/// Looks through operations on elements: an operand may have been broadcast before.
bool MaskAnalysis::dependsOn(Value value, StringRef variable) {
  if (!hasAxis(value.getType(), variable))
    return false;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() == 0 ||
      !(isa<BroadcastOp>(op) || op->hasTrait<OpTrait::Elementwise>()))
    return true;
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return dependsOn(operand, variable); });
}

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

IndexRange MaskAnalysis::getRange(const Linear &linear) {
  IndexRange result{constant(linear.constant), constant(linear.constant)};
  for (auto [atom, coefficient] : linear.terms) {
    IndexRange range = getAtomRange(atom);
    Value first = scale(range.first, std::abs(coefficient));
    Value last = scale(range.last, std::abs(coefficient));
    if (coefficient > 0) {
      result.first = scalar<arith::AddIOp>(result.first, first);
      result.last = scalar<arith::AddIOp>(result.last, last);
    } else {
      result.first = scalar<arith::SubIOp>(result.first, last);
      result.last = scalar<arith::SubIOp>(result.last, first);
    }
  }
  return result;
}

IndexRange MaskAnalysis::getAtomRange(Value atom) {
  if (auto iota = atom.getDefiningOp<IotaOp>()) {
    auto it = ranges.find(getAxes(atom).front());
    return it == ranges.end() ? IndexRange{constant(0), {}} : it->second;
  }
  if (auto division = matchDivision<arith::FloorDivSIOp>(atom)) {
    IndexRange range = getRange(getLinear(division->first));
    return {floorDivide(range.first, division->second), floorDivide(range.last, division->second)};
  }
  // The sign of a remainder is that of the dividend.
  if (auto remainder = matchDivision<arith::RemSIOp>(atom))
    return {constant(1 - remainder->second), constant(remainder->second - 1)};
  if (auto absolute = atom.getDefiningOp<math::AbsIOp>()) {
    IndexRange range = getRange(getLinear(absolute.getOperand()));
    Value zero = constant(0);
    Value negated = scalar<arith::SubIOp>(zero, range.last);
    Value first = scalar<arith::MaxSIOp>(range.first, negated);
    return {first ? scalar<arith::MaxSIOp>(first, zero) : zero,
            scalar<arith::MaxSIOp>(range.last, scalar<arith::SubIOp>(zero, range.first))};
  }
  if (auto max = atom.getDefiningOp<arith::MaxSIOp>()) {
    IndexRange a = getRange(getLinear(max.getLhs())), b = getRange(getLinear(max.getRhs()));
    Value first = a.first && b.first ? scalar<arith::MaxSIOp>(a.first, b.first)
                  : a.first          ? a.first
                                     : b.first;
    return {first, scalar<arith::MaxSIOp>(a.last, b.last)};
  }
  if (auto min = atom.getDefiningOp<arith::MinSIOp>()) {
    IndexRange a = getRange(getLinear(min.getLhs())), b = getRange(getLinear(min.getRhs()));
    Value last = a.last && b.last ? scalar<arith::MinSIOp>(a.last, b.last)
                 : a.last         ? a.last
                                  : b.last;
    return {scalar<arith::MinSIOp>(a.first, b.first), last};
  }
  Value known = getAxes(atom).empty() ? getScalar(atom) : Value();
  return {known, known};
}

/// Both hold: the larger first, the smaller last.
IndexRange MaskAnalysis::intersect(IndexRange a, IndexRange b) {
  auto join = [&](Value x, Value y, auto op) { return x && y ? op(x, y) : x ? x : y; };
  return {join(a.first, b.first, [&](Value x, Value y) { return scalar<arith::MaxSIOp>(x, y); }),
          join(a.last, b.last, [&](Value x, Value y) { return scalar<arith::MinSIOp>(x, y); })};
}

/// One of them holds.
IndexRange MaskAnalysis::unite(IndexRange a, IndexRange b) {
  return {scalar<arith::MinSIOp>(a.first, b.first), scalar<arith::MaxSIOp>(a.last, b.last)};
}

//===----------------------------------------------------------------------===//
// Bounds of one variable
//===----------------------------------------------------------------------===//

IndexRange MaskAnalysis::solveAtMost(const Linear &linear, Value limit, StringRef variable) {
  IndexRange result;
  for (auto [atom, coefficient] : linear.terms) {
    if (!dependsOn(atom, variable))
      continue;
    // coefficient * atom <= limit - others
    Linear others = linear;
    others.terms.erase(atom);
    if (coefficient > 0) {
      std::optional<Linear> negated = combine({}, -1, others);
      Value most = negated ? getRange(*negated).last : Value();
      most = floorDivide(scalar<arith::AddIOp>(most, limit), coefficient);
      if (most)
        result = intersect(result, solveAtomAtMost(atom, most, variable));
    } else {
      Value least = scalar<arith::SubIOp>(getRange(others).first, limit);
      if (coefficient < -1)
        least = scalar<arith::CeilDivSIOp>(least, constant(-coefficient));
      if (least)
        result = intersect(result, solveAtomAtLeast(atom, least, variable));
    }
  }
  return result;
}

IndexRange MaskAnalysis::solveAtomAtMost(Value atom, Value limit, StringRef variable) {
  if (atom.getDefiningOp<IotaOp>())
    return {{}, limit};
  // floor(x / c) <= u is x <= c u + c - 1
  if (auto division = matchDivision<arith::FloorDivSIOp>(atom)) {
    Value last =
        scalar<arith::AddIOp>(scale(limit, division->second), constant(division->second - 1));
    return solveAtMost(getLinear(division->first), last, variable);
  }
  if (auto absolute = atom.getDefiningOp<math::AbsIOp>()) {
    Linear operand = getLinear(absolute.getOperand());
    std::optional<Linear> negated = combine({}, -1, operand);
    IndexRange above = solveAtMost(operand, limit, variable);
    return negated ? intersect(above, solveAtMost(*negated, limit, variable)) : above;
  }
  if (auto max = atom.getDefiningOp<arith::MaxSIOp>())
    return intersect(solveAtMost(getLinear(max.getLhs()), limit, variable),
                     solveAtMost(getLinear(max.getRhs()), limit, variable));
  return {};
}

IndexRange MaskAnalysis::solveAtomAtLeast(Value atom, Value limit, StringRef variable) {
  if (atom.getDefiningOp<IotaOp>())
    return {limit, {}};
  auto solve = [&](Value operand, Value least) -> IndexRange {
    std::optional<Linear> negated = combine({}, -1, getLinear(operand));
    Value most = scalar<arith::SubIOp>(constant(0), least);
    return negated ? solveAtMost(*negated, most, variable) : IndexRange();
  };
  // floor(x / c) >= l is x >= c l
  if (auto division = matchDivision<arith::FloorDivSIOp>(atom))
    return solve(division->first, scale(limit, division->second));
  if (auto min = atom.getDefiningOp<arith::MinSIOp>())
    return intersect(solve(min.getLhs(), limit), solve(min.getRhs(), limit));
  return {};
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

template <typename Logic>
typename Logic::Result MaskAnalysis::interpret(Value predicate, bool isNegated, Logic &logic) {
  predicate = stripBroadcasts(predicate);
  if (std::optional<int64_t> number = getConstant(predicate))
    return logic.constant((*number != 0) != isNegated);
  std::pair<Value, unsigned> key(predicate, isNegated);
  auto it = logic.done.find(key);
  if (it != logic.done.end())
    return it->second;
  typename Logic::Result result = {};
  auto binary = [&](Value lhs, Value rhs, bool isAnd) {
    typename Logic::Result a = interpret(lhs, isNegated, logic);
    typename Logic::Result b = interpret(rhs, isNegated, logic);
    return isAnd != isNegated ? logic.both(a, b) : logic.either(a, b);
  };
  Operation *op = predicate.getDefiningOp();
  if (auto conjunction = dyn_cast_or_null<arith::AndIOp>(op)) {
    result = binary(conjunction.getLhs(), conjunction.getRhs(), true);
  } else if (auto disjunction = dyn_cast_or_null<arith::OrIOp>(op)) {
    result = binary(disjunction.getLhs(), disjunction.getRhs(), false);
  } else if (auto difference = dyn_cast_or_null<arith::XOrIOp>(op)) {
    if (std::optional<int64_t> number = getConstant(difference.getRhs()))
      result = interpret(difference.getLhs(), isNegated != (*number != 0), logic);
    else if (std::optional<int64_t> number = getConstant(difference.getLhs()))
      result = interpret(difference.getRhs(), isNegated != (*number != 0), logic);
  } else if (auto compare = dyn_cast_or_null<arith::CmpIOp>(op)) {
    result = interpretCompare(compare, isNegated, logic);
  }
  logic.done.try_emplace(key, result);
  return result;
}

template <typename Logic>
typename Logic::Result MaskAnalysis::interpretCompare(Operation *op, bool isNegated, Logic &logic) {
  auto compare = cast<arith::CmpIOp>(op);
  if (getElementTypeOrSelf(compare.getLhs().getType()).isInteger(1))
    return {};
  arith::CmpIPredicate predicate =
      isNegated ? arith::invertPredicate(compare.getPredicate()) : compare.getPredicate();
  Linear lhs = getLinear(compare.getLhs()), rhs = getLinear(compare.getRhs());
  std::optional<Linear> difference = combine(lhs, -1, rhs), reversed = combine(rhs, -1, lhs);
  if (!difference || !reversed)
    return {};
  auto negative = [&](Linear linear) {
    ++linear.constant;
    return logic.atMostZero(linear);
  };
  switch (predicate) {
  case arith::CmpIPredicate::sle:
    return logic.atMostZero(*difference);
  case arith::CmpIPredicate::sge:
    return logic.atMostZero(*reversed);
  case arith::CmpIPredicate::slt:
    return negative(*difference);
  case arith::CmpIPredicate::sgt:
    return negative(*reversed);
  case arith::CmpIPredicate::eq:
    return logic.both(logic.atMostZero(*difference), logic.atMostZero(*reversed));
  case arith::CmpIPredicate::ne:
    return logic.either(negative(*difference), negative(*reversed));
  default:
    return {};
  }
}

/// What `interpret` has found for a predicate or its negation.
template <typename T> struct MaskAnalysis::LogicBase {
  using Result = T;
  explicit LogicBase(MaskAnalysis &analysis) : analysis(analysis) {}
  MaskAnalysis &analysis;
  DenseMap<std::pair<Value, unsigned>, T> done;
};

struct MaskAnalysis::BoundsLogic : LogicBase<IndexRange> {
  BoundsLogic(MaskAnalysis &analysis, StringRef variable)
      : LogicBase(analysis), variable(variable) {}
  StringRef variable;

  Result constant(bool value) {
    return value ? Result() : Result{analysis.constant(0), analysis.constant(-1)};
  }
  Result atMostZero(const Linear &linear) {
    return analysis.solveAtMost(linear, analysis.constant(0), variable);
  }
  Result both(Result a, Result b) { return analysis.intersect(a, b); }
  Result either(Result a, Result b) { return analysis.unite(a, b); }
};

struct MaskAnalysis::FullLogic : LogicBase<Value> {
  using LogicBase::LogicBase;

  Result constant(bool value) { return analysis.truth(value); }
  Result atMostZero(const Linear &linear) {
    return analysis.atMost(analysis.getRange(linear).last, analysis.constant(0));
  }
  Result both(Result a, Result b) { return analysis.scalar<arith::AndIOp>(a, b); }
  Result either(Result a, Result b) {
    return a && b ? analysis.scalar<arith::OrIOp>(a, b) : a ? a : b;
  }
};

struct MaskAnalysis::MayLogic : LogicBase<Value> {
  using LogicBase::LogicBase;

  Result constant(bool value) { return analysis.truth(value); }
  Result atMostZero(const Linear &linear) {
    return analysis.atMost(analysis.getRange(linear).first, analysis.constant(0));
  }
  Result both(Result a, Result b) {
    return a && b ? analysis.scalar<arith::AndIOp>(a, b) : a ? a : b;
  }
  Result either(Result a, Result b) { return analysis.scalar<arith::OrIOp>(a, b); }
};

struct MaskAnalysis::HoleLogic : LogicBase<bool> {
  using LogicBase::LogicBase;

  Result constant(bool) { return false; }
  Result atMostZero(const Linear &) { return false; }
  Result both(Result a, Result b) { return a || b; }
  Result either(Result, Result) { return true; }
};

struct MaskAnalysis::DistanceLogic : LogicBase<Interval> {
  DistanceLogic(MaskAnalysis &analysis, LeafFn leaf) : LogicBase(analysis), leaf(leaf) {}
  LeafFn leaf;

  Result constant(bool) { return {}; }
  Result atMostZero(const Linear &linear) { return leaf(linear); }
  Result both(Result a, Result b) {
    return {a.first && b.first ? std::max(a.first, b.first)
            : a.first          ? a.first
                               : b.first,
            a.last && b.last ? std::min(a.last, b.last)
            : a.last         ? a.last
                             : b.last};
  }
  Result either(Result a, Result b) {
    Result result;
    if (a.first && b.first)
      result.first = std::min(a.first, b.first);
    if (a.last && b.last)
      result.last = std::max(a.last, b.last);
    return result;
  }
};

Interval MaskAnalysis::interpretIntervals(Value predicate, LeafFn leaf) {
  DistanceLogic logic(*this, leaf);
  return interpret(predicate, /*isNegated=*/false, logic);
}

IndexRange MaskAnalysis::getBounds(Value predicate, StringRef variable) {
  BoundsLogic logic(*this, variable);
  return interpret(predicate, /*isNegated=*/false, logic);
}

Value MaskAnalysis::isFull(Value predicate) {
  FullLogic logic(*this);
  return interpret(predicate, /*isNegated=*/false, logic);
}

Value MaskAnalysis::mayHold(Value predicate) {
  MayLogic logic(*this);
  return interpret(predicate, /*isNegated=*/false, logic);
}

bool MaskAnalysis::hasHoles(Value predicate) {
  HoleLogic logic(*this);
  return interpret(predicate, /*isNegated=*/false, logic);
}
