//===- Draw.h - Random inputs for an unknown mixer --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What makes sense as input depends on the mixer: a decay that is drawn from N(0, 1)
// makes a recurrence explode, and no two ways to compute it agree then. Names say
// nothing, so the definition is asked: inputs are N(0, 1) unless its results grow
// beyond bounds or amplify small changes of the inputs. If so, one input after the
// other is restricted, the one that helps most first.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_DRAW_H
#define MIXWRIGHT_TOOLS_DRIVER_DRAW_H

#include "tools/driver/Call.h"
#include "tools/driver/Spec.h"
#include <random>

namespace mix::driver {

/// How the numbers of one input are drawn.
struct Distribution {
  enum Kind {
    Normal,   ///< N(0, 1)
    Small,    ///< N(0, 1) / sqrt(elements of a row), at most N(0, 1) / 2
    Unit,     ///< uniform in (0, 1)
    Negative, ///< -|N(0, 1)|
    Range     ///< uniform in (low, high)
  } kind = Normal;
  double low = 0, high = 0;

  std::string describe() const;
};

/// How the inputs of a mixer are drawn. Inputs without an entry are N(0, 1).
struct DrawPlan {
  llvm::StringMap<Distribution> inputs;
  /// Whether the definition is well conditioned on such inputs.
  bool isSane = true;
  /// What differs from N(0, 1), as one line; empty if nothing does.
  std::string describe() const;
};

/// Finds a plan for calls of these sizes. `ranges` are the user's and are kept.
llvm::Expected<DrawPlan> planInputs(Spec &spec, const SizeMap &sizes,
                                    const llvm::StringMap<Distribution> &ranges);

/// The same sizes with at most 128 tokens: enough to see a mixer explode.
SizeMap shortenTokens(const Signature &signature, const SizeMap &sizes);

/// The seed of the numbers on which a plan of inputs was tried.
inline constexpr uint64_t planSeed = 7;

/// Random tensors of the given shape in float64; integers are uniform in {0, 1, 2}.
/// `oneHead` names an input that gets a single head, shared by all.
Call drawCall(const Signature &signature, const CallShape &shape, const DrawPlan &plan,
              bool givesStates, uint64_t seed, llvm::StringRef oneHead = "");

/// Parses `low:high`.
llvm::Expected<Distribution> parseRange(llvm::StringRef name, llvm::StringRef text);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_DRAW_H
