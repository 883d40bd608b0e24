//===- ParserImpl.h - The recursive descent ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per rule of the grammar (docs/language.md). A function returns null
// (or false) after it has reported an error; statements and declarations are where
// parsing resumes. Private to Parser.cpp and ParserExpr.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_PARSERIMPL_H
#define MIXWRIGHT_FRONTENDS_MIX_PARSERIMPL_H

#include "frontends/mix/Ast.h"
#include "frontends/mix/Lexer.h"

namespace mix::frontend {

/// How deeply expressions may nest, and how high a tree may grow by operators that
/// follow one another: trees are walked recursively, this bounds the stack.
inline constexpr unsigned kMaxDepth = 400;

class Parser {
public:
  Parser(llvm::StringRef text, Diagnostics &diagnostics)
      : lexer(text, diagnostics), diagnostics(diagnostics) {
    advance();
  }

  File parseFile();

private:
  // Tokens.
  void advance();
  bool consume(llvm::StringRef spelling);
  bool expect(llvm::StringRef spelling, const llvm::Twine &context);
  std::nullptr_t fail(const llvm::Twine &expected);
  llvm::SMRange rangeFrom(llvm::SMRange start) const { return {start.Start, previousEnd}; }
  bool parseName(Name &name, llvm::StringRef what);

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
  bool parseCallArgument(std::vector<ExprPtr> &arguments, std::vector<NamedArgument> &named);

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
  template <typename ParseOne> bool parseList(llvm::StringRef close, ParseOne parseOne);

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

template <typename ParseOne> bool Parser::parseList(llvm::StringRef close, ParseOne parseOne) {
  if (consume(close))
    return true;
  do {
    if (!parseOne())
      return false;
  } while (consume(","));
  return expect(close, "or ',' in this list");
}

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_PARSERIMPL_H
