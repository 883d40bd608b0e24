//===- ProductStarts.cpp - What accumulators start from ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/ProductStarts.h"
#include "codegen/Accesses.h"
#include "codegen/TileStorage.h"
#include "codegen/cpu/Memory.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Whether the code of the op writes to no tile.
static bool writesNothing(Operation &op) {
  return !isa<scf::ForOp, scf::IfOp, tile::StoreOp>(op) &&
         llvm::none_of(op.getResults(), [](Value result) { return needsPlace(result); });
}

static int64_t getPlaceOf(Operation *op) {
  auto places = op->getAttrOfType<DenseI64ArrayAttr>(kPlace);
  return places && places.size() == 1 ? places[0] : -1;
}

/// Whether each dimension of an operand is walked by one loop of its own, from the first position.
static bool isWholeTile(linalg::LinalgOp op, OpOperand &operand) {
  return op.getMatchingIndexingMap(&operand).isProjectedPermutation();
}

/// The elementwise op that makes only what the product adds to, or null.
static linalg::LinalgOp findStart(linalg::LinalgOp product) {
  if (!isContraction(product) || product.getNumDpsInits() != 1)
    return {};
  OpOperand &init = *product.getDpsInitOperand(0);
  auto start = init.get().getDefiningOp<linalg::LinalgOp>();
  if (!start || start->getBlock() != product->getBlock() || start->getNumResults() != 1 ||
      !init.get().hasOneUse() || isa<linalg::TransposeOp>(start) ||
      start.getNumLoops() != start.getNumParallelLoops() || !needsPlace(init.get()))
    return {};
  bool isSameWalk = isWholeTile(product, init) &&
                    start.getMatchingIndexingMap(start.getDpsInitOperand(0)).isIdentity();
  return isSameWalk ? start : linalg::LinalgOp();
}

void cpu::sinkProductStarts(func::FuncOp phase) {
  phase.walk([](linalg::LinalgOp product) {
    if (linalg::LinalgOp start = findStart(product))
      start->moveBefore(product);
  });
}

linalg::LinalgOp cpu::getProductStart(linalg::LinalgOp product) {
  linalg::LinalgOp start = findStart(product);
  if (!start || getPlaceOf(start) != getPlaceOf(product))
    return {};
  for (Operation *op = start->getNextNode(); op != product; op = op->getNextNode())
    if (!writesNothing(*op))
      return {};
  return start;
}

bool cpu::isProductStart(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || !op->getResult(0).hasOneUse())
    return false;
  auto product = dyn_cast<linalg::LinalgOp>(*op->getResult(0).getUsers().begin());
  return product && getProductStart(product) == op;
}
