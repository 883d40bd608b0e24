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
#include "passes/CausalSet.h"
#include "passes/Passes.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Expr;
using mix::algebra::Separated;

namespace mix {

#define GEN_PASS_DEF_PREFIXREDUCTIONS
#include "passes/Passes.h.inc"

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
    Value value = createPrefixAt(builder, reduce, set, emitter.emit(part.right));
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
  return createPrefixAt(builder, reduce, set, source);
}

/// The reduction as a prefix; null if it is none.
static Value emitAny(OpBuilder &builder, ReduceOp reduce) {
  std::optional<CausalSet> set = matchCausalSet(reduce);
  if (!set)
    return {};
  return reduce.getKind() == ReduceKind::Sum ? emitSum(builder, reduce, *set)
                                             : emitReduction(builder, reduce, *set);
}

namespace {
struct PrefixReductions : impl::PrefixReductionsBase<PrefixReductions> {
  void runOnOperation() override { numPrefixes += replaceReductions(getOperation(), emitAny); }
};
} // namespace

} // namespace mix
