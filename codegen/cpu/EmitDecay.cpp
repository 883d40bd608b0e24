//===- EmitDecay.cpp - Scans, decays, triangular systems --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All decays between rows are products formed row by row: no quotient and no
// exponential, so a decay of 0 is exact and nothing overflows.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Memory.h"
#include "codegen/cpu/PhaseEmitter.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Vectors of one row that a triangular solve works on side by side.
static constexpr int64_t kSolveVectors = 8;

/// Reads element (row, column) on; a rank-1 tile has one element per row.
static Value readAt(KernelBuilder &k, const Tile &tile, Value row, Value column, int64_t width) {
  SmallVector<Value> position = {row};
  if (tile.rank() == 2)
    position.push_back(column);
  return k.read(tile, k.offset(tile, position), width);
}

static void writeAt(KernelBuilder &k, Value value, const Tile &tile, Value row, Value column) {
  SmallVector<Value> position = {row};
  if (tile.rank() == 2)
    position.push_back(column);
  k.write(value, tile, k.offset(tile, position));
}

Tile PhaseEmitter::getTemporary(Operation *op) {
  return getScratch(op->getAttrOfType<IntegerAttr>(kTemporary).getInt(), getTemporaryType(op));
}

/// Whether all of the op's tiles have their lanes last in memory.
static LogicalResult checkContiguous(Operation *op, ArrayRef<Tile> tiles) {
  for (const Tile &tile : tiles)
    if (tile.inMemory() && tile.rank() > 0 && tile.strides.back() != 1)
      return op->emitError("expects operands that are contiguous along their last axis");
  return success();
}

LogicalResult PhaseEmitter::emitScan(tile::ScanOp op) {
  Tile source = getTile(op.getSource());
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  if (failed(checkContiguous(op, {source})))
    return failure();
  if (source.rank() == 0)
    return op.emitError("expects a tile with a first axis");
  double infinity = std::numeric_limits<double>::infinity();
  double neutral = 0;
  switch (op.getKind()) {
  case tile::ScanKind::Sum:
    neutral = 0;
    break;
  case tile::ScanKind::Prod:
    neutral = 1;
    break;
  case tile::ScanKind::Max:
    neutral = -infinity;
    break;
  case tile::ScanKind::Min:
    neutral = infinity;
    break;
  }
  auto combine = [&](Value a, Value b) -> Value {
    switch (op.getKind()) {
    case tile::ScanKind::Sum:
      return arith::AddFOp::create(k.b, k.loc, a, b);
    case tile::ScanKind::Prod:
      return arith::MulFOp::create(k.b, k.loc, a, b);
    case tile::ScanKind::Max:
      return arith::MaximumFOp::create(k.b, k.loc, a, b);
    case tile::ScanKind::Min:
      return arith::MinimumFOp::create(k.b, k.loc, a, b);
    }
    return {};
  };
  int64_t rows = source.shape.front(), width = source.rank() == 1 ? 1 : k.lanes;
  // All axes but the first are independent: one offset along them.
  auto scanColumn = [&](Value sourceOffset, Value resultOffset) {
    k.loopCarrying(0, rows, 1, k.real(source.element, neutral, width),
                   [&](Value iv, ValueRange carried) -> SmallVector<Value> {
                     Value row = op.getReverse() ? k.sub(k.constant(rows - 1), iv) : iv;
                     Value from = k.add(sourceOffset, k.scale(row, source.strides.front()));
                     Value to = k.add(resultOffset, k.scale(row, result.strides.front()));
                     Value total = combine(carried[0], k.read(source, from, width));
                     k.write(op.getExclusive() ? carried[0] : total, result, to);
                     return {total};
                   });
  };
  std::function<void(int64_t, Value, Value)> walk = [&](int64_t dim, Value from, Value to) {
    if (dim == source.rank())
      return scanColumn(from, to);
    bool last = dim + 1 == source.rank();
    k.loop(0, source.shape[dim], last ? width : 1, [&](Value iv) {
      walk(dim + 1, k.add(from, k.scale(iv, source.strides[dim])),
           k.add(to, k.scale(iv, result.strides[dim])));
    });
  };
  walk(1, k.constant(0), k.constant(0));
  return success();
}

