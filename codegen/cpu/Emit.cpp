//===- Emit.cpp - Vector code for the phases of a module --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Describe.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/PhaseEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/MapVector.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUEMIT
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

namespace {

struct Emit : mix::cpu::impl::CpuEmitBase<Emit> {
  using CpuEmitBase::CpuEmitBase;

  void runOnOperation() override {
    llvm::Expected<Chip> row = findChip(chip);
    if (!row) {
      getOperation().emitError(llvm::toString(row.takeError()));
      return signalPassFailure();
    }
    // Phases by mixer and form, in the order of their numbers.
    llvm::MapVector<std::pair<Attribute, Attribute>, SmallVector<func::FuncOp>> kernels;
    for (auto phase : getOperation().getOps<func::FuncOp>())
      if (phase->hasAttr("tile.phase"))
        kernels[{phase->getAttr("tile.mixer"), phase->getAttr("tile.form")}].push_back(phase);
    for (auto &[name, phases] : kernels)
      if (failed(emitKernel(phases, *row)))
        return signalPassFailure();
  }

  LogicalResult emitKernel(SmallVectorImpl<func::FuncOp> &phases, const Chip &row) {
    auto number = [](func::FuncOp phase) {
      auto attr = phase->getAttrOfType<IntegerAttr>("tile.phase");
      return attr ? attr.getInt() : 0;
    };
    llvm::sort(phases, [&](func::FuncOp a, func::FuncOp b) { return number(a) < number(b); });
    SmallVector<DescribedPhase> emitted;
    OpBuilder b(&getContext());
    for (func::FuncOp phase : phases) {
      auto scratch = phase->getAttrOfType<IntegerAttr>(kScratch);
      if (!scratch)
        return phase.emitError("expects a phase with places: run mix-cpu-assign-buffers first");
      b.setInsertionPoint(phase);
      Type pointer = LLVM::LLVMPointerType::get(&getContext()), i64 = b.getI64Type();
      auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()),
                                              {pointer, i64, i64, pointer});
      auto function = LLVM::LLVMFuncOp::create(b, phase.getLoc(), (phase.getName() + "_run").str(),
                                               type, LLVM::Linkage::Internal);
      if (failed(PhaseEmitter(phase, function, row, b).run()))
        return failure();
      emitted.push_back({phase, function.getName().str(), scratch.getInt()});
    }
    b.setInsertionPointToEnd(getOperation().getBody());
    if (failed(emitDescription(b, emitted, {row.name, row.needs})))
      return failure();
    for (func::FuncOp phase : phases)
      phase.erase();
    return success();
  }
};

} // namespace
