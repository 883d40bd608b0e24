//===- Hazards.cpp - Where threads must wait for each other -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Hazards.h"
#include "llvm/ADT/STLExtras.h"

using namespace mix::gpu;

static bool anyOverlap(llvm::ArrayRef<Span> a, llvm::ArrayRef<Span> b) {
  return llvm::any_of(a, [&](const Span &x) {
    return llvm::any_of(b, [&](const Span &y) { return x.overlaps(y); });
  });
}

bool Hazards::conflict(llvm::ArrayRef<Span> newReads, llvm::ArrayRef<Span> newWrites) const {
  return anyOverlap(newReads, writes) || anyOverlap(newWrites, writes) ||
         anyOverlap(newWrites, reads);
}

void Hazards::add(llvm::ArrayRef<Span> newReads, llvm::ArrayRef<Span> newWrites) {
  reads.append(newReads.begin(), newReads.end());
  writes.append(newWrites.begin(), newWrites.end());
}

bool Hazards::writesPanels() const {
  return llvm::any_of(writes, [](const Span &span) { return span.isPanels; });
}

void Hazards::clear() {
  reads.clear();
  writes.clear();
}

void Hazards::merge(const Hazards &other) { add(other.reads, other.writes); }
