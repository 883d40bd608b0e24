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
static constexpr int kOfStates = -1, kItself = -1;

Transport::Transport(TileBuilder &tb, unsigned numStates, ArrayRef<ChunkScan::Coef> mixes,
                     ArrayRef<Tile> lefts, ArrayRef<Reader> readers)
    : tb(tb), numStates(numStates), mixes(mixes), lefts(lefts), readers(readers),
      isPerChannel(
          llvm::any_of(mixes, [](const ChunkScan::Coef &mix) { return mix.tile.has(kX); })) {
  tb.setSize(kIncoming, numStates);
  findReach();
  findSources();
  addTracks(kOfStates, llvm::SmallBitVector(numStates, true));
  for (auto [source, update] : llvm::enumerate(updateOf)) {
    llvm::SmallBitVector states(numStates);
    for (const ChunkScan::Coef &mix : mixes)
      if (mix.column >= numStates && getUpdate(mix.column) == update)
        states |= reach[mix.row];
    addTracks(source, states);
  }
  emitLoop();
}

//===----------------------------------------------------------------------===//
// What is needed
//===----------------------------------------------------------------------===//

void Transport::findReach() {
  reach.assign(numStates, llvm::SmallBitVector(numStates));
  for (const ChunkScan::Coef &mix : mixes)
    if (mix.column < numStates)
      reach[mix.column].set(mix.row);
  for (unsigned via = 0; via < numStates; ++via)
    for (llvm::SmallBitVector &states : reach)
      if (states.test(via))
        states |= reach[via];
}

/// Updates with the same weights share their tracks, unless their lefts are carried.
void Transport::findSources() {
  auto getWeights = [&](unsigned update) {
    SmallVector<std::pair<unsigned, Value>> weights;
    for (const ChunkScan::Coef &mix : mixes)
      if (mix.column >= numStates && getUpdate(mix.column) == update)
        weights.push_back({mix.row, mix.tile.value});
    return weights;
  };
  for (unsigned m = 0; m < lefts.size(); ++m) {
    auto isSame = [&](unsigned other) {
      return !isPerChannel && getWeights(other) == getWeights(m);
    };
    auto it = llvm::find_if(updateOf, isSame);
    sourceOf.push_back(it - updateOf.begin());
    if (it == updateOf.end())
      updateOf.push_back(m);
  }
}

/// Tracks of a source in the states that it gets to, and what readers need of them.
void Transport::addTracks(int source, const llvm::SmallBitVector &states) {
  for (unsigned state : states.set_bits()) {
    unsigned track = tracks.size();
    tracks.push_back({state, source, {}});
    for (auto [n, reader] : llvm::enumerate(readers))
      if (reader.state == state)
        addRecord(track, isPerChannel && source != kOfStates ? n : kItself, reader.isBefore);
  }
}

void Transport::addRecord(unsigned track, int reader, bool isBefore) {
  if (findRecord(track, reader, isBefore))
    return;
  bool isOfStates = tracks[track].source == kOfStates;
  SmallVector<StringRef, 3> axes = {kRow, isOfStates ? kIncoming : kColumn};
  if (isPerChannel && isOfStates)
    axes.push_back(kX);
  records.push_back({track, reader, isBefore, tb.empty(axes, tb.element)});
}

std::optional<unsigned> Transport::findTrack(unsigned state, int source) const {
  for (auto [n, track] : llvm::enumerate(tracks))
    if (track.state == state && track.source == source)
      return n;
  return std::nullopt;
}

const Transport::Record *Transport::findRecord(unsigned track, int reader, bool isBefore) const {
  auto it = llvm::find_if(records, [&](const Record &record) {
    return record.track == track && record.reader == reader && record.isBefore == isBefore;
  });
  return it == records.end() ? nullptr : &*it;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// Before the first row a state holds itself, and nothing of the rows.
Tile Transport::getStart(const Track &track) {
  bool isOfStates = track.source == kOfStates;
  SmallVector<StringRef, 3> axes = {isOfStates ? kIncoming : kColumn};
  if (isPerChannel)
    axes.push_back(kX);
  if (!isOfStates)
    return tb.zeros(axes);
  Value zero = tb.real(0), one = tb.real(1);
  return tb.map({}, axes, [&](ElementBuilder &body) -> Value {
    Value state = arith::ConstantIndexOp::create(body.builder, body.loc, track.state);
    Value isOwn = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::eq,
                                        body.index(kIncoming), state);
    return arith::SelectOp::create(body.builder, body.loc, isOwn, one, zero);
  });
}

