//===- KernelBuilder.h - Threads, loops and memory of a kernel --*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a kernel author would write by hand. Positions in tiles and numbers of threads
// are i32; offsets in the caller's tensors are i64. Knows nothing of tile programs but how
// a tile lies in shared memory.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_KERNELBUILDER_H
#define MIXWRIGHT_CODEGEN_GPU_KERNELBUILDER_H

#include "codegen/gpu/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::gpu {

/// Address spaces that both vendors number alike.
inline constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;

/// Whether it is a real type of 16 bits.
bool isNarrowReal(mlir::Type element);

class KernelBuilder {
public:
  KernelBuilder(mlir::ImplicitLocOpBuilder &b, Machine &machine)
      : b(b), machine(machine), chip(machine.chip) {}

  mlir::ImplicitLocOpBuilder &b;
  Machine &machine;
  const GpuChip &chip;

  // Integers of one type; constants fold.
  mlir::Value constant(int64_t value);
  mlir::Value constant64(int64_t value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value scale(mlir::Value x, int64_t factor);
  mlir::Value multiply(mlir::Value x, mlir::Value y);
  /// Of numbers that are not negative.
  mlir::Value divide(mlir::Value x, int64_t divisor);
  mlir::Value remainder(mlir::Value x, int64_t divisor);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value isLess(mlir::Value x, int64_t bound);
  /// Both conditions; either may be null, which is true.
  mlir::Value both(mlir::Value x, mlir::Value y);
  /// i32 or i64 as an index, an index as i32, i32 as i64.
  mlir::Value toIndex(mlir::Value x);
  mlir::Value toInt(mlir::Value index);
  mlir::Value toInt64(mlir::Value x);

  mlir::Value real(double value);
  mlir::Value zero(mlir::Type element);
  /// A real in that type: f32, or one of 16 bits.
  mlir::Value convert(mlir::Value x, mlir::Type element);
  /// x * y + z, for reals.
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value y, mlir::Value z);

  // Control flow.
  using Body = llvm::function_ref<void(mlir::Value iv)>;
  using CarryingBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value iv, mlir::ValueRange carried)>;
  /// for (iv = lower; iv < upper; iv += step), in i32.
  void loop(mlir::Value lower, mlir::Value upper, int64_t step, Body body);
  llvm::SmallVector<mlir::Value> loopCarrying(mlir::Value lower, mlir::Value upper, int64_t step,
                                              mlir::ValueRange inits, CarryingBody body);
  /// A null condition is true.
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  void ifThenElse(mlir::Value condition, llvm::function_ref<void()> yes,
                  llvm::function_ref<void()> no);

  // Threads.
  mlir::Value thread; ///< Number of this thread in its block.
  /// Calls the body once per element of the shape, spread over the threads.
  void forEachElement(llvm::ArrayRef<int64_t> shape,
                      llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);
  /// The value that the threads `distance`, 2 * `distance`, ... of a group of `count` agree on.
  mlir::Value sumOverLanes(mlir::Value value, int64_t distance, int64_t count);

  // Memory. Offsets are in elements of `element`, the element type of values; i1 is stored
  // as a byte.
  mlir::Value load(mlir::Value pointer, mlir::Type element, mlir::Value offset);
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value offset);
  /// `value` of `pointer[offset]` where the condition holds, else zero.
  mlir::Value loadIf(mlir::Value condition, mlir::Value pointer, mlir::Type element,
                     mlir::Value offset);
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_KERNELBUILDER_H
