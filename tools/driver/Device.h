//===- Device.h - From a spec to GPU kernels --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_DEVICE_H
#define MIXWRIGHT_TOOLS_DRIVER_DEVICE_H

#include "tools/driver/Compile.h"

namespace mix::driver {

/// Level L3 for a GPU (`options.chip`, a row of codegen/GpuChips.h): with the largest tiles
/// whose phases fit its shared memory. Error: NotDerivedError, or that none fits.
llvm::Expected<LoweredProgram> tileForGpu(Spec &spec, const SizeMap &sizes, KernelOptions options);

/// What can be made of phases for a GPU: LLVM IR, assembly ("asm"), "ptx", "cubin" (needs
/// a tool of NVIDIA's, `cuda::assemble`) or "hsaco".
llvm::Expected<std::string> compileForGpu(mlir::ModuleOp phases, llvm::StringRef chip,
                                          llvm::StringRef kind);

/// What the image of a kernel holds.
enum class DeviceCodeKind {
  Loadable,  ///< What drivers load: PTX or "hsaco".
  Assembled, ///< And beside PTX machine code, if something here can make it.
  Emulated   ///< LLVM IR, which only the drivers of the emulator load.
};

/// A kernel for a GPU, as objects take it (`cpu::CompileOptions::devices`).
struct DescribedDevice {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string note; ///< Why it has no machine code though that was wanted; else empty.
};

/// The kernel of phases for a GPU.
llvm::Expected<DescribedDevice> describeForGpu(mlir::ModuleOp phases, llvm::StringRef chip,
                                               DeviceCodeKind kind);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_DEVICE_H
