//===- ElaborateExpr.cpp - Operators, values and reads --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::dyn_cast;
using llvm::SMRange;
using llvm::Twine;

/// Bounds of what a spec can expand to: functions that call functions could make a
/// short text mean an endless program.
static constexpr unsigned kMaxElaborationDepth = 1200;
static constexpr unsigned kMaxElaborated = 100000;

Operand Elaborator::elaborate(const Expr &expr) {
  ++depth;
  auto leave = llvm::scope_exit([&] { --depth; });
  if (++numElaborated >= kMaxElaborated || depth > kMaxElaborationDepth) {
    if (numElaborated == kMaxElaborated || depth == kMaxElaborationDepth + 1)
      error(Error::TooLarge, expr.range, "this spec is too large when its functions are expanded");
    return {};
  }
  auto elaborateOne = [&]() -> Operand {
    switch (expr.kind) {
    case Expr::Number:
      return elaborateNumber(llvm::cast<NumberExpr>(expr));
    case Expr::Bool:
      return makeConstant(Operand::Bool, llvm::cast<BoolExpr>(expr).value);
    case Expr::Value:
      return elaborateValue(llvm::cast<ValueExpr>(expr));
    case Expr::Unary:
      return elaborateUnary(llvm::cast<UnaryExpr>(expr));
    case Expr::Binary:
      return elaborateBinary(llvm::cast<BinaryExpr>(expr));
    case Expr::If:
      return elaborateIf(llvm::cast<IfExpr>(expr));
    case Expr::Call:
      return elaborateCall(llvm::cast<CallExpr>(expr));
    }
    return {};
  };
  setLocation(expr.range);
  return elaborateOne();
}

Operand Elaborator::elaborateNumber(const NumberExpr &expr) {
  return makeConstant(expr.isInteger ? Operand::Int : Operand::Real, expr.value);
}

//===----------------------------------------------------------------------===//
// Values and reads
//===----------------------------------------------------------------------===//

Operand Elaborator::elaborateAxisSize(StringRef axis) {
  auto bound = options.sizes.find(axis);
  if (bound != options.sizes.end())
    return makeConstant(Operand::Int, bound->second);
  Operand size = makeValue(emit.createSize(axis));
  size.linear = getSizeTerm(axis);
  return size;
}

Operand Elaborator::elaborateValue(const ValueExpr &expr) {
  Symbol *symbol = lookup(expr.name.text);
  if (!symbol) {
    AxisInfo *axis = findAxis(expr.name.text);
    if (axis && expr.indices.empty())
      return elaborateAxisSize(axis->name);
    reportUnknownValue(expr.name);
    return {};
  }
  if (symbol->isBroken)
    return {};
  if (symbol->kind == Symbol::Output && !symbol->isAssigned) {
    error(Error::ReadBeforeAssignment, expr.range,
          "output '" + expr.name.text + "' has no value yet")
        .hint("to carry a value to later positions, declare a state");
    return {};
  }
  if (symbol->loop || !symbol->indices.empty())
    return readLet(expr, *symbol);
  if (expr.indices.empty())
    return symbol->operand;
  if (symbol->operand.constant || symbol->kind == Symbol::IndexName) {
    error(Error::IndexCount, expr.range, "'" + expr.name.text + "' is one number and has no index");
    return {};
  }
  return readTensor(expr, symbol->operand.value);
}

/// The positions in brackets; nothing if any of them had an error.
std::optional<std::vector<Operand>> Elaborator::elaborateIndices(const ValueExpr &expr) {
  std::vector<Operand> positions;
  bool ok = true;
  for (const ExprPtr &index : expr.indices) {
    Operand position = elaborate(*index);
    ok &= requireInteger(position, index->range, "a position");
    positions.push_back(std::move(position));
  }
  if (!ok)
    return std::nullopt;
  return positions;
}

/// The spaces of the index variables that a position is made of.
static SmallVector<StringRef> findSpaces(const Linear &position) {
  SmallVector<StringRef> spaces;
  for (const auto &[term, coefficient] : position.terms)
    if (isIndexAxis(term) && !StringRef(term).contains('(') &&
        !llvm::is_contained(spaces, getSpace(term)))
      spaces.push_back(getSpace(term));
  return spaces;
}

