//===- Prefetches.h - Memory that is asked for ahead of time ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop over blocks of tokens asks for the rows of its next block while it works on
// this one. All at once they would wait for one another, so that they are handed out,
// a few lines at a time, to the micro-kernels of the products that follow.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PREFETCHES_H
#define MIXWRIGHT_CODEGEN_CPU_PREFETCHES_H

#include "codegen/cpu/KernelBuilder.h"
#include "mlir/IR/Block.h"

namespace mix::cpu {

/// Rows of tiles that every iteration of some loop asks for.
class PrefetchShare {
public:
  /// Emits the prefetches of iteration `number`.
  void emit(KernelBuilder &k, mlir::Value number) const;

private:
  friend class Prefetches;
  struct Part {
    Tile tile;
    bool isWritten;
    int64_t firstRow, rowsEach;
  };
  llvm::SmallVector<Part, 2> parts;
};

/// Asks for all of a tile at once, if its rows lie apart from one another: each is on a page of
/// its own then, and whoever needs them one by one waits for one page after the other.
void askForRows(KernelBuilder &k, const Tile &tile, bool isWritten);

/// Asks for all lines of a tile that will be read some rounds later.
void askForTile(KernelBuilder &k, const Tile &tile, bool isWritten);

class Prefetches {
public:
  /// Wants the rows of a tile, to read or to write them. Asks for the first line of every row at
  /// once: rows far apart lie on pages of their own, and looking up many pages at a time takes
  /// hardly longer than one. What is emitted later in `block`, the block of the tile program,
  /// may ask for the others.
  void add(KernelBuilder &k, mlir::Block *block, Tile tile, bool isWritten);
  /// Hands out what `count` iterations can ask for at `lines` cache lines each.
  PrefetchShare take(mlir::Block *block, int64_t count, int64_t lines);
  /// Asks for all that is left to read at the end of the block.
  void finish(KernelBuilder &k, mlir::Block *block);

private:
  struct Wanted {
    mlir::Block *block;
    Tile tile;
    bool isWritten;
    int64_t firstRow;
  };
  llvm::SmallVector<Wanted, 4> queue;
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_PREFETCHES_H
