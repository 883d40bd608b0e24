//===- TileProducts.cpp - Sums of products as contractions ------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sum of a product is split by axes into two operands, whatever the order in which the
// product was written. What does not split is reduced without storing the product.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

static Value buildProduct(ElementBuilder &body) {
  Value product = body.elements.front();
  for (Value element : body.elements.drop_front())
    product = arith::MulFOp::create(body.builder, body.loc, product, element);
  return product;
}

SmallVector<Term> PhaseEmitter::getFactors(Value value, const Env &env) {
  Operation *op = value.getDefiningOp();
  bool isEmitted = scopes[getScope(value, env)].tiles.count(getKey(value, env));
  if (!op || isEmitted || (env.position && slots[env.position].label.empty() && isHoisted(value)))
    return {Term(value, env)};
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return getFactors(broadcast.getSource(), env);
  if (!isa<arith::MulFOp>(op))
    return {Term(value, env)};
  SmallVector<Term> factors = getFactors(op->getOperand(0), env);
  llvm::append_range(factors, getFactors(op->getOperand(1), env));
  return factors;
}

/// A product of a sum over features with factors that do not change in the value's loop
/// is a sum of products, whose factors go into an operand that does not change either:
/// `scale * sum(q_i k_j)` is `sum((scale q_i) k_j)`.
std::optional<PhaseEmitter::ScaledSum> PhaseEmitter::getScaledSum(Value value, const Env &env) {
  if (!value.getDefiningOp<arith::MulFOp>())
    return std::nullopt;
  unsigned scope = getScope(value, env);
  ReduceOp sum;
  SmallVector<Term> scales;
  for (const Term &factor : getFactors(value, env)) {
    auto reduce = factor.value.getDefiningOp<ReduceOp>();
    if (getScope(factor) < scope)
      scales.push_back(factor);
    else if (!sum && reduce && !isAnchor(reduce) && reduce.getKind() == ReduceKind::Sum &&
             !reduce.getMask() && reduce->hasOneUse())
      sum = reduce;
    else
      return std::nullopt;
  }
  if (!sum || scopes[scope].tiles.count(getKey(sum.getResult(), env)))
    return std::nullopt;
  ScaledSum result{getFactors(sum.getSource(), env),
                   llvm::to_vector(sum.getAxes().getAsValueRange<StringAttr>())};
  for (const Term &scale : scales) {
    bool hasHome = llvm::any_of(result.factors, [&](const Term &factor) {
      return getScope(factor) < scope && subtractAxes(getAxesOf(scale), getAxesOf(factor)).empty();
    });
    if (!hasHome)
      return std::nullopt;
  }
  llvm::append_range(result.factors, scales);
  return result;
}

//===----------------------------------------------------------------------===//
// The split into operands
//===----------------------------------------------------------------------===//

void PhaseEmitter::joinGroup(FactorGroup &group, const Term &term) {
  group.terms.push_back(term);
  group.axes = uniteAxes(group.axes, getAxesOf(term));
  group.scope = std::max(group.scope, getScope(term));
}

/// Groups the factors that have a reduced axis: those with more of the other axes come
/// first, and one whose other axes a group has joins the group that changes least often.
SmallVector<PhaseEmitter::FactorGroup> PhaseEmitter::groupFactors(ArrayRef<Term> factors,
                                                                  AxisList reduced) {
  struct Factor {
    Axes kept;
    size_t number;
  };
  SmallVector<Factor> sorted;
  for (auto [n, factor] : llvm::enumerate(factors))
    sorted.push_back({subtractAxes(getAxesOf(factor), reduced), n});
  llvm::sort(sorted, [](const Factor &a, const Factor &b) {
    return a.kept.size() != b.kept.size() ? a.kept.size() > b.kept.size() : a.number < b.number;
  });
  SmallVector<FactorGroup> groups;
  for (const Factor &factor : sorted) {
    FactorGroup *best = nullptr;
    for (FactorGroup &group : groups)
      if (subtractAxes(factor.kept, group.axes).empty() && (!best || group.scope < best->scope))
        best = &group;
    joinGroup(best ? *best : groups.emplace_back(), factors[factor.number]);
  }
  return groups;
}

bool PhaseEmitter::isNarrow(const FactorGroup &group) {
  if (group.terms.size() != 1 || !group.terms.front().value)
    return false;
  const Term &term = group.terms.front();
  Value stored = term.value;
  if (auto read = stored.getDefiningOp<ReadOp>())
    stored = planRead(read, term.env).stored;
  auto argument = dyn_cast_or_null<BlockArgument>(stored);
  if (!argument || argument.getOwner() != &mixer.getBody().front())
    return false;
  auto view = cast<MemRefType>(getArgument(argument.getArgNumber()).getType());
  return view.getElementTypeBitWidth() == 16;
}

