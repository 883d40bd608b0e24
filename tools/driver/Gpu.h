//===- Gpu.h - Kernels on the GPUs of this machine --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_GPU_H
#define MIXWRIGHT_TOOLS_DRIVER_GPU_H

#include "mixwright/device.h"
#include "runtime/gpu/driver.h"
#include "tools/driver/RunKernel.h"

namespace mix::driver {

/// A GPU of this machine, the current device of its thread as long as it lives.
class Gpu {
public:
  /// Whether a target is one: "cuda", "hip", "cuda:1", "emu:cuda".
  static bool isTarget(llvm::StringRef target);

  /// Error: there is no driver or device, or no kernels can be compiled for it.
  static llvm::Expected<std::unique_ptr<Gpu>> open(llvm::StringRef target);
  ~Gpu();
  Gpu(const Gpu &) = delete;

  /// The row of codegen/GpuChips.h to compile for.
  llvm::StringRef getChip() const { return chip; }
  /// Whether its driver is one of the emulator (test/fake-drivers): "emu:cuda".
  bool isEmulated() const { return isFake; }
  DLDevice getDevice() const { return which; }
  const mw_driver &getDriver() const { return *device->driver; }

  /// Turns what a function of the driver returned into an error.
  llvm::Error check(int result, const char *what) const;

private:
  Gpu() = default;

  DLDevice which;
  const mw_device *device = nullptr;
  int before = 0; ///< for `mw_leave_device`
  bool isFake = false, isCurrent = false;
  std::string chip;
};

/// The tensors of a call, on a GPU. Can run many times.
class GpuCall {
public:
  /// Copies all tensors of `bound` to the GPU.
  static llvm::Expected<std::unique_ptr<GpuCall>>
  create(const Gpu &gpu, const mixwright_kernel &kernel, BoundKernel &bound);
  ~GpuCall();
  GpuCall(const GpuCall &) = delete;

  size_t getWorkspaceBytes() const { return options.workspace_bytes; }
  /// Runs once, waits, and copies results to the tensors of `bound`.
  llvm::Error run();
  /// Runs so often one after the other; the seconds that each takes, by events of the driver.
  llvm::Expected<double> measure(int64_t repeats);

private:
  GpuCall(const Gpu &gpu, const mixwright_kernel &kernel, BoundKernel &bound)
      : gpu(gpu), kernel(kernel), bound(bound) {}

  /// A copy of a tensor, with memory of the GPU; elements are copied too.
  llvm::Expected<DLTensor> copyTensor(const DLTensor &tensor);
  llvm::Error copyTensors();
  llvm::Error copyTables();
  llvm::Error makeWorkspace();
  llvm::Expected<void *> allocate(size_t bytes);
  llvm::Error launch();

  const Gpu &gpu;
  const mixwright_kernel &kernel;
  BoundKernel &bound;
  std::list<DLTensor> copies;    ///< of all that is on the GPU
  std::vector<DLTensor *> views; ///< as those of `bound`
  std::vector<mixwright_packing> packings;
  std::vector<mixwright_block_table> blockTables;
  std::vector<void *> memory; ///< of the GPU, to be freed
  std::vector<void *> events;
  mixwright_launch_options options = {};
};

/// Runs a call once, with results that start as NaN.
llvm::Expected<CallResult> runOnGpu(const Gpu &gpu, const mixwright_kernel &kernel,
                                    const Signature &signature, const Call &call);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_GPU_H
