//===- Emit.cpp - Kernels for the phases of a module ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Passes.h"
#include "codegen/gpu/PhaseEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mix::gpu {
#define GEN_PASS_DEF_GPUEMIT
#include "codegen/gpu/Passes.h.inc"
} // namespace mix::gpu

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Alignment of dynamic shared memory, as vectors, matrix loads and panels want it.
static constexpr int64_t kSharedAlignment = 1024;

/// CUDA takes so many bytes of parameters on every chip and with every driver, and HIP as many.
static constexpr int64_t kMostParameterBytes = 4096;

/// Whether every real of the phase has at most 32 bits: nothing else is fast, or needed, on a GPU.
static LogicalResult verifyReals(func::FuncOp phase) {
  WalkResult result = phase.walk([&](Operation *op) {
    for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes())) {
      Type element = getElementTypeOrSelf(type);
      if (!isa<FloatType>(element) || element.isF32() || isNarrowReal(element))
        continue;
      op->emitError("the GPU targets compute in f32, got ") << element;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Whether the parameter of a kernel is as large as drivers take it.
static LogicalResult verifyParameter(func::FuncOp phase, const CallLayout &layout,
                                     const GpuChip &chip) {
  if (layout.getBytes() <= kMostParameterBytes)
    return success();
  return phase.emitError("the ") << llvm::count_if(phase.getArgumentTypes(),
                                                   llvm::IsaPred<MemRefType>)
                                 << " tensors of this phase take " << layout.getBytes()
                                 << " bytes of parameters, and a kernel of " << chip.name
                                 << " has at most " << kMostParameterBytes;
}

namespace {

struct Emit : mix::gpu::impl::GpuEmitBase<Emit> {
  using GpuEmitBase::GpuEmitBase;

  void runOnOperation() override {
    const GpuChip *row = findGpuChip(chip);
    if (!row) {
      getOperation().emitError("unknown GPU '") << chip << "'; known are " << getGpuChipNames();
      return signalPassFailure();
    }
    std::unique_ptr<Machine> machine = createMachine(*row);
    SmallVector<func::FuncOp> phases;
    for (auto phase : getOperation().getOps<func::FuncOp>())
      if (phase->hasAttr("tile.phase"))
        phases.push_back(phase);
    if (!phases.empty())
      declareSharedMemory();
    for (func::FuncOp phase : phases)
      if (failed(emitKernel(phase, *machine)))
        return signalPassFailure();
  }

  void declareSharedMemory() {
    OpBuilder b = OpBuilder::atBlockBegin(getOperation().getBody());
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
    LLVM::GlobalOp::create(b, getOperation().getLoc(), type, /*isConstant=*/false,
                           LLVM::Linkage::External, kSharedMemoryName, Attribute(),
                           kSharedAlignment, kSharedSpace);
  }

  LogicalResult emitKernel(func::FuncOp phase, Machine &machine) {
    FailureOr<CallLayout> layout = CallLayout::create(phase);
    if (failed(layout) || failed(verifyReals(phase)) ||
        failed(verifyParameter(phase, *layout, machine.chip)))
      return failure();
    Homes homes(phase, machine);
    if (homes.getSharedBytes() > machine.chip.sharedBytes)
      return phase.emitError("the tiles of this phase take ")
             << homes.getSharedBytes() << " bytes of shared memory, and a block of "
             << machine.chip.name << " has " << machine.chip.sharedBytes;
    ImplicitLocOpBuilder b(phase.getLoc(), phase);
    auto pointer = LLVM::LLVMPointerType::get(&getContext(), machine.getParameterSpace());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()), {pointer});
    auto kernel =
        LLVM::LLVMFuncOp::create(b, (phase.getName() + "_" + machine.chip.name).str(), type);
    kernel->setAttr(kSharedBytesAttr, b.getI64IntegerAttr(homes.getSharedBytes()));
    kernel->setAttr(kThreadsAttr, b.getI64IntegerAttr(machine.chip.threads));
    kernel->setAttr(kParameterBytesAttr, b.getI64IntegerAttr(layout->getBytes()));
    for (NamedAttribute attribute : phase->getDiscardableAttrs())
      kernel->setAttr(attribute.getName(), attribute.getValue());
    if (failed(PhaseEmitter(phase, *layout, kernel, homes, b, machine).run()))
      return failure();
    phase.erase();
    return success();
  }
};

} // namespace
