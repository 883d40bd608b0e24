//===- GpuChips.cpp - The table of GPUs -------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/GpuChips.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mix;

static constexpr int64_t kKiB = 1024;

llvm::ArrayRef<GpuChip> mix::getGpuChips() {
  constexpr GpuVendor nvidia = GpuVendor::Nvidia, amd = GpuVendor::Amd;
  // Shared memory: CUDA C++ Programming Guide, "Technical specifications per compute
  // capability", the most that one block may have; LDS: 64 KiB on all of these. The PTX
  // version is the least that has all instructions of the row, so that old drivers load it.
  constexpr MatrixUnit tf32 = MatrixUnit::MmaTf32, mfma = MatrixUnit::MfmaF32,
                       none = MatrixUnit::None;
  constexpr NarrowMatrixUnit mma16 = NarrowMatrixUnit::Mma16, wgmma16 = NarrowMatrixUnit::Wgmma16,
                             mfma16 = NarrowMatrixUnit::Mfma16, wmma11 = NarrowMatrixUnit::Wmma11,
                             wmma12 = NarrowMatrixUnit::Wmma12;
  static const std::vector<GpuChip> chips = {
      {"sm_80", nvidia, "sm_80", "+ptx70", tf32, mma16, 32, 128, 163 * kKiB},
      {"sm_86", nvidia, "sm_86", "+ptx71", tf32, mma16, 32, 128, 99 * kKiB},
      {"sm_89", nvidia, "sm_89", "+ptx78", tf32, mma16, 32, 128, 99 * kKiB},
      {"sm_90", nvidia, "sm_90", "+ptx78", tf32, mma16, 32, 128, 227 * kKiB},
      {"sm_90a", nvidia, "sm_90a", "+ptx80", tf32, wgmma16, 32, 128, 227 * kKiB},
      {"gfx90a", amd, "gfx90a", "+wavefrontsize64", mfma, mfma16, 64, 256, 64 * kKiB},
      {"gfx942", amd, "gfx942", "+wavefrontsize64", mfma, mfma16, 64, 256, 64 * kKiB},
      {"gfx1100", amd, "gfx1100", "+wavefrontsize32", none, wmma11, 32, 128, 64 * kKiB},
      {"gfx1201", amd, "gfx1201", "+wavefrontsize32", none, wmma12, 32, 128, 64 * kKiB},
  };
  return chips;
}

const GpuChip *mix::findGpuChip(llvm::StringRef name) {
  const GpuChip *found =
      llvm::find_if(getGpuChips(), [&](const GpuChip &chip) { return chip.name == name; });
  return found == getGpuChips().end() ? nullptr : found;
}

std::string mix::getGpuChipNames() {
  std::string names;
  for (const GpuChip &chip : getGpuChips())
    names += (names.empty() ? "" : ", ") + chip.name;
  return names;
}

static std::string getName(MatrixUnit unit) {
  switch (unit) {
  case MatrixUnit::None:
    return "fused multiply-adds";
  case MatrixUnit::MmaTf32:
    return "mma.sync m16n8k8 on tf32, up to three per product of f32";
  case MatrixUnit::MfmaF32:
    return "v_mfma_f32_16x16x4_f32";
  }
  llvm_unreachable("a unit without a name");
}

static std::string getName(NarrowMatrixUnit unit) {
  switch (unit) {
  case NarrowMatrixUnit::Mma16:
  case NarrowMatrixUnit::Wgmma16:
    return "mma.sync m16n8k16";
  case NarrowMatrixUnit::Mfma16:
    return "v_mfma_f32_16x16x16";
  case NarrowMatrixUnit::Wmma11:
  case NarrowMatrixUnit::Wmma12:
    return "v_wmma_f32_16x16x16";
  }
  llvm_unreachable("a unit without a name");
}

std::string mix::getInstructionName(const GpuChip &chip, bool isF32, bool isJoint) {
  if (isJoint)
    return "wgmma m64nNk16";
  return isF32 ? getName(chip.matrix) : getName(chip.narrowMatrix);
}
