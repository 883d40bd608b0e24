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
#include "dialect/Evaluator.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// Shared pieces
//===----------------------------------------------------------------------===//

Shape mix::stridesAlong(ArrayRef<StringRef> axes, ArrayRef<StringRef> own,
                        ArrayRef<int64_t> strides) {
  Shape result;
  for (StringRef axis : axes) {
    auto it = llvm::find(own, axis);
    result.push_back(it == own.end() ? 0 : strides[it - own.begin()]);
  }
  return result;
}

Shape Evaluator::stridesAlong(ArrayRef<StringRef> axes, Value value) const {
  return mix::stridesAlong(axes, getAxes(value), get(value).strides);
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
      .Case([&](LargestOp op) { return evaluateLargest(op); })
      .Case([&](InitialOp op) { return evaluateInitial(op); })
      .Case([&](ForOp op) { return evaluateFor(op); })
      .Case([&](ForBlocksOp op) { return evaluateForBlocks(op); })
      .Case([&](AffineScanOp op) { return evaluateAffineScan(op); })
      .Case([&](StreamedReductionOp op) { return evaluateStreamedReduction(op); })
      .Case([&](AppendOp op) { return evaluateAppend(op); })
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
  Shape rest = mix::stridesAlong(axes, sourceAxes, sourceStrides);
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
// Step forms
//===----------------------------------------------------------------------===//

// result[p, rest..] = rows[p - position, rest..] for p >= position, else cache[p, rest..].
Expected<Tensors> Evaluator::evaluateAppend(AppendOp op) {
  const Tensor &cache = get(op.getCache()), &rows = get(op.getRows());
  int64_t dim = findAxis(op.getRows().getType(), op.getAxis());
  int64_t position = static_cast<int64_t>(get(op.getPosition()).value());
  if (position < 0 || position + rows.shape[dim] > cache.shape[dim])
    return errorAt(op, "appends rows [" + Twine(position) + ", " +
                           Twine(position + rows.shape[dim]) + ") to a cache of " +
                           Twine(cache.shape[dim]) + " rows");
  Tensor result = Tensor::make(cache.shape, cache.elements());
  forEachElement<2>(rows.shape, {rows.strides.data(), result.strides.data()}, [&](auto at) {
    result.data()[at[1] + position * result.strides[dim]] = rows.data()[at[0]];
  });
  return Tensors{result};
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

/// In a step form, binds the number of all tokens of the sequence. Yields the number of
/// those of earlier calls; of any other form 0.
static Expected<int64_t> bindHistory(func::FuncOp mixer, const llvm::StringMap<Array> &inputs,
                                     AxisSizes &sizes) {
  auto space = mixer->getAttrOfType<StringAttr>(kStepAttr);
  if (!space)
    return 0;
  for (BlockArgument argument : mixer.getArguments()) {
    DictionaryAttr attributes = mixer.getArgAttrDict(argument.getArgNumber());
    if (getName(attributes, kKindAttr) != "position")
      continue;
    int64_t position = inputs.find(getName(attributes, kNameAttr))->second.data.front();
    int64_t count = sizes.lookup(space.getValue()).value_or(0);
    if (Error error = sizes.bind(getHistorySpace(space.getValue()), position + count,
                                 "the position and the new tokens"))
      return std::move(error);
    return position;
  }
  return errorAt(mixer, "expects an argument of kind 'position'");
}

Expected<Evaluation> mix::evaluate(func::FuncOp mixer, const llvm::StringMap<Array> &inputs,
                                   const llvm::StringMap<Array> &states) {
  if (!mixer.getBody().hasOneBlock())
    return errorAt(mixer, "expects a body of one block");
  AxisSizes sizes;
  if (Error error = bindInputs(mixer, inputs, states, sizes))
    return error;
  Expected<int64_t> position = bindHistory(mixer, inputs, sizes);
  if (!position)
    return position.takeError();
  if (Error error = bindTypes(mixer, sizes))
    return error;

  // A step at position 0 starts a sequence, whatever the states hold.
  bool isStart = mixer->hasAttr(kStepAttr) && *position == 0;
  const llvm::StringMap<Array> none;
  Evaluator evaluator(sizes, isStart ? none : states);
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
    StringRef kind = getName(attributes, kKindAttr);
    bool isState = kind == "state" || kind == "cache";
    (isState ? result.states : result.outputs)[name] = std::move(array);
  }
  return result;
}

double mix::relativeError(const Array &actual, const Array &expected) {
  if (actual.shape != expected.shape)
    return INFINITY;
  double difference = 0.0, norm = 0.0;
  for (auto [x, y] : llvm::zip(actual.data, expected.data)) {
    if (x == y || (std::isnan(x) && std::isnan(y)))
      continue;
    if (!std::isfinite(x) || !std::isfinite(y))
      return INFINITY;
    difference += (x - y) * (x - y);
  }
  for (double y : expected.data)
    norm += std::isfinite(y) ? y * y : 0.0;
  return difference == 0.0 ? 0.0 : std::sqrt(difference / norm);
}
