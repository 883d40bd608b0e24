//===- EvaluateReductions.cpp - Reductions of the reference evaluator -------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Evaluator.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The largest and smallest values of an element type: booleans, integers, reals.
static std::pair<double, double> getLimits(Type element) {
  if (element.isInteger(1))
    return {0.0, 1.0};
  if (element.isInteger())
    return {-0x1p63, 0x1p63};
  return {-kInfinity, kInfinity};
}

static double getIdentity(ReduceKind kind, Type element) {
  switch (kind) {
  case ReduceKind::Sum:
    return 0.0;
  case ReduceKind::Prod:
    return 1.0;
  case ReduceKind::Max:
    return getLimits(element).first;
  case ReduceKind::Min:
    return getLimits(element).second;
  }
  return NAN;
}

static double combine(ReduceKind kind, double x, double y) {
  if (std::isnan(x) || std::isnan(y))
    return NAN;
  switch (kind) {
  case ReduceKind::Sum:
    return x + y;
  case ReduceKind::Prod:
    return x * y;
  case ReduceKind::Max:
    return std::fmax(x, y);
  case ReduceKind::Min:
    return std::fmin(x, y);
  }
  return NAN;
}

// result[rest..] = kind over axes of source[.., rest..] where mask.
Expected<Tensors> Evaluator::evaluateReduce(ReduceOp op) {
  Axes axes = getAxes(op.getSource());
  Axes rest = getAxes(op.getResult());
  ReduceKind kind = op.getKind();
  Tensor result =
      Tensor::make(getShape(rest), getIdentity(kind, getElementTypeOrSelf(op.getResult())));
  Tensor mask = op.getMask() ? get(op.getMask()) : Tensor::scalar(1.0);

  Shape resultStrides = mix::stridesAlong(axes, rest, result.strides);
  Shape maskStrides = op.getMask() ? stridesAlong(axes, op.getMask()) : Shape(axes.size(), 0);
  const Tensor &source = get(op.getSource());
  forEachElement<3>(source.shape, {source.strides.data(), resultStrides.data(), maskStrides.data()},
                    [&](auto at) {
                      double &out = result.data()[at[1]];
                      if (mask.data()[at[2]] != 0.0)
                        out = combine(kind, out, source.data()[at[0]]);
                    });
  return Tensors{result};
}

/// M[common..] = max over all sources, their reduced axes and masks of logits.
Tensor Evaluator::maxOverSources(OperandRange logits, OperandRange masks,
                                 ArrayRef<StringRef> common) const {
  Tensor max = Tensor::make(getShape(common), -kInfinity);
  for (auto [logit, mask] : llvm::zip(logits, masks)) {
    Axes axes = getAxes(logit);
    Shape maxStrides = mix::stridesAlong(axes, common, max.strides);
    Shape maskStrides = stridesAlong(axes, mask);
    const Tensor &source = get(logit);
    const double *where = get(mask).data();
    forEachElement<3>(source.shape, {source.strides.data(), maxStrides.data(), maskStrides.data()},
                      [&](auto at) {
                        double &out = max.data()[at[1]];
                        if (where[at[2]] != 0.0)
                          out = std::fmax(out, source.data()[at[0]]);
                      });
  }
  return max;
}

/// exp(logit - max), where the maximum of nothing gives 0.
static double stabilisedExp(double logit, double max) {
  return max == -kInfinity ? 0.0 : std::exp(logit - max);
}

