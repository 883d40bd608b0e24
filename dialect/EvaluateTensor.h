//===- EvaluateTensor.h - Strided tensors of the evaluators -----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the evaluators of all levels share: a tensor in double precision, a walk
// over its elements, and errors that name the op.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATETENSOR_H
#define MIXWRIGHT_DIALECT_EVALUATETENSOR_H

#include "mlir/IR/Operation.h"
#include "llvm/Support/Error.h"
#include <array>
#include <memory>
#include <vector>

namespace mix {

using Shape = llvm::SmallVector<int64_t, 4>;

/// A strided view of a buffer of doubles. Buffers are never written after the op
/// that made them, so views may share them; a broadcast has strides of zero.
struct Tensor {
  Shape shape, strides; // in elements
  std::shared_ptr<std::vector<double>> buffer;

  /// A new contiguous tensor, every element `fill`.
  static Tensor make(llvm::ArrayRef<int64_t> shape, double fill = 0.0);
  /// A new contiguous tensor with these elements, in row-major order.
  static Tensor make(llvm::ArrayRef<int64_t> shape, std::vector<double> elements);
  static Tensor scalar(double value) { return make({}, value); }

  int64_t rank() const { return shape.size(); }
  double *data() const { return buffer->data(); }
  /// The only element of a tensor of rank 0.
  double value() const { return buffer->front(); }
  /// The elements in row-major order.
  std::vector<double> elements() const;
};

/// The number of elements of a shape.
int64_t countElements(llvm::ArrayRef<int64_t> shape);

/// The strides of a contiguous row-major tensor.
Shape contiguousStrides(llvm::ArrayRef<int64_t> shape);

/// "3x4", for messages; "scalar" for rank 0.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// An error at the source location of an op that names the op.
llvm::Error errorAt(mlir::Operation *op, const llvm::Twine &message);

/// Calls `fn(offsets)` for every index of `shape` in row-major order, where
/// `offsets[n]` is the index times `strides[n]`.
template <size_t N, typename Fn>
void forEachElement(llvm::ArrayRef<int64_t> shape, std::array<const int64_t *, N> strides, Fn &&fn,
                    std::array<int64_t, N> offsets = {}) {
  if (shape.empty())
    return fn(offsets);
  std::array<const int64_t *, N> inner = strides;
  for (const int64_t *&stride : inner)
    ++stride;
  for (int64_t i = 0; i < shape.front(); ++i) {
    if (shape.size() == 1)
      fn(offsets);
    else
      forEachElement<N>(shape.drop_front(), inner, fn, offsets);
    for (size_t n = 0; n < N; ++n)
      offsets[n] += *strides[n];
  }
}

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATETENSOR_H
