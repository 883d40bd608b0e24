//===- PackedCheck.h - Packed sequences are as good as alone ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_PACKEDCHECK_H
#define MIXWRIGHT_TOOLS_MIXC_PACKEDCHECK_H

#include "tools/driver/Call.h"
#include <functional>

namespace mix::mixc {

/// The results of one sequence within those of a call.
struct SequenceResults {
  const driver::CallShape &shape;
  const driver::CallResult &result;
  int64_t entry;
};

/// The first output or final state whose bits differ, as "output 'o'", or an empty string.
std::string findDifference(const driver::Signature &signature, const SequenceResults &a,
                           const SequenceResults &b);

/// Runs a call, by a kernel or by the evaluator.
using Runner = std::function<llvm::Expected<driver::CallResult>(const driver::Call &)>;

/// Whether calls of a mixer can be packed at all: no param varies with packed tokens.
bool canPack(const driver::Signature &signature);

/// Whether sequences of a step may have positions of their own: they are packed for it, which
/// needs a length for each along every axis, and a table of pairs of tokens has two.
bool canStagger(const driver::Signature &signature);

/// Makes `shape` that of a few sequences, some of no token and of one. Token axes
/// other than `first` are a little longer.
llvm::Error packSequences(const driver::Signature &signature, llvm::StringRef first,
                          driver::CallShape &shape);

/// Compares bits: of every sequence with a call of its own, and of all others when
/// one sequence is NaN. Returns what differs, or an empty string.
llvm::Expected<std::string> findInfluence(const driver::Signature &signature,
                                          const driver::Call &call,
                                          const driver::CallResult &result, const Runner &run);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_PACKEDCHECK_H
