//===- TilePlan.cpp - Which phase computes what ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TilePlan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Build.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// A position that is not the row that a phase computes.
static constexpr llvm::StringLiteral kElsewhere = "?";

//===----------------------------------------------------------------------===//
// Anchors
//===----------------------------------------------------------------------===//

SmallVector<StringRef> mix::getIndexAxes(ArrayRef<StringRef> axes) {
  SmallVector<StringRef> result;
  for (StringRef axis : axes)
    if (isIndexAxis(axis))
      result.push_back(axis);
  return result;
}

bool mix::isKeyPrefix(Operation *op) {
  auto prefix = dyn_cast<PrefixOp>(op);
  return prefix && isIndexAxis(prefix.getAxis()) &&
         getIndexAxes(getAxes(prefix.getSource())).size() > 1;
}

bool mix::isAnchor(Operation *op) {
  if (isKeyPrefix(op))
    return false;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return llvm::any_of(reduce.getAxes().getAsValueRange<StringAttr>(), isIndexAxis);
  if (auto topk = dyn_cast<TopKOp>(op))
    return isIndexAxis(topk.getAxis());
  return isa<AffineScanOp, ForOp, ForBlocksOp, PrefixOp, StreamedReductionOp, SoftmaxOp, LargestOp>(
      op);
}

bool mix::isSequentialAnchor(Operation *op) {
  return isAnchor(op) && isa<AffineScanOp, ForOp, ForBlocksOp, PrefixOp>(op);
}

StringRef mix::getLoopSpace(Operation *op) {
  if (auto loop = dyn_cast_or_null<ForOp>(op))
    return loop.getSpace();
  auto blocks = dyn_cast_or_null<ForBlocksOp>(op);
  return blocks ? blocks.getSpace() : StringRef();
}

StringRef mix::getRowVariable(Operation *anchor) {
  if (auto scan = dyn_cast<AffineScanOp>(anchor))
    return scan.getAxis();
  if (auto prefix = dyn_cast<PrefixOp>(anchor))
    return prefix.getAxis();
  if (isa<ForOp, ForBlocksOp>(anchor))
    return {};
  SmallVector<StringRef> rows = getIndexAxes(getAxes(anchor->getResult(0)));
  return rows.empty() ? StringRef() : rows.front();
}

SmallVector<StringRef> mix::getReducedVariables(Operation *op) {
  SmallVector<StringRef> variables;
  auto add = [&](Attribute list) {
    llvm::append_range(variables, getIndexAxes(llvm::to_vector(
                                      cast<ArrayAttr>(list).getAsValueRange<StringAttr>())));
  };
  if (auto streamed = dyn_cast<StreamedReductionOp>(op))
    llvm::for_each(streamed.getAxes(), add);
  else if (auto reduce = dyn_cast<ReduceOp>(op))
    add(reduce.getAxes());
  return variables;
}

StringRef mix::getRowSpace(Operation *anchor) {
  if (StringRef space = getLoopSpace(anchor); !space.empty())
    return space;
  StringRef variable = getRowVariable(anchor);
  return variable.empty() ? StringRef() : getSpace(variable);
}

std::optional<StringRef> mix::getExactIndex(Value index) {
  index = stripBroadcasts(index);
  if (auto iota = index.getDefiningOp<IotaOp>())
    return getAxes(iota.getResult()).front();
  auto argument = dyn_cast<BlockArgument>(index);
  if (argument && argument.getArgNumber() == 0 && isa<ForOp>(argument.getOwner()->getParentOp()))
    return StringRef(kLoopPosition);
  return std::nullopt;
}

Value mix::getTokenIndex(ReadOp read) {
  Operation *source = read.getSource().getDefiningOp();
  StringRef axis;
  if (auto bind = dyn_cast_or_null<BindOp>(source))
    axis = getSpace(bind.getAxis());
  else if (StringRef space = getLoopSpace(source); !space.empty())
    axis = space;
  else if (auto append = dyn_cast_or_null<AppendOp>(source))
    axis = getAxes(append.getCache())[findAxis(append.getRows().getType(), append.getAxis())];
  for (auto [name, index] :
       llvm::zip(read.getAxes().getAsValueRange<StringAttr>(), read.getIndices()))
    if (name == axis)
      return index;
  return {};
}

