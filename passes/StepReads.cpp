//===- StepReads.cpp - Positions, caches and reductions of a step form ----===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Build.h"
#include "passes/StepDeriver.h"
#include "passes/TilePlan.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

static constexpr int64_t kLongest = std::numeric_limits<int64_t>::max();

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

/// The numbers 0, 1, .. of what the variable walks.
Value StepDeriver::getRawPositions(StringRef variable, int64_t size) {
  Value &value = positions[variable];
  if (!value) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    value = createIota(builder, mixer.getLoc(), variable, size);
  }
  return value;
}

int64_t StepDeriver::getTokens(StringRef variable) const {
  auto block = blocks.find(mix::getSpace(variable));
  return block == blocks.end() ? 1 : block->second;
}

/// Positions in the sequence, from those among the new tokens.
Value StepDeriver::addPosition(Value raw) {
  return arith::AddIOp::create(builder, raw.getLoc(),
                               broadcastTo(builder, raw.getLoc(), position, raw.getType()), raw);
}

Value StepDeriver::deriveIota(IotaOp op, AllWalks walks) {
  StringRef variable = getAxes(op.getResult()).front();
  auto type = cast<RankedTensorType>(convert(op.getType(), walks));
  bool isAll = analysis.getBit(variable) & walks;
  Value raw = getRawPositions(getAxes(type).front(), type.getDimSize(0));
  if (isAll || !analysis.getBit(variable))
    return raw;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(entry);
  return addPosition(raw);
}

//===----------------------------------------------------------------------===//
// Reads and caches
//===----------------------------------------------------------------------===//

/// The name of an argument of the mixer; of another value none.
StringRef StepDeriver::getArgumentName(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &mixer.getBody().front())
    return {};
  auto name = mixer.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr);
  return name ? name.getValue() : StringRef();
}

/// A cache has a row per token, whatever the order of axes of what is kept.
Value StepDeriver::putTokensFirst(Value rows, Location loc) {
  if (getAxes(rows).front() == space)
    return rows;
  auto bind = rows.getDefiningOp<BindOp>();
  std::string walk = bind ? bind.getAxis().str() : (space + ":" + space).str();
  int64_t size = mix::getAxisSize(rows.getType(), space);
  RankedTensorType type = withAxis(dropAxes(rows.getType(), {space}), walk, size);
  Value source = bind ? broadcastTo(builder, loc, bind.getSource(), type)
                      : ReadOp::create(builder, loc, type, rows, builder.getStrArrayAttr({space}),
                                       getRawPositions(walk, size));
  return BindOp::create(builder, loc, renameAxis(type, walk, space), source, walk);
}

/// The cache of a value of the new tokens, appended by this call.
StepDeriver::Cache &StepDeriver::getCache(Value rows, Location loc, StringRef name) {
  auto [it, isNew] = caches.try_emplace(rows);
  Cache &cache = it->second;
  if (!isNew)
    return cache;
  rows = putTokensFirst(rows, loc);
  RankedTensorType type = renameAxis(rows.getType(), space, all);
  unsigned number = step.getNumArguments();
  std::string cacheName =
      name.empty() ? "cache." + std::to_string(caches.size() - 1) : (name + ".cache").str();
  NamedAttribute attributes[] = {builder.getNamedAttr(kNameAttr, builder.getStringAttr(cacheName)),
                                 builder.getNamedAttr(kKindAttr, builder.getStringAttr("cache"))};
  (void)step.insertArgument(number, type, builder.getDictionaryAttr(attributes), loc);
  cache.append = AppendOp::create(builder, loc, rows, step.getArgument(number), position, space);
  return cache;
}

