//===- TileScan.h - The chunked form of an affine scan ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILESCAN_H
#define MIXWRIGHT_PASSES_TILESCAN_H

#include "passes/TileBuilder.h"
#include <optional>

namespace mix {

/// The axis of a chunk's tokens, and the one of the earlier tokens in a pair.
inline constexpr llvm::StringLiteral kRow = "row";
inline constexpr llvm::StringLiteral kColumn = "col";

/// One chunk of `mix.affine_scan`. Tokens run along `kRow`; rows past the end of the
/// sequence have decay 1 and lefts, values, reads and coefs 0.
struct ChunkScan {
  struct Coef {
    unsigned row, column;
    Tile tile;
  };
  /// Axes of the states that reads and queries contract, and their others.
  llvm::SmallVector<llvm::StringRef, 3> contracted, free;
  llvm::SmallVector<Tile> states;
  /// Of one state.
  std::optional<Tile> decay;
  /// Of several: the factor of column (a state, or behind them an update) in the next value
  /// of state `row`.
  llvm::SmallVector<Coef> mixes;
  llvm::SmallVector<Tile> lefts, values, reads, queries;
  /// The states that reads and queries are of.
  llvm::SmallVector<unsigned> readOf, queryOf;
  llvm::SmallVector<Coef> coefs;
  llvm::SmallVector<bool> after;
};

/// Why a scan has no chunked form; empty if it has.
llvm::StringRef getChunkObstacle(AffineScanOp op);

struct ChunkScanResult {
  llvm::SmallVector<Tile> states;
  /// Per query, over `kRow` and the free axes.
  llvm::SmallVector<Tile> outputs;
};

/// Emits the chunk. With `a` the decay, `p` its products from the start of the chunk
/// to a row (`p'` without the row itself) and `P[t, i]` from row `i` to row `t`:
///
/// ```
/// r_p[t]  = (w_p[t] p'[t]) . S + sum over i < t, m of (w_p[t] P'[t, i] . l_m[i]) y_m[i]
/// y_m[t]  = c_m[t] + sum over p of k_mp[t] r_p[t]
/// out[t]  = (q[t] p[t]) . S + sum over i <= t, m of (q[t] P[t, i] . l_m[i]) y_m[i]
/// S'      = p[C-1] S + sum over i, m of (l_m[i] P[C-1, i]) y_m[i]
/// ```
///
/// The first two are one unit lower triangular system in the rows `y`. Only products of
/// decays occur, so a decay may have any sign and may be zero. Of several states, `p` and `P`
/// are products of the matrices of mixes (`TileTransport.h`), and each state has its `S'`.
ChunkScanResult emitChunkScan(TileBuilder &tb, const ChunkScan &scan);

/// Emits one token as it is defined, for any scan. Tiles have no row, and so have the outputs.
ChunkScanResult emitTokenScan(TileBuilder &tb, const ChunkScan &token);

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILESCAN_H
