//===- TileStream.cpp - Reductions over keys, block by block ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reduction over index variables is a loop over blocks of keys that carries the
// accumulators of a block of rows. What depends on rows only is computed before the
// loop, what depends on keys only once per block, and pairs exist as tiles of
// `rows x keys` only.
//
// Sums weighted by exponentials carry the largest logit `m` that the rows have seen:
//
//   m'   = max(m, max over the block of s)        p = exp(s - m')
//   sum' = sum exp(m - m') + p values
//
// so no exponential has a positive argument. Each source of keys has an `m` of its own;
// they are brought to their common maximum at the end.
//
// The mask is applied to the one tile of pairs that decides (logits to -inf, weights
// to 0), and only in blocks that it cuts; blocks outside of its bounds are not visited.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/TileMask.h"
#include "passes/TilePhase.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Loops over keys
//===----------------------------------------------------------------------===//

/// One block of keys, with the builder inside of all loops.
struct PhaseEmitter::KeyBlock {
  unsigned scope;
  Env env;
  /// What is reduced, as axes of tiles.
  Axes reduced;
  /// The predicate of the source; null if it is always true.
  Value mask;
  /// Where the keys are, and how many are left from the start of the block; none and null
  /// without index variables.
  unsigned slot;
  Value left;
  /// Whether the block needs no mask (`i1`); null if every block needs it.
  Value isFull;
};

static bool isTrue(Value predicate) {
  while (auto broadcast = predicate.getDefiningOp<BroadcastOp>())
    predicate = broadcast.getSource();
  DenseElementsAttr elements;
  return matchPattern(predicate, m_Constant(&elements)) && elements.isSplat() &&
         elements.getSplatValue<APInt>().isOne();
}

/// Tells the analysis which positions every variable of `env` takes.
void PhaseEmitter::setRanges(MaskAnalysis &analysis, const Env &env) {
  for (auto [variable, number] : env.variables) {
    const Slot &slot = slots[number];
    Value last = slot.offset;
    if (!slot.label.empty()) {
      OpBuilder &b = tb.builder;
      Value size = tb.index(tb.getSize(slot.label)), one = tb.index(1);
      Value end = b.createOrFold<arith::AddIOp>(tb.loc, slot.offset, size);
      end = b.createOrFold<arith::MinSIOp>(tb.loc, end, getAxisSize(slot.space));
      last = b.createOrFold<arith::SubIOp>(tb.loc, end, one);
    }
    analysis.setRange(variable, {slot.offset, last});
  }
}

MaskAnalysis PhaseEmitter::makeMaskAnalysis(const Env &env) {
  MaskAnalysis analysis(tb.builder, tb.loc, [this](Value value) {
    auto size = value.getDefiningOp<SizeOp>();
    return size ? getAxisSize(size.getAxis()) : Value();
  });
  setRanges(analysis, env);
  return analysis;
}

/// Calls `body` for every block of the variables' positions at which the mask may hold:
/// the last variable in blocks, the others position by position around it.
SmallVector<Tile> PhaseEmitter::keyLoop(ArrayRef<StringRef> variables, KeyBlock block,
                                        ArrayRef<Tile> carried, KeyBody body) {
  OpBuilder &b = tb.builder;
  if (variables.empty()) {
    classify(block);
    return body(block, carried);
  }
  StringRef variable = variables.front(), space = getSpace(variable);
  bool isBlocked = variables.size() == 1;
  Value zero = tb.index(0), one = tb.index(1), count = getAxisSize(space);
  Value lower = zero, upper = count;
  if (block.mask) {
    MaskAnalysis analysis = makeMaskAnalysis(block.env);
    analysis.setRange(variable, {zero, b.createOrFold<arith::SubIOp>(tb.loc, count, one)});
    IndexRange bounds = analysis.getBounds(block.mask, variable);
    if (bounds.first)
      lower = b.createOrFold<arith::MaxSIOp>(tb.loc, bounds.first, zero);
    if (bounds.last) {
      Value end = b.createOrFold<arith::AddIOp>(tb.loc, bounds.last, one);
      upper = b.createOrFold<arith::MinSIOp>(tb.loc, end, count);
    }
    // Later rows see more keys.
    if (bounds.last && !bounds.first && !matchPattern(bounds.last, m_Constant()))
      function->setAttr("tile.last_first", b.getUnitAttr());
  }
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
                  inner.reduced.push_back(kKey);
                }
                return keyLoop(variables.drop_front(), inner, tiles, body);
              });
}

