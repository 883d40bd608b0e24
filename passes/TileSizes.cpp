//===- TileSizes.cpp - How a phase is cut into tiles ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TileStream.h"
#include <numeric>

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

/// The rows of a chunk that is a block of the recurrences by blocks, or a part of one: as many as
/// are wanted, or about as many.
static int64_t fitIntoBlocks(const TilePhase &phase, int64_t wanted) {
  int64_t common = 0;
  for (Operation *anchor : phase.anchors)
    if (auto blocks = dyn_cast<ForBlocksOp>(anchor))
      common = std::gcd(common, static_cast<int64_t>(blocks.getBlock()));
  if (common == 0)
    return wanted;
  auto isPart = [&](int64_t rows) { return common % rows == 0; };
  int64_t below = std::min(wanted, common), above = below;
  while (!isPart(below))
    --below;
  while (!isPart(above))
    ++above;
  return below * 2 < wanted && above <= wanted * 4 ? above : below;
}

int64_t PhaseEmitter::getNumRows() const {
  int64_t wanted = parameters.rows;
  if (phase.isSequential && parameters.chunk)
    return fitIntoBlocks(phase, parameters.chunk);
  if (phase.isSequential)
    wanted = parameters.isChunked ? kDefaultChunk : kDefaultRecurrentChunk;
  auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  if (!phase.isSequential && blocks && blocks.contains(phase.space))
    wanted = std::min(wanted, kMostBlockRows);
  int64_t largest = getLargestRow(mixer);
  while (wanted > 1 && wanted * largest > kLargestTile)
    wanted /= 2;
  return phase.isSequential ? fitIntoBlocks(phase, wanted) : wanted;
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
    else if (auto topk = dyn_cast<TopKOp>(op))
      isMixing = topk.getAxis() == axis;
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

/// The fewest features of a block that is cut for the sake of the states' size: a row of
/// matrix instructions.
static constexpr int64_t kLeastStateBlock = 16;

/// Elements of the states that the phase carries and that have the axis, per position of it.
static int64_t countStateElements(const TilePhase &phase, StringRef axis) {
  int64_t elements = 0;
  for (Operation *anchor : phase.anchors)
    for (Value result : anchor->getResults())
      if (isFinalState(result) && hasAxis(result.getType(), axis))
        elements += cast<RankedTensorType>(result.getType()).getNumElements() /
                    mix::getAxisSize(result.getType(), axis);
  return elements;
}

/// The longest feature axis along which nothing meets. What lacks it is the same in all blocks.
void PhaseEmitter::findBlockAxis(bool isEverywhere) {
  for (Operation *anchor : phase.anchors)
    for (Value result : anchor->getResults())
      for (StringRef axis : getAxes(result)) {
        int64_t size = mix::getAxisSize(result.getType(), axis);
        if (isIndexAxis(axis) || ShapedType::isDynamic(size) || size <= numFeatures ||
            isMixed(mixer, axis) || (isEverywhere && !hasAxisEverywhere(phase, mixer, axis)))
          continue;
        blockAxis = axis;
        numFeatures = size;
      }
}

/// Whether the anchor does elementwise work for a token at a time.
static bool isElementwiseAnchor(Operation *anchor) {
  auto reduce = dyn_cast<ReduceOp>(anchor);
  return isa<ForOp, PrefixOp>(anchor) || (reduce && walksWindows(reduce));
}

/// Work runs in independent blocks of a feature axis. What is elementwise gains from that in
/// any case, if all of it has the axis: its tiles stay in the cache. A scan repeats in every block
/// what its other axes need, so it is cut only where its states are too large for a task.
void PhaseEmitter::chooseFeatureBlock() {
  if (phase.anchors.empty())
    return;
  bool isElementwise = llvm::all_of(phase.anchors, isElementwiseAnchor);
  if (!isElementwise && (!parameters.stateElements || !phase.isSequential))
    return;
  findBlockAxis(/*isEverywhere=*/!parameters.stateElements);
  if (blockAxis.empty())
    return;
  bool isCutAnyway = isElementwise && hasAxisEverywhere(phase, mixer, blockAxis);
  featureBlock = isCutAnyway ? std::min(numFeatures, parameters.featureBlock) : numFeatures;
  int64_t perFeature = countStateElements(phase, blockAxis);
  while (parameters.stateElements && featureBlock > kLeastStateBlock &&
         featureBlock * perFeature > parameters.stateElements)
    featureBlock = llvm::alignTo(llvm::divideCeil(featureBlock, 2), kLeastStateBlock);
  if (featureBlock == numFeatures)
    blockAxis = {};
  else
    tb.setSize(blockAxis, featureBlock);
}
