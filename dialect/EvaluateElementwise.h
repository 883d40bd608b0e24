//===- EvaluateElementwise.h - arith and math on doubles --------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATEELEMENTWISE_H
#define MIXWRIGHT_DIALECT_EVALUATEELEMENTWISE_H

#include "dialect/EvaluateTensor.h"

namespace mix {

/// What an elementwise op does to the elements of its one, two or three operands;
/// the function of the op's arity is set. Integers and booleans (0 and 1) are
/// doubles that hold whole numbers.
struct Elementwise {
  double (*unary)(double) = nullptr;
  double (*binary)(double, double) = nullptr;
  double (*ternary)(double, double, double) = nullptr;
  /// A zero in the second operand is an error (integer divisions).
  bool refusesZeroDivisor = false;
};

/// The meaning of an `arith` or `math` op, or nothing if the evaluators do not
/// know it. The op has as many operands as the function has parameters.
std::optional<Elementwise> getElementwise(mlir::Operation *op);

/// Applies an elementwise op to operands of one shape. A first operand of rank 0
/// is allowed for `arith.select`, whose condition may be one for all elements.
/// Errors: an op that is not in the table, an integer division by zero.
llvm::Expected<Tensor> applyElementwise(mlir::Operation *op, llvm::ArrayRef<Tensor> operands);

/// The value of an `arith.constant`. Errors: an attribute that is not a number or
/// dense elements.
llvm::Expected<Tensor> getConstant(mlir::Operation *op);

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATEELEMENTWISE_H
