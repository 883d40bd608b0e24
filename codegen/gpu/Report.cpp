//===- Report.cpp - What a GPU would make of phases -------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Report.h"
#include "codegen/TileStorage.h"
#include "codegen/gpu/Homes.h"
#include "codegen/gpu/KernelBuilder.h"
#include "codegen/gpu/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Whether a tile of 16 bits is part of one that was loaded like that.
static bool isLoaded(Value tile) {
  Operation *op = tile.getDefiningOp();
  while (
      isa_and_nonnull<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<tile::LoadOp>(op);
}

static bool isNarrow(Value tile) { return isNarrowReal(getElementTypeOrSelf(tile.getType())); }

/// The products of a phase whose factors are both of 16 bits though one of them was computed.
static SmallPtrSet<Operation *, 8> findRounded(func::FuncOp phase) {
  SmallPtrSet<Operation *, 8> rounded;
  phase.walk([&](linalg::ContractOp op) {
    if (llvm::all_of(op.getInputs(), isNarrow) && !llvm::all_of(op.getInputs(), isLoaded))
      rounded.insert(op);
  });
  return rounded;
}

static void reportProducts(func::FuncOp phase, const Homes &homes, const GpuChip &chip,
                           const SmallPtrSetImpl<Operation *> &rounded, PhaseReport &result) {
  phase.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::ContractOp>(op))
      return;
    const Product *product = homes.getProduct(op);
    std::string instruction =
        product ? getInstructionName(chip, product->element.isF32(), homes.isJoint(op)) +
                      (product->element.isBF16()  ? " on bf16"
                       : product->element.isF16() ? " on f16"
                                                  : "")
                : "fused multiply-adds";
    auto found = llvm::find_if(result.products, [&](const ProductReport &known) {
      return known.instruction == instruction;
    });
    if (found == result.products.end())
      found = result.products.insert(found, {instruction});
    ++found->count;
    found->rounded += rounded.contains(op);
  });
}

/// The operations of a product: a multiplication and an addition per element of its loops.
static int64_t countFlops(linalg::LinalgOp op) {
  int64_t flops = 2;
  for (int64_t size : op.getStaticLoopRanges())
    flops *= size;
  return flops;
}

static int64_t countBytes(Value tile, Value view) {
  return cast<RankedTensorType>(tile.getType()).getNumElements() *
         getStorageBytes(getElementTypeOrSelf(view.getType()));
}

static void reportRound(scf::ForOp loop, PhaseReport &result) {
  int64_t bytes = 0, flops = 0;
  loop.walk([&](Operation *op) {
    if (op->getParentOfType<scf::ForOp>() != loop)
      return;
    if (isa<linalg::ContractOp>(op))
      flops += countFlops(cast<linalg::LinalgOp>(op));
    else if (auto load = dyn_cast<tile::LoadOp>(op))
      bytes += countBytes(load.getResult(), load.getView());
    else if (auto store = dyn_cast<tile::StoreOp>(op))
      bytes += countBytes(store.getTile(), store.getView());
  });
  if (flops <= result.roundFlops)
    return;
  result.roundBytes = bytes;
  result.roundFlops = flops;
}

static int64_t countCarried(scf::ForOp loop, const Homes &homes) {
  int64_t registers = 0;
  for (Value carried : loop.getRegionIterArgs())
    if (const Layout *layout = homes.getLayout(carried))
      registers += static_cast<int64_t>(layout->registers.size());
  return registers;
}

static PhaseReport reportPhase(func::FuncOp phase, Machine &machine) {
  PhaseReport result;
  result.name = phase.getName().str();
  result.threads = machine.chip.threads;
  SmallPtrSet<Operation *, 8> rounded = findRounded(phase);
  Homes homes(phase, machine);
  result.sharedBytes = homes.getSharedBytes();
  reportProducts(phase, homes, machine.chip, rounded, result);
  phase.walk([&](scf::ForOp loop) {
    reportRound(loop, result);
    result.carriedRegisters = std::max(result.carriedRegisters, countCarried(loop, homes));
  });
  return result;
}

llvm::Expected<std::vector<PhaseReport>> gpu::report(ModuleOp phases, StringRef chip) {
  const GpuChip *row = findGpuChip(chip);
  if (!row)
    return llvm::createStringError("unknown GPU '" + chip + "'; known are " + getGpuChipNames());
  std::unique_ptr<Machine> machine = createMachine(*row);
  OwningOpRef<ModuleOp> copy = phases.clone();
  PassManager pm(copy->getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false);
  buildGpuPreparation(pm);
  if (failed(pm.run(*copy)))
    return llvm::createStringError("the tile program could not be lowered for " + chip);
  SmallVector<std::pair<int64_t, PhaseReport>> reports;
  for (auto phase : copy->getOps<func::FuncOp>())
    if (auto number = phase->getAttrOfType<IntegerAttr>("tile.phase"))
      reports.push_back({number.getInt(), reportPhase(phase, *machine)});
  llvm::sort(reports, llvm::less_first());
  std::vector<PhaseReport> sorted;
  for (auto &[number, report] : reports)
    sorted.push_back(std::move(report));
  return sorted;
}
