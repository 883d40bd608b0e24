//===- InPlaceStores.h - Tiles that are made where the caller wants them -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state that a step updates is read once and written once: the elementwise operation
// that makes the new state reads its elements where they are, and writes them back there.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_INPLACESTORES_H
#define MIXWRIGHT_CODEGEN_CPU_INPLACESTORES_H

#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mix::cpu {

/// The store into whose memory the op can write its result while it is computed; null if there
/// is none. The op is elementwise, nothing reads the tensor's old elements after it or the tensor
/// between it and the store, and rows are whole vectors. `lanes` are those of the phase.
tile::StoreOp getInPlaceStore(mlir::linalg::LinalgOp op, int64_t lanes);

/// Whether the tensor that the load reads may be written by a store of the phase before the
/// last use of the tile.
bool isOverwritten(tile::LoadOp load);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_INPLACESTORES_H
