//===- Lexer.h - Tokens of the text language --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_LEXER_H
#define MIXWRIGHT_FRONTENDS_MIX_LEXER_H

#include "frontends/mix/Diagnostics.h"
#include "llvm/ADT/StringRef.h"

namespace mix::frontend {

struct Token {
  enum Kind {
    End,
    Name,    // also keywords: `is("let")`
    Integer, // 64
    Real,    // 0.5, 1e-6
    String,  // "other.mix", quotes included
    Invalid, // no token: its error is reported already
    Symbol,  // ( ) [ ] { } , ; : = -> + - * / ^ < <= > >= == !=
  };
  Kind kind = End;
  llvm::StringRef text;
  bool startsLine = false; // the first token of its line

  bool is(llvm::StringRef spelling) const {
    return (kind == Name || kind == Symbol) && text == spelling;
  }
  llvm::SMRange getRange() const {
    return {llvm::SMLoc::getFromPointer(text.begin()), llvm::SMLoc::getFromPointer(text.end())};
  }
};

/// Whether a name is reserved by the language.
bool isKeyword(llvm::StringRef name);

/// Splits a text into tokens; the text must outlive them. What is no token is
/// reported and comes as `Invalid`.
class Lexer {
public:
  Lexer(llvm::StringRef text, Diagnostics &diagnostics) : rest(text), diagnostics(diagnostics) {}

  /// The next token; `End` (an empty text at the end) for ever at the end.
  Token next();

private:
  void skipSpace();
  Token take(Token::Kind kind, size_t length);
  Token lexNumber();
  Token lexString();
  Token lexBadCharacters();

  llvm::StringRef rest;
  Diagnostics &diagnostics;
  bool atLineStart = true;
};

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_LEXER_H
