//===- InPlaceStores.cpp - Tiles that are made where the caller wants them --===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/InPlaceStores.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Whether every use of the tile, and of its slices, is at or before `last`, an op of the
/// block that defines the tile.
static bool isUsedUpTo(Value tile, Operation *last) {
  return llvm::all_of(tile.getUsers(), [&](Operation *user) {
    if (isa<tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user) &&
        !isUsedUpTo(user->getResult(0), last))
      return false;
    Operation *at = last->getBlock()->findAncestorOpInBlock(*user);
    return at && (at == last || at->isBeforeInBlock(last));
  });
}

bool cpu::isOverwritten(tile::LoadOp load) {
  return llvm::any_of(load.getView().getUsers(), [&](Operation *user) {
    // A store elsewhere is not between the load and the uses of its tile.
    Operation *store =
        isa<tile::StoreOp>(user) ? load->getBlock()->findAncestorOpInBlock(*user) : nullptr;
    return store && !isUsedUpTo(load.getResult(), store);
  });
}

/// Whether all uses but the store read the tile whatever its strides between rows are.
static bool isReadByRows(Value tile, Operation *store) {
  return llvm::all_of(tile.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<tensor::ExtractSliceOp>(user))
      return isReadByRows(user->getResult(0), store);
    auto structured = dyn_cast<linalg::LinalgOp>(user);
    return user == store || (structured && structured.isDpsInput(&use));
  });
}

/// Whether the caller may leave the tensor out.
static bool isOptional(BlockArgument view) {
  auto phase = cast<func::FuncOp>(view.getOwner()->getParentOp());
  auto kind = phase.getArgAttrOfType<StringAttr>(view.getArgNumber(), "mix.kind");
  return kind && kind.getValue() == "state_out";
}

/// Whether two offsets are the same.
static bool isSame(Value a, Value b) {
  APInt x, y;
  return a == b ||
         (matchPattern(a, m_ConstantInt(&x)) && matchPattern(b, m_ConstantInt(&y)) && x == y);
}

static bool isKnownBefore(Value value, Operation *op) {
  Operation *definition = value.getDefiningOp();
  return !definition || definition->getBlock() != op->getBlock() || definition->isBeforeInBlock(op);
}

/// Whether the op only moves elements, which it does by way of registers and a layout of its own.
static bool isMove(linalg::LinalgOp op) {
  return !isa<linalg::GenericOp>(op) || op.getBlock()->getOperations().size() == 1;
}

tile::StoreOp cpu::getInPlaceStore(linalg::LinalgOp op, int64_t lanes) {
  if (isMove(op) || op->getNumResults() != 1 || op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getIndexingMapsArray().back().isIdentity())
    return {};
  Value result = op->getResult(0);
  auto type = cast<RankedTensorType>(result.getType());
  auto stores = llvm::make_filter_range(result.getUsers(), llvm::IsaPred<tile::StoreOp>);
  if (type.getRank() == 0 || type.getShape().back() % lanes != 0 || !llvm::hasSingleElement(stores))
    return {};
  auto store = cast<tile::StoreOp>(*stores.begin());
  auto view = cast<MemRefType>(store.getView().getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  auto argument = dyn_cast<BlockArgument>(store.getView());
  if (!argument || !isa<func::FuncOp>(argument.getOwner()->getParentOp()) || isOptional(argument) ||
      !isReadByRows(result, store))
    return {};
  if (store->getBlock() != op->getBlock() || view.getElementType() != type.getElementType() ||
      failed(view.getStridesAndOffset(strides, offset)) || strides.back() != 1 ||
      llvm::any_of(store.getOffsets(), [&](Value at) { return !isKnownBefore(at, op); }))
    return {};
  for (Operation *user : store.getView().getUsers()) {
    if (user == store)
      continue;
    Operation *at = op->getBlock()->findAncestorOpInBlock(*user);
    if (!at)
      continue;
    auto load = dyn_cast<tile::LoadOp>(user);
    if (!load || at != load || !load->isBeforeInBlock(op) || !isUsedUpTo(load.getResult(), op))
      return {};
    // The op reads an element of the tensor only to write it.
    for (OpOperand &use : op->getOpOperands())
      if (use.get() == load.getResult() &&
          (!op.getMatchingIndexingMap(&use).isIdentity() ||
           !llvm::all_of(llvm::zip_equal(load.getOffsets(), store.getOffsets()),
                         [](auto pair) { return isSame(std::get<0>(pair), std::get<1>(pair)); })))
        return {};
  }
  // A slice of the tensor's tile would be read at other positions than are written.
  for (Value operand : op->getOperands())
    if (auto slice = operand.getDefiningOp<tensor::ExtractSliceOp>())
      if (auto load = slice.getSource().getDefiningOp<tile::LoadOp>();
          load && load.getView() == store.getView())
        return {};
  return store;
}
