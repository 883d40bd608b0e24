//===- Emulate.h - GPU kernels of a mixer on the emulator -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_EMULATE_H
#define MIXWRIGHT_TOOLS_DRIVER_EMULATE_H

#include "codegen/emulator/Emulator.h"
#include "codegen/gpu/Target.h"
#include "tools/driver/Call.h"
#include "tools/driver/Compile.h"

namespace mix::driver {

/// A mixer compiled for one GPU.
struct DeviceProgram {
  gpu::DeviceModule device; ///< LLVM IR, optimised as it would be shipped
  std::string chip;
  std::unique_ptr<cpu::LoadedObject>
      description; ///< its `mixwright_kernel`, without an image's bytes
  std::vector<std::string> notes;

  const mixwright_kernel &getKernel() const { return *description->getKernels().front(); }
};

/// Compiles for the GPU `options.chip`. Error: NotDerivedError, and those of code generation.
llvm::Expected<DeviceProgram> compileForDevice(Spec &spec, const SizeMap &sizes,
                                               const KernelOptions &options);

/// A program for a GPU, ready to run on the emulator.
class EmulatedKernel {
public:
  /// Error: the program has an operation that the emulator does not know.
  static llvm::Expected<EmulatedKernel> load(DeviceProgram program);

  llvm::ArrayRef<std::string> getNotes() const { return program.notes; }
  const mixwright_kernel &getKernel() const { return program.getKernel(); }

  /// Runs all phases on a call, whose results start as NaN. What the emulator finds is an
  /// error, one finding a line.
  llvm::Expected<CallResult> run(const Signature &signature, const Call &call,
                                 const emu::Schedule &schedule) const;

private:
  DeviceProgram program;
  std::unique_ptr<emu::Program> emulated;
};

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_EMULATE_H
