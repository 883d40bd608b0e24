//===- Intrinsics.h - Calls of LLVM intrinsics ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_INTRINSICS_H
#define MIXWRIGHT_CODEGEN_GPU_INTRINSICS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::gpu {

/// Calls an intrinsic by its full name. Without a result type it has no result, and the value
/// is null.
inline mlir::Value callIntrinsic(mlir::ImplicitLocOpBuilder &b, mlir::Type result,
                                 llvm::StringRef name, mlir::ValueRange operands) {
  if (!result) {
    mlir::LLVM::CallIntrinsicOp::create(b, b.getStringAttr(name), operands);
    return {};
  }
  return mlir::LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name), operands)
      .getResult(0);
}

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_INTRINSICS_H
