//===- FuseConversions.cpp - Loads that widen, stores that round ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A conversion next to memory costs an instruction in the load or the store; as an op of its
// own it would pass over the tile once more.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUFUSECONVERSIONS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;

static Type getElement(Value value) { return getElementTypeOrSelf(value.getType()); }

/// The tile in a wider type. Where the program leaves it to the target whether the tile is
/// rounded, it is not.
static Value widen(OpBuilder &b, Location loc, Value tile, RankedTensorType type) {
  auto round = tile.getDefiningOp<arith::TruncFOp>();
  if (round && round.getIn().getType() == type &&
      bitEnumContainsAny(round.getFastmath().value_or(arith::FastMathFlags::none),
                         arith::FastMathFlags::contract))
    return round.getIn();
  return arith::ExtFOp::create(b, loc, type, tile);
}

/// The product of operands in the type of its accumulator.
static void widenOperands(linalg::ContractOp product) {
  Type element = getElement(product->getResult(0));
  OpBuilder b(product);
  SmallVector<Value> operands(product.getDpsInputs());
  for (Value &operand : operands) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (type.getElementType() != element)
      operand = widen(b, product.getLoc(), operand, type.clone(element));
  }
  if (llvm::equal(operands, product.getDpsInputs()))
    return;
  auto wide = linalg::ContractOp::create(b, product.getLoc(), product->getResultTypes(), operands,
                                         product.getDpsInits(), product.getIndexingMapsAttr());
  product.replaceAllUsesWith(wide);
  product.erase();
}

/// A load of the wider type, for every type that the loaded tile is widened to.
static void fuseIntoLoad(tile::LoadOp load) {
  for (Operation *user : llvm::make_early_inc_range(load.getResult().getUsers())) {
    auto widen = dyn_cast<arith::ExtFOp>(user);
    if (!widen)
      continue;
    OpBuilder b(load);
    Value wide =
        tile::LoadOp::create(b, load.getLoc(), widen.getType(), load.getView(), load.getOffsets());
    widen.replaceAllUsesWith(wide);
    widen.erase();
  }
  if (load.getResult().use_empty())
    load.erase();
}

static void fuseIntoStore(tile::StoreOp store) {
  auto round = store.getTile().getDefiningOp<arith::TruncFOp>();
  if (!round)
    return;
  store.getTileMutable().assign(round.getIn());
  if (round->use_empty())
    round.erase();
}

namespace {

struct FuseConversions : cpu::impl::CpuFuseConversionsBase<FuseConversions> {
  using CpuFuseConversionsBase::CpuFuseConversionsBase;

  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    if (!phase->hasAttr("tile.phase"))
      return;
    SmallVector<linalg::ContractOp> products;
    phase.walk([&](linalg::ContractOp product) { products.push_back(product); });
    llvm::for_each(products, widenOperands);
    SmallVector<tile::LoadOp> loads;
    SmallVector<tile::StoreOp> stores;
    phase.walk([&](tile::LoadOp load) { loads.push_back(load); });
    phase.walk([&](tile::StoreOp store) { stores.push_back(store); });
    llvm::for_each(loads, fuseIntoLoad);
    llvm::for_each(stores, fuseIntoStore);
  }
};

} // namespace
