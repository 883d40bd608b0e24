//===- Product.cpp - A product of two tiles on matrix units -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Product.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

namespace {

/// One dimension of an operand of a matrix operation, spread over the block.
struct Spread {
  int64_t dim;     ///< Of the tile.
  int64_t repeats; ///< Matrix operations of one warp along it.
  int64_t stride;  ///< Elements from one to the next.
};

} // namespace

/// The layout of a tile whose dimensions are covered by `repeats` of a fragment, with warps
/// told apart by the last digits.
static Layout makeLayout(ArrayRef<int64_t> shape, const Fragment &fragment, const Spread (&axes)[2],
                         ArrayRef<Digit> warps) {
  Layout layout;
  layout.shape = llvm::to_vector(shape);
  for (Digit digit : fragment.lanes) {
    if (digit.dim >= 0)
      digit.dim = axes[digit.dim].dim;
    layout.threads.push_back(digit);
  }
  layout.threads.append(warps.begin(), warps.end());
  for (int64_t i = 0; i < axes[0].repeats; ++i)
    for (int64_t j = 0; j < axes[1].repeats; ++j)
      for (const Position &at : fragment.registers) {
        Position position(2);
        position[axes[0].dim] = i * axes[0].stride + at[0];
        position[axes[1].dim] = j * axes[1].stride + at[1];
        layout.registers.push_back(position);
      }
  layout.normalize();
  return layout;
}

/// The largest power of two that is at most `limit` and covers no more than `count` parts.
static int64_t getWarps(int64_t limit, int64_t count) {
  return std::min<int64_t>(limit, llvm::bit_floor<uint64_t>(count));
}

static ArrayRef<int64_t> getShape(linalg::LinalgOp op, unsigned operand) {
  return cast<RankedTensorType>(op->getOperand(operand).getType()).getShape();
}

static Type getElement(linalg::LinalgOp op, unsigned operand) {
  return getElementTypeOrSelf(op->getOperand(operand).getType());
}

std::optional<Product> gpu::getProduct(linalg::LinalgOp op, const Machine &machine,
                                       bool isTransposed) {
  FailureOr<SmallVector<Access>> accesses = getAccesses(op);
  if (failed(accesses) || !isContraction(op) || op.getNumLoops() != 3 ||
      op.getNumReductionLoops() != 1 || !getElement(op, 2).isF32())
    return std::nullopt;
  for (const Access &access : *accesses)
    if (access.constants.size() != 2)
      return std::nullopt;
  // Factors of two types are multiplied in f32.
  Type element = getElement(op, 0) == getElement(op, 1) ? getElement(op, 0) : getElement(op, 2);
  std::optional<MatrixOp> matrix = machine.getMatrixOp(element);
  if (!matrix) {
    element = getElement(op, 2);
    matrix = machine.getMatrixOp(element);
  }
  if (!matrix)
    return std::nullopt;
  int64_t loopK = -1;
  SmallVector<int64_t> outer;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      loopK = loop;
    else
      outer.push_back(loop);
  // Straight, the rows of the result are m.
  const Access &result = (*accesses)[2];
  if (result.getDimension(outer[0]) == 1)
    std::swap(outer[0], outer[1]);
  int64_t loopM = outer[isTransposed ? 1 : 0], loopN = outer[isTransposed ? 0 : 1];
  Product product;
  product.op = *matrix;
  product.element = element;
  product.left = (*accesses)[0].usesLoop(loopM) ? 0 : 1;
  product.right = 1 - product.left;
  const Access &left = (*accesses)[product.left], &right = (*accesses)[product.right];
  auto find = [](const Access &access, int64_t first, int64_t second, int64_t (&dims)[2]) {
    dims[0] = access.getDimension(first);
    dims[1] = access.getDimension(second);
    return dims[0] >= 0 && dims[1] >= 0 && access.constants[0] == 0 && access.constants[1] == 0;
  };
  if (!find(left, loopM, loopK, product.leftDims) ||
      !find(right, loopK, loopN, product.rightDims) ||
      !find(result, loopM, loopN, product.accumulatorDims) || left.usesLoop(loopN) ||
      right.usesLoop(loopM))
    return std::nullopt;

  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  product.sizeM = sizes[loopM];
  product.sizeN = sizes[loopN];
  product.sizeK = sizes[loopK];
  int64_t warps = machine.chip.threads / machine.chip.warp;
  // A warp that has whole rows (or columns) of accumulators has all of the next sum.
  int64_t partsM = llvm::divideCeil(product.sizeM, matrix->m);
  int64_t partsN = llvm::divideCeil(product.sizeN, matrix->n);
  int64_t warpsM, warpsN;
  if (machine.chainsRight()) {
    warpsN = getWarps(warps, partsN);
    warpsM = getWarps(warps / warpsN, partsM);
  } else {
    warpsM = getWarps(warps, partsM);
    warpsN = getWarps(warps / warpsM, partsN);
  }
  int64_t replicas = warps / (warpsM * warpsN);
  product.strideM = matrix->m * warpsM;
  product.strideN = matrix->n * warpsN;
  product.repeatsM = llvm::divideCeil(product.sizeM, product.strideM);
  product.repeatsN = llvm::divideCeil(product.sizeN, product.strideN);
  product.repeatsK = llvm::divideCeil(product.sizeK, matrix->k);
  auto getWarpDigits = [&](int64_t dimM, int64_t dimN) {
    Digit digitM = {warpsM, dimM, matrix->m}, digitN = {warpsN, dimN, matrix->n};
    for (Digit *digit : {&digitM, &digitN})
      if (digit->dim < 0)
        digit->step = 0;
    return SmallVector<Digit, 3>{digitM, digitN, {replicas, -1, 0}};
  };
  const int64_t (&l)[2] = product.leftDims, (&r)[2] = product.rightDims,
                (&a)[2] = product.accumulatorDims;
  Spread m = {0, product.repeatsM, product.strideM}, n = {0, product.repeatsN, product.strideN};
  Spread k = {0, product.repeatsK, matrix->k};
  auto at = [](Spread spread, int64_t dim) {
    spread.dim = dim;
    return spread;
  };
  product.leftLayout = makeLayout(getShape(op, product.left), matrix->left,
                                  {at(m, l[0]), at(k, l[1])}, getWarpDigits(l[0], -1));
  product.rightLayout = makeLayout(getShape(op, product.right), matrix->right,
                                   {at(k, r[0]), at(n, r[1])}, getWarpDigits(-1, r[1]));
  product.accumulator = makeLayout(getShape(op, 2), matrix->accumulator, {at(m, a[0]), at(n, a[1])},
                                   getWarpDigits(a[0], a[1]));
  return product;
}
