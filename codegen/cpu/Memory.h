//===- Memory.h - How tiles lie in memory -----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile is row-major with its lanes last. Rows are padded to whole vectors, so
// that code between tiles never needs a mask; what the padding holds is arbitrary.
// i1 is one byte, index is 8 bytes.
//
// A value needs no memory of its own if it is a view of another tile, if all its
// elements are one scalar ("splat"), or if it has no content (tensor.empty).
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_MEMORY_H
#define MIXWRIGHT_CODEGEN_CPU_MEMORY_H

#include "codegen/Chips.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mix::cpu {

/// Names of the attributes that `mix-cpu-assign-buffers` leaves.
inline constexpr llvm::StringLiteral kPlace = "cpu.place";
inline constexpr llvm::StringLiteral kTemporary = "cpu.temporary";
inline constexpr llvm::StringLiteral kScratch = "cpu.scratch";

/// The type that an element has in memory.
mlir::Type getStorageType(mlir::Type element);
int64_t getStorageBytes(mlir::Type element);

/// The real element type of a phase (f32 or f64), from its arguments and tiles.
mlir::Type getRealType(mlir::func::FuncOp phase);

/// Elements per vector everywhere in the phase: the lanes of its real type.
int64_t getPhaseLanes(mlir::func::FuncOp phase, const Chip &chip);

/// Strides, in elements, of a tile with memory of its own.
llvm::SmallVector<int64_t> getTileStrides(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                                          int64_t lanes);
/// Bytes of a tile with memory of its own, a multiple of 64.
int64_t getTileBytes(mlir::RankedTensorType type, int64_t lanes);

/// The tile that the value is a view of, or null. Views are slices and reshapes
/// that leave rows as they are.
mlir::Value getViewSource(mlir::Value tile);

/// The scalar that all elements equal, as a scalar SSA value or an attribute; null if none.
mlir::OpFoldResult getSplat(mlir::Value tile);

/// True if nothing was ever written to the tile.
bool isUndefined(mlir::Value tile);

/// True if the tile has memory of its own.
bool needsPlace(mlir::Value tile);

/// Bytes of temporary memory that the op's code works on.
int64_t getTemporaryBytes(mlir::Operation *op, int64_t lanes);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_MEMORY_H