/// Finds out when a block needs no mask.
void PhaseEmitter::classify(KeyBlock &block) {
  OpBuilder &b = tb.builder;
  if (block.left) {
    Value size = tb.index(tb.getSize(kKey));
    block.isFull =
        b.createOrFold<arith::CmpIOp>(tb.loc, arith::CmpIPredicate::sle, size, block.left);
  }
  if (!block.mask)
    return;
  MaskAnalysis analysis = makeMaskAnalysis(block.env);
  Value isFull = analysis.isFull(block.mask);
  if (!isFull || matchPattern(isFull, m_Zero()))
    block.isFull = {};
  else if (block.isFull)
    block.isFull = b.createOrFold<arith::AndIOp>(tb.loc, block.isFull, isFull);
  else
    block.isFull = isFull;
}

/// Whether an element of the block counts: its key exists, and the mask, the element
/// number `mask` of the body if it is one, holds.
static Value buildIsCounted(ElementBuilder &body, Value left, Value mask) {
  if (!left)
    return mask;
  Value isKey = arith::CmpIOp::create(body.builder, body.loc, arith::CmpIPredicate::slt,
                                      body.index(kKey), left);
  return mask ? arith::AndIOp::create(body.builder, body.loc, mask, isKey).getResult() : isKey;
}

/// The tile with `neutral` where an element does not count.
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

//===----------------------------------------------------------------------===//
// Sums of products over keys
//===----------------------------------------------------------------------===//

/// A sum over keys of a product, its factors sorted by what they depend on.
struct PhaseEmitter::KeySum {
  Value result;
  /// Factors of keys only, of rows and keys, and of no reduced axis: these multiply the
  /// sum when it is complete.
  SmallVector<Value> keyed, paired, outer;
  /// The accumulator's axes.
  Axes axes;
};

static void collectFactors(Value value, SmallVectorImpl<Value> &factors) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    return collectFactors(broadcast.getSource(), factors);
  if (auto product = value.getDefiningOp<arith::MulFOp>()) {
    collectFactors(product.getLhs(), factors);
    return collectFactors(product.getRhs(), factors);
  }
  DenseElementsAttr elements;
  bool isOne = matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
               isa<FloatType>(elements.getElementType()) &&
               elements.getSplatValue<APFloat>().isExactlyValue(1.0);
  if (!isOne)
    factors.push_back(value);
}

/// `common` are the axes that the weights have besides those that are reduced.
PhaseEmitter::KeySum PhaseEmitter::makeKeySum(Value result, Value summand,
                                              ArrayRef<StringRef> reduced, AxisList common,
                                              const Env &env) {
  KeySum sum;
  sum.result = result;
  SmallVector<Value> factors;
  collectFactors(summand, factors);
  StringRef row = env.variables.empty() ? StringRef() : env.variables.front().first;
  Axes present(common);
  for (Value factor : factors) {
    if (llvm::none_of(reduced, [&](StringRef axis) { return hasAxis(factor.getType(), axis); })) {
      sum.outer.push_back(factor);
      continue;
    }
    bool isPaired = !row.empty() && hasAxis(factor.getType(), row);
    (isPaired ? sum.paired : sum.keyed).push_back(factor);
    present = uniteAxes(present, mapAxes(getAxes(factor), env));
  }
  for (StringRef axis : mapAxes(getAxes(result), env))
    if (llvm::is_contained(present, axis))
      sum.axes.push_back(axis);
  return sum;
}

/// A factor of keys only. Weights of keys that do not exist are zero, which is no help
/// against infinities: what may be infinite there is replaced by zero.
Term PhaseEmitter::getKeyed(const KeyBlock &block, Value value) {
  if (!block.left)
    return Term(value, block.env);
  std::optional<double> padding = getPadding(value, block.env, block.slot);
  if (padding && std::isfinite(*padding))
    return Term(value, block.env);
  Axes axes = uniteAxes(getAxesOf(value, block.env), {kKey});
  Value zero = tb.real(0);
  return fuse(
      Term(value, block.env), axes, block.scope,
      [&](ElementBuilder &body) -> Value {
        Value isKey = buildIsCounted(body, block.left, {});
        return arith::SelectOp::create(body.builder, body.loc, isKey, body.elements[0], zero);
      },
      tb.element);
}

