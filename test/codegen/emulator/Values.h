//===- Values.h - Matrices and number formats for tests ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversions go through the values that a format can hold, and share no code with the
// emulator.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_CODEGEN_EMULATOR_VALUES_H
#define MIXWRIGHT_TEST_CODEGEN_EMULATOR_VALUES_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace mix::emu {

enum class Format { F32, Tf32, BF16, F16 };

inline int getBits(Format format) {
  return format == Format::F32 || format == Format::Tf32 ? 32 : 16;
}

/// The value of some bits, by the definition of the format.
inline double decode(uint32_t bits, Format format) {
  int mantissaBits = format == Format::F16 ? 10 : format == Format::BF16 ? 7 : 23;
  int exponentBits = format == Format::F16 ? 5 : 8;
  int bias = (1 << (exponentBits - 1)) - 1;
  int exponent = bits >> mantissaBits & ((1 << exponentBits) - 1);
  double mantissa = bits & ((1u << mantissaBits) - 1);
  bool isNegative = bits >> (mantissaBits + exponentBits) & 1;
  double magnitude;
  if (exponent == (1 << exponentBits) - 1)
    magnitude = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = std::ldexp(mantissa, 1 - bias - mantissaBits);
  else
    magnitude = std::ldexp(1 + std::ldexp(mantissa, -mantissaBits), exponent - bias);
  return isNegative ? -magnitude : magnitude;
}

/// The bits of a value that the format holds exactly.
inline uint32_t encode(double value, Format format) {
  float single = float(value);
  uint32_t bits;
  memcpy(&bits, &single, sizeof(bits));
  if (format == Format::F32 || format == Format::Tf32)
    return bits;
  if (format == Format::BF16)
    return bits >> 16;
  if (value == 0)
    return 0;
  int exponent;
  double fraction = std::frexp(std::abs(value), &exponent); // in [1/2, 1)
  uint32_t mantissa = uint32_t(std::ldexp(fraction * 2 - 1, 10));
  return (value < 0 ? 0x8000u : 0) | uint32_t(exponent + 14) << 10 | mantissa;
}

struct Matrix {
  int columns;
  std::vector<double> values;

  double operator()(int row, int column) const { return values[row * columns + column]; }
};

/// Values between 1/4 and 2 in size that a format holds with a bit to spare.
inline Matrix drawMatrix(int rows, int columns, Format format, uint64_t seed) {
  int bits = format == Format::BF16 ? 6 : format == Format::F32 ? 20 : 9;
  std::mt19937_64 engine(seed);
  Matrix matrix = {columns, std::vector<double>(rows * columns)};
  for (double &value : matrix.values) {
    double size =
        std::ldexp(1 + std::ldexp(double(engine() >> (64 - bits)), -bits), int(engine() % 3) - 2);
    value = engine() & 1 ? size : -size;
  }
  return matrix;
}

/// The larger of two errors, where a NaN is larger than all.
inline double maxOrNaN(double first, double second) {
  return second > first || second != second ? second : first;
}

} // namespace mix::emu

#endif // MIXWRIGHT_TEST_CODEGEN_EMULATOR_VALUES_H
