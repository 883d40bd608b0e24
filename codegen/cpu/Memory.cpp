//===- Memory.cpp - How tiles lie in memory ---------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Memory.h"
#include "dialect/Tile.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Rows of at least this many cache lines get an odd number of them: a column
/// block of a matrix with a power of two row length would map to few cache sets.
static constexpr int64_t kLongRow = 4;

int64_t cpu::getPhaseLanes(func::FuncOp phase, const Chip &chip) {
  return chip.getLanes(getStorageBytes(getRealType(phase)));
}

/// Elements from one row to the next, for rows of `size` elements.
static int64_t getRowStride(int64_t size, Type element, int64_t lanes) {
  int64_t bytes = getStorageBytes(element);
  int64_t stride = llvm::alignTo(size, lanes);
  int64_t lines = llvm::divideCeil(stride * bytes, kCacheLine);
  if (lines < kLongRow)
    return stride;
  return (lines | 1) * kCacheLine / bytes;
}

SmallVector<int64_t> cpu::getTileStrides(ArrayRef<int64_t> shape, Type element, int64_t lanes) {
  SmallVector<int64_t> strides(shape.size(), 1);
  if (shape.size() < 2)
    return strides;
  strides[shape.size() - 2] = getRowStride(shape.back(), element, lanes);
  for (size_t d = shape.size() - 2; d-- > 0;)
    strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

int64_t cpu::getTileBytes(RankedTensorType type, int64_t lanes) {
  int64_t elements = 1;
  if (type.getRank() > 0)
    elements = getRowStride(type.getShape().back(), type.getElementType(), lanes);
  for (int64_t size : type.getShape().drop_back(type.getRank() > 0 ? 1 : 0))
    elements *= size;
  return llvm::alignTo(elements * getStorageBytes(type.getElementType()), kCacheLine);
}

RankedTensorType cpu::getTemporaryType(Operation *op) {
  if (auto gram = dyn_cast<tile::DecayedGramOp>(op)) {
    RankedTensorType rows = gram.getY().getType();
    int64_t numRows = llvm::alignTo(rows.getDimSize(0), kGramColumns);
    return rows.clone({numRows, rows.getDimSize(1)});
  }
  if (auto apply = dyn_cast<tile::DecayedApplyOp>(op))
    return cast<RankedTensorType>(apply.getY().getType());
  if (auto solve = dyn_cast<tile::SolveOp>(op); solve && solve.getDecay())
    return cast<RankedTensorType>(solve.getRhs().getType());
  return {};
}

int64_t cpu::getTemporaryBytes(Operation *op, int64_t lanes) {
  RankedTensorType type = getTemporaryType(op);
  return type ? getTileBytes(type, lanes) : 0;
}
