//===- Linear.h - Bounds of positions ---------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Linear forms over the positions and sizes of a spec, and a small prover that
// decides whether a read such as `x[t - 1]` stays on its axis, from what is known
// at that place (`where t >= 1`, `if t >= 1 then ...`).
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_LINEAR_H
#define MIXWRIGHT_FRONTENDS_MIX_LINEAR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <map>
#include <string>
#include <vector>

namespace mix::frontend {

/// `sum of coefficient * term + constant`. A term is an integer unknown, named by
/// an arbitrary unique string.
struct Linear {
  std::map<std::string, double> terms; // no zero coefficients
  double constant = 0;

  static Linear ofConstant(double value);
  static Linear ofTerm(llvm::StringRef term);

  Linear operator+(const Linear &other) const;
  Linear operator-(const Linear &other) const { return *this + other.scaled(-1); }
  Linear operator+(double value) const { return *this + ofConstant(value); }
  Linear scaled(double factor) const;
  double getCoefficient(const std::string &term) const;
  /// The form with `term` replaced.
  Linear substituted(const std::string &term, const Linear &value) const;
  /// A text that equal forms share; names the terms of compound expressions.
  std::string getKey() const;
};

/// What is known about the terms that stand for compound expressions.
class TermTable {
public:
  /// The term `floor(dividend / divisor)`, divisor > 0.
  Linear floorDivide(const Linear &dividend, double divisor);
  /// The term `max(a, b)` or `min(a, b)`.
  Linear extremum(bool isMax, const Linear &a, const Linear &b);
  /// Records that `form >= 0` holds everywhere.
  void assume(const Linear &form) { global.push_back(form); }

  /// Whether the integer `form` is provably >= 0 where each of `facts` is.
  bool isNonNegative(const Linear &form, llvm::ArrayRef<Linear> facts) const;

private:
  struct Extremum {
    bool isMax;
    Linear a, b;
  };
  bool prove(const Linear &form, llvm::ArrayRef<Linear> facts, unsigned fuel) const;

  std::vector<Linear> global;
  std::map<std::string, Extremum> extrema;
};

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_LINEAR_H
