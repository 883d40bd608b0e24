//===- TilePhase.cpp - The loops, loads and stores of a phase --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TilePhase.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

PhaseEmitter::PhaseEmitter(TilePlan &plan, unsigned phase, const TileSignature &signature,
                           func::FuncOp mixer, const TileParameters &parameters)
    : plan(plan), phase(plan.phases[phase]), signature(signature), mixer(mixer),
      parameters(parameters), tb(mixer.getContext(), parameters.element) {
  tb.loc = mixer.getLoc();
  auto step = mixer->getAttrOfType<StringAttr>(kStepAttr);
  bool isSplit = step && this->phase.space == plan.getHistory();
  rowSpace = isSplit ? step.getValue() : this->phase.space;
  slots.push_back({"", "", Value(), Value(), 0});
  mixer.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      setSizes(type);
  });
  for (Type type : mixer.getArgumentTypes())
    setSizes(type);
}

void PhaseEmitter::setSizes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return;
  for (auto [axis, size] : llvm::zip(getAxes(type), tensor.getShape()))
    if (!isIndexAxis(axis) && !ShapedType::isDynamic(size))
      tb.setSize(axis, size);
}

Tile PhaseEmitter::fail(Location loc, const Twine &reason, Type type) {
  if (!failure)
    failure = TileFailure{loc, reason.str()};
  Type elementType = convertType(type);
  return {arith::ConstantOp::create(tb.builder, loc, tb.builder.getZeroAttr(elementType)), {}};
}

//===----------------------------------------------------------------------===//
// Scopes
//===----------------------------------------------------------------------===//

void PhaseEmitter::moveTo(unsigned scope) {
  Scope &to = scopes[scope];
  if (to.before)
    tb.builder.setInsertionPoint(to.before);
  else
    tb.builder.setInsertionPointToEnd(to.block);
}

unsigned PhaseEmitter::addSlot(Slot slot) {
  slots.push_back(slot);
  return slots.size() - 1;
}

SmallVector<Tile>
PhaseEmitter::loop(unsigned scope, Value lower, Value upper, int64_t step, ArrayRef<Tile> carried,
                   llvm::function_ref<SmallVector<Tile>(unsigned, Value, ArrayRef<Tile>)> body) {
  SmallVector<Value> inits = llvm::map_to_vector(carried, [](const Tile &t) { return t.value; });
  Value stepValue = tb.index(step);
  auto forOp = scf::ForOp::create(tb.builder, tb.loc, lower, upper, stepValue, inits);
  Operation *outerBefore = scopes[scope].before;
  scopes[scope].before = forOp;
  unsigned inner = scopes.size();
  scopes.emplace_back().block = forOp.getBody();
  if (inits.empty())
    scopes[inner].before = forOp.getBody()->getTerminator();

  SmallVector<Tile> arguments(carried);
  for (auto [tile, value] : llvm::zip(arguments, forOp.getRegionIterArgs()))
    tile.value = value;
  {
    OpBuilder::InsertionGuard guard(tb.builder);
    moveTo(inner);
    SmallVector<Tile> nextTiles = body(inner, forOp.getInductionVar(), arguments);
    moveTo(inner);
    SmallVector<Value> values;
    for (auto [tile, argument] : llvm::zip(nextTiles, arguments))
      values.push_back(tb.spread(tile, argument.axes).value);
    if (!inits.empty())
      scf::YieldOp::create(tb.builder, tb.loc, values);
  }
  scopes.pop_back();
  scopes[scope].before = outerBefore;
  for (auto [tile, value] : llvm::zip(arguments, forOp.getResults()))
    tile.value = value;
  return arguments;
}

SmallVector<Tile> PhaseEmitter::branchAll(unsigned scope, Value condition, ArrayRef<Tile> tiles,
                                          llvm::function_ref<SmallVector<Tile>()> otherwise) {
  SmallVector<Value> values = llvm::map_to_vector(tiles, [](const Tile &t) { return t.value; });
  auto ifOp = scf::IfOp::create(tb.builder, tb.loc, ValueRange(values).getTypes(), condition,
                                /*withElseRegion=*/true);
  Operation *outerBefore = scopes[scope].before;
  scopes[scope].before = ifOp;
  {
    OpBuilder::InsertionGuard guard(tb.builder);
    tb.builder.setInsertionPointToEnd(ifOp.thenBlock());
    scf::YieldOp::create(tb.builder, tb.loc, values);
    unsigned inner = scopes.size();
    scopes.emplace_back().block = ifOp.elseBlock();
    scopes[inner].isBranch = true;
    moveTo(inner);
    SmallVector<Tile> others = otherwise();
    moveTo(inner);
    SmallVector<Value> otherValues;
    for (auto [tile, other] : llvm::zip(tiles, others))
      otherValues.push_back(tb.spread(other, tile.axes).value);
    scf::YieldOp::create(tb.builder, tb.loc, otherValues);
    scopes.pop_back();
  }
  scopes[scope].before = outerBefore;
  SmallVector<Tile> results(tiles);
  for (auto [tile, value] : llvm::zip(results, ifOp.getResults()))
    tile.value = value;
  return results;
}

