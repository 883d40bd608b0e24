//===- Bands.h - Parts of tiles that matter ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What products make of `tile.band`: a block of accumulators outside of the band of the
// result is zero, and a sum runs over the band of an operand only.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_BANDS_H
#define MIXWRIGHT_CODEGEN_CPU_BANDS_H

#include "codegen/cpu/KernelBuilder.h"
#include "mlir/IR/IRMapping.h"

namespace mix::cpu {

class Band {
public:
  int64_t rows, columns; ///< Dimensions of the tile.

  /// The band of a tile, or of what is made of it element by element and of nothing else. None
  /// if its bounds are not among the scalars that were emitted.
  static std::optional<Band> find(KernelBuilder &k, mlir::Value tile,
                                  const mlir::IRMapping &scalars);

  struct Range {
    mlir::Value first, end; ///< i64
  };
  /// The columns that matter to some of `count` rows from `row` on. At least one group of rows
  /// is looked at.
  Range getColumns(KernelBuilder &k, mlir::Value row, int64_t count) const;

private:
  /// The bound of the group that the row is in.
  mlir::Value get(KernelBuilder &k, llvm::ArrayRef<mlir::Value> bounds, mlir::Value row) const;

  int64_t groupSize;
  llvm::SmallVector<mlir::Value> firsts, ends; ///< Per group, i64.
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_BANDS_H
