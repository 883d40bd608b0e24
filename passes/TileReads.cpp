//===- TileReads.cpp - Reads of arguments, workspaces and computed values --===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

namespace {
/// An index of the form "position of a variable, plus a constant".
struct ShiftedIndex {
  StringRef variable;
  int64_t shift = 0;
};
} // namespace

static std::optional<int64_t> getConstantInteger(Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getSource();
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto dense = constant ? dyn_cast<DenseIntElementsAttr>(constant.getValue()) : nullptr;
  if (!dense || !dense.isSplat())
    return std::nullopt;
  return dense.getSplatValue<APInt>().getSExtValue();
}

static std::optional<ShiftedIndex> getShiftedIndex(Value index) {
  while (auto broadcast = index.getDefiningOp<BroadcastOp>())
    index = broadcast.getSource();
  if (std::optional<StringRef> variable = getExactIndex(index))
    return ShiftedIndex{*variable, 0};
  Operation *op = index.getDefiningOp();
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  std::optional<ShiftedIndex> left = getShiftedIndex(op->getOperand(0));
  std::optional<int64_t> right = getConstantInteger(op->getOperand(1));
  if (left && right) {
    left->shift += isa<arith::AddIOp>(op) ? *right : -*right;
    return left;
  }
  if (!isa<arith::AddIOp>(op))
    return std::nullopt;
  left = getShiftedIndex(op->getOperand(1));
  right = getConstantInteger(op->getOperand(0));
  if (!left || !right)
    return std::nullopt;
  left->shift += *right;
  return left;
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

Tile PhaseEmitter::emitRead(ReadOp read, const Env &env) {
  ReadPlan how = planRead(read, env);
  Type type = read.getType();
  if (how.inner)
    return get(how.inner, how.env);
  if (!how.stored)
    return fail(read.getLoc(), "a computed value is read at positions that no phase has stored",
                type);
  bool isArgument = isa<BlockArgument>(how.stored);
  Value view = isArgument ? getArgument(cast<BlockArgument>(how.stored).getArgNumber())
                          : getWorkspace(how.stored);
  SmallVector<unsigned> slotOf;
  SmallVector<int64_t> shifts;
  SmallVector<StringRef> used;
  for (StringRef axis : getAxes(how.stored)) {
    slotOf.push_back(0);
    shifts.push_back(0);
    for (auto [name, index] :
         llvm::zip(read.getAxes().getAsValueRange<StringAttr>(), read.getIndices())) {
      if (name != axis)
        continue;
      std::optional<ShiftedIndex> shifted = getShiftedIndex(index);
      if (!shifted)
        return emitGather(read, env, view);
      unsigned slot =
          shifted->variable == kLoopPosition ? env.position : env.find(shifted->variable);
      // A diagonal: two axes walked by one variable.
      if (llvm::is_contained(used, shifted->variable))
        return emitGather(read, env, view);
      used.push_back(shifted->variable);
      slotOf.back() = slot;
      shifts.back() = shifted->shift;
    }
  }
  return load(view, cast<RankedTensorType>(how.stored.getType()), slotOf, shifts);
}

/// Reads at computed positions of axes of static size: the tensor is loaded whole, and
/// every element picked from it; a position outside reads zero.
Tile PhaseEmitter::emitGather(ReadOp read, const Env &env, Value view) {
  auto sourceType = cast<RankedTensorType>(read.getSource().getType());
  if (!sourceType.hasStaticShape())
    return fail(read.getLoc(), "a read at computed positions of a token axis has no tile program",
                read.getType());
  SmallVector<StringRef> sourceAxes = getAxes(sourceType);
  Tile whole = inScope(
      1, [&] { return load(view, sourceType, SmallVector<unsigned>(sourceAxes.size(), 0), {}); });
  SmallVector<Tile> indices;
  for (Value index : read.getIndices())
    indices.push_back(get(index, env));
  auto names = llvm::to_vector(read.getAxes().getAsValueRange<StringAttr>());
  return tb.map(
      indices, getAxesOfRead(read, env),
      [&](ElementBuilder &body) -> Value {
        OpBuilder &b = body.builder;
        Value isInside, zero = arith::ConstantIndexOp::create(b, body.loc, 0);
        SmallVector<Value> position;
        for (auto [dim, axis] : llvm::enumerate(sourceAxes)) {
          auto it = llvm::find(names, axis);
          if (it == names.end()) {
            position.push_back(body.index(axis));
            continue;
          }
          Value at = arith::IndexCastOp::create(b, body.loc, b.getIndexType(),
                                                body.elements[it - names.begin()]);
          Value size = arith::ConstantIndexOp::create(b, body.loc, sourceType.getDimSize(dim));
          // As unsigned, a negative position is too large.
          Value inside = arith::CmpIOp::create(b, body.loc, arith::CmpIPredicate::ult, at, size);
          position.push_back(arith::SelectOp::create(b, body.loc, inside, at, zero));
          isInside =
              isInside ? arith::AndIOp::create(b, body.loc, isInside, inside).getResult() : inside;
        }
        Value element = tensor::ExtractOp::create(b, body.loc, whole.value, position);
        Value nothing = arith::ConstantOp::create(b, body.loc, b.getZeroAttr(element.getType()));
        return arith::SelectOp::create(b, body.loc, isInside, element, nothing);
      },
      convertType(read.getType()));
}
