//===- LiftMaps.cpp - Maps become straight-line code ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "passes/Lift.h"
#include "passes/Passes.h"

using namespace mlir;

namespace mix {

#define GEN_PASS_DEF_LIFTMAPS
#include "passes/Passes.h.inc"

static LogicalResult liftMap(ForOp map) {
  OpBuilder builder(map);
  Lifter lifter(builder, map, chooseWalkAxis(map), getWalkSize(map));
  Operation *yield = map.getBody().front().getTerminator();
  for (auto [value, result] : llvm::zip(yield->getOperands(), map.getOutputs())) {
    Value lifted = lifter.liftFully(value);
    if (!lifted)
      return failure();
    auto type = renameAxis(lifted.getType(), lifter.getAxis(), map.getSpace());
    Value bound = BindOp::create(builder, value.getLoc(), type, lifted,
                                 builder.getStringAttr(lifter.getAxis()));
    result.replaceAllUsesWith(broadcastTo(builder, value.getLoc(), bound, result.getType()));
  }
  map.erase();
  return success();
}

namespace {
struct LiftMaps : impl::LiftMapsBase<LiftMaps> {
  void runOnOperation() override {
    // Innermost maps first, so that a map of maps has straight-line code to lift.
    SmallVector<ForOp> maps;
    getOperation().walk([&](ForOp loop) {
      if (loop.getNumStates() == 0)
        maps.push_back(loop);
    });
    for (ForOp map : maps) {
      if (failed(liftMap(map)))
        return signalPassFailure();
      ++numLifted;
    }
  }
};
} // namespace

} // namespace mix
