//===- Factor.h - A factor of a product on matrix units ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_FACTOR_H
#define MIXWRIGHT_CODEGEN_GPU_FACTOR_H

#include "codegen/gpu/PhaseEmitter.h"

namespace mix::gpu {

/// A factor of a product, which is read fragment by fragment.
struct PhaseEmitter::Factor {
  const Tile &tile;
  const Layout &layout;
  const Fragment &fragment;
  const int64_t (&dims)[2]; ///< Of the tile, per dimension of the fragment.
  int sumDim;               ///< The dimension of the fragment along which products are summed.
  mlir::Type element;       ///< Of the fragment.
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_FACTOR_H
