//===- CallLayout.cpp - Where a kernel finds what it is called with ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CallLayout.h"
#include "mixwright/abi.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

int64_t CallLayout::findSpace(StringRef name) const {
  auto it = llvm::find_if(spaces, [&](const TokenSpace &space) { return space.name == name; });
  return it == spaces.end() ? -1 : it - spaces.begin();
}

/// `mix.spaces = ["T", "B", "T.all"]`, `mix.blocks = {B = ["T", 64]}`,
/// `mix.history = {T.all = "T"}`.
LogicalResult CallLayout::addSpaces(func::FuncOp phase) {
  auto names = phase->getAttrOfType<ArrayAttr>("mix.spaces");
  auto blocks = phase->getAttrOfType<DictionaryAttr>("mix.blocks");
  auto histories = phase->getAttrOfType<DictionaryAttr>("mix.history");
  for (Attribute name : names ? names.getValue() : ArrayRef<Attribute>()) {
    auto text = dyn_cast<StringAttr>(name);
    if (!text)
      return phase.emitError("expects names in 'mix.spaces'");
    TokenSpace space;
    space.name = text.str();
    space.root = spaces.size();
    auto base = histories ? dyn_cast_or_null<StringAttr>(histories.get(space.name)) : StringAttr();
    space.isHistory = (bool)base;
    if (auto row = blocks ? dyn_cast_or_null<ArrayAttr>(blocks.get(space.name)) : ArrayAttr()) {
      base = row.size() == 2 ? dyn_cast<StringAttr>(row[0]) : StringAttr();
      auto size = row.size() == 2 ? dyn_cast<IntegerAttr>(row[1]) : IntegerAttr();
      space.block = size ? size.getInt() : 0;
      if (!base || space.block < 1)
        return phase.emitError("expects 'mix.blocks' to give space '")
               << space.name << "' a space and a block size";
    }
    if (base) {
      space.base = findSpace(base.getValue());
      if (space.base < 0)
        return phase.emitError("expects space '")
               << space.name << "' to follow from one before it, got '" << base.getValue() << "'";
      const TokenSpace &from = spaces[space.base];
      space.root = from.root;
      space.rootBlock = from.rootBlock * std::max<int64_t>(space.block, 1);
      space.isHistory |= from.isHistory;
    }
    spaces.push_back(std::move(space));
  }
  return success();
}

FailureOr<CallLayout> CallLayout::create(func::FuncOp phase) {
  CallLayout layout;
  if (failed(layout.addSpaces(phase)))
    return failure();
  for (auto [index, type] : llvm::enumerate(phase.getArgumentTypes())) {
    auto view = dyn_cast<MemRefType>(type);
    if (!view)
      continue;
    ++layout.numTensors;
    auto kind = phase.getArgAttrOfType<StringAttr>(index, "mix.kind");
    bool isCache = kind && kind.getValue() == "cache";
    if (isCache)
      layout.caches.push_back(index);
    bool isOfCaller = !isCache && !(kind && kind.getValue() == "workspace");
    auto axes = phase.getArgAttrOfType<ArrayAttr>(index, "mix.axes");
    for (int64_t dim = 0; dim < view.getRank(); ++dim) {
      if (!view.isDynamicDim(dim))
        continue;
      auto axis = axes && dim < (int64_t)axes.size() ? dyn_cast<StringAttr>(axes[dim]) : nullptr;
      int64_t space = axis ? layout.findSpace(axis.getValue()) : -1;
      if (space >= 0)
        layout.spaces[space].isOfCaller |= isOfCaller;
      else
        return phase.emitError("expects dimension ")
               << dim << " of argument " << index << " to have a size or to be one of 'mix.spaces'";
    }
  }
  return layout;
}

int64_t CallLayout::getSpaceOffset(int64_t space) const { return MIXWRIGHT_DEVICE_TENSORS(space); }

int64_t CallLayout::getTensorOffset(int64_t argument) const {
  return MIXWRIGHT_DEVICE_CACHES(spaces.size(), argument);
}

int64_t CallLayout::getCacheOffset(int64_t argument) const {
  int64_t place = llvm::find(caches, argument) - caches.begin();
  return MIXWRIGHT_DEVICE_BYTES(spaces.size(), numTensors, place);
}

int64_t CallLayout::getBytes() const {
  return MIXWRIGHT_DEVICE_BYTES(spaces.size(), numTensors, caches.size());
}
