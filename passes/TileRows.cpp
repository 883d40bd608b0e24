//===- TileRows.cpp - Scans and recurrences row by row ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside a chunk, a loop over its rows carries the states. What does not depend on a
// state is computed for the whole chunk before the loop where that is no larger than
// its inputs, and the row is extracted from it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/TilePhase.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Elements per token up to which a value is computed for a whole chunk in any case.
static constexpr int64_t kAlwaysHoisted = 128;

//===----------------------------------------------------------------------===//
// Values in the body of a recurrence
//===----------------------------------------------------------------------===//

static bool isInBody(Value value) { return isa<ForOp>(value.getParentRegion()->getParentOp()); }

bool PhaseEmitter::dependsOnState(Value value) {
  if (!isInBody(value))
    return false;
  auto it = stateful.find(value);
  if (it != stateful.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  bool result =
      op ? llvm::any_of(op->getOperands(), [&](Value operand) { return dependsOnState(operand); })
         : cast<BlockArgument>(value).getArgNumber() > 0;
  return stateful[value] = result;
}

int64_t PhaseEmitter::getRowElements(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !isInBody(value))
    return 0;
  if (isa<ReadOp>(op) && isInBody(value) && dependsOnPosition(value))
    return tb.getNumElements(getAxes(value));
  int64_t largest = 0;
  for (Value operand : op->getOperands())
    largest = std::max(largest, getRowElements(operand));
  return largest;
}

bool PhaseEmitter::dependsOnPosition(Value value) {
  if (!isInBody(value))
    return false;
  Operation *op = value.getDefiningOp();
  return !op ||
         llvm::any_of(op->getOperands(), [&](Value operand) { return dependsOnPosition(operand); });
}

bool PhaseEmitter::isHoisted(Value value) {
  if (!isInBody(value) || dependsOnState(value))
    return false;
  int64_t inputs = getRowElements(value);
  return inputs > 0 && tb.getNumElements(getAxes(value)) <= std::max(inputs, kAlwaysHoisted);
}

//===----------------------------------------------------------------------===//
// Loops over the rows of a chunk
//===----------------------------------------------------------------------===//

/// Positions from the first row of the block to the end of the space.
Value PhaseEmitter::getRowsLeft() {
  return arith::SubIOp::create(tb.builder, tb.loc, getAxisSize(rowSpace), slots[rowSlot].offset);
}

SmallVector<Tile> PhaseEmitter::rowLoop(ArrayRef<Tile> states, ArrayRef<Tile> outputs,
                                        RowBody body) {
  SmallVector<Tile> tiles(states);
  llvm::append_range(tiles, outputs);
  Value start = slots[rowSlot].offset;
  // A step takes one token at a time.
  if (parameters.isByToken()) {
    Value row = tb.index(0);
    unsigned slot = addSlot({"", rowSpace, start, row, rowScope});
    SmallVector<Tile> next, outs;
    body(rowScope, slot, states, next, outs);
    for (auto [out, into] : llvm::zip(outs, outputs))
      next.push_back(tb.insert(out, into, row));
    return next;
  }
  Value count =
      arith::MinSIOp::create(tb.builder, tb.loc, getRowsLeft(), tb.index(tb.getSize(kRow)));
  return loop(rowScope, tb.index(0), count, 1, tiles,
              [&](unsigned scope, Value row, ArrayRef<Tile> arguments) {
                Value position = arith::AddIOp::create(tb.builder, tb.loc, start, row);
                unsigned slot = addSlot({"", rowSpace, position, row, scope});
                SmallVector<Tile> next;
                SmallVector<Tile> outs;
                body(scope, slot, arguments.take_front(states.size()), next, outs);
                for (auto [out, into] : llvm::zip(outs, arguments.drop_front(states.size())))
                  next.push_back(tb.insert(out, into, row));
                return next;
              });
}

/// The axes of a tile of rows with these features.
static SmallVector<StringRef, 3> withRow(AxisList features) { return uniteAxes({kRow}, features); }

