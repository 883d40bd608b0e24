//===- ElaborateReduce.cpp - Reductions, softmax, prefix operators --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::SMRange;
using llvm::Twine;

/// The one set in brackets of `function[set](...)`; null after an error.
const IndexSet *Elaborator::getOnlySet(const CallExpr &expr) {
  if (expr.sets.size() == 1 && !expr.sets.front().binders.empty())
    return &expr.sets.front();
  error(Error::IndexSetExpected, expr.callee.range,
        "expected one set in brackets after '" + expr.callee.text + "'")
      .hint("write '" + expr.callee.text + "[j in T](...)' for positions, or '" + expr.callee.text +
            "[K](...)' for an axis of the value");
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

static SmallVector<StringRef> getFeatureAxes(Value value) {
  SmallVector<StringRef> axes = getAxes(value);
  llvm::erase_if(axes, [](StringRef axis) { return isIndexAxis(axis); });
  return axes;
}

/// The sum of products over the axes that both sides have, or over a given range.
Operand Elaborator::callDot(const CallExpr &expr) {
  std::optional<Range> range;
  if (expr.hasBrackets) {
    const IndexSet *set = getOnlySet(expr);
    if (!set || !(range = elaborateRange(*set, /*bind=*/false)))
      return {};
  }
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 2, 2);
  if (!arguments)
    return {};
  bool ok = requireReal(arguments->front(), expr.arguments.front()->range);
  ok &= requireReal(arguments->back(), expr.arguments.back()->range);
  if (!ok)
    return {};
  Value lhs = getValue(arguments->front()), rhs = getValue(arguments->back());
  SmallVector<StringRef> left = getFeatureAxes(lhs), right = getFeatureAxes(rhs);
  if (!range) {
    range.emplace();
    for (StringRef axis : left)
      if (llvm::is_contained(right, axis))
        range->axes.push_back(axis);
    if (range->axes.empty()) {
      error(Error::NoCommonAxis, expr.range,
            "'dot' needs an axis that both sides have, found " + describeAxes(left) + " and " +
                describeAxes(right))
          .hint("an outer product is written 'x * y'");
      return {};
    }
  }
  if (!requireAxes(range->axes, lhs, expr.arguments.front()->range) ||
      !requireAxes(range->axes, rhs, expr.arguments.back()->range))
    return {};
  return makeValue(
      emit.reduce(ReduceKind::Sum, emit.create<arith::MulFOp>(lhs, rhs), range->mask, range->axes));
}

/// Reports a feature axis to be reduced that the value does not have. (It need not
/// depend on an index.)
bool Elaborator::requireAxes(ArrayRef<StringRef> wanted, Value value, SMRange range) {
  for (StringRef axis : wanted)
    if (!isIndexAxis(axis) && !hasAxis(value.getType(), axis)) {
      error(Error::MissingAxis, range,
            "expected a value with axis '" + axis + "', found axes " +
                describeAxes(getAxes(value)));
      return false;
    }
  return true;
}

/// The axis that `l2norm(x)`, `rmsnorm(x)` or `softmax(x)` mean: the only one.
std::optional<StringRef> Elaborator::getOnlyAxis(const CallExpr &expr, Value value) {
  SmallVector<StringRef> axes = getFeatureAxes(value);
  if (axes.size() == 1)
    return axes.front();
  diagnostics
      .report(Error::AmbiguousAxis, expr.range,
              "'" + expr.callee.text + "' needs to know its axis: the value has " +
                  Twine(axes.size()) + " axes")
      .hint("write '" + expr.callee.text + "[K](...)'");
  return std::nullopt;
}

/// `l2norm(x) = x / sqrt(sum x^2 + eps)`, `rmsnorm(x) = x / sqrt(mean x^2 + eps)`.
Operand Elaborator::callNorm(const CallExpr &expr) {
  const IndexSet *set = nullptr;
  if (expr.hasBrackets && !(set = getOnlySet(expr)))
    return {};
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 1, 2);
  if (!arguments)
    return {};
  for (auto [operand, argument] : llvm::zip(*arguments, expr.arguments))
    if (!requireReal(operand, argument->range))
      return {};
  Value x = getValue(arguments->front());
  StringRef axis;
  if (set) {
    AxisInfo *info = requireAxis(set->binders.front().name);
    if (!info)
      return {};
    axis = info->name;
    if (!requireAxes(axis, x, expr.arguments.front()->range))
      return {};
  } else if (std::optional<StringRef> only = getOnlyAxis(expr, x)) {
    axis = *only;
  } else {
    return {};
  }
  bool isMean = expr.callee.text == "rmsnorm";
  Value eps =
      arguments->size() == 2 ? getValue(arguments->back()) : emit.createReal(isMean ? 1e-5 : 1e-6);
  Value square = emit.reduce(ReduceKind::Sum, emit.create<arith::MulFOp>(x, x), nullptr, axis);
  if (isMean) {
    Operand size = elaborateAxisSize(axis);
    convertToReal(size);
    square = emit.create<arith::DivFOp>(square, getValue(size));
  }
  Value scale = emit.create<math::RsqrtOp>(emit.create<arith::AddFOp>(square, eps));
  return makeValue(emit.create<arith::MulFOp>(x, scale));
}

