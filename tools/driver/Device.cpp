//===- Device.cpp - From a spec to GPU kernels ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Device.h"
#include "codegen/GpuChips.h"
#include "codegen/gpu/Describe.h"
#include "codegen/gpu/Target.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Expected;
using llvm::StringRef;

/// Large tiles first: their products reuse what they read more often.
static constexpr TileSizes kTileSizes[] = {{64, 64, 64}, {32, 64, 64}, {32, 64, 32}, {16, 32, 32},
                                           {16, 16, 32}, {16, 16, 16}, {8, 8, 16},   {4, 4, 8}};

/// Registers of a thread for states: an eighth of those that it can have, which leaves enough for
/// the tiles of a chunk. Smaller states also make more blocks, which few heads need to fill a chip.
static constexpr int64_t kStateRegisters = 32;

Expected<LoweredProgram> mix::driver::tileForGpu(Spec &spec, const SizeMap &sizes,
                                                 KernelOptions options) {
  const GpuChip *chip = findGpuChip(options.chip);
  if (!chip)
    return createStringError("unknown GPU '" + options.chip + "'; known are " + getGpuChipNames());
  int64_t least = 0;
  for (const TileSizes &tiles : kTileSizes) {
    options.tiles = tiles;
    options.tiles.stateElements = chip->threads * kStateRegisters;
    Expected<LoweredProgram> lowered = tile(spec, sizes, options);
    if (!lowered)
      return lowered.takeError();
    Expected<int64_t> bytes = gpu::getSharedBytes(*lowered->program.module, options.chip);
    if (!bytes)
      return bytes.takeError();
    if (*bytes <= chip->sharedBytes)
      return lowered;
    least = *bytes;
  }
  return createStringError("the smallest tiles of this mixer take " + std::to_string(least) +
                           " bytes of shared memory, and a block of " + chip->name + " has " +
                           std::to_string(chip->sharedBytes) + "; smaller feature sizes would fit");
}

/// LLVM's linker, of our own version if there is one by that name: objects of AMD GPUs have formats
/// that older ones do not know.
static std::string getLinker() {
  std::string own = "ld.lld-" + std::to_string(LLVM_VERSION_MAJOR);
  return llvm::sys::findProgramByName(own) ? own : "ld.lld";
}

/// Runs a program that makes one file of another, and reads that.
static Expected<std::string> runTool(StringRef program, ArrayRef<StringRef> flags,
                                     StringRef input) {
  auto path = llvm::sys::findProgramByName(program);
  if (!path)
    return createStringError("this needs the program '" + program + "', which is not on the PATH");
  llvm::SmallString<128> from, to;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("mixwright", "in", from))
    return createStringError("cannot write a temporary file: " + code.message());
  llvm::FileRemover removeFrom(from);
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("mixwright", "out", to))
    return createStringError("cannot write a temporary file: " + code.message());
  llvm::FileRemover removeTo(to);
  std::error_code code;
  llvm::raw_fd_ostream file(from, code);
  file << input;
  file.close();
  if (code || file.has_error()) {
    file.clear_error();
    return createStringError("cannot write a temporary file");
  }
  llvm::SmallVector<StringRef> words = {*path};
  llvm::append_range(words, flags);
  words.append({from, "-o", to});
  if (llvm::sys::ExecuteAndWait(*path, words) != 0)
    return createStringError("'" + program + "' refused the kernels");
  auto result = llvm::MemoryBuffer::getFile(to, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!result)
    return createStringError("cannot read what '" + program + "' wrote");
  return (*result)->getBuffer().str();
}

static Expected<std::string> makeCode(const gpu::DeviceModule &device, StringRef chip,
                                      StringRef kind) {
  if (kind == "llvm") {
    std::string text;
    llvm::raw_string_ostream os(text);
    device.module->print(os, nullptr);
    return text;
  }
  bool isObject = kind == "hsaco";
  auto code =
      gpu::emitCode(device, chip, isObject ? gpu::CodeKind::Object : gpu::CodeKind::Assembly);
  if (!code)
    return code.takeError();
  if (kind == "hsaco")
    return runTool(getLinker(), {"-shared"}, *code);
  if (kind == "cubin") {
    std::string architecture = "-arch=" + chip.str();
    return runTool("ptxas", {architecture}, *code);
  }
  return code;
}

Expected<std::string> mix::driver::compileForGpu(ModuleOp phases, StringRef chip, StringRef kind) {
  auto device = gpu::compile(phases, chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  return makeCode(*device, chip, kind);
}

Expected<OwningOpRef<ModuleOp>> mix::driver::describeForGpu(ModuleOp phases, StringRef chip,
                                                            bool isEmulated) {
  const GpuChip *row = findGpuChip(chip);
  OwningOpRef<ModuleOp> lowered = phases.clone();
  auto device = gpu::compile(*lowered, chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  StringRef kind = isEmulated ? "llvm" : row->vendor == GpuVendor::Nvidia ? "ptx" : "hsaco";
  Expected<std::string> image = makeCode(*device, chip, kind);
  if (!image)
    return image.takeError();
  return gpu::describe(phases, *device, chip, std::move(*image));
}
