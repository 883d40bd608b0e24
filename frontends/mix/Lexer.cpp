//===- Lexer.cpp - Tokens of the text language ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Lexer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix::frontend;
using llvm::SMLoc;
using llvm::SMRange;
using llvm::StringRef;

bool mix::frontend::isKeyword(StringRef name) {
  static constexpr StringRef keywords[] = {"mixer", "fn",    "import", "let",   "for",   "in",
                                           "by",    "state", "axis",   "where", "if",    "then",
                                           "else",  "and",   "or",     "not",   "param", "int",
                                           "real",  "true",  "false",  "inf",   "div",   "mod"};
  return llvm::is_contained(keywords, name);
}

static bool isNameStart(char c) { return llvm::isAlpha(c) || c == '_'; }
static bool isNameRest(char c) { return llvm::isAlnum(c) || c == '_'; }
static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// The length of the symbol that the text starts with, or 0.
static size_t getSymbolLength(StringRef text) {
  for (StringRef symbol : {"->", "<=", ">=", "==", "!="})
    if (text.starts_with(symbol))
      return 2;
  return StringRef("()[]{},;:=+-*/^<>").contains(text.front()) ? 1 : 0;
}

void Lexer::skipSpace() {
  while (!rest.empty()) {
    if (rest.starts_with("//")) {
      rest = rest.drop_until([](char c) { return c == '\n'; });
    } else if (isSpace(rest.front())) {
      atLineStart |= rest.front() == '\n';
      rest = rest.drop_front();
    } else {
      return;
    }
  }
}

Token Lexer::take(Token::Kind kind, size_t length) {
  Token token;
  token.kind = kind;
  token.text = rest.take_front(length);
  token.startsLine = atLineStart;
  atLineStart = false;
  rest = rest.drop_front(length);
  return token;
}

Token Lexer::next() {
  skipSpace();
  if (rest.empty())
    return take(Token::End, 0);
  if (isNameStart(rest.front()))
    return take(Token::Name, rest.take_while(isNameRest).size());
  if (llvm::isDigit(rest.front()))
    return lexNumber();
  if (rest.front() == '"')
    return lexString();
  if (size_t length = getSymbolLength(rest))
    return take(Token::Symbol, length);
  return lexBadCharacters();
}

Token Lexer::lexNumber() {
  auto countDigits = [&](size_t from) {
    return rest.drop_front(from).take_while([](char c) { return llvm::isDigit(c); }).size();
  };
  Token::Kind kind = Token::Integer;
  size_t length = countDigits(0);
  if (length + 1 < rest.size() && rest[length] == '.' && llvm::isDigit(rest[length + 1])) {
    kind = Token::Real;
    length += 1 + countDigits(length + 1);
  }
  StringRef exponent = rest.drop_front(length);
  if (exponent.consume_front("e") || exponent.consume_front("E")) {
    size_t mark = exponent.starts_with("-") || exponent.starts_with("+") ? 2 : 1;
    if (size_t digits = countDigits(length + mark)) {
      kind = Token::Real;
      length += mark + digits;
    }
  }
  size_t junk = rest.drop_front(length).take_while(isNameRest).size();
  Token token = take(kind, length + junk);
  if (junk) {
    diagnostics.report(Error::BadNumber, token.getRange(), "'" + token.text + "' is not a number")
        .hint("a number is written 64, 0.5 or 1e-6; a product needs '*'");
    token.kind = Token::Invalid;
  }
  return token;
}

Token Lexer::lexString() {
  size_t end = rest.find_first_of("\"\n", 1);
  if (end != StringRef::npos && rest[end] == '"')
    return take(Token::String, end + 1);
  Token token = take(Token::Invalid, end == StringRef::npos ? rest.size() : end);
  diagnostics.report(Error::BadString, token.getRange(),
                     "expected '\"' at the end of this file name");
  return token;
}

Token Lexer::lexBadCharacters() {
  // One message for a run of them: binary input should not flood the screen.
  StringRef run = rest.take_while([](char c) {
    return !isNameStart(c) && !llvm::isDigit(c) && !isSpace(c) && c != '"' &&
           !getSymbolLength(StringRef(&c, 1));
  });
  SMRange range(SMLoc::getFromPointer(run.begin()), SMLoc::getFromPointer(run.end()));
  bool isText = llvm::all_of(run, [](char c) { return c > 32 && c < 127; });
  auto report =
      diagnostics.report(Error::BadCharacter, range,
                         isText ? "'" + run.take_front(16).str() + "' means nothing here"
                                : std::string("a spec is plain ASCII text, found another byte"));
  if (run.starts_with("%"))
    report.hint("the remainder of a division is 'a mod b'");
  else if (run.starts_with("&") || run.starts_with("|") || run.starts_with("!"))
    report.hint("conditions are combined with 'and', 'or' and 'not'");
  return take(Token::Invalid, run.size());
}
