//===- Prefetches.h - Tiles that are loaded a round ahead -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where copies to shared memory are asynchronous, a round of a loop can start those of the next
// one before it works on its own tiles. Such a tile has two buffers, which take turns.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PREFETCHES_H
#define MIXWRIGHT_CODEGEN_GPU_PREFETCHES_H

#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mix::gpu {

/// The loads in the body of a loop of the phase that can run a round ahead: the place of the tile
/// follows from the loop's variable by scalar arithmetic, the phase does not write to the
/// tensor, and rows can be copied as they are, 16 bytes at a time.
llvm::SmallVector<tile::LoadOp> findPrefetches(mlir::func::FuncOp phase, mlir::scf::ForOp loop);

/// The ops of the loop's body that the offsets of such a load follow from, in their order.
llvm::SetVector<mlir::Operation *> getOffsetOps(mlir::scf::ForOp loop, tile::LoadOp load);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_PREFETCHES_H
