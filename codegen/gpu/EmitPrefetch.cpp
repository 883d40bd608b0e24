//===- EmitPrefetch.cpp - Loads of the next round ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tiles of the first round are there before the loop starts. Every round starts the copies
// of the next one into the buffers that the round before has left, which the barrier between
// rounds makes sure of; that barrier also waits for the copies, which had a round's time.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/PhaseEmitter.h"
#include "codegen/gpu/Prefetches.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// The buffer 0 or 1 of a tile that is loaded ahead.
Tile PhaseEmitter::getBuffer(Value value, Value which) {
  Tile tile = getHome(value);
  int64_t bytes = tile.span.end - tile.span.begin;
  tile.pointer = LLVM::GEPOp::create(k.b, tile.pointer.getType(), k.b.getI8Type(), tile.pointer,
                                     k.scale(which, bytes), LLVM::GEPNoWrapFlags::inbounds);
  tile.span.end += bytes;
  return tile;
}

/// Loads what the round at `position` needs of what is loaded ahead.
LogicalResult PhaseEmitter::prefetch(scf::ForOp loop, Value position, Value which) {
  // The body computes its own offsets, for its own round.
  IRMapping ownScalars = scalars;
  scalars.map(loop.getInductionVar(), position);
  for (tile::LoadOp load : homes.getPrefetches(loop)) {
    for (Operation *op : getOffsetOps(loop, load))
      if (failed(emitOp(*op)))
        return failure();
    if (failed(loadTile(load, getBuffer(load.getResult(), which))))
      return failure();
  }
  scalars = ownScalars;
  return success();
}

/// Before the loop: the tiles of its first round.
LogicalResult PhaseEmitter::startPrefetches(scf::ForOp loop) {
  SmallVector<Span> writes;
  for (tile::LoadOp load : homes.getPrefetches(loop))
    writes.push_back(getBuffer(load.getResult(), k.constant(0)).span);
  access({}, writes);
  if (failed(prefetch(loop, getScalar(loop.getLowerBound()), k.constant(0))))
    return failure();
  wait();
  return success();
}

/// At the start of a round, in the emitted body: starts the loads of the next round, if there is
/// one, into the buffers `which` leaves, and makes the tiles of this round known.
LogicalResult PhaseEmitter::continuePrefetches(scf::ForOp loop, Value which, Value other) {
  Value next = k.add(getScalar(loop.getInductionVar()), getScalar(loop.getStep()));
  Value isRound = k.compare(arith::CmpIPredicate::slt, next, getScalar(loop.getUpperBound()));
  // Only the end of the round waits for these copies.
  bool others = copiesInFlight;
  LogicalResult result = success();
  k.ifThen(isRound, [&] { result = prefetch(loop, next, other); });
  copiesInFlight = others;
  for (tile::LoadOp load : homes.getPrefetches(loop))
    tiles[load.getResult()] = getBuffer(load.getResult(), which);
  return result;
}
