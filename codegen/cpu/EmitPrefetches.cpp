//===- EmitPrefetches.cpp - What is asked for ahead of time -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three kinds of rows are known well before they are needed: what the next iteration of a loop
// loads (its loads ask), what an iteration stores, and what a task loads first and stores last.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Window.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

std::optional<Tile> PhaseEmitter::findInView(Value tensor, RankedTensorType type,
                                             ValueRange offsets) {
  auto found = views.find(tensor);
  if (found == views.end() || type.getRank() < 2 || !found->second.lastIsUnit)
    return std::nullopt;
  Window window(k, found->second, offsets, scalars, type.getShape());
  Tile tile;
  tile.shape = llvm::to_vector(type.getShape());
  tile.element = type.getElementType();
  return getInView(k, tile, found->second, window.origin());
}

/// Before a loop: what its first iteration loads.
void PhaseEmitter::prefetchFirstLoads(scf::ForOp loop) {
  scalars.map(loop.getInductionVar(), getScalar(loop.getLowerBound()));
  for (auto load : loop.getOps<tile::LoadOp>())
    if (isRowByRow(load, load.getOffsets(), load.getType().getShape()))
      if (auto tile = findInView(load.getView(), load.getType(), load.getOffsets()))
        askForRows(k, *tile, /*isWritten=*/false);
}

/// The rows that an iteration of a loop stores are asked for when it begins.
void PhaseEmitter::prefetchStoredRows(scf::ForOp loop) {
  for (auto store : loop.getOps<tile::StoreOp>()) {
    auto type = cast<RankedTensorType>(store.getTile().getType());
    if (isRowByRow(store, store.getOffsets(), type.getShape()))
      if (auto tile = findInView(store.getView(), type, store.getOffsets()))
        prefetches.add(k, store->getBlock(), *tile, /*isWritten=*/true);
  }
}

/// After the last loop of a task: what the task stores in the end.
void PhaseEmitter::prefetchLastStores(scf::ForOp loop) {
  auto others = llvm::make_range(std::next(loop->getIterator()), loop->getBlock()->end());
  if (!isa<scf::ForallOp>(loop->getParentOp()) || llvm::any_of(others, llvm::IsaPred<scf::ForOp>))
    return;
  auto isKnown = [&](Value offset) {
    return scalars.contains(offset) || matchPattern(offset, m_Constant());
  };
  for (auto store : loop->getBlock()->getOps<tile::StoreOp>()) {
    auto type = cast<RankedTensorType>(store.getTile().getType());
    if (llvm::all_of(store.getOffsets(), isKnown))
      if (auto tile = findInView(store.getView(), type, store.getOffsets()))
        askForRows(k, *tile, /*isWritten=*/true);
  }
}
