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
// What reads and queries of state `j` need of it is `(P[t, i] u_m[i])_j`, a number per pair
// of rows, and the row `p[t]_j` for the states that come into the chunk. They are made row by
// row, by products alone: `A` may be singular, and have eigenvalues of any sign or none that are
// real.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILETRANSPORT_H
#define MIXWRIGHT_PASSES_TILETRANSPORT_H

#include "passes/TileScan.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mix {

class Transport {
public:
  /// Emits the products. The mixes of the scan are over `kRow` alone.
  Transport(TileBuilder &tb, const ChunkScan &scan);

  /// The factor of state `from`, as it comes into the chunk, in state `to` at every row: over
  /// `kRow`, before the row's own update if `isBefore`. None if it is always zero.
  std::optional<Tile> getIncoming(unsigned to, unsigned from, bool isBefore) const;
  /// The factor of row `kColumn` of an update in state `to` at row `kRow`, zero where the
  /// column is not earlier (or the same row, unless `isBefore`).
  std::optional<Tile> getBetween(unsigned to, unsigned update, bool isBefore) const;
  /// The same at the end of the chunk: a scalar, and a tile over `kRow`.
  std::optional<Tile> getIncomingAtEnd(unsigned to, unsigned from) const;
  std::optional<Tile> getRowsAtEnd(unsigned to, unsigned update) const;

private:
  /// What one set of weights, or the states that come in, becomes in one state.
  struct Track {
    unsigned state;
    /// The number of the weights, or -1 for the states that come in.
    int source;
    /// After the last row, and at every row before and after its update.
    Tile last, before, after;
  };
  const Track *find(unsigned state, int source) const;
  Track *find(unsigned state, int source) {
    return const_cast<Track *>(static_cast<const Transport *>(this)->find(state, source));
  }
  void findReach();
  void findSources();
  void addTracks(int source, const llvm::SmallBitVector &states);
  void emitLoop();
  Tile emitRow(const Track &track, mlir::Value row, llvm::ArrayRef<Tile> current);
  Tile getStart(const Track &track);

  TileBuilder &tb;
  const ChunkScan &scan;
  /// The states that a state's elements get to.
  llvm::SmallVector<llvm::SmallBitVector> reach;
  /// Per update the number of its weights, and per weights an update that has them.
  llvm::SmallVector<int> sourceOf;
  llvm::SmallVector<unsigned> updateOf;
  llvm::SmallVector<Track> tracks;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILETRANSPORT_H
