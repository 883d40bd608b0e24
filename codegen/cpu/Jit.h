//===- Jit.h - Kernels in this process --------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_JIT_H
#define MIXWRIGHT_CODEGEN_CPU_JIT_H

#include "mixwright/abi.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <vector>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace mix::cpu {

/// Object code that was made callable. What it gives out lives as long as it does.
class LoadedObject {
public:
  ~LoadedObject();

  /// The kernels of the object, in the order of their symbols.
  llvm::ArrayRef<const mixwright_kernel *> getKernels() const { return kernels; }

  /// The address of any exported symbol.
  llvm::Expected<void *> lookup(llvm::StringRef symbol) const;

private:
  LoadedObject(std::unique_ptr<llvm::orc::LLJIT> jit);
  friend llvm::Expected<std::unique_ptr<LoadedObject>> load(llvm::ArrayRef<char> object);

  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::vector<const mixwright_kernel *> kernels;
};

/// Links an object for this machine into the process; names that it does not
/// define are looked up in the process. Kernels of another ABI version are an error.
llvm::Expected<std::unique_ptr<LoadedObject>> load(llvm::ArrayRef<char> object);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_JIT_H
