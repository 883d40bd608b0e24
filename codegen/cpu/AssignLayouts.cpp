//===- AssignLayouts.cpp - Which axis of a tile lies along the lanes --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles whose lane axis is not their last get a type whose axes are reordered, the
// lane axis last and the others as they were. What refers to axes by number is
// rewritten: indexing maps, slices, element positions.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Layouts.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUASSIGNLAYOUTS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// The axes of a tile in the order in which they lie in memory.
static SmallVector<int64_t> getOrder(int64_t rank, int64_t laneAxis) {
  SmallVector<int64_t> order;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis != laneAxis)
      order.push_back(axis);
  if (rank > 0)
    order.push_back(laneAxis);
  return order;
}

template <typename T> static SmallVector<T> reorder(ArrayRef<T> values, ArrayRef<int64_t> order) {
  SmallVector<T> result;
  for (int64_t axis : order)
    result.push_back(values[axis]);
  return result;
}

static RankedTensorType reorder(RankedTensorType type, int64_t laneAxis) {
  return type.clone(reorder(type.getShape(), getOrder(type.getRank(), laneAxis)));
}

namespace {

class Rewriter {
public:
  Rewriter(func::FuncOp phase, const Layouts &layouts) : phase(phase), layouts(layouts) {}
  void run();

private:
  /// What an op reads and makes, before anything is rewritten.
  struct Step {
    Operation *op;
    SmallVector<int64_t> operands; ///< Lane axis of each operand in its new form.
    SmallVector<int64_t> results;  ///< Lane axis of each result.
  };

  void plan();
  void setTypes();
  void replaceOperands(const Step &step);
  void rewrite(const Step &step);
  void rewriteStructured(linalg::LinalgOp op, const Step &step);
  void rewriteSlice(OffsetSizeAndStrideOpInterface op, int64_t rank, int64_t laneAxis);
  /// The tile with the lane axis; a transpose of it, made once, if it has another.
  Value getTile(Value tile, int64_t laneAxis);
  Value copyFree(Value tile, RankedTensorType type);

  func::FuncOp phase;
  const Layouts &layouts;
  SmallVector<Step, 0> steps;
  SmallVector<std::pair<Value, RankedTensorType>> types;
  DenseMap<Value, int64_t> ownAxis;
  DenseMap<std::pair<Value, int64_t>, Value> transposed;
};

} // namespace

/// The result that an output only gives the shape of; null if its content is read.
static Value getUnreadResult(OpOperand &operand) {
  auto op = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!op || !op.isDpsInit(&operand) || op.payloadUsesValueFromOperand(&operand))
    return {};
  return op.getTiedOpResult(&operand);
}

void Rewriter::plan() {
  auto getAxis = [&](Value value) {
    return isa<RankedTensorType>(value.getType()) ? layouts.getAxis(value) : kAnyAxis;
  };
  auto note = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    ownAxis[value] = getAxis(value);
    if (getAxis(value) != getDefaultAxis(value))
      types.push_back({value, reorder(type, getAxis(value))});
  };
  phase.walk<WalkOrder::PreOrder>([&](Operation *op) {
    Step step{op, {}, {}};
    for (OpOperand &operand : op->getOpOperands()) {
      int64_t wanted = layouts.getWantedAxis(operand);
      if (Value result = getUnreadResult(operand))
        wanted = getAxis(result);
      step.operands.push_back(wanted == kAnyAxis ? getAxis(operand.get()) : wanted);
    }
    for (Value result : op->getResults()) {
      step.results.push_back(getAxis(result));
      note(result);
    }
    if (auto loop = dyn_cast<scf::ForOp>(op))
      llvm::for_each(loop.getRegionIterArgs(), note);
    steps.push_back(std::move(step));
  });
}

void Rewriter::setTypes() {
  for (auto [value, type] : types)
    value.setType(type);
}

Value Rewriter::copyFree(Value tile, RankedTensorType type) {
  Operation *op = tile.getDefiningOp();
  OpBuilder b(op);
  b.setInsertionPointAfter(op);
  if (isUndefined(tile))
    return tensor::EmptyOp::create(b, op->getLoc(), type.getShape(), type.getElementType());
  OpFoldResult splat = getSplatScalar(tile);
  if (auto attribute = dyn_cast<Attribute>(splat))
    return arith::ConstantOp::create(b, op->getLoc(), DenseElementsAttr::get(type, attribute));
  return tensor::SplatOp::create(b, op->getLoc(), cast<Value>(splat), type);
}

Value Rewriter::getTile(Value tile, int64_t laneAxis) {
  int64_t own = ownAxis.lookup(tile);
  if (own == laneAxis)
    return tile;
  Value &result = transposed[{tile, laneAxis}];
  if (result)
    return result;
  auto type = cast<RankedTensorType>(tile.getType());
  SmallVector<int64_t> from = getOrder(type.getRank(), own);
  SmallVector<int64_t> permutation;
  for (int64_t axis : getOrder(type.getRank(), laneAxis))
    permutation.push_back(llvm::find(from, axis) - from.begin());
  RankedTensorType wanted = type.clone(reorder(type.getShape(), ArrayRef(permutation)));
  if (isLayoutFree(tile))
    return result = copyFree(tile, wanted);
  OpBuilder b(phase.getContext());
  b.setInsertionPointAfterValue(tile);
  Value empty =
      tensor::EmptyOp::create(b, tile.getLoc(), wanted.getShape(), wanted.getElementType());
  result = linalg::TransposeOp::create(b, tile.getLoc(), tile, empty, permutation)->getResult(0);
  return result;
}

