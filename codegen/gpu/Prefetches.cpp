//===- Prefetches.cpp - Tiles that are loaded a round ahead -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Prefetches.h"
#include "codegen/TileStorage.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Bytes of an asynchronous copy.
static constexpr int64_t kCopyBytes = 16;

/// Adds the ops of the body that a scalar follows from; whether it does by arithmetic alone.
static bool collectOps(scf::ForOp loop, Value scalar, llvm::SetVector<Operation *> &ops) {
  if (scalar == loop.getInductionVar() || loop.isDefinedOutsideOfLoop(scalar))
    return true;
  Operation *op = scalar.getDefiningOp();
  bool isArithmetic =
      isa_and_nonnull<arith::ArithDialect, affine::AffineDialect>(op ? op->getDialect() : nullptr);
  if (!op || op->getBlock() != loop.getBody() || op->getNumRegions() ||
      !(isArithmetic || isa<memref::DimOp>(op)))
    return false;
  for (Value operand : op->getOperands())
    if (!isa<MemRefType>(operand.getType()) && !collectOps(loop, operand, ops))
      return false;
  ops.insert(op);
  return true;
}

static bool canCopyRows(tile::LoadOp load) {
  auto tile = cast<RankedTensorType>(load.getResult().getType());
  Type element = cast<MemRefType>(load.getView().getType()).getElementType();
  return tile.getRank() > 0 && tile.getElementType() == element && isa<FloatType>(element) &&
         tile.getShape().back() * getStorageBytes(element) % kCopyBytes == 0;
}

SmallVector<tile::LoadOp> gpu::findPrefetches(func::FuncOp phase, scf::ForOp loop) {
  llvm::SmallPtrSet<Value, 4> written;
  phase.walk([&](tile::StoreOp store) { written.insert(store.getView()); });
  SmallVector<tile::LoadOp> loads;
  for (auto load : loop.getBody()->getOps<tile::LoadOp>()) {
    llvm::SetVector<Operation *> ops;
    if (canCopyRows(load) && !written.contains(load.getView()) &&
        llvm::all_of(load.getOffsets(),
                     [&](Value offset) { return collectOps(loop, offset, ops); }))
      loads.push_back(load);
  }
  return loads;
}

llvm::SetVector<Operation *> gpu::getOffsetOps(scf::ForOp loop, tile::LoadOp load) {
  llvm::SetVector<Operation *> ops;
  for (Value offset : load.getOffsets())
    collectOps(loop, offset, ops);
  return ops;
}
