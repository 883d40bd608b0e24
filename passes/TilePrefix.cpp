//===- TilePrefix.cpp - Prefixes along rows and along keys -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A prefix is a scan inside of a block that continues from the total of the blocks
// before it, which the loop over blocks carries:
//
//   prefix[t] = carry o (source[start] o ... o source[t])     carry' = prefix[last]
//
// A prefix along rows is an anchor of a sequential phase. A prefix of pairs runs along
// the keys, is never stored, and is carried by every loop over keys that needs it: for
// `N` rows the carry is `N` numbers.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Build.h"
#include "passes/TileStream.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

static ReduceKind getReduceKind(PrefixKind kind) {
  switch (kind) {
  case PrefixKind::Sum:
    return ReduceKind::Sum;
  case PrefixKind::Prod:
    return ReduceKind::Prod;
  case PrefixKind::Min:
    return ReduceKind::Min;
  case PrefixKind::Max:
  case PrefixKind::LogSumExp: // Both start from -inf.
    return ReduceKind::Max;
  }
  llvm_unreachable("covered switch");
}

static tile::ScanKind getScanKind(PrefixKind kind) {
  switch (kind) {
  case PrefixKind::Sum:
    return tile::ScanKind::Sum;
  case PrefixKind::Prod:
    return tile::ScanKind::Prod;
  case PrefixKind::Min:
    return tile::ScanKind::Min;
  case PrefixKind::Max:
  case PrefixKind::LogSumExp:
    return tile::ScanKind::Max;
  }
  llvm_unreachable("covered switch");
}

static Value buildLogAddExp(ElementBuilder &body) {
  Value x = body.elements[0], y = body.elements[1];
  Value lowest = arith::ConstantOp::create(
      body.builder, body.loc,
      body.builder.getFloatAttr(x.getType(), -std::numeric_limits<double>::infinity()));
  return createLogAddExp(body.builder, body.loc, x, y, lowest);
}

static bool isReal(PrefixOp op) { return isa<FloatType>(getElementTypeOrSelf(op.getType())); }

PhaseEmitter::ScannedTile PhaseEmitter::scanFrom(unsigned scope, PrefixKind kind, const Tile &start,
                                                 const Tile &source, Value left) {
  StringRef axis = source.axes.front();
  int64_t size = tb.getSize(axis);
  if (kind == PrefixKind::LogSumExp) {
    Value count = arith::MinSIOp::create(tb.builder, tb.loc, left, tb.index(size));
    SmallVector<Tile> results =
        loop(scope, tb.index(0), count, 1, {start, tb.empty(source.axes, tb.element)},
             [&](unsigned, Value position, ArrayRef<Tile> carried) {
               Tile element = tb.extract(source, axis, position);
               Tile total = tb.map({carried[0], element}, start.axes, buildLogAddExp);
               return SmallVector<Tile>{total, tb.insert(total, carried[1], position)};
             });
    return {results[1], results[0]};
  }
  Tile scanned = tb.scan(getScanKind(kind), source, /*reverse=*/false, /*exclusive=*/false);
  Tile total = tb.map({start, scanned}, source.axes, [&](ElementBuilder &body) {
    return TileBuilder::combine(body.builder, body.loc, getReduceKind(kind), body.elements[0],
                                body.elements[1]);
  });
  return {total, tb.extract(total, axis, tb.builder.getIndexAttr(size - 1))};
}

//===----------------------------------------------------------------------===//
// Along rows
//===----------------------------------------------------------------------===//

Tile PhaseEmitter::getPrefixStart(PrefixOp op, const Env &env) {
  Axes features = mapAxes(subtractAxes(getAxes(op.getSource()), op.getAxis()), env);
  return tb.fill(tb.identity(getReduceKind(op.getKind()), tb.element), features);
}

