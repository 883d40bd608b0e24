//===- TilePlaces.h - Places of tiles in scratch memory ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scratch memory of a task is one block of bytes. Every tile that a target keeps in
// it gets an offset; tiles whose lives do not overlap may share memory, and a result
// may take the place of an operand only where the op reads an element before (or
// when) it writes the element at the same position.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_TILEPLACES_H
#define MIXWRIGHT_CODEGEN_TILEPLACES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mix {

/// What a target says about its tiles.
struct PlacePolicy {
  /// Whether the tile lives in scratch memory, and not in registers or another tile.
  llvm::function_ref<bool(mlir::Value)> needsPlace;
  /// Bytes of a tile in scratch memory: a multiple of its alignment there.
  llvm::function_ref<int64_t(mlir::Value)> getBytes;
  /// Bytes that the op's code works on besides its operands and results.
  llvm::function_ref<int64_t(mlir::Operation *)> getTemporaryBytes;
  /// Whether the tile, which an op in the body of a loop makes, has two buffers that are in use as
  /// long as the loop runs; null: none has.
  llvm::function_ref<bool(mlir::Value)> isDouble = nullptr;
  /// What the offset of a tile is a multiple of; null: what all bytes are.
  llvm::function_ref<int64_t(mlir::Value)> getAlignment = nullptr;
};

/// Byte offsets in scratch memory.
struct TilePlaces {
  llvm::DenseMap<mlir::Value, int64_t> offsets;
  llvm::DenseMap<mlir::Operation *, int64_t> temporaries;
  int64_t bytes = 0; ///< Of all tiles together.
};

/// Gives every tile of the phase that needs one a place. Copies what a loop passes on
/// from one carried tile to another, which sharing a place would overwrite.
TilePlaces assignPlaces(mlir::func::FuncOp phase, const PlacePolicy &policy);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_TILEPLACES_H
