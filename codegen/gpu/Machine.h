//===- Machine.h - What CUDA and HIP write differently ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operations of a block of threads that no common dialect has. Each is one or a
// few intrinsics of the vendor; codegen/gpu writes everything else.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_MACHINE_H
#define MIXWRIGHT_CODEGEN_GPU_MACHINE_H

#include "codegen/GpuChips.h"
#include "codegen/gpu/JointUnit.h"
#include "codegen/gpu/MatrixOp.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace llvm {
class Function;
class Type;
} // namespace llvm

namespace mix::gpu {

class Machine {
public:
  explicit Machine(const GpuChip &chip) : chip(chip) {}
  virtual ~Machine() = default;

  const GpuChip &chip;

  /// The thread's number in its block, and the block's in its grid, as i32.
  virtual mlir::Value getThread(mlir::ImplicitLocOpBuilder &b) = 0;
  virtual mlir::Value getBlock(mlir::ImplicitLocOpBuilder &b) = 0;
  /// Waits for all threads of the block; what they wrote is seen after it.
  virtual void barrier(mlir::ImplicitLocOpBuilder &b) = 0;
  /// The value (i32 or f32) of the lane whose number differs in the bits of `distance`.
  /// All lanes of the warp take part.
  virtual mlir::Value shuffleXor(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                                 int64_t distance) = 0;

  /// Whether `copyAsync` does anything.
  virtual bool copiesAsynchronously() const = 0;
  /// Starts to copy 16 bytes from global to shared memory, zeros if the condition (null: true) does
  /// not hold; false if the chip has no such operation.
  virtual bool copyAsync(mlir::ImplicitLocOpBuilder &b, mlir::Value from, mlir::Value to,
                         mlir::Value condition) = 0;
  /// Waits for the copies of this thread.
  virtual void waitForCopies(mlir::ImplicitLocOpBuilder &b) = 0;

  /// Functions that are instructions, on f32. Errors are a few units in the last place;
  /// subnormal results may be zero.
  virtual mlir::Value exp2(mlir::ImplicitLocOpBuilder &b, mlir::Value x) = 0;
  virtual mlir::Value rsqrt(mlir::ImplicitLocOpBuilder &b, mlir::Value x) = 0;

  /// Whether rounding to bf16 is an instruction.
  virtual bool hasRoundingToBf16() const = 0;

  /// The shape and the register layouts of the matrix operation for operands of the type, f32,
  /// bf16 or f16; none if the chip multiplies such element by element.
  virtual std::optional<MatrixOp> getMatrixOp(mlir::Type element) const = 0;
  /// The matrix operations for operands of the type that all warps execute together; null if there
  /// are none.
  virtual JointUnit *getJointUnit(mlir::Type /*element*/) { return nullptr; }
  /// Whether accumulators are a right operand of the next product, or else a left one.
  virtual bool chainsRight() const = 0;
  /// Registers of a fragment that has `matrices`, of type `element`, from shared memory: lane
  /// 8 i + r gives the address of row r of matrix i. Transposed, a lane gets two neighbours of
  /// a column, else of a row.
  virtual llvm::SmallVector<mlir::Value> loadMatrices(mlir::ImplicitLocOpBuilder &b,
                                                      mlir::Value address, mlir::Type element,
                                                      int64_t count, bool isTransposed) = 0;
  /// accumulators + left * right, for the fragments of one matrix operation. Accumulators are f32.
  virtual llvm::SmallVector<mlir::Value> multiply(mlir::ImplicitLocOpBuilder &b,
                                                  mlir::ValueRange left, mlir::ValueRange right,
                                                  mlir::ValueRange accumulators) = 0;

  /// The address space of the kernel's parameter struct.
  virtual unsigned getParameterSpace() const = 0;
  virtual llvm::StringRef getTriple() const = 0;
  /// Gives a translated kernel, whose one parameter is the struct of that type by value, its
  /// calling convention and attributes.
  virtual void finishKernel(llvm::Function &kernel, llvm::Type *parameters) const = 0;
};

/// The machine of a row of the table.
std::unique_ptr<Machine> createMachine(const GpuChip &chip);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_MACHINE_H
