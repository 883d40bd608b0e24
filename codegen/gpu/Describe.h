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

/// A module of the host, in the LLVM dialect, that holds nothing but the
/// `mixwright_kernel` of a mixer for the chip. `phases` are the tile programs that `device` was
/// compiled from, and `bytes` the image that drivers of the chip load. What is wrong with the
/// phases is reported by diagnostics; the error says that they were.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> describe(mlir::ModuleOp phases,
                                                           const DeviceModule &device,
                                                           llvm::StringRef chip, std::string bytes);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_DESCRIBE_H