/// Reads a tensor by name: a position goes to the axis that an index variable in it walks,
/// and if the tensor has no such axis, or several, to the first one that is free.
Operand Elaborator::readTensor(const ValueExpr &expr, Value source) {
  std::optional<std::vector<Operand>> positions = elaborateIndices(expr);
  if (!positions)
    return {};
  SmallVector<StringRef> sourceAxes = getAxes(source);
  if (positions->size() > sourceAxes.size()) {
    error(Error::IndexCount, expr.range,
          "'" + expr.name.text + "' has " + Twine(sourceAxes.size()) + " axes " +
              describeAxes(sourceAxes) + ", found " + Twine(positions->size()) + " positions");
    return {};
  }
  SmallVector<StringRef> indexed(positions->size());
  for (auto [position, axis] : llvm::zip(*positions, indexed)) {
    if (!position.linear)
      continue;
    SmallVector<StringRef> walked = findSpaces(*position.linear);
    llvm::erase_if(walked, [&](StringRef space) {
      return !llvm::is_contained(sourceAxes, space) || llvm::is_contained(indexed, space);
    });
    if (walked.size() == 1)
      axis = walked.front();
  }
  SmallVector<Value> values;
  for (auto [position, axis, index] : llvm::zip(*positions, indexed, expr.indices)) {
    if (axis.empty())
      axis =
          *llvm::find_if(sourceAxes, [&](StringRef a) { return !llvm::is_contained(indexed, a); });
    checkBounds(expr, index->range, position, axis);
    values.push_back(getValue(position));
  }
  setLocation(expr.range);
  return makeValue(emit.read(source, indexed, values));
}

/// Refuses a position computed from index variables that may leave the axis. What
/// data says (`table[bucket[t]]`) cannot be checked, nor whether an axis is as long as
/// another one: such reads give 0 beyond the end.
void Elaborator::checkBounds(const ValueExpr &expr, SMRange range, const Operand &position,
                             StringRef axis) {
  if (!position.linear)
    return;
  const Linear &form = *position.linear;
  auto refuse = [&](const Twine &message, const Twine &guard) {
    error(Error::OutOfRange, range, message)
        .hint("guard the read: '" + guard + "', or with 'where'");
  };
  StringRef text(range.Start.getPointer(), range.End.getPointer() - range.Start.getPointer());
  StringRef read(expr.range.Start.getPointer(),
                 expr.range.End.getPointer() - expr.range.Start.getPointer());
  if (!isNonNegative(form)) {
    refuse("position '" + text + "' of '" + expr.name.text + "' can be negative",
           "if " + text + " >= 0 then " + read + " else 0");
    return;
  }
  SmallVector<StringRef> spaces = findSpaces(form);
  bool isWalked = spaces.size() == 1 && spaces.front() == axis;
  bool sameSpace = isWalked || options.sizes.contains(axis);
  if (sameSpace && !isNonNegative(getSizeTerm(axis) - form + -1))
    refuse("position '" + text + "' of '" + expr.name.text + "' can go beyond the end of axis '" +
               axis + "'",
           "if " + text + " < " + axis + " then " + read + " else 0");
}

