//===- ElaborateCall.cpp - Functions --------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "frontends/mix/Functions.h"
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

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

namespace {
enum class Family {
  Unknown,
  Integer,
  Extremum,
  Dot,
  Norm,
  Reduction,
  Softmax,
  Prefix,
  TopK,
  Block,
  Frozen
};
} // namespace

/// The functions that are not elementwise. `min` and `max` are reductions with
/// brackets and functions of two values without.
static Family getFamily(StringRef name, bool hasBrackets) {
  return llvm::StringSwitch<Family>(name)
      .Cases({"abs", "floor", "ceil", "round"}, Family::Integer)
      .Cases({"min", "max"}, hasBrackets ? Family::Reduction : Family::Extremum)
      .Cases({"sum", "prod", "mean", "logsumexp"}, Family::Reduction)
      .Case("dot", Family::Dot)
      .Cases({"l2norm", "rmsnorm"}, Family::Norm)
      .Case("softmax", Family::Softmax)
      .Cases({"cumsum", "cummax", "cummin", "cumprod", "logcumsumexp"}, Family::Prefix)
      .Case("topk", Family::TopK)
      .Case("block", Family::Block)
      .Case("frozen", Family::Frozen)
      .Default(Family::Unknown);
}

static const StringRef familyNames[] = {
    "abs",     "floor",        "ceil",   "round",   "min",     "max",      "sum",    "prod",
    "mean",    "dot",          "l2norm", "rmsnorm", "softmax", "cumsum",   "cummax", "cummin",
    "cumprod", "logcumsumexp", "topk",   "block",   "frozen",  "logsumexp"};

Operand Elaborator::elaborateCall(const CallExpr &expr) {
  StringRef name = expr.callee.text;
  auto function = program.functions.find(name);
  if (function != program.functions.end())
    return callFunction(expr, *function->second);
  if (findElementwise(name))
    return callElementwise(expr);
  switch (getFamily(name, expr.hasBrackets)) {
  case Family::Integer:
    return callInteger(expr);
  case Family::Extremum:
    return callExtremum(expr);
  case Family::Dot:
    return callDot(expr);
  case Family::Norm:
    return callNorm(expr);
  case Family::Reduction:
    return callReduction(expr);
  case Family::Prefix:
    return callPrefix(expr);
  case Family::TopK:
    return callTopK(expr);
  case Family::Block:
    return callBlock(expr);
  case Family::Frozen:
    return callFrozen(expr);
  case Family::Softmax: {
    std::vector<Operand> results = callSoftmax(expr);
    if (results.size() == 1)
      return results.front();
    if (!results.empty())
      error(Error::ArgumentCount, expr.range,
            "this softmax has " + Twine(results.size()) + " results, here is place for one")
          .hint("name them: 'let (p[j], r[b]) = softmax[...](...)'");
    return {};
  }
  case Family::Unknown:
    break;
  }
  SmallVector<StringRef> candidates(std::begin(familyNames), std::end(familyNames));
  for (const ElementwiseFunction &known : getElementwiseFunctions())
    candidates.push_back(known.name);
  for (StringRef known : program.functions.keys())
    candidates.push_back(known);
  auto report = error(Error::UnknownFunction, expr.callee.range, "unknown function '" + name + "'");
  if (lookup(name))
    report.hint("'" + name + "' is a value; a product needs '*', a position '[...]'");
  else
    suggest(report, name, candidates);
  return {};
}

/// The arguments; nothing after an error in their number or in any of them.
std::optional<std::vector<Operand>> Elaborator::elaborateArguments(const CallExpr &expr,
                                                                   unsigned min, unsigned max) {
  size_t count = expr.arguments.size();
  if (count < min || count > max) {
    std::string expected = std::to_string(min);
    if (max != min)
      expected += " to " + std::to_string(max);
    error(Error::ArgumentCount, expr.range,
          "'" + expr.callee.text + "' takes " + expected + (max == 1 ? " argument" : " arguments") +
              ", found " + Twine(count));
    return std::nullopt;
  }
  std::vector<Operand> arguments;
  bool ok = true;
  for (const ExprPtr &argument : expr.arguments) {
    arguments.push_back(elaborate(*argument));
    ok &= arguments.back().isValid();
  }
  if (!ok)
    return std::nullopt;
  setLocation(expr.range);
  return arguments;
}

