//===- Scan.h - The class of a recurrence, derived --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the normal forms of the updates of some states that need each other, and the
// reads that the rest of the program makes of them, to the form
//
//   r_p  = sum over X of reads_p * S_(state of p)                       (axes Y)
//   y_m  = value_m + sum over p of coef_mp r_p                          (axes Y)
//   S_i' = sum over j of mix_ij S_j + sum over m of weight_mi left_m y_m  (axes X, Y)
//
// with X the axes that every read contracts and Y the other axes of the states, which all
// have the same axes. One state alone has its decay as the only mix, and weights 1.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_ALGEBRA_SCAN_H
#define MIXWRIGHT_DIALECT_ALGEBRA_SCAN_H

#include "dialect/algebra/LinearForm.h"

namespace mix::algebra {

struct AffineScan {
  struct Read {
    unsigned state;
    Expr key; ///< Axes within X.
    bool operator==(const Read &other) const { return state == other.state && key == other.key; }
  };
  struct Update {
    Expr left;                                    ///< Axes within X.
    Expr value;                                   ///< Axes within Y.
    std::vector<std::pair<unsigned, Expr>> coefs; ///< Read and coefficient.
    std::vector<Expr> weights;                    ///< Per state, without axes of it.
  };
  AxisSet contracted;                   ///< X
  std::vector<std::vector<Expr>> mixes; ///< The factor of state j in state i at [i][j].
  std::vector<Read> reads;
  std::vector<Update> updates;
};

/// A product of a part over some axes and a part without them.
struct Separated {
  Expr left, right;
};

/// Adds to `parts` products that sum up to `e`: a part with axes of `x` and none of
/// `y`, times a part without axes of `x`. False, with the culprit, if a factor that is
/// no sum has axes of both.
bool separate(Pool &pool, Expr e, const AxisSet &x, const AxisSet &y, std::vector<Separated> &parts,
              Expr &culprit);

/// A read of the state by an output, through a query of the scan:
/// `outer * sum over rest of (weight * sum over X of (key * S))`.
struct QueryPlan {
  Symbol symbol;
  Expr key;
  AxisSet rest;
  Expr weight;
  Expr outer;
};

struct Classification {
  enum Kind { Affine, Elementwise, Sequential };
  Kind kind;
  std::vector<AffineScan> scans; ///< Affine: one per set of axes that is contracted.
  std::string reason;            ///< Not affine: what stands in the way.
  Expr culprit = nullptr;        ///< Not affine: the coefficient that does, if it is one.
};

/// The class of some states with the same axes. `updates` are the normal forms of their next
/// values, in the states themselves; `queries` are the terms in which the outputs read
/// them, before or after the update.
Classification classify(Pool &pool, const std::vector<Symbol> &states,
                        const std::vector<LinearForm> &updates,
                        const std::vector<LinearTerm> &queries);

/// The plans whose sum is the term, given the contracted axes of the scan. None
/// if a coefficient does not separate.
std::optional<std::vector<QueryPlan>> planQueries(Pool &pool, const LinearTerm &term,
                                                  const AxisSet &contracted);

} // namespace mix::algebra

#endif // MIXWRIGHT_DIALECT_ALGEBRA_SCAN_H
