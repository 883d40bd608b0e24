//===- CausalSet.cpp - Reductions over the tokens so far --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/CausalSet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Build.h"

using namespace mlir;

namespace mix {

void collectConjuncts(Value mask, SmallVectorImpl<Value> &conjuncts) {
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

std::optional<CausalSet> matchCausalSet(ReduceOp reduce) {
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

Value createGuarded(OpBuilder &builder, Location loc, Value value, ArrayRef<Value> conditions,
                    double elsewhere) {
  for (Value condition : conditions) {
    RankedTensorType type = joinIndexFirst({value.getType(), condition.getType()});
    value = arith::SelectOp::create(
        builder, loc, broadcastTo(builder, loc, condition, type),
        broadcastTo(builder, loc, value, type),
        broadcastTo(builder, loc, createNumber(builder, loc, elsewhere), type));
  }
  return value;
}

Value createPrefixAt(OpBuilder &builder, ReduceOp reduce, const CausalSet &set, Value value) {
  Location loc = reduce.getLoc();
  int64_t size = getAxisSize(reduce.getSource().getType(), set.key);
  value = ensureAxis(builder, loc, value, set.key, size);
  PrefixKind kind = getPrefixKind(reduce.getKind());
  value = createGuarded(builder, loc, value, set.conditions, getIdentity(kind));
  Value prefix = PrefixOp::create(builder, loc, kind, value, set.key);
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

int64_t replaceReductions(func::FuncOp function,
                          llvm::function_ref<Value(OpBuilder &, ReduceOp)> replace) {
  SmallVector<ReduceOp> reductions;
  function.walk([&](ReduceOp reduce) { reductions.push_back(reduce); });
  int64_t numReplaced = 0;
  for (ReduceOp reduce : reductions) {
    OpBuilder builder(reduce);
    Value value = replace(builder, reduce);
    if (!value)
      continue;
    reduce.getResult().replaceAllUsesWith(
        broadcastTo(builder, reduce.getLoc(), value, reduce.getType()));
    reduce.erase();
    ++numReplaced;
  }
  return numReplaced;
}

} // namespace mix
