//===- EmitJoint.cpp - Products that all warps compute together -------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Factor.h"
#include "codegen/gpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// The part of a tile in panels from `outer` (a row of the left factor, or a column of the right
/// one) and `sum` on. `dims`: the dimensions of the tile that these are.
static SharedFactor getFactor(const Tile &tile, const int64_t (&dims)[2], int64_t outer,
                              int64_t sum) {
  SharedFactor factor;
  factor.tile = tile.pointer;
  factor.panels = tile.panels;
  factor.isSumMajor = dims[1] == 1;
  int64_t row = factor.isSumMajor ? outer : sum, column = factor.isSumMajor ? sum : outer;
  int64_t width = tile.panels.getWidth();
  factor.offset =
      column / width * tile.panels.panelBytes + row * tile.panels.rowBytes + column % width * 2;
  return factor;
}

void PhaseEmitter::addJointProduct(LinalgLoops &loops, const Product &product,
                                   MutableArrayRef<Value> sums) {
  const Tile &left = loops.operands[product.left], &right = loops.operands[product.right];
  const MatrixOp &op = product.op;
  JointUnit &unit = *k.machine.getJointUnit(product.element);
  Factor leftFactor = {left, product.leftLayout, op.left, product.leftDims, 1, product.element};
  const int64_t rightDims[2] = {product.rightDims[1], product.rightDims[0]};
  SmallVector<JointStep> steps;
  SmallVector<int64_t> places;
  for (int64_t row = 0; row < product.sizeM; row += unit.rows) {
    int64_t firstSum = places.size();
    for (int64_t column = 0; column < product.sizeN; column += op.n)
      for (const Position &at : op.accumulator.registers)
        places.push_back(
            product.accumulator.findRegister(product.accumulatorDims, {row, column}, at));
    for (int64_t sum = 0; sum < product.sizeK; sum += unit.depth) {
      JointStep step;
      if (left.panels)
        step.left = getFactor(left, product.leftDims, row, sum);
      else
        step.leftRegisters = readFragment(leftFactor, {row, sum}, Value());
      step.right = getFactor(right, rightDims, 0, sum);
      step.columns = product.sizeN;
      step.firstSum = firstSum;
      steps.push_back(std::move(step));
    }
  }
  SmallVector<Value> ordered;
  for (int64_t place : places)
    ordered.push_back(sums[place]);
  unit.multiply(k.b, product.element, steps, ordered);
  for (auto [place, sum] : llvm::zip_equal(places, ordered))
    sums[place] = sum;
}
