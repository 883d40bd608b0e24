//===- Device.cpp - From a spec to GPU kernels ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Device.h"
#include "codegen/GpuChips.h"
#include "codegen/cuda/Assemble.h"
#include "codegen/gpu/Describe.h"
#include "codegen/gpu/Report.h"
#include "codegen/gpu/Target.h"
#include "codegen/hip/LinkObject.h"

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
    auto phases = gpu::report(*lowered->program.module, options.chip);
    if (!phases)
      return phases.takeError();
    least = 0;
    for (const gpu::PhaseReport &phase : *phases)
      least = std::max(least, phase.sharedBytes);
    if (least <= chip->sharedBytes)
      return lowered;
  }
  return createStringError("the smallest tiles of this mixer take " + std::to_string(least) +
                           " bytes of shared memory, and a block of " + chip->name + " has " +
                           std::to_string(chip->sharedBytes) + "; smaller feature sizes would fit");
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
  if (isObject)
    return hip::linkObject(*code);
  return kind == "cubin" ? cuda::assemble(*code, chip) : std::move(code);
}

Expected<std::string> mix::driver::compileForGpu(ModuleOp phases, StringRef chip, StringRef kind) {
  auto device = gpu::compile(phases, chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  return makeCode(*device, chip, kind);
}

/// Adds machine code to PTX, if something here can make it; else a note that says why there is
/// none.
static void addAssembled(gpu::DeviceCode &code, StringRef chip, std::string &note) {
  if (!cuda::canAssemble()) {
    note = "the kernels for " + chip.str() +
           " are PTX only, which the driver compiles when it loads them: machine code needs ptxas "
           "or nvJitLink";
    return;
  }
  Expected<std::string> assembled = cuda::assemble(code.image, chip);
  if (assembled)
    code.assembled = std::move(*assembled);
  else
    note = "the kernels for " + chip.str() + " are PTX only: " + toString(assembled.takeError());
}

Expected<DescribedDevice> mix::driver::describeForGpu(ModuleOp phases, StringRef chip,
                                                      DeviceCodeKind kind) {
  OwningOpRef<ModuleOp> lowered = phases.clone();
  auto device = gpu::compile(*lowered, chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  bool isNvidia = findGpuChip(chip)->vendor == GpuVendor::Nvidia;
  Expected<std::string> image = makeCode(*device, chip,
                                         kind == DeviceCodeKind::Emulated ? "llvm"
                                         : isNvidia                       ? "ptx"
                                                                          : "hsaco");
  if (!image)
    return image.takeError();
  DescribedDevice described;
  gpu::DeviceCode code = {std::move(*image), ""};
  if (kind == DeviceCodeKind::Assembled && isNvidia)
    addAssembled(code, chip, described.note);
  auto module = gpu::describe(phases, *device, chip, std::move(code));
  if (!module)
    return module.takeError();
  described.module = std::move(*module);
  return described;
}