Tile PhaseEmitter::branch(unsigned scope, Value condition, const Tile &tile,
                          llvm::function_ref<Tile()> otherwise) {
  return branchAll(scope, condition, tile, [&] { return SmallVector<Tile>{otherwise()}; }).front();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Type PhaseEmitter::getRealType(const TileSignature::Argument &argument) const {
  if (argument.kind.starts_with("state"))
    return parameters.stateElement;
  if (argument.kind != "cache")
    return parameters.tensorElement;
  // Rows that are computed, like sums over tokens, are kept as exactly as they are computed.
  func::FuncOp above = mixer;
  Value cache = above.getArgument(&argument - signature.arguments.data());
  bool isInput = llvm::all_of(cache.getUsers(), [](Operation *user) {
    auto append = dyn_cast<AppendOp>(user);
    return !append || isa<BlockArgument>(append.getRows());
  });
  return isInput ? parameters.tensorElement : parameters.element;
}

MemRefType PhaseEmitter::getViewType(RankedTensorType type, Type real) const {
  SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim)
    if (!type.isDynamicDim(dim)) {
      strides[dim] = 1;
      break;
    }
  Type elementType = isa<FloatType>(type.getElementType()) ? real : type.getElementType();
  if (type.getRank() == 0)
    return MemRefType::get({}, elementType);
  auto layout = StridedLayoutAttr::get(type.getContext(), 0, strides);
  return MemRefType::get(type.getShape(), elementType, layout);
}

Value PhaseEmitter::getWorkspace(Value value) {
  unsigned number = plan.requestWorkspace(value);
  addWorkspaces();
  return function.getArgument(signature.arguments.size() + number);
}

void PhaseEmitter::addWorkspaces() {
  for (; numWorkspaces < plan.workspaces.size(); ++numWorkspaces) {
    Value value = plan.workspaces[numWorkspaces];
    (void)function.insertArgument(signature.arguments.size() + numWorkspaces,
                                  getViewType(plan.getStoredType(value), tb.element), {},
                                  value.getLoc());
  }
}

Value PhaseEmitter::getAxisSize(StringRef axis) {
  Value &size = spaceSizes[axis];
  if (size)
    return size;
  OpBuilder::InsertionGuard guard(tb.builder);
  moveTo(0);
  for (auto [n, argument] : llvm::enumerate(signature.arguments)) {
    int64_t dim = findAxis(argument.type, axis);
    if (dim < 0)
      continue;
    if (!argument.type.isDynamicDim(dim))
      return size = tb.index(argument.type.getDimSize(dim));
    Value index = tb.index(dim);
    return size = memref::DimOp::create(tb.builder, tb.loc, getArgument(n), index);
  }
  auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  auto block = blocks ? blocks.getAs<ArrayAttr>(axis) : ArrayAttr();
  if (block && block.size() == 2 && isa<StringAttr>(block[0]) && isa<IntegerAttr>(block[1])) {
    Value base = getAxisSize(cast<StringAttr>(block[0]).getValue());
    Value length = tb.index(cast<IntegerAttr>(block[1]).getInt());
    Value count = arith::CeilDivSIOp::create(tb.builder, tb.loc, base, length);
    return spaceSizes[axis] = count;
  }
  if (!failure)
    failure = TileFailure{mixer.getLoc(), ("no argument has the axis '" + axis + "'").str()};
  return spaceSizes[axis] = tb.index(0);
}

Tile PhaseEmitter::load(Value view, RankedTensorType type, ArrayRef<unsigned> slotOf) {
  SmallVector<Access> accesses;
  for (auto [dim, axis] : llvm::enumerate(getAxes(type))) {
    if (!slotOf[dim]) {
      accesses.push_back(getWholeAxis(type, dim));
      continue;
    }
    const Slot &slot = slots[slotOf[dim]];
    accesses.push_back({slot.offset, slot.label});
  }
  return load(view, accesses);
}

