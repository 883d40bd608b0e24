//===- Pipelines.cpp - The pipelines that ship ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

void mix::buildNormalizePipeline(OpPassManager &manager) {
  OpPassManager &function = manager.nest<func::FuncOp>();
  auto simplify = [&] {
    function.addPass(createCanonicalizerPass());
    function.addPass(createCSEPass());
  };
  simplify();
  function.addPass(createLiftMaps());
  simplify();
  function.addPass(createNormalizeRecurrences());
  simplify();
}

void mix::registerMixPipelines() {
  PassPipelineRegistration<>("mix-normalize", "Bring mixers from L1 to their normal forms (L2)",
                             buildNormalizePipeline);
}
