//===- StreamSoftmax.cpp - Softmax as a stabilised sum ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums over an index axis that are linear in a softmax, or in an exponential that
// is stabilised by the maximum of its own argument, become the sums of a
// `mix.streamed_reduction`. Both are found by the same algebra as the reads of a
// state: the weight is the symbol, and the sum a contraction of it.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/BodyForms.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Expr;
using mix::algebra::ExprKind;
using mix::algebra::LinearForm;
using mix::algebra::LinearTerm;
using mix::algebra::Symbol;

namespace mix {

#define GEN_PASS_DEF_STREAMSOFTMAX
#include "passes/Passes.h.inc"

static SmallVector<StringRef> getStrings(Attribute array) {
  return llvm::map_to_vector(cast<ArrayAttr>(array).getAsValueRange<StringAttr>(),
                             [](StringRef s) { return s; });
}

/// The atoms of an expression.
static void collectAtoms(Expr e, llvm::SetVector<unsigned> &atoms) {
  if (e->kind == ExprKind::Atom)
    atoms.insert(e->atom);
  for (Expr operand : e->operands)
    collectAtoms(operand, atoms);
}

/// Moves what makes the values in front of `op`, where it comes later in the block.
static void moveDefinitionsBefore(Operation *op, ArrayRef<Value> values) {
  SmallVector<Value> pending(values);
  llvm::SetVector<Operation *> late;
  while (!pending.empty()) {
    Operation *definition = pending.pop_back_val().getDefiningOp();
    if (!definition || definition->getBlock() != op->getBlock() ||
        definition->isBeforeInBlock(op) || !late.insert(definition))
      continue;
    definition->walk(
        [&](Operation *nested) { llvm::append_range(pending, nested->getOperands()); });
  }
  SmallVector<Operation *> order(late.begin(), late.end());
  llvm::sort(order, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *definition : order)
    definition->moveBefore(op);
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

namespace {

/// One index set under a stabiliser.
struct Source {
  Value logits, mask;
  SmallVector<StringRef> axes;
};

/// A value of the program that is proportional to `exp(logits of source - M)`.
struct Weight {
  Value value;
  unsigned source;
  bool isMasked; ///< Zero where the mask of the source does not hold.
};

/// A sum that is linear in weights.
struct WeightedSum {
  ReduceOp op;
  Expr constant;
  struct Term {
    unsigned weight;
    unsigned value; ///< Number of the value of the stream.
    Expr outer;
  };
  SmallVector<Term> terms;
};

/// One `mix.streamed_reduction` in the making.
class Stream {
public:
  /// The op is made in front of `place`; values that depend on `barrier` are not
  /// available there.
  Stream(Operation *place, Value barrier, ArrayRef<Source> sources)
      : place(place), barrier(barrier), sources(sources) {}

  Coefficients &getCoefficients() { return coefficients; }
  /// The sums that are linear in the weights; their values become the stream's.
  SmallVector<WeightedSum> addSums(ArrayRef<Weight> weights);
  /// The number of a value that weighs the terms of a source.
  unsigned addValue(unsigned source, Expr value);
  LogicalResult create();
  Value getMax() { return op.getMax(); }
  Value getSum(unsigned value) { return op.getSums()[value]; }

  /// What stands for the value of an atom: sums that are replaced already are not
  /// to be used.
  Value materialize(Value value) const {
    Value replacement = replacements.lookup(value);
    return replacement ? replacement : value;
  }
  void replace(Value sum, Value replacement) { replacements[sum] = replacement; }

private:
  void addMoreSums(ArrayRef<Weight> weights, SmallVectorImpl<WeightedSum> &sums);
  bool isAvailable(Expr e, const Dependence &dependence, unsigned barrierBit);
  std::optional<Expr> dropMask(const Weight &weight, Expr inner);

  Operation *place;
  Value barrier;
  ArrayRef<Source> sources;
  Coefficients coefficients;
  SmallVector<std::pair<unsigned, Expr>> values;
  DenseMap<Value, Value> replacements;
  StreamedReductionOp op;
};

} // namespace

bool Stream::isAvailable(Expr e, const Dependence &dependence, unsigned barrierBit) {
  llvm::SetVector<unsigned> atoms;
  collectAtoms(e, atoms);
  return llvm::none_of(atoms, [&](unsigned atom) {
    return dependence.get(coefficients.getValue(atom)).test(barrierBit);
  });
}

/// The coefficient without the mask of the source, which the stream applies itself.
/// None if the weight is summed where the mask does not hold.
std::optional<Expr> Stream::dropMask(const Weight &weight, Expr inner) {
  const Source &source = sources[weight.source];
  if (!source.mask || isTrue(source.mask))
    return inner;
  std::vector<Expr> factors = algebra::factorsOf(inner);
  Expr mask = coefficients.getMask(source.mask);
  auto it = llvm::find(factors, mask);
  if (it != factors.end()) {
    factors.erase(it);
    return coefficients.getPool().product(factors);
  }
  bool isGuarded = llvm::any_of(factors, [&](Expr factor) {
    return factor->kind == ExprKind::Guard && factor->holds && factor->operands[0] == mask;
  });
  return weight.isMasked || isGuarded ? std::optional<Expr>(inner) : std::nullopt;
}

SmallVector<WeightedSum> Stream::addSums(ArrayRef<Weight> weights) {
  // A sum that is found is a constant to the others, but not available to them at
  // the place of the op: what is linear only then is found in the next round.
  SmallVector<WeightedSum> sums;
  size_t numKnown;
  do {
    numKnown = sums.size();
    addMoreSums(weights, sums);
  } while (sums.size() != numKnown);
  llvm::sort(sums, [](WeightedSum &a, WeightedSum &b) { return a.op->isBeforeInBlock(b.op); });
  return sums;
}

void Stream::addMoreSums(ArrayRef<Weight> weights, SmallVectorImpl<WeightedSum> &sums) {
  SmallVector<std::pair<Value, unsigned>> roots;
  DenseMap<Value, Symbol> symbols;
  for (auto [n, weight] : llvm::enumerate(weights)) {
    roots.emplace_back(weight.value, n);
    symbols[weight.value] = {unsigned(n), AxisSet::of(getAxes(weight.value))};
  }
  unsigned barrierBit = weights.size();
  if (barrier)
    roots.emplace_back(barrier, barrierBit);
  for (WeightedSum &sum : sums)
    roots.emplace_back(sum.op.getResult(), barrierBit);
  Block &block = *place->getBlock();
  Dependence dependence(block, roots, weights.size() + 1);
  llvm::SmallBitVector focus(weights.size() + 1, true);
  focus.reset(barrierBit);
  BodyForms forms(block, coefficients, dependence, focus, symbols);

  SmallVector<Value> found;
  for (auto reduce : block.getOps<ReduceOp>()) {
    // A sum over a feature axis of a sum over tokens is no sum of its own.
    if (!forms.dependsOnFocus(reduce.getResult()) ||
        llvm::none_of(getStrings(reduce.getAxes()), isIndexAxis))
      continue;
    std::optional<LinearForm> form = forms.get(reduce.getResult());
    if (!form)
      continue;
    SmallVector<std::pair<unsigned, Expr>> inners;
    for (const LinearTerm &term : form->terms) {
      const Weight &weight = weights[term.symbol.id];
      std::optional<Expr> inner = dropMask(weight, term.inner);
      if (!inner || term.reduced != AxisSet::of(sources[weight.source].axes) ||
          !isAvailable(*inner, dependence, barrierBit))
        break;
      inners.emplace_back(weight.source, *inner);
    }
    if (inners.size() != form->terms.size())
      continue;
    WeightedSum sum{reduce, form->constant, {}};
    for (auto [term, inner] : llvm::zip(form->terms, inners))
      sum.terms.push_back({term.symbol.id, addValue(inner.first, inner.second), term.outer});
    sums.push_back(std::move(sum));
    found.push_back(reduce.getResult());
  }
  coefficients.addOpaque(found);
}

unsigned Stream::addValue(unsigned source, Expr value) {
  std::pair<unsigned, Expr> wanted = {source, value};
  auto it = llvm::find(values, wanted);
  if (it == values.end())
    it = values.insert(it, wanted);
  return it - values.begin();
}

LogicalResult Stream::create() {
  Location loc = place->getLoc();
  OpBuilder builder(place);
  llvm::SetVector<unsigned> atoms;
  for (auto [source, value] : values)
    collectAtoms(value, atoms);
  moveDefinitionsBefore(place, llvm::map_to_vector(atoms, [&](unsigned atom) {
                          return coefficients.getValue(atom);
                        }));
  ExprEmitter emitter(builder, loc, coefficients, [](Value value) { return value; });

  SmallVector<Value> logits, masks, operands;
  SmallVector<Attribute> axes;
  for (const Source &source : sources) {
    logits.push_back(source.logits);
    masks.push_back(source.mask ? stripBroadcasts(source.mask) : createTrue(builder, loc));
    axes.push_back(builder.getStrArrayAttr(source.axes));
  }
  Type common = dropAxes(logits.front().getType(), sources.front().axes);
  SmallVector<Type> types = {joinIndexFirst({common})};
  SmallVector<int64_t> sourceOf;
  for (auto [source, value] : values) {
    operands.push_back(emitter.emit(value));
    sourceOf.push_back(source);
    types.push_back(
        joinIndexFirst({common, dropAxes(operands.back().getType(), sources[source].axes)}));
  }
  op = StreamedReductionOp::create(builder, loc, types, logits, masks, builder.getArrayAttr(axes),
                                   operands, sourceOf);
  return success();
}

/// Makes coefficients where a sum stands.
static ExprEmitter getEmitter(Stream &stream, WeightedSum &sum, OpBuilder &builder) {
  return ExprEmitter(builder, sum.op.getLoc(), stream.getCoefficients(),
                     [&](Value value) { return stream.materialize(value); });
}

/// The value, or zero where the sets of the stream are empty.
static Value zeroWhereEmpty(Stream &stream, OpBuilder &builder, Location loc, Value value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Value max = broadcastTo(builder, loc, stream.getMax(), value.getType());
  Value lowest = broadcastTo(builder, loc, createNumber(builder, loc, -infinity), value.getType());
  Value zero = broadcastTo(builder, loc, createNumber(builder, loc, 0), value.getType());
  Value isEmpty = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, max, lowest);
  return arith::SelectOp::create(builder, loc, isEmpty, zero, value);
}

/// `sum of outer_n * sum_n`, without the constant.
static Value emitTerms(Stream &stream, WeightedSum &sum, OpBuilder &builder,
                       function_ref<Value(unsigned weight, Value sum)> adjust) {
  Location loc = sum.op.getLoc();
  ExprEmitter emitter = getEmitter(stream, sum, builder);
  Value total;
  for (const WeightedSum::Term &term : sum.terms) {
    Value part = adjust(term.weight, stream.getSum(term.value));
    if (!algebra::isOne(term.outer)) {
      part = createBinary<arith::MulFOp>(builder, loc, emitter.emit(term.outer), part);
      // Over nothing the sum is zero, even if the factor is infinite there.
      if (!algebra::isFinite(term.outer))
        part = zeroWhereEmpty(stream, builder, loc, part);
    }
    total = total ? createBinary<arith::AddFOp>(builder, loc, total, part) : part;
  }
  return total;
}

/// Puts `value + constant` in the place of the sum.
static void replaceSum(Stream &stream, WeightedSum &sum, OpBuilder &builder, Value value) {
  Location loc = sum.op.getLoc();
  if (!algebra::isZero(sum.constant)) {
    ExprEmitter emitter = getEmitter(stream, sum, builder);
    value = createBinary<arith::AddFOp>(builder, loc, value, emitter.emit(sum.constant));
  }
  value = broadcastTo(builder, loc, value, sum.op.getType());
  stream.replace(sum.op.getResult(), value);
  sum.op.getResult().replaceAllUsesWith(value);
}

/// Erases the sums, all replaced, and what only they used, except for `kept`.
static void eraseSums(ArrayRef<WeightedSum> sums, Operation *kept) {
  SmallVector<Operation *> pending;
  for (WeightedSum sum : sums)
    pending.push_back(sum.op);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    SmallVector<Value> operands(op->getOperands());
    op->erase();
    for (Value operand : operands) {
      Operation *definition = operand.getDefiningOp();
      if (definition && definition != kept && isOpTriviallyDead(definition) &&
          !llvm::is_contained(pending, definition))
        pending.push_back(definition);
    }
  }
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// `mask ? exp(logits - max) / sum : 0` for the uses of a softmax that are no sums.
static Value emitWeight(OpBuilder &builder, Location loc, Source source, Value max, Value sum) {
  Value shifted = createBinary<arith::SubFOp>(builder, loc, source.logits, max);
  Value weight =
      createBinary<arith::DivFOp>(builder, loc, math::ExpOp::create(builder, loc, shifted), sum);
  if (isTrue(source.mask))
    return weight;
  auto type = cast<RankedTensorType>(weight.getType());
  Value zero = broadcastTo(builder, loc, createNumber(builder, loc, 0), type);
  return arith::SelectOp::create(builder, loc, broadcastTo(builder, loc, source.mask, type), weight,
                                 zero);
}

/// The denominator, or 1 where it is 0 because every mask is false.
static Value emitSafeSum(OpBuilder &builder, Location loc, Value sum) {
  Value zero = broadcastTo(builder, loc, createNumber(builder, loc, 0), sum.getType());
  Value one = broadcastTo(builder, loc, createNumber(builder, loc, 1), sum.getType());
  Value isEmpty = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, sum, zero);
  return arith::SelectOp::create(builder, loc, isEmpty, one, sum);
}

