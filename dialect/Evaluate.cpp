//===- Evaluate.cpp - The reference evaluator -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op of the mix dialect; docs/spec.md has the equations in the
// same order. Values are strided tensors; a walk over named axes takes the stride
// of each value along each axis, 0 along an axis that the value lacks.
//
//===----------------------------------------------------------------------===//

#include "dialect/Evaluate.h"
#include "dialect/EvaluateElementwise.h"
#include "dialect/EvaluateSizes.h"
#include "dialect/Mix.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {

using Axes = SmallVector<StringRef>;
using Tensors = SmallVector<Tensor, 1>;

/// Evaluates the ops of one function, whose sizes are bound.
class Evaluator {
public:
  Evaluator(const AxisSizes &sizes, const llvm::StringMap<Array> &states)
      : sizes(sizes), givenStates(states) {}

  void set(Value value, Tensor tensor) { values[value] = std::move(tensor); }
  const Tensor &get(Value value) const { return values.find(value)->second; }

  /// Evaluates an op and keeps its results.
  Error run(Operation *op);

private:
  Expected<Tensors> evaluateOp(Operation *op);

  // Axes and positions.
  Expected<Tensors> evaluateSize(SizeOp op);
  Expected<Tensors> evaluateIota(IotaOp op);
  Expected<Tensors> evaluateRead(ReadOp op);
  Expected<Tensors> evaluateBind(BindOp op);
  Expected<Tensors> evaluateBroadcast(BroadcastOp op);
  // Reductions.
  Expected<Tensors> evaluateReduce(ReduceOp op);
  Expected<Tensors> evaluateSoftmax(SoftmaxOp op);
  Expected<Tensors> evaluatePrefix(PrefixOp op);
  Expected<Tensors> evaluateTopK(TopKOp op);
  // Loops.
  Expected<Tensors> evaluateInitial(InitialOp op);
  Expected<Tensors> evaluateFor(ForOp op);
  // Normal forms.
  Expected<Tensors> evaluateAffineScan(AffineScanOp op);
  Expected<Tensors> evaluateStreamedReduction(StreamedReductionOp op);
  // Everything else.
  Expected<Tensors> evaluateElementwise(Operation *op);

  Shape getShape(ArrayRef<StringRef> axes) const;
  Shape getShape(Value value) const { return getShape(getAxes(value)); }
  Shape stridesAlong(ArrayRef<StringRef> axes, Value value) const;
  Tensor maxOverSources(OperandRange logits, OperandRange masks, ArrayRef<StringRef> common) const;

  const AxisSizes &sizes;
  const llvm::StringMap<Array> &givenStates;
  llvm::DenseMap<Value, Tensor> values;
};

} // namespace

//===----------------------------------------------------------------------===//
// Shared pieces
//===----------------------------------------------------------------------===//

static Axes toAxes(ArrayAttr array) {
  return llvm::map_to_vector(array.getAsValueRange<StringAttr>(), [](StringRef s) { return s; });
}

/// The axes of `all` that are not in `dropped`.
static Axes without(Axes all, ArrayRef<StringRef> dropped) {
  llvm::erase_if(all, [&](StringRef axis) { return llvm::is_contained(dropped, axis); });
  return all;
}

/// The strides along `axes` of a tensor over `own`; 0 along an axis it lacks.
static Shape stridesAlong(ArrayRef<StringRef> axes, ArrayRef<StringRef> own,
                          ArrayRef<int64_t> strides) {
  Shape result;
  for (StringRef axis : axes) {
    auto it = llvm::find(own, axis);
    result.push_back(it == own.end() ? 0 : strides[it - own.begin()]);
  }
  return result;
}

Shape Evaluator::stridesAlong(ArrayRef<StringRef> axes, Value value) const {
  return ::stridesAlong(axes, getAxes(value), get(value).strides);
}

/// Every axis of the function's types is bound before the evaluation starts.
Shape Evaluator::getShape(ArrayRef<StringRef> axes) const {
  return llvm::to_vector<4>(
      llvm::map_range(axes, [&](StringRef axis) { return sizes.lookup(axis).value_or(0); }));
}

Error Evaluator::run(Operation *op) {
  Expected<Tensors> results = evaluateOp(op);
  if (!results)
    return results.takeError();
  for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
    set(value, std::move(tensor));
  return Error::success();
}

