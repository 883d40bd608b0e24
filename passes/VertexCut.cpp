//===- VertexCut.cpp - The cheapest values to keep --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every node is an arc from its front (`2 + 2 n`) to its back, with the capacity of its
// cost; a maximum flow fills a minimum cut (Ford and Fulkerson, shortest paths first).
//
//===----------------------------------------------------------------------===//

#include "passes/VertexCut.h"
#include <algorithm>

using namespace mix;

static constexpr unsigned kSource = 0, kSink = 1;
static unsigned getFront(unsigned node) { return 2 + 2 * node; }
static unsigned getBack(unsigned node) { return 3 + 2 * node; }

VertexCut::VertexCut() : arcsOf(2) {}

void VertexCut::addArc(unsigned from, unsigned to, int64_t capacity) {
  arcsOf[from].push_back(arcs.size());
  arcs.push_back({to, capacity});
  arcsOf[to].push_back(arcs.size());
  arcs.push_back({from, 0});
}

unsigned VertexCut::addNode(int64_t cost) {
  arcsOf.resize(arcsOf.size() + 2);
  addArc(getFront(numNodes), getBack(numNodes), std::min(cost, kNever));
  return numNodes++;
}

void VertexCut::addEdge(unsigned from, unsigned to) {
  addArc(getBack(from), getFront(to), 2 * kNever);
}
void VertexCut::addEntry(unsigned node) { addArc(kSource, getFront(node), 2 * kNever); }
void VertexCut::addExit(unsigned node) { addArc(getBack(node), kSink, 2 * kNever); }

bool VertexCut::augment() {
  std::vector<int64_t> arcTo(arcsOf.size(), -1);
  std::vector<unsigned> queue = {kSource};
  for (size_t next = 0; next < queue.size() && arcTo[kSink] < 0; ++next)
    for (unsigned n : arcsOf[queue[next]])
      if (arcs[n].capacity > 0 && arcs[n].to != kSource && arcTo[arcs[n].to] < 0) {
        arcTo[arcs[n].to] = n;
        queue.push_back(arcs[n].to);
      }
  if (arcTo[kSink] < 0)
    return false;
  int64_t flow = 2 * kNever;
  for (unsigned at = kSink; at != kSource; at = arcs[arcTo[at] ^ 1].to)
    flow = std::min(flow, arcs[arcTo[at]].capacity);
  for (unsigned at = kSink; at != kSource; at = arcs[arcTo[at] ^ 1].to) {
    arcs[arcTo[at]].capacity -= flow;
    arcs[arcTo[at] ^ 1].capacity += flow;
  }
  return true;
}

llvm::SmallVector<unsigned> VertexCut::solve() {
  while (augment()) {
  }
  // What still reaches the sink lies behind the cut that is nearest to it.
  std::vector<bool> reaches(arcsOf.size(), false);
  std::vector<unsigned> work = {kSink};
  reaches[kSink] = true;
  while (!work.empty()) {
    unsigned at = work.back();
    work.pop_back();
    for (unsigned n : arcsOf[at]) {
      unsigned from = arcs[n].to;
      if (arcs[n ^ 1].capacity > 0 && !reaches[from]) {
        reaches[from] = true;
        work.push_back(from);
      }
    }
  }
  llvm::SmallVector<unsigned> cut;
  for (unsigned node = 0; node < numNodes; ++node)
    if (reaches[getBack(node)] && !reaches[getFront(node)])
      cut.push_back(node);
  return cut;
}