bool mix::isFinalState(Value value) {
  if (auto scan = value.getDefiningOp<AffineScanOp>())
    return cast<OpResult>(value).getResultNumber() < scan.getNumStates();
  if (auto loop = value.getDefiningOp<ForOp>())
    return cast<OpResult>(value).getResultNumber() < loop.getNumStates();
  auto blocks = value.getDefiningOp<ForBlocksOp>();
  return blocks && cast<OpResult>(value).getResultNumber() < blocks.getNumStates();
}

/// What an anchor cannot do in a tile program.
static std::optional<TileFailure> checkAnchor(Operation *op) {
  auto fail = [&](const llvm::Twine &reason) { return TileFailure{op->getLoc(), reason.str()}; };
  if (isa<TopKOp>(op))
    return fail("a selection that was not brought to a list of positions has no tile program");
  if (isa<SoftmaxOp>(op))
    return fail("a softmax that was not brought to a streamed reduction has no tile program");
  if (op->getParentOfType<ForOp>())
    return fail("a walk over tokens inside a recurrence has no tile program");
  if (isa<ForOp, ForBlocksOp>(op))
    return std::nullopt;
  if (!isSequentialAnchor(op)) {
    if (getIndexAxes(getAxes(op->getResult(0))).size() > 1)
      return fail("a reduction over tokens that has a result for every pair of positions would "
                  "have to be stored");
    return std::nullopt;
  }
  if (!isIndexAxis(getRowVariable(op)))
    return fail("a prefix along a feature axis has no tile program yet");
  for (Value operand : op->getOperands())
    if (getIndexAxes(getAxes(operand)).size() > 1)
      return fail("a scan of a value with two index variables would have to be stored");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Orders
//===----------------------------------------------------------------------===//

bool TilePlan::dependsOnAnchor(Value value) {
  auto it = anchored.find(value);
  if (it != anchored.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  bool result = op && (isAnchor(op) || kept.contains(op) ||
                       llvm::any_of(op->getOperands(),
                                    [&](Value operand) { return dependsOnAnchor(operand); }));
  anchored[value] = result;
  return result;
}

bool mix::isFunction(Operation *op) {
  return isa<math::MathDialect>(op->getDialect()) &&
         !isa<math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FmaOp, math::FloorOp,
              math::CeilOp, math::RoundEvenOp>(op);
}

/// Whether a value of a token is a row: it has feature axes.
static bool isRow(Value value) {
  return static_cast<size_t>(cast<RankedTensorType>(value.getType()).getRank()) >
         getIndexAxes(getAxes(value)).size();
}

/// Whether a row takes functions, divisions or reductions to compute.
static bool hasCostlyOp(Value value, SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || !isRow(value) || !seen.insert(op).second)
    return false;
  auto division = dyn_cast<arith::DivFOp>(op);
  return isa<ReduceOp>(op) || (division && isRow(stripBroadcasts(division.getRhs()))) ||
         isFunction(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
           return hasCostlyOp(stripBroadcasts(operand), seen);
         });
}

bool mix::isCostlyRow(Value value) {
  value = stripBroadcasts(value);
  if (auto product = value.getDefiningOp<arith::MulFOp>())
    return isCostlyRow(product.getLhs()) || isCostlyRow(product.getRhs());
  SmallPtrSet<Operation *, 16> seen;
  return hasCostlyOp(value, seen);
}

/// What is computed from the tokens themselves and read at the keys of a reduction would be
/// computed again by every block of rows. What is costly is stored once. A step has each token
/// once, and its caches hold what is worth it.
void TilePlan::findKeptBinds(func::FuncOp mixer) {
  if (mixer->hasAttr(kStepAttr))
    return;
  llvm::StringSet<> reduced;
  for (Operation &op : mixer.getBody().front())
    for (StringRef variable : getReducedVariables(&op))
      reduced.insert(variable);
  for (auto bind : mixer.getBody().front().getOps<BindOp>()) {
    bool isReadAtKeys = llvm::any_of(bind->getUsers(), [&](Operation *user) {
      auto read = dyn_cast<ReadOp>(user);
      Value index = read ? getTokenIndex(read) : Value();
      std::optional<StringRef> variable = index ? getExactIndex(index) : std::nullopt;
      return variable && reduced.contains(*variable);
    });
    if (isReadAtKeys && !dependsOnAnchor(bind) && isCostlyRow(bind.getSource())) {
      kept.insert(bind);
      anchored.clear();
    }
  }
}

