//===- Memory.h - How tiles lie in memory -----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile is row-major with its lanes last. Rows are padded to whole vectors, so
// that code between tiles never needs a mask; what the padding holds is arbitrary.
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_MEMORY_H
#define MIXWRIGHT_CODEGEN_CPU_MEMORY_H

#include "codegen/Chips.h"
#include "codegen/TileStorage.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mix::cpu {

/// Names of the attributes that `mix-cpu-assign-buffers` leaves.
inline constexpr llvm::StringLiteral kPlace = "cpu.place";
inline constexpr llvm::StringLiteral kTemporary = "cpu.temporary";
inline constexpr llvm::StringLiteral kScratch = "cpu.scratch";
/// Attribute of an op that makes pairs of a tile's elements: the axis of the pairs.
inline constexpr llvm::StringLiteral kPackAttr = "cpu.pack";

/// Bytes of a cache line, of every chip that we know.
inline constexpr int64_t kCacheLine = 64;

/// Elements per vector everywhere in the phase: the lanes of its real type.
int64_t getPhaseLanes(mlir::func::FuncOp phase, const Chip &chip);

/// Strides, in elements, of a tile with memory of its own.
llvm::SmallVector<int64_t> getTileStrides(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                                          int64_t lanes);
/// Bytes of a tile with memory of its own, a multiple of 64.
int64_t getTileBytes(mlir::RankedTensorType type, int64_t lanes);

/// Columns of a decayed Gram matrix that are summed side by side.
inline constexpr int64_t kGramColumns = 4;

/// What the op's code works on: the rows of an operand, decayed up to the current row; null
/// for most ops.
mlir::RankedTensorType getTemporaryType(mlir::Operation *op);
/// Its bytes.
int64_t getTemporaryBytes(mlir::Operation *op, int64_t lanes);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_MEMORY_H
