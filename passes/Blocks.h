//===- Blocks.h - Recurrences by blocks as loops over blocks ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Within a block of a recurrence `by n`, the frozen states do not change: they come from outside of
// a recurrence over the positions of the block, which has strata and classes like any other.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_BLOCKS_H
#define MIXWRIGHT_PASSES_BLOCKS_H

#include "dialect/Mix.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mix {

/// A loop over blocks, and in it the recurrence over the positions of a block.
struct BlockNest {
  ForBlocksOp blocks;
  ForOp inner;
};

/// Makes the nest of a recurrence `by n` in front of it. Where one of the frozen states `carried`
/// enters the next value of a state as a whole, it is a state of the inner recurrence, which
/// keeps its value; everywhere else frozen states are values from outside.
BlockNest nestBlocks(ForOp loop, const llvm::SmallBitVector &carried);

/// The frozen states that have to be carried so that most states of the inner recurrence are in
/// affine scans. None if it would be sequential anyway.
std::optional<llvm::SmallBitVector> chooseCarried(ForOp loop);

/// Replaces a recurrence without blocks by the normal forms of its strata.
mlir::LogicalResult normalizeRecurrence(ForOp loop);

} // namespace mix

#endif // MIXWRIGHT_PASSES_BLOCKS_H
