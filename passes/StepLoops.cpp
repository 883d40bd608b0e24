//===- StepLoops.cpp - Totals and recurrences of a step form --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Build.h"
#include "passes/StepDeriver.h"
#include "passes/TilePlan.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Prefixes
//===----------------------------------------------------------------------===//

/// The binary function of a prefix.
static Value combinePrefix(OpBuilder &b, Location loc, PrefixKind kind, Value x, Value y) {
  switch (kind) {
  case PrefixKind::Sum:
    return arith::AddFOp::create(b, loc, x, y);
  case PrefixKind::Prod:
    return arith::MulFOp::create(b, loc, x, y);
  case PrefixKind::Min:
    return arith::MinimumFOp::create(b, loc, x, y);
  case PrefixKind::Max:
    return arith::MaximumFOp::create(b, loc, x, y);
  case PrefixKind::LogSumExp:
    break;
  }
  Value lowest = createNumber(b, loc, -std::numeric_limits<double>::infinity());
  return createLogAddExp(b, loc, x, y, broadcastTo(b, loc, lowest, x.getType()));
}

std::string StepDeriver::getTotalName() { return "total." + std::to_string(numTotals++); }

/// A running sum that is no state of the mixer becomes one of the step.
void StepDeriver::keepTotal(AffineScanOp scan) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(scan);
  for (auto [start, final] : llvm::zip(scan.getInitsMutable(), scan.getFinals())) {
    Value value = start.get();
    if (value.getDefiningOp<InitialOp>())
      continue;
    std::string name = getTotalName();
    start.set(InitialOp::create(builder, scan.getLoc(), value.getType(), name, value));
    states.push_back({name, final});
  }
}

