//===- TileScan.cpp - The chunked form of an affine scan -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TileScan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/TileTransport.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The free axes of a state fused into one.
static constexpr llvm::StringLiteral kY = "y";
/// The update among the virtual rows of one token, as a row and as a column.
static constexpr llvm::StringLiteral kMember = "m", kOther = "n";

namespace {
enum class DecayKind { None, Scalar, Contracted, Free, Mixed };

/// Emits one chunk; the axes of the state are fused to `kX` and `kY`.
class ScanEmitter {
public:
  ScanEmitter(TileBuilder &tb, const ChunkScan &scan) : tb(tb), scan(scan) {}
  ChunkScanResult emit();

private:
  using Axes = SmallVector<StringRef, 3>;

  Axes withRow(AxisList axes) const {
    Axes result = {kRow};
    llvm::append_range(result, axes);
    return result;
  }
  Tile fuseAxes(const Tile &tile, AxisList axes, StringRef name, bool hasRow);
  void prepareDecay();
  void solveValues();
  void solveSingle(unsigned update, ArrayRef<const ChunkScan::Coef *> coefs, const Tile &rhs);
  void solveGrouped(ArrayRef<unsigned> unknown, ArrayRef<Tile> rhs);
  std::optional<Tile> gram(unsigned reader, unsigned update, bool isMasked = true);
  Tile readState(unsigned reader);
  Tile addUpdates(Tile acc, unsigned reader, ArrayRef<unsigned> updates);
  Tile carryState(unsigned n);
  Tile nextState(unsigned n);
  Tile stack(ArrayRef<Tile> tiles, AxisList axes);

  TileBuilder &tb;
  const ChunkScan &scan;
  DecayKind kind = DecayKind::None;
  /// Axes `[kY]`, or none if the state has no free axes.
  Axes free;
  SmallVector<Tile> states;
  Tile decay, inclusive, exclusive, toEnd;
  Tile ratio, exclusiveRatio;
  SmallVector<ChunkScan::Coef> mixes;
  std::optional<Transport> transport;
  SmallVector<Tile> lefts;
  /// The reads, then the queries.
  SmallVector<Reader> readers;
  /// The rows `y_m` of the updates; unknown ones are filled in by solving.
  SmallVector<Tile> rows;
  SmallVector<ChunkScan::Coef> coefs;
};
} // namespace

//===----------------------------------------------------------------------===//
// What has a chunked form
//===----------------------------------------------------------------------===//

/// The updates that depend on the state.
static SmallVector<unsigned> getUnknown(const ChunkScan &scan) {
  SmallVector<unsigned> unknown;
  for (const ChunkScan::Coef &coef : scan.coefs)
    if (!llvm::is_contained(unknown, coef.row))
      unknown.push_back(coef.row);
  llvm::sort(unknown);
  return unknown;
}

static DecayKind getDecayKind(const ChunkScan &scan) {
  if (scan.states.size() > 1)
    return DecayKind::Mixed;
  if (!scan.decay)
    return DecayKind::None;
  auto has = [&](AxisList axes) {
    return llvm::any_of(axes, [&](StringRef axis) { return scan.decay->has(axis); });
  };
  return has(scan.contracted) ? DecayKind::Contracted
         : has(scan.free)     ? DecayKind::Free
                              : DecayKind::Scalar;
}

