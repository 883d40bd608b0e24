//===- TileValues.cpp - Values of level L2 as tiles ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of a value may lack axes along which the value is constant, so a broadcast
// costs nothing. Elementwise expressions become one operation each, down to leaves:
// loads, contractions, and what is shared, invariant in a loop, or smaller and costly.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Whether the value is computed inside a fused operation rather than being a tile.
static bool isInlinable(Operation *op) {
  return isa<BroadcastOp, IotaOp, arith::ConstantOp>(op) ||
         OpTrait::hasElementwiseMappableTraits(op);
}

/// The recurrence whose body holds the value, if any.
static ForOp getBodyOf(Value value) {
  return dyn_cast_or_null<ForOp>(value.getParentRegion()->getParentOp());
}

static bool isPosition(Value value) {
  return isa<BlockArgument>(value) && getBodyOf(value) &&
         cast<BlockArgument>(value).getArgNumber() == 0;
}

Type PhaseEmitter::convertType(Type type) const {
  Type elementType = getElementTypeOrSelf(type);
  return isa<FloatType>(elementType) ? tb.element : elementType;
}

PhaseEmitter::Key PhaseEmitter::getKey(Value value, const Env &env) const {
  uint64_t slotsOf = getBodyOf(value) ? env.position : 0;
  for (StringRef axis : getIndexAxes(getAxes(value)))
    slotsOf = slotsOf << 16 | env.find(axis);
  return {value, slotsOf};
}

bool PhaseEmitter::isInPhase(Operation *op) const {
  std::optional<unsigned> number = plan.getPhase(op);
  return number && &plan.phases[*number] == &phase;
}

//===----------------------------------------------------------------------===//
// Where a value lives, and its axes
//===----------------------------------------------------------------------===//

unsigned PhaseEmitter::getScope(Value value, const Env &env) {
  auto [it, isNew] = scopeOf.try_emplace(getKey(value, env), 1);
  if (!isNew)
    return it->second;
  unsigned scope = 1;
  auto use = [&](unsigned other) { scope = std::max(scope, other); };
  Operation *op = value.getDefiningOp();
  if (!op) {
    if (getBodyOf(value))
      use(slots[env.position].scope);
    else if (isa<ForBlocksOp>(value.getParentRegion()->getParentOp()))
      use(rowScope);
  } else if (auto read = dyn_cast<ReadOp>(op)) {
    for (Value index : read.getIndices())
      use(getScope(index, env));
    ReadPlan how = planRead(read, env);
    if (how.inner)
      use(getScope(how.inner, how.env));
  } else if (isAnchor(op)) {
    for (StringRef axis : getIndexAxes(getAxes(value)))
      use(slots[env.find(axis)].scope);
    if (isInPhase(op))
      use(rowScope);
  } else if (isa<IotaOp>(op)) {
    use(slots[env.find(getAxes(value).front())].scope);
  } else {
    for (Value operand : op->getOperands())
      use(getScope(operand, env));
    if (isKeyPrefix(op))
      use(slots[env.find(cast<PrefixOp>(op).getAxis())].scope);
  }
  return scopeOf[getKey(value, env)] = scope;
}

unsigned PhaseEmitter::getScope(const Term &term) {
  return term.value ? getScope(term.value, term.env) : 1;
}

PhaseEmitter::Axes PhaseEmitter::mapAxes(ArrayRef<StringRef> axes, const Env &env) const {
  Axes result;
  for (StringRef axis : axes) {
    StringRef label = isIndexAxis(axis) ? slots[env.find(axis)].label : axis;
    if (!label.empty())
      result.push_back(label);
  }
  return result;
}

/// The axes in the order of the value's own; the row of a recurrence comes first.
PhaseEmitter::Axes PhaseEmitter::sortAxes(Value value, const Env &env, AxisList axes) const {
  Axes own = mapAxes(getAxes(value), env);
  Axes result = subtractAxes(axes, own);
  for (StringRef axis : own)
    if (llvm::is_contained(axes, axis))
      result.push_back(axis);
  return result;
}

