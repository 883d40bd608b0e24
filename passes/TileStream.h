//===- TileStream.h - Reductions over keys, block by block ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What TileKeys.cpp (loops over keys) and TileStream.cpp (reductions) share.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILESTREAM_H
#define MIXWRIGHT_PASSES_TILESTREAM_H

#include "passes/TilePhase.h"

namespace mix {

/// The keys that a reduction visits: the positions of some index variables at which a
/// predicate (null: always true) may hold.
struct KeySet {
  llvm::SmallVector<llvm::StringRef> variables;
  mlir::Value mask = {};
  /// Whether the keys come one at a time, and not in blocks: tiles have no axis of keys.
  bool isSingly = false;

  bool operator==(const KeySet &other) const {
    return variables == other.variables && mask == other.mask && isSingly == other.isSingly;
  }
};

/// One block of keys, with the builder inside of all loops.
struct KeyBlock {
  unsigned scope;
  Env env;
  mlir::Value mask = {};
  bool isSingly = false; ///< as in the set of keys
  /// Where the keys are, and how many are left from the start of the block; none and null
  /// without index variables, and for a single key.
  unsigned slot = 0;
  mlir::Value left = {};
  /// Whether the block needs no mask (`i1`); null if every block needs it.
  mlir::Value isFull = {};
  /// For every kBandRows rows, the keys of the block outside of which the mask is false: first
  /// and end. None if that is not known, or if somebody wants all keys.
  llvm::SmallVector<mlir::Value> band = {};
  /// Prefixes along the keys that the loop carries: it skips no key that counts for them.
  llvm::ArrayRef<PrefixOp> prefixes = {};
};

/// A sum over keys of a product, its factors sorted by what they depend on.
struct KeySum {
  mlir::Value result;
  /// Factors of keys only, of rows and keys, and of no reduced axis: these multiply the
  /// sum when it is complete.
  llvm::SmallVector<mlir::Value> keyed, paired, outer;
  /// The accumulator's axes.
  llvm::SmallVector<llvm::StringRef, 3> axes;
};

/// What a reduction, or one source of a streamed reduction, does in a loop over keys.
struct KeyJob {
  mlir::Operation *op;
  KeySet keys = {};
  /// The axes of tiles that it reduces.
  llvm::SmallVector<llvm::StringRef, 3> reduced = {};
  /// The logits of a source; null for a plain reduction.
  mlir::Value logits = {};
  /// The sums of a source, or the one of a plain sum of products; none for another kind.
  std::vector<KeySum> sums = {};
  /// The accumulators: before the loop, then inside, then after it.
  llvm::SmallVector<Tile> tiles = {};
};

/// Whether a reduction reads, at each of its keys, a window of a tensor: at positions that are
/// those of the rows, shifted by the key. One key at a time these are loads of whole tiles;
/// in a block of keys every pair would be a load of its own.
bool walksWindows(ReduceOp op);

/// Whether an element of the block counts: its key exists, and the mask, an element of
/// the body or null, holds. Null if all count.
mlir::Value buildIsCounted(ElementBuilder &body, mlir::Value left, mlir::Value mask);

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILESTREAM_H
