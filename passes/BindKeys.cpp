//===- BindKeys.cpp - What reductions compute from their keys alone ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/TilePlan.h"

using namespace mlir;
using llvm::StringRef;

namespace mix {
#define GEN_PASS_DEF_BINDKEYS
#include "passes/Passes.h.inc"

static bool needsAnchor(Value value, SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || !seen.insert(op).second)
    return false;
  return isAnchor(op) || isKeyPrefix(op) ||
         llvm::any_of(op->getOperands(), [&](Value operand) { return needsAnchor(operand, seen); });
}

namespace {
/// Finds the costly rows of keys that a reduction needs.
class KeyRows {
public:
  explicit KeyRows(Operation *reduction) : keys(getReducedVariables(reduction)) {
    for (Value operand : reduction->getOperands())
      visit(operand);
  }

  SmallVector<Value> rows;

private:
  void visit(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || isAnchor(op) || isa<BindOp, AppendOp>(op) || !seen.insert(op).second)
      return;
    SmallVector<StringRef> walked = getIndexAxes(getAxes(value));
    bool isFactor = !isa<arith::MulFOp, BroadcastOp, ReadOp>(op);
    if (isFactor && walked.size() == 1 && llvm::is_contained(keys, walked.front())) {
      SmallPtrSet<Operation *, 16> reached;
      if (isCostlyRow(value) && !needsAnchor(value, reached))
        rows.push_back(value);
      return;
    }
    for (Value operand : op->getOperands())
      visit(operand);
  }

  SmallVector<StringRef> keys;
  SmallPtrSet<Operation *, 32> seen;
};

struct BindKeys : impl::BindKeysBase<BindKeys> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(kMixerAttr) || getOperation().isDeclaration())
      return;
    for (Operation &op : getOperation().getBody().front())
      if (isa<StreamedReductionOp>(op) || (isa<ReduceOp>(op) && isAnchor(&op)))
        for (Value row : KeyRows(&op).rows)
          bind(row);
  }

private:
  void bind(Value row) {
    StringRef variable = getIndexAxes(getAxes(row)).front(), space = getSpace(variable);
    OpBuilder builder(row.getContext());
    builder.setInsertionPointAfterValue(row);
    Location loc = row.getLoc();
    Value bound = BindOp::create(builder, loc, renameAxis(row.getType(), variable, space), row,
                                 builder.getStringAttr(variable));
    int64_t size = getAxisSize(row.getType(), variable);
    Value position = createIota(builder, loc, variable, size);
    Value read = ReadOp::create(builder, loc, row.getType(), bound,
                                builder.getStrArrayAttr({space}), position);
    row.replaceAllUsesExcept(read, bound.getDefiningOp());
    ++numBound;
  }
};
} // namespace

} // namespace mix
