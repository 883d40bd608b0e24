//===- EvaluateTile.h - The reference evaluator of tile programs -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Level L3 without a target: the phases of a mixer are interpreted task by task, so
// that what the passes derive is checked before any code is generated.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATETILE_H
#define MIXWRIGHT_DIALECT_EVALUATETILE_H

#include "dialect/Evaluate.h"
#include "mlir/IR/BuiltinOps.h"

namespace mix {

/// Whether every value of a tile program is rounded to its type (`f32`, `bf16`, `f16`), or
/// kept in double precision to tell an error of the algebra from an error of rounding.
enum class TileRounding { Exact, Typed };

/// The phases (`tile.phase`) of a mixer (`tile.mixer`) in their order; empty if the
/// module has none.
llvm::SmallVector<mlir::func::FuncOp> getPhases(mlir::ModuleOp module, llvm::StringRef mixer);

/// Runs the phases of one mixer in order, every task of each. Outputs, final states
/// and workspaces start as NaN; so do the initial states that `states` does not hold,
/// and `tensor.empty`. Of a step form, position and caches are inputs, and the caches and
/// states after the call are `states` of the result.
///
/// Errors: those of `evaluate`; phases with different arguments; a grid other than
/// the one that the attributes `tile.features`, `tile.space` and `tile.rows` announce;
/// a slice outside its tile; an element that one task reads or overwrites and another
/// task of the same phase has written.
llvm::Expected<Evaluation> evaluateTiles(llvm::ArrayRef<mlir::func::FuncOp> phases,
                                         const llvm::StringMap<Array> &inputs,
                                         const llvm::StringMap<Array> &states,
                                         TileRounding rounding = TileRounding::Exact);

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATETILE_H
