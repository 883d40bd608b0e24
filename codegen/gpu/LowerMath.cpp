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

/// exp(x) = 2^(x log2(e)). The product is rounded, which is as if x were rounded once more: no more
/// than what x has been through anyway.
static Value expandExp(ImplicitLocOpBuilder &b, Machine &machine, Value x) {
  return machine.exp2(b, arith::MulFOp::create(b, x, real(b, kLog2E)));
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
