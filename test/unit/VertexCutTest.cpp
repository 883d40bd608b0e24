//===- VertexCutTest.cpp - The cheapest values to keep ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/VertexCut.h"
#include "gtest/gtest.h"
#include <random>

using namespace mix;
using Nodes = llvm::SmallVector<unsigned>;

/// a -> b -> c, of equal cost: the latest.
TEST(VertexCut, EqualCostsAreCutLate) {
  VertexCut cut;
  for (int n = 0; n < 3; ++n)
    cut.addNode(4);
  cut.addEdge(0, 1);
  cut.addEdge(1, 2);
  cut.addEntry(0);
  cut.addExit(2);
  EXPECT_EQ(cut.solve(), Nodes{2});
}

/// Two large values are made of a small one.
TEST(VertexCut, SharedSourceIsCheaper) {
  VertexCut cut;
  for (int64_t cost : {5, 4, 4})
    cut.addNode(cost);
  cut.addEdge(0, 1);
  cut.addEdge(0, 2);
  cut.addEntry(0);
  cut.addExit(1);
  cut.addExit(2);
  EXPECT_EQ(cut.solve(), Nodes{0});
}

TEST(VertexCut, WhatNeverIsKeptIsPassed) {
  VertexCut cut;
  for (int64_t cost : {7, 8})
    cut.addNode(cost);
  cut.addNode(VertexCut::kNever);
  cut.addEdge(0, 2);
  cut.addEdge(1, 2);
  cut.addEntry(0);
  cut.addEntry(1);
  cut.addExit(2);
  EXPECT_EQ(cut.solve(), (Nodes{0, 1}));
}

/// Against all sets of nodes of small random graphs.
TEST(VertexCut, RandomGraphs) {
  unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int trial = 0; trial < 200; ++trial) {
    constexpr unsigned count = 7;
    VertexCut cut;
    int64_t costs[count];
    bool edges[count][count] = {}, entries[count], exits[count];
    for (unsigned n = 0; n < count; ++n) {
      cut.addNode(costs[n] = 1 + random() % 9);
      if ((entries[n] = random() % 3 == 0))
        cut.addEntry(n);
      if ((exits[n] = random() % 3 == 0))
        cut.addExit(n);
      for (unsigned m = 0; m < n; ++m)
        if ((edges[m][n] = random() % 3 == 0))
          cut.addEdge(m, n);
    }
    auto separates = [&](unsigned set) {
      bool reached[count] = {};
      for (unsigned n = 0; n < count; ++n) {
        for (unsigned m = 0; m < n; ++m)
          reached[n] |= edges[m][n] && reached[m];
        reached[n] = (reached[n] || entries[n]) && !(set >> n & 1);
        if (reached[n] && exits[n])
          return false;
      }
      return true;
    };
    auto getCost = [&](unsigned set) {
      int64_t cost = 0;
      for (unsigned n = 0; n < count; ++n)
        cost += set >> n & 1 ? costs[n] : 0;
      return cost;
    };
    int64_t least = VertexCut::kNever;
    for (unsigned set = 0; set < 1u << count; ++set)
      if (separates(set))
        least = std::min(least, getCost(set));
    unsigned found = 0;
    for (unsigned n : cut.solve())
      found |= 1u << n;
    ASSERT_TRUE(separates(found)) << "seed " << seed;
    ASSERT_EQ(getCost(found), least) << "seed " << seed;
  }
}
