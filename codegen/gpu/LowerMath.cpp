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

/// exp(x) = 2^(x log2(e)); the product is kept in two parts, or large |x| would lose digits.
static Value expandExp(ImplicitLocOpBuilder &b, Machine &machine, Value x) {
  Value log2e = real(b, kLog2E), low = real(b, kLog2E - (float)kLog2E);
  Value high = arith::MulFOp::create(b, x, log2e);
  Value rest = math::FmaOp::create(b, x, log2e, arith::NegFOp::create(b, high));
  rest = math::FmaOp::create(b, x, low, rest);
  Value power = machine.exp2(b, high);
  // 2^rest = 1 + rest log(2) for tiny rests. Where the power is 0 or infinite the rest may be
  // NaN, and is not looked at.
  Value corrected =
      math::FmaOp::create(b, arith::MulFOp::create(b, rest, real(b, 1 / kLog2E)), power, power);
  Value isFinite = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT,
                                         math::AbsFOp::create(b, high), real(b, 126));
  return arith::SelectOp::create(b, isFinite, corrected, power);
}

/// The function by what the chip has, or null.
static Value expand(ImplicitLocOpBuilder &b, Machine &machine, Operation *op) {
  if (Value exponent = buildBinaryExponent(b, op))
    return machine.exp2(b, exponent);
  Value x = op->getOperand(0);
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return expandExp(b, machine, x); })
      .Case([&](math::RsqrtOp) { return machine.rsqrt(b, x); })
      .Default(
          [&](Operation *) { return Polynomials(b, b.getF32Type(), /*fuse=*/true).apply(op, x); });
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
};

} // namespace
