//===- Assemble.h - Machine code of NVIDIA GPUs -----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CUDA_ASSEMBLE_H
#define MIXWRIGHT_CODEGEN_CUDA_ASSEMBLE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mix::cuda {

/// Whether this machine has a program or a library of NVIDIA's that makes machine code: ptxas on
/// the PATH or in the toolkit of the environment's CUDA_PATH or CUDA_HOME, or nvJitLink.
bool canAssemble();

/// Machine code ("cubin") for one chip of PTX. Error: there is no such tool, or it refuses.
llvm::Expected<std::string> assemble(llvm::StringRef ptx, llvm::StringRef chip);

} // namespace mix::cuda

#endif // MIXWRIGHT_CODEGEN_CUDA_ASSEMBLE_H
