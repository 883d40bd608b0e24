//===- EmitLargest.cpp - Sorted lists of the largest scores -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread keeps one list. A score walks down the list, and from where it is larger it takes
// every place and carries on with what stood there. Most scores are larger than nothing in the
// list; a comparison with the last place sees that.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/PhaseEmitter.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

LogicalResult PhaseEmitter::emitLargest(tile::LargestOp op) {
  Tile scores = getTile(op.getScores());
  Tile values = tiles[op.getNewValues()] = getHome(op.getNewValues());
  Tile positions = tiles[op.getNewPositions()] = getHome(op.getNewPositions());
  copy(getTile(op.getValues()), values);
  copy(getTile(op.getPositions()), positions);
  access({scores.span, values.span, positions.span}, {values.span, positions.span});
  Value first = k.toInt64(getScalar(op.getFirst()));
  int64_t size = values.shape[0];

  auto isLarger = [&](Value x, Value y) -> Value {
    return arith::CmpFOp::create(k.b, arith::CmpFPredicate::OGT, x, y);
  };
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(k.b, condition, yes, no);
  };
  auto at = [](Value row, ArrayRef<Value> column) {
    SmallVector<Value> position = {row};
    position.append(column.begin(), column.end());
    return position;
  };
  auto insert = [&](Value score, Value position, ArrayRef<Value> column) {
    k.loopCarrying(k.constant(0), k.constant(size), 1, {score, position, k.zero(k.b.getI1Type())},
                   [&](Value place, ValueRange carried) -> SmallVector<Value> {
                     SmallVector<Value> here = at(place, column);
                     Value oldScore = read(values, here), oldPosition = read(positions, here);
                     Value isPlaced =
                         arith::OrIOp::create(k.b, carried[2], isLarger(carried[0], oldScore));
                     write(select(isPlaced, carried[0], oldScore), values, here);
                     write(select(isPlaced, carried[1], oldPosition), positions, here);
                     return {select(isPlaced, oldScore, carried[0]),
                             select(isPlaced, oldPosition, carried[1]), isPlaced};
                   });
  };
  k.forEachElement(ArrayRef(values.shape).drop_front(), [&](ArrayRef<Value> column) {
    k.loop(k.constant(0), k.constant(scores.shape[0]), 1, [&](Value row) {
      Value score = read(scores, at(row, column));
      Value last = read(values, at(k.constant(size - 1), column));
      k.ifThen(isLarger(score, last), [&] { insert(score, k.add(first, k.toInt64(row)), column); });
    });
  });
  return success();
}
