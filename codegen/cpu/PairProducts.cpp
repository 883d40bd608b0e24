//===- PairProducts.cpp - Products of bf16 two by two -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An instruction that multiplies bf16 adds two products to each f32 lane: its operands are
// neighbours along the summed axis, the first in the lower half of 32 bits. Such a pair is an
// i32 here, so that the choice of layouts, transposes and micro-kernels treat pairs like any
// other element.
//
//===----------------------------------------------------------------------===//

#include "codegen/Accesses.h"
#include "codegen/Chips.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUPAIRPRODUCTS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

static RankedTensorType getTileType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The dimension of an operand that the loop walks.
static int64_t getDimension(AffineMap map, unsigned loop) {
  auto results = map.getResults();
  auto it = llvm::find(results, getAffineDimExpr(loop, map.getContext()));
  return it == results.end() ? -1 : it - results.begin();
}

namespace {

class Pairing {
public:
  void rewrite(linalg::ContractOp product);
  /// Erases tiles that were loaded or rounded only for products that are rewritten.
  void eraseUnused();

private:
  /// The summed loop whose positions are paired; none if there is none of even size.
  std::optional<unsigned> chooseLoop(linalg::ContractOp product);
  /// The pairs of a tile along one of its axes, made once.
  Value pack(Value tile, int64_t axis);

  DenseMap<std::pair<Value, int64_t>, Value> packed;
  llvm::SetVector<Value> operands; ///< Of rewritten products.
};

} // namespace

/// Whether the tile is a load of all of its tensor along the axis: one position more would be
/// outside, and zero.
static bool canBePadded(Value tile, int64_t axis) {
  auto load = tile.getDefiningOp<tile::LoadOp>();
  if (!load)
    return false;
  auto view = cast<MemRefType>(load.getView().getType());
  int64_t dim = view.getRank() - getTileType(tile).getRank() + axis;
  return matchPattern(load.getOffsets()[dim], m_Zero()) &&
         view.getDimSize(dim) == getTileType(tile).getDimSize(axis);
}

std::optional<unsigned> Pairing::chooseLoop(linalg::ContractOp product) {
  SmallVector<int64_t> sizes = product.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = product.getIteratorTypesArray();
  SmallVector<AffineMap> maps = product.getIndexingMapsArray();
  for (unsigned loop = sizes.size(); loop-- > 0;) {
    if (kinds[loop] != utils::IteratorType::reduction)
      continue;
    bool areAllPadded = llvm::all_of(llvm::zip(product.getDpsInputs(), maps), [&](auto operand) {
      auto [tile, map] = operand;
      return canBePadded(tile, getDimension(map, loop));
    });
    if (sizes[loop] % 2 == 0 || areAllPadded)
      return loop;
  }
  return std::nullopt;
}

/// The bits of a bf16 as i32. What is f32 is rounded, as the chip's instruction rounds.
static Value buildBits(OpBuilder &b, Location loc, Value element) {
  if (element.getType().isF32()) {
    auto flags = arith::FastMathFlagsAttr::get(b.getContext(), arith::FastMathFlags::afn);
    element = arith::TruncFOp::create(b, loc, b.getBF16Type(), element,
                                      /*roundingmode=*/arith::RoundingModeAttr(), flags);
  }
  Value bits = arith::BitcastOp::create(b, loc, b.getI16Type(), element);
  return arith::ExtUIOp::create(b, loc, b.getI32Type(), bits);
}

