//===- Compare.h - How far a result is from the definition ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_COMPARE_H
#define MIXWRIGHT_TOOLS_DRIVER_COMPARE_H

#include "tools/driver/Call.h"

namespace mix::driver {

/// The root of the normalised mean square error: the norm of `result - expected`
/// over that of `expected`, where an element counts at least 1e-3 so that a tensor
/// of zeros can be compared. Infinities and NaNs must stand at the same places;
/// the error is infinite if they do not, or if shapes differ.
double getError(const Tensor &result, const Tensor &expected);

/// The largest error of all outputs and states, and the tensor that has it.
struct Comparison {
  double error = 0;
  std::string worst;
};
Comparison compare(const CallResult &result, const CallResult &expected);

/// What the error of a correct kernel stays below: 1e-10 in float64; a normalised
/// mean square error of 1e-7 in float32.
double getTolerance(ElementType type);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_COMPARE_H
