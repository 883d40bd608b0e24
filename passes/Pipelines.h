//===- Pipelines.h - The pipelines that ship --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_PIPELINES_H
#define MIXWRIGHT_PASSES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"

namespace mix {

/// L1 to L2: `mix-opt --mix-normalize`.
void buildNormalizePipeline(mlir::OpPassManager &manager);

/// L2 to L3: `mix-opt --mix-tile-pipeline="form=chunked element=f32"`; feature axes have
/// static sizes.
void buildTilePipeline(mlir::OpPassManager &manager, const TileMixersOptions &options);

/// Makes the pipelines known to the command line.
void registerMixPipelines();

} // namespace mix

#endif // MIXWRIGHT_PASSES_PIPELINES_H