/// Reports brackets behind a function that has none.
static bool checkNoBrackets(const CallExpr &expr, Diagnostics &diagnostics) {
  if (!expr.hasBrackets)
    return true;
  diagnostics.report(Error::IndexSetExpected, expr.range,
                     "'" + expr.callee.text + "' runs over no set and takes no '[...]'");
  return false;
}

/// The one set in brackets of `function[set](...)`; null after an error.
static const IndexSet *getOnlySet(const CallExpr &expr, Diagnostics &diagnostics) {
  if (expr.sets.size() == 1 && !expr.sets.front().binders.empty())
    return &expr.sets.front();
  diagnostics
      .report(Error::IndexSetExpected, expr.callee.range,
              "expected one set in brackets after '" + expr.callee.text + "'")
      .hint("write '" + expr.callee.text + "[j in T](...)' for positions, or '" + expr.callee.text +
            "[K](...)' for an axis of the value");
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

Operand Elaborator::callElementwise(const CallExpr &expr) {
  const ElementwiseFunction &function = *findElementwise(expr.callee.text);
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 1, 1);
  if (!arguments || !checkNoBrackets(expr, diagnostics) ||
      !requireReal(arguments->front(), expr.arguments.front()->range))
    return {};
  const Operand &operand = arguments->front();
  if (operand.constant)
    return makeConstant(Operand::Real, function.fold(*operand.constant));
  return makeValue(function.emit(emit, operand.value));
}

/// `abs` keeps integers; `floor`, `ceil` and `round` make them.
Operand Elaborator::callInteger(const CallExpr &expr) {
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 1, 1);
  if (!arguments || !checkNoBrackets(expr, diagnostics) ||
      !requireNumber(arguments->front(), expr.arguments.front()->range))
    return {};
  StringRef name = expr.callee.text;
  Operand &operand = arguments->front();
  if (operand.constant) {
    double x = *operand.constant;
    double value = name == "abs"     ? std::fabs(x)
                   : name == "floor" ? std::floor(x)
                   : name == "ceil"  ? std::ceil(x)
                                     : std::nearbyint(x);
    if (name != "abs" && !(std::fabs(value) < kIntegerLimit)) {
      error(Error::BadNumber, expr.range, "this is no integer below 2^53");
      return {};
    }
    return makeConstant(name == "abs" ? operand.element : Operand::Int, value);
  }
  if (name == "abs") {
    if (operand.element == Operand::Real)
      return makeValue(emit.create<math::AbsFOp>(operand.value));
    Value zero = emit.createInteger(0);
    Value isNegative = emit.compare<arith::CmpIOp>(arith::CmpIPredicate::slt, operand.value, zero);
    return makeValue(
        emit.select(isNegative, emit.create<arith::SubIOp>(zero, operand.value), operand.value));
  }
  if (operand.element == Operand::Int)
    return operand;
  Value rounded = name == "floor"  ? emit.create<math::FloorOp>(operand.value)
                  : name == "ceil" ? emit.create<math::CeilOp>(operand.value)
                                   : emit.create<math::RoundEvenOp>(operand.value);
  Type type = withElement(rounded.getType(), emit.getInteger());
  return makeValue(arith::FPToSIOp::create(emit.builder, emit.loc, type, rounded));
}

/// `min(a, b)` and `max(a, b)`.
Operand Elaborator::callExtremum(const CallExpr &expr) {
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, 2, 2);
  if (!arguments)
    return {};
  Operand &lhs = arguments->front(), &rhs = arguments->back();
  bool ok = requireNumber(lhs, expr.arguments.front()->range);
  ok &= requireNumber(rhs, expr.arguments.back()->range);
  if (!ok)
    return {};
  if (lhs.element != rhs.element) {
    convertToReal(lhs);
    convertToReal(rhs);
  }
  bool isMax = expr.callee.text == "max";
  if (lhs.constant && rhs.constant)
    return makeConstant(lhs.element, isMax ? std::fmax(*lhs.constant, *rhs.constant)
                                           : std::fmin(*lhs.constant, *rhs.constant));
  Value a = getValue(lhs), b = getValue(rhs);
  if (lhs.element == Operand::Real)
    return makeValue(isMax ? emit.create<arith::MaximumFOp>(a, b)
                           : emit.create<arith::MinimumFOp>(a, b));
  auto predicate = isMax ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle;
  Operand result = makeValue(emit.select(emit.compare<arith::CmpIOp>(predicate, a, b), a, b));
  if (lhs.linear && rhs.linear)
    result.linear = terms.extremum(isMax, *lhs.linear, *rhs.linear);
  return result;
}

