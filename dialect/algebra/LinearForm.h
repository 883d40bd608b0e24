//===- LinearForm.h - Values that are linear in states ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The normal form of a value that is affine in some states:
//
//   constant + sum over terms of outer * (sum over R of inner * S)
//
// with `outer`, `inner`, `constant` independent of the states and S a state. A
// term with empty R is elementwise in S; with R it contains a read of S. Every
// factor of `inner` has an axis of R, so equal reads are equal pointers. Terms
// of the same read are collected.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_ALGEBRA_LINEARFORM_H
#define MIXWRIGHT_DIALECT_ALGEBRA_LINEARFORM_H

#include "dialect/algebra/Expr.h"
#include <optional>

namespace mix::algebra {

/// A state, or its value after the update: whatever the owner numbers that way.
struct Symbol {
  unsigned id;
  AxisSet axes;
};

/// `outer * (sum over reduced of inner * S)`.
struct LinearTerm {
  Symbol symbol;
  AxisSet reduced;
  Expr inner;
  Expr outer;

  /// The axes of the contraction, without `outer`.
  AxisSet readAxes() const { return (symbol.axes | inner->axes) - reduced; }
};

struct LinearForm {
  Expr constant;
  std::vector<LinearTerm> terms;

  bool isConstant() const { return terms.empty(); }
};

/// The rules that keep a value in normal form.
class FormAlgebra {
public:
  explicit FormAlgebra(Pool &pool) : pool(pool) {}

  LinearForm constant(Expr e) { return {e, {}}; }
  LinearForm symbol(Symbol s) {
    return {pool.zero(), {{std::move(s), {}, pool.one(), pool.one()}}};
  }
  LinearForm add(const LinearForm &a, const LinearForm &b);
  LinearForm scale(const LinearForm &form, Expr factor);
  /// The form where the predicate (an atom of 0 or 1) is `holds`, and zero elsewhere.
  LinearForm guard(const LinearForm &form, Expr predicate, bool holds);
  /// The same in a sum over `axes`, where a factor without these axes need not be
  /// guarded: it is finite, or else the sum is to be over something.
  LinearForm guardSummand(const LinearForm &form, Expr predicate, const AxisSet &axes);
  /// The sum over `axes`. None if a coefficient ties a contracted axis to a free
  /// one of the same name, so that the sum is no single contraction.
  std::optional<LinearForm> reduce(const LinearForm &form, const AxisSet &axes);

private:
  void addTerm(LinearForm &form, LinearTerm term);
  /// Adds the sum over `axes` of one term to `form`.
  bool reduceTerm(LinearForm &form, const LinearTerm &term, const AxisSet &axes);
  Pool &pool;
};

/// Multiplies out the sums in `e` that have axes of both sets (one step).
/// None if there is none.
std::optional<std::vector<Expr>> expandOnce(Pool &pool, Expr e, const AxisSet &a, const AxisSet &b);

std::string toString(const LinearForm &form);

} // namespace mix::algebra

#endif // MIXWRIGHT_DIALECT_ALGEBRA_LINEARFORM_H