/// A bind is stored if its value comes from an anchor, is kept, or is read elsewhere than
/// exactly at an index variable; otherwise it is computed again where it is read.
bool TilePlan::isPlannedBind(BindOp bind) {
  if (dependsOnAnchor(bind))
    return true;
  return llvm::any_of(bind->getUsers(), [](Operation *user) {
    auto read = dyn_cast<ReadOp>(user);
    Value index = read ? getTokenIndex(read) : Value();
    return index && !getExactIndex(index);
  });
}

/// The variable whose positions an anchor's results are for.
static StringRef getRowsOf(Operation *anchor) {
  return getLoopSpace(anchor).empty() ? getRowVariable(anchor) : StringRef(kLoopPosition);
}

/// The first order at which `value` can be computed for a consumer that walks `space` with
/// `variable`; a consumer without a kind (a store) accepts both.
unsigned TilePlan::getOrderFor(Value value, StringRef variable, StringRef space,
                               std::optional<bool> isSequential) {
  llvm::DenseMap<std::pair<Value, StringRef>, unsigned> memo;
  std::function<unsigned(Value, StringRef)> visit = [&](Value v, StringRef at) -> unsigned {
    Operation *op = v.getDefiningOp();
    if (!op)
      return 0;
    auto [it, isNew] = memo.try_emplace({v, at}, 0);
    if (!isNew)
      return it->second;
    unsigned order = 0;
    if (isAnchor(op) && !isa<ForBlocksOp>(op->getParentOp())) {
      unsigned own = orders.lookup(op);
      StringRef rows = getRowsOf(op);
      bool isFinal = isFinalState(v);
      bool shares = !isFinal && !isSplit(op) && rows == at && getRowSpace(op) == space &&
                    (!isSequential || *isSequential == isSequentialAnchor(op));
      order = shares ? own : (own / 2 + 1) * 2;
    } else if (auto read = dyn_cast<ReadOp>(op)) {
      for (Value index : read.getIndices())
        order = std::max(order, visit(index, at));
      Operation *source = read.getSource().getDefiningOp();
      Value index = getTokenIndex(read);
      bool isHere = index && getExactIndex(index) == at;
      if (isa_and_nonnull<AppendOp>(source)) {
        order = std::max(order, (orders.lookup(source) / 2 + 1) * 2);
      } else if (auto bind = dyn_cast_or_null<BindOp>(source); bind && !isHere) {
        bool isStored = isPlannedBind(bind) && (dependsOnAnchor(bind) || !getExactIndex(index));
        order = std::max(order, isStored ? (orders.lookup(bind) / 2 + 1) * 2 : 0);
      } else if (source) {
        StringRef next = !isHere               ? StringRef(kElsewhere)
                         : isa<BindOp>(source) ? cast<BindOp>(source).getAxis()
                                               : StringRef(kLoopPosition);
        order = std::max(order, visit(read.getSource(), next));
      }
    } else {
      for (Value operand : op->getOperands())
        order = std::max(order, visit(operand, at));
    }
    return memo[{v, at}] = order;
  };
  return visit(value, variable);
}

