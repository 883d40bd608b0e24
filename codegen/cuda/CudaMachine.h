//===- CudaMachine.h - Operations of NVIDIA GPUs ----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CUDA_CUDAMACHINE_H
#define MIXWRIGHT_CODEGEN_CUDA_CUDAMACHINE_H

#include "codegen/cuda/WarpGroup.h"
#include "codegen/gpu/Machine.h"

namespace mix::cuda {

class CudaMachine : public gpu::Machine {
public:
  using Machine::Machine;

  mlir::Value getThread(mlir::ImplicitLocOpBuilder &b) override;
  mlir::Value getBlock(mlir::ImplicitLocOpBuilder &b) override;
  void barrier(mlir::ImplicitLocOpBuilder &b) override;
  mlir::Value shuffleXor(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                         int64_t distance) override;
  bool copiesAsynchronously() const override;
  bool copyAsync(mlir::ImplicitLocOpBuilder &b, mlir::Value from, mlir::Value to,
                 mlir::Value condition) override;
  void waitForCopies(mlir::ImplicitLocOpBuilder &b) override;
  mlir::Value exp2(mlir::ImplicitLocOpBuilder &b, mlir::Value x) override;
  mlir::Value rsqrt(mlir::ImplicitLocOpBuilder &b, mlir::Value x) override;
  bool hasRoundingToBf16() const override { return true; }
  std::optional<gpu::MatrixOp> getMatrixOp(mlir::Type element) const override;
  gpu::JointUnit *getJointUnit(mlir::Type element) override;
  bool chainsRight() const override;
  llvm::SmallVector<mlir::Value> loadMatrices(mlir::ImplicitLocOpBuilder &b, mlir::Value address,
                                              mlir::Type element, int64_t count,
                                              bool isTransposed) override;
  llvm::SmallVector<mlir::Value> multiply(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange left,
                                          mlir::ValueRange right,
                                          mlir::ValueRange accumulators) override;
  unsigned getParameterSpace() const override;
  llvm::StringRef getTriple() const override;
  void finishKernel(llvm::Function &kernel, llvm::Type *parameters) const override;

private:
  WarpGroup warpGroup;
};

} // namespace mix::cuda

#endif // MIXWRIGHT_CODEGEN_CUDA_CUDAMACHINE_H
