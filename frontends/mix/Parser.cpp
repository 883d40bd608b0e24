//===- Parser.cpp - From text to syntax tree ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recursive descent, one function per rule of the grammar (docs/language.md). A
// function returns null (or false) after it has reported an error; statements and
// declarations are where parsing resumes.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Parser.h"
#include "frontends/mix/Lexer.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <limits>

using namespace mix::frontend;
using llvm::SMRange;
using llvm::StringRef;
using llvm::Twine;

namespace {

/// How deeply expressions may nest, and how high a tree may grow by operators that
/// follow one another: trees are walked recursively, this bounds the stack.
constexpr unsigned kMaxDepth = 400;

class Parser {
public:
  Parser(StringRef text, Diagnostics &diagnostics)
      : lexer(text, diagnostics), diagnostics(diagnostics) {
    advance();
  }

  File parseFile();

private:
  // Tokens.
  void advance();
  bool consume(StringRef spelling);
  bool expect(StringRef spelling, const Twine &context);
  std::nullptr_t fail(const Twine &expected);
  SMRange rangeFrom(SMRange start) const { return {start.Start, previousEnd}; }
  bool parseName(Name &name, StringRef what);

  // Declarations.
  bool parseImport(File &file);
  bool parseFunction(File &file);
  bool parseMixer(File &file);
  bool parseArgument(Argument &argument);
  bool parseOutput(Output &output);
  bool parseAxes(std::vector<Name> &axes);
  void skipToDeclaration();

  // Statements.
  bool parseBlock(Statements &statements);
  StatementPtr parseStatement();
  StatementPtr parseAxis();
  StatementPtr parseState();
  StatementPtr parseLet();
  StatementPtr parseAssign();
  StatementPtr parseFor();
  bool parseTarget(Target &target);
  void skipToStatement();

  // Expressions, loosest binding first.
  ExprPtr parseExpr();
  ExprPtr parseIf();
  ExprPtr parseBinary(unsigned level);
  ExprPtr parseNot();
  ExprPtr parseComparison();
  ExprPtr parseUnary();
  ExprPtr parsePower();
  ExprPtr parsePrimary();
  ExprPtr parseNumber();
  ExprPtr parseNamed();

  // Brackets: whether they hold index sets or positions is known only when a `(`
  // follows, so both are parsed into elements first.
  struct Element {
    ExprPtr expr;  // `j`, `t - 1`; null when there is a set
    Binder binder; // `j in T`
  };
  struct Group {
    std::vector<Element> elements;
    ExprPtr where;
    llvm::SMRange range;
  };
  bool parseGroup(Group &group);
  bool parseElement(Element &element);
  bool parseSet(Binder &binder);
  bool toIndexSet(Group &group, IndexSet &set);
  bool toPositions(std::vector<Group> &groups, std::vector<ExprPtr> &positions);

  /// Parses `element {"," element} close`; the opening bracket is consumed.
  template <typename ParseOne> bool parseList(StringRef close, ParseOne parseOne);

  /// One level of nesting while it lives. False, after an error, if that is too much.
  class Nesting {
  public:
    explicit Nesting(Parser &parser) : parser(parser), ok(++parser.depth <= kMaxDepth) {
      if (!ok)
        parser.failTooDeep();
    }
    ~Nesting() { --parser.depth; }
    explicit operator bool() const { return ok; }

  private:
    Parser &parser;
    bool ok;
  };
  std::nullptr_t failTooDeep();

