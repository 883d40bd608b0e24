//===- Target.h - From tile programs to GPU kernels -------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_TARGET_H
#define MIXWRIGHT_CODEGEN_GPU_TARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mix::gpu {

/// How one phase is launched.
struct DeviceKernel {
  std::string symbol;
  int64_t featureBlocks; ///< >= 1
  std::string space;     ///< Token blocks = ceil(size of the space / rows); empty: one block.
  int64_t rows;
  int64_t threads;     ///< Of a block.
  int64_t sharedBytes; ///< Dynamic shared memory of a block.
};

/// All phases of a module for one chip, as LLVM IR.
struct DeviceModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::vector<DeviceKernel> kernels; ///< In the order in which they run.
};

/// Registers what a context needs before any of the functions below is called with it.
void registerTargetDialects(mlir::DialectRegistry &registry);

/// Lowers phases to kernels of the chip (a row of codegen/GpuChips.h). The module becomes LLVM
/// dialect. What is wrong with the program is reported by diagnostics; the error says that
/// they were. `optimize` runs LLVM's pipeline for the chip.
llvm::Expected<DeviceModule> compile(mlir::ModuleOp phases, llvm::StringRef chip, bool optimize);

/// What the back ends can show or make of a module.
enum class CodeKind { Assembly, Object };

/// Assembly (PTX on NVIDIA), or a relocatable object (AMD only).
llvm::Expected<std::string> emitCode(const DeviceModule &device, llvm::StringRef chip,
                                     CodeKind kind);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_TARGET_H