// l = sum over n and axes[n] of mask_n exp(logits_n); result_n = mask_n exp(logits_n) / l.
Expected<Tensors> Evaluator::evaluateSoftmax(SoftmaxOp op) {
  Axes common = without(getAxes(op.getLogits().front()), toAxes(cast<ArrayAttr>(op.getAxes()[0])));
  Tensor max = maxOverSources(op.getLogits(), op.getMasks(), common);
  Tensor sum = Tensor::make(max.shape);
  Tensors weights;
  for (auto [logit, mask] : llvm::zip(op.getLogits(), op.getMasks())) {
    Axes axes = getAxes(logit);
    Tensor weight = Tensor::make(getShape(axes));
    Shape commonStrides = mix::stridesAlong(axes, common, max.strides);
    Shape maskStrides = stridesAlong(axes, mask);
    const Tensor &source = get(logit);
    const double *where = get(mask).data();
    forEachElement<4>(
        source.shape,
        {source.strides.data(), commonStrides.data(), maskStrides.data(), weight.strides.data()},
        [&](auto at) {
          if (where[at[2]] == 0.0)
            return;
          double w = stabilisedExp(source.data()[at[0]], max.data()[at[1]]);
          weight.data()[at[3]] = w;
          sum.data()[at[1]] += w;
        });
    weights.push_back(weight);
  }
  for (auto [logit, tensor] : llvm::zip(op.getLogits(), weights)) {
    Shape commonStrides = mix::stridesAlong(getAxes(logit), common, max.strides);
    double *weight = tensor.data();
    forEachElement<2>(tensor.shape, {tensor.strides.data(), commonStrides.data()}, [&](auto at) {
      double l = sum.data()[at[1]];
      weight[at[0]] = l == 0.0 ? 0.0 : weight[at[0]] / l;
    });
  }
  return weights;
}

static double combine(PrefixKind kind, double x, double y) {
  switch (kind) {
  case PrefixKind::Sum:
    return combine(ReduceKind::Sum, x, y);
  case PrefixKind::Prod:
    return combine(ReduceKind::Prod, x, y);
  case PrefixKind::Max:
    return combine(ReduceKind::Max, x, y);
  case PrefixKind::Min:
    return combine(ReduceKind::Min, x, y);
  case PrefixKind::LogSumExp: {
    double max = combine(ReduceKind::Max, x, y);
    return std::isinf(max) ? max : max + std::log(std::exp(x - max) + std::exp(y - max));
  }
  }
  return NAN;
}

// result[t] = kind over s <= t of source[s].
Expected<Tensors> Evaluator::evaluatePrefix(PrefixOp op) {
  const Tensor &source = get(op.getSource());
  Tensor result = Tensor::make(source.shape);
  Axes axes = getAxes(op.getSource());
  Axes rest = without(axes, {op.getAxis()});
  Shape sourceStrides = mix::stridesAlong(rest, axes, source.strides);
  Shape resultStrides = mix::stridesAlong(rest, axes, result.strides);
  int64_t dim = findAxis(op.getSource().getType(), op.getAxis());
  int64_t sourceStep = source.strides[dim], resultStep = result.strides[dim];
  for (int64_t t = 0; t < source.shape[dim]; ++t)
    forEachElement<2>(getShape(rest), {sourceStrides.data(), resultStrides.data()},
                      [&](auto at) {
                        double x = source.data()[at[0]];
                        double *out = result.data() + at[1];
                        *out = t == 0 ? x : combine(op.getKind(), out[-resultStep], x);
                      },
                      {t * sourceStep, t * resultStep});
  return Tensors{result};
}

/// One row of scores along an axis, with its mask.
struct mix::ScoreRow {
  const double *score, *mask;
  int64_t scoreStep, maskStep, size;

  /// The positions of the n largest where mask, the largest first; ties go to the lower
  /// position. -inf and what is not a number are never chosen.
  std::vector<int64_t> getLargest(int64_t n) const {
    std::vector<int64_t> positions;
    for (int64_t i = 0; i < size; ++i)
      if (mask[i * maskStep] != 0.0 && score[i * scoreStep] > -kInfinity)
        positions.push_back(i);
    llvm::sort(positions, [&](int64_t i, int64_t j) {
      double x = score[i * scoreStep], y = score[j * scoreStep];
      return x > y || (x == y && i < j);
    });
    positions.resize(std::min<int64_t>(positions.size(), n));
    return positions;
  }
};

