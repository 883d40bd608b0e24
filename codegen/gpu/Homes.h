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
// column lie in different banks.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_HOMES_H
#define MIXWRIGHT_CODEGEN_GPU_HOMES_H

#include "codegen/TilePlaces.h"
#include "codegen/gpu/Layout.h"
#include "codegen/gpu/Machine.h"

namespace mix::gpu {

/// Strides, in elements, of a tile with shared memory of its own.
llvm::SmallVector<int64_t> getTileStrides(llvm::ArrayRef<int64_t> shape, mlir::Type element);
/// Bytes of a tile with shared memory of its own, a multiple of 16.
int64_t getTileBytes(mlir::RankedTensorType type);

class Homes {
public:
  Homes(mlir::func::FuncOp phase, const Machine &machine);

  /// The byte offset in shared memory, or -1.
  int64_t getOffset(mlir::Value tile) const;
  int64_t getTemporary(mlir::Operation *op) const { return places.temporaries.lookup(op); }
  /// The layout in registers, or null.
  const Layout *getLayout(mlir::Value tile) const;
  int64_t getSharedBytes() const { return places.bytes; }

private:
  TilePlaces places;
  llvm::DenseMap<mlir::Value, std::unique_ptr<Layout>> layouts;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_HOMES_H
