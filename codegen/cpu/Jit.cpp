//===- Jit.cpp - Kernels in this process ------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Jit.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>

using namespace mix::cpu;

LoadedObject::LoadedObject(std::unique_ptr<llvm::orc::LLJIT> jit) : jit(std::move(jit)) {}
LoadedObject::~LoadedObject() = default;

llvm::Expected<void *> LoadedObject::lookup(llvm::StringRef symbol) const {
  llvm::Expected<llvm::orc::ExecutorAddr> address = jit->lookup(symbol);
  if (!address)
    return address.takeError();
  return address->toPtr<void *>();
}

/// The kernel descriptions that the object defines.
static llvm::Expected<std::vector<std::string>> findKernelSymbols(llvm::MemoryBufferRef buffer) {
  auto object = llvm::object::ObjectFile::createObjectFile(buffer);
  if (!object)
    return object.takeError();
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef &symbol : (*object)->symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    if (name->starts_with(MIXWRIGHT_KERNEL_PREFIX))
      names.push_back(name->str());
  }
  return names;
}

static void initializeHostTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

llvm::Expected<std::unique_ptr<LoadedObject>> mix::cpu::load(llvm::ArrayRef<char> object) {
  initializeHostTarget();
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy({object.data(), object.size()}, "kernel");
  auto symbols = findKernelSymbols(*buffer);
  if (!symbols)
    return symbols.takeError();

  // The objects have no constructors, so no platform has to be set up to run them.
  auto jit = llvm::orc::LLJITBuilder().setPlatformSetUp(llvm::orc::setUpInactivePlatform).create();
  if (!jit)
    return jit.takeError();
  if (llvm::Error error = (*jit)->addObjectFile(std::move(buffer)))
    return std::move(error);

  std::unique_ptr<LoadedObject> loaded(new LoadedObject(std::move(*jit)));
  for (const std::string &symbol : *symbols) {
    llvm::Expected<void *> address = loaded->lookup(symbol);
    if (!address)
      return address.takeError();
    auto *kernel = static_cast<const mixwright_kernel *>(*address);
    if (kernel->abi_version != MIXWRIGHT_ABI_VERSION)
      return llvm::createStringError("kernel '%s' has ABI version %u, expected %u", symbol.c_str(),
                                     kernel->abi_version, MIXWRIGHT_ABI_VERSION);
    loaded->kernels.push_back(kernel);
  }
  return loaded;
}
