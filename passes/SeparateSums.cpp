//===- SeparateSums.cpp - Sums with separable weights as recurrences --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Katharopoulos et al., "Transformers are RNNs" (arXiv 2006.16236), in general:
// a weight that is a contraction of what the query has with what the key has lets
// the sum over keys move inside of the contraction.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Build.h"
#include "passes/CausalSet.h"
#include "passes/PairForms.h"
#include "passes/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Expr;
using mix::algebra::ExprKind;

namespace mix {

#define GEN_PASS_DEF_SEPARATESUMS
#include "passes/Passes.h.inc"

/// Each is a recurrence of its own: of more, the states would outweigh the keys.
static constexpr size_t kMaxSummands = 8;

namespace {

/// `outer[i] * decay(i, j) * (sum over X of query[i] * key[j]) * value[j]`
struct Summand {
  Expr outer, query, key, value;
  AxisSet contracted;   ///< X; empty if there is no contraction.
  Expr decay = nullptr; ///< The factor of every token in ]j, i], over the query's axis.
};

/// The summands of a sum over the tokens, or over the tokens so far.
class Separator {
public:
  /// `set` is null if the sum is over tokens that do not depend on the query.
  Separator(OpBuilder &builder, ReduceOp reduce, PairAxes axes, const CausalSet *set)
      : builder(builder), loc(reduce.getLoc()), reduce(reduce), axes(axes), set(set),
        pool(coefficients.getPool()), forms(builder, loc, coefficients, axes),
        emitter(builder, loc, coefficients, [](Value value) { return value; }) {}

  /// The sum, separated; null if it is not separable.
  Value separate();

private:
  bool decompose(Expr e);
  std::vector<Expr> expand(Expr factor);
  std::vector<Expr> expandWave(Value value);
  bool contract(Expr factor, Summand &summand);
  bool addDecay(Expr factor, Summand &summand);
  bool isGood(const Summand &summand);

  Value emit(const Summand &summand);
  Value emitLoop(const Summand &summand);
  Value emitScan(const Summand &summand);
  Value emitTotal(const Summand &summand);
  /// The value at the key's position, 0 where the set of the sum excludes it.
  Value emitOfKey(Expr e);