/// `acc` plus the sum over the block of `weights` times the keyed factors.
Tile PhaseEmitter::accumulate(const KeyBlock &block, const KeySum &sum, const Tile &weights,
                              const Tile &acc) {
  SmallVector<Term> factors = {Term(weights)};
  for (Value value : sum.keyed)
    factors.push_back(getKeyed(block, value));
  return emitProductSum(factors, acc.axes, block.reduced, block.scope, &acc);
}

/// Multiplies a complete sum by the factors that were left out, and defines the result.
void PhaseEmitter::defineSum(const KeySum &sum, const Env &env, Tile tile) {
  for (Value factor : sum.outer)
    tile = tb.mul(tile, get(factor, env));
  define(sum.result, env, rowScope, tb.spread(tile, mapAxes(getAxes(sum.result), env)));
}

//===----------------------------------------------------------------------===//
// Sums weighted by exponentials
//===----------------------------------------------------------------------===//

/// `maximum`, or 0 where it is -inf: subtracting it from -inf stays -inf.
static Value buildFinite(ElementBuilder &body, Value maximum) {
  OpBuilder &b = body.builder;
  auto type = cast<FloatType>(maximum.getType());
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(b, body.loc, b.getFloatAttr(type, value));
  };
  Value lowest = constant(-std::numeric_limits<double>::infinity());
  Value isNone = arith::CmpFOp::create(b, body.loc, arith::CmpFPredicate::OEQ, maximum, lowest);
  return arith::SelectOp::create(b, body.loc, isNone, constant(0), maximum);
}

/// `exp(x - shift)` over the union of their axes.
Tile PhaseEmitter::expShifted(const Tile &x, const Tile &shift) {
  return tb.map({x, shift}, uniteAxes(x.axes, shift.axes), [](ElementBuilder &body) -> Value {
    Value difference =
        arith::SubFOp::create(body.builder, body.loc, body.elements[0], body.elements[1]);
    return math::ExpOp::create(body.builder, body.loc, difference);
  });
}

Tile PhaseEmitter::makeFinite(const Tile &maximum) {
  return tb.map(maximum, maximum.axes,
                [](ElementBuilder &body) { return buildFinite(body, body.elements[0]); });
}

/// One block of one source: the maximum and the sums after it.
SmallVector<Tile> PhaseEmitter::onlineStep(const KeyBlock &block, Value logits,
                                           ArrayRef<KeySum> sums, ArrayRef<Tile> carried) {
  const Tile &maximum = carried.front();
  Tile scores = applyMask(block, get(logits, block.env), tb.identity(ReduceKind::Max, tb.element));
  Tile inBlock = tb.reduce(ReduceKind::Max, scores, block.reduced);
  Tile next = tb.map({maximum, inBlock}, maximum.axes, [](ElementBuilder &body) -> Value {
    return TileBuilder::combine(body.builder, body.loc, ReduceKind::Max, body.elements[0],
                                body.elements[1]);
  });
  Tile shift = makeFinite(next);
  Tile decay = expShifted(maximum, shift);
  Tile weights = expShifted(scores, shift);
  SmallVector<Tile> result = {next};
  for (auto [sum, acc] : llvm::zip(sums, carried.drop_front())) {
    Tile scaled = tb.spread(tb.mul(acc, decay), acc.axes);
    result.push_back(accumulate(block, sum, getPaired(block, sum, weights), scaled));
  }
  return result;
}

