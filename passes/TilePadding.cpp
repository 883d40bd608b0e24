//===- TilePadding.cpp - What values are past the end of the tokens --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last block of a token space reaches past its end, where loads yield zero. What
// follows from that is found by evaluating the expression at zero, so that padding that
// is neutral anyway (a key of zeros, a decay exp(0)) costs nothing.
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateElementwise.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The value of a splat constant.
static std::optional<double> getSplat(arith::ConstantOp op) {
  Attribute value = op.getValue();
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (!dense.isSplat())
      return std::nullopt;
    value = *dense.getValues<Attribute>().begin();
  }
  if (auto real = dyn_cast<FloatAttr>(value))
    return real.getValueAsDouble();
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return integer.getValue().isOne() && integer.getType().isInteger(1)
               ? 1.0
               : static_cast<double>(integer.getValue().getSExtValue());
  return std::nullopt;
}

/// The op on these operands, if they are known.
static std::optional<double> applyAt(Operation *op, ArrayRef<std::optional<double>> operands) {
  std::optional<Elementwise> fn = getElementwise(op);
  if (!fn || llvm::is_contained(operands, std::nullopt))
    return std::nullopt;
  if (fn->unary && operands.size() == 1)
    return fn->unary(*operands[0]);
  if (fn->binary && operands.size() == 2 && !(fn->refusesZeroDivisor && *operands[1] == 0))
    return fn->binary(*operands[0], *operands[1]);
  if (fn->ternary && operands.size() == 3)
    return fn->ternary(*operands[0], *operands[1], *operands[2]);
  return std::nullopt;
}

std::optional<double> PhaseEmitter::getPadding(Value value, const Env &env, unsigned slot) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  auto [it, isNew] = paddingOf.try_emplace(getKey(value, env), std::nullopt);
  if (!isNew)
    return it->second;
  std::optional<double> result;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    result = getSplat(constant);
  } else if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    result = getPadding(broadcast.getSource(), env, slot);
  } else if (auto read = dyn_cast<ReadOp>(op)) {
    result = getPaddingOfRead(read, env, slot);
  } else if (auto reduce = dyn_cast<ReduceOp>(op); reduce && !isAnchor(op)) {
    // Zeros have the sum zero, whatever the mask.
    std::optional<double> source = getPadding(reduce.getSource(), env, slot);
    if (reduce.getKind() == ReduceKind::Sum && source && *source == 0.0)
      result = 0.0;
  } else if (!isAnchor(op) && OpTrait::hasElementwiseMappableTraits(op)) {
    SmallVector<std::optional<double>> operands;
    for (Value operand : op->getOperands())
      operands.push_back(getPadding(operand, env, slot));
    result = applyAt(op, operands);
  }
  return paddingOf[getKey(value, env)] = result;
}

std::optional<double> PhaseEmitter::getPaddingOfRead(ReadOp read, const Env &env, unsigned slot) {
  ReadPlan how = planRead(read, env);
  if (how.inner)
    return getPadding(how.inner, how.env, slot);
  if (!how.stored)
    return std::nullopt;
  // Some axis of the space of the slot is walked exactly at its positions.
  for (auto [axis, index] :
       llvm::zip(read.getAxes().getAsValueRange<StringAttr>(), read.getIndices())) {
    std::optional<StringRef> variable = getExactIndex(index);
    if (variable && axis == slots[slot].space && *variable != kLoopPosition &&
        env.find(*variable) == slot)
      return 0.0;
  }
  return std::nullopt;
}
