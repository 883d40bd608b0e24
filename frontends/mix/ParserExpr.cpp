//===- ParserExpr.cpp - Parsing expressions -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/ParserImpl.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <limits>

using namespace mix::frontend;
using llvm::SMRange;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

ExprPtr Parser::parseExpr() {
  Nesting nesting(*this);
  if (!nesting)
    return nullptr;
  return token.is("if") ? parseIf() : parseBinary(0);
}

ExprPtr Parser::parseIf() {
  SMRange start = token.getRange();
  advance();
  ExprPtr condition, thenExpr, elseExpr;
  if (!(condition = parseExpr()) || !expect("then", "and the value if the condition holds") ||
      !(thenExpr = parseExpr()) ||
      !expect("else", "and the value if the condition does not hold") || !(elseExpr = parseExpr()))
    return nullptr;
  return std::make_unique<IfExpr>(rangeFrom(start), std::move(condition), std::move(thenExpr),
                                  std::move(elseExpr));
}

/// The left-associative operators, loosest first. Between `and` and `+` stand
/// `not` and the comparisons, which do not associate.
static bool isOperator(const Token &token, unsigned level) {
  switch (level) {
  case 0:
    return token.is("or");
  case 1:
    return token.is("and");
  case 2:
    return token.is("+") || token.is("-");
  default:
    return token.is("*") || token.is("/") || token.is("div") || token.is("mod");
  }
}

ExprPtr Parser::parseBinary(unsigned level) {
  auto parseOperand = [&]() -> ExprPtr {
    if (level == 1)
      return parseNot();
    return level == 3 ? parseUnary() : parseBinary(level + 1);
  };
  SMRange start = token.getRange();
  ExprPtr lhs = parseOperand();
  while (lhs && isOperator(token, level)) {
    if (lhs->height > kMaxDepth)
      return failTooDeep();
    StringRef op = token.text;
    advance();
    ExprPtr rhs = parseOperand();
    if (!rhs)
      return nullptr;
    lhs = std::make_unique<BinaryExpr>(rangeFrom(start), op, std::move(lhs), std::move(rhs));
  }
  return lhs;
}

ExprPtr Parser::parseNot() {
  if (!token.is("not"))
    return parseComparison();
  Nesting nesting(*this);
  if (!nesting)
    return nullptr;
  SMRange start = token.getRange();
  advance();
  ExprPtr operand = parseNot();
  if (!operand)
    return nullptr;
  return std::make_unique<UnaryExpr>(rangeFrom(start), "not", std::move(operand));
}

static bool isComparison(const Token &token) {
  return token.is("<") || token.is("<=") || token.is(">") || token.is(">=") || token.is("==") ||
         token.is("!=");
}

ExprPtr Parser::parseComparison() {
  SMRange start = token.getRange();
  ExprPtr lhs = parseBinary(2);
  if (!lhs || !isComparison(token))
    return lhs;
  StringRef op = token.text;
  advance();
  ExprPtr rhs = parseBinary(2);
  if (!rhs)
    return nullptr;
  if (isComparison(token)) {
    diagnostics.report(Error::ChainedComparison, token.getRange(), "comparisons do not chain")
        .hint("write 'a <= b and b < c'");
    return nullptr;
  }
  return std::make_unique<BinaryExpr>(rangeFrom(start), op, std::move(lhs), std::move(rhs));
}

ExprPtr Parser::parseUnary() {
  Nesting nesting(*this);
  if (!nesting)
    return nullptr;
  if (!token.is("-"))
    return parsePower();
  SMRange start = token.getRange();
  advance();
  ExprPtr operand = parseUnary();
  if (!operand)
    return nullptr;
  return std::make_unique<UnaryExpr>(rangeFrom(start), "-", std::move(operand));
}

ExprPtr Parser::parsePower() {
  SMRange start = token.getRange();
  ExprPtr base = parsePrimary();
  if (!base || !consume("^"))
    return base;
  ExprPtr exponent = parseUnary();
  if (!exponent)
    return nullptr;
  return std::make_unique<BinaryExpr>(rangeFrom(start), "^", std::move(base), std::move(exponent));
}

ExprPtr Parser::parsePrimary() {
  SMRange range = token.getRange();
  if (token.kind == Token::Integer || token.kind == Token::Real)
    return parseNumber();
  if (consume("inf"))
    return std::make_unique<NumberExpr>(range, std::numeric_limits<double>::infinity(), false);
  if (consume("true"))
    return std::make_unique<BoolExpr>(range, true);
  if (consume("false"))
    return std::make_unique<BoolExpr>(range, false);
  if (consume("(")) {
    ExprPtr inner = parseExpr();
    if (!inner || !expect(")", "after this expression"))
      return nullptr;
    return inner;
  }
  if (token.kind == Token::Name && !isKeyword(token.text))
    return parseNamed();
  return fail("an expression");
}

