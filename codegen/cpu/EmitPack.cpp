//===- EmitPack.cpp - Pairs of elements that are neighbours in memory -------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pairs along the lanes lie in memory as their elements do: making them is a copy of rows, which
// rounds where the source is wider. (Pairs along another axis are elementwise work.)
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LinalgLoops.h"
#include "codegen/cpu/Memory.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// A tile of pairs as the tile of their elements, along its last axis.
static Tile getElements(Tile pairs, Type element) {
  pairs.element = element;
  for (int64_t &stride : MutableArrayRef(pairs.strides).drop_back())
    stride *= 2;
  pairs.shape.back() *= 2;
  return pairs;
}

bool PhaseEmitter::emitPack(LinalgLoops &loops) {
  auto pair = loops.op->getAttrOfType<IntegerAttr>(kPackAttr);
  const Tile &source = loops.operands[0], &target = loops.results[0];
  // The other axes have one order in both.
  if (!pair || !source.inMemory() ||
      loops.accesses[0].getStride(pair.getInt(), source.strides) != 2 ||
      loops.accesses.back().getStride(pair.getInt(), target.strides) != 1)
    return false;
  k.copy(source, getElements(target, k.b.getBF16Type()));
  return true;
}