void Rewriter::replaceOperands(const Step &step) {
  for (auto [operand, axis] : llvm::zip_equal(step.op->getOpOperands(), step.operands)) {
    if (axis == kAnyAxis || axis == ownAxis.lookup(operand.get()))
      continue;
    if (Value result = getUnreadResult(operand)) {
      OpBuilder b(step.op);
      auto type = cast<RankedTensorType>(result.getType());
      operand.set(
          tensor::EmptyOp::create(b, step.op->getLoc(), type.getShape(), type.getElementType()));
      continue;
    }
    operand.set(getTile(operand.get(), axis));
  }
}

void Rewriter::rewriteStructured(linalg::LinalgOp op, const Step &step) {
  if (isa<linalg::FillOp>(op))
    return;
  SmallVector<Attribute> maps;
  for (auto [map, axis] : llvm::zip_equal(op.getIndexingMapsArray(), step.operands)) {
    SmallVector<int64_t> order = getOrder(map.getNumResults(), axis);
    maps.push_back(AffineMapAttr::get(AffineMap::get(
        map.getNumDims(), 0, reorder(map.getResults(), ArrayRef(order)), map.getContext())));
  }
  auto attribute = ArrayAttr::get(op->getContext(), maps);
  if (auto contract = dyn_cast<linalg::ContractOp>(op.getOperation()))
    contract.setIndexingMapsAttr(attribute);
  else
    cast<linalg::GenericOp>(op.getOperation()).setIndexingMapsAttr(attribute);
}

void Rewriter::rewriteSlice(OffsetSizeAndStrideOpInterface op, int64_t rank, int64_t laneAxis) {
  if (laneAxis == rank - 1)
    return;
  SmallVector<int64_t> order = getOrder(rank, laneAxis);
  auto offsets = reorder(ArrayRef<OpFoldResult>(op.getMixedOffsets()), order);
  auto sizes = reorder(ArrayRef<OpFoldResult>(op.getMixedSizes()), order);
  auto strides = reorder(ArrayRef<OpFoldResult>(op.getMixedStrides()), order);
  OpBuilder b(op);
  Value replacement;
  if (auto extract = dyn_cast<tensor::ExtractSliceOp>(op.getOperation()))
    replacement = tensor::ExtractSliceOp::create(b, op->getLoc(), extract.getResultType(),
                                                 extract.getSource(), offsets, sizes, strides);
  else
    replacement = tensor::InsertSliceOp::create(b, op->getLoc(), op->getOperand(0),
                                                op->getOperand(1), offsets, sizes, strides);
  ownAxis[replacement] = ownAxis.lookup(op->getResult(0));
  op->getResult(0).replaceAllUsesWith(replacement);
  op->erase();
}

void Rewriter::rewrite(const Step &step) {
  if (auto structured = dyn_cast<linalg::LinalgOp>(step.op))
    return rewriteStructured(structured, step);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(step.op))
    return rewriteSlice(cast<OffsetSizeAndStrideOpInterface>(step.op),
                        slice.getSourceType().getRank(), step.operands[0]);
  if (auto slice = dyn_cast<tensor::InsertSliceOp>(step.op))
    return rewriteSlice(cast<OffsetSizeAndStrideOpInterface>(step.op),
                        slice.getDestType().getRank(), step.operands[1]);
  if (auto extract = dyn_cast<tensor::ExtractOp>(step.op)) {
    SmallVector<Value> indices(extract.getIndices());
    auto order = getOrder(indices.size(), step.operands[0]);
    extract.getIndicesMutable().assign(reorder(ArrayRef<Value>(indices), ArrayRef(order)));
  }
  if (auto band = dyn_cast<tile::BandOp>(step.op)) {
    SmallVector<int64_t> order = getOrder(band.getTile().getType().getRank(), step.operands[0]);
    band.setRows(llvm::find(order, (int64_t)band.getRows()) - order.begin());
    band.setColumns(llvm::find(order, (int64_t)band.getColumns()) - order.begin());
  }
}

void Rewriter::run() {
  plan();
  setTypes();
  for (const Step &step : steps) {
    replaceOperands(step);
    rewrite(step);
  }
}

namespace {

struct AssignLayouts : cpu::impl::CpuAssignLayoutsBase<AssignLayouts> {
  using CpuAssignLayoutsBase::CpuAssignLayoutsBase;

  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    if (!phase->hasAttr("tile.phase"))
      return;
    llvm::Expected<Chip> row = findChip(chip);
    if (!row) {
      phase.emitError(llvm::toString(row.takeError()));
      return signalPassFailure();
    }
    generalize(phase);
    Layouts layouts(phase, getPhaseLanes(phase, *row));
    Rewriter(phase, layouts).run();
  }

private:
  /// Only generic ops, contractions and fills keep their form with other layouts.
  void generalize(func::FuncOp phase) {
    SmallVector<linalg::LinalgOp> named;
    phase.walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp, linalg::ContractOp, linalg::FillOp>(op))
        named.push_back(op);
    });
    IRRewriter rewriter(phase.getContext());
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
  }
};

} // namespace
