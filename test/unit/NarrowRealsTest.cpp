//===- NarrowRealsTest.cpp - Rounding to 16 bits --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/NarrowReals.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mix;
using llvm::APFloat;

namespace {

struct Format {
  NarrowReal own;
  const llvm::fltSemantics &reference;
};

const Format formats[] = {{kBFloat16, APFloat::BFloat()}, {kFloat16, APFloat::IEEEhalf()}};

double decodeByReference(const Format &format, uint16_t bits) {
  APFloat value(format.reference, llvm::APInt(16, bits));
  return value.convertToDouble();
}

double roundByReference(const Format &format, double number) {
  APFloat value(number);
  bool losesInfo;
  value.convert(format.reference, APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

TEST(NarrowReals, EveryPatternDecodesAndEncodes) {
  for (const Format &format : formats)
    for (unsigned bits = 0; bits < 1 << 16; ++bits) {
      double value = format.own.decode(bits), expected = decodeByReference(format, bits);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(value)) << bits;
        EXPECT_TRUE(std::isnan(format.own.decode(format.own.encode(value)))) << bits;
        continue;
      }
      EXPECT_EQ(value, expected) << bits;
      EXPECT_EQ(std::signbit(value), std::signbit(expected)) << bits;
      EXPECT_EQ(format.own.encode(value), bits);
      EXPECT_EQ(format.own.round(value), value) << bits;
    }
}

TEST(NarrowReals, RoundsToNearestEven) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> significand(-2, 2);
  for (const Format &format : formats)
    for (int exponent = -160; exponent <= 140; ++exponent)
      for (int n = 0; n < 50; ++n) {
        double value = std::ldexp(significand(random), exponent);
        double rounded = roundByReference(format, value);
        EXPECT_EQ(format.own.round(value), rounded) << value;
        EXPECT_EQ(format.own.decode(format.own.encode(value)), rounded) << value;
      }
}

TEST(NarrowReals, Ties) {
  // Halfway between two neighbours of every pattern's number, and its successor.
  for (const Format &format : formats)
    for (unsigned bits = 0; bits < 0x7fff; bits += 3) {
      double low = format.own.decode(bits), high = format.own.decode(bits + 1);
      if (!std::isfinite(low) || !std::isfinite(high))
        continue;
      EXPECT_EQ(format.own.encode(low / 2 + high / 2), bits & 1 ? bits + 1 : bits);
    }
}

} // namespace