static SmallVector<Source> getSources(SoftmaxOp softmax) {
  SmallVector<Source> sources;
  for (auto [logits, mask, axes] :
       llvm::zip(softmax.getLogits(), softmax.getMasks(), softmax.getAxes()))
    sources.push_back({logits, mask, getStrings(axes)});
  return sources;
}

/// A softmax over feature axes only needs no online form: it is its definition.
static void decompose(SoftmaxOp softmax) {
  OpBuilder builder(softmax);
  Location loc = softmax.getLoc();
  SmallVector<Source> sources = getSources(softmax);
  Value max, sum;
  for (const Source &source : sources) {
    Value mask = isTrue(source.mask) ? Value() : source.mask;
    Value part = createReduce(builder, loc, ReduceKind::Max, source.logits, mask, source.axes);
    max = max ? createBinary<arith::MaximumFOp>(builder, loc, max, part) : part;
  }
  for (const Source &source : sources) {
    Value mask = isTrue(source.mask) ? Value() : source.mask;
    Value shifted = createBinary<arith::SubFOp>(builder, loc, source.logits, max);
    Value part = createReduce(builder, loc, ReduceKind::Sum,
                              math::ExpOp::create(builder, loc, shifted), mask, source.axes);
    sum = sum ? createBinary<arith::AddFOp>(builder, loc, sum, part) : part;
  }
  bool mayBeEmpty = llvm::none_of(sources, [](const Source &s) { return isTrue(s.mask); });
  if (mayBeEmpty)
    sum = emitSafeSum(builder, loc, sum);
  for (auto [result, source] : llvm::zip(softmax.getResults(), sources))
    result.replaceAllUsesWith(
        broadcastTo(builder, loc, emitWeight(builder, loc, source, max, sum), result.getType()));
}