/// Row t of the result, lanes along i: row t - 1 times decay[t], and 1 at i = t.
LogicalResult PhaseEmitter::emitDecayRatio(tile::DecayRatioOp op) {
  Tile decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  if (failed(checkContiguous(op, {decay})))
    return failure();
  int64_t rows = result.shape[0];
  Type element = result.element;
  k.loop(0, rows, k.lanes, [&](Value column) {
    Value lane =
        arith::AddIOp::create(k.b, k.loc, k.broadcast(column, k.lanes), k.step(k.b.getI64Type()));
    Value zero = k.zero(element, k.lanes), one = k.real(element, 1, k.lanes);
    k.loopCarrying(0, rows, 1, zero, [&](Value row, ValueRange carried) -> SmallVector<Value> {
      Value here = k.broadcast(row, k.lanes);
      Value before = k.compare(arith::CmpIPredicate::slt, lane, here);
      Value diagonal = k.compare(arith::CmpIPredicate::eq, lane, here);
      Value factor = k.broadcast(readAt(k, decay, row, {}, 1), k.lanes);
      Value next = arith::SelectOp::create(k.b, k.loc, diagonal, one, zero);
      next = arith::SelectOp::create(k.b, k.loc, before, k.multiply(carried[0], factor), next);
      writeAt(k, op.getExclusive() ? carried[0] : next, result, row, column);
      return {next};
    });
  });
  return success();
}

/// The sums over the lanes of 2 or 4 vectors, as a vector of as many elements.
static Value addLanes(KernelBuilder &k, ArrayRef<Value> vectors) {
  auto shuffle = [&](Value x, Value y, ArrayRef<int64_t> mask) -> Value {
    return vector::ShuffleOp::create(k.b, k.loc, x, y, mask);
  };
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(k.b, k.loc, x, y); };
  // Half as many vectors in each round, each with the partial sums of two next to each other,
  // in groups of as many lanes as there are sums.
  const int64_t group = vectors.size();
  SmallVector<Value> partial(vectors);
  for (int64_t width = 1; partial.size() > 1; width *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t first = 0; first < k.lanes; first += group)
      for (int64_t lane = 0; lane < group; ++lane) {
        // `width` partial sums of the first vector, then of the second, and so on.
        int64_t which = lane / width % 2, from = lane / (2 * width) * width + lane % width;
        low.push_back(which * k.lanes + first + from);
        high.push_back(which * k.lanes + first + group / 2 + from);
      }
    SmallVector<Value> next;
    for (size_t n = 0; n < partial.size(); n += 2)
      next.push_back(
          add(shuffle(partial[n], partial[n + 1], low), shuffle(partial[n], partial[n + 1], high)));
    partial = std::move(next);
  }
  Value sums = partial.front();
  for (int64_t lanes = k.lanes; lanes > group; lanes /= 2) {
    SmallVector<int64_t> lower = llvm::to_vector(llvm::seq<int64_t>(0, lanes / 2));
    SmallVector<int64_t> upper = llvm::to_vector(llvm::seq<int64_t>(lanes / 2, lanes));
    sums = add(shuffle(sums, sums, lower), shuffle(sums, sums, upper));
  }
  return sums;
}

/// Calls `body(channel, mask)` for the vectors of `size` channels, carrying values; the mask
/// says which lanes of the last vector are channels, and is null where all are.
static SmallVector<Value>
overChannels(KernelBuilder &k, int64_t size, ValueRange inits,
             llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  int64_t whole = size / k.lanes * k.lanes;
  SmallVector<Value> carried =
      k.loopCarrying(0, whole, k.lanes, inits,
                     [&](Value channel, ValueRange inner) { return body(channel, {}, inner); });
  if (whole == size)
    return carried;
  return body(k.constant(whole), k.mask(k.constant(size - whole)), carried);
}

