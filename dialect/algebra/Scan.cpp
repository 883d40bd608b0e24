//===- Scan.cpp - The class of a recurrence, derived ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/Scan.h"

using namespace mix::algebra;

static std::string quote(const AxisSet &axes) {
  std::string text = "[";
  for (const std::string &axis : axes)
    text += (text.size() > 1 ? ", " : "") + axis;
  return text + "]";
}

static constexpr size_t kMaxParts = 256;

bool mix::algebra::separate(Pool &pool, Expr e, const AxisSet &x, const AxisSet &y,
                            std::vector<Separated> &parts, Expr &culprit) {
  std::vector<Expr> left, right;
  for (Expr factor : factorsOf(e)) {
    if (!factor->axes.intersects(x)) {
      right.push_back(factor);
      continue;
    }
    if (!factor->axes.intersects(y)) {
      left.push_back(factor);
      continue;
    }
    std::optional<std::vector<Expr>> addends = expandOnce(pool, e, x, y);
    // Products of long sums would have more parts than are any use.
    if (!addends || parts.size() > kMaxParts) {
      culprit = factor;
      return false;
    }
    for (Expr addend : *addends)
      if (!separate(pool, addend, x, y, parts, culprit))
        return false;
    return true;
  }
  parts.push_back({pool.product(left), pool.product(right)});
  return true;
}

/// The `c` of `a = c b`, if the factors of `b` are among those of `a`.
static std::optional<Expr> divide(Pool &pool, Expr a, Expr b) {
  std::vector<Expr> rest = factorsOf(a);
  double number = 1;
  for (Expr factor : factorsOf(b)) {
    auto it = std::find(rest.begin(), rest.end(), factor);
    if (it != rest.end())
      rest.erase(it);
    else if (factor->kind == ExprKind::Number)
      number /= factor->number;
    else
      return std::nullopt;
  }
  rest.push_back(pool.number(number));
  return pool.product(rest);
}

namespace {

/// Collects the updates of a scan: equal lefts into the same state share an update.
class UpdateBuilder {
public:
  UpdateBuilder(Pool &pool, AffineScan &scan, const AxisSet &axes)
      : pool(pool), scan(scan), axes(axes) {}

  AffineScan::Update &getUpdate(Expr left, unsigned state) {
    for (AffineScan::Update &update : scan.updates)
      if (update.left == left && isOne(update.weights[state]))
        return update;
    scan.updates.push_back({left, pool.zero(), {}, {}});
    scan.updates.back().weights.assign(scan.mixes.size(), pool.zero());
    scan.updates.back().weights[state] = pool.one();
    return scan.updates.back();
  }
  unsigned getRead(AffineScan::Read read) {
    auto it = std::find(scan.reads.begin(), scan.reads.end(), read);
    if (it == scan.reads.end())
      it = scan.reads.insert(it, read);
    return it - scan.reads.begin();
  }
  void addCoef(AffineScan::Update &update, unsigned read, Expr coef) {
    for (auto &[column, value] : update.coefs)
      if (column == read) {
        value = pool.add(value, coef);
        return;
      }
    update.coefs.emplace_back(read, coef);
  }

  /// Lowers the rank: drops updates by nothing, adds the lefts of updates that write the
  /// same row into the same states, and the weights of those that differ by a factor.
  void finish() {
    for (AffineScan::Update &update : scan.updates) {
      auto isNothing = [](const auto &coef) { return isZero(coef.second); };
      update.coefs.erase(std::remove_if(update.coefs.begin(), update.coefs.end(), isNothing),
                         update.coefs.end());
      std::sort(update.coefs.begin(), update.coefs.end());
    }
    mergeUpdates([&](AffineScan::Update &update, const AffineScan::Update &other) {
      bool isSame = other.weights == update.weights && other.value == update.value &&
                    other.coefs == update.coefs;
      if (isSame)
        update.left = pool.add(update.left, other.left);
      return isSame;
    });
    mergeUpdates([&](AffineScan::Update &update, const AffineScan::Update &other) {
      if (update.left != other.left)
        return false;
      if (update.weights == other.weights) {
        update.value = pool.add(update.value, other.value);
        for (auto [column, coef] : other.coefs)
          addCoef(update, column, coef);
        std::sort(update.coefs.begin(), update.coefs.end());
        return true;
      }
      if (std::optional<Expr> factor = getFactor(other, update)) {
        addWeights(update, other, *factor);
        return true;
      }
      std::optional<Expr> factor = getFactor(update, other);
      if (!factor)
        return false;
      AffineScan::Update base = other;
      addWeights(base, update, *factor);
      update = std::move(base);
      return true;
    });
  }

private:
  /// Takes every update into an earlier one if `merge` does.
  template <typename Fn> void mergeUpdates(Fn merge) {
    std::vector<AffineScan::Update> merged;
    for (AffineScan::Update &update : scan.updates) {
      bool isNothing = isZero(update.value) && update.coefs.empty();
      if (!isNothing && std::none_of(merged.begin(), merged.end(),
                                     [&](auto &earlier) { return merge(earlier, update); }))
        merged.push_back(std::move(update));
    }
    scan.updates = std::move(merged);
  }
  /// The `c` with which the row of `a` is `c` times that of `b`, if it has no axis of the states.
  std::optional<Expr> getFactor(const AffineScan::Update &a, const AffineScan::Update &b) {
    if (a.coefs.size() != b.coefs.size() || isZero(a.value) != isZero(b.value))
      return std::nullopt;
    std::optional<Expr> factor;
    auto agrees = [&](Expr x, Expr y) {
      if (!factor)
        factor = divide(pool, x, y);
      return factor && !(*factor)->axes.intersects(axes) && pool.mul(*factor, y) == x;
    };
    if (!isZero(a.value) && !agrees(a.value, b.value))
      return std::nullopt;
    for (size_t n = 0; n < a.coefs.size(); ++n)
      if (a.coefs[n].first != b.coefs[n].first || !agrees(a.coefs[n].second, b.coefs[n].second))
        return std::nullopt;
    return factor;
  }
  void addWeights(AffineScan::Update &update, const AffineScan::Update &other, Expr factor) {
    for (size_t n = 0; n < update.weights.size(); ++n)
      update.weights[n] = pool.add(update.weights[n], pool.mul(factor, other.weights[n]));
  }

