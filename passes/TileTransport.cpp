//===- TileTransport.cpp - What a chunk's rows become in later rows --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TileTransport.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The states that come into a chunk.
static constexpr llvm::StringLiteral kIncoming = "incoming";
static constexpr int kOfStates = -1;

Transport::Transport(TileBuilder &tb, const ChunkScan &scan) : tb(tb), scan(scan) {
  tb.setSize(kIncoming, scan.states.size());
  findReach();
  findSources();
  addTracks(kOfStates, llvm::SmallBitVector(scan.states.size(), true));
  for (auto [source, update] : llvm::enumerate(updateOf)) {
    llvm::SmallBitVector states(scan.states.size());
    for (const ChunkScan::Coef &mix : scan.mixes)
      if (mix.column == scan.states.size() + update)
        states |= reach[mix.row];
    addTracks(source, states);
  }
  emitLoop();
}

void Transport::findReach() {
  unsigned numStates = scan.states.size();
  reach.assign(numStates, llvm::SmallBitVector(numStates));
  for (const ChunkScan::Coef &mix : scan.mixes)
    if (mix.column < numStates)
      reach[mix.column].set(mix.row);
  for (unsigned via = 0; via < numStates; ++via)
    for (llvm::SmallBitVector &states : reach)
      if (states.test(via))
        states |= reach[via];
}

/// Updates with the same weights share their tracks.
void Transport::findSources() {
  auto getWeights = [&](unsigned update) {
    SmallVector<std::pair<unsigned, Value>> weights;
    for (const ChunkScan::Coef &mix : scan.mixes)
      if (mix.column == scan.states.size() + update)
        weights.push_back({mix.row, mix.tile.value});
    return weights;
  };
  for (unsigned m = 0; m < scan.lefts.size(); ++m) {
    auto isSame = [&](unsigned other) { return getWeights(other) == getWeights(m); };
    auto it = llvm::find_if(updateOf, isSame);
    sourceOf.push_back(it - updateOf.begin());
    if (it == updateOf.end())
      updateOf.push_back(m);
  }
}

/// Tracks of a source in the states that it gets to, with the tiles that somebody needs.
void Transport::addTracks(int source, const llvm::SmallBitVector &states) {
  for (unsigned state : states.set_bits()) {
    Track track{state, source, {}, {}, {}};
    SmallVector<StringRef, 3> axes = {kRow, source == kOfStates ? kIncoming : kColumn};
    bool isNeeded[2] = {false, llvm::is_contained(scan.readOf, state)};
    for (auto [of, isAfter] : llvm::zip(scan.queryOf, scan.after))
      isNeeded[!isAfter] |= of == state;
    if (isNeeded[true])
      track.before = tb.empty(axes, tb.element);
    if (isNeeded[false])
      track.after = tb.empty(axes, tb.element);
    tracks.push_back(track);
  }
}

const Transport::Track *Transport::find(unsigned state, int source) const {
  auto it = llvm::find_if(
      tracks, [&](const Track &track) { return track.state == state && track.source == source; });
  return it == tracks.end() ? nullptr : &*it;
}

/// Before the first row a state holds itself, and nothing of the rows.
Tile Transport::getStart(const Track &track) {
  if (track.source != kOfStates)
    return tb.zeros({kColumn});
  Value zero = tb.real(0), one = tb.real(1);
  return tb.map({}, {kIncoming}, [&](ElementBuilder &body) -> Value {
    Value state = arith::ConstantIndexOp::create(body.builder, body.loc, track.state);
    Value isOwn = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::eq,
                                        body.index(kIncoming), state);
    return arith::SelectOp::create(body.builder, body.loc, isOwn, one, zero);
  });
}