Expected<Tensors> Evaluator::evaluateOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, Expected<Tensors>>(op)
      .Case([&](SizeOp op) { return evaluateSize(op); })
      .Case([&](IotaOp op) { return evaluateIota(op); })
      .Case([&](ReadOp op) { return evaluateRead(op); })
      .Case([&](BindOp op) { return evaluateBind(op); })
      .Case([&](BroadcastOp op) { return evaluateBroadcast(op); })
      .Case([&](ReduceOp op) { return evaluateReduce(op); })
      .Case([&](SoftmaxOp op) { return evaluateSoftmax(op); })
      .Case([&](PrefixOp op) { return evaluatePrefix(op); })
      .Case([&](TopKOp op) { return evaluateTopK(op); })
      .Case([&](InitialOp op) { return evaluateInitial(op); })
      .Case([&](ForOp op) { return evaluateFor(op); })
      .Case([&](AffineScanOp op) { return evaluateAffineScan(op); })
      .Case([&](StreamedReductionOp op) { return evaluateStreamedReduction(op); })
      .Default([&](Operation *op) { return evaluateElementwise(op); });
}

Expected<Tensors> Evaluator::evaluateElementwise(Operation *op) {
  if (isa<arith::ConstantOp>(op)) {
    Expected<Tensor> constant = getConstant(op);
    if (!constant)
      return constant.takeError();
    return Tensors{*constant};
  }
  SmallVector<Tensor> operands;
  for (Value operand : op->getOperands())
    operands.push_back(get(operand));
  Expected<Tensor> result = applyElementwise(op, operands);
  if (!result)
    return result.takeError();
  return Tensors{*result};
}

//===----------------------------------------------------------------------===//
// Axes and positions
//===----------------------------------------------------------------------===//

Expected<Tensors> Evaluator::evaluateSize(SizeOp op) {
  std::optional<int64_t> size = sizes.lookup(op.getAxis());
  if (!size)
    return errorAt(op, "no input has the axis '" + op.getAxis() + "'");
  return Tensors{Tensor::scalar(*size)};
}

Expected<Tensors> Evaluator::evaluateIota(IotaOp op) {
  Tensor result = Tensor::make(getShape(op.getResult()));
  for (int64_t i = 0; i < result.shape[0]; ++i)
    result.data()[i] = i;
  return Tensors{result};
}

// result[i.., rest..] = source[.., indices(i..), .., rest..], zero outside.
Expected<Tensors> Evaluator::evaluateRead(ReadOp op) {
  const Tensor &source = get(op.getSource());
  Axes axes = getAxes(op.getResult()), sourceAxes = getAxes(op.getSource());
  Axes indexed = toAxes(op.getAxes());
  Tensor result = Tensor::make(getShape(axes));

  // The part of the source's position that does not come from an index.
  Shape sourceStrides = source.strides;
  for (auto [axis, stride] : llvm::zip(sourceAxes, sourceStrides))
    if (llvm::is_contained(indexed, axis))
      stride = 0;
  Shape rest = ::stridesAlong(axes, sourceAxes, sourceStrides);
  std::vector<int64_t> offsets(countElements(result.shape));
  forEachElement<2>(result.shape, {result.strides.data(), rest.data()},
                    [&](auto at) { offsets[at[0]] = at[1]; });

  std::vector<bool> outside(offsets.size(), false);
  for (auto [axis, index] : llvm::zip(indexed, op.getIndices())) {
    int64_t dim = findAxis(op.getSource().getType(), axis);
    int64_t size = source.shape[dim], stride = source.strides[dim];
    const double *positions = get(index).data();
    Shape indexStrides = stridesAlong(axes, index);
    forEachElement<2>(result.shape, {result.strides.data(), indexStrides.data()}, [&](auto at) {
      double position = positions[at[1]];
      if (position >= 0 && position < size)
        offsets[at[0]] += static_cast<int64_t>(position) * stride;
      else
        outside[at[0]] = true;
    });
  }
  for (size_t n = 0; n < offsets.size(); ++n)
    result.data()[n] = outside[n] ? 0.0 : source.data()[offsets[n]];
  return Tensors{result};
}

Expected<Tensors> Evaluator::evaluateBind(BindOp op) { return Tensors{get(op.getSource())}; }

