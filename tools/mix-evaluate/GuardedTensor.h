//===- GuardedTensor.h - A tensor with gaps around its rows -----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXEVALUATE_GUARDEDTENSOR_H
#define MIXWRIGHT_TOOLS_MIXEVALUATE_GUARDEDTENSOR_H

#include "dialect/NarrowReals.h"
#include "mixwright/abi.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cmath>
#include <functional>
#include <vector>

namespace mix {

/// A tensor in the layout that the kernel sees, with a gap after every row.
class GuardedTensor {
public:
  /// `stepsLast` says that the last dimension is strided too; `gap` is in elements. With
  /// `pageRows` the first dimension lies in pages of so many rows, the last page first.
  GuardedTensor(mixwright_dtype dtype, mlir::ArrayRef<int64_t> sizes, bool stepsLast,
                int64_t gap = 5, int64_t pageRows = 0)
      : dtype(dtype), sizes(sizes) {
    strides.assign(sizes.size(), 1);
    int64_t step = stepsLast ? 3 : 1;
    for (size_t dim = sizes.size(); dim-- > 0;) {
      strides[dim] = step;
      step = step * sizes[dim] + gap;
    }
    if (pageRows > 0) {
      for (int64_t pages = (sizes.front() + pageRows - 1) / pageRows; pages-- > 0;)
        table.push_back(static_cast<int32_t>(pages));
      paging = {table.data(), static_cast<int64_t>(table.size()), pageRows,
                pageRows * strides[0] + 7};
      step = paging.page_stride * std::max<int64_t>(paging.pages, 1);
    }
    bytes = step * elementBytes();
    // 0xff is NaN in every real type.
    memory.assign(bytes + 64, 0xff);
    touched.assign(step, false);
  }

  void *data() { return memory.data() + (64 - (uintptr_t)memory.data() % 64) % 64; }

  void set(mlir::ArrayRef<double> values) {
    forEach([&](int64_t n, int64_t at) { write(at, values[n]); });
  }
  std::vector<double> get() {
    std::vector<double> values;
    forEach([&](int64_t, int64_t at) { values.push_back(read(at)); });
    return values;
  }
  /// Whether all gaps are as they were.
  bool gapsAreIntact() {
    forEach([&](int64_t, int64_t at) { touched[at] = true; });
    auto *raw = static_cast<unsigned char *>(data());
    for (size_t at = 0; at < touched.size(); ++at)
      for (int64_t byte = 0; byte < elementBytes() && !touched[at]; ++byte)
        if (raw[at * elementBytes() + byte] != 0xff)
          return false;
    return true;
  }

  int64_t getBytes() const { return bytes; }

  mixwright_dtype dtype;
  mlir::SmallVector<int64_t> sizes, strides;
  /// Of a paged one.
  std::vector<int32_t> table;
  mixwright_paging paging = {};

private:
  int64_t elementBytes() const {
    switch (dtype) {
    case MIXWRIGHT_BF16:
    case MIXWRIGHT_F16:
      return 2;
    case MIXWRIGHT_F32:
    case MIXWRIGHT_I32:
      return 4;
    case MIXWRIGHT_F64:
    case MIXWRIGHT_I64:
      return 8;
    }
    llvm_unreachable("all types are covered");
  }
  template <typename T> void put(int64_t at, double value) {
    static_cast<T *>(data())[at] = static_cast<T>(value);
  }
  void write(int64_t at, double value) {
    switch (dtype) {
    case MIXWRIGHT_F32:
      return put<float>(at, value);
    case MIXWRIGHT_F64:
      return put<double>(at, value);
    case MIXWRIGHT_I32:
      return put<int32_t>(at, value);
    case MIXWRIGHT_I64:
      return put<int64_t>(at, value);
    case MIXWRIGHT_BF16:
      return put<uint16_t>(at, kBFloat16.encode(value));
    case MIXWRIGHT_F16:
      return put<uint16_t>(at, kFloat16.encode(value));
    }
  }
  double read(int64_t at) {
    switch (dtype) {
    case MIXWRIGHT_F32:
      return static_cast<float *>(data())[at];
    case MIXWRIGHT_F64:
      return static_cast<double *>(data())[at];
    case MIXWRIGHT_I32:
      return static_cast<int32_t *>(data())[at];
    case MIXWRIGHT_I64:
      return static_cast<int64_t *>(data())[at];
    case MIXWRIGHT_BF16:
      return kBFloat16.decode(static_cast<uint16_t *>(data())[at]);
    case MIXWRIGHT_F16:
      return kFloat16.decode(static_cast<uint16_t *>(data())[at]);
    }
    return NAN;
  }
  void forEach(llvm::function_ref<void(int64_t, int64_t)> body) {
    int64_t n = 0;
    std::function<void(size_t, int64_t)> walk = [&](size_t dim, int64_t at) {
      if (dim == sizes.size())
        return body(n++, at);
      for (int64_t i = 0; i < sizes[dim]; ++i) {
        bool isPaged = dim == 0 && paging.table;
        walk(dim + 1, isPaged ? table[i / paging.page_rows] * paging.page_stride +
                                    i % paging.page_rows * strides[dim]
                              : at + i * strides[dim]);
      }
    };
    walk(0, 0);
  }

  int64_t bytes;
  std::vector<unsigned char> memory;
  std::vector<bool> touched;
};

} // namespace mix

#endif // MIXWRIGHT_TOOLS_MIXEVALUATE_GUARDEDTENSOR_H
