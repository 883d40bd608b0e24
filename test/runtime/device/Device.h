//===- Device.h - Tensors on devices for tests ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_RUNTIME_DEVICE_DEVICE_H
#define MIXWRIGHT_TEST_RUNTIME_DEVICE_DEVICE_H

#include "Kernel.h"
#include "mixwright/device.h"
#include "runtime/gpu/driver.h"
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <vector>

/// Sets an environment variable of the fake drivers until the end of the scope.
class Setting {
public:
  Setting(const char *name, const std::string &value) : name(name) {
    setenv(name, value.c_str(), /*overwrite=*/1);
  }
  ~Setting() { unsetenv(name); }

private:
  const char *name;
};

/// The device that is the current one of the test.
class CurrentDevice {
public:
  explicit CurrentDevice(DLDevice which) {
    EXPECT_EQ(mw_get_device(which, &device), MIXWRIGHT_OK) << mixwright_last_error();
    if (device)
      EXPECT_EQ(mw_enter_device(device, &before), MIXWRIGHT_OK) << mixwright_last_error();
  }
  ~CurrentDevice() {
    if (device)
      mw_leave_device(device, before);
  }
  const mw_device &get() const { return *device; }
  const mw_driver &driver() const { return *device->driver; }

private:
  const mw_device *device = nullptr;
  int before = 0;
};

/// A float32 tensor in the memory of a device.
struct DeviceTensor {
  std::vector<int64_t> shape;
  std::vector<float> host;
  void *memory = nullptr;
  DLTensor view;

  DeviceTensor(const CurrentDevice &device, DLDevice which, std::vector<int64_t> dims)
      : shape(std::move(dims)), device(device) {
    size_t elements = 1;
    for (int64_t size : shape)
      elements *= size;
    host.assign(elements, NAN);
    EXPECT_EQ(device.driver().allocate(&memory, bytes()), 0);
    view = {memory,  which, static_cast<int>(shape.size()), {kDLFloat, 32, 1}, shape.data(),
            nullptr, 0};
    write();
  }
  DeviceTensor(const DeviceTensor &) = delete;
  ~DeviceTensor() { device.driver().release(memory); }

  size_t bytes() const { return host.size() * sizeof(float); }
  void write() { EXPECT_EQ(device.driver().copy_to_device(memory, host.data(), bytes()), 0); }
  void read() { EXPECT_EQ(device.driver().copy_to_host(host.data(), memory, bytes()), 0); }
  void fillRandom(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> draw(-1, 1);
    for (float &x : host)
      x = draw(random);
    write();
  }

private:
  const CurrentDevice &device;
};

/// The tensors of one call of `twice`, in layout BTHD; `x` has half as many heads as `o`.
struct Call {
  DLDevice which;
  CurrentDevice device{which};
  int64_t batch = 2, tokens, heads = 4;
  DeviceTensor x{device, which, {batch, tokens, heads / 2, TWICE_K}};
  DeviceTensor state{device, which, {batch, heads, TWICE_K}};
  DeviceTensor o{device, which, {batch, tokens, heads, TWICE_K}};
  DeviceTensor workspace{device, which, {batch * heads * ((tokens + 3) / 4 * 16)}};
  std::vector<DLTensor *> views{&x.view, &state.view, &o.view};
  mixwright_launch_options options = {};

  explicit Call(DLDevice which, int64_t tokens = 6) : which(which), tokens(tokens) {
    options.workspace = workspace.memory;
    options.workspace_bytes = workspace.bytes();
    x.fillRandom(1);
    state.fillRandom(2);
  }

  mixwright_status launch() {
    return mixwright_launch(&twice, views.data(), static_cast<int32_t>(views.size()), &options);
  }

  /// Waits for the stream and compares.
  void expectDefinition(bool hasState = true) {
    ASSERT_EQ(device.driver().wait_for_stream(options.stream), 0);
    o.read();
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t k = 0; k < TWICE_K; ++k) {
            float initial = hasState ? state.host[(b * heads + h) * TWICE_K + k] : 1;
            float value = x.host[((b * tokens + t) * (heads / 2) + h / 2) * TWICE_K + k];
            ASSERT_EQ(o.host[((b * tokens + t) * heads + h) * TWICE_K + k], 2 * value + initial)
                << "b=" << b << " t=" << t << " h=" << h << " k=" << k;
          }
  }
  void expectUntouched() {
    o.read();
    for (float value : o.host)
      ASSERT_TRUE(std::isnan(value)) << "a refused launch has written its output";
  }
};

#endif // MIXWRIGHT_TEST_RUNTIME_DEVICE_DEVICE_H