Operand Elaborator::callReduction(const CallExpr &expr) {
  const IndexSet *set = getOnlySet(expr);
  if (!set)
    return {};
  pushScope();
  auto leave = llvm::scope_exit([&] { popScope(); });
  std::optional<Range> range = elaborateRange(*set, /*bind=*/true);
  if (!range)
    return {};
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 1, 1);
  if (!arguments || !requireReal(arguments->front(), expr.arguments.front()->range))
    return {};
  Value source = getValue(arguments->front());
  if (!requireAxes(range->axes, source, expr.arguments.front()->range))
    return {};
  auto reduce = [&](ReduceKind kind, Value value) {
    return emit.reduce(kind, value, range->mask, range->axes);
  };
  StringRef name = expr.callee.text;
  if (name == "mean") {
    Value ones = emit.createReal(1);
    SmallVector<StringRef> counted(range->axes);
    Value count =
        reduce(ReduceKind::Sum, emit.broadcast(ones, emit.getType(emit.getReal(), counted)));
    Value atLeastOne = emit.create<arith::MaximumFOp>(count, ones);
    return makeValue(emit.create<arith::DivFOp>(reduce(ReduceKind::Sum, source), atLeastOne));
  }
  if (name == "logsumexp") {
    Value max = reduce(ReduceKind::Max, source);
    Value terms = emit.create<math::ExpOp>(emit.create<arith::SubFOp>(source, max));
    Value logSum = emit.create<math::LogOp>(reduce(ReduceKind::Sum, terms));
    return makeValue(emit.create<arith::AddFOp>(max, logSum));
  }
  ReduceKind kind = name == "sum"   ? ReduceKind::Sum
                    : name == "max" ? ReduceKind::Max
                    : name == "min" ? ReduceKind::Min
                                    : ReduceKind::Prod;
  return makeValue(reduce(kind, source));
}

/// What the sources of a softmax run over; one range per argument.
std::optional<Elaborator::Ranges> Elaborator::elaborateSoftmaxRanges(const CallExpr &expr) {
  if (expr.sets.size() != expr.arguments.size()) {
    error(Error::ArgumentCount, expr.range,
          "softmax has " + Twine(expr.sets.size()) + " index sets and " +
              Twine(expr.arguments.size()) + " arguments; it needs one argument per set")
        .hint("sets are separated by ';'; a term without a set is 'softmax[j; ](s[j], sink)'");
    return std::nullopt;
  }
  Ranges ranges;
  for (const IndexSet &set : expr.sets) {
    std::optional<Range> range = elaborateRange(set, /*bind=*/false);
    if (!range)
      return std::nullopt;
    ranges.push_back(std::move(*range));
  }
  return ranges;
}

/// The axes that no source of a softmax reduces: those of the denominator.
std::optional<SmallVector<StringRef>>
Elaborator::findCommonAxes(const CallExpr &expr, ArrayRef<Range> ranges, ArrayRef<Value> logits) {
  llvm::SmallSetVector<StringRef, 4> common;
  for (auto [range, logit, argument] : llvm::zip(ranges, logits, expr.arguments)) {
    if (!requireAxes(range.axes, logit, argument->range))
      return std::nullopt;
    SmallVector<Value> parts = {logit};
    if (range.mask)
      parts.push_back(range.mask);
    for (StringRef axis : emit.joinAxes(parts))
      if (!llvm::is_contained(range.axes, axis))
        common.insert(axis);
  }
  for (const Range &range : ranges)
    for (StringRef axis : range.axes)
      if (common.contains(axis)) {
        error(Error::LeftoverIndex, expr.range,
              "another source of this softmax depends on " + describeAxes(axis) +
                  ", which is summed over here");
        return std::nullopt;
      }
  return SmallVector<StringRef>(common.getArrayRef());
}