  Pool &pool;
  AffineScan &scan;
  AxisSet axes;
};

} // namespace

std::optional<std::vector<QueryPlan>> mix::algebra::planQueries(Pool &pool, const LinearTerm &term,
                                                                const AxisSet &contracted) {
  if (!contracted.isSubsetOf(term.reduced))
    return std::nullopt;
  std::vector<Separated> parts;
  Expr culprit = nullptr;
  AxisSet others = (term.inner->axes | term.symbol.axes) - contracted;
  if (!separate(pool, term.inner, contracted, others, parts, culprit))
    return std::nullopt;
  std::vector<QueryPlan> plans;
  AxisSet rest = term.reduced - contracted;
  for (const Separated &part : parts) {
    // What is not summed afterwards belongs outside.
    std::vector<Expr> weight, outer = {term.outer};
    for (Expr factor : factorsOf(part.right))
      (factor->axes.intersects(rest) ? weight : outer).push_back(factor);
    plans.push_back({term.symbol, part.left, rest, pool.product(weight), pool.product(outer)});
  }
  return plans;
}

/// Which of the states the symbol is.
static unsigned getNumber(const std::vector<Symbol> &states, const Symbol &symbol) {
  unsigned n = 0;
  while (states[n].id != symbol.id)
    ++n;
  return n;
}

namespace {
struct Obstruction {
  std::string reason;
  Expr culprit = nullptr;
};
} // namespace

/// The reads and the low-rank updates of one state of the scan. With `expand`, every addend
/// of a left is a left of its own: the same lefts then meet in several sums, which
/// is the lower rank after several steps per token, and the higher one if a sum
/// is a key.
static bool buildUpdates(Pool &pool, const std::vector<Symbol> &states, unsigned state,
                         const LinearForm &update, bool expand, const AffineScan &scan,
                         UpdateBuilder &builder, Obstruction &obstruction) {
  const AxisSet &x = scan.contracted;
  AxisSet y = states[state].axes - x;
  auto forEachPart = [&](Expr e, auto visit) {
    std::vector<Separated> parts;
    for (Expr addend : expand ? addendsOf(pool.sum({e})) : std::vector<Expr>{e})
      if (!separate(pool, addend, x, y, parts, obstruction.culprit))
        return false;
    for (const Separated &part : parts)
      visit(builder.getUpdate(part.left, state), part.right);
    return true;
  };
  for (const LinearTerm &term : update.terms) {
    if (term.reduced.empty())
      continue;
    std::optional<std::vector<QueryPlan>> plans;
    if (term.reduced == x)
      plans = planQueries(pool, term, x);
    if (!plans) {
      obstruction.reason =
          term.reduced == x
              ? "a read over " + quote(x) + " has a key over " + quote(term.inner->axes)
              : "the update reads the state over " + quote(x) + " and over " + quote(term.reduced);
      return false;
    }
    for (const QueryPlan &plan : *plans) {
      unsigned read = builder.getRead({getNumber(states, term.symbol), plan.key});
      if (!forEachPart(plan.outer, [&](AffineScan::Update &target, Expr right) {
            builder.addCoef(target, read, right);
          })) {
        obstruction.reason =
            "a read is written back with a factor over " + quote(obstruction.culprit->axes);
        return false;
      }
    }
  }
  if (!isZero(update.constant) &&
      !forEachPart(update.constant, [&](AffineScan::Update &target, Expr right) {
        target.value = pool.add(target.value, right);
      })) {
    obstruction.reason = "the update writes a value over " + quote(obstruction.culprit->axes) +
                         " that is no outer product";
    return false;
  }
  return true;
}

