//===- GpuChips.h - The table of GPUs ---------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chip is a row of this table. Code generation asks the row and nothing else
// about the machine that it emits for.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPUCHIPS_H
#define MIXWRIGHT_CODEGEN_GPUCHIPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mix {

enum class GpuVendor { Nvidia, Amd };

/// How a chip multiplies matrices of f32.
enum class MatrixUnit {
  None,    ///< It does not: products are fused multiply-adds of single elements.
  MmaTf32, ///< mma.sync m16n8k8 on tf32. An f32 product is three of them.
  MfmaF32  ///< v_mfma_f32_16x16x4_f32, which is exact.
};

/// How it multiplies matrices of bf16 or f16, with accumulators of f32.
enum class NarrowMatrixUnit {
  Mma16,   ///< mma.sync m16n8k16.
  Wgmma16, ///< wgmma m64nNk16 where a product fits, and mma.sync for the others.
  Mfma16,  ///< v_mfma_f32_16x16x16.
  Wmma11,  ///< v_wmma_f32_16x16x16 of gfx11: both halves of a wave hold all of the factors.
  Wmma12   ///< The same of gfx12: each half holds half of the sum.
};

struct GpuChip {
  std::string name; ///< What users write and what kernels are labelled with.
  GpuVendor vendor;
  std::string cpu;      ///< LLVM's name of the processor.
  std::string features; ///< LLVM's feature string.
  MatrixUnit matrix;
  NarrowMatrixUnit narrowMatrix;
  int64_t warp;    ///< Threads that run in step (NVIDIA: warp, AMD: wave).
  int64_t threads; ///< Of a block. Four warps, so that each of a multiprocessor's quarters has one.
  int64_t sharedBytes; ///< The most shared memory (AMD: LDS) of a block.
};

/// All rows.
llvm::ArrayRef<GpuChip> getGpuChips();

/// The row of that name, or null.
const GpuChip *findGpuChip(llvm::StringRef name);

/// The instruction by which a warp of a chip multiplies matrices of f32, or of 16-bit reals:
/// "mma.sync m16n8k16"; or by which its warps do so together.
std::string getInstructionName(const GpuChip &chip, bool isF32, bool isJoint);

/// The names of all rows, for messages: "sm_80, sm_86, ...".
std::string getGpuChipNames();

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_GPUCHIPS_H
