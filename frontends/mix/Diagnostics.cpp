//===- Diagnostics.cpp - Messages about a spec ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Diagnostics.h"
#include <algorithm>

using namespace mix::frontend;
using llvm::SMRange;
using llvm::StringRef;
using llvm::Twine;

StringRef mix::frontend::getErrorId(Error error) {
  switch (error) {
#define MIX_ERROR(name, id)                                                                        \
  case Error::name:                                                                                \
    return id;
#include "frontends/mix/Errors.def"
  }
  return "";
}

/// Longer source lines are cut, so that no input makes a message unreadable.
static constexpr size_t kMaxLine = 200;

/// Replaces what a terminal cannot show one column wide, so that carets fit.
static std::string printable(StringRef text) {
  std::string result;
  for (char c : text)
    result += c == '\t' ? ' ' : (c >= 32 && c < 127 ? c : '?');
  return result;
}

void Diagnostics::print(SMRange range, StringRef kind, const Twine &message) {
  if (!range.isValid()) {
    os << kind << ": " << message << '\n';
    return;
  }
  unsigned buffer = sources.FindBufferContainingLoc(range.Start);
  auto [line, column] = sources.getLineAndColumn(range.Start, buffer);
  const llvm::MemoryBuffer *memory = sources.getMemoryBuffer(buffer);
  os << memory->getBufferIdentifier() << ':' << line << ':' << column << ": " << kind << ": "
     << message << '\n';

  const char *begin = range.Start.getPointer() - (column - 1);
  const char *end = std::find(range.Start.getPointer(), memory->getBufferEnd(), '\n');
  StringRef text = StringRef(begin, end - begin).rtrim('\r');
  if (text.size() > kMaxLine)
    return;
  size_t width = std::min(range.End.getPointer(), end) - range.Start.getPointer();
  os << "  " << printable(text) << "\n  " << std::string(column - 1, ' ') << '^'
     << std::string(width > 1 ? width - 1 : 0, '~') << '\n';
}

Diagnostics::Report Diagnostics::report(Error error, SMRange range, const Twine &message) {
  ++numErrors;
  bool isNew = reported.insert({range.Start.getPointer(), error}).second || !range.isValid();
  bool shown = isNew && ++numShown <= maxErrors;
  if (shown)
    print(range, "error", message + " [" + getErrorId(error) + "]");
  else if (isNew && numShown == maxErrors + 1)
    os << "error: too many errors, the rest is not shown\n";
  return Report(*this, shown);
}

Diagnostics::Report &Diagnostics::Report::hint(const Twine &text) {
  if (shown)
    diagnostics.os << "  hint: " << text << '\n';
  return *this;
}

Diagnostics::Report &Diagnostics::Report::note(SMRange place, const Twine &text) {
  if (shown)
    diagnostics.print(place, "note", text);
  return *this;
}