/// The weights times the factors of rows and keys. Where a weight is zero so is the product.
Tile PhaseEmitter::getPaired(const KeyBlock &block, const KeySum &sum, const Tile &weights) {
  if (sum.paired.empty())
    return weights;
  SmallVector<Term> terms = {Term(weights)};
  Axes axes = weights.axes;
  for (Value value : sum.paired) {
    terms.push_back(Term(value, block.env));
    axes = uniteAxes(axes, getAxesOf(value, block.env));
  }
  Value zero = tb.real(0);
  return fuse(
      terms, axes, block.scope,
      [&](ElementBuilder &body) -> Value {
        OpBuilder &b = body.builder;
        Value weight = body.elements.front(), product = weight;
        for (Value element : body.elements.drop_front())
          product = arith::MulFOp::create(b, body.loc, product, element);
        Value isZero = arith::CmpFOp::create(b, body.loc, arith::CmpFPredicate::OEQ, weight, zero);
        return arith::SelectOp::create(b, body.loc, isZero, zero, product);
      },
      tb.element);
}

/// The maximum and the sums of one source.
SmallVector<Tile> PhaseEmitter::emitSource(StreamedReductionOp op, unsigned source, AxisList common,
                                           ArrayRef<KeySum> sums, const Env &env) {
  Value logits = op.getLogits()[source], mask = op.getMasks()[source];
  KeyBlock block{rowScope, env, {}, isTrue(mask) ? Value() : mask, 0, {}, {}};
  SmallVector<StringRef> variables;
  for (StringRef axis : cast<ArrayAttr>(op.getAxes()[source]).getAsValueRange<StringAttr>())
    (isIndexAxis(axis) ? variables : block.reduced).push_back(axis);
  // One extra term per row: its maximum is itself.
  if (variables.empty() && block.reduced.empty()) {
    Tile lowest = tb.spread(get(logits, env), common);
    Tile maximum = applyMask(block, lowest, tb.identity(ReduceKind::Max, tb.element));
    Tile weights = expShifted(maximum, makeFinite(maximum));
    SmallVector<Tile> result = {maximum};
    for (const KeySum &sum : sums)
      result.push_back(tb.spread(weights, sum.axes));
    return result;
  }
  SmallVector<Tile> start = {tb.fill(tb.identity(ReduceKind::Max, tb.element), common)};
  for (const KeySum &sum : sums)
    start.push_back(tb.zeros(sum.axes));
  return keyLoop(variables, block, start, [&](const KeyBlock &inner, ArrayRef<Tile> carried) {
    return onlineStep(inner, logits, sums, carried);
  });
}

void PhaseEmitter::emitStreamedReduction(StreamedReductionOp op) {
  Env env = getAnchorEnv(op);
  Axes common = mapAxes(getAxes(op.getMax()), env);
  SmallVector<Tile> maxima;
  std::vector<std::pair<KeySum, Tile>> complete;
  SmallVector<unsigned> sourceOf;
  for (unsigned source = 0; source < op.getLogits().size(); ++source) {
    SmallVector<StringRef> reduced(
        cast<ArrayAttr>(op.getAxes()[source]).getAsValueRange<StringAttr>());
    std::vector<KeySum> sums;
    for (auto [k, from] : llvm::enumerate(op.getSourceOf()))
      if (from == source)
        sums.push_back(makeKeySum(op.getSums()[k], op.getValues()[k], reduced, common, env));
    SmallVector<Tile> tiles = emitSource(op, source, common, sums, env);
    maxima.push_back(tiles.front());
    for (auto [sum, tile] : llvm::zip(sums, ArrayRef<Tile>(tiles).drop_front())) {
      complete.push_back({sum, tile});
      sourceOf.push_back(source);
    }
  }

  // Bring the sources to their common maximum.
  tb.loc = op.getLoc();
  Tile maximum = maxima.front();
  for (const Tile &other : ArrayRef<Tile>(maxima).drop_front())
    maximum = tb.map({maximum, other}, common, [](ElementBuilder &body) -> Value {
      return TileBuilder::combine(body.builder, body.loc, ReduceKind::Max, body.elements[0],
                                  body.elements[1]);
    });
  define(op.getMax(), env, rowScope, maximum);
  if (maxima.size() > 1) {
    Tile shift = makeFinite(maximum);
    SmallVector<Tile> decays;
    for (const Tile &own : maxima)
      decays.push_back(expShifted(own, shift));
    for (auto [sum, source] : llvm::zip(complete, sourceOf))
      sum.second = tb.mul(sum.second, decays[source]);
  }
  for (auto &[sum, tile] : complete)
    defineSum(sum, env, tile);
}

//===----------------------------------------------------------------------===//
// Plain reductions
//===----------------------------------------------------------------------===//

