//===- Steps.cpp - A sequence in steps --------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Steps.h"
#include "dialect/EvaluateTile.h"
#include "dialect/Mix.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

static constexpr int64_t kFewTokens = 4;

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

static StringRef getText(DictionaryAttr attributes, StringRef name) {
  auto text = attributes ? attributes.getAs<StringAttr>(name) : StringAttr();
  return text ? text.getValue() : StringRef();
}

/// The axes and sizes of an argument: of a tensor over named axes, or of a view.
static Array getShape(Type type, DictionaryAttr attributes) {
  Array array;
  auto shaped = cast<ShapedType>(type);
  for (int64_t size : shaped.getShape())
    array.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  for (StringRef axis : getAxes(type))
    array.axes.push_back(axis.str());
  if (auto axes = attributes.getAs<ArrayAttr>("mix.axes"))
    for (StringRef axis : axes.getAsValueRange<StringAttr>())
      array.axes.push_back(axis.str());
  return array;
}

std::optional<StepSignature> mix::getStepSignature(ModuleOp module, StringRef mixer) {
  SmallVector<func::FuncOp> phases = getPhases(module, mixer);
  auto function = phases.empty() ? module.lookupSymbol<func::FuncOp>(mixer) : phases.front();
  auto space = function ? function->getAttrOfType<StringAttr>(kStepAttr) : StringAttr();
  if (!space)
    return std::nullopt;
  auto form = function->getAttrOfType<StringAttr>("tile.form");
  bool isPrefill = form && form.getValue() == "prefill";
  StepSignature signature{space.str(), "", isPrefill ? 100 : kFewTokens, {}};
  for (auto [n, type] : llvm::enumerate(function.getArgumentTypes())) {
    DictionaryAttr attributes = function.getArgAttrDict(n);
    StringRef kind = getText(attributes, kKindAttr), name = getText(attributes, kNameAttr);
    if (kind == "position")
      signature.position = name.str();
    else if (kind == "cache")
      signature.caches[name] = getShape(type, attributes);
  }
  return signature;
}

//===----------------------------------------------------------------------===//
// Slices of sequences
//===----------------------------------------------------------------------===//

/// The number of elements before and after the axis; the axis need not be there.
static std::pair<int64_t, int64_t> getStrides(const Array &array, StringRef axis) {
  int64_t dim = llvm::find(array.axes, axis) - array.axes.begin(), outer = 1, inner = 1;
  for (auto [n, size] : llvm::enumerate(array.shape))
    ((int64_t)n < dim ? outer : (int64_t)n > dim ? inner : dim) *= (int64_t)n == dim ? 1 : size;
  return {outer, inner};
}

/// Positions [start, start + count) of the axis; all of an array that lacks it.
static Array slice(const Array &array, StringRef axis, int64_t start, int64_t count) {
  auto it = llvm::find(array.axes, axis);
  if (it == array.axes.end())
    return array;
  Array result{array.axes, array.shape, {}};
  int64_t dim = it - array.axes.begin(), size = array.shape[dim];
  result.shape[dim] = count;
  auto [outer, inner] = getStrides(array, axis);
  for (int64_t n = 0; n < outer; ++n)
    result.data.insert(result.data.end(), array.data.begin() + (n * size + start) * inner,
                       array.data.begin() + (n * size + start + count) * inner);
  return result;
}

/// The array with `count` positions of the axis; new ones are NaN.
static Array extend(const Array &array, StringRef axis, int64_t count) {
  Array result{array.axes, array.shape, {}};
  int64_t dim = llvm::find(array.axes, axis) - array.axes.begin(), size = array.shape[dim];
  result.shape[dim] = count;
  auto [outer, inner] = getStrides(array, axis);
  for (int64_t n = 0; n < outer; ++n) {
    result.data.insert(result.data.end(), array.data.begin() + n * size * inner,
                       array.data.begin() + (n + 1) * size * inner);
    result.data.resize(result.data.size() + (count - size) * inner, NAN);
  }
  return result;
}

/// Appends `part` to `whole` along the axis; without the axis the last part counts.
static void append(Array &whole, const Array &part, StringRef axis) {
  auto it = llvm::find(part.axes, axis);
  if (whole.axes.empty() || it == part.axes.end()) {
    whole = part;
    return;
  }
  int64_t dim = it - part.axes.begin(), before = whole.shape[dim], count = part.shape[dim];
  auto [outer, inner] = getStrides(part, axis);
  std::vector<double> data;
  for (int64_t n = 0; n < outer; ++n) {
    data.insert(data.end(), whole.data.begin() + n * before * inner,
                whole.data.begin() + (n + 1) * before * inner);
    data.insert(data.end(), part.data.begin() + n * count * inner,
                part.data.begin() + (n + 1) * count * inner);
  }
  whole.shape[dim] = before + count;
  whole.data = std::move(data);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Expected<Evaluation> mix::evaluateInSteps(const StepSignature &signature,
                                          const llvm::StringMap<Array> &inputs, uint64_t seed,
                                          const StepFn &step) {
  std::string all = getHistorySpace(signature.space);
  llvm::StringMap<int64_t> sizes;
  for (const auto &entry : inputs)
    for (auto [axis, size] : llvm::zip(entry.getValue().axes, entry.getValue().shape))
      sizes[axis] = size;
  int64_t total = sizes.lookup(signature.space);
  std::mt19937_64 engine(seed);
  llvm::StringMap<Array> kept;
  for (const auto &entry : signature.caches) {
    Array &cache = kept[entry.getKey()] = entry.getValue();
    for (auto [axis, size] : llvm::zip(cache.axes, cache.shape))
      size = axis == all ? 0 : size < 0 ? sizes.lookup(axis) : size;
  }
  Evaluation result;
  int64_t position = 0;
  do {
    int64_t most = engine() % 2 ? signature.mostTokens : kFewTokens;
    int64_t count = std::min<int64_t>(total - position, 1 + engine() % most);
    llvm::StringMap<Array> given, states;
    for (const auto &entry : inputs)
      given[entry.getKey()] = slice(entry.getValue(), signature.space, position, count);
    given[signature.position] = Array{{}, {}, {static_cast<double>(position)}};
    for (const auto &entry : kept) {
      bool isCache = signature.caches.contains(entry.getKey());
      (isCache ? given : states)[entry.getKey()] =
          isCache ? extend(entry.getValue(), all, position + count) : entry.getValue();
    }
    Expected<Evaluation> evaluation = step(given, states);
    if (!evaluation)
      return evaluation.takeError();
    for (const auto &entry : evaluation->outputs)
      append(result.outputs[entry.getKey()], entry.getValue(), signature.space);
    kept = std::move(evaluation->states);
    position += count;
  } while (position < total);
  for (const auto &entry : kept)
    if (!signature.caches.contains(entry.getKey()))
      result.states[entry.getKey()] = entry.getValue();
  return result;
}
