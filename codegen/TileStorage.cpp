//===- TileStorage.cpp - Which tiles need memory --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/TileStorage.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;

Type mix::getStorageType(Type element) {
  if (element.isInteger(1))
    return IntegerType::get(element.getContext(), 8);
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  if (element.isBF16() || element.isF16())
    return IntegerType::get(element.getContext(), 16);
  return element;
}

int64_t mix::getStorageBytes(Type element) {
  return getStorageType(element).getIntOrFloatBitWidth() / 8;
}

Type mix::getRealType(func::FuncOp phase) {
  for (Type type : phase.getArgumentTypes())
    if (auto view = dyn_cast<MemRefType>(type))
      if (view.getElementType().isF64())
        return view.getElementType();
  return Float32Type::get(phase.getContext());
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

Value mix::getViewSource(Value tile) {
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

OpFoldResult mix::getSplatScalar(Value tile) {
  if (!isa<RankedTensorType>(tile.getType()))
    return {};
  Operation *op = tile.getDefiningOp();
  if (!op)
    return {};
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return isa<RankedTensorType>(fill.getInputs()[0].getType())
               ? getSplatScalar(fill.getInputs()[0])
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
    return getSplatScalar(op->getOperand(0));
  return {};
}

Value mix::buildSplatScalar(OpBuilder &builder, Location loc, Value tile,
                            const IRMapping &scalars) {
  OpFoldResult splat = getSplatScalar(tile);
  if (auto constant = dyn_cast_if_present<Attribute>(splat))
    return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(constant));
  return splat ? scalars.lookupOrDefault(cast<Value>(splat)) : Value();
}

bool mix::isUndefined(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (op && isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return isUndefined(op->getOperand(0));
  return op && isa<tensor::EmptyOp>(op);
}

bool mix::needsPlace(Value tile) {
  return isa<RankedTensorType>(tile.getType()) && !isUndefined(tile) && !getSplatScalar(tile) &&
         !getViewSource(tile);
}