PhaseEmitter::Axes PhaseEmitter::getAxesOf(Value value, const Env &env) {
  auto it = axesOf.find(getKey(value, env));
  if (it != axesOf.end())
    return it->second;
  Axes axes;
  Operation *op = value.getDefiningOp();
  if (isPosition(value)) {
    if (!slots[env.position].label.empty())
      axes.push_back(slots[env.position].label);
  } else if (!op) {
    axes = mapAxes(getAxes(value), env);
  } else if (auto read = dyn_cast<ReadOp>(op)) {
    axes = getAxesOfRead(read, env);
  } else if (isAnchor(op)) {
    axes = mapAxes(getAxes(value), env);
    if (!getLoopSpace(op).empty() && !isFinalState(value))
      axes.front() = kRow;
  } else if (auto reduce = dyn_cast<ReduceOp>(op)) {
    Axes all;
    for (Value operand : reduce->getOperands())
      all = uniteAxes(all, getAxesOf(operand, env));
    SmallVector<StringRef> reduced(reduce.getAxes().getAsValueRange<StringAttr>());
    axes = sortAxes(value, env, subtractAxes(all, reduced));
  } else if (isa<IotaOp, TopKOp>(op) || isKeyPrefix(op)) {
    axes = mapAxes(getAxes(value), env);
  } else {
    Axes all;
    for (Value operand : op->getOperands())
      all = uniteAxes(all, getAxesOf(operand, env));
    axes = sortAxes(value, env, all);
  }
  return axesOf[getKey(value, env)] = axes;
}

PhaseEmitter::Axes PhaseEmitter::getAxesOf(const Term &term) {
  return term.value ? getAxesOf(term.value, term.env) : term.tile.axes;
}

//===----------------------------------------------------------------------===//
// Values by demand
//===----------------------------------------------------------------------===//

void PhaseEmitter::define(Value value, const Env &env, unsigned scope, const Tile &tile) {
  scopes[scope].tiles[getKey(value, env)] = tile;
}

Tile PhaseEmitter::get(Value value, const Env &env) {
  unsigned scope = getScope(value, env);
  Key key = getKey(value, env);
  if (auto it = scopes[scope].tiles.find(key); it != scopes[scope].tiles.end())
    return it->second;
  unsigned home = scope;
  // In branches of the scope, which may be nested, a value belongs to the innermost one.
  if (llvm::all_of(llvm::drop_begin(scopes, scope + 1),
                   [](const Scope &inner) { return inner.isBranch; }))
    while (home + 1 < scopes.size()) {
      ++home;
      if (auto it = scopes[home].tiles.find(key); it != scopes[home].tiles.end())
        return it->second;
    }
  Tile tile = inScope(home, [&] { return emitValue(value, env, scope, home); });
  scopes[home].tiles[key] = tile;
  return tile;
}

/// Emits a value of the loop `scope`; the builder is in `home`, which may be a branch of it.
Tile PhaseEmitter::emitValue(Value value, const Env &env, unsigned scope, unsigned home) {
  Operation *op = value.getDefiningOp();
  tb.loc = value.getLoc();
  if (slots[env.position].label.empty() && env.position && isHoisted(value)) {
    Env rows = env;
    rows.position = rowSlot;
    return tb.extract(get(value, rows), kRow, slots[env.position].row);
  }
  if (!op && !isPosition(value)) {
    auto argument = cast<BlockArgument>(value);
    if (getBodyOf(value))
      return fail(value.getLoc(), "a state is used outside its recurrence", value.getType());
    return load(getArgument(argument.getArgNumber()), cast<RankedTensorType>(value.getType()),
                SmallVector<unsigned>(getAxes(value).size(), 0));
  }
  if (std::optional<ScaledSum> sum = getScaledSum(value, env))
    return emitProductSum(sum->factors, getAxesOf(value, env), sum->reduced, scope);
  if (!op || isInlinable(op))
    return fuse(
        Term(value, env), getAxesOf(value, env), scope,
        [](ElementBuilder &body) { return body.elements[0]; }, convertType(value.getType()));
  if (auto size = dyn_cast<SizeOp>(op)) {
    Value count = inScope(0, [&] { return getAxisSize(size.getAxis()); });
    return {arith::IndexCastOp::create(tb.builder, tb.loc, tb.builder.getI64Type(), count), {}};
  }
  if (auto initial = dyn_cast<InitialOp>(op))
    return emitInitial(initial);
  if (auto read = dyn_cast<ReadOp>(op))
    return emitRead(read, env, home);
  if (isAnchor(op) && isInPhase(op)) {
    emitAnchor(op);
    auto it = scopes[scope].tiles.find(getKey(value, env));
    if (it != scopes[scope].tiles.end())
      return it->second;
    return fail(op->getLoc(), "a result is used at another position than it was computed for",
                value.getType());
  }
  if (plan.isSplit(op)) {
    mergeParts(op, env, home);
    return scopes[home].tiles.lookup(getKey(value, env));
  }
  if (isAnchor(op)) {
    SmallVector<unsigned> slotOf;
    for (StringRef axis : getAxes(value))
      slotOf.push_back(isIndexAxis(axis) ? env.find(axis) : 0);
    return load(getWorkspace(value), cast<RankedTensorType>(value.getType()), slotOf);
  }
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return emitFeatureReduce(reduce, env, scope);
  if (auto topk = dyn_cast<TopKOp>(op))
    return emitFeatureTopK(topk, env, scope);
  if (isKeyPrefix(op))
    return fail(op->getLoc(),
                "a prefix of a value with two index variables is known only to a reduction over "
                "the variable that it runs along, and over no other",
                value.getType());
  return fail(op->getLoc(),
              "the operation '" + op->getName().getStringRef() + "' has no tile program",
              value.getType());
}

