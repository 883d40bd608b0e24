//===- LayoutAlternatives.h - The ways to walk an op with lanes -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The *lane axis* of a tile is the axis along which it is contiguous in memory. What an
// op reads and makes, and how long it takes, depends on the loop that is walked with
// vectors; each such loop is one alternative.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_LAYOUTALTERNATIVES_H
#define MIXWRIGHT_CODEGEN_CPU_LAYOUTALTERNATIVES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace mix::cpu {

/// No axis is asked for.
inline constexpr int64_t kAnyAxis = -1;

/// One way to compute an op.
struct LayoutAlternative {
  double cycles = 0;
  llvm::SmallVector<int64_t, 4> wanted; ///< Lane axis per use.
  llvm::SmallVector<int64_t, 2> made;   ///< Lane axis per tile that is made.
  /// Whether all these axes are one and the same axis of the program.
  bool isOneAxis = false;
};

/// What is decided together: an op, or one tile that a loop or a branch passes on.
struct LayoutDecision {
  llvm::SmallVector<mlir::OpOperand *, 4> uses;
  llvm::SmallVector<mlir::Value, 2> makes;
  llvm::SmallVector<LayoutAlternative, 3> alternatives;
};

/// The lane axis that a tile has if nothing is said: the last one.
int64_t getDefaultAxis(mlir::Value tile);

/// Tiles that cost nothing in any layout: undefined, or all elements one scalar.
bool isLayoutFree(mlir::Value tile);

/// Estimated cycles of a transpose that changes the lane axis of such a tile.
double getTransposeCycles(mlir::RankedTensorType type, int64_t lanes);

/// Appends what is to be decided about the op; nothing if no tile of two axes takes part.
/// Every decision has at least one alternative.
void appendLayoutDecisions(mlir::Operation *op, int64_t lanes,
                           llvm::SmallVectorImpl<LayoutDecision> &decisions);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_LAYOUTALTERNATIVES_H
