//===- JointUnit.h - Matrix operations of several warps ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chip may have matrix operations that the warps of a block execute together, each for its
// rows of the result. Such an operation reads its right factor in shared memory by itself, once
// for all warps, and its left factor there or in registers. Fragments and accumulators in
// registers are those of the chip's MatrixOp with the warps one below the other.
//
// A factor in shared memory is a tile of 16-bit reals that lies in *panels*: its columns are
// cut into panels of 64, 32 or 16, and the rows of a panel, of 128, 64 or 32 bytes, follow each
// other without a gap. The pieces of 16 bytes of a row change places by the number of the row
// (PTX ISA, "Swizzling modes"), so that the rows of a column lie in different banks:
//
//   byte of (row, column) = column / width * panelBytes + row * rowBytes
//                         + (column % width * 2 ^ row * rowBytes / 128 % (rowBytes / 16) * 16)
//
// where width = rowBytes / 2. A panel starts at a multiple of 8 rows.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_JOINTUNIT_H
#define MIXWRIGHT_CODEGEN_GPU_JOINTUNIT_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::gpu {

/// How a tile lies in panels.
struct Panels {
  int64_t rowBytes = 0;   ///< 0: the tile does not lie in panels.
  int64_t panelBytes = 0; ///< From one panel to the next.

  explicit operator bool() const { return rowBytes != 0; }
  /// Columns of a panel.
  int64_t getWidth() const { return rowBytes / 2; }
  int64_t getAlignment() const { return 8 * rowBytes; }
};

/// The widest panels that the columns of the tile fill; none if it is no tile of 16-bit reals and
/// two dimensions, or rows do not come in groups of eight.
Panels getPanels(mlir::RankedTensorType tile);

/// The part of a tile in panels that one operation reads.
struct SharedFactor {
  mlir::Value tile;   ///< Pointer to the tile; null: the factor is not in shared memory.
  int64_t offset = 0; ///< Bytes from there to the first element, before pieces change places.
  Panels panels;
  bool isSumMajor = true; ///< Whether rows lie along the sum.
};

/// One operation: sums[firstSum, firstSum + rows * columns / threads) += left * right.
struct JointStep {
  llvm::SmallVector<mlir::Value> leftRegisters; ///< A fragment of MatrixOp, or empty:
  SharedFactor left;
  SharedFactor right;
  int64_t columns;
  int64_t firstSum;
};

class JointUnit {
public:
  virtual ~JointUnit() = default;

  /// An operation has this many rows and elements of the sum; columns are a multiple of
  /// `columnStep`, and `mostColumns` at most.
  int64_t rows = 0, depth = 0, columnStep = 0, mostColumns = 0;

  /// Executes steps one after the other and waits for them. Sums are of f32, in the order of the
  /// accumulators of MatrixOp, from left to right.
  virtual void multiply(mlir::ImplicitLocOpBuilder &b, mlir::Type element,
                        llvm::ArrayRef<JointStep> steps,
                        llvm::MutableArrayRef<mlir::Value> sums) = 0;
  /// In front of a barrier: what this thread wrote to shared memory, operations behind the
  /// barrier read.
  virtual void releaseWrites(mlir::ImplicitLocOpBuilder &b) = 0;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_JOINTUNIT_H
