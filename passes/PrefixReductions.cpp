//===- PrefixReductions.cpp - Causal reductions as prefixes -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/Scan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/BodyForms.h"
#include "passes/Build.h"
#include "passes/Passes.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Expr;
using mix::algebra::Separated;

namespace mix {

#define GEN_PASS_DEF_PREFIXREDUCTIONS
#include "passes/Passes.h.inc"

namespace {

/// The set `{j : j <= i and conditions}` of a reduction, or `j < i`.
struct CausalSet {
  StringRef key;   ///< The axis of `j`.
  StringRef query; ///< The axis of `i`.
  Value position;  ///< `i`
  bool isStrict = false;
  SmallVector<Value> conditions; ///< Independent of `i`.
};

} // namespace

/// The predicates whose conjunction is the mask.
static void collectConjuncts(Value mask, SmallVectorImpl<Value> &conjuncts) {
  mask = stripBroadcasts(mask);
  if (auto conjunction = mask.getDefiningOp<arith::AndIOp>()) {
    collectConjuncts(conjunction.getLhs(), conjuncts);
    collectConjuncts(conjunction.getRhs(), conjuncts);
    return;
  }
  conjuncts.push_back(mask);
}

/// Reads `j <= i` or `j < i`, either way round, with `j` along `key` and `i` along
/// another index axis of the same space.
static bool matchOrder(Value predicate, StringRef key, CausalSet &set) {
  auto compare = predicate.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  auto lhs = stripBroadcasts(compare.getLhs()).getDefiningOp<IotaOp>();
  auto rhs = stripBroadcasts(compare.getRhs()).getDefiningOp<IotaOp>();
  if (!lhs || !rhs)
    return false;
  arith::CmpIPredicate order = compare.getPredicate();
  if (order == arith::CmpIPredicate::sge || order == arith::CmpIPredicate::sgt) {
    std::swap(lhs, rhs);
    order =
        order == arith::CmpIPredicate::sge ? arith::CmpIPredicate::sle : arith::CmpIPredicate::slt;
  }
  if (order != arith::CmpIPredicate::sle && order != arith::CmpIPredicate::slt)
    return false;
  set.key = getAxes(lhs.getResult()).front();
  set.query = getAxes(rhs.getResult()).front();
  set.position = rhs.getResult();
  set.isStrict = order == arith::CmpIPredicate::slt;
  return set.key == key && set.query != key && getSpace(set.query) == getSpace(key);
}

static std::optional<CausalSet> matchCausalSet(ReduceOp reduce) {
  if (!reduce.getMask() || reduce.getAxes().size() != 1)
    return std::nullopt;
  StringRef key = cast<StringAttr>(reduce.getAxes()[0]).getValue();
  SmallVector<Value> conjuncts;
  collectConjuncts(reduce.getMask(), conjuncts);
  CausalSet set;
  auto order = llvm::find_if(conjuncts, [&](Value c) { return matchOrder(c, key, set); });
  if (order == conjuncts.end())
    return std::nullopt;
  conjuncts.erase(order);
  for (Value condition : conjuncts)
    if (hasAxis(condition.getType(), set.query))
      return std::nullopt;
  set.conditions = std::move(conjuncts);
  return set;
}

/// The identity of a reduction, for elements that a condition excludes.
static double getIdentity(ReduceKind kind) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case ReduceKind::Sum:
    return 0;
  case ReduceKind::Prod:
    return 1;
  case ReduceKind::Max:
    return -infinity;
  case ReduceKind::Min:
    return infinity;
  }
  llvm_unreachable("unknown reduction");
}

static PrefixKind getPrefixKind(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Sum:
    return PrefixKind::Sum;
  case ReduceKind::Prod:
    return PrefixKind::Prod;
  case ReduceKind::Max:
    return PrefixKind::Max;
  case ReduceKind::Min:
    return PrefixKind::Min;
  }
  llvm_unreachable("unknown reduction");
}

