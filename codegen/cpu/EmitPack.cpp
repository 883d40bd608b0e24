//===- EmitPack.cpp - Pairs of elements that are neighbours in memory -------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pairs along the lanes lie in memory as their elements do. A tensor's are read where they are if
// its rows are a whole number of pairs apart; else making them is a copy of rows, which rounds
// where the source is wider. (Pairs along another axis are elementwise work.)
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/InPlaceLoads.h"
#include "codegen/cpu/LinalgLoops.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Window.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// A tile of pairs as the tile of their elements, along its last axis.
static Tile getElements(Tile pairs, Type element) {
  pairs.element = element;
  for (int64_t &stride : MutableArrayRef(pairs.strides).drop_back())
    stride *= 2;
  pairs.shape.back() *= 2;
  return pairs;
}

/// Makes a tile of elements in a tensor one of pairs, of the shape of `pairs`. Returns whether its
/// rows are a whole number of pairs apart.
static Value halveStrides(KernelBuilder &k, Tile &tile, const Tile &pairs) {
  Value areWhole = arith::ConstantOp::create(k.b, k.loc, k.b.getBoolAttr(true));
  Value one = k.constant(1);
  for (int64_t dim = 0; dim + 1 < tile.rank(); ++dim) {
    Value stride = k.stride(tile, dim);
    Value rest = arith::AndIOp::create(k.b, k.loc, stride, one);
    Value isWhole = k.compare(arith::CmpIPredicate::eq, rest, k.constant(0));
    areWhole = arith::AndIOp::create(k.b, k.loc, areWhole, isWhole);
    tile.runtimeStrides[dim] = arith::ShRSIOp::create(k.b, k.loc, stride, one);
  }
  tile.element = pairs.element;
  tile.shape = pairs.shape;
  return areWhole;
}

bool PhaseEmitter::emitPack(LinalgLoops &loops) {
  auto pair = loops.op->getAttrOfType<IntegerAttr>(kPackAttr);
  const Tile &source = loops.operands[0], &target = loops.results[0];
  // The other axes have one order in both.
  if (!pair || !source.inMemory() ||
      loops.accesses[0].getStride(pair.getInt(), source.strides) != 2 ||
      loops.accesses.back().getStride(pair.getInt(), target.strides) != 1)
    return false;
  auto copy = [&] { k.copy(source, getElements(target, k.b.getBF16Type())); };
  Value pairs = loops.op->getResult(0);
  auto load = loops.op->getOperand(0).getDefiningOp<tile::LoadOp>();
  std::optional<Tile> there =
      load && source.element.isBF16() && arePairsReadableInPlace(load, pairs, k.lanes)
          ? findInView(load.getView(), load.getType(), load.getOffsets())
          : std::nullopt;
  if (!there) {
    copy();
    return true;
  }
  Window window(k, views.find(load.getView())->second, load.getOffsets(), scalars,
                load.getType().getShape());
  Value isThere = halveStrides(k, *there, target);
  if (Value inside = window.isInside())
    isThere = arith::AndIOp::create(k.b, k.loc, isThere, inside);
  k.ifThen(k.negate(isThere), copy);
  tiles[pairs] = choose(k, isThere, *there, target);
  return true;
}
