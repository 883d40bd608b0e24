//===- Pipeline.cpp - The passes of the GPU targets in order ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mix;

namespace {

struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> chip{*this, "chip", llvm::cl::desc("row of the table of GPUs to emit for"),
                           llvm::cl::init("sm_80")};
};

} // namespace

void gpu::buildGpuPreparation(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createGpuFoldConversions());
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
}

void gpu::buildGpuPipeline(OpPassManager &pm, StringRef chip) {
  std::string name = chip.str();
  buildGpuPreparation(pm);
  pm.addPass(createGpuEmit({name}));
  pm.addPass(createCSEPass());
  pm.addPass(createGpuLowerMath({name}));
  pm.addPass(createGpuToLLVM());
}

void gpu::registerGpuPipeline() {
  PassPipelineRegistration<PipelineOptions>("mix-gpu-pipeline",
                                            "from tile programs to the LLVM dialect of a GPU",
                                            [](OpPassManager &pm, const PipelineOptions &options) {
                                              buildGpuPipeline(pm, options.chip);
                                            });
}
