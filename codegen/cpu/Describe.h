//===- Describe.h - The constant that describes a kernel --------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_DESCRIBE_H
#define MIXWRIGHT_CODEGEN_CPU_DESCRIBE_H

#include "codegen/Chips.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace mix::cpu {

/// A phase and the function that runs its tasks.
struct EmittedPhase {
  mlir::func::FuncOp phase;
  mlir::LLVM::LLVMFuncOp function;
};

/// Writes the exported constant `mixwright_kernel_<mixer>_<form>` of
/// `mixwright/abi.h` from the attributes of the phases, which are all of one mixer
/// and form, in order. Its last field, `next`, is null. Reports attributes that are missing or
/// contradict each other.
mlir::LogicalResult emitDescription(mlir::OpBuilder &b, llvm::ArrayRef<EmittedPhase> phases,
                                    const Chip &chip);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_DESCRIBE_H
