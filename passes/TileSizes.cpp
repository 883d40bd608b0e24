//===- TileSizes.cpp - How a phase is cut into tiles ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Elements of a tile beyond which a chunk or a block of rows is made shorter.
static constexpr int64_t kLargestTile = 1 << 16;

/// Tokens in a chunk where the caller leaves the choice. Token by token, a chunk only
/// amortises its loads; a decoding step should not load many rows that do not exist.
static constexpr int64_t kDefaultChunk = 16, kDefaultRecurrentChunk = 8;

/// Rows of a space of blocks. Most reductions of a block are over its own tokens, and of
/// all pairs of the rows and keys of a task only those count.
static constexpr int64_t kMostBlockRows = 16;

/// The most elements per token of a tensor that is read at an index variable.
static int64_t getLargestRow(func::FuncOp mixer) {
  int64_t largest = 1;
  mixer.walk([&](ReadOp read) {
    int64_t elements = 1;
    for (int64_t size : cast<RankedTensorType>(read.getType()).getShape())
      elements *= ShapedType::isDynamic(size) ? 1 : size;
    largest = std::max(largest, elements);
  });
  return largest;
}

int64_t PhaseEmitter::getNumRows() const {
  int64_t wanted = parameters.rows;
  if (phase.isSequential && parameters.chunk)
    return parameters.chunk;
  if (phase.isSequential)
    wanted = parameters.isChunked ? kDefaultChunk : kDefaultRecurrentChunk;
  auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  if (!phase.isSequential && blocks && blocks.contains(phase.space))
    wanted = std::min(wanted, kMostBlockRows);
  int64_t largest = getLargestRow(mixer);
  while (wanted > 1 && wanted * largest > kLargestTile)
    wanted /= 2;
  return wanted;
}

/// Whether every value that the phase carries or stores has the axis.
static bool hasAxisEverywhere(const TilePhase &phase, func::FuncOp mixer, StringRef axis) {
  auto has = [&](Value value) { return hasAxis(value.getType(), axis); };
  Operation *terminator = mixer.getBody().front().getTerminator();
  return llvm::all_of(phase.anchors,
                      [&](Operation *anchor) { return llvm::all_of(anchor->getResults(), has); }) &&
         llvm::all_of(phase.results, [&](unsigned n) { return has(terminator->getOperand(n)); }) &&
         llvm::all_of(phase.workspaces, has) &&
         llvm::all_of(phase.appends, [&](AppendOp append) { return has(append.getRows()); });
}

/// Whether elements at different positions of the axis ever meet, or the position matters.
static bool isMixed(func::FuncOp mixer, StringRef axis) {
  auto names = [&](ArrayAttr axes) {
    return llvm::is_contained(axes.getAsValueRange<StringAttr>(), axis);
  };
  WalkResult result = mixer.walk([&](Operation *op) {
    bool isMixing = false;
    if (auto reduce = dyn_cast<ReduceOp>(op))
      isMixing = names(reduce.getAxes());
    else if (auto read = dyn_cast<ReadOp>(op))
      isMixing = names(read.getAxes());
    else if (auto scan = dyn_cast<AffineScanOp>(op))
      isMixing = names(scan.getContracted());
    else if (auto streamed = dyn_cast<StreamedReductionOp>(op))
      isMixing = llvm::any_of(streamed.getAxes(),
                              [&](Attribute list) { return names(cast<ArrayAttr>(list)); });
    return isMixing ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// Recurrences that are elementwise in some feature axis run in independent blocks of it.
void PhaseEmitter::chooseFeatureBlock() {
  bool isElementwise = llvm::all_of(phase.anchors, llvm::IsaPred<ForOp, PrefixOp>);
  if (!phase.isSequential || !isElementwise)
    return;
  for (StringRef axis : getAxes(phase.anchors.front()->getResult(0))) {
    int64_t size = mix::getAxisSize(phase.anchors.front()->getResult(0).getType(), axis);
    if (isIndexAxis(axis) || ShapedType::isDynamic(size) || size <= parameters.featureBlock)
      continue;
    if (size > numFeatures && hasAxisEverywhere(phase, mixer, axis) && !isMixed(mixer, axis)) {
      blockAxis = axis;
      numFeatures = size;
    }
  }
  if (!blockAxis.empty())
    tb.setSize(blockAxis, parameters.featureBlock);
}
