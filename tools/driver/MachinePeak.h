//===- MachinePeak.h - What the machine can do right now --------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Absolute times on a machine that others use as well say little. A benchmark
// measures these two between its own runs and reports ratios.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_MACHINEPEAK_H
#define MIXWRIGHT_TOOLS_DRIVER_MACHINEPEAK_H

#include "tools/driver/Tensor.h"

namespace mix::driver {

/// GFLOP/s of independent fused multiply-adds (two operations each) on vectors of
/// the widest kind of this CPU, on `threads` threads, for some milliseconds. For bfloat16
/// the products of pairs, which are added to float32, where the CPU has them; else float32.
double measureFmaPeak(ElementType type, int threads);

/// GB/s of `a = b + s c` on arrays that fit no cache: two read, one written.
class StreamBandwidth {
public:
  explicit StreamBandwidth(int threads);
  ~StreamBandwidth();
  double measure();

private:
  int threads;
  Tensor a, b, c;
};

/// GB/s of `a = s a + t` on an array of a given size, as a kernel updates a state: each
/// byte is read and written, both are counted, with the widest vectors of this CPU. Every
/// thread has a part of its own, which may fit in its cache.
class InPlaceBandwidth {
public:
  InPlaceBandwidth(int64_t bytes, int threads);
  double measure();

private:
  int threads;
  Tensor a;
};

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_MACHINEPEAK_H
