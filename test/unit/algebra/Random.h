//===- Random.h - Random coefficients and their values ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_UNIT_ALGEBRA_RANDOM_H
#define MIXWRIGHT_TEST_UNIT_ALGEBRA_RANDOM_H

#include "dialect/algebra/Expr.h"
#include <random>

namespace mix::algebra::testing {

/// The sizes of all axes: odd, distinct.
inline long getSize(const std::string &axis) { return axis == "K" ? 3 : axis == "V" ? 2 : 5; }

/// An atom's element: a fixed pseudo-random number per atom and position, in
/// [1, 2], so that quotients stay tame.
inline double getElement(Expr atom, const Positions &at) {
  size_t hash = atom->atom * 7919 + 13;
  for (const std::string &axis : atom->axes)
    hash = hash * 1000003 + at.at(axis) * 31 + axis.front();
  std::mt19937 engine(hash);
  return 1 + std::uniform_real_distribution<double>()(engine);
}

inline double valueOf(Expr e, const Positions &at) { return evaluate(e, at, getElement, getSize); }

/// Calls `visit` at every position of the axes K, V and M.
template <typename Visit> void forEachPosition(Visit visit) {
  for (long k = 0; k < getSize("K"); ++k)
    for (long v = 0; v < getSize("V"); ++v)
      for (long m = 0; m < getSize("M"); ++m)
        visit(Positions{{"K", k}, {"V", v}, {"M", m}});
}

/// Draws expressions, and axes to sum over.
class Generator {
public:
  Generator(Pool &pool, unsigned seed) : pool(pool), engine(seed) {}

  unsigned below(unsigned count) { return engine() % count; }
  AxisSet axes() {
    AxisSet set;
    for (const char *name : {"K", "V", "M"})
      if (below(2))
        set = set | AxisSet{name};
    return set;
  }
  Expr atom() {
    static const AxisSet kinds[] = {{}, {"K"}, {"V"}, {"M"}, {"K", "V"}, {"K", "M"}};
    unsigned id = below(12);
    return pool.atom(id, kinds[id % 6]);
  }
  Expr expr(unsigned depth) {
    if (depth == 0)
      return below(4) ? atom() : pool.number(int(below(5)) - 2);
    switch (below(4)) {
    case 0:
      return pool.add(expr(depth - 1), expr(depth - 1));
    case 1:
      return pool.mul(expr(depth - 1), expr(depth - 1));
    case 2:
      return pool.mul(expr(depth - 1), pool.inverse(atom()));
    default:
      return pool.reduce(expr(depth - 1), axes());
    }
  }

private:
  Pool &pool;
  std::mt19937 engine;
};

} // namespace mix::algebra::testing

#endif // MIXWRIGHT_TEST_UNIT_ALGEBRA_RANDOM_H