  Lexer lexer;
  Diagnostics &diagnostics;
  Token token;
  llvm::SMLoc previousEnd;
  unsigned depth = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

void Parser::advance() {
  previousEnd = token.kind == Token::End ? previousEnd : token.getRange().End;
  token = lexer.next();
}

bool Parser::consume(StringRef spelling) {
  if (!token.is(spelling))
    return false;
  advance();
  return true;
}

/// Reports what was expected at the current token and what stands there.
std::nullptr_t Parser::fail(const Twine &expected) {
  if (token.kind == Token::Invalid)
    return nullptr;
  std::string found = token.kind == Token::End ? std::string("the end of the file")
                                               : "'" + token.text.take_front(40).str() + "'";
  // What is missing at the end of a line belongs there, not to the line below.
  SMRange range = token.getRange();
  if (token.startsLine && previousEnd.isValid()) {
    range = {previousEnd, previousEnd};
    found += token.kind == Token::End ? "" : " on the next line";
  }
  diagnostics.report(Error::Syntax, range, "expected " + expected + ", found " + found);
  return nullptr;
}

std::nullptr_t Parser::failTooDeep() {
  diagnostics
      .report(Error::TooDeep, token.getRange(),
              "this is nested too deeply (more than " + Twine(kMaxDepth) + " levels)")
      .hint("name parts of it with 'let'");
  return nullptr;
}

bool Parser::expect(StringRef spelling, const Twine &context) {
  if (consume(spelling))
    return true;
  fail("'" + spelling + "' " + context);
  return false;
}

bool Parser::parseName(Name &name, StringRef what) {
  if (token.kind != Token::Name) {
    fail(what);
    return false;
  }
  if (isKeyword(token.text)) {
    diagnostics.report(Error::Syntax, token.getRange(),
                       "expected " + what + ", found '" + token.text +
                           "', which is a word of the language");
    return false;
  }
  name = {token.text, token.getRange()};
  advance();
  return true;
}

template <typename ParseOne> bool Parser::parseList(StringRef close, ParseOne parseOne) {
  if (consume(close))
    return true;
  do {
    if (!parseOne())
      return false;
  } while (consume(","));
  return expect(close, "or ',' in this list");
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

File Parser::parseFile() {
  File file;
  while (token.kind != Token::End) {
    bool ok = token.is("import")  ? parseImport(file)
              : token.is("fn")    ? parseFunction(file)
              : token.is("mixer") ? parseMixer(file)
                                  : (fail("'mixer', 'fn' or 'import'"), false);
    if (!ok)
      skipToDeclaration();
  }
  return file;
}

void Parser::skipToDeclaration() {
  do
    advance();
  while (token.kind != Token::End &&
         !(token.startsLine && (token.is("import") || token.is("fn") || token.is("mixer"))));
}

bool Parser::parseImport(File &file) {
  advance();
  if (token.kind != Token::String) {
    fail("the name of a file in double quotes");
    return false;
  }
  file.imports.push_back({token.text.trim('"'), token.getRange()});
  advance();
  return true;
}

bool Parser::parseFunction(File &file) {
  advance();
  Function function;
  if (!parseName(function.name, "the name of the function") ||
      !expect("(", "and the parameters of the function"))
    return false;
  auto parseParameter = [&] {
    return parseName(function.parameters.emplace_back(), "the name of a parameter");
  };
  if (!parseList(")", parseParameter) || !expect("=", "and the body of the function"))
    return false;
  function.body = parseExpr();
  if (!function.body)
    return false;
  file.functions.push_back(std::move(function));
  return true;
}

bool Parser::parseMixer(File &file) {
  advance();
  Mixer mixer;
  if (!parseName(mixer.name, "the name of the mixer") ||
      !expect("(", "and the arguments of the mixer"))
    return false;
  if (!parseList(")", [&] { return parseArgument(mixer.arguments.emplace_back()); }) ||
      !expect("->", "and the outputs of the mixer") ||
      !expect("(", "and the outputs of the mixer") ||
      !parseList(")", [&] { return parseOutput(mixer.outputs.emplace_back()); }))
    return false;
  bool ok = parseBlock(mixer.body);
  file.mixers.push_back(std::move(mixer));
  return ok;
}

bool Parser::parseArgument(Argument &argument) {
  if (!parseName(argument.name, "the name of an argument"))
    return false;
  if (consume(":")) {
    argument.isParam = consume("param");
    argument.isInteger = consume("int");
    bool isReal = !argument.isInteger && consume("real");
    if (consume("[")) {
      argument.isTensor = true;
      if (!parseAxes(argument.axes))
        return false;
    } else if (argument.isParam || (!argument.isInteger && !isReal)) {
      fail("'[' and the axes of '" + argument.name.text + "'");
      return false;
    }
  } else if (!token.is("=")) {
    fail("':' and a type, or '=' and a default value, after '" + argument.name.text + "'");
    return false;
  }
  if (consume("=")) {
    argument.defaultValue = parseExpr();
    return argument.defaultValue != nullptr;
  }
  return true;
}

bool Parser::parseOutput(Output &output) {
  return parseName(output.name, "the name of an output") &&
         expect(":", "and the axes of the output") && expect("[", "and the axes of the output") &&
         parseAxes(output.axes);
}

bool Parser::parseAxes(std::vector<Name> &axes) {
  return parseList("]", [&] { return parseName(axes.emplace_back(), "the name of an axis"); });
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

bool Parser::parseBlock(Statements &statements) {
  if (!expect("{", "and the statements"))
    return false;
  Nesting nesting(*this);
  if (!nesting)
    return false;
  while (!token.is("}")) {
    if (token.kind == Token::End || token.is("mixer") || token.is("fn") || token.is("import")) {
      fail("'}' at the end of the statements");
      return false;
    }
    if (StatementPtr statement = parseStatement())
      statements.push_back(std::move(statement));
    else
      skipToStatement();
  }
  advance();
  return true;
}

/// After an error: to the next line that may start a statement, or to the end of the
/// block. Blocks that begin on the way are skipped as a whole.
void Parser::skipToStatement() {
  unsigned open = 0;
  while (token.kind != Token::End) {
    bool startsStatement = token.startsLine && token.kind == Token::Name;
    if (open == 0 && (startsStatement || token.is("}")))
      return;
    if (token.is("{"))
      ++open;
    else if (token.is("}"))
      --open;
    advance();
  }
}

StatementPtr Parser::parseStatement() {
  if (token.is("axis"))
    return parseAxis();
  if (token.is("state"))
    return parseState();
  if (token.is("let"))
    return parseLet();
  if (token.is("for"))
    return parseFor();
  if (token.kind == Token::Name && !isKeyword(token.text))
    return parseAssign();
  fail("a statement (let, for, state, axis, or an assignment)");
  if (!token.is("}"))
    advance();
  return nullptr;
}

StatementPtr Parser::parseAxis() {
  SMRange start = token.getRange();
  advance();
  Name name, base;
  if (!parseName(name, "the name of the new axis") || !expect("=", "and what the axis is") ||
      !parseName(base, "the name of an axis") || !expect("/", "and the length of a block"))
    return nullptr;
  ExprPtr size = parseUnary();
  if (!size)
    return nullptr;
  return std::make_unique<AxisStatement>(rangeFrom(start), name, base, std::move(size));
}

StatementPtr Parser::parseState() {
  SMRange start = token.getRange();
  advance();
  Name name;
  std::vector<Name> axes;
  if (!parseName(name, "the name of the state") || !expect(":", "and the axes of the state") ||
      !expect("[", "and the axes of the state") || !parseAxes(axes) ||
      !expect("=", "and the initial value of the state"))
    return nullptr;
  ExprPtr initial = parseExpr();
  if (!initial)
    return nullptr;
  return std::make_unique<StateStatement>(rangeFrom(start), name, std::move(axes),
                                          std::move(initial));
}

StatementPtr Parser::parseLet() {
  SMRange start = token.getRange();
  advance();
  std::vector<Target> targets;
  if (consume("(")) {
    if (!parseList(")", [&] { return parseTarget(targets.emplace_back()); }))
      return nullptr;
  } else if (!parseTarget(targets.emplace_back())) {
    return nullptr;
  }
  if (!expect("=", "and the value"))
    return nullptr;
  ExprPtr value = parseExpr();
  if (!value)
    return nullptr;
  return std::make_unique<LetStatement>(rangeFrom(start), std::move(targets), std::move(value));
}

StatementPtr Parser::parseAssign() {
  SMRange start = token.getRange();
  Target target;
  if (!parseTarget(target) || !expect("=", "and the value of '" + target.name.text + "'"))
    return nullptr;
  ExprPtr value = parseExpr();
  if (!value)
    return nullptr;
  return std::make_unique<AssignStatement>(rangeFrom(start), std::move(target), std::move(value));
}

StatementPtr Parser::parseFor() {
  SMRange start = token.getRange();
  advance();
  Name index, space;
  if (!parseName(index, "the name of an index") || !expect("in", "and an axis") ||
      !parseName(space, "the name of an axis"))
    return nullptr;
  SMRange head = rangeFrom(start);
  ExprPtr step;
  if (consume("by") && !(step = parseExpr()))
    return nullptr;
  Statements body;
  if (!parseBlock(body))
    return nullptr;
  return std::make_unique<ForStatement>(head, index, space, std::move(step), std::move(body));
}

bool Parser::parseTarget(Target &target) {
  SMRange start = token.getRange();
  if (!parseName(target.name, "the name of a value"))
    return false;
  if (consume("[")) {
    Group group;
    if (!parseGroup(group) || !expect("]", "after the indices") ||
        !toIndexSet(group, target.indices))
      return false;
  }
  target.range = rangeFrom(start);
  return true;
}

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
  auto parseOne = [&] { return (arguments.emplace_back() = parseExpr()) != nullptr; };
  if (!parseList(")", parseOne))
    return nullptr;
  return std::make_unique<CallExpr>(rangeFrom(name.range), name, hasBrackets, std::move(sets),
                                    std::move(arguments));
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

File mix::frontend::parse(StringRef text, Diagnostics &diagnostics) {
  return Parser(text, diagnostics).parseFile();
}
