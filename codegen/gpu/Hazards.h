//===- Hazards.h - Where threads must wait for each other -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the threads of a block have accessed since their last barrier. An access that
// meets another of the same bytes, one of them a write, by perhaps another thread needs a
// barrier between.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_HAZARDS_H
#define MIXWRIGHT_CODEGEN_GPU_HAZARDS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>

namespace mix::gpu {

/// Bytes [begin, end) of a memory: 0 is shared memory, others are tensors of the caller.
struct Span {
  int64_t memory, begin, end;
  bool isPanels = false; ///< Of a tile that the matrix unit reads by itself (JointUnit.h).
  bool overlaps(const Span &other) const {
    return memory == other.memory && begin < other.end && other.begin < end;
  }
};

class Hazards {
public:
  /// Whether an op with these accesses must wait for what was accessed before.
  bool conflict(llvm::ArrayRef<Span> reads, llvm::ArrayRef<Span> writes) const;
  void add(llvm::ArrayRef<Span> reads, llvm::ArrayRef<Span> writes);
  /// After a barrier.
  void clear();
  /// Whether what was written are panels.
  bool writesPanels() const;
  bool isEmpty() const { return reads.empty() && writes.empty(); }
  /// Where two paths meet: what was accessed on either.
  void merge(const Hazards &other);

private:
  llvm::SmallVector<Span, 8> reads, writes;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_HAZARDS_H
