//===- Draw.cpp - Random inputs for an unknown mixer ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Draw.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"
#include <cmath>

using namespace mix;
using namespace mix::driver;
using llvm::Expected;
using llvm::StringRef;

std::string Distribution::describe() const {
  switch (kind) {
  case Normal:
    return "N(0, 1)";
  case Small:
    return "small";
  case Unit:
    return "in (0, 1)";
  case Negative:
    return "negative";
  case Range:
    return llvm::formatv("in ({0}, {1})", low, high);
  }
  llvm_unreachable("all kinds are covered");
}

std::string DrawPlan::describe() const {
  llvm::SmallVector<std::string> parts;
  for (const auto &entry : inputs)
    if (entry.second.kind != Distribution::Normal)
      parts.push_back((entry.getKey() + " " + entry.second.describe()).str());
  llvm::sort(parts);
  return llvm::join(parts, ", ");
}

Expected<Distribution> mix::driver::parseRange(StringRef name, StringRef text) {
  auto [low, high] = text.split(':');
  Distribution range{Distribution::Range};
  if (low.getAsDouble(range.low) || high.getAsDouble(range.high) || !(range.low < range.high))
    return llvm::createStringError("--range " + name +
                                   ": expected low:high with low < high, got '" + text + "'");
  return range;
}

//===----------------------------------------------------------------------===//
// Drawing
//===----------------------------------------------------------------------===//

/// The elements of a tensor that share a token, batch and head.
static int64_t countFeatures(const Signature &signature, const Argument &arg,
                             const SizeMap &sizes) {
  int64_t features = 1;
  for (const std::string &axis : arg.axes)
    if (!signature.isTokenAxis(axis))
      features *= sizes.lookup(axis);
  return features;
}

static Tensor draw(const Argument &arg, llvm::ArrayRef<int64_t> shape, Distribution distribution,
                   int64_t features, uint64_t seed) {
  Tensor tensor(arg.isInteger ? ElementType::I64 : ElementType::F64, shape);
  std::mt19937_64 random(seed ^ llvm::xxh3_64bits(arg.name));
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> unit;
  double scale = std::min(0.5, 1 / std::sqrt(static_cast<double>(features)));
  auto next = [&]() -> double {
    if (arg.isInteger && distribution.kind != Distribution::Range)
      return static_cast<double>(random() % 3);
    switch (distribution.kind) {
    case Distribution::Normal:
      return normal(random);
    case Distribution::Small:
      return scale * normal(random);
    case Distribution::Unit:
      return unit(random);
    case Distribution::Negative:
      return -std::abs(normal(random));
    case Distribution::Range:
      return distribution.low + (distribution.high - distribution.low) * unit(random);
    }
    llvm_unreachable("all kinds are covered");
  };
  for (int64_t n = 0, count = tensor.getCount(); n < count; ++n)
    tensor.set(n, next());
  return tensor;
}

