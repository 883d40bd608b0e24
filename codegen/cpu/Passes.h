//===- Passes.h - From tile programs to LLVM on a CPU -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PASSES_H
#define MIXWRIGHT_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mix::cpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "codegen/cpu/Passes.h.inc"

/// The whole way from tile programs to the LLVM dialect, for one row of the chip table.
void buildCpuPipeline(mlir::OpPassManager &pm, llvm::StringRef chip);

/// Registers `mix-cpu-pipeline{chip=..}`.
void registerCpuPipeline();

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_PASSES_H
