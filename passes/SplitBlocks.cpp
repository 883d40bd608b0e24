//===- SplitBlocks.cpp - Recurrences by blocks as loops over blocks ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Blocks.h"
#include "passes/Passes.h"
#include "passes/Strata.h"

using namespace mlir;

namespace mix {

#define GEN_PASS_DEF_SPLITBLOCKS
#include "passes/Passes.h.inc"

//===----------------------------------------------------------------------===//
// The nest
//===----------------------------------------------------------------------===//

namespace {
/// Rebuilds a value in which others enter linearly and as a whole.
class LinearRebuilder {
public:
  explicit LinearRebuilder(IRMapping replaced) : known(std::move(replaced)) {}

  Value rebuild(Value value) {
    if (Value done = known.lookupOrNull(value))
      return done;
    Value result = value;
    Operation *op = value.getDefiningOp();
    bool isLinear = isa_and_nonnull<arith::AddFOp, arith::SubFOp, arith::NegFOp, arith::MulFOp,
                                    arith::DivFOp, arith::SelectOp, BroadcastOp>(op);
    // What has fewer axes is no whole state any more.
    if (isLinear && !getAxes(value).empty()) {
      SmallVector<Value> operands =
          llvm::map_to_vector(op->getOperands(), [&](Value operand) { return rebuild(operand); });
      if (!llvm::equal(operands, op->getOperands())) {
        OpBuilder builder(op->getContext());
        builder.setInsertionPointAfter(op);
        Operation *clone = builder.clone(*op);
        clone->setOperands(operands);
        result = clone->getResult(0);
      }
    }
    known.map(value, result);
    return result;
  }

private:
  IRMapping known;
};
} // namespace

BlockNest nestBlocks(ForOp loop, const llvm::SmallBitVector &carried) {
  Location loc = loop.getLoc();
  OpBuilder builder(loop);
  unsigned numStates = loop.getNumStates();
  auto blocks = ForBlocksOp::create(builder, loc, loop.getResultTypes(), loop.getSpace(),
                                    *loop.getBlock(), loop.getStates(), loop.getInits());
  Block *outer = &blocks.getBody().emplaceBlock();
  for (Value init : loop.getInits())
    outer->addArgument(init.getType(), loc);

  SmallVector<Value> inits(outer->getArguments());
  SmallVector<Attribute> names(loop.getStates().getValue());
  for (unsigned n : carried.set_bits()) {
    inits.push_back(outer->getArgument(n));
    names.push_back(builder.getStringAttr(cast<StringAttr>(names[n]).getValue() + ".frozen"));
  }
  SmallVector<Type> types = llvm::map_to_vector(inits, [](Value v) { return v.getType(); });
  llvm::append_range(types, loop.getOutputs().getTypes());
  builder.setInsertionPointToEnd(outer);
  auto inner = ForOp::create(builder, loc, types, loop.getSpace(), builder.getArrayAttr(names),
                             inits, IntegerAttr(), ScanClassAttr(), StringAttr());
  Block *body = &inner.getBody().emplaceBlock();
  IRMapping mapping, whole;
  mapping.map(loop.getPosition(), body->addArgument(loop.getPosition().getType(), loc));
  for (Value init : inits)
    body->addArgument(init.getType(), loc);
  for (unsigned n = 0; n < numStates; ++n) {
    mapping.map(loop.getState(n), inner.getState(n));
    mapping.map(loop.getFrozen(n), outer->getArgument(n));
  }
  SmallVector<Value> kept(body->getArguments().drop_front(1 + numStates));
  for (auto [n, state] : llvm::zip(carried.set_bits(), kept))
    whole.map(outer->getArgument(n), state);

  OpBuilder inside = OpBuilder::atBlockEnd(body);
  for (Operation &op : loop.getBody().front().without_terminator())
    inside.clone(op, mapping);
  LinearRebuilder rebuilder(std::move(whole));
  SmallVector<Value> yielded;
  for (auto [n, value] : llvm::enumerate(loop.getBody().front().getTerminator()->getOperands())) {
    Value next = mapping.lookupOrDefault(value);
    if (n == numStates)
      llvm::append_range(yielded, kept);
    yielded.push_back(n < numStates ? rebuilder.rebuild(next) : next);
  }
  if (loop.getOutputs().empty())
    llvm::append_range(yielded, kept);
  inside.setInsertionPointToEnd(body);
  YieldOp::create(inside, loc, yielded);

  SmallVector<Value> results(inner.getFinalStates().take_front(numStates));
  llvm::append_range(results, inner.getOutputs());
  YieldOp::create(builder, loc, results);
  return {blocks, inner};
}

//===----------------------------------------------------------------------===//
// Which recurrences are split
//===----------------------------------------------------------------------===//

/// Whether the op can be computed for all positions of a block at once.
static bool canLift(Operation &op) {
  auto isWalk = [](Attribute axis) { return isIndexAxis(cast<StringAttr>(axis).getValue()); };
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return llvm::none_of(reduce.getAxes(), isWalk);
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return llvm::none_of(softmax.getAxes(), [&](Attribute axes) {
      return llvm::any_of(cast<ArrayAttr>(axes), isWalk);
    });
  return isa<ReadOp, BroadcastOp, SizeOp, YieldOp>(op) ||
         OpTrait::hasElementwiseMappableTraits(&op) || op.hasTrait<OpTrait::ConstantLike>();
}

/// The states of a recurrence that are in no scan; none if some run token by token.
static std::optional<size_t> countLoops(ForOp loop) {
  Coefficients coefficients;
  Stratification strata(loop, coefficients);
  size_t count = 0;
  for (const Stratum &stratum : strata.getStrata()) {
    if (stratum.isAffine)
      continue;
    if (stratum.scanClass == ScanClass::Sequential)
      return std::nullopt;
    count += stratum.states.size();
  }
  return count;
}

std::optional<llvm::SmallBitVector> chooseCarried(ForOp loop) {
  if (!llvm::all_of(loop.getBody().front(), canLift))
    return std::nullopt;
  auto count = [&](const llvm::SmallBitVector &carried) {
    BlockNest nest = nestBlocks(loop, carried);
    std::optional<size_t> loops = countLoops(nest.inner);
    nest.blocks.erase();
    return loops;
  };
  llvm::SmallBitVector carried(loop.getNumStates());
  std::optional<size_t> fewest = count(carried);
  for (unsigned n = 0; n < loop.getNumStates(); ++n) {
    if (fewest == 0u)
      break;
    llvm::SmallBitVector more = carried;
    more.set(n);
    std::optional<size_t> loops = count(more);
    if (!loops || (fewest && *loops >= *fewest))
      continue;
    fewest = loops;
    carried = more;
  }
  if (!fewest)
    return std::nullopt;
  return carried;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Replaces the loop by a loop over blocks. One that has become sequential since it was classified
/// stays as it is.
static LogicalResult splitBlocks(ForOp loop) {
  std::optional<llvm::SmallBitVector> carried = chooseCarried(loop);
  if (!carried) {
    loop.setClass_(ScanClass::Sequential);
    return success();
  }
  BlockNest nest = nestBlocks(loop, *carried);
  if (failed(normalizeRecurrence(nest.inner)))
    return failure();
  loop.replaceAllUsesWith(nest.blocks.getResults());
  loop.erase();
  return success();
}

namespace {
struct SplitBlocks : impl::SplitBlocksBase<SplitBlocks> {
  void runOnOperation() override {
    SmallVector<ForOp> loops;
    getOperation().walk([&](ForOp loop) {
      if (loop.getClass_() == ScanClass::Blocked)
        loops.push_back(loop);
    });
    for (ForOp loop : loops) {
      if (failed(splitBlocks(loop)))
        return signalPassFailure();
      ++numSplit;
    }
  }
};
} // namespace

} // namespace mix
