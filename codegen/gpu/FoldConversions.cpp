//===- FoldConversions.cpp - Conversions where the elements are used --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of 16-bit reals takes half of the shared memory and can be copied there without
// passing through registers. So it stays as it is, and who works on its elements
// widens them on the way. Only what no such work reads is widened by its load.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"

namespace mix::gpu {
#define GEN_PASS_DEF_GPUFOLDCONVERSIONS
#include "codegen/gpu/Passes.h.inc"
} // namespace mix::gpu

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

static Type getElement(Value value) { return getElementTypeOrSelf(value.getType()); }

/// The product of other operands. A product whose operands differ in type widens them itself.
static void replaceOperands(linalg::ContractOp product, ArrayRef<Value> operands) {
  OpBuilder b(product);
  auto other = linalg::ContractOp::create(b, product.getLoc(), product->getResultTypes(), operands,
                                          product.getDpsInits(), product.getIndexingMapsAttr());
  product.replaceAllUsesWith(other);
  product.erase();
}

/// Lets a user of a widened tile widen elements itself, where it reads them only.
static void foldInto(Operation *user, Value wide, Value narrow) {
  if (auto product = dyn_cast<linalg::ContractOp>(user)) {
    SmallVector<Value> operands(product.getDpsInputs());
    llvm::replace(operands, wide, narrow);
    if (!llvm::equal(operands, product.getDpsInputs()))
      replaceOperands(product, operands);
    return;
  }
  auto generic = dyn_cast<linalg::GenericOp>(user);
  if (!generic)
    return;
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    if (operand->get() != wide)
      continue;
    BlockArgument element = generic.getBody()->getArgument(operand->getOperandNumber());
    Type type = element.getType();
    element.setType(getElement(narrow));
    OpBuilder b = OpBuilder::atBlockBegin(generic.getBody());
    auto widened = arith::ExtFOp::create(b, generic.getLoc(), type, element);
    element.replaceAllUsesExcept(widened, widened);
    operand->set(narrow);
  }
}

/// Whether elements of the tile are multiplied in their own type.
static bool isMultiplied(Value narrow) {
  return llvm::any_of(narrow.getUsers(), llvm::IsaPred<linalg::ContractOp>);
}

static void foldWidening(arith::ExtFOp widen) {
  Value narrow = widen.getIn();
  bool canFoldAll =
      llvm::all_of(widen->getUsers(), llvm::IsaPred<linalg::GenericOp, linalg::ContractOp>);
  auto load = narrow.getDefiningOp<tile::LoadOp>();
  if (load && !canFoldAll && !isMultiplied(narrow)) {
    OpBuilder b(load);
    auto wide =
        tile::LoadOp::create(b, load.getLoc(), widen.getType(), load.getView(), load.getOffsets());
    widen.replaceAllUsesWith(wide.getResult());
  } else {
    llvm::SmallSetVector<Operation *, 4> users(widen->user_begin(), widen->user_end());
    for (Operation *user : users)
      foldInto(user, widen, narrow);
  }
  if (widen->use_empty())
    widen.erase();
  if (load && load->use_empty())
    load.erase();
}

/// The ops of a kind, to change the phase while going through them.
template <typename Op> static SmallVector<Op> collect(func::FuncOp phase) {
  SmallVector<Op> ops;
  phase.walk([&](Op op) { ops.push_back(op); });
  return ops;
}

namespace {

struct FoldConversions : gpu::impl::GpuFoldConversionsBase<FoldConversions> {
  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    if (!phase->hasAttr("tile.phase"))
      return;
    for (auto widen : collect<arith::ExtFOp>(phase))
      if (isa<RankedTensorType>(widen.getType()))
        foldWidening(widen);
    for (auto store : collect<tile::StoreOp>(phase))
      if (auto round = store.getTile().getDefiningOp<arith::TruncFOp>())
        store.getTileMutable().assign(round.getIn());
    for (auto round : collect<arith::TruncFOp>(phase))
      if (round->use_empty())
        round.erase();
  }
};

} // namespace
