//===- Expr.h - Coefficients: canonical products and sums -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The coefficients of a form that is linear in a state: expressions over named
// axes that do not depend on the state. A leaf is an opaque atom (whatever the
// owner of the pool numbers that way), a number, or the size of an axis.
// Expressions are interned: two that are equal up to associativity,
// commutativity, collected like terms and constants that are moved out of
// reductions are the same pointer. Broadcasting is implicit, as in the language.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_ALGEBRA_EXPR_H
#define MIXWRIGHT_DIALECT_ALGEBRA_EXPR_H

#include "dialect/algebra/AxisSet.h"
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mix::algebra {

enum class ExprKind { Number, Atom, Size, Sum, Product, Inverse, Guard, Reduce };

/// An interned expression; made by a pool only.
struct ExprNode {
  explicit ExprNode(ExprKind kind) : kind(kind) {}

  ExprKind kind;
  double number = 0;     ///< Number.
  unsigned atom = 0;     ///< Atom.
  bool isFinite = false; ///< Atom: never infinite, nor a NaN, for finite inputs.
  bool holds = true;     ///< Guard: whether the predicate is to hold.
  AxisSet axes;          ///< The axes of the value.
  AxisSet reduced;       ///< Reduce: the summed axes. Size: the axis that is measured.
  /// In order of `id`, a number first. Guard: the predicate, an atom of 0 or 1, and
  /// the value.
  std::vector<const ExprNode *> operands;
  unsigned id = 0; ///< Order of creation in the pool.
};
using Expr = const ExprNode *;

/// Makes and owns expressions.
class Pool {
public:
  Expr number(double value);
  Expr atom(unsigned id, AxisSet axes, bool isFinite = false);
  Expr size(const std::string &axis);
  Expr sum(const std::vector<Expr> &addends);
  Expr product(const std::vector<Expr> &factors);
  Expr inverse(Expr operand);
  /// `e` where the predicate is `holds`, and zero elsewhere, whatever `e` is there: a
  /// product with the predicate would let an infinity through.
  Expr guard(Expr predicate, bool holds, Expr e);
  /// The same, or `e` itself if it is finite: for a factor of something that is guarded.
  Expr guardFactor(Expr predicate, bool holds, Expr e);
  /// The sum over `axes`. An axis that the operand does not have multiplies it
  /// by the size of the axis; factors without the axes are moved out.
  Expr reduce(Expr operand, const AxisSet &axes);

  Expr zero() { return number(0); }
  Expr one() { return number(1); }
  Expr add(Expr a, Expr b) { return sum({a, b}); }
  Expr mul(Expr a, Expr b) { return product({a, b}); }
  Expr negate(Expr a) { return product({number(-1), a}); }

private:
  struct Key {
    ExprKind kind;
    double number;
    unsigned atom;
    bool holds;
    AxisSet axes, reduced;
    std::vector<unsigned> operands;
    bool operator<(const Key &other) const;
  };
  Expr intern(ExprNode node);
  std::map<Key, std::unique_ptr<ExprNode>> nodes;
};

bool isNumber(Expr e, double value);
inline bool isZero(Expr e) { return isNumber(e, 0); }
inline bool isOne(Expr e) { return isNumber(e, 1); }

/// Whether the value is finite for finite inputs.
bool isFinite(Expr e);

/// The factors of a product; the expression itself if it is none.
std::vector<Expr> factorsOf(Expr e);
/// The addends of a sum; the expression itself if it is none.
std::vector<Expr> addendsOf(Expr e);

/// For tests and diagnostics: `-2*a0*sum[K](a1*a2)`.
std::string toString(Expr e);

/// The value of an expression, per assignment of positions to its axes: the
/// meaning that the rules of the pool must preserve. `atoms` gives an atom at the
/// given positions, `size` the size of an axis.
using Positions = std::map<std::string, long>;
double evaluate(Expr e, const Positions &at,
                const std::function<double(Expr atom, const Positions &)> &atoms,
                const std::function<long(const std::string &axis)> &size);

} // namespace mix::algebra

#endif // MIXWRIGHT_DIALECT_ALGEBRA_EXPR_H
