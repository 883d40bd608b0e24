//===- LayoutAlternatives.cpp - The ways to walk an op with lanes -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LayoutAlternatives.h"
#include "codegen/Accesses.h"
#include "codegen/cpu/Memory.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

// Cycles per vector, roughly; only their ratios matter.
static constexpr double kTransposeCycles = 6;
static constexpr double kMemoryCycles = 0.5;
static constexpr double kLaneReductionCycles = 8; ///< Combining the lanes of one vector.
static constexpr double kDivisionCycles = 5;
static constexpr double kFunctionCycles = 15;

static RankedTensorType getTileType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

static bool hasLayout(Value value) {
  RankedTensorType type = getTileType(value);
  return type && type.getRank() > 1;
}

int64_t cpu::getDefaultAxis(Value tile) {
  return std::max<int64_t>(getTileType(tile).getRank() - 1, 0);
}

bool cpu::isLayoutFree(Value tile) { return isUndefined(tile) || getSplatScalar(tile); }

double cpu::getTransposeCycles(RankedTensorType type, int64_t lanes) {
  // Blocks of lanes x lanes; which of the other axes becomes the lanes hardly matters.
  double vectors = lanes;
  for (int64_t size : type.getShape().take_back(2))
    vectors *= llvm::divideCeil(size, lanes);
  for (int64_t size : type.getShape().drop_back(2))
    vectors *= size;
  Type element = type.getElementType();
  double each = isa<FloatType>(element) || element.isInteger(32) ? kTransposeCycles : lanes;
  return vectors * each;
}

/// Cycles of one evaluation of a body on whole vectors.
static double getBodyCycles(Block &body) {
  double cycles = 0;
  for (Operation &op : body.without_terminator()) {
    if (isa<arith::DivFOp, math::SqrtOp, math::RsqrtOp>(op))
      cycles += kDivisionCycles;
    else if (isa<math::MathDialect>(op.getDialect()) &&
             !isa<math::FmaOp, math::AbsFOp, math::AbsIOp>(op))
      cycles += kFunctionCycles;
    else if (!isa<linalg::IndexOp>(op))
      cycles += 1;
  }
  return cycles;
}

namespace {

/// Enumerates the alternatives of one structured op.
class StructuredAlternatives {
public:
  StructuredAlternatives(linalg::LinalgOp op, ArrayRef<Access> accesses, int64_t lanes)
      : op(op), accesses(accesses), lanes(lanes), sizes(op.getStaticLoopRanges()),
        numInputs(op.getNumDpsInputs()) {}

  void appendTo(LayoutDecision &decision);

private:
  void appendParallel(int64_t loop);
  void appendReduction(int64_t loop);
  void appendScalar();
  /// The alternative for every combination of lane axes of outputs that no lanes run along.
  void appendForAllOutputs(double cycles, ArrayRef<int64_t> inputs);
  /// The lane axis of each operand if lanes run along the loop; empty if that cannot be.
  std::optional<SmallVector<int64_t>> getLaneAxes(int64_t loop) const;
  /// Whether the op makes pairs of positions of the loop.
  bool isPairLoop(int64_t loop) const {
    auto axis = op->getAttrOfType<IntegerAttr>(kPackAttr);
    return axis && axis.getInt() == loop;
  }
  double getVectors(int64_t loop) const;
  void append(double cycles, ArrayRef<int64_t> axes, bool isOneAxis);

  linalg::LinalgOp op;
  ArrayRef<Access> accesses;
  int64_t lanes;
  SmallVector<int64_t> sizes;
  unsigned numInputs;
  LayoutDecision *decision = nullptr;
};

} // namespace

void StructuredAlternatives::append(double cycles, ArrayRef<int64_t> axes, bool isOneAxis) {
  LayoutAlternative alternative;
  alternative.cycles = cycles;
  alternative.isOneAxis = isOneAxis;
  for (OpOperand *use : decision->uses) {
    unsigned operand = use->getOperandNumber();
    bool isRead = operand < numInputs || op.payloadUsesValueFromOperand(use);
    alternative.wanted.push_back(isRead ? axes[operand] : kAnyAxis);
  }
  for (Value made : decision->makes)
    alternative.made.push_back(axes[numInputs + cast<OpResult>(made).getResultNumber()]);
  decision->alternatives.push_back(std::move(alternative));
}

