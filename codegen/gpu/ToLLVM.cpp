//===- ToLLVM.cpp - Emitted code to the LLVM dialect ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/ToLLVM.h"
#include "codegen/gpu/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mix::gpu {
#define GEN_PASS_DEF_GPUTOLLVM
#include "codegen/gpu/Passes.h.inc"
} // namespace mix::gpu

namespace {

struct ToLLVM : mix::gpu::impl::GpuToLLVMBase<ToLLVM> {
  void runOnOperation() override {
    if (failed(mix::convertToLLVM(getOperation())))
      signalPassFailure();
  }
};

} // namespace
