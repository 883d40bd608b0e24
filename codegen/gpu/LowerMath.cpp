//===- LowerMath.cpp - Mathematical functions as instructions ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Polynomials.h"
#include "codegen/gpu/Machine.h"
#include "codegen/gpu/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

namespace mix::gpu {
#define GEN_PASS_DEF_GPULOWERMATH
#include "codegen/gpu/Passes.h.inc"
} // namespace mix::gpu

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

static constexpr double kLog2E = 1.442695040888963407;

static Value real(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr((float)value));
}

/// exp(x) = 2^(x log2(e)). The product is rounded, which is as if x were rounded once more: no more
/// than what x has been through anyway.
static Value expandExp(ImplicitLocOpBuilder &b, Machine &machine, Value x) {
  return machine.exp2(b, arith::MulFOp::create(b, x, real(b, kLog2E)));
}

/// x^y by a power of 2 of `y log2(|x|)`, with an error that grows with that; the sign, and where
/// there is no power, as the C library has it.
static Value expandPower(ImplicitLocOpBuilder &b, Machine &machine, Value x, Value y) {
  Polynomials functions(b, b.getF32Type(), /*fuse=*/true);
  Value zero = real(b, 0), one = real(b, 1);
  auto compare = [&](arith::CmpFPredicate predicate, Value u, Value v) -> Value {
    return arith::CmpFOp::create(b, predicate, u, v);
  };
  auto isWhole = [&](Value u) {
    return compare(arith::CmpFPredicate::OEQ, math::FloorOp::create(b, u), u);
  };
  Value logarithm = functions.log2(math::AbsFOp::create(b, x));
  Value power = machine.exp2(b, arith::MulFOp::create(b, y, logarithm));
  Value isEven = isWhole(arith::MulFOp::create(b, y, real(b, 0.5)));
  Value ofNegative = arith::SelectOp::create(b, isEven, power, arith::NegFOp::create(b, power));
  Value none = real(b, std::numeric_limits<double>::quiet_NaN());
  ofNegative = arith::SelectOp::create(b, isWhole(y), ofNegative, none);
  Value isNegative = compare(arith::CmpFPredicate::OLT, x, zero);
  Value result = arith::SelectOp::create(b, isNegative, ofNegative, power);
  // Nothing to the power of nothing, and ones whose logarithm is multiplied by infinity.
  Value isOne = arith::OrIOp::create(b, compare(arith::CmpFPredicate::OEQ, y, zero),
                                     compare(arith::CmpFPredicate::OEQ, x, one));
  return arith::SelectOp::create(b, isOne, one, result);
}

/// `x log2(e)` for an exponential whose error may grow. That of a difference is one fused
/// operation, and what is subtracted is rounded once for all that it is subtracted from.
static Value buildExponent(ImplicitLocOpBuilder &b, Operation *op) {
  auto exp = dyn_cast<math::ExpOp>(op);
  auto difference = exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : nullptr;
  if (!difference || !bitEnumContainsAny(exp.getFastmath(), arith::FastMathFlags::afn))
    return buildBinaryExponent(b, op);
  Value shift = arith::MulFOp::create(b, difference.getRhs(), real(b, -kLog2E));
  return math::FmaOp::create(b, difference.getLhs(), real(b, kLog2E), shift);
}

/// The function by what the chip has, or null.
static Value expand(ImplicitLocOpBuilder &b, Machine &machine, Operation *op) {
  if (Value exponent = buildExponent(b, op))
    return machine.exp2(b, exponent);
  Value x = op->getOperand(0);
  Polynomials functions(b, b.getF32Type(), /*fuse=*/true);
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](math::CosOp) { return functions.cos(x); })
      .Case([&](math::SinOp) { return functions.sin(x); })
      .Case([&](math::PowFOp) { return expandPower(b, machine, x, op->getOperand(1)); })
      .Case([&](math::ExpOp) { return expandExp(b, machine, x); })
      .Case([&](math::RsqrtOp) { return machine.rsqrt(b, x); })
      .Default([&](Operation *) { return functions.apply(op, x); });
}

/// Whether a value is rounded to bf16 for a product only, as the program leaves to the target.
static bool mayRoundAsItLikes(arith::TruncFOp round) {
  return round.getIn().getType().isF32() && round.getType().isBF16() &&
         bitEnumContainsAny(round.getFastmath().value_or(arith::FastMathFlags::none),
                            arith::FastMathFlags::contract);
}

/// The nearest bf16, of two the one further from zero, in two instructions where LLVM takes five. A
/// NaN stays one unless all its bits are set but some of the low 15, which no arithmetic on 16-bit
/// reals makes.
static Value roundToBf16(ImplicitLocOpBuilder &b, arith::TruncFOp round) {
  constexpr int64_t half = 1 << 15, dropped = 16;
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), round.getIn());
  bits = arith::AddIOp::create(b, bits, integer(half));
  bits = arith::ShRUIOp::create(b, bits, integer(dropped));
  bits = arith::TruncIOp::create(b, b.getI16Type(), bits);
  return arith::BitcastOp::create(b, round.getType(), bits);
}

/// Whether LLVM's intrinsic of the same name is an instruction, or a short sequence of them.
static bool isInstruction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp, math::FloorOp, math::FmaOp,
             math::RoundEvenOp, math::RoundOp, math::SqrtOp, math::TruncOp, math::IsFiniteOp,
             math::IsNaNOp, math::IsInfOp>(op);
}

namespace {

struct LowerMath : gpu::impl::GpuLowerMathBase<LowerMath> {
  using GpuLowerMathBase::GpuLowerMathBase;

  void runOnOperation() override {
    const GpuChip *row = findGpuChip(chip);
    if (!row) {
      getOperation().emitError("unknown GPU '") << chip << "'; known are " << getGpuChipNames();
      return signalPassFailure();
    }
    std::unique_ptr<Machine> machine = createMachine(*row);
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) && !isInstruction(op))
        ops.push_back(op);
    });
    if (!machine->hasRoundingToBf16())
      expandRounding();
    for (Operation *op : ops) {
      ImplicitLocOpBuilder b(op->getLoc(), op);
      Value result = expand(b, *machine, op);
      if (!result) {
        op->emitError("the GPU targets have no function '") << op->getName() << "'";
        return signalPassFailure();
      }
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
  }

  void expandRounding() {
    getOperation().walk([](arith::TruncFOp round) {
      if (!mayRoundAsItLikes(round))
        return;
      ImplicitLocOpBuilder b(round.getLoc(), round);
      round.replaceAllUsesWith(roundToBf16(b, round));
      round.erase();
    });
  }
};

} // namespace
