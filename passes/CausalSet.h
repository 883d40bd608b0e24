//===- CausalSet.h - Reductions over the tokens so far ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_CAUSALSET_H
#define MIXWRIGHT_PASSES_CAUSALSET_H

#include "dialect/Mix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace mix {

/// The predicates whose conjunction is the mask, without their broadcasts.
void collectConjuncts(mlir::Value mask, llvm::SmallVectorImpl<mlir::Value> &conjuncts);

/// The set `{j : j <= i and conditions}` of a reduction, or `j < i`.
struct CausalSet {
  llvm::StringRef key;   ///< The axis of `j`.
  llvm::StringRef query; ///< The axis of `i`.
  mlir::Value position;  ///< `i`
  bool isStrict = false;
  llvm::SmallVector<mlir::Value> conditions; ///< Independent of `i`.
};

/// The set of a reduction over one index axis; none if its mask is no such set.
std::optional<CausalSet> matchCausalSet(ReduceOp reduce);

/// `value` where all conditions hold, and the number elsewhere.
mlir::Value createGuarded(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                          llvm::ArrayRef<mlir::Value> conditions, double elsewhere);

/// The prefix of `value`, by the reduction's kind, along the key's axis and read at the
/// query's position.
mlir::Value createPrefixAt(mlir::OpBuilder &builder, ReduceOp reduce, const CausalSet &set,
                           mlir::Value value);

/// Puts what `replace` makes, over any order of the same axes or fewer of them, in place of each
/// reduction for which it gives a value. The number of those.
int64_t replaceReductions(mlir::func::FuncOp function,
                          llvm::function_ref<mlir::Value(mlir::OpBuilder &, ReduceOp)> replace);

} // namespace mix

#endif // MIXWRIGHT_PASSES_CAUSALSET_H