/// The track after the update of `row`, from all tracks before it.
Tile Transport::emitTrack(const Track &track, Value row, ArrayRef<Tile> current) {
  SmallVector<Tile> terms, own;
  for (const ChunkScan::Coef &mix : mixes) {
    if (mix.row != track.state)
      continue;
    if (mix.column < numStates) {
      if (std::optional<unsigned> from = findTrack(mix.column, track.source)) {
        terms.push_back(tb.extract(mix.tile, kRow, row));
        terms.push_back(current[*from]);
      }
    } else if (track.source != kOfStates && updateOf[track.source] == getUpdate(mix.column)) {
      own.push_back(tb.extract(mix.tile, kRow, row));
      if (isPerChannel)
        own.push_back(tb.extract(lefts[getUpdate(mix.column)], kRow, row));
    }
  }
  size_t numTerms = terms.size();
  llvm::append_range(terms, own);
  return tb.map(terms, track.last.axes, [&](ElementBuilder &body) -> Value {
    OpBuilder &b = body.builder;
    Value sum = addProducts(body, Value(), 0, numTerms);
    if (own.empty())
      return sum;
    // The row itself has been nothing up to here.
    Value written = body.elements[numTerms];
    if (isPerChannel)
      written = arith::MulFOp::create(b, body.loc, written, body.elements.back());
    Value isOwn =
        arith::CmpIOp::create(b, body.loc, arith::CmpIPredicate::eq, body.index(kColumn), row);
    return arith::SelectOp::create(b, body.loc, isOwn, written, sum);
  });
}

void Transport::emitLoop() {
  // Carried: the tracks, then the records of all rows.
  SmallVector<Tile *> tiles;
  for (Track &track : tracks) {
    track.last = getStart(track);
    tiles.push_back(&track.last);
  }
  for (Record &record : records)
    tiles.push_back(&record.rows);
  SmallVector<Value> inits = llvm::map_to_vector(tiles, [](Tile *tile) { return tile->value; });
  auto loop = scf::ForOp::create(tb.builder, tb.loc, tb.index(0), tb.index(tb.getSize(kRow)),
                                 tb.index(1), inits);
  for (auto [tile, argument] : llvm::zip(tiles, loop.getRegionIterArgs()))
    tile->value = argument;
  {
    OpBuilder::InsertionGuard guard(tb.builder);
    tb.builder.setInsertionPointToStart(loop.getBody());
    Value row = loop.getInductionVar();
    SmallVector<Tile> before =
        llvm::map_to_vector(tracks, [](const Track &track) { return track.last; });
    SmallVector<Tile> after = llvm::map_to_vector(
        tracks, [&](const Track &track) { return emitTrack(track, row, before); });
    for (Record &record : records) {
      Tile found = record.isBefore ? before[record.track] : after[record.track];
      if (record.reader != kItself)
        found = tb.contract(tb.extract(readers[record.reader].tile, kRow, row), found, {kColumn});
      record.rows = tb.insert(found, record.rows, row);
    }
    for (auto [track, tile] : llvm::zip(tracks, after))
      track.last = tile;
    scf::YieldOp::create(tb.builder, tb.loc,
                         llvm::map_to_vector(tiles, [](Tile *tile) { return tile->value; }));
  }
  for (auto [tile, result] : llvm::zip(tiles, loop.getResults()))
    tile->value = result;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

std::optional<Tile> Transport::getIncoming(unsigned n, unsigned from) const {
  const Reader &reader = readers[n];
  if (!reach[from].test(reader.state))
    return std::nullopt;
  unsigned track = *findTrack(reader.state, kOfStates);
  return tb.extract(findRecord(track, kItself, reader.isBefore)->rows, kIncoming,
                    tb.builder.getIndexAttr(from));
}

std::optional<Tile> Transport::getProducts(unsigned n, unsigned update) const {
  const Reader &reader = readers[n];
  std::optional<unsigned> track = findTrack(reader.state, sourceOf[update]);
  if (!track)
    return std::nullopt;
  if (isPerChannel)
    return findRecord(*track, n, reader.isBefore)->rows;
  Tile products =
      tb.contract(reader.tile, tb.rename(lefts[update], kRow, kColumn), {kRow, kColumn});
  return tb.mul(products, findRecord(*track, kItself, reader.isBefore)->rows);
}

std::optional<Tile> Transport::getIncomingAtEnd(unsigned to, unsigned from) const {
  if (!reach[from].test(to))
    return std::nullopt;
  return tb.extract(tracks[*findTrack(to, kOfStates)].last, kIncoming,
                    tb.builder.getIndexAttr(from));
}

std::optional<Tile> Transport::getLeftsAtEnd(unsigned to, unsigned update) const {
  std::optional<unsigned> track = findTrack(to, sourceOf[update]);
  if (!track)
    return std::nullopt;
  Tile last = tb.rename(tracks[*track].last, kColumn, kRow);
  return isPerChannel ? last : tb.mul(lefts[update], last);
}