/// Sets the factors of the states in their next values.
static bool buildMixes(Pool &pool, const std::vector<Symbol> &states,
                       const std::vector<LinearForm> &updates, AffineScan &scan,
                       Obstruction &obstruction) {
  AxisSet y = states.front().axes - scan.contracted;
  for (const LinearForm &update : updates) {
    std::vector<Expr> &row = scan.mixes.emplace_back(states.size(), pool.zero());
    for (const LinearTerm &term : update.terms)
      if (term.reduced.empty()) {
        Expr &mix = row[getNumber(states, term.symbol)];
        mix = pool.add(mix, term.outer);
      }
    for (Expr mix : row)
      if (mix->axes.intersects(scan.contracted) && mix->axes.intersects(y)) {
        obstruction = {"the decay is over both sides " + quote(mix->axes), mix};
        return false;
      }
  }
  return true;
}

/// The scan of the states that contracts `x`, without queries. False, with the
/// obstruction, if the updates have no such form.
static bool buildScan(Pool &pool, const std::vector<Symbol> &states,
                      const std::vector<LinearForm> &updates, const AxisSet &x, AffineScan &scan,
                      Obstruction &obstruction) {
  const AxisSet &axes = states.front().axes;
  if (x == axes && x.size() > 1) {
    obstruction = {"a read contracts all axes " + quote(x) + " of the state at once"};
    return false;
  }
  scan.contracted = x;
  if (!buildMixes(pool, states, updates, scan, obstruction))
    return false;
  AffineScan expanded = scan;
  for (bool expand : {false, true}) {
    AffineScan &target = expand ? expanded : scan;
    UpdateBuilder builder(pool, target, axes);
    for (unsigned n = 0; n < states.size(); ++n)
      if (!buildUpdates(pool, states, n, updates[n], expand, target, builder, obstruction))
        return false;
    builder.finish();
  }
  if (expanded.updates.size() < scan.updates.size())
    scan = std::move(expanded);
  return true;
}

/// The smallest set of axes that one of the terms contracts; empty if none does.
static AxisSet smallestContraction(const std::vector<LinearTerm> &terms) {
  AxisSet smallest;
  for (const LinearTerm &term : terms)
    if (!term.reduced.empty() && (smallest.empty() || term.reduced.size() < smallest.size()))
      smallest = term.reduced;
  return smallest;
}

/// The axes that queries alone let a scan contract. Of a query that sums up all axes of the
/// states, one is summed afterwards.
static AxisSet chooseContraction(Pool &pool, const AxisSet &axes,
                                 const std::vector<LinearTerm> &queries) {
  AxisSet smallest = smallestContraction(queries);
  if (smallest != axes || axes.size() < 2)
    return smallest;
  for (const std::string &axis : axes) {
    AxisSet others = axes - AxisSet{axis};
    for (const LinearTerm &query : queries)
      if (planQueries(pool, query, others))
        return others;
  }
  return smallest;
}

Classification mix::algebra::classify(Pool &pool, const std::vector<Symbol> &states,
                                      const std::vector<LinearForm> &updates,
                                      const std::vector<LinearTerm> &queries) {
  std::vector<LinearTerm> terms;
  for (const LinearForm &update : updates)
    terms.insert(terms.end(), update.terms.begin(), update.terms.end());
  AxisSet ofUpdate = smallestContraction(terms);
  bool hasReads = !ofUpdate.empty();
  // Without reads, every element of the state has its own recurrence.
  auto give = [&](Obstruction obstruction) -> Classification {
    return {hasReads ? Classification::Sequential : Classification::Elementwise,
            {},
            std::move(obstruction.reason),
            obstruction.culprit};
  };

  Classification result{Classification::Affine, {}, "", nullptr};
  std::vector<LinearTerm> open = queries;
  while (!open.empty() || (hasReads && result.scans.empty())) {
    // Reads in the update fix the axes. Without them the state may run several times, once
    // for each set of axes that the queries contract.
    AxisSet x = hasReads ? ofUpdate : chooseContraction(pool, states.front().axes, open);
    if (x.empty())
      return give({"the whole state is used at every token"});
    std::vector<LinearTerm> rest;
    for (const LinearTerm &query : open)
      if (!planQueries(pool, query, x))
        rest.push_back(query);
    if (rest.size() == open.size() && !open.empty())
      return give({"a read over " + quote(open.front().reduced) + " has a key over " +
                   quote(open.front().inner->axes)});
    if (!rest.empty() && hasReads)
      return give(
          {"the state is read over " + quote(x) + " and over " + quote(rest.front().reduced)});
    open = std::move(rest);
    AffineScan scan;
    Obstruction obstruction;
    if (!buildScan(pool, states, updates, x, scan, obstruction))
      return give(std::move(obstruction));
    result.scans.push_back(std::move(scan));
  }
  if (result.scans.empty())
    return give({"no output reads the state"});
  return result;
}
