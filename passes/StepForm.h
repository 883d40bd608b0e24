//===- StepForm.h - What a step keeps between calls -------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Analysis for mix-derive-step, on the mixer as it is in level L2. In a step form, an
// index variable of the stepped space walks either the new tokens or all of them: it
// walks all where a reduction runs over it, and the new ones where it names results. A
// variable of blocks of tokens walks all blocks; no value is kept per block
// (passes/StepBlocks.h).
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_STEPFORM_H
#define MIXWRIGHT_PASSES_STEPFORM_H

#include "dialect/Mix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/StepBlocks.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace mix {

/// The index variables that walk all tokens: a set of bits of `StepAnalysis::getBit`.
using AllWalks = uint64_t;

class StepAnalysis {
public:
  /// Analyses a mixer of level L2 that is to step over the tokens of `space`, which have the
  /// given blocks.
  StepAnalysis(mlir::func::FuncOp mixer, llvm::StringRef space, const BlockSizes &blocks);

  /// The bit of an index variable; 0 if it is none of the space or of its blocks.
  AllWalks getBit(llvm::StringRef axis) const { return bits.lookup(axis); }
  AllWalks getBits(mlir::ArrayAttr axes) const;
  /// The variables of the space among the axes of the value.
  AllWalks getBits(mlir::Value value) const;

  /// Whether tokens of the space contribute to the value.
  bool dependsOnTokens(mlir::Value value);
  /// The variable that walks all tokens, if the value depends on its position and no
  /// other's and on data of tokens; else empty. Such a value may be kept.
  llvm::StringRef getKeyVariable(mlir::Value value, AllWalks all);
  /// Whether the value, which depends on the key's position only, cannot be computed again
  /// from other values at that position.
  bool isOriginal(mlir::Value value, llvm::StringRef variable);
  /// Whether the value is one of those that are kept: the cheapest ones, per token, from
  /// which all that reductions need of earlier tokens can be computed.
  bool isKept(mlir::Value value) const { return kept.contains(value); }

  /// Calls `fn(operand number, variables that walk all tokens in it)` for each operand of
  /// the op that makes a value with these walks.
  void forEachOperand(mlir::Operation *op, AllWalks all,
                      llvm::function_ref<void(unsigned, AllWalks)> fn) const;

  /// The most index variables that the analysis tells apart, and whether there are more.
  static constexpr unsigned kMostVariables = 64;
  bool hasTooManyVariables() const { return numVariables > kMostVariables; }

private:
  class Planner;

  mlir::func::FuncOp mixer;
  llvm::StringRef space;
  const BlockSizes &blocks;
  llvm::StringMap<AllWalks> bits;
  unsigned numVariables = 0;
  llvm::DenseMap<mlir::Value, bool> tokenValues;
  llvm::DenseSet<mlir::Value> kept;
};

/// The index along the plain token axis `space` of the read's source; null if it has none.
mlir::Value getIndexAlong(ReadOp read, llvm::StringRef space);

} // namespace mix

#endif // MIXWRIGHT_PASSES_STEPFORM_H