/// Lanes along the channels. Row i of D holds y[i] decayed up to the current row t; rows that
/// are still to come hold anything.
LogicalResult PhaseEmitter::emitDecayedGram(tile::DecayedGramOp op) {
  Tile x = getTile(op.getX()), y = getTile(op.getY()), decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  if (failed(checkContiguous(op, {x, y, decay})))
    return failure();
  Tile decayed = getTemporary(op);
  int64_t rows = result.shape[0], channels = op.getX().getType().getShape()[1];
  int64_t columns = std::min(kGramColumns, k.lanes);
  Type element = result.element;
  Value zero = k.zero(element, k.lanes);
  // sum + a b, in lanes that are channels.
  auto addProduct = [&](Value a, Value b, Value sum, Value mask) -> Value {
    Value next = k.multiplyAdd(a, b, sum);
    return mask ? arith::SelectOp::create(k.b, k.loc, mask, next, sum).getResult() : next;
  };
  // The columns [first, first + columns) of a row, of which those before the diagonal count.
  auto emitColumns = [&](Value row, Value first) {
    SmallVector<Value> sums = overChannels(
        k, channels, SmallVector<Value>(columns, zero),
        [&](Value channel, Value mask, ValueRange carried) {
          Value factor = readAt(k, decay, row, channel, k.lanes);
          Value left = readAt(k, x, row, channel, k.lanes);
          SmallVector<Value> next;
          for (int64_t n = 0; n < columns; ++n) {
            Value column = k.add(first, k.constant(n));
            Value before = readAt(k, decayed, column, channel, k.lanes);
            Value now = k.multiply(before, factor);
            writeAt(k, now, decayed, column, channel);
            next.push_back(addProduct(left, op.getExclusive() ? before : now, carried[n], mask));
          }
          return next;
        });
    SmallVector<Attribute> offsets;
    for (int64_t n = 0; n < columns; ++n)
      offsets.push_back(k.b.getI64IntegerAttr(n));
    auto indices = VectorType::get({columns}, k.b.getI64Type());
    Value offset = arith::ConstantOp::create(k.b, k.loc, DenseElementsAttr::get(indices, offsets));
    Value isBefore =
        k.compare(arith::CmpIPredicate::slt, offset, k.broadcast(k.sub(row, first), columns));
    Value values =
        arith::SelectOp::create(k.b, k.loc, isBefore, addLanes(k, sums), k.zero(element, columns));
    writeAt(k, values, result, row, first);
  };
  k.loop(0, rows, 1, [&](Value row) {
    k.loop(0, rows, k.lanes, [&](Value column) { writeAt(k, zero, result, row, column); });
    k.loop(k.constant(0), row, columns, [&](Value first) { emitColumns(row, first); });
    Value diagonal =
        overChannels(k, channels, zero, [&](Value channel, Value mask, ValueRange carried) {
          Value own = readAt(k, y, row, channel, k.lanes);
          writeAt(k, own, decayed, row, channel);
          Value left = readAt(k, x, row, channel, k.lanes);
          return SmallVector<Value>{addProduct(left, own, carried.front(), mask)};
        })[0];
    if (op.getExclusive())
      return;
    Value sum = vector::ReductionOp::create(k.b, k.loc, vector::CombiningKind::ADD, diagonal,
                                            arith::FastMathFlags::reassoc);
    writeAt(k, sum, result, row, row);
  });
  return success();
}

namespace {

/// Rows of a triangular operator whose right-hand side has `lanes` columns to a vector,
/// or one column.
struct Columns {
  int64_t width;   ///< Elements per vector.
  int64_t count;   ///< Columns.
  int64_t vectors; ///< Vectors side by side.
  Columns(const Tile &tile, int64_t lanes) {
    width = tile.rank() == 1 ? 1 : lanes;
    count = tile.rank() == 1 ? 1 : tile.shape[1];
    vectors = 1;
    int64_t all = llvm::divideCeil(count, width);
    while (vectors < kSolveVectors && all % (2 * vectors) == 0)
      vectors *= 2;
  }
};

} // namespace