/// The track after the update of `row`, from all tracks before it.
Tile Transport::emitRow(const Track &track, Value row, ArrayRef<Tile> current) {
  SmallVector<Tile> terms;
  Tile weight;
  for (const ChunkScan::Coef &mix : scan.mixes) {
    if (mix.row != track.state)
      continue;
    if (mix.column >= scan.states.size()) {
      if (track.source != kOfStates && updateOf[track.source] == mix.column - scan.states.size())
        weight = tb.extract(mix.tile, kRow, row);
    } else if (const Track *from = find(mix.column, track.source)) {
      terms.push_back(tb.extract(mix.tile, kRow, row));
      terms.push_back(current[from - tracks.data()]);
    }
  }
  size_t numTerms = terms.size();
  if (weight.value)
    terms.push_back(weight);
  AxisList axes = current[&track - tracks.data()].axes;
  return tb.map(terms, axes, [&](ElementBuilder &body) -> Value {
    OpBuilder &b = body.builder;
    Value sum = addProducts(body, Value(), 0, numTerms);
    if (!weight.value)
      return sum;
    // The row itself has been nothing up to here.
    Value isOwn =
        arith::CmpIOp::create(b, body.loc, arith::CmpIPredicate::eq, body.index(kColumn), row);
    return arith::SelectOp::create(b, body.loc, isOwn, body.elements.back(), sum);
  });
}

void Transport::emitLoop() {
  // Carried: the tracks, then their tiles of all rows.
  SmallVector<Tile *> tiles;
  for (Track &track : tracks) {
    track.last = getStart(track);
    tiles.push_back(&track.last);
  }
  for (Track &track : tracks)
    for (Tile *rows : {&track.before, &track.after})
      if (rows->value)
        tiles.push_back(rows);
  SmallVector<Value> inits = llvm::map_to_vector(tiles, [](Tile *tile) { return tile->value; });
  auto loop = scf::ForOp::create(tb.builder, tb.loc, tb.index(0), tb.index(tb.getSize(kRow)),
                                 tb.index(1), inits);
  for (auto [tile, argument] : llvm::zip(tiles, loop.getRegionIterArgs()))
    tile->value = argument;
  {
    OpBuilder::InsertionGuard guard(tb.builder);
    tb.builder.setInsertionPointToStart(loop.getBody());
    Value row = loop.getInductionVar();
    SmallVector<Tile> current =
        llvm::map_to_vector(tracks, [](Track &track) { return track.last; });
    for (auto [track, old] : llvm::zip(tracks, current)) {
      track.last = emitRow(track, row, current);
      if (track.before.value)
        track.before = tb.insert(old, track.before, row);
      if (track.after.value)
        track.after = tb.insert(track.last, track.after, row);
    }
    scf::YieldOp::create(tb.builder, tb.loc,
                         llvm::map_to_vector(tiles, [](Tile *tile) { return tile->value; }));
  }
  for (auto [tile, result] : llvm::zip(tiles, loop.getResults()))
    tile->value = result;
}

std::optional<Tile> Transport::getIncoming(unsigned to, unsigned from, bool isBefore) const {
  if (!reach[from].test(to))
    return std::nullopt;
  const Track *track = find(to, kOfStates);
  return tb.extract(isBefore ? track->before : track->after, kIncoming,
                    tb.builder.getIndexAttr(from));
}

std::optional<Tile> Transport::getBetween(unsigned to, unsigned update, bool isBefore) const {
  const Track *track = find(to, sourceOf[update]);
  if (!track)
    return std::nullopt;
  return isBefore ? track->before : track->after;
}

std::optional<Tile> Transport::getIncomingAtEnd(unsigned to, unsigned from) const {
  if (!reach[from].test(to))
    return std::nullopt;
  return tb.extract(find(to, kOfStates)->last, kIncoming, tb.builder.getIndexAttr(from));
}

std::optional<Tile> Transport::getRowsAtEnd(unsigned to, unsigned update) const {
  const Track *track = find(to, sourceOf[update]);
  if (!track)
    return std::nullopt;
  return tb.rename(track->last, kColumn, kRow);
}