/// One result per source with a set. Names declared in the brackets stay declared: the
/// results live on their sets.
std::vector<Operand> Elaborator::callSoftmax(const CallExpr &expr) {
  Ranges ranges;
  if (expr.hasBrackets) {
    std::optional<Ranges> written = elaborateSoftmaxRanges(expr);
    if (!written)
      return {};
    ranges = std::move(*written);
  }
  unsigned count = expr.hasBrackets ? ranges.size() : 1;
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, count, count);
  if (!arguments)
    return {};
  SmallVector<Value> logits;
  for (auto [operand, argument] : llvm::zip(*arguments, expr.arguments)) {
    if (!requireReal(operand, argument->range))
      return {};
    logits.push_back(getValue(operand));
  }
  if (!expr.hasBrackets) {
    std::optional<StringRef> only = getOnlyAxis(expr, logits.front());
    if (!only)
      return {};
    ranges.push_back({{*only}, nullptr});
  }
  std::optional<SmallVector<StringRef>> common = findCommonAxes(expr, ranges, logits);
  if (!common)
    return {};

  SmallVector<Value> masks;
  SmallVector<Attribute> lists;
  SmallVector<Type> types;
  for (auto [range, logit] : llvm::zip(ranges, logits)) {
    SmallVector<StringRef> sourceAxes(range.axes);
    llvm::append_range(sourceAxes, *common);
    types.push_back(emit.getType(emit.getReal(), putIndexAxesFirst(sourceAxes)));
    logit = emit.broadcast(logit, types.back());
    masks.push_back(emit.broadcast(range.mask ? range.mask : emit.createBool(true), types.back()));
    lists.push_back(emit.builder.getStrArrayAttr(range.axes));
  }
  auto softmax = SoftmaxOp::create(emit.builder, emit.loc, types, logits, masks,
                                   emit.builder.getArrayAttr(lists));
  std::vector<Operand> results;
  for (auto [result, range] : llvm::zip(softmax.getResults(), ranges))
    if (!range.axes.empty())
      results.push_back(makeValue(result));
  return results;
}

//===----------------------------------------------------------------------===//
// Operators along an axis
//===----------------------------------------------------------------------===//

Operand Elaborator::callPrefix(const CallExpr &expr) {
  const IndexSet *set = getOnlySet(expr);
  if (!set)
    return {};
  std::optional<Range> range = elaborateRange(*set, /*bind=*/false);
  if (!range)
    return {};
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 1, 1);
  if (!arguments || !requireReal(arguments->front(), expr.arguments.front()->range))
    return {};
  if (range->axes.size() != 1) {
    error(Error::IndexCount, set->range,
          "'" + expr.callee.text + "' runs along one axis, found " + Twine(range->axes.size()));
    return {};
  }
  StringRef axis = range->axes.front();
  auto kind = llvm::StringSwitch<PrefixKind>(expr.callee.text)
                  .Case("cumsum", PrefixKind::Sum)
                  .Case("cummax", PrefixKind::Max)
                  .Case("cummin", PrefixKind::Min)
                  .Case("cumprod", PrefixKind::Prod)
                  .Default(PrefixKind::LogSumExp);
  Value source = getValue(arguments->front());
  if (!hasAxis(source.getType(), axis)) {
    error(Error::MissingAxis, expr.arguments.front()->range,
          "expected a value that depends on " + describeAxes(axis) + ", found axes " +
              describeAxes(getAxes(source)));
    return {};
  }
  if (range->mask) {
    // What is not in the set does not take part: it becomes the identity.
    double identity = kind == PrefixKind::Sum    ? 0
                      : kind == PrefixKind::Prod ? 1
                      : kind == PrefixKind::Min  ? INFINITY
                                                 : -INFINITY;
    source = emit.select(range->mask, source, emit.createReal(identity));
  }
  return makeValue(PrefixOp::create(emit.builder, emit.loc, kind, source, axis));
}

Operand Elaborator::callTopK(const CallExpr &expr) {
  const IndexSet *set = getOnlySet(expr);
  if (!set)
    return {};
  std::optional<Range> range = elaborateRange(*set, /*bind=*/false);
  if (!range)
    return {};
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 2, 2);
  if (!arguments || !requireReal(arguments->front(), expr.arguments.front()->range))
    return {};
  std::optional<int64_t> count = requirePositiveConstant(
      arguments->back(), expr.arguments.back()->range, "the number of positions to take");
  if (!count)
    return {};
  if (range->axes.size() != 1) {
    error(Error::IndexCount, set->range,
          "'topk' runs along one axis, found " + Twine(range->axes.size()));
    return {};
  }
  StringRef axis = range->axes.front();
  Value score = getValue(arguments->front());
  SmallVector<Value> parts = {score};
  if (range->mask)
    parts.push_back(range->mask);
  SmallVector<StringRef> joined = emit.joinAxes(parts);
  if (!llvm::is_contained(joined, axis))
    joined.insert(joined.begin(), axis);
  Type type = emit.getType(emit.getReal(), joined);
  Value mask = emit.broadcast(range->mask ? range->mask : emit.createBool(true), type);
  return makeValue(
      TopKOp::create(emit.builder, emit.loc, emit.broadcast(score, type), mask, axis, *count));
}
