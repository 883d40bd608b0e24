//===- MatrixOp.h - Shape and registers of a matrix operation ---*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp computes C[m, n] += sum over k of A[m, k] B[k, n]. Which k a register holds is
// free as long as A and B agree. It is chosen so that the accumulators of one product are
// an operand of the next without a move: operand A on NVIDIA, operand B on AMD.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_MATRIXOP_H
#define MIXWRIGHT_CODEGEN_GPU_MATRIXOP_H

#include "codegen/gpu/Layout.h"

namespace mix::gpu {

/// The elements of a matrix in one warp: digits of the lane, and one position per register.
struct Fragment {
  llvm::SmallVector<Digit, 3> lanes;
  llvm::SmallVector<Position> registers;
  /// Where the chip loads fragments from shared memory as 8 x 8 matrices of 16 bits: digits of
  /// the number of such a matrix. It has two registers of every lane.
  llvm::SmallVector<Digit, 2> matrices = {};
};

struct MatrixOp {
  int64_t m, n, k;
  Fragment left;        ///< Dimensions (m, k).
  Fragment right;       ///< Dimensions (k, n).
  Fragment accumulator; ///< Dimensions (m, n).
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_MATRIXOP_H
