//===- Prefetches.cpp - Memory that is asked for ahead of time --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Prefetches.h"
#include "codegen/cpu/Memory.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Cache lines of one position of the first axis.
static int64_t getLinesPerRow(const Tile &tile) {
  int64_t lines = llvm::divideCeil(tile.shape.back() * getStorageBytes(tile.element), kCacheLine);
  for (int64_t size : ArrayRef(tile.shape).drop_front().drop_back())
    lines *= size;
  return lines;
}

/// Asks for the lines of a tile from a position of its first axes on.
static void emitLines(KernelBuilder &k, const Tile &tile, bool isWritten,
                      SmallVector<Value> &position) {
  int64_t dim = position.size();
  if (dim + 1 < tile.rank())
    return k.loop(0, tile.shape[dim], 1, [&](Value iv) {
      position.push_back(iv);
      emitLines(k, tile, isWritten, position);
      position.pop_back();
    });
  position.push_back(k.constant(0));
  Value row = k.address(tile.pointer, tile.element, k.offset(tile, position));
  position.pop_back();
  int64_t lineElements = kCacheLine / getStorageBytes(tile.element);
  for (int64_t column = 0; column < tile.shape.back(); column += lineElements)
    k.prefetch(row, tile.element, k.constant(column), isWritten);
}

void cpu::askForTile(KernelBuilder &k, const Tile &tile, bool isWritten) {
  SmallVector<Value> position;
  emitLines(k, tile, isWritten, position);
}

void cpu::askForRows(KernelBuilder &k, const Tile &tile, bool isWritten) {
  Value rowLength = k.constant(tile.shape.back());
  Value areApart = k.compare(arith::CmpIPredicate::sgt, k.stride(tile, tile.rank() - 2), rowLength);
  k.ifThen(areApart, [&] { askForTile(k, tile, isWritten); });
}

void PrefetchShare::emit(KernelBuilder &k, Value number) const {
  for (const Part &part : parts) {
    Value first = k.add(k.scale(number, part.rowsEach), k.constant(part.firstRow));
    for (int64_t row = 0; row < part.rowsEach; ++row) {
      SmallVector<Value> position = {k.add(first, k.constant(row))};
      emitLines(k, part.tile, part.isWritten, position);
    }
  }
}

void Prefetches::add(KernelBuilder &k, Block *block, Tile tile, bool isWritten) {
  k.loop(0, tile.shape.front(), 1, [&](Value row) {
    SmallVector<Value> position(tile.rank(), k.constant(0));
    position.front() = row;
    k.prefetch(tile.pointer, tile.element, k.offset(tile, position), isWritten);
  });
  if (tile.rank() > 1)
    queue.push_back({block, std::move(tile), isWritten, 0});
}

PrefetchShare Prefetches::take(Block *block, int64_t count, int64_t lines) {
  PrefetchShare share;
  for (Wanted &wanted : queue) {
    if (wanted.block != block)
      continue;
    int64_t perRow = getLinesPerRow(wanted.tile);
    int64_t rows = wanted.tile.shape.front() - wanted.firstRow;
    int64_t rowsEach = std::min<int64_t>(llvm::divideCeil(rows, count), lines / perRow);
    if (rowsEach <= 0)
      continue;
    share.parts.push_back({wanted.tile, wanted.isWritten, wanted.firstRow, rowsEach});
    wanted.firstRow += std::min(rowsEach * count, rows);
    lines -= rowsEach * perRow;
  }
  llvm::erase_if(queue,
                 [](const Wanted &wanted) { return wanted.firstRow >= wanted.tile.shape.front(); });
  return share;
}

void Prefetches::finish(KernelBuilder &k, Block *block) {
  for (const Wanted &wanted : queue) {
    if (wanted.block != block || wanted.isWritten)
      continue;
    k.loop(wanted.firstRow, wanted.tile.shape.front(), 1, [&](Value row) {
      SmallVector<Value> position = {row};
      emitLines(k, wanted.tile, wanted.isWritten, position);
    });
  }
  llvm::erase_if(queue, [&](const Wanted &wanted) { return wanted.block == block; });
}
