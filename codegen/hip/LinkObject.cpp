//===- LinkObject.cpp - Code objects of AMD GPUs ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/hip/LinkObject.h"
#include "codegen/gpu/ScratchFile.h"
#include "lld/Common/Driver.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mix;

llvm::Expected<std::string> hip::linkObject(llvm::StringRef object) {
  auto input = gpu::ScratchFile::create(object);
  if (!input)
    return input.takeError();
  auto output = gpu::ScratchFile::create();
  if (!output)
    return output.takeError();
  const char *words[] = {"ld.lld", "-shared", (*input)->getPath(), "-o", (*output)->getPath()};
  // LLVM's linker keeps what it is doing in one global.
  static std::mutex lock;
  std::lock_guard<std::mutex> guard(lock);
  std::string messages;
  llvm::raw_string_ostream os(messages);
  if (lld::lldMain(words, os, os, {{lld::Gnu, &lld::elf::link}}).retCode != 0)
    return llvm::createStringError("LLVM's linker refused the kernels: " + messages);
  return (*output)->read();
}