/// At the first position of a block, the frozen states become the states.
void PhaseEmitter::thaw(ForOp op, unsigned scope, unsigned slot, ArrayRef<Tile> states,
                        SmallVectorImpl<Tile> &frozen) {
  Value length = tb.index(*op.getBlock());
  Value rest = arith::RemSIOp::create(tb.builder, tb.loc, slots[slot].offset, length);
  Value isStart =
      arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, rest, tb.index(0));
  for (auto [state, old] : llvm::zip(states, frozen))
    old = branch(scope, isStart, state, [&, kept = old] { return kept; });
}

void PhaseEmitter::emitFor(ForOp op) {
  auto yield = cast<YieldOp>(op.getBody().front().getTerminator());
  unsigned numStates = op.getNumStates();
  SmallVector<Tile> states, outputs;
  for (Value final : op.getFinalStates())
    states.push_back(carried[final]);
  unsigned numFrozen = op.getBlock() ? numStates : 0;
  for (unsigned n = 0; n < numFrozen; ++n)
    states.push_back(carried[op.getFrozen(n)]);
  for (Value value : yield.getValues().drop_front(numStates))
    outputs.push_back(tb.empty(withRow(getAxes(value)), convertType(value.getType())));
  SmallVector<Tile> results =
      rowLoop(states, outputs,
              [&](unsigned scope, unsigned slot, ArrayRef<Tile> arguments,
                  SmallVectorImpl<Tile> &next, SmallVectorImpl<Tile> &outs) {
                Env env;
                env.position = slot;
                for (unsigned n = 0; n < numStates; ++n)
                  define(op.getState(n), env, scope, arguments[n]);
                SmallVector<Tile> frozen(arguments.drop_front(numStates));
                if (numFrozen)
                  thaw(op, scope, slot, arguments.take_front(numStates), frozen);
                for (unsigned n = 0; n < numFrozen; ++n)
                  define(op.getFrozen(n), env, scope, frozen[n]);
                for (auto [n, value] : llvm::enumerate(yield.getValues()))
                  (n < numStates ? next : outs).push_back(get(value, env));
                llvm::append_range(next, frozen);
                moveTo(scope);
              });
  for (auto [n, final] : llvm::enumerate(op.getFinalStates()))
    next[final] = results[n];
  for (unsigned n = 0; n < numFrozen; ++n)
    next[op.getFrozen(n)] = results[numStates + n];
  for (auto [n, output] : llvm::enumerate(op.getOutputs()))
    define(output, {}, rowScope, results[numStates + numFrozen + n]);
}

/// An affine scan as it is defined, token by token.
void PhaseEmitter::emitScanByRows(AffineScanOp op, const ChunkScan &scan) {
  SmallVector<Tile> outputs;
  for (size_t n = 0; n < scan.queries.size(); ++n)
    outputs.push_back(tb.empty(withRow(scan.free), tb.element));
  SmallVector<Tile> results = rowLoop(
      scan.states, outputs,
      [&](unsigned, unsigned slot, ArrayRef<Tile> arguments, SmallVectorImpl<Tile> &next,
          SmallVectorImpl<Tile> &outs) {
        auto rowOf = [&](const Tile &tile) { return tb.extract(tile, kRow, slots[slot].row); };
        ChunkScan token = scan;
        token.states.assign(arguments.begin(), arguments.end());
        for (SmallVectorImpl<Tile> *tiles :
             {&token.lefts, &token.values, &token.reads, &token.queries})
          for (Tile &tile : *tiles)
            tile = rowOf(tile);
        for (SmallVectorImpl<ChunkScan::Coef> *coefs : {&token.coefs, &token.mixes})
          for (ChunkScan::Coef &coef : *coefs)
            coef.tile = rowOf(coef.tile);
        if (token.decay)
          token.decay = rowOf(*token.decay);
        ChunkScanResult result = emitTokenScan(tb, token);
        llvm::append_range(next, result.states);
        llvm::append_range(outs, result.outputs);
      });
  defineScan(op, results);
}

