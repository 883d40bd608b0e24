//===- MergeVariables.cpp - One name for index variables that walk together -===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Axes.h"
#include "dialect/Mix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "passes/Passes.h"

using namespace mlir;
using llvm::StringRef;

namespace mix {

#define GEN_PASS_DEF_MERGEVARIABLES
#include "passes/Passes.h.inc"

/// If the read takes a value that has an index axis at the position of another index
/// variable of the same space: the two axes.
static std::optional<std::pair<StringRef, StringRef>> getRenaming(ReadOp read) {
  for (auto [axis, index] :
       llvm::zip(read.getAxes().getAsValueRange<StringAttr>(), read.getIndices())) {
    auto iota = index.getDefiningOp<IotaOp>();
    if (!isIndexAxis(axis) || !iota)
      continue;
    StringRef other = getAxes(iota.getResult()).front();
    if (axis != other && getSpace(axis) == getSpace(other))
      return std::pair(axis, other);
  }
  return std::nullopt;
}

/// Whether some value has both axes, so that they are two walks that meet.
static bool doMeet(func::FuncOp function, StringRef a, StringRef b) {
  auto meetIn = [&](Type type) {
    return isa<RankedTensorType>(type) && hasAxis(type, a) && hasAxis(type, b);
  };
  return function
      .walk([&](Operation *op) {
        bool found = llvm::any_of(op->getResultTypes(), meetIn);
        for (Region &region : op->getRegions())
          for (Block &block : region)
            found |= llvm::any_of(block.getArgumentTypes(), meetIn);
        return found ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

static void rename(func::FuncOp function, StringRef from, StringRef to) {
  MLIRContext *context = function.getContext();
  StringAttr fromAttr = StringAttr::get(context, from), toAttr = StringAttr::get(context, to);
  AttrTypeReplacer replacer;
  replacer.addReplacement([=](StringAttr attr) -> std::optional<Attribute> {
    return attr == fromAttr ? Attribute(toAttr) : Attribute(attr);
  });
  replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

/// Drops from a read the axes that are read at their own positions.
static void removeIdentities(ReadOp read) {
  OpBuilder builder(read);
  SmallVector<Attribute> axes;
  SmallVector<Value> indices;
  for (auto [axis, index] : llvm::zip(read.getAxes(), read.getIndices())) {
    auto iota = index.getDefiningOp<IotaOp>();
    if (iota && getAxes(iota.getResult()).front() == cast<StringAttr>(axis).getValue())
      continue;
    axes.push_back(axis);
    indices.push_back(index);
  }
  if (axes.size() == read.getAxes().size())
    return;
  Value result = read.getSource();
  if (!axes.empty())
    result = ReadOp::create(builder, read.getLoc(), read.getType(), result,
                            builder.getArrayAttr(axes), indices);
  else if (result.getType() != read.getType())
    result = BroadcastOp::create(builder, read.getLoc(), read.getType(), result);
  read.replaceAllUsesWith(result);
  read.erase();
}

namespace {
struct MergeVariables : impl::MergeVariablesBase<MergeVariables> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    // Renaming one pair changes what the other reads name.
    bool hasChanged = true;
    while (hasChanged) {
      hasChanged = false;
      function.walk([&](ReadOp read) {
        std::optional<std::pair<StringRef, StringRef>> axes = getRenaming(read);
        if (!axes || doMeet(function, axes->first, axes->second))
          return WalkResult::advance();
        rename(function, axes->second, axes->first);
        ++numMerged;
        hasChanged = true;
        return WalkResult::interrupt();
      });
    }
    function.walk([](ReadOp read) { removeIdentities(read); });
  }
};
} // namespace

} // namespace mix
