//===- Strata.h - The strata of a recurrence and their classes --*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A recurrence with several states is cut into strata: sets of states that
// depend on each other, in an order in which no stratum depends on a later one.
// What a stratum gives to later ones and to the outputs are its *exports*.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_STRATA_H
#define MIXWRIGHT_PASSES_STRATA_H

#include "dialect/algebra/Scan.h"
#include "passes/BodyForms.h"

namespace mix {

struct Stratum {
  llvm::SmallVector<unsigned> states; ///< Numbers of states of the loop.
  bool isAffine = false;
  ScanClass scanClass = ScanClass::Elementwise; ///< If it is not affine.
  std::string reason;                     ///< If it is not affine: why, and where in the source.
  std::vector<algebra::AffineScan> scans; ///< If it is affine.
  /// If it is affine: the values that are read through queries, with their forms
  /// in state `n` before (symbol `2 n`) and after (symbol `2 n + 1`) the update.
  llvm::MapVector<mlir::Value, algebra::LinearForm> readings;
};

/// The strata of a loop in order, neighbours that run token by token joined.
class Stratification {
public:
  Stratification(ForOp loop, Coefficients &coefficients);

  llvm::MutableArrayRef<Stratum> getStrata() { return strata; }
  /// The last stratum that the value depends on, or -1.
  int getLevel(mlir::Value value) const;
  /// Whether the value has more axes than all that it is made of on its own level, so
  /// that whoever needs it on another level had better make it there.
  bool isExpansion(mlir::Value value) const;
  /// The values of the level that later levels or the outputs use, in program order,
  /// expansions aside.
  llvm::SmallVector<mlir::Value> getExports(int level);
  /// The next value of a state.
  mlir::Value getNext(unsigned state) const { return yield->getOperand(state); }

private:
  void order(const llvm::SmallBitVector &alone);
  bool separate(llvm::SmallBitVector &alone) const;
  llvm::SmallBitVector getFocus(llvm::ArrayRef<unsigned> states) const;
  bool isUsedAbove(mlir::Value value, int level);
  void classify(unsigned level);
  bool isMaxPlus(const Stratum &stratum);
  void joinLoops();
  llvm::DenseMap<mlir::Value, algebra::Symbol> getSymbols(llvm::ArrayRef<unsigned> states,
                                                          bool after);
  void collectReadings(BodyForms &forms, mlir::Value value, int level, Stratum &stratum);

  ForOp loop;
  mlir::Operation *yield;
  Coefficients &coefficients;
  Dependence dependence;
  llvm::SmallVector<Stratum> strata;
  llvm::SmallVector<int> levelOfState;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_STRATA_H