/// Defines the results of a scan: the states behind the rows, then the outputs.
void PhaseEmitter::defineScan(AffineScanOp op, ArrayRef<Tile> results) {
  for (auto [final, tile] : llvm::zip(op.getFinals(), results))
    next[final] = tile;
  for (auto [output, tile] : llvm::zip(op.getOutputs(), results.drop_front(op.getNumStates())))
    define(output, getAnchorEnv(op), rowScope, tile);
}

//===----------------------------------------------------------------------===//
// Affine scans
//===----------------------------------------------------------------------===//

/// The rows of an operand of a scan. Those past the end of the tokens are `neutral`, or,
/// without it, zero or another number that is finite.
Tile PhaseEmitter::getRows(Value value, const Env &env, std::optional<double> neutral) {
  Axes axes = uniteAxes({kRow}, getAxesOf(value, env));
  std::optional<double> padding = getPadding(value, env, rowSlot);
  if (padding && (neutral ? *padding == *neutral : std::isfinite(*padding)))
    return get(value, env);
  Value count = inScope(rowScope, [&] { return getRowsLeft(); });
  Value rest = tb.real(neutral.value_or(0));
  return fuse(
      Term(value, env), axes, rowScope,
      [&](ElementBuilder &body) -> Value {
        Value isRow = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::slt,
                                            body.index(kRow), count);
        return arith::SelectOp::create(body.builder, body.loc, isRow, body.elements[0], rest);
      },
      tb.element);
}

void PhaseEmitter::emitScan(AffineScanOp op) {
  Env env = getAnchorEnv(op);
  ChunkScan scan;
  for (StringRef axis : op.getContracted().getAsValueRange<StringAttr>())
    scan.contracted.push_back(axis);
  scan.free = subtractAxes(getAxes(op.getInits().front()), scan.contracted);
  for (Value final : op.getFinals())
    scan.states.push_back(carried[final]);
  // Past the end a zero left meets the value, and a zero coefficient the read.
  for (Value left : op.getLefts())
    scan.lefts.push_back(getRows(left, env, 0));
  for (Value value : op.getValues())
    scan.values.push_back(getRows(value, env, std::nullopt));
  for (auto [n, read] : llvm::enumerate(op.getReads())) {
    scan.reads.push_back(getRows(read, env, std::nullopt));
    scan.readOf.push_back(op.getStateOfRead(n));
  }
  for (auto [n, query] : llvm::enumerate(op.getQueries())) {
    scan.queries.push_back(get(query, env));
    scan.queryOf.push_back(op.getStateOfQuery(n));
  }
  if (op.getDecay())
    scan.decay = getRows(op.getDecay(), env, 1);
  for (auto [row, column, coef] : llvm::zip(op.getCoefRows(), op.getCoefCols(), op.getCoefs()))
    scan.coefs.push_back({(unsigned)row, (unsigned)column, getRows(coef, env, 0)});
  // Equal mixes are one tile, so that updates with the same weights can be told.
  llvm::DenseMap<std::pair<Value, unsigned>, Tile> mixes;
  for (auto [row, column, mix] : llvm::zip(op.getMixRows(), op.getMixCols(), op.getMixes())) {
    auto [it, isNew] = mixes.try_emplace({mix, unsigned(row == column)});
    if (isNew)
      it->second = getRows(mix, env, row == column ? 1 : 0);
    scan.mixes.push_back({(unsigned)row, (unsigned)column, it->second});
  }
  scan.after.assign(op.getAfter().begin(), op.getAfter().end());
  tb.loc = op.getLoc();
  if (!parameters.isChunked || !getChunkObstacle(op).empty())
    return emitScanByRows(op, scan);
  ChunkScanResult result = emitChunkScan(tb, scan);
  SmallVector<Tile> results = std::move(result.states);
  llvm::append_range(results, result.outputs);
  defineScan(op, results);
}