/// Calls `fn(row, offset)` for every row of scores along the axis; `offset` is where the row
/// starts in a tensor with the strides `result` along the other axes.
template <typename Op>
void Evaluator::forEachScoreRow(Op op, ArrayRef<int64_t> result,
                                llvm::function_ref<void(const ScoreRow &, int64_t)> fn) {
  Axes rest = without(getAxes(op.getScore()), {op.getAxis()});
  const Tensor &score = get(op.getScore()), &mask = get(op.getMask());
  int64_t dim = findAxis(op.getScore().getType(), op.getAxis());
  int64_t maskDim = findAxis(op.getMask().getType(), op.getAxis());
  Shape scoreStrides = stridesAlong(rest, op.getScore());
  Shape maskStrides = stridesAlong(rest, op.getMask());
  forEachElement<3>(getShape(rest), {scoreStrides.data(), maskStrides.data(), result.data()},
                    [&](auto at) {
                      fn({score.data() + at[0], mask.data() + at[1], score.strides[dim],
                          mask.strides[maskDim], score.shape[dim]},
                         at[2]);
                    });
}

// True at the n largest scores along the axis where mask.
Expected<Tensors> Evaluator::evaluateTopK(TopKOp op) {
  Axes axes = getAxes(op.getScore());
  Tensor result = Tensor::make(get(op.getScore()).shape);
  int64_t step = result.strides[findAxis(op.getScore().getType(), op.getAxis())];
  Shape strides = mix::stridesAlong(without(axes, {op.getAxis()}), axes, result.strides);
  forEachScoreRow(op, strides, [&](const ScoreRow &row, int64_t offset) {
    for (int64_t i : row.getLargest(op.getN()))
      result.data()[offset + i * step] = 1.0;
  });
  return Tensors{result};
}

// The positions of the n largest scores along the axis where mask; -1 where there are fewer.
Expected<Tensors> Evaluator::evaluateLargest(LargestOp op) {
  Axes rest = without(getAxes(op.getScore()), {op.getAxis()});
  Shape shape = getShape(rest);
  shape.push_back(op.getN());
  Tensor result = Tensor::make(shape, -1.0);
  forEachScoreRow(op, ArrayRef(result.strides).drop_back(),
                  [&](const ScoreRow &row, int64_t offset) {
                    std::vector<int64_t> largest = row.getLargest(op.getN());
                    for (auto [n, position] : llvm::enumerate(largest))
                      result.data()[offset + n] = position;
                  });
  return Tensors{result};
}

// sum_k = sum over axes[n] of mask_n exp(logits_n - M) values_k, n = source_of[k].
Expected<Tensors> Evaluator::evaluateStreamedReduction(StreamedReductionOp op) {
  Axes common = getAxes(op.getMax());
  Tensors results = {maxOverSources(op.getLogits(), op.getMasks(), common)};
  Tensor max = results.front();
  for (auto [value, source, sumValue] : llvm::zip(op.getValues(), op.getSourceOf(), op.getSums())) {
    Value logit = op.getLogits()[source], mask = op.getMasks()[source];
    // The value's own feature axes come after the axes of the logits.
    Axes axes = getAxes(logit);
    llvm::append_range(axes, without(getAxes(value), axes));
    Tensor sum = Tensor::make(getShape(sumValue));
    Shape logitStrides = stridesAlong(axes, logit), maskStrides = stridesAlong(axes, mask);
    Shape valueStrides = stridesAlong(axes, value);
    Shape maxStrides = mix::stridesAlong(axes, common, max.strides);
    Shape sumStrides = mix::stridesAlong(axes, getAxes(sumValue), sum.strides);
    const double *s = get(logit).data(), *where = get(mask).data(), *v = get(value).data();
    forEachElement<5>(getShape(axes),
                      {logitStrides.data(), maskStrides.data(), valueStrides.data(),
                       maxStrides.data(), sumStrides.data()},
                      [&](auto at) {
                        if (where[at[1]] != 0.0)
                          sum.data()[at[4]] +=
                              stabilisedExp(s[at[0]], max.data()[at[3]]) * v[at[2]];
                      });
    results.push_back(sum);
  }
  return results;
}
