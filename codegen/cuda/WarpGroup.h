//===- WarpGroup.h - wgmma --------------------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CUDA_WARPGROUP_H
#define MIXWRIGHT_CODEGEN_CUDA_WARPGROUP_H

#include "codegen/gpu/JointUnit.h"

namespace mix::cuda {

/// The matrix unit of sm_90a for four warps (PTX ISA, "Asynchronous Warpgroup Level Matrix
/// Multiply-Accumulate Instructions"), on bf16 and f16.
class WarpGroup : public gpu::JointUnit {
public:
  WarpGroup();
  void multiply(mlir::ImplicitLocOpBuilder &b, mlir::Type element,
                llvm::ArrayRef<gpu::JointStep> steps,
                llvm::MutableArrayRef<mlir::Value> sums) override;
  void releaseWrites(mlir::ImplicitLocOpBuilder &b) override;
};

} // namespace mix::cuda

#endif // MIXWRIGHT_CODEGEN_CUDA_WARPGROUP_H
