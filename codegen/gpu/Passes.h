//===- Passes.h - From tile programs to LLVM on a GPU -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PASSES_H
#define MIXWRIGHT_CODEGEN_GPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mix::gpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "codegen/gpu/Passes.h.inc"

/// Attributes of an emitted kernel: bytes of shared memory, threads of a block, bytes of
/// its parameter.
inline constexpr llvm::StringLiteral kSharedBytesAttr = "mix_gpu.shared";
inline constexpr llvm::StringLiteral kThreadsAttr = "mix_gpu.threads";
inline constexpr llvm::StringLiteral kParameterBytesAttr = "mix_gpu.parameter";

/// What is done with tile programs before tiles get their places.
void buildGpuPreparation(mlir::OpPassManager &pm);

/// The whole way from tile programs to the LLVM dialect, for one row of the table of GPUs.
void buildGpuPipeline(mlir::OpPassManager &pm, llvm::StringRef chip);

/// Registers `mix-gpu-pipeline{chip=..}`.
void registerGpuPipeline();

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_PASSES_H
