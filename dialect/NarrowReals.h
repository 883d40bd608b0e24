//===- NarrowReals.h - The 16-bit real types --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bfloat16 and float16 (IEEE 754 binary16) as the programs of a host without such types
// see them: a double that is rounded to the nearest value of the type, ties to even, and the
// 16 bits of that value.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_NARROWREALS_H
#define MIXWRIGHT_DIALECT_NARROWREALS_H

#include <cstdint>

namespace mix {

/// A real type of 16 bits: a sign, an exponent, and the fraction of a significand.
struct NarrowReal {
  int precision;   ///< Bits of the significand, the leading one included.
  int minExponent; ///< Of the smallest normal number.

  /// The nearest value of the type. Too large a number becomes an infinity.
  double round(double value) const;
  uint16_t encode(double value) const;
  double decode(uint16_t bits) const;
};

inline constexpr NarrowReal kBFloat16{8, -126};
inline constexpr NarrowReal kFloat16{11, -14};

} // namespace mix

#endif // MIXWRIGHT_DIALECT_NARROWREALS_H
