//===- JointProducts.cpp - Products that all warps compute together ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/JointProducts.h"
#include "codegen/gpu/KernelBuilder.h"
#include "dialect/Tile.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

Panels gpu::getPanels(RankedTensorType tile) {
  if (tile.getRank() != 2 || !isNarrowReal(tile.getElementType()) || tile.getDimSize(0) % 8 != 0)
    return {};
  for (int64_t rowBytes : {128, 64, 32})
    if (tile.getDimSize(1) * 2 % rowBytes == 0)
      return {rowBytes, tile.getDimSize(0) * rowBytes};
  return {};
}

/// The panels of a tile that may lie in them: it comes from the caller, and elementwise work and
/// products read it. Of a result of its own type, the tile could be asked to give up its place.
static Panels findPanels(Value tile) {
  auto type = cast<RankedTensorType>(tile.getType());
  auto load = tile.getDefiningOp<tile::LoadOp>();
  bool isLoaded =
      load && cast<MemRefType>(load.getView().getType()).getElementType() == type.getElementType();
  bool isOnlyRead = llvm::all_of(tile.getUsers(), [&](Operation *user) {
    return isa<linalg::LinalgOp>(user) && !llvm::is_contained(user->getResultTypes(), type);
  });
  return isLoaded && isOnlyRead ? getPanels(type) : Panels();
}

void JointProducts::add(Operation *op, const Product &product, Machine &machine) {
  JointUnit *found = machine.getJointUnit(product.element);
  if (!found)
    return;
  // Warps lie one below the other, and none has the same rows as another.
  bool fits = product.strideM == found->rows && product.sizeM % found->rows == 0 &&
              product.strideN == product.op.n && product.sizeN % found->columnStep == 0 &&
              product.sizeN <= found->mostColumns && product.sizeK % found->depth == 0;
  Value left = op->getOperand(product.left), right = op->getOperand(product.right);
  Panels panels = fits ? findPanels(right) : Panels();
  if (!panels)
    return;
  unit = found;
  products.insert(op);
  tiles[right] = panels;
  if (Panels leftPanels = findPanels(left))
    tiles[left] = leftPanels;
}
