//===- TilePlan.h - Which phase computes what -------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An *anchor* is an operation that moves information between tokens: a scan, a
// recurrence, a prefix along rows, or a reduction over an index axis. Everything else
// is computed where it is used. A phase runs anchors; an anchor that needs another's
// result only at its own position shares its phase, and one that needs it at other
// positions comes in a later phase and reads it from a workspace.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILEPLAN_H
#define MIXWRIGHT_PASSES_TILEPLAN_H

#include "dialect/Mix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>

namespace mix {

/// Why a mixer has no tile program, and where.
struct TileFailure {
  mlir::Location loc;
  std::string reason;
};

/// Whether the operation is a prefix of a value of pairs of positions. It is no anchor:
/// reductions over its axis compute it as they walk the keys.
bool isKeyPrefix(mlir::Operation *op);
/// Whether the operation is an anchor.
bool isAnchor(mlir::Operation *op);
/// Whether it runs over tokens in order (the others are reductions).
bool isSequentialAnchor(mlir::Operation *op);
/// The space of a recurrence whose outputs have its plain axis in front, or empty.
llvm::StringRef getLoopSpace(mlir::Operation *op);
/// The index axis of an anchor's results: `"t:T"`; empty for none, and for `mix.for` and
/// `mix.for_blocks`, whose outputs have the plain axis of their space.
llvm::StringRef getRowVariable(mlir::Operation *anchor);
/// The index variables that a reduction over tokens reduces; none of another operation.
llvm::SmallVector<llvm::StringRef> getReducedVariables(mlir::Operation *op);
/// The space of the positions that an anchor computes, or empty.
llvm::StringRef getRowSpace(mlir::Operation *anchor);
/// Whether the value is a state after the last token.
bool isFinalState(mlir::Value value);
/// The axes of the list that are index axes.
llvm::SmallVector<llvm::StringRef> getIndexAxes(llvm::ArrayRef<llvm::StringRef> axes);
/// If the index is exactly the position of an index variable: the variable;
/// `kLoopPosition` for the position of the enclosing `mix.for`.
std::optional<llvm::StringRef> getExactIndex(mlir::Value index);
inline constexpr llvm::StringLiteral kLoopPosition = "*";

/// The read's index along the token axis of its source, if it has one such axis and
/// the source is computed (not an argument) or a cache.
mlir::Value getTokenIndex(ReadOp read);

/// Whether the op is a function of a real that takes many instructions.
bool isFunction(mlir::Operation *op);

/// Whether it is better to store a row that is computed from a token (a value with feature axes)
/// than to compute it again: it takes functions, divisions or reductions. Factors that are one
/// number per token do not count, as weights can take them.
bool isCostlyRow(mlir::Value value);

struct TilePhase {
  /// Twice the level, plus one for a phase over a grid: a topological order.
  unsigned order;
  /// A sequential phase walks `space`; a grid phase has a task per block of it, or
  /// one task if empty.
  bool isSequential;
  llvm::StringRef space;
  llvm::SmallVector<mlir::Operation *> anchors;
  /// Numbers of the mixer's results that this phase stores.
  llvm::SmallVector<unsigned> results;
  /// Values that this phase stores for later ones.
  llvm::SmallVector<mlir::Value> workspaces;
  /// Caches to which this phase appends the new rows.
  llvm::SmallVector<AppendOp> appends = {};

  /// Whether the phase does nothing but append to caches.
  bool onlyAppends() const {
    return anchors.empty() && results.empty() && workspaces.empty() && !appends.empty();
  }
};

class TilePlan {
public:
  /// Plans a mixer of level L2. Reports through `failure` and returns false if
  /// something has no place in a tile program. Of a step form, reductions over all tokens
  /// are split into tasks of so many of them (`splitRows`).
  bool build(mlir::func::FuncOp mixer, int64_t splitRows, std::optional<TileFailure> &failure);

  std::vector<TilePhase> phases;
  /// All workspaces in the order of the arguments. Filled while phases are emitted,
  /// last phase first.
  llvm::SmallVector<mlir::Value> workspaces;

  /// Whether the reduction is split: a phase over blocks of all tokens stores partial results
  /// with the axis of the splits in front, and who needs the result merges them.
  bool isSplit(mlir::Operation *op) const { return splits.contains(op); }
  /// Of a step form, the spaces of all tokens and of their splits; else empty.
  llvm::StringRef getHistory() const { return history; }
  llvm::StringRef getSplitSpace() const { return splitSpace; }
  /// The type of a value where it is stored: index axes become their spaces.
  mlir::RankedTensorType getStoredType(mlir::Value value) const;

  /// The phase of an anchor, or the phase that has a value computed for workspaces.
  std::optional<unsigned> getPhase(mlir::Operation *op) const;
  /// Whether some anchor contributes to the value, or a value that is stored as if it did.
  bool dependsOnAnchor(mlir::Value value);
  /// The number of the workspace of a value, made on the first request.
  unsigned requestWorkspace(mlir::Value value);

private:
  unsigned addPhase(unsigned order, llvm::StringRef space);
  unsigned getOrderFor(mlir::Value value, llvm::StringRef variable, llvm::StringRef space,
                       std::optional<bool> isSequential);
  unsigned getLevelOfAnchor(mlir::Operation *anchor);
  bool isPlannedBind(BindOp bind);
  void findKeptBinds(mlir::func::FuncOp mixer);
  unsigned getOrderOfStore(mlir::Value value, llvm::StringRef &space);
  void findSplits(mlir::func::FuncOp mixer, int64_t splitRows);

  llvm::StringRef history, splitSpace;
  llvm::SmallPtrSet<mlir::Operation *, 4> splits;
  /// Values that need no anchor, but are stored all the same.
  llvm::SmallPtrSet<mlir::Operation *, 4> kept;

  llvm::DenseMap<mlir::Operation *, unsigned> orders;
  llvm::DenseMap<mlir::Operation *, unsigned> phaseOf;
  llvm::DenseMap<mlir::Value, bool> anchored;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILEPLAN_H