static Value getInt32(OpBuilder &b, Location loc, uint32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

static void buildPair(OpBuilder &b, Location loc, ValueRange elements) {
  Value high = arith::ShLIOp::create(b, loc, buildBits(b, loc, elements[1]), getInt32(b, loc, 16));
  Value pair = arith::OrIOp::create(b, loc, buildBits(b, loc, elements[0]), high);
  linalg::YieldOp::create(b, loc, pair);
}

/// A load with an even number of positions along the axis.
static Value padLoad(tile::LoadOp load, int64_t axis) {
  RankedTensorType type = getTileType(load.getResult());
  if (type.getDimSize(axis) % 2 == 0)
    return load.getResult();
  SmallVector<int64_t> shape(type.getShape());
  ++shape[axis];
  OpBuilder b(load);
  return tile::LoadOp::create(b, load.getLoc(), type.clone(shape), load.getView(),
                              load.getOffsets());
}

Value Pairing::pack(Value tile, int64_t axis) {
  Value &result = packed[{tile, axis}];
  if (result)
    return result;
  Value source = tile;
  if (auto load = tile.getDefiningOp<tile::LoadOp>())
    source = padLoad(load, axis);
  else if (auto round = tile.getDefiningOp<arith::TruncFOp>())
    source = getTileType(round.getIn()).getElementType().isF32() ? round.getIn() : tile;
  RankedTensorType type = getTileType(source);
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] /= 2;
  OpBuilder b(tile.getContext());
  b.setInsertionPointAfterValue(source);
  Location loc = tile.getLoc();
  AffineMap identity = b.getMultiDimIdentityMap(shape.size());
  auto at = [&](int64_t second) {
    SmallVector<AffineExpr> results(identity.getResults());
    results[axis] = results[axis] * 2 + second;
    return AffineMap::get(shape.size(), 0, results, b.getContext());
  };
  Value empty = tensor::EmptyOp::create(b, loc, shape, b.getI32Type());
  SmallVector<utils::IteratorType> kinds(shape.size(), utils::IteratorType::parallel);
  auto op =
      linalg::GenericOp::create(b, loc, empty.getType(), ValueRange{source, source}, empty,
                                ArrayRef<AffineMap>{at(0), at(1), identity}, kinds, buildPair);
  op->setAttr(kPackAttr, b.getI64IntegerAttr(axis));
  return result = op.getResult(0);
}

/// `sum + a.low * b.low + a.high * b.high` in f32.
static void buildPairProduct(OpBuilder &b, Location loc, ValueRange arguments) {
  auto toReal = [&](Value bits) -> Value {
    return arith::BitcastOp::create(b, loc, b.getF32Type(), bits);
  };
  auto getLow = [&](Value pair) {
    return toReal(arith::ShLIOp::create(b, loc, pair, getInt32(b, loc, 16)));
  };
  auto getHigh = [&](Value pair) {
    return toReal(arith::AndIOp::create(b, loc, pair, getInt32(b, loc, 0xffff0000)));
  };
  Value x = arguments[0], y = arguments[1];
  Value low = arith::MulFOp::create(b, loc, getLow(x), getLow(y));
  Value high = arith::MulFOp::create(b, loc, getHigh(x), getHigh(y));
  Value both = arith::AddFOp::create(b, loc, low, high);
  Value sum = arith::AddFOp::create(b, loc, arguments[2], both);
  linalg::YieldOp::create(b, loc, sum);
}

void Pairing::rewrite(linalg::ContractOp product) {
  bool isNarrow = llvm::all_of(product.getDpsInputs(), [](Value operand) {
    return getTileType(operand).getElementType().isBF16();
  });
  RankedTensorType type = getTileType(product->getResult(0));
  if (!isNarrow || !type.getElementType().isF32())
    return;
  std::optional<unsigned> loop = chooseLoop(product);
  if (!loop)
    return;
  SmallVector<AffineMap> maps = product.getIndexingMapsArray();
  SmallVector<Value> pairs;
  for (auto [operand, map] : llvm::zip(product.getDpsInputs(), maps))
    pairs.push_back(pack(operand, getDimension(map, *loop)));
  OpBuilder b(product);
  auto paired = linalg::GenericOp::create(b, product.getLoc(), type, pairs, product.getDpsInits(),
                                          maps, product.getIteratorTypesArray(), buildPairProduct);
  paired->setAttr(kPairsAttr, b.getUnitAttr());
  product->getResult(0).replaceAllUsesWith(paired.getResult(0));
  operands.insert_range(product.getDpsInputs());
  product.erase();
}

void Pairing::eraseUnused() {
  for (Value operand : operands)
    if (operand.use_empty() &&
        isa_and_nonnull<tile::LoadOp, arith::TruncFOp>(operand.getDefiningOp()))
      operand.getDefiningOp()->erase();
}

namespace {

struct PairProducts : cpu::impl::CpuPairProductsBase<PairProducts> {
  using CpuPairProductsBase::CpuPairProductsBase;

  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    llvm::Expected<Chip> row = findChip(chip);
    if (!row) {
      phase.emitError(llvm::toString(row.takeError()));
      return signalPassFailure();
    }
    if (!phase->hasAttr("tile.phase") || !row->multipliesPairs)
      return;
    SmallVector<linalg::ContractOp> products;
    phase.walk([&](linalg::ContractOp product) { products.push_back(product); });
    Pairing pairing;
    for (linalg::ContractOp product : products)
      pairing.rewrite(product);
    pairing.eraseUnused();
  }
};

} // namespace
