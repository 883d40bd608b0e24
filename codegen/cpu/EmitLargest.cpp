//===- EmitLargest.cpp - Sorted lists of the largest scores -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lists of neighbouring columns stand side by side in the lanes. A row of scores walks
// down the lists, and from where it is larger it takes every place and carries on with
// what stood there. Most rows are larger than nothing in the lists; a comparison with
// the last place sees that.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/PhaseEmitter.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

LogicalResult PhaseEmitter::emitLargest(tile::LargestOp op) {
  Tile scores = getTile(op.getScores());
  Tile values = tiles[op.getNewValues()] = getPlace(op, 0);
  Tile positions = tiles[op.getNewPositions()] = getPlace(op, 1);
  k.copy(getTile(op.getValues()), values);
  k.copy(getTile(op.getPositions()), positions);
  Value first = k.toInt(getScalar(op.getFirst()));
  int64_t size = values.shape.front(), width = scores.rank() == 1 ? 1 : k.lanes;

  auto isLarger = [&](Value a, Value b) -> Value {
    return arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, a, b);
  };
  auto select = [&](Value condition, Value a, Value b) -> Value {
    return arith::SelectOp::create(k.b, k.loc, condition, a, b);
  };
  auto at = [&](const Tile &tile, Value place, Value column) {
    return k.add(column, k.scale(place, tile.strides.front()));
  };
  auto insert = [&](Value score, Value position, Value valueColumn, Value positionColumn) {
    Value none = k.zero(k.b.getI1Type(), width);
    k.loopCarrying(0, size, 1, {score, position, none},
                   [&](Value place, ValueRange carried) -> SmallVector<Value> {
                     Value valueAt = at(values, place, valueColumn);
                     Value positionAt = at(positions, place, positionColumn);
                     Value oldValue = k.read(values, valueAt, width);
                     Value oldPosition = k.read(positions, positionAt, width);
                     Value isPlaced = arith::OrIOp::create(k.b, k.loc, carried[2],
                                                           isLarger(carried[0], oldValue));
                     k.write(select(isPlaced, carried[0], oldValue), values, valueAt);
                     k.write(select(isPlaced, carried[1], oldPosition), positions, positionAt);
                     return {select(isPlaced, oldValue, carried[0]),
                             select(isPlaced, oldPosition, carried[1]), isPlaced};
                   });
  };
  auto insertColumns = [&](Value scoreColumn, Value valueColumn, Value positionColumn) {
    Value last = at(values, k.constant(size - 1), valueColumn);
    k.loop(0, scores.shape.front(), 1, [&](Value row) {
      Value score = k.read(scores, at(scores, row, scoreColumn), width);
      Value isAny = isLarger(score, k.read(values, last, width));
      if (width > 1)
        isAny = vector::ReductionOp::create(k.b, k.loc, vector::CombiningKind::OR, isAny);
      k.ifThen(isAny, [&] {
        insert(score, k.broadcast(k.add(first, row), width), valueColumn, positionColumn);
      });
    });
  };
  std::function<void(int64_t, Value, Value, Value)> walk = [&](int64_t dim, Value score,
                                                               Value value, Value position) {
    if (dim == scores.rank())
      return insertColumns(score, value, position);
    int64_t step = dim + 1 == scores.rank() ? width : 1;
    k.loop(0, scores.shape[dim], step, [&](Value iv) {
      walk(dim + 1, k.add(score, k.scale(iv, scores.strides[dim])),
           k.add(value, k.scale(iv, values.strides[dim])),
           k.add(position, k.scale(iv, positions.strides[dim])));
    });
  };
  walk(1, k.constant(0), k.constant(0), k.constant(0));
  return success();
}
