//===- LinkObject.h - Code objects of AMD GPUs ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_HIP_LINKOBJECT_H
#define MIXWRIGHT_CODEGEN_HIP_LINKOBJECT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mix::hip {

/// What HIP loads (a shared library of the GPU, "hsaco") of an object of the AMDGPU back end.
llvm::Expected<std::string> linkObject(llvm::StringRef object);

} // namespace mix::hip

#endif // MIXWRIGHT_CODEGEN_HIP_LINKOBJECT_H
