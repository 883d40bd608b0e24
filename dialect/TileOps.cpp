//===- TileOps.cpp - The tile dialect and its verifiers ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace mix::tile;

#include "dialect/TileDialect.cpp.inc"
#include "dialect/TileEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/TileOps.cpp.inc"

void TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/TileOps.cpp.inc"
      >();
}

/// load_c1, load_c2, store_c1, store_c2.
static LogicalResult verifyAccess(Operation *op, MemRefType view, RankedTensorType tile,
                                  size_t numOffsets) {
  if (numOffsets != (size_t)view.getRank())
    return op->emitOpError("expects one offset per dimension of the view, got ")
           << numOffsets << " for rank " << view.getRank();
  if (tile.getRank() > view.getRank())
    return op->emitOpError("expects a tile of at most the view's rank ")
           << view.getRank() << ", got rank " << tile.getRank();
  Type tileElement = tile.getElementType(), viewElement = view.getElementType();
  bool isWider = isa<FloatType>(tileElement) && isa<FloatType>(viewElement) &&
                 tileElement.getIntOrFloatBitWidth() > viewElement.getIntOrFloatBitWidth();
  if (tileElement != viewElement && !isWider)
    return op->emitOpError("expects tile and view of one element type, or a tile of a wider real "
                           "type, got ")
           << tileElement << " and " << viewElement;
  return success();
}

LogicalResult LoadOp::verify() {
  return verifyAccess(*this, cast<MemRefType>(getView().getType()),
                      cast<RankedTensorType>(getResult().getType()), getOffsets().size());
}

LogicalResult StoreOp::verify() {
  return verifyAccess(*this, cast<MemRefType>(getView().getType()),
                      cast<RankedTensorType>(getTile().getType()), getOffsets().size());
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

LogicalResult BandOp::verify() {
  int64_t rank = shapeOf(getTile()).size(), rows = getRows(), columns = getColumns();
  // band_c1
  if (rows < 0 || columns < 0 || rows >= rank || columns >= rank || rows == columns)
    return emitOpError("expects 'rows' and 'columns' to be two dimensions of a tile of rank ")
           << rank << ", got " << rows << " and " << columns;
  // band_c2
  int64_t bounds = getBounds().size(), size = shapeOf(getTile())[rows];
  if (bounds == 0 || bounds % 2 != 0 || size % (bounds / 2) != 0)
    return emitOpError("expects two bounds for each of some groups that divide ")
           << size << " rows, got " << bounds << " bounds";
  return success();
}

LogicalResult ScanOp::verify() {
  // scan_c1
  if (shapeOf(getSource()).empty())
    return emitOpError("expects a tile with at least one axis");
  return success();
}

LogicalResult LargestOp::verify() {
  // largest_c1
  ArrayRef<int64_t> scores = shapeOf(getScores()), values = shapeOf(getValues());
  if (scores.empty() || values.empty() || scores.drop_front() != values.drop_front() ||
      getElementTypeOrSelf(getScores()) != getElementTypeOrSelf(getValues()))
    return emitOpError("expects lists with the axes of the scores after the first, got ")
           << getScores().getType() << " and " << getValues().getType();
  // largest_c2
  if (shapeOf(getPositions()) != values || !getElementTypeOrSelf(getPositions()).isInteger(64))
    return emitOpError("expects positions of the shape of the values and of type i64, got ")
           << getPositions().getType();
  return success();
}

LogicalResult DecayRatioOp::verify() {
  // decay_ratio_c1
  ArrayRef<int64_t> decay = shapeOf(getDecay()), result = shapeOf(getResult());
  if (decay.size() != 1 || result != ArrayRef<int64_t>({decay[0], decay[0]}))
    return emitOpError("expects a decay of shape C and a result of shape C x C");
  return success();
}

LogicalResult DecayedGramOp::verify() {
  // decayed_gram_c1
  ArrayRef<int64_t> x = shapeOf(getX()), result = shapeOf(getResult());
  if (x.size() != 2 || x != shapeOf(getY()) || x != shapeOf(getDecay()) ||
      result != ArrayRef<int64_t>({x[0], x[0]}))
    return emitOpError("expects operands of one shape C x K and a result of shape C x C");
  return success();
}

LogicalResult SolveOp::verify() {
  ArrayRef<int64_t> a = shapeOf(getA()), rhs = shapeOf(getRhs());
  int64_t group = getGroup();
  // solve_c1
  if (rhs.empty() || rhs.size() > 2 || a != ArrayRef<int64_t>({rhs[0], rhs[0]}) ||
      shapeOf(getResult()) != rhs)
    return emitOpError(
        "expects a matrix C x C and right-hand sides and result of shape C or C x V");
  if (group <= 0 || rhs[0] % group != 0)
    return emitOpError("expects 'group' to divide the number of rows ") << rhs[0];
  // solve_c2
  if (getScale() && shapeOf(getScale()) != rhs && shapeOf(getScale()) != rhs.take_front(1))
    return emitOpError("expects a scale of shape C or of the right-hand side's shape");
  if (getDecay() &&
      (rhs.size() != 2 || shapeOf(getDecay()) != ArrayRef<int64_t>({rhs[0] / group, rhs[1]})))
    return emitOpError("expects a decay of shape (C / group) x V");
  return success();
}

LogicalResult DecayedApplyOp::verify() {
  // decayed_apply_c1
  ArrayRef<int64_t> a = shapeOf(getA()), y = shapeOf(getY()), result = shapeOf(getResult());
  if (a.size() != 2 || y.size() != 2 || result.size() != 2 || shapeOf(getDecay()) != result ||
      (int64_t)getGroup() <= 0 || a[0] != result[0] || a[1] != y[0] || y[1] != result[1] ||
      a[1] != a[0] * (int64_t)getGroup())
    return emitOpError("expects A of shape C x (C group), Y of shape (C group) x V, "
                       "decay and result of shape C x V");
  return success();
}