void PhaseEmitter::emitPrefix(PrefixOp op) {
  Env env = getAnchorEnv(op);
  Value result = op.getResult();
  if (!isReal(op)) {
    next[result] = carried[result];
    fail(op.getLoc(), "a prefix of integers has no tile program", result.getType());
    return define(result, env, rowScope, carried[result]);
  }
  Tile source = tb.spread(get(op.getSource(), env), uniteAxes({kRow}, carried[result].axes));
  tb.loc = op.getLoc();
  Value left = getRowsLeft();
  ScannedTile scanned = scanFrom(rowScope, op.getKind(), carried[result], source, left);
  next[result] = scanned.last;
  define(result, env, rowScope, scanned.tile);
}

//===----------------------------------------------------------------------===//
// Along keys
//===----------------------------------------------------------------------===//

/// Appends the prefixes along `axis` that the value is computed from, each after those
/// that it needs itself.
static void collectPrefixes(Value value, StringRef axis, SmallPtrSetImpl<Operation *> &seen,
                            SmallVectorImpl<PrefixOp> &prefixes) {
  Operation *op = value.getDefiningOp();
  if (!op || isAnchor(op) || !seen.insert(op).second)
    return;
  for (Value operand : op->getOperands())
    collectPrefixes(operand, axis, seen, prefixes);
  if (isKeyPrefix(op) && cast<PrefixOp>(op).getAxis() == axis)
    prefixes.push_back(cast<PrefixOp>(op));
}

SmallVector<PrefixOp> PhaseEmitter::getKeyPrefixes(ArrayRef<KeyJob *> jobs) {
  SmallVector<PrefixOp> prefixes;
  // Along one of several variables a loop would meet the positions more than once.
  const KeySet &keys = jobs.front()->keys;
  if (keys.variables.size() != 1)
    return prefixes;
  SmallPtrSet<Operation *, 16> seen;
  auto collect = [&](Value value) {
    if (value)
      collectPrefixes(value, keys.variables.front(), seen, prefixes);
  };
  collect(keys.mask);
  for (const KeyJob *job : jobs) {
    collect(job->logits);
    for (const KeySum &sum : job->sums)
      for (Value factor : llvm::concat<const Value>(sum.keyed, sum.paired))
        collect(factor);
    if (job->sums.empty() && !job->logits)
      collect(job->op->getOperand(0)); // What is reduced, or the scores of a selection.
  }
  return prefixes;
}

/// The predicate outside of which the elements of a prefix count as nothing; null if none
/// is known.
static Value getCountedSet(PrefixOp op) {
  auto select = op.getSource().getDefiningOp<arith::SelectOp>();
  Value rest = select ? stripBroadcasts(select.getFalseValue()) : Value();
  DenseFPElementsAttr elements;
  if (!rest || !matchPattern(rest, m_Constant(&elements)) || !elements.isSplat())
    return {};
  bool isNothing = elements.getSplatValue<APFloat>().convertToDouble() == getIdentity(op.getKind());
  return isNothing ? select.getCondition() : Value();
}

Value PhaseEmitter::getFirstKey(ArrayRef<PrefixOp> prefixes, MaskAnalysis &analysis,
                                StringRef variable, Value first) {
  for (PrefixOp prefix : prefixes) {
    Value counted = getCountedSet(prefix);
    Value own = counted ? analysis.getBounds(counted, variable).first : Value();
    if (!first || !own)
      return {};
    if (own != first)
      first = tb.builder.createOrFold<arith::MinSIOp>(tb.loc, first, own);
  }
  return first;
}

SmallVector<Tile> PhaseEmitter::emitKeyPrefixes(const KeyBlock &block, ArrayRef<Tile> starts) {
  SmallVector<Tile> next;
  for (auto [prefix, start] : llvm::zip(block.prefixes, starts)) {
    PrefixOp op = prefix;
    if (!isReal(op))
      fail(op.getLoc(), "a prefix of integers has no tile program", op.getType());
    Tile source = tb.spread(get(op.getSource(), block.env), uniteAxes({kKey}, start.axes));
    tb.loc = op.getLoc();
    ScannedTile scanned = scanFrom(block.scope, op.getKind(), start, source, block.left);
    define(op.getResult(), block.env, block.scope, scanned.tile);
    next.push_back(scanned.last);
  }
  return next;
}
