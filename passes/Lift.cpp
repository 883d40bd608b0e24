//===- Lift.cpp - The body of a loop for all positions at once --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Lift.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Build.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace mix {

Lifter::Lifter(OpBuilder &builder, ForOp loop, StringRef axis, int64_t size)
    : builder(builder), loop(loop), axis(axis), size(size) {
  values[loop.getPosition()] = createIota(builder, loop.getLoc(), axis, size);
}

Value Lifter::withWalkAxis(Location loc, Value value) {
  return ensureAxis(builder, loc, value, axis, size);
}

Value Lifter::lift(Value inside) {
  auto known = values.find(inside);
  if (known != values.end())
    return known->second;
  if (!loop.getBody().isAncestor(inside.getParentRegion()))
    return inside;
  Operation *op = inside.getDefiningOp();
  if (!op) {
    loop.emitError("cannot be lifted: a value depends on a state of the loop");
    return {};
  }

  // Definitions first, without recursion: bodies may be long chains.
  SmallVector<Operation *> pending = {op};
  while (!pending.empty()) {
    Operation *next = pending.back();
    if (next->getNumResults() && values.contains(next->getResult(0))) {
      pending.pop_back();
      continue;
    }
    llvm::SetVector<Value> needed(next->operand_begin(), next->operand_end());
    next->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (!next->isAncestor(operand.getParentBlock()->getParentOp()) || nested == next)
          needed.insert(operand);
    });
    size_t numPending = pending.size();
    for (Value operand : needed) {
      if (values.contains(operand) || !loop.getBody().isAncestor(operand.getParentRegion()))
        continue;
      Operation *definition = operand.getDefiningOp();
      if (!definition) {
        next->emitError("cannot be lifted out of its loop: it depends on a state");
        return {};
      }
      pending.push_back(definition);
    }
    if (pending.size() != numPending)
      continue;
    pending.pop_back();
    if (failed(liftOp(next)))
      return {};
  }
  return values.lookup(inside);
}

Value Lifter::liftFully(Value inside) {
  Value lifted = lift(inside);
  if (!lifted)
    return {};
  return broadcastTo(builder, inside.getLoc(), lifted, withAxis(inside.getType(), axis, size));
}

SmallVector<Value> Lifter::liftedOperands(Operation *op) {
  return llvm::map_to_vector(op->getOperands(), [&](Value operand) {
    auto it = values.find(operand);
    return it == values.end() ? operand : it->second;
  });
}

LogicalResult Lifter::liftOp(Operation *op) {
  if (auto inner = dyn_cast<ForOp>(op))
    return liftLoop(inner);
  SmallVector<Value> operands = liftedOperands(op);
  if (llvm::none_of(operands, [&](Value value) { return isLifted(value); }) &&
      op->getNumRegions() == 0) {
    // The same at every position.
    Operation *clone = builder.clone(*op);
    clone->setOperands(operands);
    for (auto [result, lifted] : llvm::zip(op->getResults(), clone->getResults()))
      values[result] = lifted;
    return success();
  }
  if (isa<MixDialect>(op->getDialect()))
    return liftMixOp(op);
  if (OpTrait::hasElementwiseMappableTraits(op))
    return liftElementwise(op);
  return op->emitError("'") << op->getName() << "' cannot be lifted out of its loop";
}

LogicalResult Lifter::liftElementwise(Operation *op) {
  Operation *clone = builder.clone(*op);
  builder.setInsertionPoint(clone);
  for (auto [n, operand] : llvm::enumerate(op->getOperands())) {
    auto it = values.find(operand);
    Value lifted = it == values.end() ? operand : it->second;
    clone->setOperand(
        n, broadcastTo(builder, op->getLoc(), lifted, withAxis(operand.getType(), axis, size)));
  }
  builder.setInsertionPointAfter(clone);
  for (auto [result, lifted] : llvm::zip(op->getResults(), clone->getResults())) {
    lifted.setType(withAxis(result.getType(), axis, size));
    values[result] = lifted;
  }
  return success();
}

