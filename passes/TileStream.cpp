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
// Reductions of the same keys that do not need each other share a loop.
//
//===----------------------------------------------------------------------===//

#include "passes/TileStream.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Build.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Sums of products over keys
//===----------------------------------------------------------------------===//

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
KeySum PhaseEmitter::makeKeySum(Value result, Value summand, ArrayRef<StringRef> reduced,
                                AxisList common, const Env &env) {
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

/// `acc` plus the sum over the block of `weights` times the keyed factors.
Tile PhaseEmitter::accumulate(const KeyBlock &block, AxisList reduced, const KeySum &sum,
                              const Tile &weights, const Tile &acc) {
  SmallVector<Term> factors = {Term(weights)};
  for (Value value : sum.keyed)
    factors.push_back(getKeyed(block, value));
  return emitProductSum(factors, acc.axes, reduced, block.scope, &acc);
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

/// `exp(x - shift)` over the union of their axes. Its error may grow with the argument, as that
/// of a power of 2 with a rounded argument does: results shrink faster, and all are added up.
Tile PhaseEmitter::expShifted(const Tile &x, const Tile &shift) {
  return tb.map({x, shift}, uniteAxes(x.axes, shift.axes), [](ElementBuilder &body) -> Value {
    OpBuilder &b = body.builder;
    Value difference = arith::SubFOp::create(b, body.loc, body.elements[0], body.elements[1]);
    return math::ExpOp::create(b, body.loc, difference, arith::FastMathFlags::afn);
  });
}

Tile PhaseEmitter::makeFinite(const Tile &maximum) {
  return tb.map(maximum, maximum.axes,
                [](ElementBuilder &body) { return buildFinite(body, body.elements[0]); });
}

/// A maximum that is subtracted from logits before their exponentials need not be NaN where a
/// logit is: the weight of that one is. What a target does with NaN here is free.
static Tile ignoreNan(Tile maximum) {
  if (auto op = maximum.value.getDefiningOp<linalg::GenericOp>())
    for (auto larger : op.getBlock()->getOps<arith::MaximumFOp>())
      larger.setFastmath(arith::FastMathFlags::nnan);
  return maximum;
}

/// `a` and `b` reduced to one, over the axes of `a`.
Tile PhaseEmitter::combine(ReduceKind kind, const Tile &a, const Tile &b) {
  return tb.map(
      {a, b}, a.axes,
      [&](ElementBuilder &body) {
        return TileBuilder::combine(body.builder, body.loc, kind, body.elements[0],
                                    body.elements[1]);
      },
      a.getElementType());
}

/// One block of one source: the maximum and the sums after it.
SmallVector<Tile> PhaseEmitter::onlineStep(const KeyBlock &block, const KeyJob &job,
                                           ArrayRef<Tile> carried) {
  const Tile &maximum = carried.front();
  Tile logits = get(job.logits, block.env);
  promiseBand(block, logits);
  Tile scores = applyMask(block, logits, tb.identity(ReduceKind::Max, tb.element));
  Tile largest = ignoreNan(tb.reduce(ReduceKind::Max, scores, job.reduced));
  Tile next = ignoreNan(combine(ReduceKind::Max, maximum, largest));
  Tile shift = makeFinite(next);
  Tile decay = expShifted(maximum, shift);
  Tile weights = expShifted(scores, shift);
  weights.mayBeRounded = true;
  SmallVector<Tile> result = {next};
  for (auto [sum, acc] : llvm::zip(job.sums, carried.drop_front())) {
    Tile scaled = tb.spread(tb.mul(acc, decay), acc.axes);
    Tile paired = getPaired(block, sum, weights);
    result.push_back(accumulate(block, job.reduced, sum, paired, scaled));
    promiseBand(block, paired);
  }
  return result;
}

void PhaseEmitter::addSources(StreamedReductionOp op, std::vector<KeyJob> &jobs) {
  Env env = getAnchorEnv(op);
  Axes common = mapAxes(getAxes(op.getMax()), env);
  for (unsigned source = 0; source < op.getLogits().size(); ++source) {
    SmallVector<StringRef> reduced(
        cast<ArrayAttr>(op.getAxes()[source]).getAsValueRange<StringAttr>());
    KeyJob job = makeJob(op, reduced, op.getMasks()[source]);
    job.logits = op.getLogits()[source];
    job.tiles.push_back(tb.fill(tb.identity(ReduceKind::Max, tb.element), common));
    for (auto [k, from] : llvm::enumerate(op.getSourceOf())) {
      if (from != source)
        continue;
      job.sums.push_back(makeKeySum(op.getSums()[k], op.getValues()[k], reduced, common, env));
      job.tiles.push_back(tb.zeros(job.sums.back().axes));
    }
    jobs.push_back(std::move(job));
  }
}

/// A source without reduced axes is one extra term per row: its maximum is itself.
void PhaseEmitter::runTerm(KeyJob &job) {
  KeyBlock block{rowScope, getAnchorEnv(job.op), job.keys.mask};
  Axes common = job.tiles.front().axes;
  Tile term = tb.spread(get(job.logits, block.env), common);
  Value lowest = tb.identity(ReduceKind::Max, tb.element);
  Tile maximum = applyMask(block, term, lowest);
  if (split)
    maximum = countOnce(maximum, lowest);
  Tile weights = expShifted(maximum, makeFinite(maximum));
  job.tiles = {maximum};
  for (const KeySum &sum : job.sums)
    job.tiles.push_back(tb.spread(weights, sum.axes));
}

/// Brings the sources to their common maximum.
void PhaseEmitter::finishSources(StreamedReductionOp op, ArrayRef<KeyJob> jobs) {
  Env env = getAnchorEnv(op);
  Tile maximum = jobs.front().tiles.front();
  for (const KeyJob &job : jobs.drop_front())
    maximum = combine(ReduceKind::Max, maximum, job.tiles.front());
  define(op.getMax(), env, rowScope, maximum);
  Tile shift = jobs.size() > 1 ? makeFinite(maximum) : maximum;
  for (const KeyJob &job : jobs) {
    Tile decay = jobs.size() > 1 ? expShifted(job.tiles.front(), shift) : maximum;
    for (auto [sum, tile] : llvm::zip(job.sums, ArrayRef<Tile>(job.tiles).drop_front()))
      defineSum(sum, env, jobs.size() > 1 ? tb.mul(tile, decay) : tile);
  }
}

//===----------------------------------------------------------------------===//
// Loops that reductions share
//===----------------------------------------------------------------------===//

KeyJob PhaseEmitter::makeJob(Operation *op, ArrayRef<StringRef> reduced, Value mask,
                             bool isSingly) {
  KeyJob job{op};
  job.keys.isSingly = isSingly;
  if (mask && !isTrue(mask))
    job.keys.mask = mask;
  for (StringRef axis : reduced)
    if (isIndexAxis(axis))
      job.keys.variables.push_back(axis);
    else
      job.reduced.push_back(axis);
  if (!job.keys.variables.empty() && !isSingly)
    job.reduced.push_back(kKey);
  return job;
}

SmallVector<Tile> PhaseEmitter::runStep(const KeyBlock &block, const KeyJob &job,
                                        ArrayRef<Tile> carried) {
  tb.loc = job.op->getLoc();
  if (job.logits)
    return onlineStep(block, job, carried);
  if (isa<LargestOp>(job.op))
    return insertStep(block, job, carried);
  if (job.sums.empty())
    return {foldStep(block, job, carried.front())};
  const KeySum &sum = job.sums.front();
  Tile product = getPairProduct(block, sum);
  promiseBand(block, product);
  Tile weights = applyMask(block, product, tb.real(0));
  Tile result = accumulate(block, job.reduced, sum, weights, carried.front());
  promiseBand(block, weights);
  return {result};
}

/// Runs jobs over the same keys in one loop.
void PhaseEmitter::runJobs(ArrayRef<KeyJob *> jobs) {
  const KeySet &keys = jobs.front()->keys;
  SmallVector<PrefixOp> prefixes = getKeyPrefixes(jobs);
  KeyBlock start{rowScope, getAnchorEnv(jobs.front()->op), keys.mask, keys.isSingly};
  start.prefixes = prefixes;
  SmallVector<Tile> carried;
  for (KeyJob *job : jobs)
    llvm::append_range(carried, job->tiles);
  for (PrefixOp prefix : prefixes)
    carried.push_back(getPrefixStart(prefix, start.env));
  SmallVector<Tile> result =
      keyLoop(keys.variables, start, carried, [&](const KeyBlock &block, ArrayRef<Tile> tiles) {
        SmallVector<Tile> totals = emitKeyPrefixes(block, tiles.take_back(prefixes.size()));
        SmallVector<Tile> next;
        for (KeyJob *job : jobs) {
          llvm::append_range(next, runStep(block, *job, tiles.take_front(job->tiles.size())));
          tiles = tiles.drop_front(job->tiles.size());
        }
        llvm::append_range(next, totals);
        return next;
      });
  ArrayRef<Tile> rest = result;
  for (KeyJob *job : jobs) {
    size_t count = job->tiles.size();
    job->tiles.assign(rest.begin(), rest.begin() + count);
    rest = rest.drop_front(count);
  }
}

/// Whether the value of `op` is computed from a result of one of the anchors.
static bool dependsOn(Operation *op, ArrayRef<Operation *> anchors) {
  SmallPtrSet<Operation *, 16> seen;
  SmallVector<Operation *> work = {op};
  while (!work.empty()) {
    for (Value operand : work.pop_back_val()->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      if (!definition || !seen.insert(definition).second)
        continue;
      if (llvm::is_contained(anchors, definition))
        return true;
      work.push_back(definition);
    }
  }
  return false;
}

void PhaseEmitter::addJobs(Operation *op, std::vector<KeyJob> &jobs) {
  if (auto streamed = dyn_cast<StreamedReductionOp>(op))
    addSources(streamed, jobs);
  else if (auto largest = dyn_cast<LargestOp>(op))
    addLargest(largest, jobs);
  else
    addReduction(cast<ReduceOp>(op), jobs);
}

void PhaseEmitter::emitStream(Operation *op) {
  tb.setSize(kKey, parameters.keys);
  SmallVector<Operation *> anchors = {op};
  std::vector<KeyJob> jobs;
  addJobs(op, jobs);
  size_t numOwn = jobs.size();
  // Another reduction joins if it walks some of the same keys, and neither needs the other.
  for (Operation *other : phase.anchors) {
    if (emitted.contains(other) || getRowVariable(other) != getRowVariable(op) ||
        dependsOn(other, anchors) ||
        llvm::any_of(anchors, [&](Operation *anchor) { return dependsOn(anchor, other); }))
      continue;
    std::vector<KeyJob> others;
    addJobs(other, others);
    bool isShared = llvm::any_of(others, [&](const KeyJob &job) {
      return llvm::any_of(ArrayRef<KeyJob>(jobs).take_front(numOwn),
                          [&](const KeyJob &own) { return own.keys == job.keys; });
    });
    if (!isShared)
      continue;
    emitted.insert({other, true});
    anchors.push_back(other);
    llvm::move(others, std::back_inserter(jobs));
  }

  SmallVector<KeyJob *> waiting;
  for (KeyJob &job : jobs)
    if (job.logits && job.reduced.empty())
      runTerm(job);
    else
      waiting.push_back(&job);
  while (!waiting.empty()) {
    SmallVector<KeyJob *> together, rest;
    for (KeyJob *job : waiting)
      (job->keys == waiting.front()->keys ? together : rest).push_back(job);
    runJobs(together);
    waiting = rest;
  }

  ArrayRef<KeyJob> complete = jobs;
  for (Operation *anchor : anchors) {
    tb.loc = anchor->getLoc();
    ArrayRef<KeyJob> own = complete.take_while([&](const KeyJob &job) { return job.op == anchor; });
    complete = complete.drop_front(own.size());
    const KeyJob &first = own.front();
    if (auto streamed = dyn_cast<StreamedReductionOp>(anchor))
      finishSources(streamed, own);
    else if (auto largest = dyn_cast<LargestOp>(anchor))
      defineLargest(largest, first);
    else if (first.sums.empty())
      define(anchor->getResult(0), getAnchorEnv(anchor), rowScope, first.tiles.front());
    else
      defineSum(first.sums.front(), getAnchorEnv(anchor), first.tiles.front());
  }
}
