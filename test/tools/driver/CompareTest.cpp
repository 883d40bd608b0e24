//===- CompareTest.cpp - When a result counts as right ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compare.h"
#include <gtest/gtest.h>

using namespace mix::driver;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

CallResult makeResult(ElementType type, std::vector<double> values) {
  Tensor tensor(type, {static_cast<int64_t>(values.size())});
  for (size_t n = 0; n < values.size(); ++n)
    tensor.set(static_cast<int64_t>(n), values[n]);
  CallResult result;
  result.outputs["o"] = std::move(tensor);
  return result;
}

Expectation expectHalves(std::vector<double> values) {
  Expectation expectation;
  expectation.exact = makeResult(ElementType::F64, values);
  expectation.rounded = makeResult(ElementType::F16, values);
  expectation.type = ElementType::F16;
  return expectation;
}

bool isGood(const Expectation &expected, std::vector<double> values) {
  return compare(makeResult(ElementType::F16, std::move(values)), expected).isGood();
}

} // namespace

TEST(Compare, HalvesAreMeasuredByTheirRounding) {
  Expectation expected = expectHalves({1.0001, 2.0002, -3.0003});
  EXPECT_TRUE(isGood(expected, {1, 2, -3}));
  EXPECT_FALSE(isGood(expected, {1, 2, -3.02}));
  EXPECT_FALSE(isGood(expected, {1, 2, std::nan("")}));
}

/// What the type cannot hold says nothing, and excuses nothing else.
TEST(Compare, ElementsThatOverflowDoNotCount) {
  Expectation expected = expectHalves({1e6, 2.0002, -3.0003});
  EXPECT_TRUE(isGood(expected, {kInfinity, 2, -3}));
  EXPECT_FALSE(isGood(expected, {kInfinity, 2, -2}));
  EXPECT_FALSE(isGood(expected, {kInfinity, 2, kInfinity}));
}

TEST(Compare, NothingLeftToCompareIsNotGood) {
  EXPECT_FALSE(isGood(expectHalves({1e6, -1e6}), {kInfinity, -kInfinity}));
}