  OpBuilder &builder;
  Location loc;
  ReduceOp reduce;
  PairAxes axes;
  const CausalSet *set;
  Coefficients coefficients;
  algebra::Pool &pool;
  PairForms forms;
  ExprEmitter emitter;
  std::vector<Summand> summands;
};

} // namespace

//===----------------------------------------------------------------------===//
// Decomposition
//===----------------------------------------------------------------------===//

/// `cos(a + b)` and `sin(a + b)` of a part of the query and one of the key.
std::vector<Expr> Separator::expandWave(Value value) {
  auto cosine = value.getDefiningOp<math::CosOp>();
  auto sine = value.getDefiningOp<math::SinOp>();
  if (!cosine && !sine)
    return {};
  std::optional<PairForm> angle =
      forms.get(value.getDefiningOp()->getOperand(0), /*takeDifferences=*/false);
  if (!angle)
    return {};
  Value a = emitter.emit(angle->query), b = emitter.emit(angle->key);
  auto cosOf = [&](Value x) { return coefficients.getAtom(math::CosOp::create(builder, loc, x)); };
  auto sinOf = [&](Value x) { return coefficients.getAtom(math::SinOp::create(builder, loc, x)); };
  if (cosine)
    return {pool.mul(cosOf(a), cosOf(b)), pool.negate(pool.mul(sinOf(a), sinOf(b)))};
  return {pool.mul(sinOf(a), cosOf(b)), pool.mul(cosOf(a), sinOf(b))};
}

/// A factor of both positions as a sum; empty if it is none.
std::vector<Expr> Separator::expand(Expr factor) {
  if (factor->kind == ExprKind::Sum)
    return factor->operands;
  if (factor->kind == ExprKind::Atom)
    return expandWave(coefficients.getValue(factor->atom));
  if (factor->kind != ExprKind::Reduce)
    return {};
  std::vector<Expr> inner = algebra::factorsOf(factor->operands.front());
  for (Expr &part : inner) {
    std::vector<Expr> addends = axes.hasBoth(part) ? expand(part) : std::vector<Expr>();
    if (addends.empty())
      continue;
    for (Expr &addend : addends) {
      part = addend;
      addend = pool.reduce(pool.product(inner), factor->reduced);
    }
    return addends;
  }
  return {};
}

/// A power of a difference, as a factor per token.
bool Separator::addDecay(Expr factor, Summand &summand) {
  if (factor->kind != ExprKind::Atom || !set)
    return false;
  Value value = coefficients.getValue(factor->atom);
  auto power = value.getDefiningOp<math::PowFOp>();
  if (!power && !isa_and_nonnull<math::ExpOp, math::Exp2Op>(value.getDefiningOp()))
    return false;
  Value base = power ? stripBroadcasts(power.getLhs()) : Value();
  if (base && (hasAxis(base.getType(), axes.query) || hasAxis(base.getType(), axes.key)))
    return false;
  std::optional<PairForm> exponent =
      forms.get(value.getDefiningOp()->getOperand(power ? 1 : 0), /*takeDifferences=*/true);
  // The power of a part alone appears in the sum itself, at `j = i`, so it may be moved out.
  // With parts of both positions, large ones might cancel.
  if (!exponent || !exponent->growth ||
      (!algebra::isZero(exponent->query) && !algebra::isZero(exponent->key)))
    return false;
  auto raise = [&](Expr e) -> Expr {
    if (algebra::isZero(e))
      return pool.one();
    Value x = emitter.emit(e);
    if (power)
      return coefficients.getAtom(createBinary<math::PowFOp>(builder, loc, base, x));
    if (value.getDefiningOp<math::Exp2Op>())
      return coefficients.getAtom(math::Exp2Op::create(builder, loc, x));
    return coefficients.getAtom(math::ExpOp::create(builder, loc, x));
  };
  Expr decay = raise(exponent->growth);
  summand.decay = summand.decay ? pool.mul(summand.decay, decay) : decay;
  Expr &query = summand.contracted.empty() ? summand.outer : summand.query;
  Expr &key = summand.contracted.empty() ? summand.value : summand.key;
  query = pool.mul(query, raise(exponent->query));
  key = pool.mul(key, raise(exponent->key));
  return true;
}

/// A contraction of a part of the query with a part of the key.
bool Separator::contract(Expr factor, Summand &summand) {
  if (!summand.contracted.empty())
    return false;
  summand.contracted = factor->reduced;
  for (Expr part : algebra::factorsOf(factor->operands.front())) {
    if (axes.hasBoth(part)) {
      if (!addDecay(part, summand))
        return false;
      continue;
    }
    Expr &side = axes.hasKey(part) ? summand.key : summand.query;
    side = pool.mul(side, part);
  }
  return true;
}

/// Adds summands whose sum is `e`.
bool Separator::decompose(Expr e) {
  Summand summand{pool.one(), pool.one(), pool.one(), pool.one(), {}};
  std::vector<Expr> factors = algebra::factorsOf(e);
  for (Expr &factor : factors) {
    if (!axes.hasBoth(factor)) {
      Expr &side = axes.hasKey(factor) ? summand.value : summand.outer;
      side = pool.mul(side, factor);
      continue;
    }
    if (std::vector<Expr> addends = expand(factor); !addends.empty())
      return llvm::all_of(addends, [&](Expr addend) {
        factor = addend;
        return decompose(pool.product(factors));
      });
    bool isContraction = factor->kind == ExprKind::Reduce;
    if (!(isContraction ? contract(factor, summand) : addDecay(factor, summand)))
      return false;
  }
  summands.push_back(summand);
  return summands.size() <= kMaxSummands && isGood(summand);
}

bool Separator::isGood(const Summand &summand) {
  AxisSet query{axes.query.str()}, key{axes.key.str()};
  const AxisSet &x = summand.contracted;
  // A sum over nothing is zero, whatever is moved out of it.
  bool mayBeEmpty = set ? set->isStrict || !set->conditions.empty() : bool(reduce.getMask());
  if (mayBeEmpty && !(algebra::isFinite(summand.outer) && algebra::isFinite(summand.query)))
    return false;
  AxisSet free = summand.value->axes - key;
  AxisSet decay = summand.decay ? summand.decay->axes - query : AxisSet();
  if (x.empty())
    return llvm::none_of(free | decay, isIndexAxis);
  if (!decay.isSubsetOf(x))
    free = free | decay;
  return (summand.query->axes - query).isSubsetOf(x) && (summand.key->axes - key).isSubsetOf(x) &&
         !free.intersects(x) && !summand.outer->axes.intersects(x) &&
         llvm::none_of(x | free, isIndexAxis) && !(free.empty() && x.size() > 1);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value Separator::emitOfKey(Expr e) {
  Value value = emitter.emit(e);
  return set ? createGuarded(builder, loc, value, set->conditions, 0) : value;
}

/// The contraction with a running sum over the tokens so far.
Value Separator::emitScan(const Summand &summand) {
  int64_t size = getAxisSize(set->position.getType(), axes.query);
  auto atQuery = [&](Value value) {
    value = moveWalk(builder, loc, value, axes.key, axes.query);
    return ensureAxis(builder, loc, value, axes.query, size);
  };
  Expr queryOf = summand.query;
  // The state before a token has not seen the token's own decay.
  bool isOfContracted =
      summand.decay &&
      (summand.decay->axes - AxisSet{axes.query.str()}).isSubsetOf(summand.contracted);
  if (set->isStrict && isOfContracted)
    queryOf = pool.mul(queryOf, summand.decay);
  Value left = atQuery(emitOfKey(summand.key)), value = atQuery(emitOfKey(summand.value));
  Value query = atQuery(emitter.emit(queryOf));
  Value decay = summand.decay ? atQuery(emitter.emit(summand.decay)) : Value();
  SmallVector<Type> types = {left.getType(), query.getType(), value.getType()};
  if (decay)
    types.push_back(decay.getType());
  RankedTensorType stateType = dropAxes(joinIndexFirst(types), {axes.query});
  SmallVector<StringRef> contracted(summand.contracted.begin(), summand.contracted.end());
  Type outputType = withAxis(dropAxes(stateType, contracted), axes.query, size);
  Value nothing = broadcastTo(builder, loc, createNumber(builder, loc, 0), stateType);
  ArrayRef<int64_t> none;
  auto scan = AffineScanOp::create(
      builder, loc, {stateType, outputType}, builder.getStringAttr(axes.query),
      builder.getStrArrayAttr(contracted), nothing, decay, /*mixes=*/ValueRange(), none, none, left,
      value, /*reads=*/ValueRange(), /*read_of=*/none, /*coefs=*/ValueRange(), none, none, query,
      /*query_of=*/none, ArrayRef<bool>(!set->isStrict));
  Value output = scan.getOutputs().front();
  if (set->isStrict && decay && !isOfContracted)
    output = createBinary<arith::MulFOp>(builder, loc, decay, output);
  return output;
}

/// A running sum with a decay, element by element.
Value Separator::emitLoop(const Summand &summand) {
  StringRef space = getSpace(axes.query);
  int64_t size = getAxisSize(set->position.getType(), axes.query);
  auto bind = [&](Value value, StringRef axis) -> Value {
    value = ensureAxis(builder, loc, value, axis, size);
    return BindOp::create(builder, loc, renameAxis(value.getType(), axis, space), value, axis);
  };
  Value decays = bind(emitter.emit(summand.decay), axes.query);
  Value values = bind(emitOfKey(summand.value), axes.key);
  RankedTensorType type = dropAxes(joinAxes({decays.getType(), values.getType()}), {space});
  Value nothing = broadcastTo(builder, loc, createNumber(builder, loc, 0), type);
  auto loop = createElementwiseLoop(
      builder, loc, space, size, "sum", nothing, [&](OpBuilder &b, Value position, Value state) {
        auto read = [&](Value rows) -> Value {
          return ReadOp::create(b, loc, dropAxes(rows.getType(), {space}), rows,
                                b.getStrArrayAttr({space}), position);
        };
        Value decayed = createBinary<arith::MulFOp>(b, loc, state, read(decays));
        Value next = createBinary<arith::AddFOp>(b, loc, decayed, read(values));
        return std::pair(next, set->isStrict ? decayed : next);
      });
  Value output = loop.getResult(1);
  Type outputType = withAxis(type, axes.query, size);
  return ReadOp::create(builder, loc, outputType, output, builder.getStrArrayAttr({space}),
                        createIota(builder, loc, axes.query, size));
}

/// The contraction with a sum that is the same for all queries.
Value Separator::emitTotal(const Summand &summand) {
  Value products = createBinary<arith::MulFOp>(builder, loc, emitter.emit(summand.key),
                                               emitter.emit(summand.value));
  int64_t size = getAxisSize(reduce.getSource().getType(), axes.key);
  products = ensureAxis(builder, loc, products, axes.key, size);
  Value mask = reduce.getMask() ? stripBroadcasts(reduce.getMask()) : Value();
  if (mask)
    mask = broadcastTo(builder, loc, mask, products.getType());
  Value total = createReduce(builder, loc, ReduceKind::Sum, products, mask, {axes.key});
  if (summand.contracted.empty())
    return total;
  SmallVector<StringRef> contracted(summand.contracted.begin(), summand.contracted.end());
  Value terms = createBinary<arith::MulFOp>(builder, loc, emitter.emit(summand.query), total);
  return createReduce(builder, loc, ReduceKind::Sum, terms, {}, contracted);
}

Value Separator::emit(const Summand &summand) {
  Value value;
  if (!set)
    value = emitTotal(summand);
  else if (summand.contracted.empty() && summand.decay)
    value = emitLoop(summand);
  else if (summand.contracted.empty())
    value = createPrefixAt(builder, reduce, *set, emitter.emit(summand.value));
  else
    value = emitScan(summand);
  if (algebra::isOne(summand.outer))
    return value;
  return createBinary<arith::MulFOp>(builder, loc, emitter.emit(summand.outer), value);
}

Value Separator::separate() {
  if (!decompose(coefficients.get(reduce.getSource())) ||
      llvm::all_of(summands, [](auto &s) { return s.contracted.empty() && !s.decay; }))
    return {};
  Value total;
  for (const Summand &summand : summands) {
    Value value = emit(summand);
    total = total ? createBinary<arith::AddFOp>(builder, loc, total, value) : value;
  }
  return total;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The sum, separated; null if it is none over one walk of the tokens, or not separable.
static Value separateSum(OpBuilder &builder, ReduceOp reduce) {
  if (reduce.getKind() != ReduceKind::Sum || reduce.getAxes().size() != 1)
    return {};
  PairAxes axes;
  axes.key = cast<StringAttr>(reduce.getAxes()[0]).getValue();
  for (StringRef axis : getAxes(reduce.getSource())) {
    if (!isIndexAxis(axis) || axis == axes.key)
      continue;
    if (!axes.query.empty())
      return {};
    axes.query = axis;
  }
  if (!isIndexAxis(axes.key) || axes.query.empty())
    return {};
  if (std::optional<CausalSet> set = matchCausalSet(reduce))
    return Separator(builder, reduce, axes, &*set).separate();
  if (reduce.getMask() && hasAxis(stripBroadcasts(reduce.getMask()).getType(), axes.query))
    return {};
  return Separator(builder, reduce, axes, nullptr).separate();
}

namespace {
struct SeparateSums : impl::SeparateSumsBase<SeparateSums> {
  void runOnOperation() override { numSeparated += replaceReductions(getOperation(), separateSum); }
};
} // namespace

} // namespace mix