StringRef mix::getChunkObstacle(AffineScanOp op) {
  SmallVector<StringRef> contracted(op.getContracted().getAsValueRange<StringAttr>());
  auto has = [&](Value value, bool isContracted) {
    return value && llvm::any_of(getAxes(value), [&](StringRef axis) {
             return axis != op.getAxis() && llvm::is_contained(contracted, axis) == isContracted;
           });
  };
  if (has(op.getDecay(), true) && has(op.getDecay(), false))
    return "its decay varies along contracted and free axes of the state";
  if (llvm::any_of(op.getMixes(), [&](Value mix) { return has(mix, false); }))
    return "its states mix with a factor per column";
  bool isPerColumn = llvm::any_of(op.getCoefs(), [&](Value coef) { return has(coef, false); });
  if (isPerColumn && op.getCoefs().size() > 1)
    return "several reads of the state enter its update with a factor per column";
  return {};
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

/// The tile over all of `axes` (and the row), fused into the axis `name`.
Tile ScanEmitter::fuseAxes(const Tile &tile, AxisList axes, StringRef name, bool hasRow) {
  Axes all = hasRow ? withRow(axes) : Axes(axes);
  return tb.collapse(tile, all, axes, name);
}

void ScanEmitter::prepareDecay() {
  kind = getDecayKind(scan);
  if (kind == DecayKind::Mixed) {
    for (const ChunkScan::Coef &mix : scan.mixes) {
      bool isPerChannel =
          llvm::any_of(scan.contracted, [&](StringRef axis) { return mix.tile.has(axis); });
      mixes.push_back(mix);
      if (isPerChannel)
        mixes.back().tile = fuseAxes(mix.tile, scan.contracted, kX, /*hasRow=*/true);
    }
    transport.emplace(tb, states.size(), mixes, lefts, readers);
  }
  if (kind == DecayKind::None || kind == DecayKind::Mixed)
    return;
  if (kind == DecayKind::Scalar)
    decay = tb.spread(*scan.decay, {kRow});
  else if (kind == DecayKind::Contracted)
    decay = fuseAxes(*scan.decay, scan.contracted, kX, /*hasRow=*/true);
  else
    decay = fuseAxes(*scan.decay, scan.free, kY, /*hasRow=*/true);
  auto prod = tile::ScanKind::Prod;
  inclusive = tb.scan(prod, decay, /*reverse=*/false, /*exclusive=*/false);
  exclusive = tb.scan(prod, decay, /*reverse=*/false, /*exclusive=*/true);
  toEnd = tb.scan(prod, decay, /*reverse=*/true, /*exclusive=*/true);
  if (kind != DecayKind::Scalar)
    return;
  Type type = tb.getType({kRow, kColumn});
  auto makeRatio = [&](bool isExclusive) -> Tile {
    return {tile::DecayRatioOp::create(tb.builder, tb.loc, type, decay.value, isExclusive),
            {kRow, kColumn}};
  };
  ratio = makeRatio(false);
  exclusiveRatio = makeRatio(true);
}

/// `x[t] P[t, i] . l[i]` over `[kRow, kColumn]`, zero for `i > t` (`i >= t` if the reader `x` is
/// before its update), with `l` the left of the update. Without `isMasked`, entries that a user
/// does not read may be anything. None if the update never gets into the state.
std::optional<Tile> ScanEmitter::gram(unsigned reader, unsigned update, bool isMasked) {
  if (kind == DecayKind::Mixed)
    return transport->getProducts(reader, update);
  Axes axes = {kRow, kColumn};
  const Reader &x = readers[reader];
  bool isExclusive = x.isBefore;
  const Tile &y = lefts[update];
  if (kind == DecayKind::Contracted)
    return Tile{tile::DecayedGramOp::create(tb.builder, tb.loc, tb.getType(axes), x.tile.value,
                                            y.value, decay.value, isExclusive),
                axes};
  Tile products = tb.contract(x.tile, tb.rename(y, kRow, kColumn), axes);
  if (kind == DecayKind::Scalar)
    return tb.mul(products, isExclusive ? exclusiveRatio : ratio);
  if (!isMasked || kind == DecayKind::Free)
    return products;
  Value zero = tb.real(0);
  auto predicate = isExclusive ? arith::CmpIPredicate::ult : arith::CmpIPredicate::ule;
  return tb.map(products, axes, [&](ElementBuilder &body) -> Value {
    Value isEarlier = arith::CmpIOp::create(body.builder, body.loc, predicate, body.index(kColumn),
                                            body.index(kRow));
    return arith::SelectOp::create(body.builder, body.loc, isEarlier, body.elements[0], zero);
  });
}

/// What row `x[t]` reads of the states that come into the chunk.
Tile ScanEmitter::readState(unsigned reader) {
  const Reader &x = readers[reader];
  if (kind == DecayKind::Mixed) {
    std::optional<Tile> sum;
    for (auto [from, state] : llvm::enumerate(states))
      if (std::optional<Tile> factor = transport->getIncoming(reader, from))
        sum = tb.contract(tb.mul(x.tile, *factor), state, withRow(free), sum ? &*sum : nullptr);
    return *sum; // A state always gets into itself.
  }
  const Tile &product = x.isBefore ? exclusive : inclusive;
  if (kind == DecayKind::Free)
    return tb.mul(tb.contract(x.tile, states[0], withRow(free)), product);
  return tb.contract(kind == DecayKind::None ? x.tile : tb.mul(x.tile, product), states[0],
                     withRow(free));
}

/// `acc` plus what row `x[t]` reads of the given updates of the chunk.
Tile ScanEmitter::addUpdates(Tile acc, unsigned reader, ArrayRef<unsigned> updates) {
  for (unsigned m : updates) {
    std::optional<Tile> weights = gram(reader, m);
    if (!weights)
      continue;
    if (kind != DecayKind::Free) {
      acc = tb.contract(*weights, tb.rename(rows[m], kRow, kColumn), withRow(free), &acc);
      continue;
    }
    Tile applied = {tile::DecayedApplyOp::create(tb.builder, tb.loc, decay.value.getType(),
                                                 weights->value, rows[m].value, decay.value,
                                                 readers[reader].isBefore),
                    withRow(free)};
    acc = tb.add(acc, applied);
  }
  return acc;
}

//===----------------------------------------------------------------------===//
// Updates that depend on the state
//===----------------------------------------------------------------------===//

void ScanEmitter::solveValues() {
  SmallVector<unsigned> unknown = getUnknown(scan), known;
  for (unsigned m = 0; m < lefts.size(); ++m)
    if (!llvm::is_contained(unknown, m))
      known.push_back(m);
  if (unknown.empty())
    return;
  // What the reads see without the unknown updates.
  SmallVector<Tile> base;
  for (unsigned read = 0; read < scan.reads.size(); ++read)
    base.push_back(addUpdates(readState(read), read, known));
  SmallVector<Tile> rhs;
  for (unsigned m : unknown) {
    SmallVector<Tile> terms = {rows[m]};
    for (const ChunkScan::Coef &coef : coefs)
      if (coef.row == m) {
        terms.push_back(coef.tile);
        terms.push_back(base[coef.column]);
      }
    rhs.push_back(tb.map(terms, withRow(free), [](ElementBuilder &body) {
      return addProducts(body, body.elements[0], 1, body.elements.size());
    }));
  }
  if (unknown.size() > 1)
    return solveGrouped(unknown, rhs);
  SmallVector<const ChunkScan::Coef *> own;
  for (const ChunkScan::Coef &coef : coefs)
    own.push_back(&coef);
  solveSingle(unknown.front(), own, rhs.front());
}

void ScanEmitter::solveSingle(unsigned update, ArrayRef<const ChunkScan::Coef *> own,
                              const Tile &rhs) {
  Value scale;
  std::optional<Tile> matrix;
  if (own.size() == 1) {
    matrix = gram(own[0]->column, update, /*isMasked=*/false);
    const Tile &coef = own[0]->tile;
    scale = coef.axes.size() > 1 ? tb.spread(coef, rhs.axes).value : tb.spread(coef, {kRow}).value;
  } else {
    for (const ChunkScan::Coef *coef : own)
      if (std::optional<Tile> part = gram(coef->column, update, /*isMasked=*/false)) {
        Tile scaled = tb.mul(*part, tb.spread(coef->tile, {kRow}));
        matrix = matrix ? tb.add(*matrix, scaled) : scaled;
      }
  }
  rows[update] = rhs;
  if (!matrix)
    return;
  Value perColumn = kind == DecayKind::Free ? decay.value : Value();
  rows[update].value = tile::SolveOp::create(tb.builder, tb.loc, rhs.value.getType(), matrix->value,
                                             rhs.value, scale, perColumn);
}

/// Interleaves tiles `[row, ..]` along a new axis `kMember` behind the row.
Tile ScanEmitter::stack(ArrayRef<Tile> tiles, AxisList axes) {
  return tb.map(tiles, axes, [](ElementBuilder &body) {
    OpBuilder &b = body.builder;
    Value member = body.index(kMember), result = body.elements.back();
    for (int64_t n = body.elements.size() - 2; n >= 0; --n) {
      Value at = arith::ConstantIndexOp::create(b, body.loc, n);
      Value isThis = arith::CmpIOp::create(b, body.loc, arith::CmpIPredicate::eq, member, at);
      result = arith::SelectOp::create(b, body.loc, isThis, body.elements[n], result);
    }
    return result;
  });
}

/// Several unknown updates: one system in virtual rows, one per token and update.
void ScanEmitter::solveGrouped(ArrayRef<unsigned> unknown, ArrayRef<Tile> rhs) {
  int64_t group = unknown.size();
  tb.setSize(kMember, group);
  tb.setSize(kOther, group);
  int64_t numRows = tb.getSize(kRow) * group;
  SmallVector<Tile> blocks;
  for (unsigned other : unknown) {
    // Column block of one left: the factor of its row in every update.
    SmallVector<Tile> parts;
    for (unsigned m : unknown) {
      Tile part = tb.zeros({kRow, kColumn});
      for (const ChunkScan::Coef &coef : coefs)
        if (std::optional<Tile> products =
                coef.row == m ? gram(coef.column, other, /*isMasked=*/false) : std::nullopt)
          part = tb.add(part, tb.mul(*products, tb.spread(coef.tile, {kRow})));
      parts.push_back(part);
    }
    blocks.push_back(stack(parts, {kRow, kMember, kColumn}));
  }
  Tile matrix = tb.map(blocks, {kRow, kMember, kColumn, kOther}, [](ElementBuilder &body) {
    OpBuilder &b = body.builder;
    Value other = body.index(kOther), result = body.elements.back();
    for (int64_t n = body.elements.size() - 2; n >= 0; --n) {
      Value at = arith::ConstantIndexOp::create(b, body.loc, n);
      Value isThis = arith::CmpIOp::create(b, body.loc, arith::CmpIPredicate::eq, other, at);
      result = arith::SelectOp::create(b, body.loc, isThis, body.elements[n], result);
    }
    return result;
  });
  static constexpr llvm::StringLiteral kVirtualRow = "row.m", kVirtualColumn = "col.n";
  tb.setSize(kVirtualRow, numRows);
  tb.setSize(kVirtualColumn, numRows);
  Axes rhsAxes = {kRow, kMember};
  llvm::append_range(rhsAxes, free);
  matrix = tb.collapse(matrix, matrix.axes, {kRow, kMember}, kVirtualRow);
  matrix = tb.collapse(matrix, matrix.axes, {kColumn, kOther}, kVirtualColumn);
  Tile stacked = tb.collapse(stack(rhs, rhsAxes), rhsAxes, {kRow, kMember}, kVirtualRow);
  Value perColumn = kind == DecayKind::Free ? decay.value : Value();
  Tile solved = {tile::SolveOp::create(tb.builder, tb.loc, stacked.value.getType(), matrix.value,
                                       stacked.value, Value(), perColumn, group),
                 stacked.axes};
  solved = tb.expand(solved, kVirtualRow, {kRow, kMember});
  for (auto [n, m] : llvm::enumerate(unknown))
    rows[m] = tb.extract(solved, kMember, tb.builder.getIndexAttr(n));
}

//===----------------------------------------------------------------------===//
// The chunk
//===----------------------------------------------------------------------===//

/// What the chunk leaves in a state of those that came in.
Tile ScanEmitter::carryState(unsigned n) {
  if (kind == DecayKind::None)
    return states[n];
  if (kind != DecayKind::Mixed) {
    Tile whole = tb.extract(inclusive, kRow, tb.builder.getIndexAttr(tb.getSize(kRow) - 1));
    return tb.spread(tb.mul(states[n], whole), states[n].axes);
  }
  SmallVector<Tile> terms;
  for (auto [from, state] : llvm::enumerate(states))
    if (std::optional<Tile> factor = transport->getIncomingAtEnd(n, from)) {
      terms.push_back(*factor);
      terms.push_back(state);
    }
  return tb.map(terms, states[n].axes, [](ElementBuilder &body) {
    return addProducts(body, Value(), 0, body.elements.size());
  });
}

Tile ScanEmitter::nextState(unsigned n) {
  // The products follow right after the decay of the state, so that a target may fuse them.
  SmallVector<std::pair<Tile, Tile>> updates;
  for (unsigned m = 0; m < lefts.size(); ++m) {
    const Tile &left = lefts[m], &row = rows[m];
    if (kind == DecayKind::Mixed) {
      if (std::optional<Tile> atEnd = transport->getLeftsAtEnd(n, m))
        updates.push_back({*atEnd, row});
    } else if (kind == DecayKind::Free) {
      updates.push_back({left, tb.mul(row, toEnd)});
    } else {
      updates.push_back({kind == DecayKind::None ? left : tb.mul(left, toEnd), row});
    }
  }
  Tile result = carryState(n);
  for (const auto &[left, row] : updates)
    result = tb.contract(left, row, states[n].axes, &result);
  return result;
}

ChunkScanResult ScanEmitter::emit() {
  tb.setSize(kColumn, tb.getSize(kRow));
  tb.setSize(kX, tb.getNumElements(scan.contracted));
  tb.setSize(kY, tb.getNumElements(scan.free));
  if (!scan.free.empty())
    free.push_back(kY);

  Axes ordered = scan.contracted;
  llvm::append_range(ordered, scan.free);
  // A state of two axes is used in the order that it has; others are brought to X, Y.
  bool isPlain = scan.contracted.size() == 1 && scan.free.size() <= 1;
  for (const Tile &given : scan.states) {
    Tile state = tb.collapse(given, isPlain ? Axes(given.axes) : ordered, scan.contracted, kX);
    states.push_back(tb.collapse(state, state.axes, scan.free, kY));
  }

  for (const Tile &tile : scan.lefts)
    lefts.push_back(fuseAxes(tile, scan.contracted, kX, true));
  for (auto [tile, state] : llvm::zip(scan.reads, scan.readOf))
    readers.push_back({fuseAxes(tile, scan.contracted, kX, true), state, /*isBefore=*/true});
  for (auto [tile, state, isAfter] : llvm::zip(scan.queries, scan.queryOf, scan.after))
    readers.push_back({fuseAxes(tile, scan.contracted, kX, true), state, !isAfter});
  for (const Tile &tile : scan.values)
    rows.push_back(fuseAxes(tile, scan.free, kY, true));
  for (const ChunkScan::Coef &coef : scan.coefs) {
    bool isPerColumn = llvm::any_of(scan.free, [&](StringRef axis) { return coef.tile.has(axis); });
    Tile tile =
        isPerColumn ? fuseAxes(coef.tile, scan.free, kY, true) : tb.spread(coef.tile, {kRow});
    coefs.push_back({coef.row, coef.column, tile});
  }
  prepareDecay();
  solveValues();

  ChunkScanResult result;
  SmallVector<unsigned> all = llvm::to_vector(llvm::seq<unsigned>(0, lefts.size()));
  for (unsigned query = scan.reads.size(); query < readers.size(); ++query) {
    Tile output = addUpdates(readState(query), query, all);
    result.outputs.push_back(tb.expand(output, kY, scan.free));
  }
  for (auto [n, given] : llvm::enumerate(scan.states)) {
    Tile last = tb.expand(nextState(n), kX, scan.contracted);
    result.states.push_back(tb.spread(tb.expand(last, kY, scan.free), given.axes));
  }
  return result;
}

ChunkScanResult mix::emitChunkScan(TileBuilder &tb, const ChunkScan &scan) {
  return ScanEmitter(tb, scan).emit();
}
