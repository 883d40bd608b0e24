//===- EmitContraction.cpp - Product micro-kernels --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of rows x vectors accumulators stays in registers while the reduction
// runs: per step one vector of the right operand per column, one broadcast scalar
// of the left operand per row. Columns are the outer loop, so that a column block
// of the right operand stays in the first level cache while the rows pass.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Bands.h"
#include "codegen/cpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Fused multiply-adds that hide the transfer of one cache line.
static constexpr int64_t kFmasPerPrefetch = 32;

namespace {

/// One block of accumulators.
class MicroKernel {
public:
  /// `arePairs`: each element of the operands is a pair of bf16.
  MicroKernel(KernelBuilder &k, const Tile &lhs, const Tile &rhs, RegisterTile shape, bool arePairs)
      : k(k), lhs(lhs), rhs(rhs), shape(shape), arePairs(arePairs) {}

  RegisterTile getShape() const { return shape; }
  Value &at(SmallVectorImpl<Value> &block, int64_t row, int64_t vector) {
    return block[row * shape.vectors + vector];
  }

  /// Goes to the rows that begin at an offset of the left operand. Every row has a pointer
  /// of its own, so that a step of the reduction only adds one distance to all of them.
  void start(Value lhsOffset, Value rowStride) {
    for (int64_t row = 0; lhs.inMemory() && row < shape.rows; ++row) {
      Value offset = k.add(lhsOffset, k.scale(rowStride, row));
      rows.push_back(k.address(lhs.pointer, lhs.element, offset));
    }
  }

  /// accumulators += lhs(rows) * rhs(vectors) at one step of the reduction.
  SmallVector<Value> step(ValueRange carried, Value lhsDistance, Value rhsOffset) {
    SmallVector<Value> block(carried);
    SmallVector<Value> columns;
    for (int64_t vector = 0; vector < shape.vectors; ++vector)
      columns.push_back(k.read(rhs, k.add(rhsOffset, k.constant(vector * k.lanes)), k.lanes));
    for (int64_t row = 0; row < shape.rows; ++row) {
      Tile from = lhs;
      if (lhs.inMemory())
        from.pointer = rows[row];
      Value spread = k.broadcast(k.read(from, lhsDistance, 1), k.lanes);
      for (int64_t vector = 0; vector < shape.vectors; ++vector)
        at(block, row, vector) = multiplyAdd(spread, columns[vector], at(block, row, vector));
    }
    return block;
  }

private:
  Value multiplyAdd(Value a, Value b, Value sum) {
    return arePairs ? k.multiplyAddPairs(a, b, sum) : k.multiplyAdd(a, b, sum);
  }

  KernelBuilder &k;
  const Tile &lhs, &rhs;
  RegisterTile shape;
  bool arePairs;
  SmallVector<Value> rows; ///< Pointers to the first element of each.
};

} // namespace

/// Blocks of at most `most` that cover `count`: of that size if it fits, else about even.
static int64_t chooseEven(int64_t count, int64_t most) {
  return count % most == 0 ? most : llvm::divideCeil(count, llvm::divideCeil(count, most));
}

/// The chip's block. Of fewer rows than it has, a block is as much wider: a row of the right
/// operand, which is then what takes time, is read in one piece.
static RegisterTile chooseBlock(const Chip &chip, int64_t rows, int64_t vectors) {
  RegisterTile most = rows == 1 ? chip.rowTile : chip.tile;
  int64_t height = chooseEven(rows, most.rows);
  int64_t width = most.rows * most.vectors / height;
  return {height,
          height == most.rows ? std::min(vectors, most.vectors) : chooseEven(vectors, width)};
}

namespace {

/// Walks the loops of one contraction.
class ContractionEmitter {
public:
  /// The accumulators at a position of the loops before anything is added.
  using ReadStart = llvm::function_ref<Value(ArrayRef<Value>)>;

  /// What is stored of an accumulator at a position of the loops.
  using Finish = llvm::function_ref<Value(ArrayRef<Value>, Value)>;

  ContractionEmitter(KernelBuilder &k, PhaseEmitter::LinalgLoops &loops, ContractionLoops kernel,
                     ReadStart readStart, Finish finish)
      : k(k), loops(loops), kernel(kernel), readStart(readStart), finish(finish),
        lhs(loops.operands[kernel.lhs]), rhs(loops.operands[kernel.rhs]),
        position(loops.sizes.size(), k.constant(0)),
        rows(kernel.row < 0 ? 1 : loops.sizes[kernel.row]),
        vectors(llvm::divideCeil(loops.sizes[kernel.vector], k.lanes)) {
    block = chooseBlock(k.chip, rows, vectors);
    rowStride = kernel.row < 0 ? k.constant(0) : loops.stride(k, kernel.lhs, kernel.row);
    reductions = loops.getLoops(utils::IteratorType::reduction);
    outer = loops.getLoops(utils::IteratorType::parallel);
    llvm::erase(outer, kernel.vector);
    llvm::erase(outer, kernel.row);
  }

