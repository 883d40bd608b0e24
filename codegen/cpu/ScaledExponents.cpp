//===- ScaledExponents.cpp - Powers of 2 by exponent instructions -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/ScaledExponents.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// The instructions are those of vectors of 64 bytes.
static constexpr int64_t kLanes = 16;

/// Immediate of VREDUCEPS: subtract the floor, no fraction bits kept.
static constexpr int64_t kFloor = 9;
/// Rounding operand of AVX-512 intrinsics: as the control register says.
static constexpr int64_t kCurrentRounding = 4;

/// 2^f on [0, 1): a minimax fit (Remez) of the relative error with 2^0 = 1, highest power first.
static constexpr double kPowerOf2[] = {0.00186713005, 0.00901703071, 0.0557999127,
                                       0.240164444,   0.693151295,   1.0};

static Value constant(ImplicitLocOpBuilder &b, Type integer, int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(integer, value));
}

bool cpu::hasScaledExp2(Type type, const Chip &chip) {
  return chip.scalesExponents &&
         type == VectorType::get(kLanes, Float32Type::get(type.getContext()));
}

Value cpu::emitScaledExp2(ImplicitLocOpBuilder &b, Value x) {
  auto type = cast<VectorType>(x.getType());
  Value zero = arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
  Value allLanes = constant(b, b.getI16Type(), -1);
  Value rounding = constant(b, b.getI32Type(), kCurrentRounding);
  auto call = [&](StringRef name, ValueRange arguments) {
    StringAttr intrinsic = b.getStringAttr("llvm.x86.avx512.mask." + name + ".ps.512");
    return LLVM::CallIntrinsicOp::create(b, type, intrinsic, arguments).getResult(0);
  };
  auto real = [&](double value) -> Value {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getF32FloatAttr(value)));
  };
  Value floor = constant(b, b.getI32Type(), kFloor);
  Value fraction = call("reduce", {x, floor, zero, allLanes, rounding});
  Value power = real(kPowerOf2[0]);
  for (double coefficient : llvm::ArrayRef(kPowerOf2).drop_front())
    power = math::FmaOp::create(b, power, fraction, real(coefficient));
  return call("scalef", {power, x, zero, allLanes, rounding});
}
