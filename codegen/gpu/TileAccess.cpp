//===- TileAccess.cpp - Elements of tiles in memory and registers -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/TileStorage.h"
#include "codegen/gpu/PhaseEmitter.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

void PhaseEmitter::access(ArrayRef<Span> reads, ArrayRef<Span> writes) {
  if (hazards.conflict(reads, writes)) {
    k.machine.barrier(k.b);
    hazards.clear();
  }
  hazards.add(reads, writes);
}

Value PhaseEmitter::getOffset(const Tile &tile, ArrayRef<Value> position) {
  Value offset = k.constant(0);
  for (auto [at, stride] : llvm::zip_equal(position, tile.strides))
    offset = k.add(offset, k.scale(at, stride));
  return offset;
}

Value PhaseEmitter::read(const Tile &tile, ArrayRef<Value> position) {
  if (tile.splat)
    return tile.splat;
  if (!tile.inMemory()) // Nothing was ever written to it.
    return k.zero(tile.element);
  return k.load(tile.pointer, tile.element, getOffset(tile, position));
}

void PhaseEmitter::write(Value value, const Tile &tile, ArrayRef<Value> position) {
  k.store(value, tile.pointer, tile.element, getOffset(tile, position));
}

void PhaseEmitter::copy(const Tile &source, const Tile &destination) {
  access({source.span}, {destination.span});
  k.forEachElement(destination.shape, [&](ArrayRef<Value> position) {
    write(read(source, position), destination, position);
  });
}

Tile PhaseEmitter::getShared(int64_t offset, RankedTensorType type) {
  Tile tile;
  tile.pointer =
      LLVM::GEPOp::create(k.b, shared.getType(), k.b.getI8Type(), shared,
                          ArrayRef<LLVM::GEPArg>{(int32_t)offset}, LLVM::GEPNoWrapFlags::inbounds);
  tile.shape = llvm::to_vector(type.getShape());
  tile.element = type.getElementType();
  tile.strides = getTileStrides(tile.shape, tile.element);
  tile.span = {0, offset, offset + getTileBytes(type)};
  return tile;
}

Tile PhaseEmitter::getHome(Value value) {
  return getShared(homes.getOffset(value), cast<RankedTensorType>(value.getType()));
}

Tile PhaseEmitter::getTile(Value value) {
  auto it = tiles.find(value);
  if (it != tiles.end())
    return it->second;
  // A splat, or a tile that nothing was written to.
  Tile tile;
  auto type = cast<RankedTensorType>(value.getType());
  tile.shape = llvm::to_vector(type.getShape());
  tile.strides.assign(tile.shape.size(), 0);
  tile.element = type.getElementType();
  if (OpFoldResult splat = getSplatScalar(value)) {
    if (auto attr = dyn_cast<Attribute>(splat))
      tile.splat = arith::ConstantOp::create(k.b, cast<TypedAttr>(attr));
    else
      tile.splat = getScalar(cast<Value>(splat));
  }
  return tile;
}
