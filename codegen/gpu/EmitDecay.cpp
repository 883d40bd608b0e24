//===- EmitDecay.cpp - Scans, decays, triangular systems --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All of these are recurrences along the rows of a chunk that do not mix columns: a thread
// takes a column and walks down it, so nothing waits.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/PhaseEmitter.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

using arith::CmpIPredicate;

/// Channels of a decayed Gram matrix that a thread carries at a time.
static constexpr int64_t kChannels = 8;
/// Rows of a triangular system that a thread solves for at a time.
static constexpr int64_t kSolvedRows = 16;

static SmallVector<Value> prepend(Value first, ArrayRef<Value> rest) {
  SmallVector<Value> position = {first};
  position.append(rest.begin(), rest.end());
  return position;
}

static Value select(KernelBuilder &k, Value condition, Value yes, Value no) {
  return arith::SelectOp::create(k.b, condition, yes, no);
}

static Value product(KernelBuilder &k, Value x, Value y) {
  return arith::MulFOp::create(k.b, x, y);
}

static Value combine(KernelBuilder &k, tile::ScanKind kind, Value x, Value y) {
  switch (kind) {
  case tile::ScanKind::Sum:
    return arith::AddFOp::create(k.b, x, y);
  case tile::ScanKind::Prod:
    return arith::MulFOp::create(k.b, x, y);
  case tile::ScanKind::Max:
    return arith::MaximumFOp::create(k.b, x, y);
  case tile::ScanKind::Min:
    return arith::MinimumFOp::create(k.b, x, y);
  }
  return x;
}

static double getIdentity(tile::ScanKind kind) {
  switch (kind) {
  case tile::ScanKind::Sum:
    return 0;
  case tile::ScanKind::Prod:
    return 1;
  case tile::ScanKind::Max:
    return -std::numeric_limits<double>::infinity();
  case tile::ScanKind::Min:
    return std::numeric_limits<double>::infinity();
  }
  return 0;
}

LogicalResult PhaseEmitter::emitScan(tile::ScanOp op) {
  Tile source = getTile(op.getSource()), result = tiles[op.getResult()] = getHome(op.getResult());
  access({source.span}, {result.span});
  int64_t rows = result.shape[0];
  k.forEachElement(ArrayRef(result.shape).drop_front(), [&](ArrayRef<Value> column) {
    k.loopCarrying(k.constant(0), k.constant(rows), 1, {k.real(getIdentity(op.getKind()))},
                   [&](Value step, ValueRange carried) -> SmallVector<Value> {
                     Value row = op.getReverse() ? k.sub(k.constant(rows - 1), step) : step;
                     SmallVector<Value> at = prepend(row, column);
                     Value total = combine(k, op.getKind(), carried[0], read(source, at));
                     write(op.getExclusive() ? carried[0] : total, result, at);
                     return {total};
                   });
  });
  return success();
}

/// Column i: the product starts as 1 at row i and takes in one row after the other.
LogicalResult PhaseEmitter::emitDecayRatio(tile::DecayRatioOp op) {
  Tile decay = getTile(op.getDecay()), result = tiles[op.getResult()] = getHome(op.getResult());
  access({decay.span}, {result.span});
  int64_t rows = result.shape[0];
  bool exclusive = op.getExclusive();
  k.forEachElement({rows}, [&](ArrayRef<Value> column) {
    Value i = column[0];
    k.loopCarrying(
        k.constant(0), k.constant(rows), 1, {k.real(1)},
        [&](Value t, ValueRange carried) -> SmallVector<Value> {
          Value started = k.compare(CmpIPredicate::slt, i, t);
          Value next = select(k, started, product(k, carried[0], read(decay, {t})), k.real(1));
          Value inside = exclusive ? started : k.compare(CmpIPredicate::sle, i, t);
          write(select(k, inside, exclusive ? carried[0] : next, k.real(0)), result, {t, i});
          return {next};
        });
  });
  return success();
}

