//===- Compare.cpp - How far a result is from the definition ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compare.h"
#include <cmath>
#include <limits>

using namespace mix::driver;

/// Beyond this, what a correct computation gives may be infinite in the type: half of its largest
/// number.
static double getSafeSize(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return 0x1.ffcp14;
  case ElementType::BF16:
  case ElementType::F32:
    return std::numeric_limits<float>::max() / 2;
  default:
    return std::numeric_limits<double>::max();
  }
}

double mix::driver::getError(const Tensor &result, const Tensor &expected) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (result.getShape() != expected.getShape())
    return wrong;
  double difference = 0, norm = 0, safeSize = getSafeSize(result.getType());
  int64_t count = expected.getCount(), numHeld = 0;
  for (int64_t n = 0; n < count; ++n) {
    double x = result.get(n), y = expected.get(n);
    if (std::isfinite(y) && std::fabs(y) > safeSize)
      continue;
    ++numHeld;
    if (std::isfinite(x) && std::isfinite(y)) {
      difference += (x - y) * (x - y);
      norm += y * y;
    } else if (x != y && !(std::isnan(x) && std::isnan(y))) {
      return wrong;
    }
  }
  if (count > 0 && numHeld == 0)
    return wrong;
  if (difference == 0)
    return 0;
  double least = 1e-6 * static_cast<double>(numHeld);
  return std::sqrt(difference / std::max(norm, least));
}

double mix::driver::getTolerance(ElementType type) {
  return getComputeType(type) == ElementType::F32 ? std::sqrt(1e-7) : 1e-10;
}

double Expectation::getAllowed(const Tensor &exact, const Tensor *rounded) const {
  double tolerance = getTolerance(type);
  return rounded ? tolerance + 2 * getError(*rounded, exact) : tolerance;
}

static const Tensor *find(const TensorMap &tensors, llvm::StringRef name) {
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

Comparison mix::driver::compare(const CallResult &result, const Expectation &expected) {
  Comparison worst;
  auto compareAll = [&](TensorMap CallResult::*group, llvm::StringRef kind) {
    for (const auto &entry : expected.exact.*group) {
      const Tensor *own = find(result.*group, entry.getKey());
      const Tensor *rounded =
          expected.rounded ? find((*expected.rounded).*group, entry.getKey()) : nullptr;
      Comparison one;
      one.error = own ? getError(*own, entry.second) : std::numeric_limits<double>::infinity();
      one.allowed = expected.getAllowed(entry.second, rounded);
      one.worst = (kind + " '" + entry.getKey() + "'").str();
      if (worst.worst.empty() || one.getShare() > worst.getShare())
        worst = one;
    }
  };
  compareAll(&CallResult::outputs, "output");
  compareAll(&CallResult::states, "final state");
  return worst;
}
