//===- Layout.h - Elements of a tile in the registers of a block -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layout says which element of a tile register r of thread t holds. Along dimension
// d it is at
//
//   sum over digits of (digit of t) * step [digit.dim = d]  +  registers[r][d]
//
// where the digits of t are those of its number in a mixed radix, the first the least
// significant. A digit of dimension -1 tells replicas apart: threads that differ only
// there hold the same elements. Positions beyond the shape are padding.
//
// Accumulators of every matrix operation, and blocks of rows spread over threads, are
// such layouts; so is what is left of one when an axis is reduced.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_LAYOUT_H
#define MIXWRIGHT_CODEGEN_GPU_LAYOUT_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include <array>
#include <cstdint>

namespace mix::gpu {

struct Digit {
  int64_t size;
  int64_t dim;  ///< -1: replicas.
  int64_t step; ///< Elements; 0 for replicas.

  bool operator==(const Digit &other) const {
    return size == other.size && dim == other.dim && step == other.step;
  }
};

using Position = llvm::SmallVector<int64_t, 4>;
/// Where a fragment starts: in its first and second dimension.
using Origin = std::array<int64_t, 2>;

struct Layout {
  llvm::SmallVector<int64_t> shape;    ///< Of the tile.
  llvm::SmallVector<Digit, 6> threads; ///< Sizes multiply to the threads of a block.
  llvm::SmallVector<Position> registers;

  /// The register at this constant position, or -1.
  int64_t findRegister(llvm::ArrayRef<int64_t> position) const;
  /// The register at position `at` of a part of two dimensions, `dims`, that starts at `origin`.
  int64_t findRegister(const int64_t (&dims)[2], const Origin &origin, const Position &at) const;

  /// Whether some threads' elements in register r lie beyond the shape along the dimension.
  bool mayExceed(int64_t r, int64_t dim) const;

  /// The layout of a tile that is read at dims `dims[d]` of positions of this layout (-1:
  /// its dimension d has one element).
  Layout project(llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> shape) const;

  /// Merges neighbouring digits, drops those of one element, and sorts registers by
  /// position, so that equal layouts look equal. All functions want it so.
  void normalize();

  bool isSameAs(const Layout &other) const;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_LAYOUT_H