  /// Every block of accumulators asks for some memory of the next iteration.
  void takeShare(Prefetches &prefetches);
  /// Computes no block outside of the band of the result, and sums over those of the operands.
  void useBands(const IRMapping &scalars);
  void emit() { walk(outer); }

private:
  void walk(ArrayRef<int64_t> order);
  void emitRows(int64_t width);
  void emitBlock(RegisterTile shape);
  void emitProduct(RegisterTile shape);
  void emitPrefetches();
  SmallVector<Value> reduce(MicroKernel &micro, ArrayRef<int64_t> order, ValueRange carried);
  /// The position of an accumulator of the block.
  SmallVector<Value> shifted(int64_t row, int64_t vector);
  void writeBlock(RegisterTile shape, llvm::function_ref<Value(int64_t, int64_t)> getValue);
  /// The loop along a dimension of an operand; -1 if there is no single one.
  int64_t getLoop(unsigned operand, int64_t dim) const;
  /// The columns of a band that matter to the rows of the block, which run along `loop`.
  Band::Range getColumns(const Band &band, int64_t loop, RegisterTile shape);
  int64_t getExtent(int64_t loop, RegisterTile shape) const {
    return loop == kernel.row ? shape.rows : shape.vectors * k.lanes;
  }
  bool isInner(int64_t loop) const {
    return loop >= 0 && (loop == kernel.row || loop == kernel.vector);
  }

  /// A band whose rows and columns lie along these loops.
  struct BandLoops {
    Band band;
    int64_t rows, columns;
  };

  KernelBuilder &k;
  PhaseEmitter::LinalgLoops &loops;
  const ContractionLoops kernel;
  ReadStart readStart;
  Finish finish;
  const Tile &lhs, &rhs;
  SmallVector<Value> position;
  const int64_t rows, vectors;
  RegisterTile block; ///< Of most blocks; the last may be smaller.
  Value rowStride;
  SmallVector<int64_t> reductions, outer;
  PrefetchShare share;
  std::optional<BandLoops> resultBand;
  SmallVector<BandLoops, 2> operandBands;
};

} // namespace

void ContractionEmitter::takeShare(Prefetches &prefetches) {
  int64_t steps = 1, blocks = llvm::divideCeil(rows, block.rows) * (vectors / block.vectors);
  for (int64_t loop : reductions)
    steps *= loops.sizes[loop];
  if (outer.empty())
    share = prefetches.take(loops.op->getBlock(), blocks,
                            steps * block.rows * block.vectors / kFmasPerPrefetch);
}

void ContractionEmitter::emitPrefetches() {
  Value column = k.divide(position[kernel.vector], block.vectors * k.lanes);
  Value row = kernel.row < 0 ? k.constant(0) : k.divide(position[kernel.row], block.rows);
  share.emit(k, k.add(k.scale(column, llvm::divideCeil(rows, block.rows)), row));
}

int64_t ContractionEmitter::getLoop(unsigned operand, int64_t dim) const {
  for (int64_t loop = 0, e = loops.sizes.size(); loop < e; ++loop)
    if (loops.accesses[operand].getDimension(loop) == dim)
      return loop;
  return -1;
}

void ContractionEmitter::useBands(const IRMapping &scalars) {
  auto find = [&](Value tile, unsigned operand) -> std::optional<BandLoops> {
    std::optional<Band> band = Band::find(k, tile, scalars);
    if (!band)
      return std::nullopt;
    return BandLoops{*band, getLoop(operand, band->rows), getLoop(operand, band->columns)};
  };
  resultBand = find(loops.op->getResult(0), 2);
  if (resultBand && !(isInner(resultBand->rows) && isInner(resultBand->columns)))
    resultBand.reset();
  for (unsigned operand : {kernel.lhs, kernel.rhs})
    if (auto band = find(loops.op->getOperand(operand), operand))
      if (isInner(band->rows) && reductions.size() == 1 && band->columns == reductions.front())
        operandBands.push_back(*band);
}

Band::Range ContractionEmitter::getColumns(const Band &band, int64_t loop, RegisterTile shape) {
  int64_t count = std::min(getExtent(loop, shape), loops.sizes[loop]);
  return band.getColumns(k, position[loop], count);
}

SmallVector<Value> ContractionEmitter::shifted(int64_t row, int64_t vector) {
  SmallVector<Value> at(position);
  at[kernel.vector] = k.add(at[kernel.vector], k.constant(vector * k.lanes));
  if (kernel.row >= 0)
    at[kernel.row] = k.add(at[kernel.row], k.constant(row));
  return at;
}

void ContractionEmitter::writeBlock(RegisterTile shape,
                                    llvm::function_ref<Value(int64_t, int64_t)> getValue) {
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t vector = 0; vector < shape.vectors; ++vector)
      k.write(getValue(row, vector), loops.results[0],
              loops.resultOffset(k, 0, shifted(row, vector)));
}

