//===- Pairs.h - Two 16-bit reals in a register -----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CUDA_PAIRS_H
#define MIXWRIGHT_CODEGEN_CUDA_PAIRS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::cuda {

/// Neighbours as vectors of two, the first in the low half. Two f32 that are rounded are
/// so by one instruction.
llvm::SmallVector<mlir::Value> packPairs(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange values);

} // namespace mix::cuda

#endif // MIXWRIGHT_CODEGEN_CUDA_PAIRS_H
