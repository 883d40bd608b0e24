//===- TileTransport.h - What a chunk's rows become in later rows -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Several states mix by a small matrix `A[t]` per token, and update `m` enters them with
// the weights `u_m[t]`. From row `i` to row `t` of a chunk,
//
//   P[t, i] = A[t] A[t-1] .. A[i+1],   p[t] = A[t] .. A[0]
//
// What a reader `x[t]` of state `j` finds of update `m` in row `i` is
//
//   sum over X of x[t] (P[t, i] u_m[i])_j l_m[i]
//
// times its row `y_m[i]`. If the matrices are the same for all of X, this is a Gram matrix times
// a number per pair of rows; else the lefts themselves are carried from row to row. Either is made
// row by row, by products alone: `A` may be singular, and have eigenvalues of any sign or none
// that are real.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILETRANSPORT_H
#define MIXWRIGHT_PASSES_TILETRANSPORT_H

#include "passes/TileScan.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mix {

/// The contracted axes of a state fused into one.
inline constexpr llvm::StringLiteral kX = "x";

/// A read or a query.
struct Reader {
  Tile tile;
  unsigned state;
  /// Whether it reads the state before the update of its own token.
  bool isBefore;
};

class Transport {
public:
  /// Emits the products. `mixes` are those of `ChunkScan`, `lefts` and readers over
  /// `[kRow, kX]`; mixes of states may have `kX` too.
  Transport(TileBuilder &tb, unsigned numStates, llvm::ArrayRef<ChunkScan::Coef> mixes,
            llvm::ArrayRef<Tile> lefts, llvm::ArrayRef<Reader> readers);

  /// The factor of state `from`, as it comes into the chunk, in what the reader finds: over
  /// `kRow`, or `[kRow, kX]`. None if it is always zero.
  std::optional<Tile> getIncoming(unsigned reader, unsigned from) const;
  /// What the readers of `kRow` find of the update's rows of `kColumn`, over both: zero where the
  /// column is not earlier (or the same row, unless the reader is before the update).
  std::optional<Tile> getProducts(unsigned reader, unsigned update) const;
  /// At the end of the chunk: the factor of a state that came in, and the lefts of an update.
  std::optional<Tile> getIncomingAtEnd(unsigned to, unsigned from) const;
  std::optional<Tile> getLeftsAtEnd(unsigned to, unsigned update) const;

private:
  /// What a source becomes in one state: weights of updates, an update, or (-1) the states
  /// that come in.
  struct Track {
    unsigned state;
    int source;
    Tile last; ///< After the last row so far.
  };
  /// What is kept of a track at every row: itself, or (`reader >= 0`) what a reader finds of it.
  struct Record {
    unsigned track;
    int reader;
    bool isBefore;
    Tile rows;
  };

  std::optional<unsigned> findTrack(unsigned state, int source) const;
  const Record *findRecord(unsigned track, int reader, bool isBefore) const;
  void findReach();
  void findSources();
  void addTracks(int source, const llvm::SmallBitVector &states);
  void addRecord(unsigned track, int reader, bool isBefore);
  void emitLoop();
  Tile emitTrack(const Track &track, mlir::Value row, llvm::ArrayRef<Tile> current);
  Tile getStart(const Track &track);
  unsigned getUpdate(unsigned column) const { return column - numStates; }

  TileBuilder &tb;
  unsigned numStates;
  llvm::ArrayRef<ChunkScan::Coef> mixes;
  llvm::ArrayRef<Tile> lefts;
  llvm::ArrayRef<Reader> readers;
  bool isPerChannel;
  /// The states that a state's elements get to.
  llvm::SmallVector<llvm::SmallBitVector> reach;
  /// Per update the number of its source, and per source an update that has it.
  llvm::SmallVector<int> sourceOf;
  llvm::SmallVector<unsigned> updateOf;
  llvm::SmallVector<Track> tracks;
  llvm::SmallVector<Record> records;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILETRANSPORT_H