unsigned TilePlan::getLevelOfAnchor(Operation *anchor) {
  bool isSequential = isSequentialAnchor(anchor);
  unsigned order = 0;
  // What is in the body of a loop over blocks is of all positions of a block: of each variable.
  auto use = [&](Operation *op, StringRef rows) {
    for (Value operand : op->getOperands())
      order = std::max(order, getOrderFor(operand, rows, getRowSpace(anchor), isSequential));
  };
  use(anchor, getRowsOf(anchor));
  anchor->walk([&](Operation *nested) {
    if (nested == anchor)
      return;
    if (!isa<ForBlocksOp>(nested->getParentOp()))
      return use(nested, kLoopPosition);
    SmallVector<StringRef> variables;
    for (Type type : nested->getOperandTypes())
      llvm::append_range(variables, getIndexAxes(getAxes(type)));
    use(nested, variables.empty() ? StringRef(kLoopPosition) : variables.front());
  });
  return order / 2;
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

unsigned TilePlan::addPhase(unsigned order, StringRef space) {
  for (auto [n, phase] : llvm::enumerate(phases))
    if (phase.order == order && phase.space == space)
      return n;
  phases.push_back({order, order % 2 == 0, space, {}, {}, {}});
  return phases.size() - 1;
}

std::optional<unsigned> TilePlan::getPhase(Operation *op) const {
  auto it = phaseOf.find(op);
  return it == phaseOf.end() ? std::nullopt : std::optional<unsigned>(it->second);
}

unsigned TilePlan::requestWorkspace(Value value) {
  auto it = llvm::find(workspaces, value);
  if (it != workspaces.end())
    return it - workspaces.begin();
  if (std::optional<unsigned> phase = getPhase(value.getDefiningOp()))
    phases[*phase].workspaces.push_back(value);
  workspaces.push_back(value);
  return workspaces.size() - 1;
}

/// Whoever stores a value does so in a phase over its space, after its anchors.
unsigned TilePlan::getOrderOfStore(Value value, StringRef &space) {
  if (auto append = value.getDefiningOp<AppendOp>()) {
    unsigned order = getOrderOfStore(append.getRows(), space);
    space = append.getAxis();
    return order;
  }
  if (auto bind = value.getDefiningOp<BindOp>()) {
    space = getSpace(bind.getAxis());
    return getOrderFor(bind.getSource(), bind.getAxis(), space, std::nullopt);
  }
  if (StringRef own = getLoopSpace(value.getDefiningOp()); !own.empty()) {
    space = own;
    return orders.lookup(value.getDefiningOp());
  }
  space = {};
  return getOrderFor(value, "", space, std::nullopt);
}

//===----------------------------------------------------------------------===//
// Splits
//===----------------------------------------------------------------------===//

/// Whether the value needs prefixes along the keys, which only a loop over all
/// of them knows.
static bool needsKeyPrefix(Value value, SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || isAnchor(op) || !seen.insert(op).second)
    return false;
  return isKeyPrefix(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
           return needsKeyPrefix(operand, seen);
         });
}

/// Finds the reductions over all tokens, and gives their splits a space.
void TilePlan::findSplits(func::FuncOp mixer, int64_t splitRows) {
  auto step = mixer->getAttrOfType<StringAttr>(kStepAttr);
  if (!step)
    return;
  Builder b(mixer.getContext());
  history = b.getStringAttr(getHistorySpace(step.getValue())).getValue();
  if (splitRows == 0)
    return;
  auto isOverHistory = [&](Attribute list) {
    SmallVector<StringRef> names(cast<ArrayAttr>(list).getAsValueRange<StringAttr>());
    SmallVector<StringRef> walked = getIndexAxes(names);
    return walked.size() == 1 && getSpace(walked.front()) == history;
  };
  for (Operation &op : mixer.getBody().front()) {
    auto streamed = dyn_cast<StreamedReductionOp>(op);
    auto reduce = dyn_cast<ReduceOp>(op);
    SmallPtrSet<Operation *, 16> seen;
    bool isOver = (streamed && llvm::any_of(streamed.getAxes(), isOverHistory)) ||
                  (reduce && isOverHistory(reduce.getAxes()));
    if (isOver && llvm::none_of(op.getOperands(),
                                [&](Value operand) { return needsKeyPrefix(operand, seen); }))
      splits.insert(&op);
  }
  if (splits.empty())
    return;
  StringAttr name = b.getStringAttr(step.getValue() + ".split");
  splitSpace = name.getValue();
  Attribute block[] = {b.getStringAttr(history), b.getI64IntegerAttr(splitRows)};
  SmallVector<NamedAttribute> blocks;
  if (auto others = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr))
    llvm::append_range(blocks, others);
  blocks.push_back(b.getNamedAttr(name, b.getArrayAttr(block)));
  mixer->setAttr(kBlocksAttr, b.getDictionaryAttr(blocks));
}

