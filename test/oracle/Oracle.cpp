//===- Oracle.cpp - The table of oracles and their random inputs ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"
#include <cmath>
#include <functional>
#include <random>

using namespace oracle;

const std::vector<Mixer> &oracle::mixers() {
  static const std::vector<Mixer> all = [] {
    std::vector<Mixer> result;
    for (const auto &list : {attentionMixers(), matrixStateMixers(), scanMixers()})
      result.insert(result.end(), list.begin(), list.end());
    return result;
  }();
  return all;
}

static Tensor zeros(const Argument &argument, const std::map<std::string, int64_t> &sizes) {
  Tensor tensor;
  size_t count = 1;
  for (const std::string &axis : argument.axes) {
    tensor.shape.push_back(sizes.at(axis));
    count *= sizes.at(axis);
  }
  tensor.data.assign(count, 0.0);
  return tensor;
}

/// Scales every row along the last axis to length 1.
static void normaliseRows(Tensor &tensor) {
  int64_t width = tensor.shape.empty() ? 1 : tensor.shape.back();
  for (size_t start = 0; start + width <= tensor.data.size() && width > 0; start += width) {
    double square = 0.0;
    for (int64_t n = 0; n < width; ++n)
      square += tensor.data[start + n] * tensor.data[start + n];
    for (int64_t n = 0; n < width; ++n)
      tensor.data[start + n] /= std::sqrt(square);
  }
}

static Tensor drawTensor(const Argument &argument, const std::map<std::string, int64_t> &sizes,
                         uint64_t seed) {
  Tensor tensor = zeros(argument, sizes);
  std::mt19937_64 engine(seed ^ std::hash<std::string>()(argument.name));
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  double document = 0.0;
  for (double &x : tensor.data)
    switch (argument.draw) {
    case Draw::Normal:
    case Draw::Unit:
      x = normal(engine);
      break;
    case Draw::LogDecay:
      x = -2.0 * uniform(engine);
      break;
    case Draw::Fraction:
      x = uniform(engine);
      break;
    case Draw::Positive:
      x = 0.1 + 0.9 * uniform(engine);
      break;
    case Draw::Document:
      x = document;
      document += uniform(engine) < 0.2 ? 1.0 : 0.0;
      break;
    }
  if (argument.draw == Draw::Unit)
    normaliseRows(tensor);
  return tensor;
}

Call oracle::draw(const Mixer &mixer, const std::map<std::string, int64_t> &given, bool givesStates,
                  uint64_t seed) {
  Call call;
  call.sizes = given;
  for (const auto &[axis, size] : mixer.sizes)
    call.sizes[axis] = size;
  const std::map<std::string, int64_t> &sizes = call.sizes;
  for (const Argument &input : mixer.inputs)
    call.inputs[input.name] = drawTensor(input, sizes, seed);
  for (const Argument &output : mixer.outputs)
    call.outputs[output.name] = zeros(output, sizes);
  for (const Argument &state : mixer.states) {
    Tensor &tensor = call.states[state.name] = drawTensor(state, sizes, seed + 1);
    if (!givesStates && state.initialInput)
      tensor = call.in(state.initialInput);
    else if (!givesStates)
      tensor.data.assign(tensor.data.size(), state.initial);
  }
  return call;
}
