//===- Pipelines.cpp - The pipelines that ship ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void mix::buildNormalizePipeline(OpPassManager &manager) {
  OpPassManager &function = manager.nest<func::FuncOp>();
  auto simplify = [&] {
    function.addPass(createCanonicalizerPass());
    function.addPass(createCSEPass());
  };
  simplify();
  function.addPass(createIndexTokens());
  function.addPass(createLiftMaps());
  function.addPass(createMergeVariables());
  function.addPass(createSelectPositions());
  function.addPass(createSinkReads());
  simplify();
  function.addPass(createNormalizeRecurrences());
  simplify();
  function.addPass(createStreamSoftmax());
  function.addPass(createPrefixReductions());
  function.addPass(createSeparateSums());
  simplify();
  manager.addPass(createVerifyLevel({/*level=*/2}));
}

void mix::buildTilePipeline(OpPassManager &manager, const TileMixersOptions &options) {
  if (options.form == "step" || options.form == "prefill") {
    manager.addPass(createDeriveStep());
    manager.nest<func::FuncOp>().addPass(createCanonicalizerPass());
    manager.nest<func::FuncOp>().addPass(createCSEPass());
  } else {
    manager.nest<func::FuncOp>().addPass(createBindKeys());
  }
  if (options.form == "chunked") {
    manager.nest<func::FuncOp>().addPass(createSplitBlocks());
    manager.nest<func::FuncOp>().addPass(createCanonicalizerPass());
    manager.nest<func::FuncOp>().addPass(createCSEPass());
  }
  manager.addPass(createTileMixers(options));
  // Not the canonicalizer: it would remove a grid of one task.
  manager.nest<func::FuncOp>().addPass(createCSEPass());
}

namespace {
/// The options of `mix-tile`, for the pipeline.
struct TilePipelineOptions : PassPipelineOptions<TilePipelineOptions> {
  mix::TileMixersOptions defaults;
  Option<std::string> form{*this, "form", llvm::cl::init(defaults.form)};
  Option<std::string> element{*this, "element", llvm::cl::init(defaults.element)};
  Option<std::string> state{*this, "state", llvm::cl::init(defaults.state)};
  Option<int64_t> chunk{*this, "chunk", llvm::cl::init(defaults.chunk)};
  Option<int64_t> rows{*this, "rows", llvm::cl::init(defaults.rows)};
  Option<int64_t> keys{*this, "keys", llvm::cl::init(defaults.keys)};
  Option<int64_t> featureBlock{*this, "feature-block", llvm::cl::init(defaults.featureBlock)};
  Option<int64_t> stateElements{*this, "state-elements", llvm::cl::init(defaults.stateElements)};
};
} // namespace

void mix::registerMixPipelines() {
  PassPipelineRegistration<>("mix-normalize", "Bring mixers from L1 to their normal forms (L2)",
                             buildNormalizePipeline);
  PassPipelineRegistration<TilePipelineOptions>(
      "mix-tile-pipeline", "Turn mixers in normal form (L2) into tile programs (L3)",
      [](OpPassManager &manager, const TilePipelineOptions &options) {
        buildTilePipeline(manager, {options.form, options.element, options.state, options.chunk,
                                    options.rows, options.keys, options.featureBlock,
                                    options.stateElements});
      });
}