std::optional<SmallVector<int64_t>> StructuredAlternatives::getLaneAxes(int64_t loop) const {
  SmallVector<int64_t> axes;
  for (const Access &access : accesses) {
    int64_t axis = access.getDimension(loop);
    // Elements that are neighbours in memory are pairs without being moved.
    if (axis == -2 && isPairLoop(loop))
      axis = loop;
    // A position that is the sum of several loops is no lane axis.
    if (axis == -2)
      return std::nullopt;
    axes.push_back(axis == -1 ? kAnyAxis : axis);
  }
  return axes;
}

double StructuredAlternatives::getVectors(int64_t loop) const {
  double vectors = 1;
  for (auto [index, size] : llvm::enumerate(sizes))
    vectors *= (int64_t)index == loop ? llvm::divideCeil(size, lanes) : size;
  return vectors;
}

void StructuredAlternatives::appendParallel(int64_t loop) {
  std::optional<SmallVector<int64_t>> axes = getLaneAxes(loop);
  if (!axes || llvm::is_contained(ArrayRef(*axes).drop_front(numInputs), kAnyAxis))
    return;
  bool isProduct = isContraction(op) && ((*axes)[0] == kAnyAxis) != ((*axes)[1] == kAnyAxis);
  double memory = isProduct ? 0 : kMemoryCycles * accesses.size();
  double body = isProduct ? 1 : getBodyCycles(*op.getBlock());
  append(getVectors(loop) * (body + memory), *axes, /*isOneAxis=*/true);
}

void StructuredAlternatives::appendForAllOutputs(double cycles, ArrayRef<int64_t> inputs) {
  SmallVector<int64_t> axes(inputs);
  for (unsigned out = numInputs; out < accesses.size(); ++out)
    axes.push_back(std::max<int64_t>((int64_t)accesses[out].constants.size() - 1, 0));
  append(cycles, axes, /*isOneAxis=*/false);
  if (accesses.size() != numInputs + 1)
    return;
  for (int64_t axis = 0; axis < axes.back(); ++axis) {
    SmallVector<int64_t> other(axes);
    other.back() = axis;
    append(cycles, other, /*isOneAxis=*/false);
  }
}

void StructuredAlternatives::appendReduction(int64_t loop) {
  std::optional<SmallVector<int64_t>> axes = getLaneAxes(loop);
  if (!axes || llvm::any_of(llvm::seq<int64_t>(0, op.getNumDpsInits()),
                            [&](int64_t out) { return !getCombiner(op, out); }))
    return;
  double results = 1;
  for (auto [index, size] : llvm::enumerate(sizes))
    if (op.getIteratorTypesArray()[index] == utils::IteratorType::parallel)
      results *= size;
  double cycles = getVectors(loop) * (getBodyCycles(*op.getBlock()) + kMemoryCycles * numInputs) +
                  results * kLaneReductionCycles;
  appendForAllOutputs(cycles, ArrayRef(*axes).take_front(numInputs));
}

void StructuredAlternatives::appendScalar() {
  double cycles =
      getVectors(-1) * (getBodyCycles(*op.getBlock()) + kMemoryCycles * accesses.size());
  appendForAllOutputs(cycles, SmallVector<int64_t>(numInputs, kAnyAxis));
}

void StructuredAlternatives::appendTo(LayoutDecision &target) {
  decision = &target;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::parallel)
      appendParallel(loop);
    else
      appendReduction(loop);
  }
  appendScalar();
}