static LogicalResult streamSoftmax(SoftmaxOp softmax) {
  SmallVector<Source> sources = getSources(softmax);
  Stream stream(softmax, /*barrier=*/Value(), sources);
  SmallVector<Weight> weights;
  SmallVector<unsigned> ones;
  for (auto [n, result] : llvm::enumerate(softmax.getResults())) {
    weights.push_back({result, unsigned(n), /*isMasked=*/true});
    ones.push_back(stream.addValue(n, stream.getCoefficients().getPool().one()));
  }
  SmallVector<WeightedSum> sums = stream.addSums(weights);
  if (failed(stream.create()))
    return failure();

  OpBuilder builder(softmax);
  Location loc = softmax.getLoc();
  Value denominator;
  for (unsigned one : ones) {
    Value part = stream.getSum(one);
    denominator = denominator ? createBinary<arith::AddFOp>(builder, loc, denominator, part) : part;
  }
  denominator = emitSafeSum(builder, loc, denominator);
  for (WeightedSum &sum : sums) {
    builder.setInsertionPoint(sum.op);
    Value total = emitTerms(stream, sum, builder, [](unsigned, Value part) { return part; });
    replaceSum(stream, sum, builder,
               createBinary<arith::DivFOp>(builder, sum.op.getLoc(), total, denominator));
  }
  // What else uses the weights gets them element by element.
  eraseSums(sums, softmax);
  builder.setInsertionPoint(softmax);
  for (auto [result, source] : llvm::zip(softmax.getResults(), sources)) {
    if (result.use_empty())
      continue;
    Value weight = emitWeight(builder, loc, source, stream.getMax(), denominator);
    result.replaceAllUsesWith(broadcastTo(builder, loc, weight, result.getType()));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Softmax written by hand
//===----------------------------------------------------------------------===//

/// Splits a sum into the part that varies along the axes, and the rest.
static std::pair<Expr, Expr> splitBy(algebra::Pool &pool, Expr e, const AxisSet &axes) {
  std::vector<Expr> varying, rest;
  for (Expr addend : algebra::addendsOf(e))
    (addend->axes.intersects(axes) ? varying : rest).push_back(addend);
  return {pool.sum(varying), pool.sum(rest)};
}

namespace {
/// `exp(s + d)` with `s` the source and `d` independent of its axes.
struct ShiftedExp {
  math::ExpOp op;
  Expr shift;
};
} // namespace

/// Sums over the set of a maximum `m` of `exp(s + d) x`, where `m` is the maximum
/// of `s` up to a shift: as a function of `d`, they are homogeneous in `exp(d)`, so
/// that they are `exp(M + d)` times the sums of a stream with the maximum `M`. Done
/// where `d` depends on `m`: it is there to keep the exponential in range.
static LogicalResult streamExponentials(ReduceOp maximum) {
  SmallVector<StringRef> axes = getStrings(maximum.getAxes());
  AxisSet axisSet = AxisSet::of(axes);
  Source source{maximum.getSource(), maximum.getMask(), axes};
  Stream stream(maximum, maximum.getResult(), source);
  Coefficients &coefficients = stream.getCoefficients();
  algebra::Pool &pool = coefficients.getPool();
  auto [logits, offset] = splitBy(pool, coefficients.get(maximum.getSource()), axisSet);

  Dependence onMaximum(*maximum->getBlock(), {{maximum.getResult(), 0}}, 1);
  SmallVector<ShiftedExp> exps;
  SmallVector<Weight> weights;
  for (auto exp : maximum->getBlock()->getOps<math::ExpOp>()) {
    if (!onMaximum.get(exp.getResult()).any())
      continue;
    auto [varying, shift] = splitBy(pool, coefficients.get(exp.getOperand()), axisSet);
    if (varying != logits)
      continue;
    exps.push_back({exp, pool.add(shift, pool.negate(offset))});
    weights.push_back({exp.getResult(), 0, /*isMasked=*/false});
  }
  if (exps.empty())
    return success();
  SmallVector<WeightedSum> sums = stream.addSums(weights);
  if (sums.empty())
    return success();
  if (failed(stream.create()))
    return failure();

  // The logits of the stream are the source, offset included.
  Expr before = coefficients.getAtom(maximum.getResult());
  Expr after = coefficients.getAtom(stream.getMax());
  OpBuilder builder(maximum);
  for (WeightedSum &sum : sums) {
    builder.setInsertionPoint(sum.op);
    Location loc = sum.op.getLoc();
    auto adjust = [&](unsigned weight, Value part) -> Value {
      std::vector<Expr> addends = {after};
      for (Expr addend : algebra::addendsOf(exps[weight].shift)) {
        std::vector<Expr> factors = algebra::factorsOf(addend);
        std::replace(factors.begin(), factors.end(), before, after);
        addends.push_back(pool.product(factors));
      }
      Expr exponent = pool.sum(addends);
      if (algebra::isZero(exponent))
        return part;
      Value value = getEmitter(stream, sum, builder).emit(exponent);
      // Over an empty set the maximum is -inf, and so may be the shift.
      Value factor = math::ExpOp::create(builder, loc, value);
      return zeroWhereEmpty(stream, builder, loc,
                            createBinary<arith::MulFOp>(builder, loc, factor, part));
    };
    replaceSum(stream, sum, builder, emitTerms(stream, sum, builder, adjust));
  }
  eraseSums(sums, maximum);
  builder.setInsertionPoint(maximum);
  maximum.getResult().replaceAllUsesWith(
      broadcastTo(builder, maximum.getLoc(), stream.getMax(), maximum.getType()));
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct StreamSoftmax : impl::StreamSoftmaxBase<StreamSoftmax> {
  void runOnOperation() override {
    SmallVector<SoftmaxOp> softmaxes;
    SmallVector<ReduceOp> maxima;
    getOperation().walk([&](SoftmaxOp op) { softmaxes.push_back(op); });
    getOperation().walk([&](ReduceOp op) {
      if (op.getKind() == ReduceKind::Max && llvm::any_of(getStrings(op.getAxes()), isIndexAxis))
        maxima.push_back(op);
    });
    for (SoftmaxOp softmax : softmaxes) {
      bool isStreamed = llvm::any_of(softmax.getAxes(), [](Attribute axes) {
        return llvm::any_of(getStrings(axes), isIndexAxis);
      });
      if (!isStreamed)
        decompose(softmax);
      else if (failed(streamSoftmax(softmax)))
        return signalPassFailure();
      softmax.erase();
      numStreamed += isStreamed;
    }
    for (ReduceOp maximum : maxima) {
      if (failed(streamExponentials(maximum)))
        return signalPassFailure();
      if (!maximum.getResult().use_empty())
        continue;
      maximum.erase();
      ++numStreamed;
    }
  }
};
} // namespace

} // namespace mix
