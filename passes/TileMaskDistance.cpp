//===- TileMaskDistance.cpp - How far apart two positions are --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers instead of code: what a predicate says of `later - earlier` whatever the
// positions are. A quotient `floor(x / c)` is `(x - r) / c` with some `r` in [0, c - 1],
// so a comparison of blocks is one of positions up to a number:
//
//   j div 64 == i div 64   =>   -63 <= i - j <= 63
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/TileMask.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

std::optional<MaskAnalysis::Scaled> MaskAnalysis::replaceQuotients(const Linear &form) {
  Scaled result{form};
  // Quotients of quotients are few; each turn removes one.
  for (int turn = 0; turn < 8; ++turn) {
    auto quotient = llvm::find_if(result.linear.terms, [](auto &term) {
      return matchDivision<arith::FloorDivSIOp>(term.first).has_value();
    });
    if (quotient == result.linear.terms.end())
      return result;
    auto [atom, coefficient] = *quotient;
    auto [dividend, divisor] = *matchDivision<arith::FloorDivSIOp>(atom);
    int64_t scale = coefficient % divisor == 0 ? 1 : divisor;
    int64_t share = coefficient * scale / divisor;
    Linear rest = result.linear;
    rest.terms.erase(atom);
    std::optional<Linear> scaled = combine({}, scale, rest);
    std::optional<Linear> next =
        scaled ? combine(*scaled, share, getLinear(dividend)) : std::nullopt;
    if (!next)
      return std::nullopt;
    if (scale > 1 && result.factor > kMaxConstant / kMaxCoefficient)
      return std::nullopt;
    int64_t most = std::abs(share) * (divisor - 1);
    result = {*next, result.factor * scale, result.low * scale - (share > 0 ? most : 0),
              result.high * scale + (share > 0 ? 0 : most)};
  }
  return std::nullopt;
}

Interval MaskAnalysis::getAtomNumbers(Value atom) {
  if (auto iota = atom.getDefiningOp<IotaOp>()) {
    int64_t size = iota.getType().getShape().front();
    if (ShapedType::isDynamic(size))
      return {0, std::nullopt};
    return {0, size - 1};
  }
  if (auto remainder = matchDivision<arith::RemSIOp>(atom))
    return {1 - remainder->second, remainder->second - 1};
  if (atom.getDefiningOp<SizeOp>())
    return {0, std::nullopt};
  // The position of a recurrence.
  auto argument = dyn_cast<BlockArgument>(atom);
  if (argument && argument.getArgNumber() == 0 && isa<ForOp>(argument.getOwner()->getParentOp()))
    return {0, std::nullopt};
  auto join = [](std::optional<int64_t> a, std::optional<int64_t> b, auto pick) {
    return a && b ? std::optional(pick(*a, *b)) : std::nullopt;
  };
  auto larger = [](int64_t a, int64_t b) { return std::max(a, b); };
  auto smaller = [](int64_t a, int64_t b) { return std::min(a, b); };
  if (auto max = atom.getDefiningOp<arith::MaxSIOp>()) {
    Interval a = getNumbers(getLinear(max.getLhs())), b = getNumbers(getLinear(max.getRhs()));
    std::optional<int64_t> first = join(a.first, b.first, larger);
    return {first ? first : a.first ? a.first : b.first, join(a.last, b.last, larger)};
  }
  if (auto min = atom.getDefiningOp<arith::MinSIOp>()) {
    Interval a = getNumbers(getLinear(min.getLhs())), b = getNumbers(getLinear(min.getRhs()));
    std::optional<int64_t> last = join(a.last, b.last, smaller);
    return {join(a.first, b.first, smaller), last ? last : a.last ? a.last : b.last};
  }
  return {};
}