/// The tile of the product of a group.
Tile PhaseEmitter::emitGroup(const FactorGroup &group, unsigned scope) {
  const Term &first = group.terms.front();
  if (group.terms.size() == 1)
    return first.value ? get(first.value, first.env) : first.tile;
  bool hasTile = llvm::any_of(
      group.terms, [](const Term &term) { return !term.value && !term.tile.isScalar(); });
  unsigned own = hasTile ? scope : group.scope;
  auto emit = [&] { return fuse(group.terms, group.axes, own, buildProduct, tb.element); };
  // The builder may be in a branch of `scope`, where the tiles of the group are.
  return own == scope ? emit() : inScope(own, emit);
}

/// Whether two groups make a product of matrices: they share what is summed, and each
/// result axis that only one of them has is a row or a column.
static bool isContraction(ArrayRef<SmallVector<StringRef, 3>> groups, AxisList axes,
                          AxisList summed) {
  if (groups.size() != 2)
    return false;
  auto has = [&](unsigned n, StringRef axis) { return llvm::is_contained(groups[n], axis); };
  return llvm::all_of(summed, [&](StringRef axis) { return has(0, axis) && has(1, axis); }) &&
         llvm::any_of(axes, [&](StringRef axis) { return has(0, axis) != has(1, axis); });
}

Tile PhaseEmitter::emitProductSum(ArrayRef<Term> factors, AxisList axes, AxisList reduced,
                                  unsigned scope, const Tile *acc) {
  SmallVector<Term> summands, scales, rest;
  for (const Term &factor : factors) {
    bool isSummed = llvm::any_of(getAxesOf(factor),
                                 [&](StringRef axis) { return llvm::is_contained(reduced, axis); });
    (isSummed ? summands : scales).push_back(factor);
  }
  SmallVector<FactorGroup> groups = groupFactors(summands, reduced);
  Axes all;
  for (const FactorGroup &group : groups)
    all = uniteAxes(all, group.axes);
  Axes kept = subtractAxes(axes, subtractAxes(axes, all));
  Axes missing = subtractAxes(reduced, all);
  Axes summed = subtractAxes(reduced, missing);
  // A reduced axis that no factor has counts every term that often.
  if (int64_t repeats = tb.getNumElements(missing); repeats != 1)
    scales.push_back(Term(Tile{tb.real(repeats), {}}));
  // A scale goes into an operand that does not change in this loop, unless that would round it.
  bool areNarrow = llvm::all_of(groups, [&](const FactorGroup &group) { return isNarrow(group); });
  for (const Term &scale : scales) {
    auto it = llvm::find_if(groups, [&](const FactorGroup &group) {
      return groups.size() == 2 && !areNarrow && group.scope < scope &&
             getScope(scale) <= group.scope && subtractAxes(getAxesOf(scale), group.axes).empty();
    });
    if (it != groups.end())
      joinGroup(*it, scale);
    else
      rest.push_back(scale);
  }

  SmallVector<Axes> groupAxes =
      llvm::map_to_vector(groups, [](const FactorGroup &group) { return group.axes; });
  Tile sum;
  if (isContraction(groupAxes, kept, summed)) {
    Tile a = emitGroup(groups[0], scope), b = emitGroup(groups[1], scope);
    if (rest.empty() && acc)
      return tb.contract(a, b, axes, acc);
    sum = tb.contract(a, b, kept);
  } else if (!groups.empty()) {
    SmallVector<Term> terms;
    for (const FactorGroup &group : groups)
      llvm::append_range(terms, group.terms);
    sum = fuseReduce(ReduceKind::Sum, terms, kept, summed, scope, buildProduct, tb.element);
  } else {
    sum = {tb.real(1), {}};
  }
  if (!rest.empty()) {
    rest.insert(rest.begin(), Term(sum));
    sum = fuse(rest, axes, scope, buildProduct, tb.element);
  }
  return acc ? tb.add(tb.spread(*acc, axes), sum) : sum;
}

//===----------------------------------------------------------------------===//
// Reductions over features
//===----------------------------------------------------------------------===//

Tile PhaseEmitter::emitFeatureReduce(ReduceOp reduce, const Env &env, unsigned scope) {
  Axes axes = getAxesOf(reduce.getResult(), env);
  SmallVector<StringRef> reduced(reduce.getAxes().getAsValueRange<StringAttr>());
  Value source = reduce.getSource();
  bool isReal = isa<FloatType>(getElementTypeOrSelf(source.getType()));
  if (reduce.getKind() == ReduceKind::Sum && !reduce.getMask() && isReal)
    return emitProductSum(getFactors(source, env), axes, reduced, scope);
  SmallVector<Term> terms = {Term(source, env)};
  if (reduce.getMask())
    terms.push_back(Term(reduce.getMask(), env));
  Type type = convertType(source.getType());
  Value neutral = tb.identity(reduce.getKind(), type);
  return fuseReduce(
      reduce.getKind(), terms, axes, reduced, scope,
      [&](ElementBuilder &body) -> Value {
        if (body.elements.size() == 1)
          return body.elements[0];
        return arith::SelectOp::create(body.builder, body.loc, body.elements[1], body.elements[0],
                                       neutral);
      },
      type);
}