RankedTensorType TilePlan::getStoredType(Value value) const {
  auto type = cast<RankedTensorType>(value.getType());
  for (StringRef axis : getIndexAxes(getAxes(type)))
    type = renameAxis(type, axis, getSpace(axis));
  if (!value.getDefiningOp() || !isSplit(value.getDefiningOp()))
    return type;
  auto front = getTensorType(type.getElementType(), {splitSpace}, {ShapedType::kDynamic});
  return joinAxes({front, type});
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

bool TilePlan::build(func::FuncOp mixer, int64_t splitRows, std::optional<TileFailure> &failure) {
  findSplits(mixer, splitRows);
  findKeptBinds(mixer);
  SmallVector<std::pair<unsigned, StringRef>> keys;
  DenseMap<Operation *, StringRef> spaces;
  for (Operation &op : mixer.getBody().front()) {
    if (isAnchor(&op)) {
      if ((failure = checkAnchor(&op)))
        return false;
      op.walk([&](Operation *nested) {
        if (nested != &op && isAnchor(nested) && !failure)
          failure = checkAnchor(nested);
      });
      if (failure)
        return false;
      orders[&op] = getLevelOfAnchor(&op) * 2 + (isSequentialAnchor(&op) ? 0 : 1);
      spaces[&op] = isSplit(&op) ? history : getRowSpace(&op);
      keys.push_back({orders[&op], spaces[&op]});
    } else if (isa<AppendOp>(op) || (isa<BindOp>(op) && isPlannedBind(cast<BindOp>(op)))) {
      orders[&op] = getOrderOfStore(op.getResult(0), spaces[&op]);
    }
  }

  // Stores without a phase of their order get a grid phase.
  auto placeStore = [&](unsigned order, StringRef space) {
    std::pair<unsigned, StringRef> key(order, space);
    if (!llvm::is_contained(keys, key))
      key.first = order | 1;
    if (!llvm::is_contained(keys, key))
      keys.push_back(key);
    return key;
  };
  SmallVector<std::pair<Operation *, std::pair<unsigned, StringRef>>> placedStores;
  for (Operation &op : mixer.getBody().front())
    if (isa<BindOp, AppendOp>(op) && orders.count(&op))
      placedStores.push_back({&op, placeStore(orders[&op], spaces[&op])});
  Operation *terminator = mixer.getBody().front().getTerminator();
  SmallVector<std::pair<unsigned, std::pair<unsigned, StringRef>>> placedResults;
  for (auto [n, value] : llvm::enumerate(terminator->getOperands())) {
    Operation *op = value.getDefiningOp();
    StringRef space;
    if (op && isSequentialAnchor(op)) {
      placedResults.push_back({(unsigned)n, {orders[op], spaces[op]}});
    } else if (!isa_and_nonnull<AppendOp>(op)) { // A cache is stored by its append.
      unsigned order = getOrderOfStore(value, space);
      placedResults.push_back({(unsigned)n, placeStore(order, space)});
    }
  }

  llvm::sort(keys);
  for (auto [order, space] : keys)
    addPhase(order, space);
  for (Operation &op : mixer.getBody().front())
    if (isAnchor(&op)) {
      unsigned number = addPhase(orders[&op], spaces[&op]);
      phases[number].anchors.push_back(&op);
      op.walk([&](Operation *nested) {
        if (isAnchor(nested))
          phaseOf[nested] = number;
      });
    }
  for (auto [op, key] : placedStores) {
    phaseOf[op] = addPhase(key.first, key.second);
    if (auto append = dyn_cast<AppendOp>(op))
      phases[phaseOf[op]].appends.push_back(append);
  }
  for (auto [n, key] : placedResults)
    phases[addPhase(key.first, key.second)].results.push_back(n);
  return true;
}