/// Forward substitution, `vectors` columns at a time. With a decay, D holds the rows
/// solved so far, decayed up to the row before the current one.
LogicalResult PhaseEmitter::emitSolve(tile::SolveOp op) {
  Tile a = getTile(op.getA()), rhs = getTile(op.getRhs());
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  Tile scale = op.getScale() ? getTile(op.getScale()) : Tile();
  Tile decay = op.getDecay() ? getTile(op.getDecay()) : Tile();
  if (failed(checkContiguous(op, {a, rhs, scale, decay})))
    return failure();
  int64_t rows = rhs.shape[0], group = op.getGroup();
  Columns columns(rhs, k.lanes);
  Tile solved = result;
  if (op.getDecay())
    solved = getTemporary(op);
  Type element = result.element;
  auto at = [&](Value column, int64_t vector) {
    return k.add(column, k.constant(vector * columns.width));
  };
  auto solveRow = [&](Value column, Value row, Value token) {
    SmallVector<Value> sums(columns.vectors, k.zero(element, columns.width));
    sums = k.loopCarrying(
        k.constant(0), k.scale(token, group), 1, sums, [&](Value i, ValueRange carried) {
          SmallVector<Value> next;
          Value factor = k.broadcast(readAt(k, a, row, i, 1), columns.width);
          for (int64_t v = 0; v < columns.vectors; ++v)
            next.push_back(k.multiplyAdd(factor, readAt(k, solved, i, at(column, v), columns.width),
                                         carried[v]));
          return next;
        });
    for (int64_t v = 0; v < columns.vectors; ++v) {
      Value value = readAt(k, rhs, row, at(column, v), columns.width);
      if (!op.getScale()) {
        value = arith::AddFOp::create(k.b, k.loc, value, sums[v]);
      } else {
        bool perRow = scale.rank() == 1;
        Value factor = readAt(k, scale, row, at(column, v), perRow ? 1 : columns.width);
        value = k.multiplyAdd(k.broadcast(factor, columns.width), sums[v], value);
      }
      writeAt(k, value, result, row, at(column, v));
    }
  };
  k.loop(0, columns.count, columns.width * columns.vectors, [&](Value column) {
    k.loop(0, rows / group, 1, [&](Value token) {
      Value first = k.scale(token, group);
      k.loop(0, group, 1, [&](Value member) { solveRow(column, k.add(first, member), token); });
      if (!op.getDecay())
        return;
      for (int64_t v = 0; v < columns.vectors; ++v) {
        // Rows of later tokens see this token's rows undecayed, and earlier rows
        // decayed by this token too.
        Value factor = readAt(k, decay, token, at(column, v), columns.width);
        k.loop(k.constant(0), first, 1, [&](Value i) {
          Value old = readAt(k, solved, i, at(column, v), columns.width);
          writeAt(k, k.multiply(old, factor), solved, i, at(column, v));
        });
        k.loop(0, group, 1, [&](Value member) {
          Value row = k.add(first, member);
          writeAt(k, readAt(k, result, row, at(column, v), columns.width), solved, row,
                  at(column, v));
        });
      }
    });
  });
  return success();
}

/// D holds the rows of Y, decayed up to the current row, or, if exclusive, to the one before.
LogicalResult PhaseEmitter::emitDecayedApply(tile::DecayedApplyOp op) {
  Tile a = getTile(op.getA()), y = getTile(op.getY()), decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  if (failed(checkContiguous(op, {a, y, decay})))
    return failure();
  int64_t rows = result.shape[0], group = op.getGroup();
  Tile decayed = getTemporary(op);
  Type element = result.element;
  k.loop(0, result.shape[1], k.lanes, [&](Value column) {
    k.loop(0, rows, 1, [&](Value token) {
      Value first = k.scale(token, group), last = k.add(first, k.constant(group));
      Value factor = readAt(k, decay, token, column, k.lanes);
      Value sum = k.zero(element, k.lanes);
      sum = k.loopCarrying(
          k.constant(0), first, 1, sum, [&](Value i, ValueRange carried) -> SmallVector<Value> {
            Value weight = k.broadcast(readAt(k, a, token, i, 1), k.lanes);
            Value old = readAt(k, decayed, i, column, k.lanes);
            Value next = k.multiply(old, factor);
            writeAt(k, next, decayed, i, column);
            return {k.multiplyAdd(weight, op.getExclusive() ? old : next, carried[0])};
          })[0];
      sum = k.loopCarrying(first, last, 1, sum,
                           [&](Value i, ValueRange carried) -> SmallVector<Value> {
                             Value own = readAt(k, y, i, column, k.lanes);
                             writeAt(k, own, decayed, i, column);
                             if (op.getExclusive())
                               return {carried[0]};
                             Value weight = k.broadcast(readAt(k, a, token, i, 1), k.lanes);
                             return {k.multiplyAdd(weight, own, carried[0])};
                           })[0];
      writeAt(k, sum, result, token, column);
    });
  });
  return success();
}
