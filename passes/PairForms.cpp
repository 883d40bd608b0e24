//===- PairForms.cpp - Sums of what two positions contribute ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/PairForms.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Build.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using mix::algebra::Expr;

namespace mix {

Value moveWalk(OpBuilder &builder, Location loc, Value value, StringRef from, StringRef to) {
  if (from == to || !hasAxis(value.getType(), from))
    return value;
  StringRef space = getSpace(from);
  int64_t size = getAxisSize(value.getType(), from);
  Value bound = BindOp::create(builder, loc, renameAxis(value.getType(), from, space), value, from);
  Type type = withAxis(dropAxes(bound.getType(), {space}), to, size);
  Value position = createIota(builder, loc, to, size);
  return ReadOp::create(builder, loc, type, bound, builder.getStrArrayAttr({space}), position);
}

/// The real value of an integer one as well.
Expr PairForms::getReal(Value value) {
  if (isa<FloatType>(getElementTypeOrSelf(value)))
    return coefficients.get(value);
  if (std::optional<int64_t> number = getConstantInteger(value))
    return coefficients.getPool().number(*number);
  RankedTensorType type = withElement(value.getType(), builder.getF64Type());
  return coefficients.getAtom(arith::SIToFPOp::create(builder, loc, type, value));
}

/// The prefix sum of which the leaf is the value at its own position, or null for the
/// position itself.
std::optional<PairForms::Sequence> PairForms::getSequence(Value leaf) const {
  if (leaf.getDefiningOp<IotaOp>())
    return nullptr;
  if (auto read = leaf.getDefiningOp<ReadOp>()) {
    auto bind = read.getSource().getDefiningOp<BindOp>();
    bool isOwn = read.getIndices().size() == 1 && read.getIndices()[0].getDefiningOp<IotaOp>();
    if (!bind || !isOwn)
      return std::nullopt;
    leaf = stripBroadcasts(bind.getSource());
  }
  auto prefix = leaf.getDefiningOp<PrefixOp>();
  if (!prefix || prefix.getKind() != PrefixKind::Sum ||
      !isa<FloatType>(getElementTypeOrSelf(prefix.getType())))
    return std::nullopt;
  return prefix;
}

/// What a sequence grows by at the query's position.
Expr PairForms::getGrowth(Sequence sequence) {
  if (!sequence)
    return coefficients.getPool().one();
  auto prefix = cast<PrefixOp>(sequence);
  return coefficients.get(moveWalk(builder, loc, prefix.getSource(), prefix.getAxis(), axes.query));
}

bool PairForms::collectLeaf(Value value, Expr factor, Terms &terms) {
  algebra::Pool &pool = coefficients.getPool();
  Expr e = getReal(value);
  if (axes.hasBoth(e))
    return false;
  bool isKey = axes.hasKey(e);
  std::optional<Sequence> sequence = getSequence(value);
  if (!sequence || !(isKey || axes.hasQuery(e))) {
    (isKey ? terms.key : terms.query).push_back(pool.mul(factor, e));
    return true;
  }
  auto [it, isNew] = terms.sequences.try_emplace(*sequence, Ends{pool.zero(), pool.zero()});
  Expr &coefficient = isKey ? it->second.key : it->second.query;
  coefficient = pool.add(coefficient, factor);
  (isKey ? it->second.atKey : it->second.atQuery) = e;
  return true;
}

bool PairForms::collect(Value value, Expr factor, Terms &terms) {
  value = stripBroadcasts(value);
  Operation *op = value.getDefiningOp();
  if (!op)
    return collectLeaf(value, factor, terms);
  algebra::Pool &pool = coefficients.getPool();
  auto isFree = [&](Value v) {
    v = stripBroadcasts(v);
    return !hasAxis(v.getType(), axes.query) && !hasAxis(v.getType(), axes.key);
  };
  auto collectBoth = [&](Expr ofSecond) {
    return collect(op->getOperand(0), factor, terms) &&
           collect(op->getOperand(1), pool.mul(ofSecond, factor), terms);
  };
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<arith::AddFOp, arith::AddIOp>([&](auto) { return collectBoth(pool.one()); })
      .Case<arith::SubFOp, arith::SubIOp>([&](auto) { return collectBoth(pool.number(-1)); })
      .Case([&](arith::NegFOp op) { return collect(op.getOperand(), pool.negate(factor), terms); })
      .Case([&](arith::SIToFPOp op) { return collect(op.getIn(), factor, terms); })
      .Case<arith::MulFOp, arith::MulIOp>([&](auto op) {
        for (auto [constant, rest] :
             {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())})
          if (isFree(constant))
            return collect(rest, pool.mul(factor, getReal(stripBroadcasts(constant))), terms);
        return collectLeaf(value, factor, terms);
      })
      .Case([&](arith::DivFOp op) {
        if (!isFree(op.getRhs()))
          return collectLeaf(value, factor, terms);
        return collect(op.getLhs(), pool.mul(factor, pool.inverse(getReal(op.getRhs()))), terms);
      })
      .Default([&](Operation *) { return collectLeaf(value, factor, terms); });
}

std::optional<PairForm> PairForms::get(Value value, bool takeDifferences) {
  algebra::Pool &pool = coefficients.getPool();
  Terms terms;
  if (!collect(value, pool.one(), terms))
    return std::nullopt;
  std::vector<Expr> growth;
  for (auto &[sequence, ends] : terms.sequences) {
    if (takeDifferences && !algebra::isZero(ends.query) &&
        algebra::isZero(pool.add(ends.query, ends.key))) {
      growth.push_back(pool.mul(ends.query, getGrowth(sequence)));
      continue;
    }
    if (ends.atQuery)
      terms.query.push_back(pool.mul(ends.query, ends.atQuery));
    if (ends.atKey)
      terms.key.push_back(pool.mul(ends.key, ends.atKey));
  }
  return PairForm{pool.sum(terms.query), pool.sum(terms.key),
                  growth.empty() ? nullptr : pool.sum(growth)};
}

} // namespace mix