//===----------------------------------------------------------------------===//
// Fusion of elementwise work
//===----------------------------------------------------------------------===//

/// One elementwise operation under construction: the leaves that it loads.
struct PhaseEmitter::Fusion {
  unsigned scope;
  int64_t numElements;
  SmallVector<Tile> leaves;
  llvm::DenseMap<Key, unsigned> leafOf;
  /// Operations that are inlined if nothing else needs their values.
  llvm::SmallPtrSet<Operation *, 16> reached;
};

bool PhaseEmitter::isCostly(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !isInlinable(op))
    return false;
  auto it = costly.find(value);
  if (it != costly.end())
    return it->second;
  bool result = isFunction(op) ||
                isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, arith::RemSIOp,
                    arith::FloorDivSIOp, arith::CeilDivSIOp>(op) ||
                llvm::any_of(op->getOperands(), [&](Value operand) { return isCostly(operand); });
  return costly[value] = result;
}

bool PhaseEmitter::isInlined(Fusion &fusion, Value value, const Env &env) {
  if (isPosition(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || !isInlinable(op))
    return false;
  if (isa<arith::ConstantOp, IotaOp>(op))
    return true;
  unsigned scope = getScope(value, env);
  if (scopes[scope].tiles.count(getKey(value, env)))
    return false;
  if (isa<BroadcastOp>(op))
    return true;
  if (getScaledSum(value, env))
    return false;
  if (env.position && slots[env.position].label.empty() && isHoisted(value))
    return false;
  Axes axes = getAxesOf(value, env);
  bool isInvariant = scope < fusion.scope;
  if (isInvariant && axes.empty())
    return false;
  bool isReal = isa<FloatType>(getElementTypeOrSelf(value.getType()));
  if (isInvariant || tb.getNumElements(axes) < fusion.numElements)
    return !(isCostly(value) || (isInvariant && isReal));
  return true;
}

void PhaseEmitter::collectLeaves(Fusion &fusion, Value value, const Env &env, bool isFinal) {
  Operation *op = value.getDefiningOp();
  bool isShared =
      isFinal && op && isCostly(value) && !op->hasOneUse() && !isa<BroadcastOp>(op) &&
      llvm::any_of(op->getUsers(), [&](Operation *user) { return !fusion.reached.contains(user); });
  if (isInlined(fusion, value, env) && !isShared) {
    if (!op)
      return;
    fusion.reached.insert(op);
    for (Value operand : op->getOperands())
      collectLeaves(fusion, operand, env, isFinal);
    return;
  }
  if (!isFinal)
    return;
  auto [it, isNew] = fusion.leafOf.try_emplace(getKey(value, env), fusion.leaves.size());
  if (isNew)
    fusion.leaves.push_back(get(value, env));
}

Value PhaseEmitter::buildElement(Fusion &fusion, ElementBuilder &body, Value value, const Env &env,
                                 llvm::DenseMap<Key, Value> &done) {
  Key key = getKey(value, env);
  if (auto it = fusion.leafOf.find(key); it != fusion.leafOf.end())
    return body.elements[it->second];
  if (auto it = done.find(key); it != done.end())
    return it->second;
  OpBuilder &b = body.builder;
  Operation *op = value.getDefiningOp();
  Value result;
  if (isPosition(value) || isa_and_nonnull<IotaOp>(op)) {
    unsigned number = op ? env.find(getAxes(value).front()) : env.position;
    if (!number)
      return fail(value.getLoc(), "a position is used where nothing walks it", value.getType())
          .value;
    const Slot &slot = slots[number];
    Value position = slot.offset;
    if (!slot.label.empty())
      position = arith::AddIOp::create(b, body.loc, slot.offset, body.index(slot.label));
    result = arith::IndexCastOp::create(b, body.loc, b.getI64Type(), position);
  } else if (auto constant = dyn_cast_or_null<arith::ConstantOp>(op)) {
    result = buildConstant(body, constant);
  } else if (auto broadcast = dyn_cast_or_null<BroadcastOp>(op)) {
    result = buildElement(fusion, body, broadcast.getSource(), env, done);
  } else {
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.operands.push_back(buildElement(fusion, body, operand, env, done));
    state.addTypes(convertType(value.getType()));
    state.addAttributes(op->getAttrs());
    result = b.create(state)->getResult(0);
  }
  return done[key] = result;
}

Value PhaseEmitter::buildConstant(ElementBuilder &body, arith::ConstantOp constant) {
  Attribute value = constant.getValue();
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (!dense.isSplat())
      fail(constant.getLoc(), "a constant with several values has no tile program",
           constant.getType());
    value = *dense.getValues<Attribute>().begin();
  }
  TypedAttr scalar;
  if (auto real = dyn_cast<FloatAttr>(value))
    scalar = body.builder.getFloatAttr(tb.element, real.getValueAsDouble());
  else
    scalar = cast<IntegerAttr>(value);
  return arith::ConstantOp::create(body.builder, body.loc, scalar);
}

