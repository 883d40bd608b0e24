//===- LinalgLoops.h - A structured op while it is emitted ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_LINALGLOOPS_H
#define MIXWRIGHT_CODEGEN_CPU_LINALGLOOPS_H

#include "codegen/cpu/PhaseEmitter.h"

namespace mix::cpu {

struct PhaseEmitter::LinalgLoops {
  explicit LinalgLoops(mlir::linalg::LinalgOp op) : op(op) {}

  mlir::linalg::LinalgOp op;
  llvm::SmallVector<Access> accesses;                 ///< Per operand, outputs last.
  llvm::SmallVector<Tile> operands;                   ///< Per operand.
  llvm::SmallVector<Tile> results;                    ///< Per output.
  llvm::SmallVector<int64_t> sizes;                   ///< Per loop.
  llvm::SmallVector<mlir::utils::IteratorType> kinds; ///< Per loop.
  int64_t vector = -1;                                ///< The loop along the lanes, or -1.
  int64_t width = 1;                                  ///< Lanes, or 1.
  llvm::SmallVector<mlir::Value> position;            ///< Of the body being emitted.
  /// Per operand, what was read before the innermost loops as it is the same all along; or null.
  llvm::SmallVector<mlir::Value> held;

  /// Fills in what does not depend on memory. Error: what no loop nest can do.
  mlir::LogicalResult analyze();

  /// Chooses the loop along the lanes; operands must be bound.
  void chooseVector(int64_t lanes) {
    vector = chooseVectorLoop(op, accesses);
    if (vector >= 0 && !isContiguous())
      vector = -1;
    width = vector < 0 ? 1 : lanes;
  }

  /// The loops of a kind, the vector loop last.
  llvm::SmallVector<int64_t> getLoops(mlir::utils::IteratorType kind) const {
    llvm::SmallVector<int64_t> order;
    for (int64_t loop = 0, e = sizes.size(); loop < e; ++loop)
      if (kinds[loop] == kind && loop != vector)
        order.push_back(loop);
    if (vector >= 0 && kinds[vector] == kind)
      order.push_back(vector);
    return order;
  }

  /// Whether neighbours along the vector loop are neighbours in memory, or one
  /// element, in every operand. (A column of a tile is not.)
  bool isContiguous() const {
    for (auto [tile, access] : llvm::zip_equal(operands, accesses))
      if (tile.inMemory() && access.usesLoop(vector) && access.getStride(vector, tile.strides) != 1)
        return false;
    return true;
  }

  /// Whether the operand is the same all along the vector loop.
  bool isUniform(unsigned operand) const;
  /// Reads the inputs that are, in front of the vector loop.
  void hold(KernelBuilder &k, mlir::ValueRange position);
  /// Whether the result varies along the reduction loops: its elements are written as they are
  /// made, and not carried.
  bool isWrittenByElement(unsigned result);
  /// The results that are carried through the reduction loops.
  llvm::SmallVector<unsigned> getReducedResults();
  /// Per operand, what an input holds at a position, if that is the same all along these loops; or
  /// null.
  llvm::SmallVector<mlir::Value> readInvariant(KernelBuilder &k, llvm::ArrayRef<int64_t> inner,
                                               mlir::ValueRange position);
  /// How far apart, in elements, neighbours along a loop are in an operand.
  mlir::Value stride(KernelBuilder &k, unsigned operand, int64_t loop);
  /// The element offset of an operand at a position of the loops; loops that it
  /// does not use need no position.
  mlir::Value offset(KernelBuilder &k, unsigned operand, mlir::ValueRange position);
  /// The same in a result.
  mlir::Value resultOffset(KernelBuilder &k, unsigned result, mlir::ValueRange position);
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_LINALGLOOPS_H
