//===- LinearForm.cpp - Values that are linear in states --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/LinearForm.h"

using namespace mix::algebra;

std::optional<std::vector<Expr>> mix::algebra::expandOnce(Pool &pool, Expr e, const AxisSet &a,
                                                          const AxisSet &b) {
  std::vector<Expr> factors = factorsOf(e);
  for (size_t n = 0; n < factors.size(); ++n) {
    Expr factor = factors[n];
    if (factor->kind != ExprKind::Sum || !factor->axes.intersects(a) || !factor->axes.intersects(b))
      continue;
    std::vector<Expr> addends;
    for (Expr addend : factor->operands) {
      std::vector<Expr> parts = factors;
      parts[n] = addend;
      addends.push_back(pool.product(parts));
    }
    return addends;
  }
  return std::nullopt;
}

void FormAlgebra::addTerm(LinearForm &form, LinearTerm term) {
  // An axis that the state does not have is summed in the coefficient alone.
  term.inner = pool.reduce(term.inner, term.reduced - term.symbol.axes);
  term.reduced = term.reduced & term.symbol.axes;
  // What does not have the contracted axes belongs outside of the contraction.
  std::vector<Expr> inside, outside = {term.outer};
  for (Expr factor : factorsOf(term.inner))
    (factor->axes.intersects(term.reduced) ? inside : outside).push_back(factor);
  term.inner = pool.product(inside);
  term.outer = pool.product(outside);
  for (LinearTerm &other : form.terms)
    if (other.symbol.id == term.symbol.id && other.reduced == term.reduced &&
        other.inner == term.inner) {
      other.outer = pool.add(other.outer, term.outer);
      return;
    }
  form.terms.push_back(std::move(term));
}

static void dropZeros(LinearForm &form) {
  auto isNothing = [](const LinearTerm &term) { return isZero(term.outer) || isZero(term.inner); };
  form.terms.erase(std::remove_if(form.terms.begin(), form.terms.end(), isNothing),
                   form.terms.end());
}

LinearForm FormAlgebra::add(const LinearForm &a, const LinearForm &b) {
  LinearForm result = a;
  result.constant = pool.add(a.constant, b.constant);
  for (const LinearTerm &term : b.terms)
    addTerm(result, term);
  dropZeros(result);
  return result;
}

LinearForm FormAlgebra::scale(const LinearForm &form, Expr factor) {
  LinearForm result = form;
  result.constant = pool.mul(form.constant, factor);
  for (LinearTerm &term : result.terms)
    term.outer = pool.mul(term.outer, factor);
  dropZeros(result);
  return result;
}

LinearForm FormAlgebra::guard(const LinearForm &form, Expr predicate, bool holds) {
  LinearForm result = constant(pool.guard(predicate, holds, form.constant));
  for (LinearTerm term : form.terms) {
    term.inner = pool.guardFactor(predicate, holds, term.inner);
    term.outer = pool.guard(predicate, holds, term.outer);
    addTerm(result, std::move(term));
  }
  dropZeros(result);
  return result;
}

LinearForm FormAlgebra::guardSummand(const LinearForm &form, Expr predicate, const AxisSet &axes) {
  LinearForm result = constant(pool.guard(predicate, true, form.constant));
  for (LinearTerm term : form.terms) {
    std::vector<Expr> summed, kept;
    for (Expr factor : factorsOf(term.outer))
      (factor->axes.intersects(axes) ? summed : kept).push_back(factor);
    kept.push_back(pool.guard(predicate, true, pool.product(summed)));
    term.inner = pool.guardFactor(predicate, true, term.inner);
    term.outer = pool.product(kept);
    addTerm(result, std::move(term));
  }
  dropZeros(result);
  return result;
}

bool FormAlgebra::reduceTerm(LinearForm &form, const LinearTerm &term, const AxisSet &axes) {
  AxisSet readAxes = term.readAxes();
  // sum over A of outer * read = sum over (A of the read) of (sum over the rest of outer) * read.
  AxisSet ofRead = axes & readAxes;
  Expr outer = pool.reduce(term.outer, axes - ofRead);
  std::vector<Expr> moved = {term.inner}, kept;
  for (Expr factor : factorsOf(outer)) {
    if (!factor->axes.intersects(ofRead)) {
      kept.push_back(factor);
      continue;
    }
    // Inside, an axis of this name would be captured by the contraction.
    if (factor->axes.intersects(term.reduced)) {
      auto addends = expandOnce(pool, outer, ofRead, term.reduced);
      if (!addends)
        return false;
      for (Expr addend : *addends)
        if (!reduceTerm(form, {term.symbol, term.reduced, term.inner, addend}, ofRead))
          return false;
      return true;
    }
    moved.push_back(factor);
  }
  addTerm(form, {term.symbol, term.reduced | ofRead, pool.product(moved), pool.product(kept)});
  return true;
}

std::optional<LinearForm> FormAlgebra::reduce(const LinearForm &form, const AxisSet &axes) {
  LinearForm result = constant(pool.reduce(form.constant, axes));
  for (const LinearTerm &term : form.terms)
    if (!reduceTerm(result, term, axes))
      return std::nullopt;
  dropZeros(result);
  return result;
}

std::string mix::algebra::toString(const LinearForm &form) {
  std::string text = toString(form.constant);
  for (const LinearTerm &term : form.terms) {
    std::string reduced;
    for (const std::string &axis : term.reduced)
      reduced += (reduced.empty() ? "" : ",") + axis;
    std::string read = toString(term.inner) + "*s" + std::to_string(term.symbol.id);
    text += " + " + toString(term.outer) + "*" +
            (reduced.empty() ? read : "sum[" + reduced + "](" + read + ")");
  }
  return text;
}