Operand Elaborator::callFunction(const CallExpr &expr, const Function &function) {
  if (llvm::is_contained(callStack, &function)) {
    error(Error::RecursiveFunction, expr.range,
          "function '" + function.name.text + "' calls itself")
        .hint("a mixer has no recursion; use a state");
    return {};
  }
  unsigned count = function.parameters.size();
  std::optional<std::vector<Operand>> arguments = elaborateArguments(expr, count, count);
  if (!arguments || !checkNoBrackets(expr, diagnostics))
    return {};
  size_t callerBase = scopeBase;
  scopeBase = scopes.size();
  pushScope();
  callStack.push_back(&function);
  for (auto [parameter, argument] : llvm::zip(function.parameters, *arguments))
    if (checkFresh(parameter))
      declare(Symbol::Parameter, parameter, scopes.back())->operand = std::move(argument);
  Operand result = elaborate(*function.body);
  callStack.pop_back();
  scopes.pop_back();
  scopeBase = callerBase;
  return result;
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
    const IndexSet *set = getOnlySet(expr, diagnostics);
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
  for (StringRef axis : range->axes)
    for (auto [side, argument] : llvm::zip(std::array{lhs, rhs}, expr.arguments))
      if (!isIndexAxis(axis) && !hasAxis(side.getType(), axis)) {
        error(Error::MissingAxis, argument->range,
              "expected a value with axis '" + axis + "', found axes " +
                  describeAxes(getAxes(side)));
        return {};
      }
  return makeValue(
      emit.reduce(ReduceKind::Sum, emit.create<arith::MulFOp>(lhs, rhs), range->mask, range->axes));
}

/// The axis that `l2norm(x)`, `rmsnorm(x)` or `softmax(x)` mean: the only one.
static std::optional<StringRef> getOnlyAxis(const CallExpr &expr, Value value,
                                            Diagnostics &diagnostics) {
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
  if (expr.hasBrackets && !(set = getOnlySet(expr, diagnostics)))
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
    if (!findAxisInfo(set->binders.front().name))
      return {};
    axis = axes.find(set->binders.front().name.text)->getKey();
    if (!hasAxis(x.getType(), axis)) {
      error(Error::MissingAxis, expr.arguments.front()->range,
            "expected a value with axis '" + axis + "', found axes " + describeAxes(getAxes(x)));
      return {};
    }
  } else if (std::optional<StringRef> only = getOnlyAxis(expr, x, diagnostics)) {
    axis = *only;
  } else {
    return {};
  }
  bool isMean = expr.callee.text == "rmsnorm";
  Value eps =
      arguments->size() == 2 ? getValue(arguments->back()) : emit.createReal(isMean ? 1e-5 : 1e-6);
  Value square = emit.reduce(ReduceKind::Sum, emit.create<arith::MulFOp>(x, x), nullptr, axis);
  if (isMean) {
    Operand size = elaborateAxisSize({axis, expr.range});
    convertToReal(size);
    square = emit.create<arith::DivFOp>(square, getValue(size));
  }
  Value scale = emit.create<math::RsqrtOp>(emit.create<arith::AddFOp>(square, eps));
  return makeValue(emit.create<arith::MulFOp>(x, scale));
}

