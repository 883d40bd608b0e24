//===- TileReductions.cpp - Plain reductions over keys ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reduction over keys without the maximum of a softmax is one of three things: a product of
// matrices, if its pairs fit in one tile; a walk over windows, one key at a time; or
// elementwise work over rows, keys and features of a block, reduced.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Build.h"
#include "passes/TileStream.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The sum of a product is a product of matrices if its pairs fit in one tile.
static bool isSumOfPairs(ReduceOp op, const KeySum &sum) {
  auto isPair = [](Value value) { return llvm::all_of(getAxes(value), isIndexAxis); };
  return op.getKind() == ReduceKind::Sum && isa<FloatType>(getElementTypeOrSelf(op.getType())) &&
         llvm::all_of(sum.paired, isPair) && (!op.getMask() || isPair(op.getMask()));
}

/// Whether the index is the position of a row plus something that is the same for all rows.
static bool isShiftOfRow(Value index, StringRef row) {
  index = stripBroadcasts(index);
  if (std::optional<StringRef> variable = getExactIndex(index))
    return *variable == row;
  Operation *op = index.getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return false;
  Value left = stripBroadcasts(op->getOperand(0)), right = stripBroadcasts(op->getOperand(1));
  return (isShiftOfRow(left, row) && !hasAxis(right.getType(), row)) ||
         (isa<arith::AddIOp>(op) && isShiftOfRow(right, row) && !hasAxis(left.getType(), row));
}

bool mix::walksWindows(ReduceOp op) {
  SmallVector<StringRef> keys =
      getIndexAxes(llvm::to_vector(op.getAxes().getAsValueRange<StringAttr>()));
  StringRef row = getRowVariable(op);
  auto isOfPairs = [&](Value value) {
    return hasAxis(value.getType(), row) &&
           llvm::any_of(keys, [&](StringRef key) { return hasAxis(value.getType(), key); });
  };
  bool hasWindow = false;
  SmallVector<Value> work = {op.getSource()};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!row.empty() && !work.empty()) {
    Operation *definition = work.pop_back_val().getDefiningOp();
    if (!definition || !seen.insert(definition).second)
      continue;
    auto read = dyn_cast<ReadOp>(definition);
    for (Value operand : definition->getOperands())
      if (isOfPairs(operand)) {
        work.push_back(operand);
        if (read && !isShiftOfRow(operand, row))
          return false;
        hasWindow |= static_cast<bool>(read);
      }
  }
  return hasWindow;
}

void PhaseEmitter::addReduction(ReduceOp op, std::vector<KeyJob> &jobs) {
  Env env = getAnchorEnv(op);
  SmallVector<StringRef> reduced(op.getAxes().getAsValueRange<StringAttr>());
  Axes common;
  if (!env.variables.empty())
    common.push_back(kRow);
  KeySum sum = makeKeySum(op.getResult(), op.getSource(), reduced, common, env);
  bool isProduct = isSumOfPairs(op, sum);
  bool isSingly = !isProduct && !parameters.isStep && walksWindows(op);
  KeyJob job = makeJob(op, reduced, op.getMask(), isSingly);
  if (isProduct) {
    job.tiles.push_back(tb.zeros(sum.axes));
    job.sums.push_back(std::move(sum));
  } else {
    Value neutral = tb.identity(op.getKind(), convertType(op.getType()));
    job.tiles.push_back(tb.fill(neutral, mapAxes(getAxes(op.getResult()), env)));
  }
  jobs.push_back(std::move(job));
}

Tile PhaseEmitter::foldStep(const KeyBlock &block, const KeyJob &job, const Tile &carried) {
  auto op = cast<ReduceOp>(job.op);
  Type type = convertType(op.getType());
  Value neutral = tb.identity(op.getKind(), type);
  SmallVector<Term> terms = {Term(op.getSource(), block.env)};
  if (block.mask)
    terms.push_back(Term(block.mask, block.env));
  if (job.reduced.empty()) {
    terms.push_back(Term(carried));
    return fuse(
        terms, carried.axes, block.scope,
        [&](ElementBuilder &body) -> Value {
          OpBuilder &b = body.builder;
          Value element = body.elements.front(), before = body.elements.back();
          if (block.mask)
            element = arith::SelectOp::create(b, body.loc, body.elements[1], element, neutral);
          return TileBuilder::combine(b, body.loc, op.getKind(), before, element);
        },
        type);
  }
  Tile partial = fuseReduce(
      op.getKind(), terms, carried.axes, job.reduced, block.scope,
      [&](ElementBuilder &body) -> Value {
        Value mask = block.mask ? body.elements[1] : Value();
        Value isCounted = buildIsCounted(body, block.left, mask);
        if (!isCounted)
          return body.elements[0];
        return arith::SelectOp::create(body.builder, body.loc, isCounted, body.elements[0],
                                       neutral);
      },
      type);
  return combine(op.getKind(), carried, partial);
}
