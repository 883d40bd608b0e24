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

double mix::driver::getError(const Tensor &result, const Tensor &expected) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (result.getShape() != expected.getShape())
    return wrong;
  double difference = 0, norm = 0;
  int64_t count = expected.getCount();
  for (int64_t n = 0; n < count; ++n) {
    double x = result.get(n), y = expected.get(n);
    if (std::isfinite(x) && std::isfinite(y)) {
      difference += (x - y) * (x - y);
      norm += y * y;
    } else if (x != y && !(std::isnan(x) && std::isnan(y))) {
      return wrong;
    }
  }
  if (difference == 0)
    return 0;
  double least = 1e-6 * static_cast<double>(count);
  return std::sqrt(difference / std::max(norm, least));
}

Comparison mix::driver::compare(const CallResult &result, const CallResult &expected) {
  Comparison comparison;
  auto compareAll = [&](const TensorMap &results, const TensorMap &expectations,
                        llvm::StringRef kind) {
    for (const auto &entry : expectations) {
      auto own = results.find(entry.getKey());
      double error = own == results.end() ? std::numeric_limits<double>::infinity()
                                          : getError(own->second, entry.second);
      if (error > comparison.error || comparison.worst.empty()) {
        comparison.error = std::max(comparison.error, error);
        comparison.worst = (kind + " '" + entry.getKey() + "'").str();
      }
    }
  };
  compareAll(result.outputs, expected.outputs, "output");
  compareAll(result.states, expected.states, "final state");
  return comparison;
}

double mix::driver::getTolerance(ElementType type) {
  return type == ElementType::F32 ? std::sqrt(1e-7) : 1e-10;
}