Expected<Tensors> Evaluator::evaluateBroadcast(BroadcastOp op) {
  Axes axes = getAxes(op.getResult());
  return Tensors{{getShape(axes), stridesAlong(axes, op.getSource()), get(op.getSource()).buffer}};
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

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

  Shape resultStrides = ::stridesAlong(axes, rest, result.strides);
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
    Shape maxStrides = ::stridesAlong(axes, common, max.strides);
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
    Shape commonStrides = ::stridesAlong(axes, common, max.strides);
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
  for (auto [logit, weight] : llvm::zip(op.getLogits(), weights)) {
    Shape commonStrides = ::stridesAlong(getAxes(logit), common, max.strides);
    forEachElement<2>(weight.shape, {weight.strides.data(), commonStrides.data()}, [&](auto at) {
      double l = sum.data()[at[1]];
      weight.data()[at[0]] = l == 0.0 ? 0.0 : weight.data()[at[0]] / l;
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
  Shape sourceStrides = ::stridesAlong(rest, axes, source.strides);
  Shape resultStrides = ::stridesAlong(rest, axes, result.strides);
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

// True at the n largest scores along the axis where mask; ties go to the lower position.
Expected<Tensors> Evaluator::evaluateTopK(TopKOp op) {
  Axes axes = getAxes(op.getScore());
  Axes rest = without(axes, {op.getAxis()});
  const Tensor &score = get(op.getScore()), &mask = get(op.getMask());
  Tensor result = Tensor::make(score.shape);
  auto stepOf = [&](const Tensor &tensor, Value value) {
    return tensor.strides[findAxis(value.getType(), op.getAxis())];
  };
  int64_t scoreStep = stepOf(score, op.getScore()), maskStep = stepOf(mask, op.getMask());
  int64_t resultStep = stepOf(result, op.getScore());
  int64_t size = score.shape[findAxis(op.getScore().getType(), op.getAxis())];
  Shape scoreStrides = stridesAlong(rest, op.getScore());
  Shape maskStrides = stridesAlong(rest, op.getMask());
  Shape resultStrides = ::stridesAlong(rest, axes, result.strides);
  forEachElement<3>(getShape(rest), {scoreStrides.data(), maskStrides.data(), resultStrides.data()},
                    [&](auto at) {
                      std::vector<int64_t> candidates;
                      for (int64_t i = 0; i < size; ++i)
                        if (mask.data()[at[1] + i * maskStep] != 0.0)
                          candidates.push_back(i);
                      llvm::stable_sort(candidates, [&](int64_t i, int64_t j) {
                        return score.data()[at[0] + i * scoreStep] >
                               score.data()[at[0] + j * scoreStep];
                      });
                      if ((int64_t)candidates.size() > (int64_t)op.getN())
                        candidates.resize(op.getN());
                      for (int64_t i : candidates)
                        result.data()[at[2] + i * resultStep] = 1.0;
                    });
  return Tensors{result};
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

Expected<Tensors> Evaluator::evaluateInitial(InitialOp op) {
  auto it = givenStates.find(op.getName());
  if (it == givenStates.end())
    return Tensors{get(op.getSource())};
  return Tensors{Tensor::make(it->second.shape, it->second.data)};
}

/// The ops of a loop body whose results may change from one position to the next.
/// The others are evaluated at the first position only.
static SmallVector<Operation *> getVaryingOps(Block &body) {
  SmallVector<Operation *> varying;
  llvm::DenseSet<Value> changing(body.args_begin(), body.args_end());
  for (Operation &op : body.without_terminator()) {
    bool changes = op.getNumRegions() > 0 || llvm::any_of(op.getOperands(), [&](Value operand) {
                     return changing.contains(operand);
                   });
    if (!changes)
      continue;
    varying.push_back(&op);
    changing.insert(op.result_begin(), op.result_end());
  }
  return varying;
}

Expected<Tensors> Evaluator::evaluateFor(ForOp op) {
  Block &body = op.getBody().front();
  unsigned numStates = op.getNumStates();
  Tensors states, outputs;
  for (Value init : op.getInits())
    states.push_back(get(init));
  for (Value output : op.getOutputs())
    outputs.push_back(Tensor::make(getShape(output)));
  if (!sizes.lookup(op.getSpace()))
    return errorAt(op, "no input has the axis '" + op.getSpace() + "'");

  SmallVector<Operation *> varying = getVaryingOps(body);
  auto all = llvm::make_pointer_range(body.without_terminator());
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  for (int64_t t = 0, size = *sizes.lookup(op.getSpace()); t < size; ++t) {
    set(op.getPosition(), Tensor::scalar(t));
    for (unsigned n = 0; n < numStates; ++n)
      set(op.getState(n), states[n]);
    if (op.getBlock() && t % *op.getBlock() == 0)
      for (unsigned n = 0; n < numStates; ++n)
        set(op.getFrozen(n), states[n]);
    for (Operation *inner : t == 0 ? llvm::to_vector(all) : varying)
      if (Error error = run(inner))
        return error;
    for (unsigned n = 0; n < numStates; ++n)
      states[n] = get(yielded[n]);
    for (auto [value, output] : llvm::zip(yielded.drop_front(numStates), outputs)) {
      std::vector<double> row = get(value).elements();
      llvm::copy(row, output.data() + t * row.size());
    }
  }
  llvm::append_range(states, outputs);
  return states;
}

//===----------------------------------------------------------------------===//
// Normal forms
//===----------------------------------------------------------------------===//

Expected<Tensors> Evaluator::evaluateAffineScan(AffineScanOp op) {
  Axes stateAxes = getAxes(op.getInit());
  Axes free = without(stateAxes, toAxes(op.getContracted()));
  Shape stateShape = getShape(stateAxes), freeShape = getShape(free);
  Shape alongState = contiguousStrides(stateShape);
  Shape freeStrides = contiguousStrides(freeShape);
  Shape freeAlongState = ::stridesAlong(stateAxes, free, freeStrides);

  std::vector<double> state = get(op.getInit()).elements();
  Tensors outputs;
  for (Value output : op.getOutputs())
    outputs.push_back(Tensor::make(getShape(output)));

  /// Where the elements of a per-token operand of token `t` start.
  auto atToken = [&](Value operand, int64_t t) {
    return get(operand).data() + t * stridesAlong({op.getAxis()}, operand)[0];
  };
  // sum over X of factor[t] * S, over the axes Y.
  auto contract = [&](Value factor, int64_t t, double *result) {
    const double *x = atToken(factor, t);
    Shape strides = stridesAlong(stateAxes, factor);
    forEachElement<3>(stateShape, {alongState.data(), strides.data(), freeAlongState.data()},
                      [&](auto at) { result[at[2]] += x[at[1]] * state[at[0]]; });
  };
  // sum[y..] += operand[t, y..] * factor[y..]
  auto accumulate = [&](Value operand, int64_t t, const std::vector<double> *factor, double *sum) {
    const double *x = atToken(operand, t);
    Shape strides = stridesAlong(free, operand);
    forEachElement<2>(freeShape, {freeStrides.data(), strides.data()},
                      [&](auto at) { sum[at[0]] += x[at[1]] * (factor ? (*factor)[at[0]] : 1.0); });
  };

  int64_t numFree = countElements(freeShape);
  using Vector = std::vector<double>;
  for (int64_t t = 0, size = sizes.lookup(op.getAxis()).value_or(0); t < size; ++t) {
    auto query = [&](bool after) {
      for (auto [factor, flag, output] : llvm::zip(op.getQueries(), op.getAfter(), outputs))
        if (flag == after)
          contract(factor, t, output.data() + t * numFree);
    };
    query(/*after=*/false);
    // r_p = sum over X of reads_p[t] * S
    std::vector<Vector> reads(op.getReads().size(), Vector(numFree, 0.0));
    for (auto [read, r] : llvm::zip(op.getReads(), reads))
      contract(read, t, r.data());
    // y_m = values_m[t] + sum over p of coef_(m,p)[t] * r_p
    std::vector<Vector> updates(op.getLefts().size(), Vector(numFree, 0.0));
    for (auto [value, y] : llvm::zip(op.getValues(), updates))
      accumulate(value, t, nullptr, y.data());
    for (auto [coef, row, col] : llvm::zip(op.getCoefs(), op.getCoefRows(), op.getCoefCols()))
      accumulate(coef, t, &reads[col], updates[row].data());
    // S' = decay[t] * S + sum over m of lefts_m[t] * y_m
    if (op.getDecay()) {
      const double *decay = atToken(op.getDecay(), t);
      Shape strides = stridesAlong(stateAxes, op.getDecay());
      forEachElement<2>(stateShape, {alongState.data(), strides.data()},
                        [&](auto at) { state[at[0]] *= decay[at[1]]; });
    }
    for (auto [leftValue, y] : llvm::zip(op.getLefts(), updates)) {
      const double *left = atToken(leftValue, t);
      Shape strides = stridesAlong(stateAxes, leftValue);
      forEachElement<3>(stateShape, {alongState.data(), strides.data(), freeAlongState.data()},
                        [&](auto at) { state[at[0]] += left[at[1]] * y[at[2]]; });
    }
    query(/*after=*/true);
  }
  Tensors results = {Tensor::make(stateShape, std::move(state))};
  llvm::append_range(results, outputs);
  return results;
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
    Shape maxStrides = ::stridesAlong(axes, common, max.strides);
    Shape sumStrides = ::stridesAlong(axes, getAxes(sumValue), sum.strides);
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

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static StringRef getName(DictionaryAttr attributes, StringRef name) {
  auto text = attributes ? attributes.getAs<StringAttr>(name) : StringAttr();
  return text ? text.getValue() : StringRef();
}

/// Binds the static sizes of all types and checks that every axis is bound.
static Error bindTypes(func::FuncOp mixer, AxisSizes &sizes) {
  SmallVector<std::pair<Operation *, Value>> values;
  mixer.walk([&](Operation *op) {
    for (Value result : op->getResults())
      values.push_back({op, result});
    for (Region &region : op->getRegions())
      for (Value argument : region.getArguments())
        values.push_back({op, argument});
  });
  for (auto [op, value] : values) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor || (int64_t)getAxes(value).size() != tensor.getRank())
      return errorAt(op, "expects tensors over named axes");
    for (auto [axis, size] : llvm::zip(getAxes(value), tensor.getShape()))
      if (!ShapedType::isDynamic(size))
        if (Error error = sizes.bind(axis, size, "the type of a value"))
          return error;
  }
  if (Error error = sizes.bindBlocks(mixer))
    return error;
  for (auto [op, value] : values)
    for (StringRef axis : getAxes(value))
      if (!sizes.lookup(axis))
        return errorAt(op, "no input has the axis '" + axis + "'");
  return Error::success();
}

/// Checks the inputs and the given states, and binds their sizes.
static Error bindInputs(func::FuncOp mixer, const llvm::StringMap<Array> &inputs,
                        const llvm::StringMap<Array> &states, AxisSizes &sizes) {
  llvm::StringMap<bool> known;
  for (BlockArgument argument : mixer.getArguments()) {
    StringRef name = getName(mixer.getArgAttrDict(argument.getArgNumber()), kNameAttr);
    if (name.empty())
      return errorAt(mixer, "expects a '" + Twine(kNameAttr) + "' on every argument");
    auto it = inputs.find(name);
    if (it == inputs.end())
      return errorAt(mixer, "the input '" + name + "' is missing");
    if (Error error = sizes.bindArray(name, getAxes(argument), it->second))
      return error;
    known[name] = true;
  }
  for (const auto &entry : inputs)
    if (!known.contains(entry.getKey()))
      return errorAt(mixer, "has no input '" + entry.getKey() + "'");

  known.clear();
  SmallVector<InitialOp> initials;
  mixer.walk([&](InitialOp op) { initials.push_back(op); });
  for (InitialOp op : initials) {
    known[op.getName()] = true;
    if (auto it = states.find(op.getName()); it != states.end())
      if (Error error = sizes.bindArray(op.getName(), getAxes(op.getResult()), it->second))
        return error;
  }
  for (const auto &entry : states)
    if (!known.contains(entry.getKey()))
      return errorAt(mixer, "has no state '" + entry.getKey() + "'");
  return Error::success();
}

Expected<Evaluation> mix::evaluate(func::FuncOp mixer, const llvm::StringMap<Array> &inputs,
                                   const llvm::StringMap<Array> &states) {
  if (!mixer.getBody().hasOneBlock())
    return errorAt(mixer, "expects a body of one block");
  AxisSizes sizes;
  if (Error error = bindInputs(mixer, inputs, states, sizes))
    return error;
  if (Error error = bindTypes(mixer, sizes))
    return error;

  Evaluator evaluator(sizes, states);
  for (BlockArgument argument : mixer.getArguments()) {
    StringRef name = getName(mixer.getArgAttrDict(argument.getArgNumber()), kNameAttr);
    const Array &input = inputs.find(name)->second;
    evaluator.set(argument, Tensor::make(input.shape, input.data));
  }
  Block &body = mixer.getBody().front();
  for (Operation &op : body.without_terminator())
    if (Error error = evaluator.run(&op))
      return error;

  Evaluation result;
  for (OpOperand &operand : body.getTerminator()->getOpOperands()) {
    DictionaryAttr attributes = mixer.getResultAttrDict(operand.getOperandNumber());
    StringRef name = getName(attributes, kNameAttr);
    if (name.empty())
      return errorAt(mixer, "expects a '" + Twine(kNameAttr) + "' on every result");
    const Tensor &tensor = evaluator.get(operand.get());
    Array array;
    for (StringRef axis : getAxes(operand.get()))
      array.axes.push_back(axis.str());
    array.shape.assign(tensor.shape.begin(), tensor.shape.end());
    array.data = tensor.elements();
    bool isState = getName(attributes, kKindAttr) == "state";
    (isState ? result.states : result.outputs)[name] = std::move(array);
  }
  return result;
}