/// Threads are columns i times slices of the channels. A thread carries y[i, d], decayed up
/// to row t, of a few channels down its column; slices are neighbouring lanes and are summed.
LogicalResult PhaseEmitter::emitDecayedGram(tile::DecayedGramOp op) {
  Tile x = getTile(op.getX()), y = getTile(op.getY()), decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getHome(op.getResult());
  access({x.span, y.span, decay.span}, {result.span});
  int64_t rows = x.shape[0], channels = x.shape[1];
  int64_t slices = 1;
  while (slices < k.chip.warp && 2 * slices * rows <= k.chip.threads && 2 * slices <= channels)
    slices *= 2;
  bool exclusive = op.getExclusive();
  Value slice = k.remainder(k.thread, slices), first = k.divide(k.thread, slices);

  auto emitChannels = [&](Value i, Value isColumn, int64_t from) {
    SmallVector<Value> places, carried;
    for (int64_t n = 0; n < kChannels && from + n * slices < channels; ++n) {
      Value d = k.add(slice, k.constant(from + n * slices));
      bool mayExceed = from + n * slices + slices > channels;
      Value isChannel = mayExceed ? k.isLess(d, channels) : Value();
      places.push_back(mayExceed ? select(k, isChannel, d, k.constant(0)) : d);
      Value start = read(y, {i, places.back()});
      carried.push_back(mayExceed ? select(k, isChannel, start, k.real(0)) : start);
    }
    SmallVector<Value> starts = carried;
    k.loopCarrying(
        k.constant(0), k.constant(rows), 1, carried,
        [&](Value t, ValueRange carried) -> SmallVector<Value> {
          Value started = k.compare(CmpIPredicate::slt, i, t);
          SmallVector<Value> next;
          Value sum = k.real(0);
          for (auto [n, d] : llvm::enumerate(places)) {
            next.push_back(
                select(k, started, product(k, carried[n], read(decay, {t, d})), starts[n]));
            sum = k.multiplyAdd(read(x, {t, d}), exclusive ? carried[n] : next.back(), sum);
          }
          sum = k.sumOverLanes(sum, 1, slices);
          Value inside = exclusive ? started : k.compare(CmpIPredicate::sle, i, t);
          sum = select(k, inside, sum, k.real(0));
          k.ifThen(k.both(isColumn, slices > 1 ? k.isLess(slice, 1) : Value()), [&] {
            if (from > 0)
              sum = arith::AddFOp::create(k.b, sum, read(result, {t, i}));
            write(sum, result, {t, i});
          });
          return next;
        });
  };
  int64_t columns = k.chip.threads / slices;
  // All lanes take part in the sums, so threads without a column repeat the last one.
  auto emitColumn = [&](Value wanted) {
    Value isColumn = rows % columns ? k.isLess(wanted, rows) : Value();
    Value i = isColumn ? select(k, isColumn, wanted, k.constant(rows - 1)) : wanted;
    for (int64_t from = 0; from < channels; from += kChannels * slices)
      emitChannels(i, isColumn, from);
  };
  for (int64_t column = 0; column < rows; column += columns)
    emitColumn(k.add(first, k.constant(column)));
  return success();
}

/// A thread solves for one column of the right-hand side, a few rows at a time: the sums of these
/// over the rows before do not wait for each other, and what they take of each other stays in
/// registers.
LogicalResult PhaseEmitter::emitSolve(tile::SolveOp op) {
  if (op.getDecay())
    return emitDecayedSolve(op);
  Tile a = getTile(op.getA()), rhs = getTile(op.getRhs());
  Tile result = tiles[op.getResult()] = getHome(op.getResult());
  Tile scale;
  if (op.getScale())
    scale = getTile(op.getScale());
  access({a.span, rhs.span, scale.span}, {result.span});
  int64_t rows = rhs.shape[0], group = op.getGroup();
  // Rows of one token do not see each other, so a token is not split.
  int64_t height = std::max<int64_t>(kSolvedRows / group, 1) * group;

  auto solveRows = [&](Value begin, int64_t count, ArrayRef<Value> column) {
    auto rowOf = [&](int64_t r) { return k.add(begin, k.constant(r)); };
    SmallVector<Value> sums = k.loopCarrying(
        k.constant(0), begin, 1, SmallVector<Value>(count, k.real(0)),
        [&](Value i, ValueRange carried) {
          Value solved = read(result, prepend(i, column));
          SmallVector<Value> next;
          for (int64_t r = 0; r < count; ++r)
            next.push_back(k.multiplyAdd(read(a, {rowOf(r), i}), solved, carried[r]));
          return next;
        });
    SmallVector<Value> values;
    for (int64_t r = 0; r < count; ++r) {
      Value t = rowOf(r), sum = sums[r];
      for (int64_t i = 0; i < r / group * group; ++i)
        sum = k.multiplyAdd(read(a, {t, rowOf(i)}), values[i], sum);
      SmallVector<Value> at = prepend(t, column);
      if (op.getScale())
        sum = product(k, sum, scale.shape.size() == 1 ? read(scale, {t}) : read(scale, at));
      values.push_back(arith::AddFOp::create(k.b, read(rhs, at), sum));
      write(values.back(), result, at);
    }
  };
  int64_t rest = rows % height;
  k.forEachElement(ArrayRef(rhs.shape).drop_front(), [&](ArrayRef<Value> column) {
    k.loop(k.constant(0), k.constant(rows - rest), height,
           [&](Value begin) { solveRows(begin, height, column); });
    if (rest > 0)
      solveRows(k.constant(rows - rest), rest, column);
  });
  return success();
}

