//===- TileSplit.cpp - Reductions over all tokens, in parts
//-----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step has few rows and many keys, so its tasks are blocks of keys. Each
// stores its maximum and sums; whoever needs the result merges those of all
// blocks, which are partial results of one stream (docs/spec.md):
//
//   m = max(m_a, m_b)        sum = exp(m_a - m) sum_a + exp(m_b - m) sum_b
//
// How many parts there are depends on the number of tokens only.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The body of a split phase: all rows, one after the other, on the keys of the
/// task.
void PhaseEmitter::emitSplit(scf::ForallOp grid) {
  split = grid.getInductionVar(1);
  loop(1, tb.index(0), getAxisSize(rowSpace), tb.getSize(kRow), {},
       [&](unsigned scope, Value position, ArrayRef<Tile>) {
         rowScope = scope;
         rowSlot = addSlot({kRow, rowSpace, position, Value(), scope});
         storeRows();
         return SmallVector<Tile>();
       });
}

std::pair<Value, Value> PhaseEmitter::splitRange(StringRef space, bool isBlocked, Value lower,
                                                 Value upper) {
  if (space == plan.getHistory() && isBlocked) {
    Value rows = tb.index(parameters.splitRows);
    Value start = tb.indexOp<arith::MulIOp>(split, rows);
    Value end = tb.indexOp<arith::AddIOp>(start, rows);
    return {tb.indexOp<arith::MaxSIOp>(lower, start), tb.indexOp<arith::MinSIOp>(upper, end)};
  }
  Value isFirst =
      arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, split, tb.index(0));
  Value end = arith::SelectOp::create(tb.builder, tb.loc, isFirst, upper, lower);
  return {lower, end};
}

Tile PhaseEmitter::countOnce(const Tile &tile, Value neutral) {
  Value isFirst =
      arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, split, tb.index(0));
  return tb.map(tile, tile.axes, [&](ElementBuilder &body) -> Value {
    return arith::SelectOp::create(body.builder, body.loc, isFirst, body.elements[0], neutral);
  });
}

/// One part of a result, at the rows of `env`.
Tile PhaseEmitter::loadPart(Value value, const Env &env, Value part) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Access> accesses = {{part, ""}};
  for (auto [dim, axis] : llvm::enumerate(getAxes(type))) {
    const Slot &slot = slots[env.find(axis)];
    accesses.push_back(isIndexAxis(axis) ? Access{slot.offset, slot.label}
                                         : getWholeAxis(type, dim));
  }
  return load(getWorkspace(value), accesses);
}

/// Merges the parts of the results of `op`, in `scope` where the builder is.
void PhaseEmitter::mergeParts(Operation *op, const Env &env, unsigned scope) {
  tb.loc = op->getLoc();
  auto streamed = dyn_cast<StreamedReductionOp>(op);
  ReduceKind kind = streamed ? ReduceKind::Max : cast<ReduceOp>(op).getKind();
  SmallVector<Tile> starts;
  for (Value result : op->getResults()) {
    Axes axes = mapAxes(getAxes(result), env);
    bool isSum = streamed && result != streamed.getMax();
    starts.push_back(isSum ? tb.zeros(axes)
                           : tb.fill(tb.identity(kind, convertType(result.getType())), axes));
  }
  Value count = getAxisSize(plan.getSplitSpace());
  SmallVector<Tile> merged =
      loop(scope, tb.index(0), count, 1, starts, [&](unsigned, Value part, ArrayRef<Tile> carried) {
        Tile first = loadPart(op->getResult(0), env, part);
        Tile total = combine(kind, carried.front(), first);
        SmallVector<Tile> next = {total};
        if (!streamed)
          return next;
        Tile shift = makeFinite(total);
        Tile before = expShifted(carried.front(), shift), here = expShifted(first, shift);
        for (auto [sum, tile] : llvm::zip(streamed.getSums(), carried.drop_front()))
          next.push_back(tb.spread(
              tb.add(tb.mul(tile, before), tb.mul(loadPart(sum, env, part), here)), tile.axes));
        return next;
      });
  for (auto [result, tile] : llvm::zip(op->getResults(), merged))
    define(result, env, scope, tile);
}