/// The value at the positions of a variable that walks all tokens, from a cache.
Value StepDeriver::readKept(Value value, StringRef variable) {
  if (getElementTypeOrSelf(value).isInteger(1)) {
    (void)refuseStep(value.getLoc(), "keep truth values of earlier tokens");
    return {};
  }
  // What is read as it is, is kept as it is.
  auto read = value.getDefiningOp<ReadOp>();
  Value index = read ? getIndexAlong(read, space) : Value();
  bool isWhole = index && read.getIndices().size() == 1 && getExactIndex(index) == variable;
  Value rows;
  StringRef name;
  if (isWhole) {
    rows = get(read.getSource(), 0);
    name = getArgumentName(read.getSource());
  } else if (Value computed = get(value, 0)) {
    RankedTensorType type = renameAxis(computed.getType(), variable, space);
    rows = BindOp::create(builder, value.getLoc(), type, computed, variable);
  }
  if (!rows)
    return {};
  auto type = cast<RankedTensorType>(convert(value.getType(), analysis.getBit(variable)));
  StringRef walk = getAxes(type)[findAxis(value.getType(), variable)];
  Cache &cache = getCache(rows, value.getLoc(), name);
  if (!llvm::is_contained(cache.variables, variable))
    cache.variables.push_back(variable);
  Value at = getRawPositions(walk, mix::getAxisSize(type, walk));
  return ReadOp::create(builder, value.getLoc(), type, cache.append.getResult(),
                        builder.getStrArrayAttr({all}), at);
}

/// Checks that a read at computed positions reads tokens that are there, and how far back.
FailureOr<Window> StepDeriver::checkIndex(ReadOp op, Value index, AllWalks walks) {
  bool isBounded = false;
  Window window;
  auto check = [&](Value position, bool isNew) {
    Interval distances = masks.getDistances(index, position);
    if (!distances.first || *distances.first < 0)
      return;
    isBounded = true;
    if (isNew && distances.last)
      window = std::min(window.value_or(kLongest), *distances.last + 1);
  };
  SmallVector<IotaOp> iotas;
  mixer.walk([&](IotaOp iota) { iotas.push_back(iota); });
  for (IotaOp iota : iotas) {
    StringRef variable = getAxes(iota.getResult()).front();
    AllWalks bit = analysis.getBit(variable);
    if (!bit || !hasAxis(index.getType(), variable))
      continue;
    // Reductions see to it that blocks are complete.
    OpBuilder atIota(iota->getContext());
    atIota.setInsertionPointAfter(iota);
    int64_t tokens = getTokens(variable);
    check(tokens == 1 ? iota.getResult() : createBlockEnd(atIota, iota.getLoc(), iota, tokens),
          !(bit & walks));
  }
  if (auto loop = dyn_cast<ForOp>(op->getParentOp()); loop && loop.getSpace() == space)
    check(loop.getPosition(), /*isNew=*/true);
  if (!isBounded)
    return refuseStep(op.getLoc(), "read at a position that may not have come yet");
  return window;
}

static Window getLarger(Window a, Window b) { return a && b ? std::max(a, b) : std::nullopt; }

/// What stands for the source of a read at other positions than its own: a cache.
Value StepDeriver::getHistory(ReadOp op, Value index, AllWalks walks) {
  FailureOr<Window> window = checkIndex(op, index, walks);
  Value rows = succeeded(window) ? get(op.getSource(), 0) : Value();
  if (!rows)
    return {};
  Cache &cache = getCache(rows, op.getLoc(), getArgumentName(op.getSource()));
  cache.direct = cache.direct ? getLarger(*cache.direct, *window) : *window;
  return cache.append.getResult();
}

Value StepDeriver::deriveRead(ReadOp op, AllWalks walks) {
  Value index = getIndexAlong(op, space);
  std::optional<StringRef> exact = index ? getExactIndex(index) : std::nullopt;
  bool isHere = exact && analysis.getBit(*exact) && !(analysis.getBit(*exact) & walks);
  bool isElsewhere = index && !isHere;
  Value source = isElsewhere ? getHistory(op, index, walks)
                             : get(op.getSource(), walks | analysis.getBits(op.getAxes()));
  if (!source)
    return {};
  SmallVector<Value> indices;
  SmallVector<Attribute> axes;
  for (auto [name, operand] :
       llvm::zip(op.getAxes().getAsValueRange<StringAttr>(), op.getIndices())) {
    bool isAll = analysis.getBit(name) || (name == space && isElsewhere);
    axes.push_back(builder.getStringAttr(isAll ? getHistoryAxis(name) : name.str()));
    if (analysis.getBit(name)) {
      FailureOr<Window> window = checkIndex(op, operand, walks);
      if (failed(window))
        return {};
      addWindow(name, *window);
    }
    if (isHere && name == space) {
      Value raw = getRawPositions(*exact, mix::getAxisSize(operand.getType(), *exact));
      indices.push_back(broadcastTo(builder, op.getLoc(), raw, convert(operand.getType(), walks)));
    } else if (Value derived = get(operand, walks)) {
      indices.push_back(derived);
    } else {
      return {};
    }
  }
  return ReadOp::create(builder, op.getLoc(), convert(op.getType(), walks), source,
                        builder.getArrayAttr(axes), indices);
}

