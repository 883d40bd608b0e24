//===- Emulator.h - GPU kernels on the host ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the LLVM IR that goes to the NVPTX and AMDGPU back ends, before or after their
// optimisations, and checks what a GPU does not: docs/emulator.md. It knows nothing of
// Mixwright; any kernel that uses operations it knows will do.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_EMULATOR_H
#define MIXWRIGHT_CODEGEN_EMULATOR_EMULATOR_H

#include "codegen/emulator/Findings.h"
#include "codegen/emulator/GlobalMemory.h"
#include "codegen/emulator/Schedule.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class Module;
} // namespace llvm

namespace mix::emu {

/// Where a parameter of a kernel lies in the bytes that a launch gets.
struct Parameter {
  uint32_t offset, bytes;
};

struct LaunchConfig {
  Dim3 grid, block;
  uint32_t dynamicSharedBytes = 0;
  /// The kernel's parameters as members of a C struct; structs by value in place.
  llvm::ArrayRef<char> parameters;
  Schedule schedule;
};

/// A module of kernels that can be launched.
class Program {
public:
  ~Program();

  /// Takes a copy of a module for an nvptx or amdgcn triple. For AMD the chip ("gfx942")
  /// decides whether waves have 64 or 32 threads; if empty it is taken from the kernels'
  /// "target-cpu". An operation or function that the emulator does not know is an error
  /// that names all of them.
  static llvm::Expected<std::unique_ptr<Program>> load(const llvm::Module &module,
                                                       llvm::StringRef chip = "");

  std::vector<std::string> getKernels() const;
  /// The parameters of a kernel; an error if there is no such kernel.
  llvm::Expected<std::vector<Parameter>> getParameters(llvm::StringRef kernel) const;

  /// Runs a kernel to its end, or as far as it gets, and says what was found. Device
  /// addresses are the host's; all that the kernel may touch is in `memory`. An error
  /// is a launch that a driver would refuse. One launch runs at a time in a process.
  llvm::Expected<std::vector<Finding>> launch(llvm::StringRef kernel, const LaunchConfig &config,
                                              const GlobalMemory &memory) const;

private:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_EMULATOR_H
