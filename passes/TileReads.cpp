//===- TileReads.cpp - Reads of arguments, workspaces and computed values --===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Build.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Splits an index into the position of one variable and shifts that are the same for the whole
/// tile: values to add, or to subtract (`true`). Fails if it is something else.
static bool splitIndex(Value index, llvm::function_ref<bool(Value)> isUniform, StringRef &variable,
                       SmallVectorImpl<std::pair<Value, bool>> &shifts) {
  index = stripBroadcasts(index);
  if (std::optional<StringRef> exact = getExactIndex(index)) {
    variable = *exact;
    return true;
  }
  Operation *op = index.getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return false;
  auto shiftBy = [&](unsigned base, unsigned shift) {
    if (!isUniform(op->getOperand(shift)) ||
        !splitIndex(op->getOperand(base), isUniform, variable, shifts))
      return false;
    shifts.push_back({op->getOperand(shift), isa<arith::SubIOp>(op)});
    return true;
  };
  return shiftBy(0, 1) || (isa<arith::AddIOp>(op) && shiftBy(1, 0));
}

PhaseEmitter::ReadPlan PhaseEmitter::planRead(ReadOp read, const Env &env) {
  Value source = read.getSource();
  ReadPlan result;
  if (auto argument = dyn_cast<BlockArgument>(source)) {
    if (argument.getOwner() == &mixer.getBody().front())
      result.stored = source;
    return result;
  }
  Operation *op = source.getDefiningOp();
  Value index = getTokenIndex(read);
  if (!index)
    return result;
  std::optional<StringRef> variable = getExactIndex(index);
  unsigned slot = !variable ? 0 : *variable == kLoopPosition ? env.position : env.find(*variable);
  bool isHere = slot && slots[slot].label == kRow;
  std::optional<unsigned> number = plan.getPhase(op);
  bool isEarlier = number && plan.phases[*number].order < phase.order;
  if (auto bind = dyn_cast<BindOp>(op)) {
    bool isRecomputed = variable && !plan.dependsOnAnchor(source);
    if (isRecomputed || (isHere && !isEarlier)) {
      result.inner = bind.getSource();
      result.env.variables.push_back({bind.getAxis(), slot});
      return result;
    }
  } else if (isHere && !isEarlier) {
    result.inner = source;
    return result;
  }
  if (isEarlier)
    result.stored = source;
  return result;
}

PhaseEmitter::Axes PhaseEmitter::getAxesOfRead(ReadOp read, const Env &env) {
  ReadPlan how = planRead(read, env);
  if (how.inner)
    return sortAxes(read.getResult(), env, getAxesOf(how.inner, how.env));
  Axes axes;
  for (StringRef axis : getAxes(read.getSource())) {
    auto names = read.getAxes().getAsValueRange<StringAttr>();
    auto it = llvm::find(names, axis);
    if (it == names.end()) {
      axes.push_back(axis);
      continue;
    }
    Value index = read.getIndices()[std::distance(names.begin(), it)];
    axes = uniteAxes(axes, getAxesOf(index, env));
  }
  return sortAxes(read.getResult(), env, axes);
}

