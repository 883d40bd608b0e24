//===- Homes.h - Where the tiles of a phase live ----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every tile of a phase lives in shared memory, row-major, or in the registers of the
// block's threads in a layout (Layout.h). Rows in shared memory are a multiple of 16 bytes,
// and those of a whole number of 128-byte lines are 16 bytes longer, so that the rows of a
// column lie in different banks. What a matrix unit reads by itself lies in panels (JointUnit.h).
//
// Layouts start at products, whose accumulators have one, and spread to elementwise work on
// them, to reductions of their rows and to what loops carry. The only free choice is which
// of its two orientations a product has; it is made for the fewest moves of elements
// between registers and shared memory, with those in loops counted often.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_HOMES_H
#define MIXWRIGHT_CODEGEN_GPU_HOMES_H

#include "codegen/TilePlaces.h"
#include "codegen/gpu/JointProducts.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mix::gpu {

/// Strides, in elements, of a tile with shared memory of its own.
llvm::SmallVector<int64_t> getTileStrides(llvm::ArrayRef<int64_t> shape, mlir::Type element);
/// Bytes of a tile with shared memory of its own, a multiple of 16.
int64_t getTileBytes(mlir::RankedTensorType type, Panels panels = {});

/// The dimension of a tile that each loop of an op is, read through `access`; -1 for loops that it
/// lacks. Nothing if the access is not of that form.
std::optional<llvm::SmallVector<int64_t>> getLoopDims(const Access &access, int64_t numLoops);

class Homes {
public:
  /// Decides, erases bands, and makes a `linalg.copy` in front of every use that needs a tile in
  /// memory which lives in registers.
  Homes(mlir::func::FuncOp phase, Machine &machine);

  /// The byte offset in shared memory, or -1.
  int64_t getOffset(mlir::Value tile) const;
  int64_t getTemporary(mlir::Operation *op) const { return places.temporaries.lookup(op); }
  int64_t getSharedBytes() const { return places.bytes; }
  /// The loads of a loop's body that run a round ahead (Prefetches.h). Their tiles have two
  /// buffers, one behind the other.
  llvm::ArrayRef<tile::LoadOp> getPrefetches(mlir::scf::ForOp loop) const;
  bool isPrefetched(tile::LoadOp load) const;
  /// The layout of a tile in registers, or null.
  const Layout *getLayout(mlir::Value tile) const;
  /// The layout over the loops of an elementwise op or a reduction along which it works; null:
  /// elements are spread over the threads in their order.
  const Layout *getWork(mlir::Operation *op) const;
  /// The matrix operations of a contraction, or null.
  const Product *getProduct(mlir::Operation *op) const;
  /// Whether all warps compute the product together.
  bool isJoint(mlir::Operation *op) const { return joint.contains(op); }
  /// How a tile in shared memory lies in panels, if it does.
  Panels getPanels(mlir::Value tile) const { return joint.getPanels(tile); }
  /// What reads panels; null: the phase has none.
  JointUnit *getJointUnit() const { return joint.getUnit(); }

private:
  struct Choice {
    llvm::DenseMap<mlir::Value, Layout> layouts;
    llvm::DenseMap<mlir::Operation *, Layout> work;
    llvm::DenseMap<mlir::Operation *, Product> products;
  };
  class Spreader;

  void choosePlaces(mlir::func::FuncOp phase, const Machine &machine);

  Choice choice;
  JointProducts joint;
  TilePlaces places;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<tile::LoadOp>> prefetches;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_HOMES_H
