//===- ScratchFile.h - Files for tools that want files ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_SCRATCHFILE_H
#define MIXWRIGHT_CODEGEN_GPU_SCRATCHFILE_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace mix::gpu {

/// A file in the folder for temporary ones, which goes when this does.
class ScratchFile {
public:
  static llvm::Expected<std::unique_ptr<ScratchFile>> create(llvm::StringRef contents = "");
  ~ScratchFile();
  ScratchFile(const ScratchFile &) = delete;
  ScratchFile &operator=(const ScratchFile &) = delete;

  const char *getPath() const { return path.c_str(); }
  llvm::Expected<std::string> read() const;

private:
  ScratchFile() = default;

  std::string path;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_SCRATCHFILE_H
