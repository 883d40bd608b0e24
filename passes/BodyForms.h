//===- BodyForms.h - Normal forms of the values of a body -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bridge between the values of a recurrence's body and `dialect/algebra`.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_BODYFORMS_H
#define MIXWRIGHT_PASSES_BODYFORMS_H

#include "dialect/Mix.h"
#include "dialect/algebra/LinearForm.h"
#include "passes/Lift.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mix {

/// Which states a value of the body depends on, through any path.
class StateDependence {
public:
  explicit StateDependence(ForOp loop);
  /// One bit per state of the loop; none for values from outside.
  llvm::SmallBitVector get(mlir::Value value) const;

private:
  llvm::DenseMap<mlir::Value, llvm::SmallBitVector> bits;
  unsigned numStates;
};

/// Why a value is not affine in a state.
struct Obstacle {
  mlir::Operation *op = nullptr;
  std::string text; ///< What the op does with the state, e.g. "enters tanh".
};

/// Coefficients: values as canonical expressions, opaque ops as atoms.
class Coefficients {
public:
  algebra::Pool &getPool() { return pool; }
  /// The expression of a value that is independent of the states in question.
  algebra::Expr get(mlir::Value value);
  /// A predicate as 0 or 1, or an opaque real.
  algebra::Expr getAtom(mlir::Value value);
  mlir::Value getValue(unsigned atom) const { return atoms[atom]; }

private:
  algebra::Expr compute(mlir::Operation *op, mlir::Value value);
  algebra::Pool pool;
  llvm::SmallVector<mlir::Value> atoms;
  llvm::DenseMap<mlir::Value, unsigned> atomIds;
  llvm::DenseMap<mlir::Value, algebra::Expr> known;
};

/// Values as forms that are affine in the given states.
class BodyForms {
public:
  /// `symbols` says which values stand for states; `focus` holds the states of
  /// the loop that count as such. Other states are coefficients.
  BodyForms(ForOp loop, Coefficients &coefficients, const StateDependence &dependence,
            llvm::SmallBitVector focus, llvm::DenseMap<mlir::Value, algebra::Symbol> symbols);

  bool dependsOnFocus(mlir::Value value) const { return dependence.get(value).anyCommon(focus); }
  /// None if the value is not affine; `getObstacle` then says why.
  std::optional<algebra::LinearForm> get(mlir::Value value);
  Obstacle getObstacle(mlir::Value value) const { return obstacles.lookup(value); }

private:
  std::optional<algebra::LinearForm> compute(mlir::Value value);
  std::optional<algebra::LinearForm> select(mlir::Operation *op);
  std::optional<algebra::LinearForm> give(mlir::Operation *op, const llvm::Twine &text);

  Coefficients &coefficients;
  const StateDependence &dependence;
  llvm::SmallBitVector focus;
  llvm::DenseMap<mlir::Value, algebra::Symbol> symbols;
  algebra::FormAlgebra algebra;
  llvm::DenseMap<mlir::Value, std::optional<algebra::LinearForm>> known;
  llvm::DenseMap<mlir::Value, Obstacle> obstacles;
};

/// Makes the ops of coefficients, for all positions of a walk.
class ExprEmitter {
public:
  ExprEmitter(mlir::OpBuilder &builder, mlir::Location loc, const Coefficients &coefficients,
              Lifter &lifter)
      : builder(builder), loc(loc), coefficients(coefficients), lifter(lifter) {}

  /// The value of the expression: its axes, and the walk's where it depends on
  /// the position. Null after an error.
  mlir::Value emit(algebra::Expr e);
  /// `emit`, with the axis of the walk.
  mlir::Value emitPerToken(algebra::Expr e);

private:
  mlir::Value emitProduct(llvm::ArrayRef<algebra::Expr> factors);
  mlir::Value emitSum(llvm::ArrayRef<algebra::Expr> addends);
  mlir::Value emitNew(algebra::Expr e);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  const Coefficients &coefficients;
  Lifter &lifter;
  llvm::DenseMap<algebra::Expr, mlir::Value> known;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_BODYFORMS_H
