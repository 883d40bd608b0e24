//===- Assemble.cpp - Machine code of NVIDIA GPUs ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/Assemble.h"
#include "codegen/gpu/ScratchFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/DynamicLibrary.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace mix;
using llvm::createStringError;
using llvm::Expected;
using llvm::StringRef;

/// The toolkits that the environment names.
static std::vector<std::string> getToolkits() {
  std::vector<std::string> folders;
  for (StringRef variable : {"CUDA_PATH", "CUDA_HOME"})
    if (std::optional<std::string> folder = llvm::sys::Process::GetEnv(variable))
      folders.push_back(*folder);
  return folders;
}

static std::string join(StringRef folder, StringRef part, StringRef name) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, part, name);
  return path.str().str();
}

//===----------------------------------------------------------------------===//
// ptxas
//===----------------------------------------------------------------------===//

static std::optional<std::string> findPtxas() {
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  for (const std::string &folder : getToolkits())
    if (auto path = llvm::sys::findProgramByName(join(folder, "bin", "ptxas")))
      return *path;
  return std::nullopt;
}

static Expected<std::string> runPtxas(StringRef program, StringRef ptx, StringRef chip) {
  auto input = gpu::ScratchFile::create(ptx);
  if (!input)
    return input.takeError();
  auto output = gpu::ScratchFile::create();
  if (!output)
    return output.takeError();
  auto messages = gpu::ScratchFile::create();
  if (!messages)
    return messages.takeError();
  std::string architecture = ("-arch=" + chip).str();
  StringRef words[] = {program, architecture, (*input)->getPath(), "-o", (*output)->getPath()};
  std::optional<StringRef> streams[] = {StringRef(), StringRef((*messages)->getPath()),
                                        StringRef((*messages)->getPath())};
  if (llvm::sys::ExecuteAndWait(program, words, std::nullopt, streams) == 0)
    return (*output)->read();
  Expected<std::string> text = (*messages)->read();
  if (!text)
    return text.takeError();
  return createStringError("ptxas refused the kernels: " + StringRef(*text).trim());
}

//===----------------------------------------------------------------------===//
// nvJitLink
//===----------------------------------------------------------------------===//

namespace {

/// nvJitLink.h of CUDA 12 and later: its functions and numbers. The names without a version
/// are those of the library that was found.
class JitLink {
public:
  static std::optional<JitLink> find();

  Expected<std::string> assemble(StringRef ptx, StringRef chip) const;

private:
  static constexpr int kPtxInput = 2; // NVJITLINK_INPUT_PTX

  std::string getLog(void *link) const;

  int (*create)(void **link, uint32_t numOptions, const char *const *options);
  int (*destroy)(void **link);
  int (*addData)(void *link, int kind, const void *data, size_t bytes, const char *name);
  int (*complete)(void *link);
  int (*getCubinSize)(void *link, size_t *bytes);
  int (*getCubin)(void *link, void *cubin);
  int (*getErrorLogSize)(void *link, size_t *bytes);
  int (*getErrorLog)(void *link, char *log);
};

} // namespace

static llvm::sys::DynamicLibrary openJitLink() {
  llvm::SmallVector<std::string> paths;
  for (StringRef name : {"libnvJitLink.so.13", "libnvJitLink.so.12"}) {
    paths.push_back(name.str());
    for (const std::string &folder : getToolkits())
      paths.push_back(join(folder, "lib64", name));
  }
  for (const std::string &path : paths) {
    auto library = llvm::sys::DynamicLibrary::getPermanentLibrary(path.c_str());
    if (library.isValid())
      return library;
  }
  return llvm::sys::DynamicLibrary();
}

std::optional<JitLink> JitLink::find() {
  static llvm::sys::DynamicLibrary library = openJitLink();
  if (!library.isValid())
    return std::nullopt;
  JitLink link;
  bool isComplete = true;
  auto bind = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(library.getAddressOfSymbol(name));
    isComplete &= function != nullptr;
  };
  bind(link.create, "nvJitLinkCreate");
  bind(link.destroy, "nvJitLinkDestroy");
  bind(link.addData, "nvJitLinkAddData");
  bind(link.complete, "nvJitLinkComplete");
  bind(link.getCubinSize, "nvJitLinkGetLinkedCubinSize");
  bind(link.getCubin, "nvJitLinkGetLinkedCubin");
  bind(link.getErrorLogSize, "nvJitLinkGetErrorLogSize");
  bind(link.getErrorLog, "nvJitLinkGetErrorLog");
  return isComplete ? std::optional<JitLink>(link) : std::nullopt;
}

std::string JitLink::getLog(void *link) const {
  size_t bytes = 0;
  if (getErrorLogSize(link, &bytes) != 0 || bytes == 0)
    return "it does not say why";
  std::string log(bytes, '\0');
  getErrorLog(link, log.data());
  return StringRef(log.c_str()).trim().str();
}

Expected<std::string> JitLink::assemble(StringRef ptx, StringRef chip) const {
  std::string architecture = ("-arch=" + chip).str(), terminated = ptx.str();
  const char *options[] = {architecture.c_str()};
  void *link = nullptr;
  if (create(&link, 1, options) != 0)
    return createStringError("nvJitLink makes no code for " + chip);
  size_t bytes = 0;
  std::string cubin;
  bool isMade =
      addData(link, kPtxInput, terminated.c_str(), terminated.size() + 1, "kernels") == 0 &&
      complete(link) == 0 && getCubinSize(link, &bytes) == 0;
  if (isMade) {
    cubin.resize(bytes);
    isMade = getCubin(link, cubin.data()) == 0;
  }
  std::string log = isMade ? "" : getLog(link);
  destroy(&link);
  if (!isMade)
    return createStringError("nvJitLink refused the kernels: " + log);
  return cubin;
}

//===----------------------------------------------------------------------===//
// Either
//===----------------------------------------------------------------------===//

bool cuda::canAssemble() { return findPtxas() || JitLink::find(); }

Expected<std::string> cuda::assemble(StringRef ptx, StringRef chip) {
  if (std::optional<std::string> ptxas = findPtxas())
    return runPtxas(*ptxas, ptx, chip);
  if (std::optional<JitLink> link = JitLink::find())
    return link->assemble(ptx, chip);
  return createStringError("machine code of NVIDIA GPUs needs 'ptxas' on the PATH or in CUDA_PATH, "
                           "or the library libnvJitLink.so.13 or .12; there is none of them");
}