/// The rows that reads of the cache need; none: all.
Window StepDeriver::getWindow(const Cache &cache) const {
  Window window = cache.direct.value_or(1);
  for (StringRef variable : cache.variables)
    window = getLarger(window, windows.lookup(variable));
  return window;
}

/// The names of the inputs and params that the value is computed from.
ArrayAttr StepDeriver::getSources(Value rows) {
  SmallVector<StringRef> names;
  SmallVector<Value> work = {rows};
  llvm::DenseSet<Value> seen;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == entry)
      if (auto kind = step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kKindAttr);
          !kind || kind.getValue() == "input" || kind.getValue() == "param")
        names.push_back(
            step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr).getValue());
    if (Operation *op = value.getDefiningOp())
      op->walk([&](Operation *inner) { llvm::append_range(work, inner->getOperands()); });
  }
  llvm::sort(names);
  return builder.getStrArrayAttr(names);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

void StepDeriver::addWindow(StringRef variable, Window window) {
  auto [it, isNew] = windows.try_emplace(variable, window);
  if (!isNew)
    it->second = getLarger(it->second, window);
}

/// The name of an index variable in the spec.
static StringRef getVariableName(StringRef axis) { return axis.split(':').first.split('.').first; }

/// Checks that the mask keeps every reduced variable at or before the position of a result, and
/// a block before its end.
LogicalResult StepDeriver::checkReduction(Operation *op, ArrayRef<StringRef> reduced, Value mask,
                                          AllWalks walks) {
  SmallVector<StringRef> rows;
  for (StringRef axis : getIndexAxes(getAxes(op->getResult(0))))
    if (analysis.getBit(axis))
      rows.push_back(axis);
  for (StringRef key : reduced) {
    if (!analysis.getBit(key))
      continue;
    bool isBounded = false;
    Window window;
    int64_t tokens = getTokens(key);
    for (StringRef row : rows) {
      if (getTokens(row) > 1)
        continue;
      Interval distances = mask ? masks.getDistances(mask, row, key, tokens) : Interval();
      if (!distances.first || *distances.first < tokens - 1)
        continue;
      isBounded = true;
      bool isNew = !(analysis.getBit(row) & walks);
      if (isNew && distances.last)
        window = std::min(window.value_or(kLongest), std::max<int64_t>(*distances.last + 1, 1));
    }
    if (!isBounded)
      return refuseStep(op->getLoc(),
                        tokens > 1 ? "reduce over blocks that are not complete: nothing "
                                     "keeps the end of block '" +
                                         getVariableName(key) + "' at or before the new token"
                                   : "reduce over tokens that have not come yet: nothing "
                                     "keeps '" +
                                         getVariableName(key) + "' at or before the new token");
    addWindow(key, window);
    rows.push_back(key);
    walks |= analysis.getBit(key);
  }
  return success();
}

LogicalResult StepDeriver::checkReductions(Operation *op, AllWalks walks) {
  auto getNames = [](ArrayAttr axes) {
    return SmallVector<StringRef>(axes.getAsValueRange<StringAttr>());
  };
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return checkReduction(op, getNames(reduce.getAxes()), reduce.getMask(), walks);
  if (auto largest = dyn_cast<LargestOp>(op))
    return checkReduction(op, largest.getAxis(), largest.getMask(), walks);
  if (auto streamed = dyn_cast<StreamedReductionOp>(op))
    for (auto [axes, mask] : llvm::zip(streamed.getAxes(), streamed.getMasks()))
      if (failed(checkReduction(op, getNames(cast<ArrayAttr>(axes)), mask, walks)))
        return failure();
  return success();
}
