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
  if (findMixer(name)) {
    error(Error::MixerCall, expr.range,
          "a mixer is called by a 'let' outside of loops, not inside of an expression")
        .hint("write 'let x = " + name + "(...)' and then use x");
    return {};
  }
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
  if (!expr.named.empty()) {
    error(Error::ArgumentCount, expr.named.front().name.range,
          "arguments of '" + expr.callee.text + "' have no names");
    return std::nullopt;
  }
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
  if (name == "abs")
    return makeValue(operand.element == Operand::Real ? emit.create<math::AbsFOp>(operand.value)
                                                      : emit.create<math::AbsIOp>(operand.value));
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
  size_t callerBase = frame.scopeBase;
  frame.scopeBase = scopes.size();
  pushScope();
  callStack.push_back(&function);
  for (auto [parameter, argument] : llvm::zip(function.parameters, *arguments))
    if (checkFresh(parameter))
      declare(Symbol::Parameter, parameter, scopes.back())->operand = std::move(argument);
  Operand result = elaborate(*function.body);
  callStack.pop_back();
  scopes.pop_back();
  frame.scopeBase = callerBase;
  return result;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// `block(i)` as a number.
Operand Elaborator::callBlock(const CallExpr &expr) {
  if (expr.arguments.size() != 1) {
    error(Error::ArgumentCount, expr.range,
          "'block' takes 1 argument, found " + Twine(expr.arguments.size()));
    return {};
  }
  Name axis;
  if (expr.hasBrackets) {
    const IndexSet *set = getOnlySet(expr);
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
