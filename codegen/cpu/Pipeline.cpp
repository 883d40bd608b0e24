//===- Pipeline.cpp - The passes of the CPU target in order -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace mix;

namespace {

struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<std::string> chip{*this, "chip", llvm::cl::desc("row of the chip table to emit for"),
                           llvm::cl::init("native")};
};

} // namespace

void cpu::buildCpuPipeline(OpPassManager &pm, StringRef chip) {
  std::string name = chip.str();
  pm.addNestedPass<func::FuncOp>(createCpuPairProducts({name}));
  pm.addNestedPass<func::FuncOp>(createCpuFuseConversions({name}));
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createCpuAssignLayouts({name}));
  pm.addNestedPass<func::FuncOp>(createCpuFuseReductions());
  pm.addNestedPass<func::FuncOp>(createCpuAssignBuffers({name}));
  pm.addPass(createCpuEmit({name}));
  pm.addPass(createCpuLowerMath({name}));
  pm.addPass(createCpuToLLVM());
}

void cpu::registerCpuPipeline() {
  PassPipelineRegistration<PipelineOptions>("mix-cpu-pipeline",
                                            "from tile programs to the LLVM dialect",
                                            [](OpPassManager &pm, const PipelineOptions &options) {
                                              buildCpuPipeline(pm, options.chip);
                                            });
}
