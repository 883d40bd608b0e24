//===- Machine.cpp - The machine of a chip ----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Machine.h"
#include "codegen/cuda/CudaMachine.h"
#include "codegen/hip/HipMachine.h"

using namespace mix;

std::unique_ptr<gpu::Machine> gpu::createMachine(const GpuChip &chip) {
  if (chip.vendor == GpuVendor::Nvidia)
    return std::make_unique<cuda::CudaMachine>(chip);
  return std::make_unique<hip::HipMachine>(chip);
}