ExprPtr Parser::parseNumber() {
  Token number = token;
  advance();
  double value = 0;
  bool isInteger = number.kind == Token::Integer;
  // The text is a valid number, but may be out of range.
  if (number.text.getAsDouble(value, /*AllowInexact=*/true) || !std::isfinite(value) ||
      (isInteger && value >= kIntegerLimit)) {
    diagnostics
        .report(Error::BadNumber, number.getRange(),
                isInteger ? "an integer must stay below 2^53" : "this number is too large")
        .hint("infinity is written 'inf'");
    return nullptr;
  }
  return std::make_unique<NumberExpr>(number.getRange(), value, isInteger);
}

ExprPtr Parser::parseNamed() {
  Name name{token.text, token.getRange()};
  advance();
  std::vector<Group> groups;
  bool hasBrackets = consume("[");
  if (hasBrackets) {
    do {
      if (!parseGroup(groups.emplace_back()))
        return nullptr;
    } while (consume(";"));
    if (!expect("]", "after the indices"))
      return nullptr;
  }
  if (!consume("(")) {
    std::vector<ExprPtr> positions;
    if (!toPositions(groups, positions))
      return nullptr;
    return std::make_unique<ValueExpr>(rangeFrom(name.range), name, std::move(positions));
  }
  std::vector<IndexSet> sets;
  for (Group &group : groups)
    if (!toIndexSet(group, sets.emplace_back()))
      return nullptr;
  std::vector<ExprPtr> arguments;
  std::vector<NamedArgument> named;
  if (!parseList(")", [&] { return parseCallArgument(arguments, named); }))
    return nullptr;
  return std::make_unique<CallExpr>(rangeFrom(name.range), name, hasBrackets, std::move(sets),
                                    std::move(arguments), std::move(named));
}

/// `x`, or `scale = x` behind all those without a name.
bool Parser::parseCallArgument(std::vector<ExprPtr> &arguments, std::vector<NamedArgument> &named) {
  ExprPtr value = parseExpr();
  if (!value)
    return false;
  auto *plain = llvm::dyn_cast<ValueExpr>(value.get());
  if (plain && plain->indices.empty() && consume("=")) {
    Name name = plain->name;
    if (!(value = parseExpr()))
      return false;
    named.push_back({name, std::move(value)});
    return true;
  }
  if (!named.empty()) {
    diagnostics.report(Error::Syntax, value->range,
                       "an argument without a name stands before those with one");
    return false;
  }
  arguments.push_back(std::move(value));
  return true;
}

//===----------------------------------------------------------------------===//
// Brackets
//===----------------------------------------------------------------------===//

bool Parser::parseGroup(Group &group) {
  SMRange start = token.getRange();
  if (!token.is("]") && !token.is(";")) {
    do {
      if (!parseElement(group.elements.emplace_back()))
        return false;
    } while (consume(","));
  }
  if (consume("where") && !(group.where = parseExpr()))
    return false;
  group.range = group.elements.empty() ? start : rangeFrom(start);
  return true;
}

bool Parser::parseElement(Element &element) {
  SMRange start = token.getRange();
  element.expr = parseExpr();
  if (!element.expr)
    return false;
  auto *value = llvm::dyn_cast<ValueExpr>(element.expr.get());
  if (!token.is("in") || !value || !value->indices.empty())
    return true;
  advance();
  element.binder.name = value->name;
  element.expr = nullptr;
  if (!parseSet(element.binder))
    return false;
  element.binder.range = rangeFrom(start);
  return true;
}

/// What follows `in`: `T`, `block(b)`, `block[B](b)`.
bool Parser::parseSet(Binder &binder) {
  if (!parseName(binder.set, "the name of an axis, or block(...)"))
    return false;
  if (consume("[") &&
      (!parseName(binder.blockAxis, "the name of a block axis") || !expect("]", "after the axis")))
    return false;
  if (consume("(") &&
      (!(binder.blockIndex = parseExpr()) || !expect(")", "after the block's number")))
    return false;
  return true;
}

bool Parser::toIndexSet(Group &group, IndexSet &set) {
  for (Element &element : group.elements) {
    if (element.expr) {
      auto *value = llvm::dyn_cast<ValueExpr>(element.expr.get());
      if (!value || !value->indices.empty()) {
        diagnostics
            .report(Error::Syntax, element.expr->range, "expected the name of an index or an axis")
            .hint("positions such as [t - 1] can be read, but not defined or reduced over");
        return false;
      }
      element.binder.name = value->name;
      element.binder.range = value->range;
    }
    set.binders.push_back(std::move(element.binder));
  }
  set.where = std::move(group.where);
  set.range = group.range;
  return true;
}

bool Parser::toPositions(std::vector<Group> &groups, std::vector<ExprPtr> &positions) {
  for (Group &group : groups) {
    bool isPlain = !group.where && groups.size() == 1 &&
                   llvm::all_of(group.elements, [](Element &e) { return e.expr != nullptr; });
    if (!isPlain || group.elements.empty()) {
      diagnostics.report(Error::Syntax, group.range, "expected positions between '[' and ']'")
          .hint("an index set belongs to a reduction, 'sum[j in T](x[j])', or to a 'let'");
      return false;
    }
    for (Element &element : group.elements)
      positions.push_back(std::move(element.expr));
  }
  return true;
}
