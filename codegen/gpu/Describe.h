//===- Describe.h - The constant that describes a device kernel -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_DESCRIBE_H
#define MIXWRIGHT_CODEGEN_GPU_DESCRIBE_H

#include "codegen/gpu/Target.h"

namespace mix::gpu {

/// A kernel's code, as `mixwright_image` has it.
struct DeviceCode {
  std::string image;     ///< What drivers of the chip load: PTX, or machine code of AMD GPUs.
  std::string assembled; ///< Machine code for PTX; empty: none.
};

/// A module of the host, in the LLVM dialect, that holds nothing but the
/// `mixwright_kernel` of a mixer for the chip. `phases` are the tile programs that `device` was
/// compiled from. What is wrong with the phases is reported by diagnostics; the error says that
/// they were.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
describe(mlir::ModuleOp phases, const DeviceModule &device, llvm::StringRef chip, DeviceCode code);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_DESCRIBE_H
