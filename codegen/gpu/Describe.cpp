//===- Describe.cpp - The constant that describes a device kernel -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Describe.h"
#include "codegen/Describe.h"
#include "codegen/GpuChips.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// DLPack's numbers of devices: kDLCUDA, kDLROCM.
static constexpr int32_t kCudaDevice = 2, kRocmDevice = 10;

/// The image of a chip. Code for "sm_80" is PTX, which later chips run too; names that go on after
/// the number, "sm_90a", are of PTX that no other chip runs.
static KernelImage makeImage(const GpuChip &chip, DeviceCode code) {
  KernelImage image = {kRocmDevice, 0, false, std::move(code.image), std::move(code.assembled)};
  if (chip.vendor != GpuVendor::Nvidia)
    return image;
  StringRef name = chip.name;
  name.consume_front("sm_");
  name.consumeInteger(10, image.architecture);
  image.isPortable = name.empty();
  image.deviceType = kCudaDevice;
  return image;
}

llvm::Expected<OwningOpRef<ModuleOp>> gpu::describe(ModuleOp phases, const DeviceModule &device,
                                                    StringRef chip, DeviceCode code) {
  const GpuChip *row = findGpuChip(chip);
  if (!row)
    return llvm::createStringError("unknown GPU '%s'; known are %s", chip.str().c_str(),
                                   getGpuChipNames().c_str());
  SmallVector<std::pair<int64_t, func::FuncOp>> sorted;
  for (auto phase : phases.getOps<func::FuncOp>())
    if (auto number = phase->getAttrOfType<IntegerAttr>("tile.phase"))
      sorted.push_back({number.getInt(), phase});
  llvm::sort(sorted, llvm::less_first());
  if (sorted.empty() || sorted.size() != device.kernels.size())
    return llvm::createStringError("%zu phases, but %zu kernels", sorted.size(),
                                   device.kernels.size());
  SmallVector<DescribedPhase> described;
  for (auto [phase, kernel] : llvm::zip_equal(sorted, device.kernels))
    described.push_back({phase.second, kernel.symbol, kernel.sharedBytes, kernel.threads});
  phases.getContext()->loadDialect<LLVM::LLVMDialect>();
  OwningOpRef<ModuleOp> host = ModuleOp::create(phases.getLoc());
  OpBuilder b = OpBuilder::atBlockEnd(host->getBody());
  if (failed(emitDescription(b, described, {row->name, 0, makeImage(*row, std::move(code))})))
    return llvm::createStringError("the kernels for %s could not be described", chip.str().c_str());
  return host;
}
