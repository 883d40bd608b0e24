//===- Homes.cpp - Where the tiles of a phase live --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Homes.h"
#include "codegen/TileStorage.h"
#include "dialect/Tile.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Alignment of every row, and the bytes after which banks repeat.
static constexpr int64_t kRowBytes = 16, kBankBytes = 128;

static int64_t getRowStride(int64_t size, Type element) {
  int64_t bytes = llvm::alignTo(size * getStorageBytes(element), kRowBytes);
  if (bytes % kBankBytes == 0)
    bytes += kRowBytes;
  return bytes / getStorageBytes(element);
}

SmallVector<int64_t> gpu::getTileStrides(ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> strides(shape.size(), 1);
  if (shape.size() < 2)
    return strides;
  strides[shape.size() - 2] = getRowStride(shape.back(), element);
  for (size_t dim = shape.size() - 2; dim-- > 0;)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  return strides;
}

int64_t gpu::getTileBytes(RankedTensorType type) {
  ArrayRef<int64_t> shape = type.getShape();
  Type element = type.getElementType();
  int64_t elements = shape.empty() ? 1 : shape.back();
  if (shape.size() >= 2)
    elements = getTileStrides(shape, element).front() * shape.front();
  return llvm::alignTo(elements * getStorageBytes(element), kRowBytes);
}

/// What the decays of EmitDecay.cpp keep per column of an operand.
static int64_t getTemporaryBytes(Operation *op) {
  if (auto apply = dyn_cast<tile::DecayedApplyOp>(op))
    return getTileBytes(cast<RankedTensorType>(apply.getY().getType()));
  if (auto solve = dyn_cast<tile::SolveOp>(op))
    return solve.getDecay() ? getTileBytes(cast<RankedTensorType>(solve.getRhs().getType())) : 0;
  return 0;
}

Homes::Homes(func::FuncOp phase, const Machine &machine) {
  auto needsShared = [&](Value tile) { return needsPlace(tile) && !getLayout(tile); };
  places = assignPlaces(phase, {needsShared, getTileBytes, getTemporaryBytes});
}

int64_t Homes::getOffset(Value tile) const {
  auto place = places.offsets.find(tile);
  return place == places.offsets.end() ? -1 : place->second;
}

const Layout *Homes::getLayout(Value tile) const {
  auto layout = layouts.find(tile);
  return layout == layouts.end() ? nullptr : layout->second.get();
}
