//===- AssignBuffers.cpp - Places of tiles in scratch memory ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/TilePlaces.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/ProductFusion.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUASSIGNBUFFERS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Writes places into the attributes that `mix-cpu-emit` reads.
static void annotate(func::FuncOp phase, const TilePlaces &places) {
  OpBuilder b(phase);
  phase.walk([&](Operation *op) {
    SmallVector<int64_t> offsets;
    for (Value result : op->getResults()) {
      auto place = places.offsets.find(result);
      offsets.push_back(place == places.offsets.end() ? -1 : place->second);
    }
    if (llvm::any_of(offsets, [](int64_t offset) { return offset >= 0; }))
      op->setAttr(kPlace, b.getDenseI64ArrayAttr(offsets));
    auto temporary = places.temporaries.find(op);
    if (temporary != places.temporaries.end())
      op->setAttr(kTemporary, b.getI64IntegerAttr(temporary->second));
  });
  // A row of a tile that starts inside a vector is read to the end of its last
  // vector, which may lie beyond the tile.
  phase->setAttr(kScratch, b.getI64IntegerAttr(places.bytes + 64));
}

namespace {

struct AssignBuffers : mix::cpu::impl::CpuAssignBuffersBase<AssignBuffers> {
  using CpuAssignBuffersBase::CpuAssignBuffersBase;

  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    if (!phase->hasAttr("tile.phase"))
      return;
    llvm::Expected<Chip> row = findChip(chip);
    if (!row) {
      phase.emitError(llvm::toString(row.takeError()));
      return signalPassFailure();
    }
    gatherElementwiseWork(phase);
    int64_t lanes = getPhaseLanes(phase, *row);
    auto getBytes = [=](Value tile) {
      return getTileBytes(cast<RankedTensorType>(tile.getType()), lanes);
    };
    auto getTemporary = [=](Operation *op) { return getTemporaryBytes(op, lanes); };
    annotate(phase, assignPlaces(phase, {needsPlace, getBytes, getTemporary}));
  }
};

} // namespace
