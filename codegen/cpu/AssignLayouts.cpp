//===- AssignLayouts.cpp - Which axis of a tile lies along the lanes --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUASSIGNLAYOUTS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

namespace {
struct AssignLayouts : mix::cpu::impl::CpuAssignLayoutsBase<AssignLayouts> {
  using CpuAssignLayoutsBase::CpuAssignLayoutsBase;
  void runOnOperation() override {}
};
} // namespace
