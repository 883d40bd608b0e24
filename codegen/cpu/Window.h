//===- Window.h - Tiles of the caller's tensors -----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of a tensor may reach beyond its end. A window says which part is inside, and walks
// its rows.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_WINDOW_H
#define MIXWRIGHT_CODEGEN_CPU_WINDOW_H

#include "codegen/cpu/PhaseEmitter.h"

namespace mix::cpu {

/// The part of a tile, along one dimension, that is inside the view: [low, high).
struct Extent {
  mlir::Value low, high;
  bool full = false; ///< Known to be the whole dimension.
};

/// A tile of a view: walks the rows that are inside, and those that are not.
class Window {
public:
  /// The tile at `offsets` of the tile program, whose values in the emitted code `scalars`
  /// knows. `absent` (or null) says that the tensor is not there at all.
  Window(KernelBuilder &k, const View &view, mlir::ValueRange offsets,
         const mlir::IRMapping &scalars, llvm::ArrayRef<int64_t> shape, mlir::Value absent = {});

  /// Calls `inside(pointer of the row in the view, position)` for every row of which
  /// some element is inside, and `outside(position)` for the others if given.
  void forEachRow(llvm::function_ref<void(mlir::Value, mlir::ValueRange)> inside,
                  llvm::function_ref<void(mlir::ValueRange)> outside);

  /// Whether all of a tile with axes is inside the view; null if known to be.
  mlir::Value isInside() const;
  /// The offset of the tile's origin in the view.
  mlir::Value origin() const { return start; }
  Extent lastExtent() const { return extents.empty() ? Extent{{}, {}, true} : extents.back(); }
  mlir::Value lastStride() const { return strides.empty() ? mlir::Value() : strides.back(); }
  /// Whether all of the tile is outside; null if known not to be.
  mlir::Value isOutside() const { return outside; }

private:
  void walk(mlir::Value offset, llvm::function_ref<void(mlir::Value, mlir::ValueRange)> inside,
            llvm::function_ref<void(mlir::ValueRange)> outside);
  void walkOutside(llvm::function_ref<void(mlir::ValueRange)> outside);

  KernelBuilder &k;
  llvm::ArrayRef<int64_t> shape;
  llvm::SmallVector<Extent> extents;
  llvm::SmallVector<mlir::Value> strides;
  mlir::Value start; ///< Offset of the tile's origin in the view.
  mlir::Value outside;
  llvm::SmallVector<mlir::Value> position;
};

/// The tile where the caller has it, in the type of the tensor. `origin` is the window's.
Tile getInView(KernelBuilder &k, const Tile &tile, const View &view, mlir::Value origin);

/// One of two places of a tile with rows of neighbours.
Tile choose(KernelBuilder &k, mlir::Value condition, const Tile &yes, const Tile &no);

/// Whether a tile of rows at `offsets` advances by just these rows with every iteration of the
/// loop around `op`, and else stays where it is.
bool isRowByRow(mlir::Operation *op, mlir::ValueRange offsets, llvm::ArrayRef<int64_t> shape);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_WINDOW_H
