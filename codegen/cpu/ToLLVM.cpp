//===- ToLLVM.cpp - Emitted code to the LLVM dialect ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/ToLLVM.h"
#include "codegen/cpu/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUTOLLVM
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

namespace {

struct ToLLVM : mix::cpu::impl::CpuToLLVMBase<ToLLVM> {
  void runOnOperation() override {
    if (failed(mix::convertToLLVM(getOperation())))
      signalPassFailure();
  }
};

} // namespace
