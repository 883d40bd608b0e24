//===- TileLargest.cpp - Selections of the largest scores -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A selection among keys shares the loops over keys with other reductions (TileStream.cpp): it
// carries, for each row, the positions of the largest scores so far and the scores
// themselves, sorted. A score exists as long as its block.
//
// Along a feature axis all scores of a row are at hand, and an element is chosen if few
// enough are in front of it. That takes the square of the axis' size, but is elementwise:
// routers choose among tens.
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

/// The axis with which every element of a feature axis meets all others.
static constexpr llvm::StringLiteral kRival = "rival";

Tile PhaseEmitter::emitFeatureTopK(TopKOp op, const Env &env, unsigned scope) {
  Axes axes = getAxesOf(op.getResult(), env);
  StringRef axis = op.getAxis();
  Value lowest = tb.identity(ReduceKind::Max, tb.element);
  Tile scores = fuse(
      {Term(op.getScore(), env), Term(op.getMask(), env)}, axes, scope,
      [&](ElementBuilder &body) -> Value {
        return arith::SelectOp::create(body.builder, body.loc, body.elements[1], body.elements[0],
                                       lowest);
      },
      tb.element);
  tb.setSize(kRival, tb.getSize(axis));
  Axes pairs = uniteAxes(axes, {kRival});
  Value zero = tb.real(0), one = tb.real(1);
  auto compare = [](ElementBuilder &body, arith::CmpFPredicate predicate, Value a,
                    Value b) -> Value {
    return arith::CmpFOp::create(body.builder, body.loc, predicate, a, b);
  };
  Tile before = tb.reduce(
      ReduceKind::Sum, {scores, tb.rename(scores, axis, kRival)}, axes, {kRival},
      [&](ElementBuilder &body) -> Value {
        Value own = body.elements[0], rival = body.elements[1];
        Value isLarger = compare(body, arith::CmpFPredicate::OGT, rival, own);
        Value isEqual = compare(body, arith::CmpFPredicate::OEQ, rival, own);
        Value isFirst = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::ult,
                                              body.index(kRival), body.index(axis));
        Value isEqualFirst = arith::AndIOp::create(body.builder, body.loc, isEqual, isFirst);
        Value isBefore = arith::OrIOp::create(body.builder, body.loc, isLarger, isEqualFirst);
        return arith::SelectOp::create(body.builder, body.loc, isBefore, one, zero);
      },
      tb.element);
  Value most = tb.real(static_cast<double>(op.getN()));
  return tb.map(
      {before, scores}, axes,
      [&](ElementBuilder &body) -> Value {
        Value isNear = compare(body, arith::CmpFPredicate::OLT, body.elements[0], most);
        Value isAny = compare(body, arith::CmpFPredicate::OGT, body.elements[1], lowest);
        return arith::AndIOp::create(body.builder, body.loc, isNear, isAny);
      },
      tb.builder.getI1Type());
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
