//===- VerifyLevel.cpp - The contracts between levels -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Build.h"
#include "passes/Passes.h"

using namespace mlir;

namespace mix {

#define GEN_PASS_DEF_VERIFYLEVEL
#include "passes/Passes.h.inc"

static bool isElementwiseDialect(Operation *op) {
  return isa_and_present<arith::ArithDialect, math::MathDialect>(op->getDialect());
}

//===----------------------------------------------------------------------===//
// L1
//===----------------------------------------------------------------------===//

static LogicalResult verifyAsWritten(Operation *op) {
  if (isa<AffineScanOp, StreamedReductionOp, LargestOp, BindOp>(op))
    return op->emitError("is a normal form of level 2, but level 1 is the spec as written");
  if (auto loop = dyn_cast<ForOp>(op); loop && loop.getClass_())
    return op->emitError("has the class '")
           << stringifyScanClass(*loop.getClass_()) << "', which is derived on the way to level 2";
  if (isa_and_present<MixDialect>(op->getDialect()) || isElementwiseDialect(op) ||
      isa<func::ReturnOp>(op))
    return success();
  return op->emitError("'") << op->getName() << "' has no place in a mixer of level 1";
}

//===----------------------------------------------------------------------===//
// L2
//===----------------------------------------------------------------------===//

/// Whether the value is virtual: along the positions of two or more index variables.
static bool isVirtual(Value value) { return llvm::count_if(getAxes(value), isIndexAxis) > 1; }

/// Whether the op may use a virtual value.
static bool mayUseVirtual(Operation *op) {
  return isElementwiseDialect(op) ||
         isa<BroadcastOp, ReduceOp, StreamedReductionOp, PrefixOp, ReadOp, TopKOp, LargestOp>(op);
}

static LogicalResult verifyNormalForm(Operation *op) {
  if (auto loop = dyn_cast<ForOp>(op)) {
    if (loop.getNumStates() == 0)
      return op->emitError("is a map; maps of level 2 are straight-line code (mix-lift-maps)");
    if (!loop.getClass_())
      return op->emitError(
          "has no class; recurrences of level 2 are classified (mix-normalize-recurrences)");
    if (*loop.getClass_() == ScanClass::Sequential && !loop.getReason())
      return op->emitError("is sequential without a reason");
  }
  if (isa<SoftmaxOp>(op))
    return op->emitError("is not in normal form (mix-stream-softmax)");
  if (!isa_and_present<MixDialect>(op->getDialect()) && !isElementwiseDialect(op) &&
      !isa<func::ReturnOp>(op))
    return op->emitError("'") << op->getName() << "' has no place in a mixer of level 2";
  for (Value operand : op->getOperands())
    if (isVirtual(operand) && !mayUseVirtual(op))
      return op->emitError("would store a value of type ")
             << operand.getType() << ": one for every pair of positions";
  return success();
}

//===----------------------------------------------------------------------===//
// L3
//===----------------------------------------------------------------------===//

static LogicalResult verifyTileProgram(Operation *op) {
  bool isKnown = isElementwiseDialect(op) ||
                 isa_and_present<tile::TileDialect, linalg::LinalgDialect, tensor::TensorDialect,
                                 scf::SCFDialect>(op->getDialect()) ||
                 isa<memref::DimOp, func::ReturnOp>(op);
  if (!isKnown)
    return op->emitError("'") << op->getName() << "' has no place in a tile program";
  for (Type type : op->getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && !tensor.hasStaticShape())
      return op->emitError("makes a tile whose shape is not static: ") << type;
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct VerifyLevel : impl::VerifyLevelBase<VerifyLevel> {
  using VerifyLevelBase::VerifyLevelBase;

  void runOnOperation() override {
    if (level < 1 || level > 3) {
      getOperation().emitError("mix-verify-level: expects the level 1, 2 or 3, got ")
          << level.getValue();
      return signalPassFailure();
    }
    LogicalResult (*verify)(Operation *) = level == 1   ? verifyAsWritten
                                           : level == 2 ? verifyNormalForm
                                                        : verifyTileProgram;
    StringRef marker = level == 3 ? StringRef("tile.phase") : StringRef(kMixerAttr);
    bool isGood = true;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr(marker))
        continue;
      function.walk([&](Operation *op) {
        if (op != function)
          isGood &= succeeded(verify(op));
      });
    }
    if (!isGood)
      signalPassFailure();
  }
};
} // namespace

} // namespace mix
