//===- CallLayout.h - Where a kernel finds what it is called with -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parameter of a kernel (`mixwright_device_call` of mixwright/abi.h and what is behind it)
// has a part for every token space and every tensor of its phase.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_CALLLAYOUT_H
#define MIXWRIGHT_CODEGEN_GPU_CALLLAYOUT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mix::gpu {

/// A token space: one of the caller's, blocks of another space, or all tokens of a sequence that
/// goes on.
struct TokenSpace {
  std::string name;
  int64_t base = -1;       ///< The space that its size follows from.
  int64_t block = 0;       ///< Of `base`; 0: all tokens, or no base.
  int64_t root = 0;        ///< The space without a base that is behind it,
  int64_t rootBlock = 1;   ///< and how many of its tokens a position of this one stands for.
  bool isHistory = false;  ///< Its size follows from the position too.
  bool isOfCaller = false; ///< Tensors of the caller have the axis, not only workspaces.
};

class CallLayout {
public:
  /// Error: an axis of an argument has neither a size nor a space, or a space no known base.
  static mlir::FailureOr<CallLayout> create(mlir::func::FuncOp phase);

  llvm::ArrayRef<TokenSpace> getSpaces() const { return spaces; }
  /// The space of that name, or -1.
  int64_t findSpace(llvm::StringRef name) const;

  // Bytes from the start of the parameter.
  int64_t getSpaceOffset(int64_t space) const;
  int64_t getTensorOffset(int64_t argument) const;
  /// Of an argument that is a cache.
  int64_t getCacheOffset(int64_t argument) const;
  int64_t getBytes() const;

private:
  mlir::LogicalResult addSpaces(mlir::func::FuncOp phase);

  std::vector<TokenSpace> spaces;
  int64_t numTensors = 0;
  std::vector<int64_t> caches; ///< The arguments that are.
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_CALLLAYOUT_H
