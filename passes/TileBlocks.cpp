//===- TileBlocks.cpp - Recurrences by blocks -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chunk is a block or a part of one. In a part, the states at the start of the block are carried
// from chunk to chunk, and so are those of the recurrences within the block; the first
// chunk of a block starts them from the states that the block before left.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;

namespace {
/// A state of a recurrence within a block: the argument that it starts from, and its final value.
struct InnerState {
  BlockArgument start;
  Value final;
};
} // namespace

static SmallVector<InnerState> getInnerStates(Operation *op) {
  ValueRange inits, finals;
  if (auto scan = dyn_cast<AffineScanOp>(op)) {
    inits = scan.getInits();
    finals = scan.getFinals();
  } else if (auto loop = dyn_cast<ForOp>(op)) {
    inits = loop.getInits();
    finals = loop.getFinalStates();
  }
  SmallVector<InnerState> states;
  for (auto [init, final] : llvm::zip(inits, finals))
    states.push_back({cast<BlockArgument>(init), final});
  return states;
}

/// What chunks hand on: the states, and of parts of a block what is kept within it.
SmallVector<std::pair<Value, Value>> PhaseEmitter::getStatesOfBlocks(ForBlocksOp op) {
  SmallVector<std::pair<Value, Value>> states;
  for (auto [init, final] : llvm::zip(op.getInits(), op.getFinalStates()))
    states.push_back({init, final});
  if (tb.getSize(kRow) == (int64_t)op.getBlock())
    return states;
  Block &body = op.getBody().front();
  for (auto [init, argument] : llvm::zip(op.getInits(), body.getArguments()))
    states.push_back({init, argument});
  for (Operation &inner : body)
    for (const InnerState &state : getInnerStates(&inner))
      states.push_back({op.getInits()[state.start.getArgNumber()], state.final});
  return states;
}

void PhaseEmitter::emitForBlocks(ForBlocksOp op) {
  Block &body = op.getBody().front();
  bool isWhole = tb.getSize(kRow) == (int64_t)op.getBlock();
  Value isStart;
  if (!isWhole) {
    Value rest = tb.indexOp<arith::RemSIOp>(slots[rowSlot].offset, tb.index(op.getBlock()));
    isStart =
        arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, rest, tb.index(0));
  }
  auto startFrom = [&](const Tile &start, Value key) {
    return isWhole ? start : branch(rowScope, isStart, start, [&] { return carried[key]; });
  };
  for (auto [argument, final] : llvm::zip(body.getArguments(), op.getFinalStates())) {
    Tile start = startFrom(carried[final], argument);
    define(argument, {}, rowScope, start);
    next[argument] = start;
  }
  for (Operation &inner : body) {
    SmallVector<InnerState> states = getInnerStates(&inner);
    if (states.empty())
      continue;
    for (const InnerState &state : states)
      carried[state.final] =
          startFrom(carried[op.getFinalStates()[state.start.getArgNumber()]], state.final);
    emitAnchor(&inner);
    for (const InnerState &state : states)
      define(state.final, {}, rowScope, next[state.final]);
  }
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  for (auto [n, value] : llvm::enumerate(yielded)) {
    Env env;
    auto bind = value.getDefiningOp<BindOp>();
    if (bind)
      env.variables.push_back({bind.getAxis(), rowSlot});
    Tile tile = get(bind ? bind.getSource() : value, env);
    Value result = op.getResult(n);
    if (n < op.getNumStates())
      next[result] = tile;
    else
      define(result, {}, rowScope, tile);
  }
}
