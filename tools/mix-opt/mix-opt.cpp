//===- mix-opt.cpp - Run passes and pipelines on .mlir files ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Passes.h"
#include "codegen/gpu/Passes.h"
#include "dialect/Mix.h"
#include "dialect/Tile.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mix::registerMixPasses();
  mix::registerMixPipelines();
  mix::cpu::registerCpuPasses();
  mix::cpu::registerCpuPipeline();
  mix::gpu::registerGpuPasses();
  mix::gpu::registerGpuPipeline();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<mix::MixDialect, mix::tile::TileDialect>();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Mixwright optimizer driver\n", registry));
}