Operand Elaborator::callReduction(const CallExpr &expr) {
  const IndexSet *set = getOnlySet(expr, diagnostics);
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
  for (StringRef axis : range->axes)
    if (!isIndexAxis(axis) && !hasAxis(source.getType(), axis)) {
      error(Error::MissingAxis, expr.arguments.front()->range,
            "expected a value with axis '" + axis + "', found axes " +
                describeAxes(getAxes(source)));
      return {};
    }
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

/// One result per source. Names declared in the brackets stay declared: the results
/// live on their sets.
std::vector<Operand> Elaborator::callSoftmax(const CallExpr &expr) {
  if (expr.hasBrackets && expr.sets.size() != expr.arguments.size()) {
    error(Error::ArgumentCount, expr.range,
          "softmax has " + Twine(expr.sets.size()) + " index sets and " +
              Twine(expr.arguments.size()) + " arguments; it needs one argument per set")
        .hint("sets are separated by ';'; a term without a set is 'softmax[j; ](s[j], sink)'");
    return {};
  }
  std::vector<Range> ranges;
  for (const IndexSet &set : expr.sets) {
    std::optional<Range> range = elaborateRange(set, /*bind=*/false);
    if (!range)
      return {};
    ranges.push_back(std::move(*range));
  }
  std::optional<std::vector<Operand>> arguments =
      elaborateArguments(expr, 1, expr.hasBrackets ? expr.sets.size() : 1);
  if (!arguments)
    return {};
  SmallVector<Value> logits, masks;
  for (auto [operand, argument] : llvm::zip(*arguments, expr.arguments)) {
    if (!requireReal(operand, argument->range))
      return {};
    logits.push_back(getValue(operand));
  }
  if (!expr.hasBrackets) {
    std::optional<StringRef> only = getOnlyAxis(expr, logits.front(), diagnostics);
    if (!only)
      return {};
    ranges.push_back({{*only}, nullptr});
  }
  // The axes that no source reduces are common to all of them.
  llvm::SmallSetVector<StringRef, 4> common;
  for (auto [range, logit, argument] : llvm::zip(ranges, logits, expr.arguments)) {
    SmallVector<Value> parts = {logit};
    if (range.mask)
      parts.push_back(range.mask);
    for (StringRef axis : range.axes)
      if (!isIndexAxis(axis) && !hasAxis(logit.getType(), axis)) {
        error(Error::MissingAxis, argument->range,
              "expected a value with axis '" + axis + "', found axes " +
                  describeAxes(getAxes(logit)));
        return {};
      }
    for (StringRef axis : emit.joinAxes(parts))
      if (!llvm::is_contained(range.axes, axis))
        common.insert(axis);
  }
  for (auto [range, argument] : llvm::zip(ranges, expr.arguments))
    for (StringRef axis : range.axes)
      if (common.contains(axis)) {
        error(Error::LeftoverIndex, expr.range,
              "another source of this softmax depends on " + describeAxes(axis) +
                  ", which is summed over here");
        return {};
      }
  SmallVector<Attribute> lists;
  SmallVector<Type> types;
  for (auto [range, logit] : llvm::zip(ranges, logits)) {
    SmallVector<StringRef> sourceAxes(range.axes);
    llvm::append_range(sourceAxes, common);
    sourceAxes = putIndexAxesFirst(sourceAxes);
    Type type = emit.getType(emit.getReal(), sourceAxes);
    logit = emit.broadcast(logit, type);
    masks.push_back(emit.broadcast(range.mask ? range.mask : emit.createBool(true), type));
    lists.push_back(emit.builder.getStrArrayAttr(range.axes));
    types.push_back(type);
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
  const IndexSet *set = getOnlySet(expr, diagnostics);
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
  const IndexSet *set = getOnlySet(expr, diagnostics);
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

/// `block(i)` as a number.
Operand Elaborator::callBlock(const CallExpr &expr) {
  if (expr.arguments.size() != 1) {
    error(Error::ArgumentCount, expr.range,
          "'block' takes 1 argument, found " + Twine(expr.arguments.size()));
    return {};
  }
  Name axis;
  if (expr.hasBrackets) {
    const IndexSet *set = getOnlySet(expr, diagnostics);
    if (!set)
      return {};
    axis = set->binders.front().name;
  }
  return elaborateBlockNumber(*expr.arguments.front(), axis, expr.range);
}

/// `frozen(S)`: the state as it was at the start of the current block of positions.
Operand Elaborator::callFrozen(const CallExpr &expr) {
  auto *value = expr.arguments.size() == 1 ? llvm::dyn_cast<ValueExpr>(expr.arguments.front().get())
                                           : nullptr;
  auto it =
      value && value->indices.empty() ? frozenStates.find(value->name.text) : frozenStates.end();
  if (it != frozenStates.end())
    return makeValue(it->second);
  error(Error::NotFrozen, expr.range,
        "'frozen' takes a state that is updated by the loop around, which must have a 'by'")
      .hint("write 'for t in T by 16 { ... frozen(S) ... }'");
  return {};
}