/// Reads a value that is defined per position of the loop we are in, or per member
/// of index sets.
Operand Elaborator::readLet(const ValueExpr &expr, Symbol &symbol) {
  StringRef name = symbol.name.text;
  size_t expected = symbol.loop ? 1 : symbol.indices.size();
  if (expr.indices.size() != expected) {
    StringRef example = symbol.loop ? symbol.loop->name.text : symbol.indices.front()->name.text;
    error(Error::IndexCount, expr.range,
          "'" + name + "' has " + Twine(expected) + (expected == 1 ? " index" : " indices") +
              ", found " + Twine(expr.indices.size()))
        .note(symbol.name.range, "it is defined here")
        .hint("write '" + name + "[" + example + "]'");
    return {};
  }
  std::optional<std::vector<Operand>> positions = elaborateIndices(expr);
  if (!positions)
    return {};
  if (symbol.loop) {
    if (positions->front().value == symbol.loop->position)
      return symbol.operand;
    error(Error::OutOfLoop, expr.range,
          "this loop defines '" + name + "' one position at a time; here only '" + name + "[" +
              symbol.loop->name.text + "]' can be read")
        .hint("to carry a value to later positions, declare a state");
    return {};
  }
  // At its own indices the value is at hand; elsewhere it is read, as 0 outside its set.
  SmallVector<StringRef> readAxes;
  SmallVector<Value> readPositions;
  Value mask;
  for (auto [index, position, indexExpr] : llvm::zip(symbol.indices, *positions, expr.indices)) {
    if (position.value == index->position)
      continue;
    if (!index->mask)
      checkBounds(expr, indexExpr->range, position, index->space);
    readAxes.push_back(index->axis);
    readPositions.push_back(getValue(position));
    mask = emit.conjoin(mask, index->mask);
  }
  if (readAxes.empty())
    return symbol.operand;
  Value source = getValue(symbol.operand);
  if (mask && symbol.operand.element == Operand::Bool)
    source = emit.conjoin(source, mask);
  else if (mask)
    source = emit.select(mask, source,
                         symbol.operand.element == Operand::Int ? emit.createInteger(0)
                                                                : emit.createReal(0));
  setLocation(expr.range);
  return makeValue(emit.read(source, readAxes, readPositions));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

Operand Elaborator::elaborateUnary(const UnaryExpr &expr) {
  Operand operand = elaborate(*expr.operand);
  setLocation(expr.range);
  if (expr.op == "not") {
    if (!requireBool(operand, expr.operand->range))
      return {};
    if (operand.constant)
      return makeConstant(Operand::Bool, !*operand.constant);
    Operand result = makeValue(emit.create<arith::XOrIOp>(operand.value, emit.createBool(true)));
    result.facts = operand.otherwise;
    result.otherwise = operand.facts;
    return result;
  }
  if (!requireNumber(operand, expr.operand->range))
    return {};
  if (operand.constant)
    return makeConstant(operand.element, -*operand.constant);
  if (operand.element == Operand::Real)
    return makeValue(emit.create<arith::NegFOp>(operand.value));
  Operand result = makeValue(emit.create<arith::SubIOp>(emit.createInteger(0), operand.value));
  if (operand.linear)
    result.linear = operand.linear->scaled(-1);
  return result;
}

Operand Elaborator::elaborateBinary(const BinaryExpr &expr) {
  if (expr.op == "and" || expr.op == "or")
    return elaborateLogic(expr);
  Operand lhs = elaborate(*expr.lhs);
  Operand rhs = elaborate(*expr.rhs);
  bool ok = requireNumber(lhs, expr.lhs->range);
  ok &= requireNumber(rhs, expr.rhs->range);
  if (!ok)
    return {};
  setLocation(expr.range);
  if (expr.op == "div" || expr.op == "mod")
    return elaborateIntegerDivision(expr, std::move(lhs), std::move(rhs));
  if (expr.op == "/" || expr.op == "^" || lhs.element != rhs.element) {
    if (expr.op == "^")
      return elaboratePower(expr, std::move(lhs), std::move(rhs));
    convertToReal(lhs);
    convertToReal(rhs);
  }
  if (expr.op == "+" || expr.op == "-" || expr.op == "*" || expr.op == "/")
    return elaborateArithmetic(expr, std::move(lhs), std::move(rhs));
  return elaborateComparison(expr, std::move(lhs), std::move(rhs));
}

static double fold(StringRef op, double lhs, double rhs) {
  switch (op.front()) {
  case '+':
    return lhs + rhs;
  case '-':
    return lhs - rhs;
  case '*':
    return lhs * rhs;
  default:
    return lhs / rhs;
  }
}

/// The sum, difference or product of two linear forms, where it is linear.
static std::optional<Linear> combine(StringRef op, const Operand &lhs, const Operand &rhs) {
  if (!lhs.linear || !rhs.linear)
    return std::nullopt;
  if (op == "+")
    return *lhs.linear + *rhs.linear;
  if (op == "-")
    return *lhs.linear - *rhs.linear;
  if (op == "*" && lhs.constant)
    return rhs.linear->scaled(*lhs.constant);
  if (op == "*" && rhs.constant)
    return lhs.linear->scaled(*rhs.constant);
  return std::nullopt;
}

/// Both operands have the same kind.
Operand Elaborator::elaborateArithmetic(const BinaryExpr &expr, Operand lhs, Operand rhs) {
  StringRef op = expr.op;
  if (lhs.constant && rhs.constant) {
    double value = fold(op, *lhs.constant, *rhs.constant);
    if (lhs.element == Operand::Int && std::fabs(value) >= kIntegerLimit) {
      error(Error::BadNumber, expr.range, "an integer must stay below 2^53");
      return {};
    }
    return makeConstant(lhs.element, value);
  }
  Value a = getValue(lhs), b = getValue(rhs);
  if (lhs.element == Operand::Real)
    return makeValue(op == "+"   ? emit.create<arith::AddFOp>(a, b)
                     : op == "-" ? emit.create<arith::SubFOp>(a, b)
                     : op == "*" ? emit.create<arith::MulFOp>(a, b)
                                 : emit.create<arith::DivFOp>(a, b));
  Operand result = makeValue(op == "+"   ? emit.create<arith::AddIOp>(a, b)
                             : op == "-" ? emit.create<arith::SubIOp>(a, b)
                                         : emit.create<arith::MulIOp>(a, b));
  result.linear = combine(op, lhs, rhs);
  return result;
}

/// `a div n` rounds down and `a mod n` has the sign of n, for a constant n > 0.
Operand Elaborator::elaborateIntegerDivision(const BinaryExpr &expr, Operand lhs, Operand rhs) {
  if (!requireInteger(lhs, expr.lhs->range, ("the left side of '" + expr.op + "'").str()))
    return {};
  std::optional<int64_t> divisor =
      requirePositiveConstant(rhs, expr.rhs->range, ("the right side of '" + expr.op + "'").str());
  if (!divisor)
    return {};
  bool isDiv = expr.op == "div";
  if (lhs.constant) {
    double quotient = std::floor(*lhs.constant / *divisor);
    return makeConstant(Operand::Int, isDiv ? quotient : *lhs.constant - quotient * *divisor);
  }
  Value quotient = emit.create<arith::FloorDivSIOp>(lhs.value, getValue(rhs));
  std::optional<Linear> linear;
  if (lhs.linear)
    linear = terms.floorDivide(*lhs.linear, *divisor);
  Operand result =
      makeValue(isDiv ? quotient
                      : emit.create<arith::SubIOp>(
                            lhs.value, emit.create<arith::MulIOp>(quotient, getValue(rhs))));
  if (linear)
    result.linear = isDiv ? *linear : *lhs.linear - linear->scaled(*divisor);
  return result;
}

/// A small whole power is a product, so that it has no rounding and no sign problem of
/// its own; any other power is real.
Operand Elaborator::elaboratePower(const BinaryExpr &expr, Operand base, Operand exponent) {
  constexpr double kMaxProduct = 8;
  convertToReal(base);
  if (base.constant && exponent.constant)
    return makeConstant(Operand::Real, std::pow(*base.constant, *exponent.constant));
  if (exponent.element == Operand::Int && exponent.constant && *exponent.constant >= 1 &&
      *exponent.constant <= kMaxProduct) {
    Value product = base.value;
    for (int n = 1; n < *exponent.constant; ++n)
      product = emit.create<arith::MulFOp>(product, base.value);
    return makeValue(product);
  }
  convertToReal(exponent);
  return makeValue(emit.create<math::PowFOp>(getValue(base), getValue(exponent)));
}

namespace {
struct Comparison {
  StringRef op;
  arith::CmpIPredicate ofIntegers;
  arith::CmpFPredicate ofReals;
};
} // namespace

static const Comparison &findComparison(StringRef op) {
  static const Comparison comparisons[] = {
      {"<", arith::CmpIPredicate::slt, arith::CmpFPredicate::OLT},
      {"<=", arith::CmpIPredicate::sle, arith::CmpFPredicate::OLE},
      {">", arith::CmpIPredicate::sgt, arith::CmpFPredicate::OGT},
      {">=", arith::CmpIPredicate::sge, arith::CmpFPredicate::OGE},
      {"==", arith::CmpIPredicate::eq, arith::CmpFPredicate::OEQ},
      {"!=", arith::CmpIPredicate::ne, arith::CmpFPredicate::UNE},
  };
  return *llvm::find_if(comparisons, [&](const Comparison &c) { return c.op == op; });
}

static bool foldComparison(StringRef op, double lhs, double rhs) {
  if (op == "==")
    return lhs == rhs;
  if (op == "!=")
    return lhs != rhs;
  if (op.front() == '<')
    return op == "<" ? lhs < rhs : lhs <= rhs;
  return op == ">" ? lhs > rhs : lhs >= rhs;
}

/// What `lhs op rhs` says about integers, as forms that are >= 0.
static std::vector<Linear> getFacts(StringRef op, const Linear &lhs, const Linear &rhs) {
  if (op == "<=")
    return {rhs - lhs};
  if (op == "<")
    return {rhs - lhs + -1};
  if (op == ">=")
    return {lhs - rhs};
  if (op == ">")
    return {lhs - rhs + -1};
  if (op == "==")
    return {lhs - rhs, rhs - lhs};
  return {};
}

static StringRef negate(StringRef op) {
  return op == "<"    ? ">="
         : op == "<=" ? ">"
         : op == ">"  ? "<="
         : op == ">=" ? "<"
         : op == "==" ? "!="
                      : "==";
}

/// Both operands have the same kind.
Operand Elaborator::elaborateComparison(const BinaryExpr &expr, Operand lhs, Operand rhs) {
  if (lhs.constant && rhs.constant)
    return makeConstant(Operand::Bool, foldComparison(expr.op, *lhs.constant, *rhs.constant));
  const Comparison &comparison = findComparison(expr.op);
  Value a = getValue(lhs), b = getValue(rhs);
  Operand result = makeValue(lhs.element == Operand::Int
                                 ? emit.compare<arith::CmpIOp>(comparison.ofIntegers, a, b)
                                 : emit.compare<arith::CmpFOp>(comparison.ofReals, a, b));
  if (lhs.linear && rhs.linear) {
    result.facts = getFacts(expr.op, *lhs.linear, *rhs.linear);
    result.otherwise = getFacts(negate(expr.op), *lhs.linear, *rhs.linear);
  }
  return result;
}

Operand Elaborator::elaborateLogic(const BinaryExpr &expr) {
  bool isAnd = expr.op == "and";
  Operand lhs = elaborate(*expr.lhs);
  bool ok = requireBool(lhs, expr.lhs->range);
  // The right side matters only where the left side has not decided.
  pushScope();
  addFacts(isAnd ? lhs.facts : lhs.otherwise);
  Operand rhs = elaborate(*expr.rhs);
  ok &= requireBool(rhs, expr.rhs->range);
  popScope();
  if (!ok)
    return {};
  setLocation(expr.range);
  for (auto [one, other] : {std::pair(&lhs, &rhs), std::pair(&rhs, &lhs)})
    if (one->constant)
      return (*one->constant != 0) == isAnd ? *other : *one;
  Operand result = makeValue(isAnd ? emit.create<arith::AndIOp>(lhs.value, rhs.value)
                                   : emit.create<arith::OrIOp>(lhs.value, rhs.value));
  std::vector<Linear> &known = isAnd ? result.facts : result.otherwise;
  for (const Operand *side : {&lhs, &rhs})
    llvm::append_range(known, isAnd ? side->facts : side->otherwise);
  return result;
}

Operand Elaborator::elaborateIf(const IfExpr &expr) {
  Operand condition = elaborate(*expr.condition);
  bool ok = requireBool(condition, expr.condition->range);
  auto elaborateBranch = [&](const Expr &branch, ArrayRef<Linear> facts) {
    pushScope();
    addFacts(facts);
    Operand operand = elaborate(branch);
    popScope();
    return operand;
  };
  Operand ifTrue = elaborateBranch(*expr.thenExpr, condition.facts);
  Operand ifFalse = elaborateBranch(*expr.elseExpr, condition.otherwise);
  if (!ok || !ifTrue.isValid() || !ifFalse.isValid())
    return {};
  if (ifTrue.isNumber() != ifFalse.isNumber()) {
    error(Error::KindMismatch, expr.range,
          "one side of this 'if' is a number and the other one is a condition");
    return {};
  }
  setLocation(expr.range);
  if (ifTrue.element != ifFalse.element) {
    convertToReal(ifTrue);
    convertToReal(ifFalse);
  }
  if (condition.constant)
    return *condition.constant != 0 ? ifTrue : ifFalse;
  return makeValue(emit.select(condition.value, getValue(ifTrue), getValue(ifFalse)));
}
