//===- Evaluate.h - The reference evaluator ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The meaning of levels L1 and L2: every op computes, in double precision, the
// equation of its description (docs/spec.md), one function per op. What a value
// costs here does not matter; that it can be read beside the equation does.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATE_H
#define MIXWRIGHT_DIALECT_EVALUATE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mix {

/// A tensor over named axes in double precision, row-major. Integers (up to 2^53)
/// and booleans (0 and 1) are held exactly.
struct Array {
  llvm::SmallVector<std::string> axes;
  llvm::SmallVector<int64_t> shape;
  std::vector<double> data;
};

/// What a mixer computes: its outputs and the final values of its states, by name. Of a
/// step form, `states` also holds the caches with the rows of the new tokens.
struct Evaluation {
  llvm::StringMap<Array> outputs;
  llvm::StringMap<Array> states;
};

/// Evaluates a mixer of level L1 or L2, or any mixture of them.
///
/// `inputs` holds one array per argument, by `mix.name`. `states` holds the
/// initial states that the caller gives; the others take the value that the spec
/// declares. Sizes are bound by the inputs; a static size of a type binds too. A step
/// form (`mix.step`) takes its position and its caches, of `position + |T|` rows, as inputs;
/// at position 0 it starts a sequence and ignores the states.
///
/// Errors: an argument without a name, an input that is missing or unknown, a
/// wrong rank, axes other than those declared, two sizes of one axis, an axis
/// that nothing binds, an op that the evaluator does not know.
llvm::Expected<Evaluation> evaluate(mlir::func::FuncOp mixer, const llvm::StringMap<Array> &inputs,
                                    const llvm::StringMap<Array> &states);

/// How far an array is from the expected one: sqrt(sum (x - y)^2 / sum y^2), the square
/// root of the normalised mean square error. Infinite if the shapes differ, or an
/// element of one is not finite and that of the other is not the same.
double relativeError(const Array &actual, const Array &expected);

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATE_H
