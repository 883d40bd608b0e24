//===- TileKeys.cpp - Loops over keys --------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop visits the blocks of keys at which a mask may hold for some row. The mask is
// applied to the one tile of pairs that decides (logits become -inf, weights 0), and in
// a branch, taken by blocks that the mask or the end of the keys cuts.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/TileMask.h"
#include "passes/TileStream.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// An analysis that knows which positions every variable of `env` takes.
MaskAnalysis PhaseEmitter::makeMaskAnalysis(const Env &env) {
  MaskAnalysis analysis(tb.builder, tb.loc, [this](Value value) {
    if (auto size = value.getDefiningOp<SizeOp>())
      return getAxisSize(size.getAxis());
    auto argument = dyn_cast<BlockArgument>(value);
    bool isPosition = argument && argument.getOwner() == &mixer.getBody().front() &&
                      signature.arguments[argument.getArgNumber()].kind == "position";
    return isPosition ? getPosition() : Value();
  });
  OpBuilder &b = tb.builder;
  for (auto [variable, number] : env.variables) {
    const Slot &slot = slots[number];
    Value last = slot.offset;
    if (!slot.label.empty()) {
      Value size = tb.index(tb.getSize(slot.label)), one = tb.index(1);
      Value end = b.createOrFold<arith::AddIOp>(tb.loc, slot.offset, size);
      end = b.createOrFold<arith::MinSIOp>(tb.loc, end, getAxisSize(slot.space));
      last = b.createOrFold<arith::SubIOp>(tb.loc, end, one);
    }
    analysis.setRange(variable, {slot.offset, last});
  }
  return analysis;
}

/// Rows that share the bounds of their keys in a block that the mask cuts.
static constexpr int64_t kBandRows = 16;

SmallVector<Value> PhaseEmitter::getBand(const KeyBlock &block) {
  if (!block.mask || !block.left || !block.prefixes.empty() || block.env.variables.size() < 2)
    return {};
  auto [rowVariable, rowNumber] = block.env.variables.front();
  StringRef keyVariable = block.env.variables.back().first;
  const Slot &rows = slots[rowNumber], &keys = slots[block.slot];
  if (rows.label != kRow || tb.getSize(kRow) % kBandRows != 0)
    return {};
  OpBuilder &b = tb.builder;
  Value zero = tb.index(0), one = tb.index(1), size = tb.index(tb.getSize(kKey));
  auto clamp = [&](Value position) -> Value {
    Value distance = b.createOrFold<arith::SubIOp>(tb.loc, position, keys.offset);
    distance = b.createOrFold<arith::MaxSIOp>(tb.loc, distance, zero);
    return b.createOrFold<arith::MinSIOp>(tb.loc, distance, size);
  };
  SmallVector<Value> band;
  for (int64_t row = 0; row < tb.getSize(kRow); row += kBandRows) {
    MaskAnalysis analysis = makeMaskAnalysis(block.env);
    Value first = b.createOrFold<arith::AddIOp>(tb.loc, rows.offset, tb.index(row));
    Value last = b.createOrFold<arith::AddIOp>(tb.loc, first, tb.index(kBandRows - 1));
    analysis.setRange(rowVariable, {first, last});
    IndexRange bounds = analysis.getBounds(block.mask, keyVariable);
    if (!bounds.first && !bounds.last)
      return {};
    band.push_back(bounds.first ? clamp(bounds.first) : zero);
    band.push_back(bounds.last ? clamp(b.createOrFold<arith::AddIOp>(tb.loc, bounds.last, one))
                               : size);
  }
  return band;
}

/// Says that only the band of a tile of rows and keys matters.
void PhaseEmitter::promiseBand(const KeyBlock &block, Tile tile) {
  const auto *rows = llvm::find(tile.axes, kRow), *keys = llvm::find(tile.axes, kKey);
  if (block.band.empty() || rows == tile.axes.end() || keys == tile.axes.end() ||
      tile.value.getParentBlock() != tb.builder.getInsertionBlock() ||
      llvm::any_of(tile.value.getUsers(), llvm::IsaPred<tile::BandOp>))
    return;
  tile::BandOp::create(tb.builder, tb.loc, tile.value, rows - tile.axes.begin(),
                       keys - tile.axes.begin(), block.band);
}

