//===- Pairs.cpp - Two 16-bit reals in a register ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Pairs.h"
#include "codegen/gpu/Intrinsics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mix;
using gpu::callIntrinsic;

/// The number before it was rounded, if that is what made it.
static Value getRounded(Value value) {
  auto round = value.getDefiningOp<arith::TruncFOp>();
  return round && round.getIn().getType().isF32() ? round.getIn() : Value();
}

static Value packPair(ImplicitLocOpBuilder &b, Value low, Value high) {
  Type element = low.getType();
  auto type = VectorType::get(2, element);
  Value wideLow = getRounded(low), wideHigh = getRounded(high);
  if (wideLow && wideHigh)
    return callIntrinsic(b, type,
                         element.isBF16() ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn",
                         {wideHigh, wideLow});
  Value pair = LLVM::UndefOp::create(b, type);
  auto at = [&](int32_t index) {
    return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(index));
  };
  pair = LLVM::InsertElementOp::create(b, pair, low, at(0));
  return LLVM::InsertElementOp::create(b, pair, high, at(1));
}

SmallVector<Value> cuda::packPairs(ImplicitLocOpBuilder &b, ValueRange values) {
  SmallVector<Value> pairs;
  for (size_t n = 0; n + 1 < values.size(); n += 2)
    pairs.push_back(packPair(b, values[n], values[n + 1]));
  return pairs;
}
