//===- TileMask.h - What a mask says about a block --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interval analysis of predicates over index variables. A predicate is a boolean
// value of level L2: comparisons of integer expressions of positions, joined by
// `and`, `or` and `not`. Given the positions that each index variable takes in a
// block, the analysis builds, as scalar code, what a loop over blocks needs to know:
// where it starts and ends, which blocks hold nothing, and which need no mask.
//
// Integers are read as linear forms `sum of c a + constant`, whose atoms `a` are
// positions, scalars (the size of a space), and what is not linear in them: quotients
// by a constant, remainders, absolute values, minima and maxima. Anything else, such
// as numbers from memory, is an atom without bounds. So every answer is sound for
// every predicate, and exact for a comparison in which each variable occurs once.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILEMASK_H
#define MIXWRIGHT_PASSES_TILEMASK_H

#include "dialect/Mix.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace mix {

/// Integers between two scalars of type `index`, both included. Null: no bound.
struct IndexRange {
  mlir::Value first, last;
};

/// Integers between two numbers, both included. None: no bound.
struct Interval {
  std::optional<int64_t> first, last;
};

class MaskAnalysis {
public:
  /// The scalar, as `index`, for a value of level L2 without axes that the analysis
  /// cannot read itself (`mix.size`); or null, if it is not known.
  using ScalarFn = std::function<mlir::Value(mlir::Value)>;

  /// Code is built at the builder's insertion point at the time of each call.
  MaskAnalysis(mlir::OpBuilder &builder, mlir::Location loc, ScalarFn getScalar)
      : builder(builder), loc(loc), getScalar(std::move(getScalar)) {}

  /// Says which positions an index variable (`"i:T"`) takes. Without this, it takes
  /// any position from 0.
  void setRange(llvm::StringRef variable, IndexRange range) { ranges[variable] = range; }

  /// Positions of `variable` outside of which the predicate is false, whatever the
  /// positions of the others in their ranges. The result is not clamped to the
  /// variable's own range.
  IndexRange getBounds(mlir::Value predicate, llvm::StringRef variable);

  /// What `position(later) - scale * position(earlier)` can be where the predicate holds, at
  /// any positions of all variables. Builds no code.
  Interval getDistances(mlir::Value predicate, llvm::StringRef later, llvm::StringRef earlier,
                        int64_t scale = 1);

  /// What `position(later) - index` can be, at any positions of all variables. The position
  /// is any value that stands for it. Builds no code.
  Interval getDistances(mlir::Value index, mlir::Value position);

  /// Whether the predicate is true at all positions (`i1`); null: not known.
  mlir::Value isFull(mlir::Value predicate);

  /// Whether the predicate may be true at some position (`i1`); null: not known.
  mlir::Value mayHold(mlir::Value predicate);

  /// Whether the predicate is a disjunction somewhere, so that it may leave holes inside
  /// of its bounds.
  bool hasHoles(mlir::Value predicate);

private:
  /// `sum of coefficient * atom + constant`.
  struct Linear {
    llvm::SmallMapVector<mlir::Value, int64_t, 4> terms;
    int64_t constant = 0;
  };

  /// Calls `logic` bottom up on the predicate in negation normal form, whose leaves
  /// are `linear <= 0`, constants, and what is not understood.
  template <typename Logic>
  typename Logic::Result interpret(mlir::Value predicate, bool isNegated, Logic &logic);
  template <typename Logic>
  typename Logic::Result interpretCompare(mlir::Operation *compare, bool isNegated, Logic &logic);
  template <typename T> struct LogicBase;
  struct BoundsLogic;
  struct FullLogic;
  struct MayLogic;
  struct HoleLogic;
  struct DistanceLogic;
  /// The comparisons of a predicate, for logic in other files.
  using LeafFn = llvm::function_ref<Interval(const Linear &)>;
  Interval interpretIntervals(mlir::Value predicate, LeafFn leaf);

  // Linear forms.
  /// Numbers beyond these are left alone, so that no sum of a form's terms overflows
  /// for any position below 2^40.
  static constexpr int64_t kMaxCoefficient = int64_t(1) << 16;
  static constexpr int64_t kMaxConstant = int64_t(1) << 40;
  /// The integer that every element of the value is, if it is one.
  static std::optional<int64_t> getConstant(mlir::Value value);
  /// The operand and the positive constant of a division or a remainder.
  template <typename Op>
  static std::optional<std::pair<mlir::Value, int64_t>> matchDivision(mlir::Value atom) {
    auto op = atom.getDefiningOp<Op>();
    std::optional<int64_t> divisor = op ? getConstant(op.getRhs()) : std::nullopt;
    if (!divisor || *divisor <= 0 || *divisor > kMaxCoefficient)
      return std::nullopt;
    return std::pair(op.getLhs(), *divisor);
  }
  Linear getLinear(mlir::Value value);
  Linear computeLinear(mlir::Value value);
  Linear getAtom(mlir::Value value);
  static std::optional<Linear> combine(const Linear &a, int64_t scale, const Linear &b);
  static bool dependsOn(mlir::Value value, llvm::StringRef variable);

  // Numbers (TileMaskDistance.cpp).
  /// `factor` times a form is `linear` plus a number in `[low, high]`.
  struct Scaled {
    Linear linear;
    int64_t factor = 1, low = 0, high = 0;
  };
  std::optional<Scaled> replaceQuotients(const Linear &form);
  Interval getNumbers(const Linear &linear);
  Interval getAtomNumbers(mlir::Value atom);
  Interval solveDistance(const Linear &linear, llvm::StringRef later, llvm::StringRef earlier,
                         int64_t scale);

  // Ranges.
  IndexRange getRange(const Linear &linear);
  IndexRange getAtomRange(mlir::Value atom);

  /// Bounds of the variable where `linear <= limit`, or `atom <= limit` or `>= limit`.
  IndexRange solveAtMost(const Linear &linear, mlir::Value limit, llvm::StringRef variable);
  IndexRange solveAtomAtMost(mlir::Value atom, mlir::Value limit, llvm::StringRef variable);
  IndexRange solveAtomAtLeast(mlir::Value atom, mlir::Value limit, llvm::StringRef variable);
  IndexRange intersect(IndexRange a, IndexRange b);
  IndexRange unite(IndexRange a, IndexRange b);

  // Scalar code; constants fold as it is built. Null operands give null.
  mlir::Value constant(int64_t value);
  mlir::Value truth(bool value);
  template <typename Op> mlir::Value scalar(mlir::Value a, mlir::Value b);
  mlir::Value scale(mlir::Value a, int64_t factor);
  mlir::Value floorDivide(mlir::Value a, int64_t divisor);
  mlir::Value atMost(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  ScalarFn getScalar;
  llvm::StringMap<IndexRange> ranges;
  llvm::StringMap<mlir::Value> positions;
  llvm::DenseMap<mlir::Value, Linear> linears;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILEMASK_H