/// All tiles with the given lane axis; `kAnyAxis` stands for each tile's default.
static LayoutAlternative getUniform(const LayoutDecision &decision, int64_t axis, bool isOneAxis) {
  LayoutAlternative alternative;
  alternative.isOneAxis = isOneAxis;
  for (OpOperand *use : decision.uses)
    alternative.wanted.push_back(axis == kAnyAxis ? getDefaultAxis(use->get()) : axis);
  for (Value made : decision.makes)
    alternative.made.push_back(axis == kAnyAxis ? getDefaultAxis(made) : axis);
  return alternative;
}

/// A tile that takes another's place unchanged, whatever its lane axis.
static LayoutDecision passOn(ArrayRef<OpOperand *> uses, ArrayRef<Value> makes) {
  LayoutDecision decision;
  decision.uses.assign(uses.begin(), uses.end());
  decision.makes.assign(makes.begin(), makes.end());
  // The default comes first: it is what is left if nothing speaks for another.
  for (int64_t axis = getDefaultAxis(makes.front()); axis >= 0; --axis)
    decision.alternatives.push_back(getUniform(decision, axis, /*isOneAxis=*/true));
  return decision;
}

/// A slice of lower rank has the axes of the larger tile that were not dropped.
static SmallVector<int64_t> getKeptAxes(int64_t rank, const llvm::SmallBitVector &dropped) {
  SmallVector<int64_t> kept;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (!dropped.test(axis))
      kept.push_back(axis);
  return kept;
}

/// The lane axis of a slice is the same axis of the tile that it is part of.
static void addSliceAlternatives(LayoutDecision &decision, ArrayRef<int64_t> kept, Value slice) {
  for (int64_t axis = kept.size() - 1; axis >= 0; --axis) {
    LayoutAlternative alternative;
    alternative.isOneAxis = true;
    auto getAxis = [&](Value tile) {
      return getTileType(tile) == getTileType(slice) ? axis : kept[axis];
    };
    for (OpOperand *use : decision.uses)
      alternative.wanted.push_back(getAxis(use->get()));
    for (Value made : decision.makes)
      alternative.made.push_back(getAxis(made));
    decision.alternatives.push_back(alternative);
  }
}

void cpu::appendLayoutDecisions(Operation *op, int64_t lanes,
                                SmallVectorImpl<LayoutDecision> &decisions) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [arg, result] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults()))
      if (hasLayout(arg))
        decisions.push_back(
            passOn({loop.getTiedLoopInit(arg), loop.getTiedLoopYieldedValue(arg)}, {arg, result}));
    return;
  }
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (auto [index, result] : llvm::enumerate(branch.getResults()))
      if (hasLayout(result))
        decisions.push_back(passOn(
            {&branch.thenYield()->getOpOperand(index), &branch.elseYield()->getOpOperand(index)},
            {result}));
    return;
  }
  // Reading one element is as good in any layout, and so is a promise.
  if (isa<tensor::ExtractOp, tile::BandOp, scf::YieldOp>(op))
    return;
  LayoutDecision decision;
  for (OpOperand &operand : op->getOpOperands())
    if (hasLayout(operand.get()))
      decision.uses.push_back(&operand);
  for (Value result : op->getResults())
    if (hasLayout(result))
      decision.makes.push_back(result);
  if (decision.uses.empty() && decision.makes.empty())
    return;
  bool isFree = llvm::all_of(op->getResults(), isLayoutFree);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op); structured && !isFree) {
    FailureOr<SmallVector<Access>> accesses = getAccesses(structured);
    if (succeeded(accesses))
      StructuredAlternatives(structured, *accesses, lanes).appendTo(decision);
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    addSliceAlternatives(decision,
                         getKeptAxes(slice.getSourceType().getRank(), slice.getDroppedDims()),
                         slice.getResult());
  } else if (auto slice = dyn_cast<tensor::InsertSliceOp>(op)) {
    addSliceAlternatives(decision,
                         getKeptAxes(slice.getDestType().getRank(), slice.getDroppedDims()),
                         slice.getSource());
  }
  // What works on tiles as a whole wants them as they are written.
  if (decision.alternatives.empty())
    decision.alternatives.push_back(getUniform(decision, kAnyAxis, /*isOneAxis=*/false));
  decisions.push_back(std::move(decision));
}
