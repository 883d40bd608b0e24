//===- Product.h - A product of two tiles on matrix units -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PRODUCT_H
#define MIXWRIGHT_CODEGEN_GPU_PRODUCT_H

#include "codegen/Accesses.h"
#include "codegen/gpu/Machine.h"

namespace mix::gpu {

/// How a contraction runs on matrix operations. The result is computed as it is, or
/// transposed: then the second factor is the left operand.
struct Product {
  MatrixOp op;
  mlir::Type element;                   ///< Of the factors in the matrix operation.
  unsigned left, right;                 ///< Operands of the linalg op.
  int64_t sizeM, sizeN, sizeK;          ///< Of the tiles.
  int64_t repeatsM, repeatsN, repeatsK; ///< Matrix operations of a warp, per dimension.
  int64_t strideM, strideN;             ///< From one of them to the next, in elements.
  /// Per operand of the matrix operation, the layout over the dimensions of its tile.
  Layout leftLayout, rightLayout, accumulator;
  /// For (m, k), (k, n) and (m, n): the dimension of the tile.
  int64_t leftDims[2], rightDims[2], accumulatorDims[2];
};

/// The product for an op with two factors of rank 2 and one reduction; nothing if the op is no
/// such product, or the chip has no matrix operation.
std::optional<Product> getProduct(mlir::linalg::LinalgOp op, const Machine &machine,
                                  bool isTransposed);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_PRODUCT_H
