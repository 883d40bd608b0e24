//===- ProductFusion.cpp - Elementwise work of products ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/ProductFusion.h"
#include "codegen/Accesses.h"
#include "codegen/TileStorage.h"
#include "codegen/cpu/InPlaceStores.h"
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

/// Whether the op computes one tile element by element, walking it as it lies in memory.
static bool isElementwise(linalg::LinalgOp op) {
  return op->getNumResults() == 1 && !isa<linalg::TransposeOp>(op) && !op->hasAttr(kPackAttr) &&
         op.getNumLoops() == op.getNumParallelLoops() && needsPlace(op->getResult(0)) &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
}

static bool isProduct(linalg::LinalgOp op) {
  return isContraction(op) && op.getNumDpsInits() == 1 && isWholeTile(op, *op.getDpsInitOperand(0));
}

/// The elementwise op that makes only what the product adds to, or null.
static linalg::LinalgOp findStart(linalg::LinalgOp product) {
  if (!isProduct(product))
    return {};
  Value init = product.getDpsInitOperand(0)->get();
  auto start = init.getDefiningOp<linalg::LinalgOp>();
  bool isStart =
      start && start->getBlock() == product->getBlock() && init.hasOneUse() && isElementwise(start);
  return isStart ? start : linalg::LinalgOp();
}

/// The elementwise op that alone reads the product, at the position that it writes, or null.
static linalg::LinalgOp findEnd(linalg::LinalgOp product) {
  if (!isProduct(product))
    return {};
  OpOperand *read = nullptr;
  for (OpOperand &use : product->getResult(0).getUses()) {
    if (isa<tile::BandOp>(use.getOwner()))
      continue;
    if (read)
      return {};
    read = &use;
  }
  auto end = read ? dyn_cast<linalg::LinalgOp>(read->getOwner()) : linalg::LinalgOp();
  bool isEnd = end && end->getBlock() == product->getBlock() && isElementwise(end) &&
               end.isDpsInput(read) && end.getMatchingIndexingMap(read).isIdentity() &&
               end->getResult(0).getType() == product->getResult(0).getType() &&
               !isProductStart(end);
  return isEnd ? end : linalg::LinalgOp();
}

bool cpu::needsLater(Operation *op, Operation *earlier) {
  WalkResult result = op->walk([&](Operation *nested) {
    bool isLater = llvm::any_of(nested->getOperands(), [&](Value operand) {
      Operation *definition = operand.getDefiningOp();
      return definition && definition->getBlock() == earlier->getBlock() &&
             earlier->isBeforeInBlock(definition);
    });
    return isLater ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

void cpu::gatherElementwiseWork(func::FuncOp phase) {
  phase.walk([](linalg::LinalgOp product) {
    if (linalg::LinalgOp start = findStart(product))
      start->moveBefore(product);
    linalg::LinalgOp end = findEnd(product);
    if (end && !needsLater(end, product))
      end->moveAfter(product);
  });
}

/// Whether nothing happens between two ops of a block whose results have one place.
static bool areNeighbours(Operation *first, Operation *second) {
  if (getPlaceOf(first) != getPlaceOf(second))
    return false;
  auto between = llvm::make_range(std::next(first->getIterator()), second->getIterator());
  return llvm::all_of(between, writesNothing);
}

linalg::LinalgOp cpu::getProductStart(linalg::LinalgOp product) {
  linalg::LinalgOp start = findStart(product);
  return start && areNeighbours(start, product) ? start : linalg::LinalgOp();
}

linalg::LinalgOp cpu::getProductEnd(linalg::LinalgOp product, int64_t lanes) {
  linalg::LinalgOp end = findEnd(product);
  bool isFree = end && product->isBeforeInBlock(end) && areNeighbours(product, end) &&
                !needsLater(end, product) && !getInPlaceStore(end, lanes);
  return isFree ? end : linalg::LinalgOp();
}

bool cpu::isProductEnd(linalg::LinalgOp op) {
  return llvm::any_of(op.getDpsInputs(), [&](Value input) {
    auto product = input.getDefiningOp<linalg::LinalgOp>();
    return product && findEnd(product) == op;
  });
}

bool cpu::isProductStart(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || !op->getResult(0).hasOneUse())
    return false;
  auto product = dyn_cast<linalg::LinalgOp>(*op->getResult(0).getUsers().begin());
  return product && getProductStart(product) == op;
}
