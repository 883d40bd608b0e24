//===- PairForms.h - Sums of what two positions contribute ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values over pairs of positions, `i` of a query and `j` of a key, such as
// `c[i] - c[j] + x[j]`, as a part of `i` plus a part of `j`.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_PAIRFORMS_H
#define MIXWRIGHT_PASSES_PAIRFORMS_H

#include "passes/BodyForms.h"
#include "llvm/ADT/MapVector.h"

namespace mix {

/// The index axes of the two positions.
struct PairAxes {
  llvm::StringRef query, key;

  bool hasQuery(algebra::Expr e) const { return e->axes.contains(query.str()); }
  bool hasKey(algebra::Expr e) const { return e->axes.contains(key.str()); }
  bool hasBoth(algebra::Expr e) const { return hasQuery(e) && hasKey(e); }
};

/// `value` with the axis `to` in place of the index axis `from` of the same space.
mlir::Value moveWalk(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                     llvm::StringRef from, llvm::StringRef to);

/// A value `query + key`, or `query + key + sum of growth over the positions in ]j, i]`.
struct PairForm {
  algebra::Expr query;
  algebra::Expr key;
  /// Over the axis of the query. Null if nothing is summed.
  algebra::Expr growth = nullptr;
};

class PairForms {
public:
  PairForms(mlir::OpBuilder &builder, mlir::Location loc, Coefficients &coefficients, PairAxes axes)
      : builder(builder), loc(loc), coefficients(coefficients), axes(axes) {}

  /// The form of a real value; none if it is no such sum. With `takeDifferences`, differences
  /// of one prefix sum (or of the position itself) at both positions are the growth.
  std::optional<PairForm> get(mlir::Value value, bool takeDifferences);

private:
  /// What grows from position to position: a prefix sum, or null for the position itself.
  using Sequence = mlir::Operation *;
  struct Ends {
    algebra::Expr query, key;                         ///< Coefficients at both positions.
    algebra::Expr atQuery = nullptr, atKey = nullptr; ///< Its values there.
  };
  struct Terms {
    llvm::MapVector<Sequence, Ends> sequences;
    std::vector<algebra::Expr> query, key;
  };

  bool collect(mlir::Value value, algebra::Expr factor, Terms &terms);
  bool collectLeaf(mlir::Value value, algebra::Expr factor, Terms &terms);
  std::optional<Sequence> getSequence(mlir::Value leaf) const;
  algebra::Expr getReal(mlir::Value value);
  algebra::Expr getGrowth(Sequence sequence);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  Coefficients &coefficients;
  PairAxes axes;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_PAIRFORMS_H