SmallVector<Value> ContractionEmitter::reduce(MicroKernel &micro, ArrayRef<int64_t> order,
                                              ValueRange carried) {
  if (order.empty()) {
    Value distance = k.constant(0);
    for (int64_t loop : reductions)
      distance = k.add(distance, k.scale(position[loop], loops.stride(k, kernel.lhs, loop)));
    return micro.step(carried, distance, loops.offset(k, kernel.rhs, position));
  }
  Value first = k.constant(0), end = k.constant(loops.sizes[order.front()]);
  for (const BandLoops &bandLoops : operandBands) {
    Band::Range columns = getColumns(bandLoops.band, bandLoops.rows, micro.getShape());
    first = arith::MaxSIOp::create(k.b, k.loc, first, columns.first);
    end = arith::MinSIOp::create(k.b, k.loc, end, columns.end);
  }
  return k.loopCarrying(first, end, 1, carried, [&](Value iv, ValueRange inner) {
    position[order.front()] = iv;
    return reduce(micro, order.drop_front(), inner);
  });
}

/// The accumulators of a block, from the output operand or into the result.
void ContractionEmitter::emitProduct(RegisterTile shape) {
  MicroKernel micro(k, lhs, rhs, shape, loops.op->hasAttr(kPairsAttr));
  SmallVector<Value> sums;
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t vector = 0; vector < shape.vectors; ++vector)
      sums.push_back(readStart(shifted(row, vector)));
  micro.start(loops.offset(k, kernel.lhs, position), rowStride);
  sums = reduce(micro, reductions, sums);
  for (int64_t loop : reductions)
    position[loop] = k.constant(0);
  writeBlock(shape, [&](int64_t row, int64_t vector) {
    return finish(shifted(row, vector), micro.at(sums, row, vector));
  });
}

void ContractionEmitter::emitBlock(RegisterTile shape) {
  if (shape.vectors == block.vectors)
    emitPrefetches();
  if (!resultBand)
    return emitProduct(shape);
  Band::Range columns = getColumns(resultBand->band, resultBand->rows, shape);
  Value from = position[resultBand->columns];
  Value to = k.add(from, k.constant(getExtent(resultBand->columns, shape)));
  Value matters =
      arith::AndIOp::create(k.b, k.loc, k.compare(arith::CmpIPredicate::slt, from, columns.end),
                            k.compare(arith::CmpIPredicate::slt, columns.first, to));
  k.ifThenElse(
      matters, [&] { emitProduct(shape); },
      [&] {
        Value zero = k.zero(loops.results[0].element, k.lanes);
        writeBlock(shape, [&](int64_t, int64_t) { return zero; });
      });
}

void ContractionEmitter::emitRows(int64_t width) {
  int64_t whole = rows / block.rows * block.rows;
  auto at = [&](Value iv, int64_t height) {
    if (kernel.row >= 0)
      position[kernel.row] = iv;
    emitBlock({height, width});
  };
  k.loop(0, whole, block.rows, [&](Value iv) { at(iv, block.rows); });
  if (whole < rows)
    at(k.constant(whole), rows - whole);
}

void ContractionEmitter::walk(ArrayRef<int64_t> order) {
  if (!order.empty())
    return k.loop(0, loops.sizes[order.front()], 1, [&](Value iv) {
      position[order.front()] = iv;
      walk(order.drop_front());
    });
  int64_t whole = vectors / block.vectors * block.vectors;
  k.loop(0, whole * k.lanes, block.vectors * k.lanes, [&](Value iv) {
    position[kernel.vector] = iv;
    emitRows(block.vectors);
  });
  if (whole < vectors) {
    position[kernel.vector] = k.constant(whole * k.lanes);
    emitRows(vectors - whole);
  }
}

void PhaseEmitter::emitContraction(LinalgLoops &loops, ContractionLoops kernel, LinalgLoops *start,
                                   LinalgLoops *end) {
  // The position of an accumulator in a tile of accumulators.
  auto getPosition = [&](ArrayRef<Value> at, const LinalgLoops &elementwise) {
    SmallVector<Value> position(elementwise.sizes.size());
    for (int64_t loop = 0, e = loops.sizes.size(); loop < e; ++loop)
      if (int64_t dim = loops.accesses[2].getDimension(loop); dim >= 0)
        position[dim] = at[loop];
    return position;
  };
  auto readStart = [&](ArrayRef<Value> at) {
    if (!start)
      return k.read(loops.operands[2], loops.offset(k, 2, at), k.lanes);
    return k.broadcast(emitBody(*start, getPosition(at, *start), {}).front(), k.lanes);
  };
  auto finish = [&](ArrayRef<Value> at, Value sum) {
    if (!end)
      return sum;
    end->held.assign(end->op->getNumOperands(), Value());
    for (OpOperand *operand : end->op.getDpsInputOperands())
      if (operand->get() == loops.op->getResult(0))
        end->held[operand->getOperandNumber()] = sum;
    return k.broadcast(emitBody(*end, getPosition(at, *end), {}).front(), k.lanes);
  };
  ContractionEmitter emitter(k, loops, kernel, readStart, finish);
  emitter.takeShare(prefetches);
  emitter.useBands(scalars);
  emitter.emit();
}
