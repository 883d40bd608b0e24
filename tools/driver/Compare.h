//===- Compare.h - How far a result is from the definition ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_COMPARE_H
#define MIXWRIGHT_TOOLS_DRIVER_COMPARE_H

#include "tools/driver/Call.h"
#include <cmath>
#include <optional>

namespace mix::driver {

/// The root of the normalised mean square error: the norm of `result - expected`
/// over that of `expected`, where an element counts at least 1e-3 so that a tensor
/// of zeros can be compared. Infinities and NaNs must stand at the same places;
/// the error is infinite if they do not, or if shapes differ. Numbers that the type of the result
/// can hardly hold, or not at all, do not count; the error is infinite if no others are left.
double getError(const Tensor &result, const Tensor &expected);

/// What the error of a correct computation stays below whose arithmetic is of the type: 1e-10
/// in float64; a normalised mean square error of 1e-7 in float32, and in float32 with tensors
/// of 16 bits, not counting their rounding.
double getTolerance(ElementType type);

/// What results are measured by.
struct Expectation {
  CallResult exact;
  /// For tensors of 16 bits: the exact computation on rounded inputs, with rounded results.
  std::optional<CallResult> rounded;
  ElementType type = ElementType::F64;

  /// The error that a tensor may have: at most twice that of rounding alone, and the
  /// tolerance of the arithmetic.
  double getAllowed(const Tensor &exact, const Tensor *rounded) const;
};

/// The error of all outputs and states that is the largest part of what is allowed, and the
/// tensor that has it.
struct Comparison {
  double error = 0, allowed = 0;
  std::string worst;

  /// An infinite error is never good, whatever is allowed.
  bool isGood() const { return std::isfinite(error) && error <= allowed; }
  /// The error as a part of what is allowed.
  double getShare() const { return error == 0 || !std::isfinite(error) ? error : error / allowed; }
};
Comparison compare(const CallResult &result, const Expectation &expected);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_COMPARE_H
