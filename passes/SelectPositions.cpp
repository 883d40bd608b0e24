//===- SelectPositions.cpp - Selections as lists of positions ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whether a position was chosen is a value of pairs of positions that cannot be
// computed pair by pair. The positions that were chosen are a list of `n` numbers per
// query, and from the list it can:
//
//   chosen[i, j] = max over m of (positions[i, m] == j)
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using llvm::StringRef;

namespace mix {
#define GEN_PASS_DEF_SELECTPOSITIONS
#include "passes/Passes.h.inc"

/// A name for the axis of the list that no axis of the function has.
static std::string makeListAxis(func::FuncOp function) {
  llvm::StringSet<> taken;
  auto take = [&](Type type) {
    for (StringRef axis : getAxes(type))
      taken.insert(axis);
  };
  function.walk([&](Operation *op) {
    llvm::for_each(op->getResultTypes(), take);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::for_each(block.getArgumentTypes(), take);
  });
  std::string name = "chosen";
  for (unsigned n = 1; taken.contains(name); ++n)
    name = "chosen." + std::to_string(n);
  return name;
}

static LargestOp createLargest(OpBuilder &builder, TopKOp topk, StringRef into) {
  Type score = topk.getScore().getType();
  SmallVector<StringRef> axes = getAxes(score);
  llvm::erase(axes, topk.getAxis());
  SmallVector<int64_t> sizes =
      llvm::map_to_vector(axes, [&](StringRef axis) { return getAxisSize(score, axis); });
  axes.push_back(into);
  sizes.push_back(topk.getN());
  return LargestOp::create(builder, topk.getLoc(), getTensorType(builder.getI64Type(), axes, sizes),
                           topk.getScore(), topk.getMask(), topk.getAxis(), topk.getN(), into);
}

/// Whether the list holds the position, over the axes of `type`.
static Value createContains(OpBuilder &builder, LargestOp list, Value position, Type type) {
  Location loc = list.getLoc();
  RankedTensorType pairs = joinIndexFirst({list.getType(), position.getType()});
  Value isEqual = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        broadcastTo(builder, loc, list, pairs),
                                        broadcastTo(builder, loc, position, pairs));
  Value contains = createReduce(builder, loc, ReduceKind::Max, isEqual, {}, {list.getInto()});
  return broadcastTo(builder, loc, contains, type);
}

namespace {
struct SelectPositions : impl::SelectPositionsBase<SelectPositions> {
  void runOnOperation() override {
    SmallVector<TopKOp> selections;
    getOperation().walk([&](TopKOp topk) {
      if (isIndexAxis(topk.getAxis()))
        selections.push_back(topk);
    });
    for (TopKOp topk : selections)
      rewrite(topk);
  }

  void rewrite(TopKOp topk) {
    OpBuilder builder(topk);
    LargestOp list = createLargest(builder, topk, makeListAxis(getOperation()));
    StringRef axis = topk.getAxis();
    Value positions = createIota(builder, topk.getLoc(), axis, getAxisSize(topk.getType(), axis));
    topk.getResult().replaceAllUsesWith(createContains(builder, list, positions, topk.getType()));
    topk.erase();
    ++numSelections;
  }
};
} // namespace

} // namespace mix
