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
#include "codegen/gpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Elements and bytes of a row of the 8 x 8 matrices of 16 bits that a chip loads at once.
static constexpr int64_t kMatrixRow = 8, kMatrixRowBytes = 16;

/// The register of a layout at a position of a fragment that starts at `origin`.
static int64_t findRegister(const Layout &layout, const int64_t (&dims)[2],
                            const int64_t (&origin)[2], const Position &at) {
  Position position(2);
  position[dims[0]] = origin[0] + at[0];
  position[dims[1]] = origin[1] + at[1];
  return layout.findRegister(position);
}

/// Whether a fragment lies in shared memory as matrices that the chip loads: all of it inside of
/// the tile, and rows aligned.
static bool canLoadMatrices(const Tile &tile, const Layout &layout, const Fragment &fragment,
                            const int64_t (&dims)[2], const int64_t (&origin)[2], Type element) {
  if (fragment.matrices.empty() || !tile.inMemory() || tile.element != element ||
      tile.strides[0] % kMatrixRow != 0 || tile.span.begin % kMatrixRowBytes != 0)
    return false;
  return llvm::all_of(fragment.registers, [&](const Position &at) {
    int64_t r = findRegister(layout, dims, origin, at);
    return !layout.mayExceed(r, 0) && !layout.mayExceed(r, 1);
  });
}

/// The registers of a fragment by loads of whole matrices, whose rows lie along the last dimension
/// of the tile. Two registers of a matrix are neighbours along one dimension of the fragment.
SmallVector<Value> PhaseEmitter::loadFragment(const Tile &tile, const Layout &layout,
                                              const Fragment &fragment, const int64_t (&dims)[2],
                                              const int64_t (&origin)[2], Value shift,
                                              int shiftDim) {
  int pairDim = fragment.registers[0][0] == fragment.registers[1][0] ? 1 : 0;
  int rowDim = dims[0] == 1 ? 1 : 0;
  Value lane = k.remainder(k.thread, k.chip.warp);
  int64_t first = findRegister(layout, dims, origin, fragment.registers[0]);
  SmallVector<Value> place = getPosition(layout, first, k.sub(k.thread, lane));
  auto move = [&](int dim, Value by) { place[dims[dim]] = k.add(place[dims[dim]], by); };
  move(rowDim, k.remainder(lane, kMatrixRow));
  Value matrix = k.divide(lane, kMatrixRow);
  for (const Digit &digit : fragment.matrices) {
    move(digit.dim, k.scale(k.remainder(matrix, digit.size), digit.step));
    matrix = k.divide(matrix, digit.size);
  }
  if (shift)
    move(shiftDim, shift);
  Value address =
      LLVM::GEPOp::create(k.b, tile.pointer.getType(), getStorageType(tile.element), tile.pointer,
                          getOffset(tile, place), LLVM::GEPNoWrapFlags::inbounds);
  return k.machine.loadMatrices(k.b, address, tile.element, fragment.registers.size() / 2,
                                /*isTransposed=*/pairDim == rowDim);
}

/// The registers of the operation that starts at `origin` (first and second dimension of the
/// fragment), with zeros beyond the tile. `shift` is added to the dimension `shiftDim` of
/// the fragment, for an origin that only the running kernel knows.
SmallVector<Value> PhaseEmitter::readFragment(const Tile &tile, const Layout &layout,
                                              const Fragment &fragment, const int64_t (&dims)[2],
                                              const int64_t (&origin)[2], Value shift, int shiftDim,
                                              Type element) {
  if (canLoadMatrices(tile, layout, fragment, dims, origin, element))
    return loadFragment(tile, layout, fragment, dims, origin, shift, shiftDim);
  SmallVector<Value> values;
  for (const Position &at : fragment.registers) {
    int64_t index = findRegister(layout, dims, origin, at);
    Value isInside = this->isInside(layout, index);
    Value value;
    if (tile.layout) {
      value = tile.registers[tile.layout->findRegister(layout.registers[index])];
    } else {
      SmallVector<Value> place = getPosition(layout, index);
      if (shift)
        place[dims[shiftDim]] = k.add(place[dims[shiftDim]], shift);
      value = readInside(tile, place, isInside);
    }
    if (isInside)
      value = arith::SelectOp::create(k.b, isInside, value, k.zero(value.getType()));
    values.push_back(k.convert(value, element));
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
                                    {step * op.k, j * product.strideN}, shift, 0, product.element));
    for (int64_t i = 0; i < product.repeatsM; ++i) {
      SmallVector<Value> row =
          readFragment(left, product.leftLayout, op.left, product.leftDims,
                       {i * product.strideM, step * op.k}, shift, 1, product.element);
      for (int64_t j = 0; j < product.repeatsN; ++j) {
        SmallVector<int64_t> places;
        SmallVector<Value> part;
        for (const Position &at : op.accumulator.registers) {
          places.push_back(findRegister(layout, product.accumulatorDims,
                                        {i * product.strideM, j * product.strideN}, at));
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
  waitForReaders(loops, layout);
  Tile &result = loops.results[0];
  for (auto [r, sum] : llvm::enumerate(sums))
    writeRegister(sum, result, layout, r);
}
