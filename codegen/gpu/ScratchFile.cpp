//===- ScratchFile.cpp - Files for tools that want files --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/ScratchFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mix::gpu;

static llvm::Error fail(std::error_code code) {
  return llvm::createStringError("cannot use a temporary file: " + code.message());
}

llvm::Expected<std::unique_ptr<ScratchFile>> ScratchFile::create(llvm::StringRef contents) {
  std::unique_ptr<ScratchFile> scratch(new ScratchFile);
  llvm::SmallString<128> path;
  int descriptor;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("mixwright", "tmp", descriptor, path))
    return fail(code);
  scratch->path = path.str();
  llvm::raw_fd_ostream file(descriptor, /*shouldClose=*/true);
  file << contents;
  file.close();
  if (std::error_code code = file.error()) {
    file.clear_error();
    return fail(code);
  }
  return scratch;
}

ScratchFile::~ScratchFile() {
  if (!path.empty())
    llvm::sys::fs::remove(path);
}

llvm::Expected<std::string> ScratchFile::read() const {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fail(buffer.getError());
  return (*buffer)->getBuffer().str();
}