Tile PhaseEmitter::emitRead(ReadOp read, const Env &env, unsigned scope) {
  ReadPlan how = planRead(read, env);
  Type type = read.getType();
  if (how.inner)
    return get(how.inner, how.env);
  if (!how.stored)
    return fail(read.getLoc(), "a computed value is read at positions that no phase has stored",
                type);
  auto append = how.stored.getDefiningOp<AppendOp>();
  auto argument = dyn_cast<BlockArgument>(append ? append.getCache() : how.stored);
  Value view = argument ? getArgument(argument.getArgNumber()) : getWorkspace(how.stored);
  // A window that starts anywhere may cross pages of a cache.
  auto isUniform = [&](Value shift) {
    return getConstantInteger(shift) || (!parameters.isStep && getAxesOf(shift, env).empty());
  };
  SmallVector<Access> accesses;
  SmallVector<StringRef> used;
  auto storedType = cast<RankedTensorType>(how.stored.getType());
  auto names = read.getAxes().getAsValueRange<StringAttr>();
  for (auto [dim, axis] : llvm::enumerate(getAxes(how.stored))) {
    auto it = llvm::find(names, axis);
    if (it == names.end()) {
      accesses.push_back(getWholeAxis(storedType, dim));
      continue;
    }
    StringRef variable;
    SmallVector<std::pair<Value, bool>> shifts;
    // A diagonal has two axes walked by one variable.
    if (!splitIndex(read.getIndices()[std::distance(names.begin(), it)], isUniform, variable,
                    shifts) ||
        llvm::is_contained(used, variable))
      return emitGather(read, env, view, how.stored, scope);
    used.push_back(variable);
    const Slot &slot = slots[variable == kLoopPosition ? env.position : env.find(variable)];
    accesses.push_back({shiftOffset(slot.offset, shifts, env), slot.label});
  }
  return load(view, accesses);
}

Value PhaseEmitter::shiftOffset(Value offset, ArrayRef<std::pair<Value, bool>> shifts,
                                const Env &env) {
  OpBuilder &b = tb.builder;
  for (auto [shift, isNegative] : shifts) {
    std::optional<int64_t> constant = getConstantInteger(shift);
    Value amount =
        constant ? tb.index(*constant)
                 : arith::IndexCastOp::create(b, tb.loc, b.getIndexType(), get(shift, env).value);
    offset = isNegative ? b.createOrFold<arith::SubIOp>(tb.loc, offset, amount)
                        : b.createOrFold<arith::AddIOp>(tb.loc, offset, amount);
  }
  return offset;
}

/// Reads at computed positions: a loop over the elements of the indices loads what each
/// points at. `tile.load` yields zero for a position outside.
Tile PhaseEmitter::emitGather(ReadOp read, const Env &env, Value view, Value stored,
                              unsigned scope) {
  Gather gather{view, cast<RankedTensorType>(stored.getType()), {}};
  auto names = llvm::to_vector(read.getAxes().getAsValueRange<StringAttr>());
  Axes axes, walked;
  for (StringRef axis : getAxes(stored)) {
    auto it = llvm::find(names, axis);
    gather.indexOf.push_back(it == names.end() ? -1 : it - names.begin());
    if (it == names.end())
      axes.push_back(axis);
  }
  SmallVector<Tile> indices;
  for (Value index : read.getIndices()) {
    indices.push_back(get(index, env));
    walked = uniteAxes(walked, indices.back().axes);
  }
  return gatherAlong(gather, indices, walked, axes, scope);
}

/// Gathers for every position of the axes `walked`; the tile has them in front of `axes`.
Tile PhaseEmitter::gatherAlong(const Gather &gather, ArrayRef<Tile> indices, AxisList walked,
                               AxisList axes, unsigned scope) {
  if (walked.empty()) {
    SmallVector<Access> accesses;
    for (auto [dim, number] : llvm::enumerate(gather.indexOf)) {
      if (number < 0) {
        accesses.push_back(getWholeAxis(gather.type, dim));
        continue;
      }
      Value at = arith::IndexCastOp::create(tb.builder, tb.loc, tb.builder.getIndexType(),
                                            indices[number].value);
      accesses.push_back({at, ""});
    }
    return load(gather.view, accesses);
  }
  Axes result(walked);
  llvm::append_range(result, axes);
  Value size = tb.index(tb.getSize(walked.front()));
  SmallVector<Tile> gathered =
      loop(scope, tb.index(0), size, 1, tb.empty(result, convertType(gather.type)),
           [&](unsigned inner, Value position, ArrayRef<Tile> carried) {
             SmallVector<Tile> here = llvm::map_to_vector(indices, [&](const Tile &index) {
               return tb.extract(index, walked.front(), position);
             });
             Tile part = gatherAlong(gather, here, walked.drop_front(), axes, inner);
             return SmallVector<Tile>{tb.insert(part, carried.front(), position)};
           });
  return gathered.front();
}
