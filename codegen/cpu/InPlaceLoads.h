//===- InPlaceLoads.h - Tiles that are read where the caller has them -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile in scratch memory has rows of whole vectors, and zeros where it reaches beyond
// its tensor. A loaded tile of which every user gets by without the first, and which
// lies inside the tensor, needs no copy.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_INPLACELOADS_H
#define MIXWRIGHT_CODEGEN_CPU_INPLACELOADS_H

#include "dialect/Tile.h"

namespace mix::cpu {

/// Whether all users of the tile read it with any strides between rows and never read
/// beyond the end of a row, before anything is stored to the tensor. `lanes` are those of
/// the phase.
bool isReadableInPlace(tile::LoadOp load, int64_t lanes);

/// Whether the same holds for pairs of elements of the tile along its last axis, and nothing is
/// ever stored to the tensor.
bool arePairsReadableInPlace(tile::LoadOp load, mlir::Value pairs, int64_t lanes);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_INPLACELOADS_H
