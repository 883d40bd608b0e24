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

namespace {

/// Collects the updates of a scan: equal lefts share an update.
class UpdateBuilder {
public:
  UpdateBuilder(Pool &pool, AffineScan &scan) : pool(pool), scan(scan) {}

  AffineScan::Update &getUpdate(Expr left) {
    for (AffineScan::Update &update : scan.updates)
      if (update.left == left)
        return update;
    scan.updates.push_back({left, pool.zero(), {}});
    return scan.updates.back();
  }
  unsigned getRead(Expr key) {
    auto it = std::find(scan.reads.begin(), scan.reads.end(), key);
    if (it == scan.reads.end())
      it = scan.reads.insert(it, key);
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

  /// Lowers the rank: drops updates by nothing, and adds the lefts of equal ones.
  void finish() {
    std::vector<AffineScan::Update> merged;
    for (AffineScan::Update &update : scan.updates) {
      auto isNothing = [](const auto &coef) { return isZero(coef.second); };
      update.coefs.erase(std::remove_if(update.coefs.begin(), update.coefs.end(), isNothing),
                         update.coefs.end());
      std::sort(update.coefs.begin(), update.coefs.end());
      if (isZero(update.value) && update.coefs.empty())
        continue;
      auto same = std::find_if(merged.begin(), merged.end(), [&](const AffineScan::Update &other) {
        return other.value == update.value && other.coefs == update.coefs;
      });
      if (same == merged.end())
        merged.push_back(std::move(update));
      else
        same->left = pool.add(same->left, update.left);
    }
    scan.updates = std::move(merged);
  }

private:
  Pool &pool;
  AffineScan &scan;
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

namespace {
struct Obstruction {
  std::string reason;
  Expr culprit = nullptr;
};
} // namespace

/// The reads and the low-rank updates of the scan. With `expand`, every addend of
/// a left is a left of its own: the same lefts then meet in several sums, which
/// is the lower rank after several steps per token, and the higher one if a sum
/// is a key.
static bool buildUpdates(Pool &pool, const LinearForm &update, const AxisSet &y, bool expand,
                         AffineScan &scan, Obstruction &obstruction) {
  const AxisSet &x = scan.contracted;
  UpdateBuilder builder(pool, scan);
  auto forEachPart = [&](Expr e, auto visit) {
    std::vector<Separated> parts;
    for (Expr addend : expand ? addendsOf(pool.sum({e})) : std::vector<Expr>{e})
      if (!separate(pool, addend, x, y, parts, obstruction.culprit))
        return false;
    for (const Separated &part : parts)
      visit(builder.getUpdate(part.left), part.right);
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
      unsigned read = builder.getRead(plan.key);
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
  builder.finish();
  return true;
}

/// The scan of the state that contracts `x`, without queries. False, with the
/// obstruction, if the update has no such form.
static bool buildScan(Pool &pool, const Symbol &state, const LinearForm &update, const AxisSet &x,
                      AffineScan &scan, Obstruction &obstruction) {
  AxisSet y = state.axes - x;
  if (y.empty() && x.size() > 1) {
    obstruction = {"a read contracts all axes " + quote(x) + " of the state at once"};
    return false;
  }
  scan.contracted = x;
  scan.decay = pool.zero();
  for (const LinearTerm &term : update.terms)
    if (term.reduced.empty())
      scan.decay = pool.add(scan.decay, term.outer);
  if (scan.decay->axes.intersects(x) && scan.decay->axes.intersects(y)) {
    obstruction = {"the decay is over both sides " + quote(scan.decay->axes), scan.decay};
    return false;
  }
  AffineScan expanded = scan;
  if (!buildUpdates(pool, update, y, /*expand=*/false, scan, obstruction) ||
      !buildUpdates(pool, update, y, /*expand=*/true, expanded, obstruction))
    return false;
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

Classification mix::algebra::classify(Pool &pool, const Symbol &state, const LinearForm &update,
                                      const std::vector<LinearTerm> &queries) {
  AxisSet ofUpdate = smallestContraction(update.terms);
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
    AxisSet x = hasReads ? ofUpdate : smallestContraction(open);
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
    if (!buildScan(pool, state, update, x, scan, obstruction))
      return give(std::move(obstruction));
    result.scans.push_back(std::move(scan));
  }
  if (result.scans.empty())
    return give({"no output reads the state"});
  return result;
}
