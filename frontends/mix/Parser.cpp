//===- Parser.cpp - From text to syntax tree ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Parser.h"
#include "frontends/mix/ParserImpl.h"

using namespace mix::frontend;
using llvm::SMRange;
using llvm::StringRef;
using llvm::Twine;

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

File mix::frontend::parse(StringRef text, Diagnostics &diagnostics) {
  return Parser(text, diagnostics).parseFile();
}