/// The prefix of `value` along the key's axis, read at the query's position.
static Value emitPrefix(OpBuilder &builder, ReduceOp reduce, const CausalSet &set, Value value) {
  Location loc = reduce.getLoc();
  int64_t size = getAxisSize(reduce.getSource().getType(), set.key);
  value = ensureAxis(builder, loc, value, set.key, size);
  for (Value condition : set.conditions) {
    RankedTensorType type = joinIndexFirst({value.getType(), condition.getType()});
    Value identity = createNumber(builder, loc, getIdentity(reduce.getKind()));
    value = arith::SelectOp::create(builder, loc, broadcastTo(builder, loc, condition, type),
                                    broadcastTo(builder, loc, value, type),
                                    broadcastTo(builder, loc, identity, type));
  }
  Value prefix = PrefixOp::create(builder, loc, getPrefixKind(reduce.getKind()), value, set.key);
  StringRef space = getSpace(set.key);
  Value bound =
      BindOp::create(builder, loc, renameAxis(prefix.getType(), set.key, space), prefix, set.key);
  Value position = set.position;
  if (set.isStrict) {
    // Position -1 reads zero, the sum over nothing.
    auto type = cast<RankedTensorType>(position.getType());
    Value one = arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, builder.getI64Type()), int64_t(1)));
    position = arith::SubIOp::create(builder, loc, position, broadcastTo(builder, loc, one, type));
  }
  Type type = withAxis(dropAxes(bound.getType(), {space}), set.query,
                       getAxisSize(position.getType(), set.query));
  return ReadOp::create(builder, loc, type, bound, builder.getStrArrayAttr({space}), position);
}

/// Whether the prefix of the value is a sequence of feature tensors.
static bool isSequence(AxisSet axes, StringRef key) {
  return llvm::all_of(
      axes, [&](const std::string &axis) { return axis == key.str() || !isIndexAxis(axis); });
}

static Value emitSum(OpBuilder &builder, ReduceOp reduce, const CausalSet &set) {
  Coefficients coefficients;
  algebra::Pool &pool = coefficients.getPool();
  std::vector<Separated> parts;
  Expr culprit = nullptr;
  AxisSet query = {set.query.str()}, key = {set.key.str()};
  if (!algebra::separate(pool, coefficients.get(reduce.getSource()), query, key, parts, culprit) ||
      !llvm::all_of(parts, [&](const Separated &p) { return isSequence(p.right->axes, set.key); }))
    return {};
  // A sum over nothing is zero, whatever is moved out of it.
  bool mayBeEmpty = set.isStrict || !set.conditions.empty();
  if (mayBeEmpty && llvm::any_of(parts, [](auto &part) { return !algebra::isFinite(part.left); }))
    return {};
  Location loc = reduce.getLoc();
  ExprEmitter emitter(builder, loc, coefficients, [](Value value) { return value; });
  Value total;
  for (const Separated &part : parts) {
    Value value = emitPrefix(builder, reduce, set, emitter.emit(part.right));
    if (!algebra::isOne(part.left))
      value = createBinary<arith::MulFOp>(builder, loc, emitter.emit(part.left), value);
    total = total ? createBinary<arith::AddFOp>(builder, loc, total, value) : value;
  }
  return total;
}

static Value emitReduction(OpBuilder &builder, ReduceOp reduce, const CausalSet &set) {
  Value source = stripBroadcasts(reduce.getSource());
  // Only the sum over nothing is what a read outside of the axis gives.
  if (set.isStrict || !isa<FloatType>(getElementTypeOrSelf(source)) ||
      !isSequence(AxisSet::of(getAxes(source)), set.key))
    return {};
  return emitPrefix(builder, reduce, set, source);
}

namespace {
struct PrefixReductions : impl::PrefixReductionsBase<PrefixReductions> {
  void runOnOperation() override {
    SmallVector<ReduceOp> reductions;
    getOperation().walk([&](ReduceOp reduce) { reductions.push_back(reduce); });
    for (ReduceOp reduce : reductions) {
      std::optional<CausalSet> set = matchCausalSet(reduce);
      if (!set)
        continue;
      OpBuilder builder(reduce);
      Value value = reduce.getKind() == ReduceKind::Sum ? emitSum(builder, reduce, *set)
                                                        : emitReduction(builder, reduce, *set);
      if (!value)
        continue;
      reduce.getResult().replaceAllUsesWith(
          broadcastTo(builder, reduce.getLoc(), value, reduce.getType()));
      reduce.erase();
      ++numPrefixes;
    }
  }
};
} // namespace

} // namespace mix