/// A thread solves for one column: it keeps the rows of the solution in memory, decayed up to the
/// current row.
LogicalResult PhaseEmitter::emitDecayedSolve(tile::SolveOp op) {
  Tile a = getTile(op.getA()), rhs = getTile(op.getRhs()), decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getHome(op.getResult());
  Tile scale;
  if (op.getScale())
    scale = getTile(op.getScale());
  Tile solved = getShared(homes.getTemporary(op), cast<RankedTensorType>(op.getRhs().getType()));
  access({a.span, rhs.span, scale.span, decay.span}, {result.span, solved.span});
  int64_t rows = rhs.shape[0], group = op.getGroup();
  k.forEachElement(ArrayRef(rhs.shape).drop_front(), [&](ArrayRef<Value> column) {
    k.loop(k.constant(0), k.constant(rows), 1, [&](Value t) {
      Value token = k.divide(t, group), before = k.scale(token, group);
      // The decay of the token before comes in with the first row of each token.
      Value last = k.sub(before, k.constant(group));
      k.ifThen(k.compare(CmpIPredicate::eq, t, before), [&] {
        k.loop(k.constant(0), last, 1, [&](Value i) {
          SmallVector<Value> at = prepend(i, column);
          Value factor = read(decay, prepend(k.sub(token, k.constant(1)), column));
          write(product(k, read(solved, at), factor), solved, at);
        });
      });
      SmallVector<Value> at = prepend(t, column);
      Value sum = k.loopCarrying(
          k.constant(0), before, 1, {k.real(0)},
          [&](Value i, ValueRange carried) -> SmallVector<Value> {
            return {k.multiplyAdd(read(a, {t, i}), read(solved, prepend(i, column)), carried[0])};
          })[0];
      if (op.getScale())
        sum = product(k, sum, scale.shape.size() == 1 ? read(scale, {t}) : read(scale, at));
      Value value = arith::AddFOp::create(k.b, read(rhs, at), sum);
      write(value, result, at);
      write(value, solved, at);
    });
  });
  return success();
}

/// A thread takes one column: it keeps the rows of y in memory, decayed up to the current row.
LogicalResult PhaseEmitter::emitDecayedApply(tile::DecayedApplyOp op) {
  Tile a = getTile(op.getA()), y = getTile(op.getY()), decay = getTile(op.getDecay());
  Tile result = tiles[op.getResult()] = getHome(op.getResult());
  Tile decayed = getShared(homes.getTemporary(op), cast<RankedTensorType>(op.getY().getType()));
  access({a.span, y.span, decay.span}, {result.span, decayed.span});
  int64_t rows = result.shape[0], group = op.getGroup();
  bool exclusive = op.getExclusive();
  k.forEachElement({result.shape[1]}, [&](ArrayRef<Value> column) {
    Value v = column[0];
    k.loop(k.constant(0), k.constant(rows), 1, [&](Value t) {
      Value factor = read(decay, {t, v}), before = k.scale(t, group);
      SmallVector<Value> sum = k.loopCarrying(
          k.constant(0), before, 1, {k.real(0)},
          [&](Value i, ValueRange carried) -> SmallVector<Value> {
            Value old = read(decayed, {i, v}), next = product(k, old, factor);
            write(next, decayed, {i, v});
            return {k.multiplyAdd(read(a, {t, i}), exclusive ? old : next, carried[0])};
          });
      sum = k.loopCarrying(before, k.add(before, k.constant(group)), 1, sum,
                           [&](Value i, ValueRange carried) -> SmallVector<Value> {
                             Value own = read(y, {i, v});
                             write(own, decayed, {i, v});
                             if (exclusive)
                               return {carried[0]};
                             return {k.multiplyAdd(read(a, {t, i}), own, carried[0])};
                           });
      write(sum[0], result, {t, v});
    });
  });
  return success();
}
