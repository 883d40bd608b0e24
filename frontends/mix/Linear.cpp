//===- Linear.cpp - Bounds of positions -----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Linear.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <numeric>
#include <vector>

using namespace mix::frontend;
using llvm::ArrayRef;
using llvm::StringRef;

Linear Linear::ofConstant(double value) {
  Linear form;
  form.constant = value;
  return form;
}

Linear Linear::ofTerm(StringRef term) {
  Linear form;
  form.terms[term.str()] = 1;
  return form;
}

Linear Linear::operator+(const Linear &other) const {
  Linear sum = *this;
  sum.constant += other.constant;
  for (const auto &[term, coefficient] : other.terms)
    if ((sum.terms[term] += coefficient) == 0)
      sum.terms.erase(term);
  return sum;
}

Linear Linear::scaled(double factor) const {
  if (factor == 0)
    return {};
  Linear result = *this;
  result.constant *= factor;
  for (auto &[term, coefficient] : result.terms)
    coefficient *= factor;
  return result;
}

double Linear::getCoefficient(const std::string &term) const {
  auto it = terms.find(term);
  return it == terms.end() ? 0 : it->second;
}

Linear Linear::substituted(const std::string &term, const Linear &value) const {
  double coefficient = getCoefficient(term);
  Linear rest = *this;
  rest.terms.erase(term);
  return rest + value.scaled(coefficient);
}

std::string Linear::getKey() const {
  std::string key;
  llvm::raw_string_ostream os(key);
  for (const auto &[term, coefficient] : terms)
    os << llvm::format("%.17g", coefficient) << '*' << term << '+';
  os << llvm::format("%.17g", constant);
  return key;
}

Linear TermTable::floorDivide(const Linear &dividend, double divisor) {
  Linear quotient = Linear::ofTerm("floor(" + (dividend.getKey() + "|") +
                                   Linear::ofConstant(divisor).getKey() + ")");
  // q n <= x <= q n + n - 1
  assume(dividend - quotient.scaled(divisor));
  assume(quotient.scaled(divisor) + (divisor - 1) - dividend);
  return quotient;
}

Linear TermTable::extremum(bool isMax, const Linear &a, const Linear &b) {
  std::string term = (isMax ? "max(" : "min(") + a.getKey() + "," + b.getKey() + ")";
  extrema[term] = {isMax, a, b};
  Linear value = Linear::ofTerm(term);
  for (const Linear &bound : {a, b})
    assume(isMax ? value - bound : bound - value);
  return value;
}

/// Bounds the search; three steps prove every guard that we met in a mixer.
static constexpr unsigned kFuel = 5;

/// A form that is >= 0 exactly where the integer `form` is, but easier to prove. With a
/// common divisor n of the coefficients, n x + c >= 0 means x >= -floor(c / n), and for
/// an integer that means x > -floor(c / n) - 1. What is known of a quotient is often
/// only that strong.
static Linear tighten(const Linear &form) {
  constexpr double kBelowOne = 1 - 1e-9;
  constexpr double kLargest = 1e15; // integers are exact below
  int64_t divisor = 0;
  for (const auto &[term, coefficient] : form.terms) {
    if (coefficient != std::floor(coefficient) || std::fabs(coefficient) > kLargest)
      return form;
    divisor = std::gcd(divisor, static_cast<int64_t>(coefficient));
  }
  if (divisor == 0)
    return form;
  Linear result = form.scaled(1.0 / divisor);
  result.constant = std::floor(result.constant) + kBelowOne;
  return result;
}

bool TermTable::isNonNegative(const Linear &form, ArrayRef<Linear> facts) const {
  std::vector<Linear> known(global);
  known.insert(known.end(), facts.begin(), facts.end());
  return prove(tighten(form), known, kFuel);
}

/// Looks for non-negative multiples of facts that add up to at most `form`.
bool TermTable::prove(const Linear &form, ArrayRef<Linear> facts, unsigned fuel) const {
  if (form.terms.empty())
    return form.constant >= 0;
  if (fuel == 0)
    return false;
  // max(a, b) from above is bounded by both cases; so is min(a, b) from below.
  for (const auto &[term, coefficient] : form.terms) {
    auto it = extrema.find(term);
    if (it != extrema.end() && it->second.isMax == (coefficient < 0))
      return prove(form.substituted(term, it->second.a), facts, fuel - 1) &&
             prove(form.substituted(term, it->second.b), facts, fuel - 1);
  }
  const auto &[term, coefficient] = *form.terms.begin();
  for (const Linear &fact : facts) {
    double other = fact.getCoefficient(term);
    if (other * coefficient > 0 && prove(form - fact.scaled(coefficient / other), facts, fuel - 1))
      return true;
  }
  return false;
}
