//===- Parser.h - From text to syntax tree ----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_PARSER_H
#define MIXWRIGHT_FRONTENDS_MIX_PARSER_H

#include "frontends/mix/Ast.h"
#include "frontends/mix/Diagnostics.h"

namespace mix::frontend {

/// Parses a text. Errors are reported; the tree holds what could be understood,
/// so that one run reports the errors of several statements.
File parse(llvm::StringRef text, Diagnostics &diagnostics);

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_PARSER_H
