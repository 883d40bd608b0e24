//===- TileStorage.h - Which tiles need memory ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the targets agree on about tiles in memory: the last axis is contiguous, i1 is
// one byte, index is 8 bytes, bf16 and f16 are integers of two bytes (not every chip can load
// them as what they are). A value needs no memory of its own if it is a view of
// another tile, if all its elements are one scalar ("splat"), or if it has no content
// (tensor.empty).
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_TILESTORAGE_H
#define MIXWRIGHT_CODEGEN_TILESTORAGE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/IRMapping.h"

namespace mix {

/// The type that an element has in memory.
mlir::Type getStorageType(mlir::Type element);
int64_t getStorageBytes(mlir::Type element);

/// The type in which a phase computes with reals: f64 if a tensor of it is f64, else f32.
mlir::Type getRealType(mlir::func::FuncOp phase);

/// The tile that the value is a view of, or null. Views are slices and reshapes
/// that leave rows as they are.
mlir::Value getViewSource(mlir::Value tile);

/// The scalar that all elements equal, as a scalar SSA value or an attribute; null if none.
mlir::OpFoldResult getSplatScalar(mlir::Value tile);

/// That scalar as a value: a constant, or what `scalars` maps it to; null if there is none.
mlir::Value buildSplatScalar(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tile,
                             const mlir::IRMapping &scalars);

/// True if nothing was ever written to the tile.
bool isUndefined(mlir::Value tile);

/// True if the tile has memory of its own.
bool needsPlace(mlir::Value tile);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_TILESTORAGE_H
