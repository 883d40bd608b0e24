//===- Bands.cpp - Parts of tiles that matter -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Bands.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// The result that the user makes of the tile element by element, if it makes only that.
static Value getElementwiseResult(OpOperand &use) {
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  if (!op || op->getNumResults() != 1 || op.getNumLoops() != op.getNumParallelLoops() ||
      !op.isDpsInput(&use))
    return {};
  AffineMap out = op.getIndexingMapsArray().back();
  return out.isPermutation() && op.getMatchingIndexingMap(&use) == out ? op->getResult(0) : Value();
}

static tile::BandOp findPromise(Value tile) {
  for (Operation *user : tile.getUsers())
    if (auto band = dyn_cast<tile::BandOp>(user))
      return band;
  if (!tile.hasOneUse())
    return {};
  Value result = getElementwiseResult(*tile.use_begin());
  return result ? findPromise(result) : tile::BandOp();
}

std::optional<Band> Band::find(KernelBuilder &k, Value tile, const IRMapping &scalars) {
  tile::BandOp promise = findPromise(tile);
  if (!promise ||
      !llvm::all_of(promise.getBounds(), [&](Value bound) { return scalars.contains(bound); }))
    return std::nullopt;
  Band band;
  band.rows = promise.getRows();
  band.columns = promise.getColumns();
  band.groupSize = promise.getGroupSize();
  for (auto [n, bound] : llvm::enumerate(promise.getBounds()))
    (n % 2 ? band.ends : band.firsts).push_back(k.toInt(scalars.lookup(bound)));
  return band;
}

Value Band::get(KernelBuilder &k, ArrayRef<Value> bounds, Value row) const {
  Value bound = bounds.back();
  for (int64_t group = bounds.size() - 2; group >= 0; --group) {
    Value isBefore = k.compare(arith::CmpIPredicate::slt, row, k.constant((group + 1) * groupSize));
    bound = arith::SelectOp::create(k.b, k.loc, isBefore, bounds[group], bound);
  }
  return bound;
}

Band::Range Band::getColumns(KernelBuilder &k, Value row, int64_t count) const {
  Range range = {get(k, firsts, row), get(k, ends, row)};
  // The last of the rows may be in a group that none of the steps of a group's size meets.
  for (int64_t next = groupSize; next < count + groupSize - 1; next += groupSize) {
    Value at = k.add(row, k.constant(std::min(next, count - 1)));
    range.first = arith::MinSIOp::create(k.b, k.loc, range.first, get(k, firsts, at));
    range.end = arith::MaxSIOp::create(k.b, k.loc, range.end, get(k, ends, at));
  }
  return range;
}