LogicalResult Lifter::liftMixOp(Operation *op) {
  Location loc = op->getLoc();
  SmallVector<Value> operands = liftedOperands(op);
  auto alongWalk = [&](Value value) { return withWalkAxis(loc, value); };
  SmallVector<Value> results;
  bool known =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case([&](ReadOp read) {
            auto type = withAxis(read.getType(), axis, size);
            results = {ReadOp::create(builder, loc, type, operands.front(), read.getAxes(),
                                      ArrayRef(operands).drop_front())};
            return true;
          })
          .Case([&](BindOp bind) {
            auto type =
                renameAxis(operands.front().getType(), bind.getAxis(), getSpace(bind.getAxis()));
            results = {BindOp::create(builder, loc, type, operands.front(), bind.getAxis())};
            return true;
          })
          .Case([&](BroadcastOp broadcast) {
            results = {broadcastTo(builder, loc, operands.front(),
                                   withAxis(broadcast.getType(), axis, size))};
            return true;
          })
          .Case([&](ReduceOp reduce) {
            SmallVector<StringRef> axes = llvm::map_to_vector(
                reduce.getAxes().getAsValueRange<StringAttr>(), [](StringRef s) { return s; });
            Value mask = reduce.getMask() ? operands.back() : Value();
            results = {createReduce(builder, loc, reduce.getKind(), alongWalk(operands.front()),
                                    mask, axes)};
            return true;
          })
          .Case([&](SoftmaxOp softmax) {
            unsigned count = softmax.getLogits().size();
            SmallVector<Value> logits, masks;
            SmallVector<Type> types;
            for (unsigned n = 0; n < count; ++n) {
              logits.push_back(alongWalk(operands[n]));
              types.push_back(logits.back().getType());
              masks.push_back(broadcastTo(builder, loc, operands[count + n], types.back()));
            }
            auto lifted = SoftmaxOp::create(builder, loc, types, logits, masks, softmax.getAxes());
            llvm::append_range(results, lifted.getResults());
            return true;
          })
          .Case([&](PrefixOp prefix) {
            results = {PrefixOp::create(builder, loc, prefix.getKind(), alongWalk(operands.front()),
                                        prefix.getAxis())};
            return true;
          })
          .Case([&](TopKOp topk) {
            Value score = alongWalk(operands[0]);
            Value mask = broadcastTo(builder, loc, operands[1], score.getType());
            results = {TopKOp::create(builder, loc, score, mask, topk.getAxis(), topk.getN())};
            return true;
          })
          .Default([](Operation *) { return false; });
  if (!known)
    return op->emitError("'") << op->getName() << "' cannot be lifted out of its loop";
  for (auto [result, lifted] : llvm::zip(op->getResults(), results))
    values[result] = lifted;
  return success();
}

/// A recurrence inside of a map runs for all positions of the map at once: its
/// states gain the axis.
LogicalResult Lifter::liftLoop(ForOp inner) {
  Location loc = inner.getLoc();
  SmallVector<Value> inits;
  for (Value init : inner.getInits())
    inits.push_back(withWalkAxis(loc, values.contains(init) ? values.lookup(init) : init));
  SmallVector<Type> types = llvm::map_to_vector(inits, [](Value v) { return v.getType(); });
  for (Value output : inner.getOutputs()) {
    // The space of the inner loop stays in front.
    SmallVector<StringRef> first = {inner.getSpace()};
    auto tensor = cast<RankedTensorType>(output.getType());
    Type body = dropAxes(tensor, first);
    types.push_back(joinAxes({getTensorType(tensor.getElementType(), first, {tensor.getDimSize(0)}),
                              withAxis(body, axis, size)}));
  }
  auto lifted = ForOp::create(builder, loc, types, inner.getSpace(), inner.getStates(), inits,
                              inner.getBlockAttr(), inner.getClass_Attr(), inner.getReasonAttr());
  Block *body = &lifted.getBody().emplaceBlock();
  for (BlockArgument argument : inner.getBody().getArguments()) {
    Type type = argument == inner.getPosition() ? argument.getType()
                                                : Type(withAxis(argument.getType(), axis, size));
    values[argument] = body->addArgument(type, argument.getLoc());
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(body);
  for (Operation &op : inner.getBody().front().without_terminator())
    if (failed(liftOp(&op)))
      return failure();
  SmallVector<Value> yielded;
  for (Value value : inner.getBody().front().getTerminator()->getOperands())
    yielded.push_back(broadcastTo(builder, loc,
                                  values.contains(value) ? values.lookup(value) : value,
                                  withAxis(value.getType(), axis, size)));
  YieldOp::create(builder, loc, yielded);
  for (auto [result, value] : llvm::zip(inner.getResults(), lifted.getResults()))
    values[result] = value;
  return success();
}

static void collectAxes(Operation *op, llvm::StringSet<> &taken) {
  auto note = [&](Type type) {
    for (StringRef name : getAxes(type))
      taken.insert(name);
  };
  op->walk([&](Operation *nested) {
    llvm::for_each(nested->getOperandTypes(), note);
    llvm::for_each(nested->getResultTypes(), note);
  });
}

std::string chooseWalkAxis(ForOp loop) {
  llvm::StringSet<> taken;
  ForOp outermost = loop;
  while (auto around = outermost->getParentOfType<ForOp>())
    outermost = around;
  collectAxes(outermost, taken);
  std::string axis = ("t:" + loop.getSpace()).str();
  for (unsigned n = 1; taken.contains(axis); ++n)
    axis = ("t." + Twine(n) + ":" + loop.getSpace()).str();
  return axis;
}

int64_t getWalkSize(ForOp loop) {
  for (Value output : loop.getOutputs())
    return getAxisSize(output.getType(), loop.getSpace());
  return ShapedType::kDynamic;
}

} // namespace mix
