//===- Accesses.h - Where a structured op reads and writes ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_ACCESSES_H
#define MIXWRIGHT_CODEGEN_ACCESSES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mix {

/// A position in a tile as a linear function of the op's loops, per dimension
/// of the tile: `constants[r] + sum over d of coefficients[r][d] * loop d`.
struct Access {
  llvm::SmallVector<int64_t> constants;
  llvm::SmallVector<llvm::SmallVector<int64_t>> coefficients;

  bool usesLoop(int64_t loop) const;
  /// How far apart, in elements, neighbours along the loop are, if the dimensions
  /// of the tile are `strides` apart; dynamic if that depends on a dynamic one.
  int64_t getStride(int64_t loop, llvm::ArrayRef<int64_t> strides) const;
  /// The dimension of the tile that the loop walks with step 1 and alone; -1 if the
  /// loop does not occur, -2 if it occurs otherwise.
  int64_t getDimension(int64_t loop) const;
};

/// The access of every operand of a linalg op; failure if a map is not linear.
llvm::FailureOr<llvm::SmallVector<Access>> getAccesses(mlir::linalg::LinalgOp op);

/// Attribute of a `linalg.generic` on pairs of bf16 (the first in the lower half of an i32) whose
/// body adds the two products of an element of each operand to the output.
inline constexpr llvm::StringLiteral kPairsAttr = "cpu.pairs";

/// Whether the op is `out += a * b`, summed over its reduction loops, perhaps on pairs.
bool isContraction(mlir::linalg::LinalgOp op);

/// How the loops of a contraction are walked by a micro-kernel: lanes along
/// `vector`, which the operand `rhs` has too; `lhs` is read as scalars.
struct ContractionLoops {
  int64_t vector;
  int64_t row; ///< The loop of the rows of accumulators; -1: one row.
  unsigned lhs, rhs;
};

/// The micro-kernel's loops if lanes lie along `vector`; failure if both operands vary along it.
llvm::FailureOr<ContractionLoops>
getContractionLoops(mlir::linalg::LinalgOp op, llvm::ArrayRef<Access> accesses, int64_t vector);

/// Whether lanes may lie along the loop if every tile's last dimension is contiguous:
/// each operand has the loop as its last dimension or not at all.
bool isVectorLoop(mlir::linalg::LinalgOp op, llvm::ArrayRef<Access> accesses, int64_t loop);

/// The loop along which the op is vectorised, -1 for none. Parallel loops are
/// better than reductions, long ones better than short ones.
int64_t chooseVectorLoop(mlir::linalg::LinalgOp op, llvm::ArrayRef<Access> accesses);

/// The op by which the body combines output `index` with a new contribution (an
/// add, a product, a maximum, ...), or null if it does anything else with it.
mlir::Operation *getCombiner(mlir::linalg::LinalgOp op, unsigned index);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_ACCESSES_H
