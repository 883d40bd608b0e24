//===- Describe.h - The constant that describes a kernel --------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_DESCRIBE_H
#define MIXWRIGHT_CODEGEN_DESCRIBE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace mix {

/// A phase as it was tiled, and its code.
struct DescribedPhase {
  mlir::func::FuncOp phase;
  std::string function; ///< its symbol: in the module, or in the image of a device
  int64_t scratchBytes; ///< on a device: shared memory of a block
  int64_t threads = 0;  ///< on a device: of a block
};

/// `mixwright_image`.
struct KernelImage {
  int32_t deviceType, architecture;
  bool isPortable;
  std::string bytes;
  std::string assembled = ""; ///< empty: none
};

/// What a kernel is compiled for.
struct KernelTarget {
  std::string name;
  uint64_t needs = 0;
  std::optional<KernelImage> image = std::nullopt;
};

/// Writes the exported constant `mixwright_kernel_<mixer>_<form>` of
/// `mixwright/abi.h` from the attributes of the phases, which are all of one mixer
/// and form, in order. Its last field, `next`, is null. Reports attributes that are missing or
/// contradict each other.
mlir::LogicalResult emitDescription(mlir::OpBuilder &b, llvm::ArrayRef<DescribedPhase> phases,
                                    const KernelTarget &target);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_DESCRIBE_H