/// Collects the leaves of the terms, then calls `emit` with the input tiles and the
/// function of one element.
Tile PhaseEmitter::fuseTerms(ArrayRef<Term> terms, AxisList domain, unsigned scope, ElementFn fn,
                             llvm::function_ref<Tile(ArrayRef<Tile>, ElementFn)> emit) {
  Fusion fusion;
  fusion.scope = scope;
  fusion.numElements = tb.getNumElements(domain);
  for (const Term &term : terms)
    if (term.value)
      if (Operation *op = term.value.getDefiningOp(); op && isInlinable(op))
        for (Value operand : op->getOperands())
          collectLeaves(fusion, operand, term.env, /*isFinal=*/false);
  auto isRoot = [&](const Term &term) {
    Operation *op = term.value ? term.value.getDefiningOp() : nullptr;
    return term.value && (isPosition(term.value) || (op && isInlinable(op)));
  };
  for (const Term &term : terms) {
    if (!isRoot(term))
      continue;
    if (Operation *op = term.value.getDefiningOp())
      fusion.reached.insert(op);
  }
  SmallVector<int> tileOf(terms.size(), -1);
  for (auto [n, term] : llvm::enumerate(terms)) {
    // A root that was emitted before, or that is no elementwise work, is a leaf.
    bool isTile = !term.value || !isRoot(term) ||
                  (terms.size() > 1 && !isInlined(fusion, term.value, term.env));
    if (isTile) {
      tileOf[n] = fusion.leaves.size();
      fusion.leaves.push_back(term.value ? get(term.value, term.env) : term.tile);
    } else if (Operation *op = term.value.getDefiningOp()) {
      for (Value operand : op->getOperands())
        collectLeaves(fusion, operand, term.env, /*isFinal=*/true);
    }
  }
  return emit(fusion.leaves, [&](ElementBuilder &body) {
    llvm::DenseMap<Key, Value> done;
    SmallVector<Value> elements;
    for (auto [n, term] : llvm::enumerate(terms))
      elements.push_back(tileOf[n] >= 0 ? body.elements[tileOf[n]]
                                        : buildElement(fusion, body, term.value, term.env, done));
    ElementBuilder inner(body.builder, body.loc, body.domain, elements);
    return fn(inner);
  });
}

Tile PhaseEmitter::fuse(ArrayRef<Term> terms, AxisList axes, unsigned scope, ElementFn fn,
                        Type resultElement) {
  return fuseTerms(terms, axes, scope, fn, [&](ArrayRef<Tile> leaves, ElementFn element) {
    return tb.map(leaves, axes, element, resultElement);
  });
}

Tile PhaseEmitter::fuseReduce(ReduceKind kind, ArrayRef<Term> terms, AxisList axes,
                              AxisList reduced, unsigned scope, ElementFn fn, Type resultElement) {
  Axes domain = uniteAxes(axes, reduced);
  return fuseTerms(terms, domain, scope, fn, [&](ArrayRef<Tile> leaves, ElementFn element) {
    return tb.reduce(kind, leaves, axes, reduced, element, resultElement);
  });
}
