//===- Diagnostics.h - Messages about a spec --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A message has the form
//
//   file.mix:4:12: error: unknown value 'kk' [unknown-value]
//       o[t] = dot(q[t], kk[t])
//                        ^~
//     hint: did you mean 'k'?
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_DIAGNOSTICS_H
#define MIXWRIGHT_FRONTENDS_MIX_DIAGNOSTICS_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/SMLoc.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <set>

namespace mix::frontend {

/// Every error that the language knows; Errors.def lists them.
enum class Error {
#define MIX_ERROR(name, id) name,
#include "frontends/mix/Errors.def"
};

/// The name of an error, as printed and as explained in docs/errors.md.
llvm::StringRef getErrorId(Error error);

/// Owns the source texts (imports included) and prints messages about them.
class Diagnostics {
public:
  /// Messages go to `os`. After `maxErrors` of them the rest is only counted.
  explicit Diagnostics(llvm::raw_ostream &os, unsigned maxErrors = 20)
      : os(os), maxErrors(maxErrors) {}

  /// Adds hints and notes to the error just reported.
  class Report {
  public:
    Report &hint(const llvm::Twine &text);
    Report &note(llvm::SMRange range, const llvm::Twine &text);

  private:
    friend class Diagnostics;
    Report(Diagnostics &diagnostics, bool shown) : diagnostics(diagnostics), shown(shown) {}
    Diagnostics &diagnostics;
    bool shown;
  };

  /// Reports an error at a place in a source; an invalid range is about the
  /// program as a whole.
  Report report(Error error, llvm::SMRange range, const llvm::Twine &message);

  unsigned getNumErrors() const { return numErrors; }
  llvm::SourceMgr &getSources() { return sources; }

private:
  void print(llvm::SMRange range, llvm::StringRef kind, const llvm::Twine &message);

  llvm::raw_ostream &os;
  unsigned maxErrors;
  unsigned numErrors = 0;
  unsigned numShown = 0;
  // What a function or a mixer has wrong is said once, however often it is used.
  std::set<std::pair<const char *, Error>> reported;
  llvm::SourceMgr sources;
};

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_DIAGNOSTICS_H
