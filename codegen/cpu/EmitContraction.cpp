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

/// Rows per block: the chip's, or fewer if that splits the rows more evenly.
static int64_t chooseRows(int64_t rows, int64_t most) {
  int64_t blocks = llvm::divideCeil(rows, most);
  int64_t even = llvm::divideCeil(rows, blocks);
  return rows % most == 0 ? most : even;
}

void PhaseEmitter::emitContraction(LinalgLoops &loops, ContractionLoops kernel) {
  const int64_t rows = kernel.row < 0 ? 1 : loops.sizes[kernel.row];
  const int64_t vectors = llvm::divideCeil(loops.sizes[kernel.vector], k.lanes);
  const RegisterTile most = rows == 1 ? k.chip.rowTile : k.chip.tile;
  const int64_t blockRows = chooseRows(rows, most.rows);
  const int64_t blockVectors = std::min(vectors, most.vectors);
  const Tile &lhs = loops.operands[kernel.lhs], &rhs = loops.operands[kernel.rhs];
  Value rowStride = kernel.row < 0 ? k.constant(0) : loops.stride(k, kernel.lhs, kernel.row);

  SmallVector<int64_t> reductions = loops.getLoops(utils::IteratorType::reduction);
  SmallVector<int64_t> outer = loops.getLoops(utils::IteratorType::parallel);
  llvm::erase(outer, kernel.vector);
  llvm::erase(outer, kernel.row);
  SmallVector<Value> position(loops.sizes.size(), k.constant(0));

  // Every block of accumulators asks for some memory of the next iteration.
  int64_t steps = 1, blocks = llvm::divideCeil(rows, blockRows) * (vectors / blockVectors);
  for (int64_t loop : reductions)
    steps *= loops.sizes[loop];
  PrefetchShare share;
  if (outer.empty())
    share = prefetches.take(loops.op->getBlock(), blocks,
                            steps * blockRows * blockVectors / kFmasPerPrefetch);
  auto emitPrefetches = [&] {
    Value column = k.divide(position[kernel.vector], blockVectors * k.lanes);
    Value row = kernel.row < 0 ? k.constant(0) : k.divide(position[kernel.row], blockRows);
    share.emit(k, k.add(k.scale(column, llvm::divideCeil(rows, blockRows)), row));
  };

  // The accumulators of a block, from the output operand or into the result.
  auto emitBlock = [&](RegisterTile shape) {
    MicroKernel micro(k, lhs, rhs, shape, loops.op->hasAttr(kPairsAttr));
    auto shifted = [&](int64_t row, int64_t vector) {
      SmallVector<Value> at(position);
      at[kernel.vector] = k.add(at[kernel.vector], k.constant(vector * k.lanes));
      if (kernel.row >= 0)
        at[kernel.row] = k.add(at[kernel.row], k.constant(row));
      return at;
    };
    SmallVector<Value> block;
    for (int64_t row = 0; row < shape.rows; ++row)
      for (int64_t vector = 0; vector < shape.vectors; ++vector)
        block.push_back(
            k.read(loops.operands[2], loops.offset(k, 2, shifted(row, vector)), k.lanes));
    if (shape.vectors == blockVectors)
      emitPrefetches();
    micro.start(loops.offset(k, kernel.lhs, position), rowStride);
    std::function<SmallVector<Value>(ArrayRef<int64_t>, ValueRange)> reduce =
        [&](ArrayRef<int64_t> order, ValueRange carried) -> SmallVector<Value> {
      if (order.empty()) {
        Value distance = k.constant(0);
        for (int64_t loop : reductions)
          distance = k.add(distance, k.scale(position[loop], loops.stride(k, kernel.lhs, loop)));
        return micro.step(carried, distance, loops.offset(k, kernel.rhs, position));
      }
      return k.loopCarrying(0, loops.sizes[order.front()], 1, carried,
                            [&](Value iv, ValueRange inner) {
                              position[order.front()] = iv;
                              return reduce(order.drop_front(), inner);
                            });
    };
    block = reduce(reductions, block);
    for (int64_t loop : reductions)
      position[loop] = k.constant(0);
    for (int64_t row = 0; row < shape.rows; ++row)
      for (int64_t vector = 0; vector < shape.vectors; ++vector)
        k.write(micro.at(block, row, vector), loops.results[0],
                loops.resultOffset(k, 0, shifted(row, vector)));
  };
  auto emitRows = [&](int64_t width) {
    int64_t whole = rows / blockRows * blockRows;
    auto at = [&](Value iv, int64_t height) {
      if (kernel.row >= 0)
        position[kernel.row] = iv;
      emitBlock({height, width});
    };
    k.loop(0, whole, blockRows, [&](Value iv) { at(iv, blockRows); });
    if (whole < rows)
      at(k.constant(whole), rows - whole);
  };
  std::function<void(ArrayRef<int64_t>)> walk = [&](ArrayRef<int64_t> order) {
    if (!order.empty())
      return k.loop(0, loops.sizes[order.front()], 1, [&](Value iv) {
        position[order.front()] = iv;
        walk(order.drop_front());
      });
    int64_t whole = vectors / blockVectors * blockVectors;
    k.loop(0, whole * k.lanes, blockVectors * k.lanes, [&](Value iv) {
      position[kernel.vector] = iv;
      emitRows(blockVectors);
    });
    if (whole < vectors) {
      position[kernel.vector] = k.constant(whole * k.lanes);
      emitRows(vectors - whole);
    }
  };
  walk(outer);
}
