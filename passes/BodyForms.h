//===- BodyForms.h - Normal forms of the values of a block ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bridge between the values of a block and `dialect/algebra`.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_BODYFORMS_H
#define MIXWRIGHT_PASSES_BODYFORMS_H

#include "dialect/Mix.h"
#include "dialect/algebra/LinearForm.h"
#include "mlir/IR/Builders.h"
#include "passes/Build.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mix {

/// Which of some roots a value of a block depends on, through any path.
class Dependence {
public:
  /// `roots` are values that stand for themselves, with the number of their bit.
  Dependence(mlir::Block &block, llvm::ArrayRef<std::pair<mlir::Value, unsigned>> roots,
             unsigned numBits);
  /// None for values from outside of the block.
  llvm::SmallBitVector get(mlir::Value value) const;

private:
  llvm::DenseMap<mlir::Value, llvm::SmallBitVector> bits;
  unsigned numBits;
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
  /// An opaque real.
  algebra::Expr getAtom(mlir::Value value);
  /// A predicate as 0 or 1, over the axes that it depends on.
  algebra::Expr getMask(mlir::Value predicate) { return getAtom(stripBroadcasts(predicate)); }
  mlir::Value getValue(unsigned atom) const { return atoms[atom]; }
  /// From now on the values count as atoms, whatever makes them.
  void addOpaque(llvm::ArrayRef<mlir::Value> values) {
    opaque.insert(values.begin(), values.end());
    known.clear();
  }
  void clearOpaque() {
    opaque.clear();
    known.clear();
  }

private:
  algebra::Expr compute(mlir::Operation *op, mlir::Value value);
  algebra::Pool pool;
  llvm::SmallVector<mlir::Value> atoms;
  llvm::DenseMap<mlir::Value, unsigned> atomIds;
  llvm::DenseMap<mlir::Value, algebra::Expr> known;
  llvm::DenseSet<mlir::Value> opaque;
};

/// Values of a block as forms that are affine in the given symbols.
class BodyForms {
public:
  /// `symbols` says which values stand for states; what depends on none of the
  /// bits of `focus` is a coefficient.
  BodyForms(mlir::Block &block, Coefficients &coefficients, const Dependence &dependence,
            llvm::SmallBitVector focus, llvm::DenseMap<mlir::Value, algebra::Symbol> symbols);

  bool dependsOnFocus(mlir::Value value) const { return dependence.get(value).anyCommon(focus); }
  /// None if the value is not affine; `getObstacle` then says why.
  std::optional<algebra::LinearForm> get(mlir::Value value);
  Obstacle getObstacle(mlir::Value value) const { return obstacles.lookup(value); }

private:
  std::optional<algebra::LinearForm> compute(mlir::Value value);
  std::optional<algebra::LinearForm> select(mlir::Operation *op);
  std::optional<algebra::LinearForm> reduce(ReduceOp op);
  std::optional<algebra::LinearForm> give(mlir::Operation *op, const llvm::Twine &text);

  Coefficients &coefficients;
  const Dependence &dependence;
  llvm::SmallBitVector focus;
  llvm::DenseMap<mlir::Value, algebra::Symbol> symbols;
  algebra::FormAlgebra algebra;
  llvm::DenseMap<mlir::Value, std::optional<algebra::LinearForm>> known;
  llvm::DenseMap<mlir::Value, Obstacle> obstacles;
};

/// Makes the ops of coefficients.
class ExprEmitter {
public:
  /// `materialize` gives the value that stands for an atom's, or null after an error.
  ExprEmitter(mlir::OpBuilder &builder, mlir::Location loc, const Coefficients &coefficients,
              std::function<mlir::Value(mlir::Value)> materialize)
      : builder(builder), loc(loc), coefficients(coefficients),
        materialize(std::move(materialize)) {}

  /// The value of the expression, over its axes and those that its atoms' values
  /// have beyond. Null after an error.
  mlir::Value emit(algebra::Expr e);

private:
  mlir::Value emitProduct(llvm::ArrayRef<algebra::Expr> factors);
  mlir::Value emitSum(llvm::ArrayRef<algebra::Expr> addends);
  mlir::Value emitGuard(algebra::Expr e);
  mlir::Value emitNew(algebra::Expr e);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  const Coefficients &coefficients;
  std::function<mlir::Value(mlir::Value)> materialize;
  llvm::DenseMap<algebra::Expr, mlir::Value> known;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_BODYFORMS_H
