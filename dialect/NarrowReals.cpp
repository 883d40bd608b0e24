//===- NarrowReals.cpp - The 16-bit real types ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/NarrowReals.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mix;

double NarrowReal::round(double value) const {
  if (!std::isfinite(value) || value == 0)
    return value;
  // The weight of the last bit; below the smallest normal number it stays the same.
  int last = std::max(std::ilogb(value), minExponent) - (precision - 1);
  double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
  // The exponents of normal numbers lie around zero, one more on the positive side.
  bool isTooLarge = std::ilogb(rounded) > 1 - minExponent;
  return isTooLarge ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

uint16_t NarrowReal::encode(double value) const {
  const int fraction = precision - 1;
  const uint16_t infinity = uint16_t(0x7fff >> fraction << fraction);
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | infinity | uint16_t(1 << (fraction - 1));
  double magnitude = std::abs(round(value));
  if (std::isinf(magnitude))
    return sign | infinity;
  if (magnitude == 0)
    return sign;
  // A subnormal number has the exponent field 0 and the weight of the smallest normal one. The
  // leading bit of the significand of others adds one to the exponent field.
  int exponent = std::max(std::ilogb(magnitude), minExponent);
  auto significand = static_cast<uint16_t>(std::ldexp(magnitude, fraction - exponent));
  return sign | uint16_t(((exponent - minExponent) << fraction) + significand);
}

double NarrowReal::decode(uint16_t bits) const {
  const int fraction = precision - 1;
  const int field = (bits & 0x7fff) >> fraction, most = 0x7fff >> fraction;
  const int rest = bits & ((1 << fraction) - 1);
  double magnitude;
  if (field == most)
    magnitude =
        rest ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else
    magnitude = std::ldexp(field ? rest + (1 << fraction) : rest,
                           std::max(field, 1) - 1 + minExponent - fraction);
  return bits & 0x8000 ? -magnitude : magnitude;
}
