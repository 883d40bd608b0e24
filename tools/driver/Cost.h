//===- Cost.h - What a definition asks for ----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_COST_H
#define MIXWRIGHT_TOOLS_DRIVER_COST_H

#include "tools/driver/Call.h"
#include <optional>

namespace mix::driver {

/// The additions, subtractions, multiplications and divisions of real numbers that
/// a mixer of level L1 asks for as written, for one head of one sequence. Other
/// functions (exp, max, comparisons) are not counted.
///
/// Work on an index variable is counted only where the masks of the reductions that
/// use it hold. A mask that looks at data counts as true, so the count is then an
/// upper bound. Large index spaces are sampled on a regular grid.
double countDefinitionFlops(mlir::func::FuncOp mixer, const SizeMap &sizes);

/// The share of pairs (or tuples) of positions where a mask of level L2 holds, and the
/// shares of square tiles of `tile` positions of two index axes where it holds nowhere
/// and everywhere. Tiles are judged by a grid of points in each, edges included.
struct MaskShape {
  double holds; ///< an upper bound if it looks at data
  bool looksAtData;
  std::optional<double> emptyTiles, fullTiles; ///< none unless there are two index axes
};
MaskShape measureMask(mlir::Value mask, const SizeMap &sizes, int64_t tile);

/// The bytes of the tensors of a call, inputs, outputs and states, each counted once.
int64_t countTensorBytes(const Signature &signature, const CallShape &shape, TensorTypes types,
                         const TensorMap &inputs);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_COST_H
