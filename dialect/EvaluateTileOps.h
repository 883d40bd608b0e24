//===- EvaluateTileOps.h - Tile ops on doubles ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATETILEOPS_H
#define MIXWRIGHT_DIALECT_EVALUATETILEOPS_H

#include "dialect/EvaluateTensor.h"
#include "dialect/EvaluateTile.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mix {

/// Rounds a number to a type; null stands for no rounding.
using RoundFn = double (*)(double);
RoundFn getRounding(mlir::Type type, TileRounding rounding);

/// The tile after rounding its elements to the precision of `type`.
Tensor roundTo(mlir::Type type, Tensor tensor, TileRounding rounding);

/// Any structured op on tensors (`linalg.generic`, `linalg.contract`, `linalg.fill`
/// ...): runs its body for every index, in row-major order. `lookup` yields operands
/// and scalars that the body captures. Errors: an indexing map whose results are
/// not loop dimensions or constants, an op in the body that is not known.
llvm::Expected<llvm::SmallVector<Tensor>>
evaluateStructured(mlir::linalg::LinalgOp op,
                   llvm::function_ref<const Tensor &(mlir::Value)> lookup, TileRounding rounding);

/// The ops of the tile dialect without memory, by the equations of their
/// descriptions. Operands are contiguous.
Tensor evaluateTileOp(tile::ScanOp op, const Tensor &source);
/// The new values, then the new positions.
std::pair<Tensor, Tensor> evaluateTileOp(tile::LargestOp op, const Tensor &scores, int64_t first,
                                         const Tensor &values, const Tensor &positions);
Tensor evaluateTileOp(tile::DecayRatioOp op, const Tensor &decay);
Tensor evaluateTileOp(tile::DecayedGramOp op, const Tensor &x, const Tensor &y,
                      const Tensor &decay);
/// `scale` and `decay` are null if absent.
Tensor evaluateTileOp(tile::SolveOp op, const Tensor &a, const Tensor &rhs, const Tensor *scale,
                      const Tensor *decay);
Tensor evaluateTileOp(tile::DecayedApplyOp op, const Tensor &a, const Tensor &y,
                      const Tensor &decay);

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATETILEOPS_H
