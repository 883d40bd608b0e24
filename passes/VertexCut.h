//===- VertexCut.h - The cheapest values to keep ----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A minimum vertex cut of a directed graph: the cheapest set of nodes that every path
// from an entry to an exit meets. Of several it is the one nearest to the exits.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_VERTEXCUT_H
#define MIXWRIGHT_PASSES_VERTEXCUT_H

#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <vector>

namespace mix {

class VertexCut {
public:
  /// The cost of a node that must not be in the cut.
  static constexpr int64_t kNever = int64_t(1) << 50;

  VertexCut();
  /// Yields the number of the node: 0, 1, 2, ...
  unsigned addNode(int64_t cost);
  void addEdge(unsigned from, unsigned to);
  void addEntry(unsigned node);
  void addExit(unsigned node);

  /// The nodes of the cut, in order. Some may cost `kNever` if there is no other cut.
  llvm::SmallVector<unsigned> solve();

private:
  /// Half of an arc of the flow network: arc `n ^ 1` is its reverse.
  struct Arc {
    unsigned to;
    int64_t capacity;
  };
  void addArc(unsigned from, unsigned to, int64_t capacity);
  bool augment();

  std::vector<Arc> arcs;
  std::vector<llvm::SmallVector<unsigned>> arcsOf;
  unsigned numNodes = 0;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_VERTEXCUT_H
