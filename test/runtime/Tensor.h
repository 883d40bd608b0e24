//===- Tensor.h - Tensors of the runtime tests ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_RUNTIME_TENSOR_H
#define MIXWRIGHT_TEST_RUNTIME_TENSOR_H

#include "Kernel.h"
#include "mixwright/runtime.h"
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

/// A float64 tensor with its memory and DLPack descriptor.
struct Tensor {
  std::vector<int64_t> shape, strides;
  std::vector<double> memory;
  DLTensor view;

  /// Compact in the order of dimensions given by `order` (outermost first; empty:
  /// as listed), filled with `value`.
  Tensor(std::vector<int64_t> dims, double value, std::vector<int> order = {})
      : shape(std::move(dims)), strides(shape.size()) {
    if (order.empty()) {
      order.resize(shape.size());
      std::iota(order.begin(), order.end(), 0);
    }
    int64_t elements = 1;
    for (auto dim = order.rbegin(); dim != order.rend(); ++dim) {
      strides[*dim] = elements;
      elements *= shape[*dim];
    }
    memory.assign(elements, value);
    describe();
  }
  Tensor(const Tensor &other) : shape(other.shape), strides(other.strides), memory(other.memory) {
    describe();
  }

  Tensor &operator=(Tensor other) {
    shape.swap(other.shape);
    strides.swap(other.strides);
    memory.swap(other.memory);
    describe();
    return *this;
  }

  double &at(std::vector<int64_t> index) {
    int64_t offset = 0;
    for (size_t d = 0; d < index.size(); ++d)
      offset += index[d] * strides[d];
    return memory[offset];
  }

  void fillRandom(std::mt19937 &random) {
    std::uniform_real_distribution<double> draw(-1, 1);
    for (double &x : memory)
      x = draw(random);
  }

private:
  void describe() {
    view = {};
    view.data = memory.data();
    view.device = {kDLCPU, 0};
    view.ndim = static_cast<int>(shape.size());
    view.dtype = {kDLFloat, 64, 1};
    view.shape = shape.data();
    view.strides = strides.data();
  }
};

/// The tensors of one call of `block_sums`, inputs random, outputs NaN.
struct Call {
  static constexpr int64_t K = BLOCK_SUMS_K;
  Tensor x, g, w, initial, o, final;

  /// In layout BTHD. `xHeads` and `gHeads` may be fewer than `heads`.
  Call(int64_t batch, int64_t tokens, int64_t heads, int64_t xHeads, int64_t gHeads, unsigned seed)
      : x({batch, tokens, xHeads, K}, 0), g({batch, tokens, gHeads}, 0), w({heads, K}, 0),
        initial({batch, heads, K}, 0), o({batch, tokens, heads, K}, NAN),
        final({batch, heads, K}, NAN) {
    std::mt19937 random(seed);
    for (Tensor *tensor : {&x, &g, &w, &initial})
      tensor->fillRandom(random);
  }

  std::vector<DLTensor *> views() {
    return {&x.view, &g.view, &w.view, &initial.view, &o.view, &final.view};
  }

  mixwright_status run(mixwright_options options = {}) {
    return mixwright_run(&block_sums, views().data(), 6, &options);
  }
};

#endif // MIXWRIGHT_TEST_RUNTIME_TENSOR_H
