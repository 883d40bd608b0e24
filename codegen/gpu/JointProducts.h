//===- JointProducts.h - Products that all warps compute together -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_JOINTPRODUCTS_H
#define MIXWRIGHT_CODEGEN_GPU_JOINTPRODUCTS_H

#include "codegen/gpu/JointUnit.h"
#include "codegen/gpu/Product.h"

namespace mix::gpu {

/// Which products of a phase run on the joint unit of the chip, and which tiles lie in panels for
/// them. A product fits if every warp has 16 of 64 rows and the right factor is a loaded tile
/// that is only ever accessed by position; the left factor may be anywhere.
class JointProducts {
public:
  void add(mlir::Operation *op, const Product &product, Machine &machine);

  bool contains(mlir::Operation *op) const { return products.contains(op); }
  /// The unit on which they run; null: there are none.
  JointUnit *getUnit() const { return unit; }
  Panels getPanels(mlir::Value tile) const { return tiles.lookup(tile); }

private:
  JointUnit *unit = nullptr;
  llvm::DenseSet<mlir::Operation *> products;
  llvm::DenseMap<mlir::Value, Panels> tiles;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_JOINTPRODUCTS_H
