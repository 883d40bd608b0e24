//===- AxisSet.h - Sets of axis names ---------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_ALGEBRA_AXISSET_H
#define MIXWRIGHT_DIALECT_ALGEBRA_AXISSET_H

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

namespace mix::algebra {

/// A set of axis names, in alphabetical order.
class AxisSet {
public:
  AxisSet() = default;
  AxisSet(std::initializer_list<std::string> names) : names(names) { normalize(); }
  template <typename Range> static AxisSet of(const Range &range) {
    AxisSet set;
    for (const auto &name : range)
      set.names.push_back(std::string(name));
    set.normalize();
    return set;
  }

  bool empty() const { return names.empty(); }
  size_t size() const { return names.size(); }
  auto begin() const { return names.begin(); }
  auto end() const { return names.end(); }
  bool contains(const std::string &name) const { return std::binary_search(begin(), end(), name); }
  bool isSubsetOf(const AxisSet &other) const {
    return std::includes(other.begin(), other.end(), begin(), end());
  }
  bool intersects(const AxisSet &other) const { return !(*this & other).empty(); }

  AxisSet operator|(const AxisSet &other) const {
    AxisSet result;
    std::set_union(begin(), end(), other.begin(), other.end(), std::back_inserter(result.names));
    return result;
  }
  AxisSet operator&(const AxisSet &other) const {
    AxisSet result;
    std::set_intersection(begin(), end(), other.begin(), other.end(),
                          std::back_inserter(result.names));
    return result;
  }
  AxisSet operator-(const AxisSet &other) const {
    AxisSet result;
    std::set_difference(begin(), end(), other.begin(), other.end(),
                        std::back_inserter(result.names));
    return result;
  }
  bool operator==(const AxisSet &other) const { return names == other.names; }
  bool operator!=(const AxisSet &other) const { return names != other.names; }
  bool operator<(const AxisSet &other) const { return names < other.names; }

private:
  void normalize() {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  std::vector<std::string> names;
};

} // namespace mix::algebra

#endif // MIXWRIGHT_DIALECT_ALGEBRA_AXISSET_H
