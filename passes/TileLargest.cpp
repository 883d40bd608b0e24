//===- TileLargest.cpp - Selections over keys, block by block --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A selection shares the loops over keys with other reductions (TileStream.cpp): it
// carries, for each row, the positions of the largest scores so far and the scores
// themselves, sorted. A score exists as long as its block.
//
//===----------------------------------------------------------------------===//

#include "passes/TileStream.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The list's axis comes first in its tiles, as the keys do in tiles of scores.
static SmallVector<StringRef, 3> putFirst(StringRef axis, AxisList axes) {
  return uniteAxes(axis, subtractAxes(axes, axis));
}

void PhaseEmitter::addLargest(LargestOp op, std::vector<KeyJob> &jobs) {
  KeyJob job = makeJob(op, op.getAxis(), op.getMask());
  Axes axes = putFirst(op.getInto(), mapAxes(getAxes(op.getResult()), getAnchorEnv(op)));
  Value none = arith::ConstantOp::create(tb.builder, tb.loc, tb.builder.getI64IntegerAttr(-1));
  job.tiles = {tb.fill(none, axes), tb.fill(tb.identity(ReduceKind::Max, tb.element), axes)};
  jobs.push_back(std::move(job));
}

SmallVector<Tile> PhaseEmitter::insertStep(const KeyBlock &block, const KeyJob &job,
                                           ArrayRef<Tile> carried) {
  auto op = cast<LargestOp>(job.op);
  const Tile &positions = carried[0], &values = carried[1];
  Tile scores =
      applyMask(block, get(op.getScore(), block.env), tb.identity(ReduceKind::Max, tb.element));
  scores = tb.spread(scores, uniteAxes({kKey}, ArrayRef(values.axes).drop_front()));
  auto inserted = tile::LargestOp::create(tb.builder, tb.loc, values.value.getType(),
                                          positions.value.getType(), scores.value,
                                          slots[block.slot].offset, values.value, positions.value);
  return {{inserted.getNewPositions(), positions.axes}, {inserted.getNewValues(), values.axes}};
}

void PhaseEmitter::defineLargest(LargestOp op, const KeyJob &job) {
  Env env = getAnchorEnv(op);
  define(op.getResult(), env, rowScope,
         tb.spread(job.tiles.front(), mapAxes(getAxes(op.getResult()), env)));
}