SmallVector<Tile> PhaseEmitter::keyLoop(ArrayRef<StringRef> variables, KeyBlock block,
                                        ArrayRef<Tile> carried, KeyBody body) {
  OpBuilder &b = tb.builder;
  if (variables.empty()) {
    Value isEmpty = classify(block);
    block.band = getBand(block);
    auto run = [&] { return body(block, carried); };
    return isEmpty ? branchAll(block.scope, isEmpty, carried, run) : run();
  }
  StringRef variable = variables.front(), space = getSpace(variable);
  bool isBlocked = variables.size() == 1 && !block.isSingly;
  Value zero = tb.index(0), one = tb.index(1), count = getAxisSize(space);
  Value lower = zero, upper = count;
  if (block.mask) {
    MaskAnalysis analysis = makeMaskAnalysis(block.env);
    analysis.setRange(variable, {zero, b.createOrFold<arith::SubIOp>(tb.loc, count, one)});
    IndexRange bounds = analysis.getBounds(block.mask, variable);
    bounds.first = getFirstKey(block.prefixes, analysis, variable, bounds.first);
    if (bounds.first)
      lower = b.createOrFold<arith::MaxSIOp>(tb.loc, bounds.first, zero);
    if (bounds.last) {
      Value end = b.createOrFold<arith::AddIOp>(tb.loc, bounds.last, one);
      upper = b.createOrFold<arith::MinSIOp>(tb.loc, end, count);
    }
    // A block of keys lies in one page of a cache, so it starts at a multiple of its size.
    if (bounds.first && isBlocked && parameters.isStep) {
      Value size = tb.index(parameters.keys);
      lower = tb.indexOp<arith::MulIOp>(tb.indexOp<arith::DivSIOp>(lower, size), size);
    }
    // Later rows see more keys.
    if (bounds.last && !bounds.first && !matchPattern(bounds.last, m_Constant()))
      function->setAttr("tile.last_first", b.getUnitAttr());
  }
  if (split)
    std::tie(lower, upper) = splitRange(space, isBlocked, lower, upper);
  return loop(block.scope, lower, upper, isBlocked ? parameters.keys : 1, carried,
              [&](unsigned scope, Value position, ArrayRef<Tile> tiles) {
                KeyBlock inner = block;
                inner.scope = scope;
                StringRef label = isBlocked ? StringRef(kKey) : StringRef();
                unsigned slot = addSlot({label, space, position, Value(), scope});
                inner.env.variables.push_back({variable, slot});
                if (isBlocked) {
                  inner.slot = slot;
                  inner.left = b.createOrFold<arith::SubIOp>(tb.loc, count, position);
                }
                return keyLoop(variables.drop_front(), inner, tiles, body);
              });
}

/// Whether the predicate is one of more than positions.
static bool dependsOnData(Value predicate) {
  Operation *op = predicate.getDefiningOp();
  if (!op || isa<IotaOp, SizeOp>(op))
    return false;
  if (!isa<BroadcastOp>(op) && !OpTrait::hasElementwiseMappableTraits(op))
    return true;
  return llvm::any_of(op->getOperands(), dependsOnData);
}

/// Whether the mask holds for no pair of the block, found out by computing it.
Value PhaseEmitter::isMaskedOut(const KeyBlock &block) {
  OpBuilder &b = tb.builder;
  Tile mask = get(block.mask, block.env);
  Tile holds = mask.isScalar() ? mask : tb.reduce(ReduceKind::Max, mask, mask.axes);
  Value yes = arith::ConstantOp::create(b, tb.loc, b.getBoolAttr(true));
  return arith::XOrIOp::create(b, tb.loc, holds.value, yes);
}

/// Finds out when a block needs no mask. Returns whether it holds nothing (`i1`), or null
/// if the bounds of the loop see to that.
Value PhaseEmitter::classify(KeyBlock &block) {
  OpBuilder &b = tb.builder;
  if (block.left) {
    Value size = tb.index(tb.getSize(kKey));
    block.isFull =
        b.createOrFold<arith::CmpIOp>(tb.loc, arith::CmpIPredicate::sle, size, block.left);
  }
  if (!block.mask)
    return {};
  MaskAnalysis analysis = makeMaskAnalysis(block.env);
  Value isFull = analysis.isFull(block.mask);
  if (!isFull || matchPattern(isFull, m_Zero()))
    block.isFull = {};
  else if (block.isFull)
    block.isFull = b.createOrFold<arith::AndIOp>(tb.loc, block.isFull, isFull);
  else
    block.isFull = isFull;
  if (!block.left || !block.prefixes.empty())
    return {};
  // One row needs few of its keys if it chose them, and to look is less than to load.
  if (parameters.isByToken() && dependsOnData(block.mask))
    return isMaskedOut(block);
  if (!analysis.hasHoles(block.mask))
    return {};
  Value mayHold = analysis.mayHold(block.mask);
  if (!mayHold || matchPattern(mayHold, m_One()))
    return {};
  Value yes = arith::ConstantOp::create(b, tb.loc, b.getBoolAttr(true));
  return b.createOrFold<arith::XOrIOp>(tb.loc, mayHold, yes);
}

Value mix::buildIsCounted(ElementBuilder &body, Value left, Value mask) {
  if (!left)
    return mask;
  Value isKey = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::slt,
                                      body.index(kKey), left);
  return mask ? arith::AndIOp::create(body.builder, body.loc, mask, isKey).getResult() : isKey;
}

Tile PhaseEmitter::applyMask(const KeyBlock &block, const Tile &tile, Value neutral) {
  if (!block.mask && !block.left)
    return tile;
  Axes axes = tile.axes;
  if (block.mask)
    axes = uniteAxes(axes, getAxesOf(block.mask, block.env));
  if (block.left)
    axes = uniteAxes(axes, {kKey});
  Tile full = tb.spread(tile, axes);
  auto select = [&] {
    SmallVector<Term> terms = {Term(full)};
    if (block.mask)
      terms.push_back(Term(block.mask, block.env));
    return fuse(
        terms, axes, block.scope,
        [&](ElementBuilder &body) -> Value {
          Value mask = block.mask ? body.elements[1] : Value();
          Value isCounted = buildIsCounted(body, block.left, mask);
          return arith::SelectOp::create(body.builder, body.loc, isCounted, body.elements[0],
                                         neutral);
        },
        full.getElementType());
  };
  return block.isFull ? branch(block.scope, block.isFull, full, select) : select();
}