void PhaseEmitter::emitReduction(ReduceOp op) {
  Env env = getAnchorEnv(op);
  Type type = convertType(op.getType());
  SmallVector<StringRef> reduced(op.getAxes().getAsValueRange<StringAttr>()), variables;
  bool hasMask = op.getMask() && !isTrue(op.getMask());
  KeyBlock block{rowScope, env, {}, hasMask ? op.getMask() : Value(), 0, {}, {}};
  for (StringRef axis : reduced)
    (isIndexAxis(axis) ? variables : block.reduced).push_back(axis);
  Axes all = mapAxes(getAxes(op.getResult()), env);
  Value neutral = tb.identity(op.getKind(), type);

  // The sum of a product is a product of matrices if its pairs fit in one tile.
  Axes common;
  if (!env.variables.empty())
    common.push_back(kRow);
  KeySum sum = makeKeySum(op.getResult(), op.getSource(), reduced, common, env);
  SmallVector<Value> pairs(sum.paired);
  if (hasMask)
    pairs.push_back(op.getMask());
  bool isProduct =
      op.getKind() == ReduceKind::Sum && isa<FloatType>(type) &&
      llvm::all_of(pairs, [](Value value) { return llvm::all_of(getAxes(value), isIndexAxis); });
  if (isProduct) {
    SmallVector<Tile> result =
        keyLoop(variables, block, {tb.zeros(sum.axes)},
                [&](const KeyBlock &inner, ArrayRef<Tile> carried) -> SmallVector<Tile> {
                  Tile weights = applyMask(inner, getPairProduct(inner, sum), tb.real(0));
                  return {accumulate(inner, sum, weights, carried.front())};
                });
    tb.loc = op.getLoc();
    return defineSum(sum, env, result.front());
  }

  SmallVector<Tile> result =
      keyLoop(variables, block, {tb.fill(neutral, all)},
              [&](const KeyBlock &inner, ArrayRef<Tile> carried) -> SmallVector<Tile> {
                SmallVector<Term> terms = {Term(op.getSource(), inner.env)};
                if (inner.mask)
                  terms.push_back(Term(inner.mask, inner.env));
                Tile partial = fuseReduce(
                    op.getKind(), terms, all, inner.reduced, inner.scope,
                    [&](ElementBuilder &body) -> Value {
                      Value mask = inner.mask ? body.elements[1] : Value();
                      Value isCounted = buildIsCounted(body, inner.left, mask);
                      if (!isCounted)
                        return body.elements[0];
                      return arith::SelectOp::create(body.builder, body.loc, isCounted,
                                                     body.elements[0], neutral);
                    },
                    type);
                Tile next = tb.map(
                    {carried.front(), partial}, all,
                    [&](ElementBuilder &body) -> Value {
                      return TileBuilder::combine(body.builder, body.loc, op.getKind(),
                                                  body.elements[0], body.elements[1]);
                    },
                    type);
                return {next};
              });
  define(op.getResult(), env, rowScope, result.front());
}

/// The product of the factors of rows and keys; one if there is none.
Tile PhaseEmitter::getPairProduct(const KeyBlock &block, const KeySum &sum) {
  if (sum.paired.empty())
    return {tb.real(1), {}};
  if (sum.paired.size() == 1)
    return get(sum.paired.front(), block.env);
  SmallVector<Term> terms;
  Axes axes;
  for (Value value : sum.paired) {
    terms.push_back(Term(value, block.env));
    axes = uniteAxes(axes, getAxesOf(value, block.env));
  }
  return fuse(
      terms, axes, block.scope,
      [](ElementBuilder &body) {
        Value product = body.elements.front();
        for (Value element : body.elements.drop_front())
          product = arith::MulFOp::create(body.builder, body.loc, product, element);
        return product;
      },
      tb.element);
}

void PhaseEmitter::emitStream(Operation *op) {
  tb.setSize(kKey, parameters.keys);
  if (auto streamed = dyn_cast<StreamedReductionOp>(op))
    return emitStreamedReduction(streamed);
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return emitReduction(reduce);
  fail(op->getLoc(), "the operation '" + op->getName().getStringRef() + "' has no tile program",
       op->getResult(0).getType());
}
