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

#include "codegen/TileStorage.h"
#include "codegen/gpu/Factor.h"
#include "codegen/gpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Elements and bytes of a row of the 8 x 8 matrices of 16 bits that a chip loads at once.
static constexpr int64_t kMatrixRow = 8, kMatrixRowBytes = 16;
/// How many of them one instruction loads.
static constexpr int64_t kMostMatrices = 4;

/// Whether a fragment lies in shared memory as matrices that the chip loads: all of it inside of
/// the tile, and rows aligned.
bool PhaseEmitter::canLoadMatrices(const Factor &factor, const Origin &origin) const {
  const Tile &tile = factor.tile;
  if (factor.fragment.matrices.empty() || !tile.inMemory() || tile.element != factor.element ||
      tile.strides[0] % kMatrixRow != 0 || tile.span.begin % kMatrixRowBytes != 0)
    return false;
  return llvm::all_of(factor.fragment.registers, [&](const Position &at) {
    int64_t r = factor.layout.findRegister(factor.dims, origin, at);
    return !factor.layout.mayExceed(r, 0) && !factor.layout.mayExceed(r, 1);
  });
}

/// The registers of fragments by one load of whole matrices, whose rows lie along the last
/// dimension of the tile. Two registers of a matrix are neighbours along one dimension of the
/// fragment. `matrices` are digits of the number of a matrix, those of the fragment first.
SmallVector<Value> PhaseEmitter::loadMatrices(const Factor &factor, const Origin &origin,
                                              ArrayRef<Digit> matrices, Value shift) {
  ArrayRef<Position> registers = factor.fragment.registers;
  int pairDim = registers[0][0] == registers[1][0] ? 1 : 0;
  int rowDim = factor.dims[0] == 1 ? 1 : 0;
  Value lane = k.remainder(k.thread, k.chip.warp);
  int64_t first = factor.layout.findRegister(factor.dims, origin, registers[0]);
  SmallVector<Value> place = getPosition(factor.layout, first, k.sub(k.thread, lane));
  auto move = [&](int dim, Value by) {
    place[factor.dims[dim]] = k.add(place[factor.dims[dim]], by);
  };
  move(rowDim, k.remainder(lane, kMatrixRow));
  Value matrix = k.divide(lane, kMatrixRow);
  int64_t count = 1;
  for (const Digit &digit : matrices) {
    move(digit.dim, k.scale(k.remainder(matrix, digit.size), digit.step));
    matrix = k.divide(matrix, digit.size);
    count *= digit.size;
  }
  if (shift)
    move(factor.sumDim, shift);
  const Tile &tile = factor.tile;
  Value address =
      LLVM::GEPOp::create(k.b, tile.pointer.getType(), getStorageType(tile.element), tile.pointer,
                          getOffset(tile, place), LLVM::GEPNoWrapFlags::inbounds);
  return k.machine.loadMatrices(k.b, address, tile.element, count,
                                /*isTransposed=*/pairDim == rowDim);
}

/// The registers of one fragment, with zeros beyond the tile.
SmallVector<Value> PhaseEmitter::readFragment(const Factor &factor, const Origin &origin,
                                              Value shift) {
  if (canLoadMatrices(factor, origin))
    return loadMatrices(factor, origin, factor.fragment.matrices, shift);
  const Tile &tile = factor.tile;
  SmallVector<Value> values;
  for (const Position &at : factor.fragment.registers) {
    int64_t index = factor.layout.findRegister(factor.dims, origin, at);
    Value isInside = this->isInside(factor.layout, index);
    Value value;
    if (tile.layout) {
      value = tile.registers[tile.layout->findRegister(factor.layout.registers[index])];
    } else {
      SmallVector<Value> place = getPosition(factor.layout, index);
      if (shift)
        place[factor.dims[factor.sumDim]] = k.add(place[factor.dims[factor.sumDim]], shift);
      value = readInside(tile, place, isInside);
    }
    if (isInside)
      value = arith::SelectOp::create(k.b, isInside, value, k.zero(value.getType()));
    values.push_back(k.convert(value, factor.element));
  }
  return values;
}

/// The registers of fragments, of which the next starts where `step` says. `shift` is added along
/// the sum, for a place that only the running kernel knows.
SmallVector<SmallVector<Value>> PhaseEmitter::readFragments(const Factor &factor, Origin origin,
                                                            const Digit &step, Value shift) {
  SmallVector<SmallVector<Value>> fragments;
  int64_t matrices = factor.fragment.registers.size() / 2;
  while ((int64_t)fragments.size() < step.size) {
    Origin next = origin;
    next[step.dim] += step.step;
    bool isPair = 2 * matrices <= kMostMatrices && (int64_t)fragments.size() + 2 <= step.size &&
                  canLoadMatrices(factor, origin) && canLoadMatrices(factor, next);
    if (isPair) {
      SmallVector<Digit> both(factor.fragment.matrices);
      both.push_back({2, step.dim, step.step});
      SmallVector<Value> values = loadMatrices(factor, origin, both, shift);
      for (ArrayRef<Value> half :
           {ArrayRef(values).take_front(2 * matrices), ArrayRef(values).drop_front(2 * matrices)})
        fragments.push_back(llvm::to_vector(half));
      next[step.dim] += step.step;
    } else {
      fragments.push_back(readFragment(factor, origin, shift));
    }
    origin = next;
  }
  return fragments;
}

/// sums += left * right, every warp by itself.
void PhaseEmitter::addProduct(LinalgLoops &loops, const Product &product,
                              SmallVector<Value> &sums) {
  const Tile &left = loops.operands[product.left], &right = loops.operands[product.right];
  const MatrixOp &op = product.op;
  Factor leftFactor = {left, product.leftLayout, op.left, product.leftDims, 1, product.element};
  Factor rightFactor = {right, product.rightLayout, op.right, product.rightDims,
                        0,     product.element};
  auto addStep = [&](MutableArrayRef<Value> sums, int64_t step, Value shift) {
    SmallVector<SmallVector<Value>> rights =
        readFragments(rightFactor, {step * op.k, 0}, {product.repeatsN, 1, product.strideN}, shift);
    for (int64_t i = 0; i < product.repeatsM; ++i) {
      SmallVector<Value> row = readFragment(leftFactor, {i * product.strideM, step * op.k}, shift);
      for (int64_t j = 0; j < product.repeatsN; ++j) {
        SmallVector<int64_t> places;
        SmallVector<Value> part;
        for (const Position &at : op.accumulator.registers) {
          places.push_back(product.accumulator.findRegister(
              product.accumulatorDims, {i * product.strideM, j * product.strideN}, at));
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
}

void PhaseEmitter::emitProduct(LinalgLoops &loops, const Product &product) {
  const Layout &layout = product.accumulator;
  SmallVector<Value> sums;
  for (size_t r = 0; r < layout.registers.size(); ++r)
    sums.push_back(readRegister(loops.operands[2], layout, r));
  if (homes.isJoint(loops.op))
    addJointProduct(loops, product, sums);
  else
    addProduct(loops, product, sums);
  waitForReaders(loops, layout);
  Tile &result = loops.results[0];
  for (auto [r, sum] : llvm::enumerate(sums))
    writeRegister(sum, result, layout, r);
}
