//===- LowerConversions.cpp - 16-bit reals by integer arithmetic ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LowerConversions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Powers of two whose exponents are the difference of the biases of f32 and f16, as f32.
static constexpr double kUpToF32 = 0x1p112;
/// Adding this f32 moves the last bit of a subnormal f16 to the last bit of the sum.
static constexpr double kSubnormalShift = 0.5;

namespace {

/// Bits of f32 and of 16-bit types, of a scalar or of every lane of a vector.
class BitBuilder {
public:
  BitBuilder(ImplicitLocOpBuilder &b, Type like) : b(b), like(like) {}

  Type getType(Type element) const {
    auto vector = dyn_cast<VectorType>(like);
    return vector ? Type(vector.clone(element)) : element;
  }
  Value bits(uint32_t value) {
    return splat(b.getI32IntegerAttr(static_cast<int32_t>(value)), b.getI32Type());
  }
  Value real(double value) { return splat(b.getF32FloatAttr(value), b.getF32Type()); }
  Value toBits(Value value) { return arith::BitcastOp::create(b, getType(b.getI32Type()), value); }
  Value toReal(Value value) { return arith::BitcastOp::create(b, getType(b.getF32Type()), value); }
  /// The 16 bits of a narrow number, and back.
  Value fromNarrow(Value value) {
    Value narrow = arith::BitcastOp::create(b, getType(b.getI16Type()), value);
    return arith::ExtUIOp::create(b, getType(b.getI32Type()), narrow);
  }
  Value toNarrow(Value value, Type element) {
    Value narrow = arith::TruncIOp::create(b, getType(b.getI16Type()), value);
    return arith::BitcastOp::create(b, getType(element), narrow);
  }
  template <typename Op> Value apply(Value x, Value y) { return Op::create(b, x, y); }
  Value shiftLeft(Value x, uint32_t by) { return apply<arith::ShLIOp>(x, bits(by)); }
  Value shiftRight(Value x, uint32_t by) { return apply<arith::ShRUIOp>(x, bits(by)); }
  Value isAtLeast(Value x, uint32_t least) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, x, bits(least));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  /// The last bit that is kept if the lowest `dropped` bits are not, added to half of it less
  /// one: what has to be added for rounding to nearest even by truncation.
  Value getRounding(Value x, uint32_t dropped) {
    Value last = apply<arith::AndIOp>(shiftRight(x, dropped), bits(1));
    return apply<arith::AddIOp>(last, bits((1u << (dropped - 1)) - 1));
  }

private:
  Value splat(TypedAttr value, Type element) {
    Type type = getType(element);
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, Attribute(value));
    return arith::ConstantOp::create(b, type, value);
  }

  ImplicitLocOpBuilder &b;
  Type like;
};

} // namespace

/// bf16 is the upper half of f32.
static Value widenBFloat(BitBuilder &f, Value x) {
  return f.toReal(f.shiftLeft(f.fromNarrow(x), 16));
}

static Value narrowToBFloat(BitBuilder &f, Value x) {
  Value bits = f.toBits(x);
  Value rounded = f.shiftRight(f.apply<arith::AddIOp>(bits, f.getRounding(bits, 16)), 16);
  // Rounding could carry a NaN into an infinity: it is kept, with its quiet bit set.
  Value magnitude = f.apply<arith::AndIOp>(bits, f.bits(0x7fffffff));
  Value nan = f.apply<arith::OrIOp>(f.shiftRight(bits, 16), f.bits(0x40));
  return f.toNarrow(f.select(f.isAtLeast(magnitude, 0x7f800001), nan, rounded),
                    BFloat16Type::get(x.getContext()));
}

/// The exponent and fraction of an f16, moved to their places in f32, are the number up to a
/// factor, also if it is subnormal.
static Value widenHalf(BitBuilder &f, ImplicitLocOpBuilder &b, Value x) {
  Value bits = f.fromNarrow(x);
  Value sign = f.shiftLeft(f.apply<arith::AndIOp>(bits, f.bits(0x8000)), 16);
  Value magnitude = f.apply<arith::AndIOp>(bits, f.bits(0x7fff));
  Value scaled = arith::MulFOp::create(b, f.toReal(f.shiftLeft(magnitude, 13)), f.real(kUpToF32));
  Value finite = f.toBits(scaled);
  Value special = f.apply<arith::OrIOp>(finite, f.bits(0x7f800000));
  Value result = f.select(f.isAtLeast(magnitude, 0x7c00), special, finite);
  return f.toReal(f.apply<arith::OrIOp>(result, sign));
}

static Value narrowToHalf(BitBuilder &f, ImplicitLocOpBuilder &b, Value x) {
  Value bits = f.toBits(x);
  Value sign = f.apply<arith::AndIOp>(f.shiftRight(bits, 16), f.bits(0x8000));
  Value magnitude = f.apply<arith::AndIOp>(bits, f.bits(0x7fffffff));
  // Normal numbers: the bias of the exponent is 112 less.
  Value rebased = f.apply<arith::SubIOp>(magnitude, f.bits(112u << 23));
  Value normal = f.shiftRight(f.apply<arith::AddIOp>(rebased, f.getRounding(magnitude, 13)), 13);
  // Subnormal ones: the addition rounds.
  Value shifted = arith::AddFOp::create(b, f.toReal(magnitude), f.real(kSubnormalShift));
  Value subnormal = f.apply<arith::SubIOp>(f.toBits(shifted), f.toBits(f.real(kSubnormalShift)));
  Value finite = f.select(f.isAtLeast(magnitude, 113u << 23), normal, subnormal);
  // From 65520 on, infinity; a NaN stays one.
  Value isNan = f.isAtLeast(magnitude, 0x7f800001);
  Value special = f.select(isNan, f.bits(0x7e00), f.bits(0x7c00));
  Value result = f.select(f.isAtLeast(magnitude, 0x477ff000), special, finite);
  return f.toNarrow(f.apply<arith::OrIOp>(result, sign), Float16Type::get(x.getContext()));
}

/// Whether the chip has an instruction for the conversion between the narrow type and f32.
static bool isInstruction(Operation *op, Type narrow, const Chip &chip) {
  if (narrow.isF16())
    return chip.convertsHalves;
  // The instruction for bf16 takes subnormal numbers for zero.
  auto round = dyn_cast<arith::TruncFOp>(op);
  return round && chip.multipliesPairs &&
         bitEnumContainsAny(round.getFastmath().value_or(arith::FastMathFlags::none),
                            arith::FastMathFlags::afn);
}

Value cpu::lowerConversion(ImplicitLocOpBuilder &b, Operation *op, const Chip &chip) {
  bool widens = isa<arith::ExtFOp>(op);
  Value x = op->getOperand(0);
  Type narrow = getElementTypeOrSelf(widens ? x.getType() : op->getResult(0).getType());
  if (!(narrow.isBF16() || narrow.isF16()) || isInstruction(op, narrow, chip))
    return {};
  BitBuilder f(b, x.getType());
  if (widens)
    return narrow.isBF16() ? widenBFloat(f, x) : widenHalf(f, b, x);
  return narrow.isBF16() ? narrowToBFloat(f, x) : narrowToHalf(f, b, x);
}