Call mix::driver::drawCall(const Signature &signature, const CallShape &shape, const DrawPlan &plan,
                           bool givesStates, uint64_t seed, StringRef oneHead) {
  Call call;
  call.shape = shape;
  for (const Argument &arg : signature.inputs) {
    CallShape own = shape;
    if (arg.name == oneHead)
      own.heads = 1;
    call.inputs.try_emplace(arg.name, draw(arg, own.getShape(arg), plan.inputs.lookup(arg.name),
                                           countFeatures(signature, arg, shape.sizes), seed));
  }
  if (givesStates)
    for (const Argument &arg : signature.states)
      call.states.try_emplace(arg.name,
                              draw(arg, shape.getShape(arg), Distribution{Distribution::Small},
                                   countFeatures(signature, arg, shape.sizes), seed));
  return call;
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

SizeMap mix::driver::shortenTokens(const Signature &signature, const SizeMap &sizes) {
  SizeMap result;
  for (auto &entry : sizes)
    if (!signature.blocks.contains(entry.getKey()))
      result[entry.getKey()] = signature.isTokenAxis(entry.getKey())
                                   ? std::min<int64_t>(entry.second, 128)
                                   : entry.second;
  for (auto &entry : signature.blocks)
    if (auto base = result.find(entry.second.first); base != result.end())
      result[entry.getKey()] = llvm::divideCeil(base->second, entry.second.second);
  return result;
}

namespace {

/// Asks the definition how it takes inputs of a plan.
class Prober {
public:
  Prober(Spec &spec, Program program, const SizeMap &sizes)
      : spec(spec), program(std::move(program)) {
    shape.sizes = sizes;
  }

  /// How badly the definition behaves: 1 or less is fine. The larger of the largest
  /// result over 1e6 and of the amplification of small relative changes over 300:
  /// from there on, float32 has no digits to spare.
  Expected<double> probe(const DrawPlan &plan) {
    constexpr double hopeless = 1e300, largest = 1e6, amplification = 300, change = 1e-7;
    Call call = drawCall(spec.getSignature(), shape, plan, /*givesStates=*/false, planSeed);
    Expected<CallResult> result = evaluate(call);
    if (!result)
      return result.takeError();
    double most = findLargest(*result);
    if (!std::isfinite(most) || most > 1e100)
      return hopeless;
    std::mt19937_64 random(8);
    std::normal_distribution<double> normal;
    for (auto &entry : call.inputs)
      if (isReal(entry.second.getType()))
        for (int64_t n = 0, count = entry.second.getCount(); n < count; ++n)
          entry.second.set(n, entry.second.get(n) * (1 + change * normal(random)));
    Expected<CallResult> changed = evaluate(call);
    if (!changed)
      return changed.takeError();
    double worst = most / largest;
    for (auto [group, changedGroup] : {std::pair(&result->outputs, &changed->outputs),
                                       std::pair(&result->states, &changed->states)})
      for (auto &entry : *group)
        worst = std::max(worst, getChange((*changedGroup)[entry.getKey()], entry.second) / change /
                                    amplification);
    return worst;
  }

private:
  Expected<CallResult> evaluate(const Call &call) {
    return evaluateCall(program.getMixer(), spec.getSignature(), call, ElementType::F64);
  }

  static double findLargest(const CallResult &result) {
    double most = 0;
    for (const TensorMap *group : {&result.outputs, &result.states})
      for (const auto &entry : *group)
        for (int64_t n = 0, count = entry.second.getCount(); n < count; ++n) {
          double x = std::abs(entry.second.get(n));
          most = std::isnan(x) ? x : std::max(most, x);
          if (std::isnan(most))
            return most;
        }
    return most;
  }

  static double getChange(const Tensor &changed, const Tensor &tensor) {
    double difference = 0, norm = 0;
    for (int64_t n = 0, count = tensor.getCount(); n < count; ++n) {
      double d = changed.get(n) - tensor.get(n);
      difference += d * d;
      norm += tensor.get(n) * tensor.get(n);
    }
    return difference == 0 ? 0 : std::sqrt(difference / std::max(norm, 1e-300));
  }

  Spec &spec;
  Program program;
  CallShape shape;
};

} // namespace

Expected<DrawPlan> mix::driver::planInputs(Spec &spec, const SizeMap &sizes,
                                           const llvm::StringMap<Distribution> &ranges) {
  Expected<Program> program = spec.build(sizes);
  if (!program)
    return program.takeError();
  Prober prober(spec, std::move(*program), sizes);
  DrawPlan best;
  best.inputs = ranges;
  Expected<double> badness = prober.probe(best);
  if (!badness)
    return badness.takeError();
  while (*badness > 1) {
    DrawPlan better;
    double betterBadness = *badness;
    for (const Argument &arg : spec.getSignature().inputs) {
      if (arg.isInteger || best.inputs.contains(arg.name))
        continue;
      for (auto kind : {Distribution::Unit, Distribution::Negative, Distribution::Small}) {
        DrawPlan plan = best;
        plan.inputs[arg.name].kind = kind;
        Expected<double> own = prober.probe(plan);
        if (!own)
          return own.takeError();
        if (*own < betterBadness) {
          better = std::move(plan);
          betterBadness = *own;
        }
      }
    }
    if (betterBadness == *badness)
      break;
    best = std::move(better);
    *badness = betterBadness;
  }
  best.isSane = *badness <= 1;
  return best;
}