/// A prefix along the tokens: a recurrence whose state is the total so far.
Value StepDeriver::deriveTotal(PrefixOp op) {
  Location loc = op.getLoc();
  StringRef axis = op.getAxis();
  if (!isa<FloatType>(getElementTypeOrSelf(op.getType()))) {
    (void)refuseStep(loc, "keep a running total of integers");
    return {};
  }
  if (getIndexAxes(getAxes(op.getSource())).size() > 1) {
    (void)refuseStep(loc, "keep a running total for every token");
    return {};
  }
  Value source = get(op.getSource(), 0);
  if (!source)
    return {};
  auto bound =
      BindOp::create(builder, loc, renameAxis(source.getType(), axis, space), source, axis);
  std::string name = getTotalName();
  RankedTensorType type = dropAxes(source.getType(), {axis});
  Value nothing =
      broadcastTo(builder, loc, createNumber(builder, loc, getIdentity(op.getKind())), type);
  Value initial = InitialOp::create(builder, loc, type, name, nothing);
  auto loop = createElementwiseLoop(
      builder, loc, space, mix::getAxisSize(source.getType(), axis), name, initial,
      [&](OpBuilder &inner, Value at, Value total) {
        Value term = ReadOp::create(inner, loc, type, bound, builder.getStrArrayAttr({space}), at);
        Value next = combinePrefix(inner, loc, op.getKind(), total, term);
        return std::pair(next, next);
      });
  states.push_back({name, loop.getResult(0)});
  Value raw = getRawPositions(axis, mix::getAxisSize(op.getType(), axis));
  return ReadOp::create(builder, loc, op.getType(), loop.getResult(1),
                        builder.getStrArrayAttr({space}), raw);
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

/// Derives what the body takes from outside, in front of the loop.
LogicalResult StepDeriver::prepareBody(ForOp op) {
  WalkResult result = op.getBody().walk([&](Operation *inner) {
    for (Type type : inner->getResultTypes())
      for (StringRef axis : getAxes(type))
        if (analysis.getBit(axis))
          return WalkResult(
              refuseStep(inner->getLoc(), "look at other tokens inside a recurrence"));
    if (auto size = dyn_cast<SizeOp>(inner); size && size.getAxis() == space)
      return WalkResult(refuseStep(inner->getLoc(), "know how many tokens the sequence will have"));
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()) && !get(operand, 0))
        return WalkResult(failure());
    auto read = dyn_cast<ReadOp>(inner);
    Value index = read ? getIndexAlong(read, space) : Value();
    if (index && getExactIndex(index) != kLoopPosition && !getHistory(read, index, 0))
      return WalkResult(failure());
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult StepDeriver::deriveLoop(ForOp op) {
  Location loc = op.getLoc();
  for (Value init : op.getInits())
    if (analysis.getBits(init))
      return refuseStep(loc, "run a recurrence for every token");
  SmallVector<Value> inits;
  SmallVector<Attribute> names(op.getStates().getValue());
  for (Value init : op.getInits())
    inits.push_back(get(init, 0));
  if (llvm::is_contained(inits, Value()) || failed(prepareBody(op)))
    return failure();
  // What the loop holds and is no state of the mixer is one of the step.
  SmallVector<unsigned> added;
  for (auto [n, init] : llvm::enumerate(inits)) {
    if (init.getDefiningOp<InitialOp>())
      continue;
    std::string name = getTotalName();
    names[n] = builder.getStringAttr(name);
    init = InitialOp::create(builder, loc, init.getType(), name, init);
    added.push_back(n);
  }
  // What was frozen at the start of the block is a state of its own as well.
  unsigned numStates = op.getNumStates();
  for (unsigned n = 0; op.getBlock() && n < numStates; ++n) {
    if (op.getFrozen(n).use_empty())
      continue;
    std::string name = (cast<StringAttr>(names[n]).getValue() + ".frozen").str();
    names.push_back(builder.getStringAttr(name));
    inits.push_back(InitialOp::create(builder, loc, inits[n].getType(), name, inits[n]));
  }
  SmallVector<Type> types = llvm::map_to_vector(inits, [](Value init) { return init.getType(); });
  llvm::append_range(types, op.getOutputs().getTypes());
  // Without blocks, what was affine within one runs token by token.
  ScanClassAttr scanClass = op.getClass_Attr();
  if (op.getClass_() == ScanClass::Blocked)
    scanClass = ScanClassAttr::get(builder.getContext(), ScanClass::Sequential);
  auto result = ForOp::create(builder, loc, types, space, builder.getArrayAttr(names), inits,
                              IntegerAttr(), scanClass, op.getReasonAttr());
  fillBody(op, result);
  for (auto [n, old] : llvm::enumerate(op.getResults()))
    values[{old, 0}] = result.getResult(n < numStates ? n : n + inits.size() - numStates);
  for (unsigned n = numStates; n < inits.size(); ++n)
    added.push_back(n);
  for (unsigned n : added)
    states.push_back({cast<StringAttr>(names[n]).str(), result.getResult(n)});
  return success();
}

void StepDeriver::fillBody(ForOp op, ForOp result) {
  Location loc = op.getLoc();
  unsigned numStates = op.getNumStates();
  Block *body = &result.getBody().emplaceBlock();
  Value raw = body->addArgument(op.getPosition().getType(), loc);
  for (Value init : result.getInits())
    body->addArgument(init.getType(), loc);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(body);
  IRMapping mapping;
  mapping.map(op.getPosition(), addPosition(raw));
  for (unsigned n = 0; n < numStates; ++n)
    mapping.map(op.getState(n), result.getState(n));
  SmallVector<Value> frozen;
  if (op.getBlock()) {
    auto constant = [&](int64_t value) -> Value {
      auto type = cast<RankedTensorType>(raw.getType());
      return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, value));
    };
    Value rest = arith::RemSIOp::create(builder, loc, mapping.lookup(op.getPosition()),
                                        constant(*op.getBlock()));
    Value isStart =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rest, constant(0));
    for (unsigned n = 0; n < numStates; ++n) {
      if (op.getFrozen(n).use_empty())
        continue;
      Type type = result.getState(n).getType();
      Value before = result.getState(numStates + frozen.size());
      frozen.push_back(arith::SelectOp::create(
          builder, loc, broadcastTo(builder, loc, isStart, type), result.getState(n), before));
      mapping.map(op.getFrozen(n), frozen.back());
    }
  }
  op.getBody().walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Value outside = values.lookup({operand, 0}))
        mapping.map(operand, outside);
  });
  for (Operation &inner : op.getBody().front().without_terminator()) {
    Operation *clone = builder.clone(inner, mapping);
    auto read = dyn_cast<ReadOp>(clone);
    Value index = read ? getIndexAlong(cast<ReadOp>(inner), space) : Value();
    if (!index)
      continue;
    unsigned number = llvm::find(cast<ReadOp>(inner).getIndices(), index) -
                      cast<ReadOp>(inner).getIndices().begin();
    if (getExactIndex(index) == kLoopPosition) {
      read.getIndicesMutable()[number].assign(raw);
      continue;
    }
    read.getSourceMutable().assign(caches.find(read.getSource())->second.append.getResult());
    SmallVector<Attribute> axes(read.getAxes().getValue());
    axes[number] = builder.getStringAttr(all);
    read.setAxesAttr(builder.getArrayAttr(axes));
  }
  SmallVector<Value> yields = frozen;
  auto yielded = cast<YieldOp>(op.getBody().front().getTerminator()).getValues();
  for (auto [n, value] : llvm::enumerate(yielded)) {
    Value next = mapping.lookupOrDefault(value);
    yields.insert(n < numStates ? yields.begin() + n : yields.end(), next);
  }
  YieldOp::create(builder, loc, yields);
}
