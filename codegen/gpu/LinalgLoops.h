//===- LinalgLoops.h - A structured op while it is emitted ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_LINALGLOOPS_H
#define MIXWRIGHT_CODEGEN_GPU_LINALGLOOPS_H

#include "codegen/gpu/PhaseEmitter.h"
#include <vector>

namespace mix::gpu {

struct PhaseEmitter::LinalgLoops {
  explicit LinalgLoops(mlir::linalg::LinalgOp op) : op(op) {}

  mlir::linalg::LinalgOp op;
  llvm::SmallVector<Access> accesses; ///< Per operand, outputs last.
  std::vector<Tile> operands;         ///< Per operand.
  std::vector<Tile> results;          ///< Per output.
  llvm::SmallVector<int64_t> sizes;   ///< Per loop.
  llvm::SmallVector<mlir::utils::IteratorType> kinds;

  llvm::SmallVector<int64_t> getLoops(mlir::utils::IteratorType kind) const {
    llvm::SmallVector<int64_t> order;
    for (int64_t loop = 0, e = sizes.size(); loop < e; ++loop)
      if (kinds[loop] == kind)
        order.push_back(loop);
    return order;
  }

  /// The position in an operand at a position of the loops.
  llvm::SmallVector<mlir::Value> getPosition(KernelBuilder &k, unsigned operand,
                                             llvm::ArrayRef<mlir::Value> position) const;
  /// The same for the part of a position that registers are at.
  Position getConstantPosition(unsigned operand, const Position &position) const;
  /// The layout with all lanes of a reduction as replicas. Registers stay as they are.
  Layout getOuterLayout(const Layout &work) const;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_LINALGLOOPS_H