Interval MaskAnalysis::getNumbers(const Linear &linear) {
  std::optional<Scaled> scaled = replaceQuotients(linear);
  if (!scaled)
    return {};
  Interval sum{scaled->linear.constant + scaled->low, scaled->linear.constant + scaled->high};
  for (auto [atom, coefficient] : scaled->linear.terms) {
    Interval numbers = getAtomNumbers(atom);
    if (coefficient < 0)
      std::swap(numbers.first, numbers.last);
    auto add = [&, factor = coefficient](std::optional<int64_t> total,
                                         std::optional<int64_t> number) {
      return total && number ? std::optional(*total + factor * *number) : std::nullopt;
    };
    sum = {add(sum.first, numbers.first), add(sum.last, numbers.last)};
  }
  if (sum.first)
    sum.first = llvm::divideCeilSigned(*sum.first, scaled->factor);
  if (sum.last)
    sum.last = llvm::divideFloorSigned(*sum.last, scaled->factor);
  return sum;
}

/// Bounds of `later - scale * earlier` where `linear <= 0`.
Interval MaskAnalysis::solveDistance(const Linear &linear, StringRef later, StringRef earlier,
                                     int64_t scale) {
  Interval result;
  auto tighten = [&](Interval other) {
    if (other.first)
      result.first = result.first ? std::max(*result.first, *other.first) : *other.first;
    if (other.last)
      result.last = result.last ? std::min(*result.last, *other.last) : *other.last;
  };
  // What is larger than something is larger than its parts: one form for each.
  for (auto [atom, coefficient] : linear.terms) {
    SmallVector<std::pair<Value, int64_t>> parts;
    Operation *op = atom.getDefiningOp();
    if (coefficient > 0 && isa_and_nonnull<math::AbsIOp>(op))
      parts = {{op->getOperand(0), coefficient}, {op->getOperand(0), -coefficient}};
    else if (coefficient > 0 ? isa_and_nonnull<arith::MaxSIOp>(op)
                             : isa_and_nonnull<arith::MinSIOp>(op))
      parts = {{op->getOperand(0), coefficient}, {op->getOperand(1), coefficient}};
    if (parts.empty())
      continue;
    Linear rest = linear;
    rest.terms.erase(atom);
    for (auto [part, factor] : parts) {
      std::optional<Linear> form = combine(rest, factor, getLinear(part));
      if (form)
        tighten(solveDistance(*form, later, earlier, scale));
    }
    return result;
  }
  std::optional<Scaled> scaled = replaceQuotients(linear);
  // The values that stand for the positions are known now.
  Value i = positions.lookup(later), j = positions.lookup(earlier);
  if (!scaled || !i || !j)
    return {};
  // `c (later - scale * earlier) + rest <= 0`, with what is left of either position in the rest.
  for (auto [kept, unit] : {std::pair(i, int64_t(1)), std::pair(j, -scale)}) {
    if (scaled->linear.terms.lookup(kept) % unit != 0)
      continue;
    int64_t factor = scaled->linear.terms.lookup(kept) / unit;
    Linear difference;
    difference.terms[i] = 1;
    difference.terms[j] = -scale;
    std::optional<Linear> rest = combine(scaled->linear, -factor, difference);
    std::optional<int64_t> least = rest ? getNumbers(*rest).first : std::nullopt;
    if (factor == 0 || !least)
      continue;
    *least += scaled->low;
    if (factor > 0)
      tighten({std::nullopt, llvm::divideFloorSigned(-*least, factor)});
    else
      tighten({llvm::divideCeilSigned(*least, -factor), std::nullopt});
  }
  return result;
}

Interval MaskAnalysis::getDistances(Value predicate, StringRef later, StringRef earlier,
                                    int64_t scale) {
  return interpretIntervals(predicate, [&](const Linear &linear) {
    return solveDistance(linear, later, earlier, scale);
  });
}

Interval MaskAnalysis::getDistances(Value index, Value position) {
  std::optional<Linear> difference = combine(getLinear(position), -1, getLinear(index));
  return difference ? getNumbers(*difference) : Interval();
}
