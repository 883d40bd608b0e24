//===- Memory.cpp - How tiles lie in memory ---------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Memory.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

static constexpr int64_t kCacheLine = 64;
/// Rows of at least this many cache lines get an odd number of them: a column
/// block of a matrix with a power of two row length would map to few cache sets.
static constexpr int64_t kLongRow = 4;

Type cpu::getStorageType(Type element) {
  if (element.isInteger(1))
    return IntegerType::get(element.getContext(), 8);
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  return element;
}

int64_t cpu::getStorageBytes(Type element) {
  return getStorageType(element).getIntOrFloatBitWidth() / 8;
}

Type cpu::getRealType(func::FuncOp phase) {
  for (Type type : phase.getArgumentTypes())
    if (auto view = dyn_cast<MemRefType>(type))
      if (isa<FloatType>(view.getElementType()))
        return view.getElementType();
  return Float32Type::get(phase.getContext());
}

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

/// Whether a reshape between the two shapes leaves rows (the last axis) as they
/// are, so that the strides of one give those of the other.
static bool keepsRows(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return !a.empty() && !b.empty() && a.back() == b.back();
}

/// Whether the tile's strides are those of `getTileStrides`: it has memory of its own,
/// or is a reshape of such.
static bool isDense(Value tile) {
  while (Value source = getViewSource(tile)) {
    if (tile.getDefiningOp<tensor::ExtractSliceOp>())
      return false;
    tile = source;
  }
  return true;
}

Value cpu::getViewSource(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (!op)
    return {};
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return slice.getSource();
  if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return {};
  Value source = op->getOperand(0);
  auto from = cast<RankedTensorType>(source.getType()), to = cast<RankedTensorType>(tile.getType());
  if (keepsRows(from.getShape(), to.getShape()) && isDense(source))
    return source;
  return {};
}

OpFoldResult cpu::getSplat(Value tile) {
  if (!isa<RankedTensorType>(tile.getType()))
    return {};
  Operation *op = tile.getDefiningOp();
  if (!op)
    return {};
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return isa<RankedTensorType>(fill.getInputs()[0].getType()) ? getSplat(fill.getInputs()[0])
                                                                : fill.getInputs()[0];
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return splat.getInput();
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op))
    return elements.getElements().size() == 1 ? OpFoldResult(elements.getElements()[0])
                                              : OpFoldResult();
  SplatElementsAttr constant;
  if (matchPattern(tile, m_Constant(&constant)))
    return constant.getSplatValue<Attribute>();
  if (isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return getSplat(op->getOperand(0));
  return {};
}

bool cpu::isUndefined(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (op && isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return isUndefined(op->getOperand(0));
  return op && isa<tensor::EmptyOp>(op);
}

bool cpu::needsPlace(Value tile) {
  return isa<RankedTensorType>(tile.getType()) && !isUndefined(tile) && !getSplat(tile) &&
         !getViewSource(tile);
}

int64_t cpu::getTemporaryBytes(Operation *op, int64_t lanes) {
  // The columns of the right factor, decayed up to the current row.
  if (auto gram = dyn_cast<tile::DecayedGramOp>(op)) {
    auto type = cast<RankedTensorType>(gram.getY().getType());
    auto transposed =
        RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
    return getTileBytes(transposed, lanes);
  }
  // The rows of the operand, decayed up to the current row.
  if (auto apply = dyn_cast<tile::DecayedApplyOp>(op))
    return getTileBytes(cast<RankedTensorType>(apply.getY().getType()), lanes);
  if (auto solve = dyn_cast<tile::SolveOp>(op))
    return solve.getDecay() ? getTileBytes(cast<RankedTensorType>(solve.getRhs().getType()), lanes)
                            : 0;
  return 0;
}
