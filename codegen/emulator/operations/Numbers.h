//===- Numbers.h - Small floating-point formats -----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_NUMBERS_H
#define MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_NUMBERS_H

#include <cstdint>
#include <cstring>

namespace mix::emu {

inline float floatFromBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint32_t bitsFromFloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float floatFromBfloat(uint16_t bits) { return floatFromBits(uint32_t(bits) << 16); }

/// To nearest, ties to even; a NaN stays one.
inline uint16_t bfloatFromFloat(float value) {
  uint32_t bits = bitsFromFloat(value);
  if (value != value)
    return (bits >> 16) | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

inline float floatFromHalf(uint16_t bits) {
  uint32_t sign = uint32_t(bits >> 15) << 31, exponent = bits >> 10 & 31, mantissa = bits & 1023;
  if (exponent == 31)
    return floatFromBits(sign | 0x7f800000 | mantissa << 13);
  if (exponent != 0)
    return floatFromBits(sign | (exponent + 112) << 23 | mantissa << 13);
  float magnitude = float(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

/// To nearest, ties to even; what is too large becomes infinite, a NaN stays one.
inline uint16_t halfFromFloat(float value) {
  uint32_t bits = bitsFromFloat(value);
  uint16_t sign = bits >> 16 & 0x8000;
  float magnitude = floatFromBits(bits & 0x7fffffff);
  if (value != value)
    return sign | 0x7e00;
  if (magnitude >= 65520.f)
    return sign | 0x7c00;
  if (magnitude < 0x1p-14f) // Adding 0.5 leaves multiples of 2^-24 in the mantissa.
    return sign | (bitsFromFloat(magnitude + 0.5f) & 0x7fff);
  uint32_t rebased = (bits & 0x7fffffff) - (112u << 23);
  return sign | ((rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
}

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_NUMBERS_H
