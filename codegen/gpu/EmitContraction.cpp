//===- EmitContraction.cpp - Products on matrix units -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every warp computes its matrix operations' share of the result in accumulators. A factor in
// registers is used as it is; one in shared memory is read fragment by fragment.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// The registers of the operation that starts at `origin` (first and second dimension of the
/// fragment), with zeros beyond the tile. `shift` is added to the dimension `shiftDim` of
/// the fragment, for an origin that only the running kernel knows.
SmallVector<Value> PhaseEmitter::readFragment(const Tile &tile, const Layout &layout,
                                              const Fragment &fragment, const int64_t (&dims)[2],
                                              const int64_t (&origin)[2], Value shift,
                                              int shiftDim) {
  SmallVector<Value> values;
  for (const Position &at : fragment.registers) {
    Position position(2);
    position[dims[0]] = origin[0] + at[0];
    position[dims[1]] = origin[1] + at[1];
    int64_t index = layout.findRegister(position);
    Value isInside = this->isInside(layout, index);
    Value value;
    if (tile.layout) {
      value = tile.registers[tile.layout->findRegister(position)];
    } else {
      SmallVector<Value> place = getPosition(layout, index);
      if (shift)
        place[dims[shiftDim]] = k.add(place[dims[shiftDim]], shift);
      value = readInside(tile, place, isInside);
    }
    if (isInside)
      value = arith::SelectOp::create(k.b, isInside, value, k.zero(value.getType()));
    values.push_back(value);
  }
  return values;
}

void PhaseEmitter::emitProduct(LinalgLoops &loops, const Product &product) {
  const Tile &left = loops.operands[product.left], &right = loops.operands[product.right];
  const Tile &initial = loops.operands[2];
  const Layout &layout = product.accumulator;
  SmallVector<Value> sums;
  for (size_t r = 0; r < layout.registers.size(); ++r)
    sums.push_back(readRegister(initial, layout, r));

  const MatrixOp &op = product.op;
  auto addStep = [&](MutableArrayRef<Value> sums, int64_t step, Value shift) {
    SmallVector<SmallVector<Value>> rights;
    for (int64_t j = 0; j < product.repeatsN; ++j)
      rights.push_back(readFragment(right, product.rightLayout, op.right, product.rightDims,
                                    {step * op.k, j * product.strideN}, shift, 0));
    for (int64_t i = 0; i < product.repeatsM; ++i) {
      SmallVector<Value> row = readFragment(left, product.leftLayout, op.left, product.leftDims,
                                            {i * product.strideM, step * op.k}, shift, 1);
      for (int64_t j = 0; j < product.repeatsN; ++j) {
        SmallVector<int64_t> places;
        SmallVector<Value> part;
        for (const Position &at : op.accumulator.registers) {
          Position position(2);
          position[product.accumulatorDims[0]] = i * product.strideM + at[0];
          position[product.accumulatorDims[1]] = j * product.strideN + at[1];
          places.push_back(layout.findRegister(position));
          part.push_back(sums[places.back()]);
        }
        part = k.machine.multiply(k.b, row, rights[j], part);
        for (auto [place, value] : llvm::zip_equal(places, part))
          sums[place] = value;
      }
    }
  };
  // Registers have no run-time index: with a factor in them, all steps are written out.
  bool isRolled =
      !left.layout && !right.layout && product.sizeK % op.k == 0 && product.repeatsK > 2;
  if (isRolled)
    sums = k.loopCarrying(k.constant(0), k.constant(product.sizeK), op.k, sums,
                          [&](Value shift, ValueRange carried) {
                            SmallVector<Value> next = llvm::to_vector(carried);
                            addStep(next, 0, shift);
                            return next;
                          });
  else
    for (int64_t step = 0; step < product.repeatsK; ++step)
      addStep(sums, step, Value());
  Tile &result = loops.results[0];
  for (auto [r, sum] : llvm::enumerate(sums))
    writeRegister(sum, result, layout, r);
}