/// All of a feature axis, or the task's block of it.
PhaseEmitter::Access PhaseEmitter::getWholeAxis(RankedTensorType type, unsigned dim) {
  StringRef axis = getAxes(type)[dim];
  if (type.isDynamicDim(dim))
    fail(tb.loc, "a tile needs the whole axis '" + axis + "', whose size is not static", type);
  return {axis == blockAxis ? blockStart : tb.index(0), axis};
}

Tile PhaseEmitter::load(Value view, ArrayRef<Access> accesses) {
  Type elementType = cast<MemRefType>(view.getType()).getElementType();
  Axes axes;
  SmallVector<int64_t> shape;
  SmallVector<Value> offsets;
  // Single positions in front are no dimensions of the tile; later ones are, of size 1.
  bool hasHoles = false;
  for (const Access &access : accesses) {
    offsets.push_back(access.offset);
    if (!access.axis.empty()) {
      axes.push_back(access.axis);
      shape.push_back(tb.getSize(access.axis));
    } else if (!shape.empty()) {
      hasHoles = true;
      shape.push_back(1);
    }
  }
  Value tile = tile::LoadOp::create(tb.builder, tb.loc, RankedTensorType::get(shape, elementType),
                                    view, offsets);
  if (axes.empty())
    return tb.widen({tensor::ExtractOp::create(tb.builder, tb.loc, tile, ValueRange()), {}});
  if (hasHoles) {
    auto result = cast<RankedTensorType>(tb.getType(axes, elementType));
    SmallVector<OpFoldResult> at(shape.size(), tb.builder.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes = getAsIndexOpFoldResult(tb.builder.getContext(), shape);
    SmallVector<OpFoldResult> strides(shape.size(), tb.builder.getIndexAttr(1));
    tile = tensor::ExtractSliceOp::create(tb.builder, tb.loc, result, tile, at, sizes, strides);
  }
  return tb.widen({tile, axes});
}

/// Stores a tile of a value whose stored type is `type`. `row` is the first position
/// along the token axis, if there is one, which the tile has as the axis `label`. A split
/// phase stores its part.
void PhaseEmitter::store(Tile tile, Value view, RankedTensorType type, Value row, StringRef label) {
  Axes axes;
  SmallVector<Value> offsets;
  for (auto [dim, axis] : llvm::enumerate(getAxes(type))) {
    if (split && axis == plan.getSplitSpace()) {
      offsets.push_back(split);
      continue;
    }
    bool isRow = row && axis == rowSpace;
    if (!isRow && type.isDynamicDim(dim))
      fail(tb.loc, "a tile needs the whole axis '" + axis + "', whose size is not static", type);
    axes.push_back(isRow ? label : axis);
    offsets.push_back(isRow ? row : axis == blockAxis ? blockStart : tb.index(0));
  }
  Tile full = tb.spread(tile, axes);
  full = tb.narrow(full, cast<MemRefType>(view.getType()).getElementType());
  if (axes.empty())
    full.value = tensor::SplatOp::create(tb.builder, tb.loc, full.value,
                                         RankedTensorType::get({}, full.value.getType()));
  auto storeTile = [&](OpBuilder &b, Location loc) {
    tile::StoreOp::create(b, loc, full.value, view, offsets);
  };
  if (blockAxis.empty() || hasAxis(type, blockAxis))
    return storeTile(tb.builder, tb.loc);
  // All blocks of features have the same; one stores it.
  Value isFirst =
      arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, blockStart, tb.index(0));
  scf::IfOp::create(tb.builder, tb.loc, isFirst, [&](OpBuilder &b, Location loc) {
    storeTile(b, loc);
    scf::YieldOp::create(b, loc);
  });
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

Env PhaseEmitter::getAnchorEnv(Operation *op) const {
  Env env;
  StringRef variable = getRowVariable(op);
  if (!variable.empty())
    env.variables.push_back({variable, rowSlot});
  return env;
}

void PhaseEmitter::emitAnchor(Operation *op) {
  if (!emitted.insert({op, true}).second)
    return;
  tb.loc = op->getLoc();
  if (auto scan = dyn_cast<AffineScanOp>(op))
    return emitScan(scan);
  if (auto loop = dyn_cast<ForOp>(op))
    return emitFor(loop);
  if (auto blocks = dyn_cast<ForBlocksOp>(op))
    return emitForBlocks(blocks);
  if (auto prefix = dyn_cast<PrefixOp>(op))
    return emitPrefix(prefix);
  emitStream(op);
}

/// Stores the results and workspaces of the phase at the row slot, final states apart.
void PhaseEmitter::storeRows() {
  auto storeValue = [&](Value value, Value view) {
    if (isFinalState(value) && isInPhase(value.getDefiningOp()))
      return;
    Env env;
    Value source = value;
    if (auto bind = value.getDefiningOp<BindOp>()) {
      source = bind.getSource();
      env.variables.push_back({bind.getAxis(), rowSlot});
    } else {
      for (StringRef axis : getIndexAxes(getAxes(value)))
        env.variables.push_back({axis, rowSlot});
    }
    Tile tile = get(source, env);
    inScope(rowScope, [&] {
      tb.loc = value.getLoc();
      store(tile, view, plan.getStoredType(value), rowSlot ? slots[rowSlot].offset : Value());
    });
  };
  Operation *terminator = mixer.getBody().front().getTerminator();
  for (unsigned n : phase.results)
    storeValue(terminator->getOperand(n), getArgument(signature.resultArgument[n]));
  for (Value value : phase.workspaces)
    storeValue(value, getWorkspace(value));
  for (AppendOp append : phase.appends)
    appendRows(append);
}

/// One row of a tile, where rows are stored one by one.
static constexpr llvm::StringLiteral kOneRow = "one";

/// Stores the new rows of a cache, at the row slot, behind those of earlier calls: one by one,
/// since neighbours may lie in different pages.
void PhaseEmitter::appendRows(AppendOp append) {
  Value rows = append.getRows();
  auto type = cast<RankedTensorType>(rows.getType());
  auto view = cast<BlockArgument>(append.getCache());
  Env env;
  auto bind = rows.getDefiningOp<BindOp>();
  if (bind)
    env.variables.push_back({bind.getAxis(), rowSlot});
  Tile tile;
  if (isa<BlockArgument>(rows)) {
    SmallVector<unsigned> slotOf = llvm::map_to_vector(
        getAxes(rows), [&](StringRef axis) { return axis == append.getAxis() ? rowSlot : 0u; });
    tile = inScope(rowScope, [&] {
      return load(getArgument(cast<BlockArgument>(rows).getArgNumber()), type, slotOf);
    });
  } else {
    tile = get(bind ? bind.getSource() : rows, env);
  }
  Value position = getPosition();
  tb.setSize(kOneRow, 1);
  inScope(rowScope, [&] {
    tb.loc = append.getLoc();
    Value first = tb.indexOp<arith::AddIOp>(position, slots[rowSlot].offset);
    if (parameters.isByToken())
      return store(tile, getArgument(view.getArgNumber()), type, first);
    auto storeRow = [&](unsigned, Value number, ArrayRef<Tile>) -> SmallVector<Tile> {
      Tile row = tile.has(kRow) ? tb.extract(tile, kRow, number) : tile;
      Value at = tb.indexOp<arith::AddIOp>(first, number);
      store(row, getArgument(view.getArgNumber()), type, at, kOneRow);
      return {};
    };
    Value count = tb.indexOp<arith::MinSIOp>(getRowsLeft(), tb.index(tb.getSize(kRow)));
    loop(rowScope, tb.index(0), count, 1, {}, storeRow);
  });
}

/// Stores a final state wherever it is a result or needed by a later phase.
void PhaseEmitter::storeFinal(Value final, const Tile &tile) {
  auto type = cast<RankedTensorType>(final.getType());
  for (auto [n, value] : llvm::enumerate(mixer.getBody().front().getTerminator()->getOperands()))
    if (value == final)
      store(tile, getArgument(signature.resultArgument[n]), type, {});
  if (llvm::is_contained(phase.workspaces, final))
    store(tile, getWorkspace(final), type, {});
}

Value PhaseEmitter::getPosition() {
  auto it = llvm::find_if(signature.arguments, [](const TileSignature::Argument &argument) {
    return argument.kind == "position";
  });
  if (it == signature.arguments.end())
    return {};
  return inScope(1, [&] {
    Value argument = mixer.getArgument(it - signature.arguments.begin());
    Value position = get(argument, {}).value;
    return tb.builder.createOrFold<arith::IndexCastOp>(tb.loc, tb.builder.getIndexType(), position);
  });
}

/// The initial value of a state: the caller's if given, else the mixer's. A step continues
/// a sequence from the caller's states, and starts one from the mixer's.
Tile PhaseEmitter::emitInitial(InitialOp op) {
  Axes axes(getAxes(op.getResult()));
  Tile spec = tb.spread(get(op.getSource(), {}), axes);
  auto it = llvm::find(signature.stateNames, op.getName());
  if (it == signature.stateNames.end())
    return spec;
  unsigned state = it - signature.stateNames.begin();
  Value isGiven;
  if (Value position = getPosition())
    isGiven =
        arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::ne, position, tb.index(0));
  else
    isGiven = given[state];
  auto ifOp = scf::IfOp::create(tb.builder, tb.loc, spec.value.getType(), isGiven,
                                /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(tb.builder);
  tb.builder.setInsertionPointToEnd(ifOp.thenBlock());
  Tile loaded = load(getArgument(signature.stateArgument[state]),
                     cast<RankedTensorType>(op.getType()), SmallVector<unsigned>(axes.size(), 0));
  scf::YieldOp::create(tb.builder, tb.loc, loaded.value);
  tb.builder.setInsertionPointToEnd(ifOp.elseBlock());
  scf::YieldOp::create(tb.builder, tb.loc, spec.value);
  return {ifOp.getResult(0), axes};
}

/// their states.
SmallVector<std::pair<Value, Value>> PhaseEmitter::getStates() {
  SmallVector<std::pair<Value, Value>> states;
  for (Operation *anchor : phase.anchors) {
    if (auto scan = dyn_cast<AffineScanOp>(anchor))
      for (auto [start, final] : llvm::zip(scan.getInits(), scan.getFinals()))
        states.push_back({start, final});
    if (auto blocks = dyn_cast<ForBlocksOp>(anchor))
      llvm::append_range(states, getStatesOfBlocks(blocks));
    auto recurrence = dyn_cast<ForOp>(anchor);
    if (!recurrence)
      continue;
    for (auto [start, final] : llvm::zip(recurrence.getInits(), recurrence.getFinalStates()))
      states.push_back({start, final});
    if (recurrence.getBlock())
      for (unsigned n = 0; n < recurrence.getNumStates(); ++n)
        states.push_back({recurrence.getInits()[n], recurrence.getFrozen(n)});
  }
  return states;
}

/// A loop over chunks of tokens that carries every state and prefix of the
/// phase.
void PhaseEmitter::emitSequential() {
  SmallVector<Value> keys;
  SmallVector<Tile> inits;
  for (Operation *anchor : phase.anchors)
    if (auto prefix = dyn_cast<PrefixOp>(anchor)) {
      keys.push_back(prefix.getResult());
      inits.push_back(getPrefixStart(prefix, {}));
    }
  for (auto [start, final] : getStates()) {
    tb.loc = final.getLoc();
    keys.push_back(final);
    inits.push_back(tb.spread(get(start, {}), getAxes(start)));
  }
  tb.loc = mixer.getLoc();
  Value zero = tb.index(0), count = getAxisSize(rowSpace);
  SmallVector<Tile> finals =
      loop(1, zero, count, tb.getSize(kRow), inits,
           [&](unsigned scope, Value position, ArrayRef<Tile> tiles) {
             rowScope = scope;
             rowSlot = addSlot({kRow, rowSpace, position, Value(), scope});
             for (auto [key, tile] : llvm::zip(keys, tiles))
               carried[key] = tile;
             storeRows();
             for (Operation *anchor : phase.anchors)
               inScope(scope, [&] { emitAnchor(anchor); });
             return llvm::map_to_vector(keys, [&](Value key) { return next[key]; });
           });
  tb.loc = mixer.getLoc();
  for (auto [key, tile] : llvm::zip(keys, finals))
    if (isFinalState(key))
      storeFinal(key, tile);
}

/// The memory of a state of a step form; null if the value is none.
Value PhaseEmitter::getStateView(Value initial) {
  auto op = initial.getDefiningOp<InitialOp>();
  auto it = op ? llvm::find(signature.stateNames, op.getName()) : signature.stateNames.end();
  if (it == signature.stateNames.end()) {
    fail(initial.getLoc(), "a recurrence of a step does not start from a state", initial.getType());
    return {};
  }
  return getArgument(signature.stateArgument[it - signature.stateNames.begin()]);
}

/// A loop over the new tokens, each of which updates the states where they are.
/// The first token of a sequence finds the initial values there.
void PhaseEmitter::emitSteps() {
  auto states = getStates();
  Value isFirst = arith::CmpIOp::create(tb.builder, tb.loc, arith::CmpIPredicate::eq, getPosition(),
                                        tb.index(0));
  for (auto [start, final] : states) {
    Value view = getStateView(start);
    if (!view)
      return;
    tb.loc = start.getLoc();
    auto type = cast<RankedTensorType>(start.getType());
    Tile value = tb.spread(get(start.getDefiningOp<InitialOp>().getSource(), {}), getAxes(start));
    auto ifOp = scf::IfOp::create(tb.builder, tb.loc, isFirst);
    OpBuilder::InsertionGuard guard(tb.builder);
    tb.builder.setInsertionPointToStart(ifOp.thenBlock());
    store(value, view, type, {});
  }
  tb.loc = mixer.getLoc();
  loop(1, tb.index(0), getAxisSize(rowSpace), 1, {},
       [&](unsigned scope, Value position, ArrayRef<Tile>) {
         rowScope = scope;
         rowSlot = addSlot({kRow, rowSpace, position, Value(), scope});
         for (auto [start, final] : states) {
           auto type = cast<RankedTensorType>(start.getType());
           tb.loc = final.getLoc();
           carried[final] =
               load(getStateView(start), type, SmallVector<unsigned>(type.getRank(), 0));
         }
         storeRows();
         for (Operation *anchor : phase.anchors)
           inScope(scope, [&] { emitAnchor(anchor); });
         moveTo(scope);
         for (auto [start, final] : states)
           store(next[final], getStateView(start), cast<RankedTensorType>(start.getType()), {});
         return SmallVector<Tile>();
       });
}

int64_t PhaseEmitter::getNumFeatureBlocks() const {
  return blockAxis.empty() ? 1 : llvm::divideCeil(numFeatures, featureBlock);
}

func::FuncOp PhaseEmitter::emit() {
  MLIRContext *context = mixer.getContext();
  SmallVector<Type> types;
  for (const TileSignature::Argument &argument : signature.arguments)
    types.push_back(getViewType(argument.type, getRealType(argument)));
  unsigned numGiven = parameters.isStep ? 0 : signature.stateNames.size();
  types.append(numGiven, tb.builder.getI1Type());
  function =
      func::FuncOp::create(mixer.getLoc(), mixer.getName(), FunctionType::get(context, types, {}));
  Block *entry = function.addEntryBlock();
  tb.builder.setInsertionPointToEnd(entry);
  auto ret = func::ReturnOp::create(tb.builder, tb.loc);
  scopes.emplace_back().block = entry;
  scopes[0].before = ret;
  llvm::append_range(given, entry->getArguments().take_back(numGiven));

  tb.builder.setInsertionPoint(ret);
  bool isGrid = !phase.isSequential && !phase.space.empty();
  bool isSplit = isGrid && phase.space == plan.getHistory();
  tb.setSize(kRow, getNumRows());
  chooseFeatureBlock();
  OpFoldResult tasks = tb.builder.getIndexAttr(1);
  OpFoldResult features = tb.builder.getIndexAttr(getNumFeatureBlocks());
  if (isGrid) {
    Value rows = tb.index(isSplit ? parameters.splitRows : tb.getSize(kRow));
    tasks =
        arith::CeilDivSIOp::create(tb.builder, tb.loc, getAxisSize(phase.space), rows).getResult();
  }
  auto grid =
      scf::ForallOp::create(tb.builder, tb.loc, {features, tasks}, ValueRange(), std::nullopt);
  scopes[0].before = grid;
  scopes.emplace_back().block = grid.getBody();
  scopes[1].before = grid.getBody()->getTerminator();
  moveTo(1);
  if (!blockAxis.empty())
    blockStart =
        arith::MulIOp::create(tb.builder, tb.loc, grid.getInductionVar(0), tb.index(featureBlock));
  if (phase.isSequential) {
    parameters.isByToken() ? emitSteps() : emitSequential();
  } else if (isSplit) {
    emitSplit(grid);
  } else {
    if (isGrid) {
      Value offset = arith::MulIOp::create(tb.builder, tb.loc, grid.getInductionVar(1),
                                           tb.index(tb.getSize(kRow)));
      rowSlot = addSlot({kRow, rowSpace, offset, Value(), 1});
    }
    storeRows();
  }
  return function;
}
