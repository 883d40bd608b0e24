//===- EmitMemory.cpp - Tensors of the caller, slices, reshapes -------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/InPlaceLoads.h"
#include "codegen/cpu/InPlaceStores.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Window.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// The lanes of the vector at `column` that are inside the extent; null if all are.
static Value getLaneMask(KernelBuilder &k, const Extent &extent, Value column, int64_t size) {
  IntegerAttr at;
  if (extent.full && (size % k.lanes == 0 ||
                      (matchPattern(column, m_Constant(&at)) && at.getInt() + k.lanes <= size)))
    return {};
  Value lane =
      arith::AddIOp::create(k.b, k.loc, k.broadcast(column, k.lanes), k.step(k.b.getI64Type()));
  Value below = k.compare(arith::CmpIPredicate::slt, lane, k.broadcast(extent.high, k.lanes));
  IntegerAttr low;
  if (matchPattern(extent.low, m_Constant(&low)) && low.getInt() == 0)
    return below;
  Value above = k.compare(arith::CmpIPredicate::sge, lane, k.broadcast(extent.low, k.lanes));
  return arith::AndIOp::create(k.b, k.loc, below, above);
}

/// The columns [0, n) of a row that are whole vectors inside the extent.
static Value getWholeColumns(KernelBuilder &k, const Extent &extent, int64_t size) {
  if (extent.full)
    return k.constant(size / k.lanes * k.lanes);
  Value vectors = arith::DivUIOp::create(k.b, k.loc, extent.high, k.constant(k.lanes));
  Value whole = k.scale(vectors, k.lanes);
  Value fromStart = k.compare(arith::CmpIPredicate::eq, extent.low, k.constant(0));
  return arith::SelectOp::create(k.b, k.loc, fromStart, whole, k.constant(0));
}

/// Calls `body(column, width, mask)` for the vectors of a row, whole ones in a loop without a
/// mask. An element that is known to be alone at the end is no vector: LLVM 22 stores too many
/// bytes for a masked vector of 16-bit elements with one constant lane.
static void forEachVector(KernelBuilder &k, const Extent &extent, int64_t size,
                          llvm::function_ref<void(Value, int64_t, Value)> body) {
  Value whole = getWholeColumns(k, extent, size);
  k.loop(k.constant(0), whole, k.lanes, [&](Value column) { body(column, k.lanes, {}); });
  if (extent.full && size % k.lanes == 1)
    return body(whole, 1, {});
  k.loop(whole, k.constant(size), k.lanes,
         [&](Value column) { body(column, k.lanes, getLaneMask(k, extent, column, size)); });
}

static SmallVector<Value> append(ValueRange position, Value last) {
  SmallVector<Value> all(position);
  all.push_back(last);
  return all;
}

/// Whether the view is an argument of that kind.
static bool isOfKind(Value view, StringRef kind) {
  auto argument = cast<BlockArgument>(view);
  auto phase = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto attr = phase.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "mix.kind");
  return attr && attr.getValue() == kind;
}

static Value isNull(KernelBuilder &k, const View &view) {
  Value null = LLVM::ZeroOp::create(k.b, k.loc, view.pointer.getType());
  return LLVM::ICmpOp::create(k.b, k.loc, LLVM::ICmpPredicate::eq, view.pointer, null);
}

/// How many tiles after this one is what is asked for. Blocks of a cache have few rows, since they
/// lie in one page each, and a round then takes too little time to wait for memory.
static int64_t getTilesAhead(tile::LoadOp op, const Tile &tile) {
  constexpr int64_t bytesAhead = 1 << 13;
  if (tile.rank() < 2 || tile.shape.front() == 1 || !isOfKind(op.getView(), "cache"))
    return 1;
  int64_t bytes = getStorageBytes(tile.element);
  for (int64_t size : tile.shape)
    bytes *= size;
  return llvm::divideCeil(bytesAhead, bytes);
}

LogicalResult PhaseEmitter::emitLoad(tile::LoadOp op) {
  auto found = views.find(op.getView());
  if (found == views.end())
    return op.emitError("expects a view that is an argument of the phase");
  Tile tile = tiles[op.getResult()] = getPlace(op, 0);
  const View &view = found->second;
  Window window(k, view, op.getOffsets(), scalars, tile.shape,
                isOfKind(op.getView(), "state_in") ? isNull(k, view) : Value());
  int64_t size = tile.rank() ? tile.shape.back() : 1;
  Extent extent = window.lastExtent();
  auto fill = [&](ValueRange position) {
    k.loop(0, size, k.lanes, [&](Value column) {
      k.write(k.zero(tile.element, k.lanes), tile, k.offset(tile, append(position, column)));
    });
  };
  Tile there = getInView(k, tile, view, window.origin());
  if ((view.lastIsUnit || tile.rank() == 1) && isRowByRow(op, op.getOffsets(), tile.shape)) {
    Tile next = there;
    int64_t tilesAhead = getTilesAhead(op, tile);
    Value distance = k.scale(k.stride(there, 0), tilesAhead * there.shape.front());
    next.pointer = k.address(there.pointer, there.element, distance);
    if (tilesAhead > 1)
      askForTile(k, next, /*isWritten=*/false);
    else
      prefetches.add(k, op->getBlock(), next, /*isWritten=*/false);
  } else if (view.lastIsUnit && tile.rank() > 1 && isa<scf::ForallOp>(op->getParentOp())) {
    askForRows(k, there, /*isWritten=*/false);
  }
  auto copyRow = [&](Value from, ValueRange position) {
    if (tile.rank() == 0) {
      auto move = [&] {
        Value loaded = k.load(view.pointer, view.element, from, 1);
        k.write(k.convert(loaded, tile.element), tile, k.constant(0));
      };
      if (!window.isOutside())
        return move();
      k.write(k.zero(tile.element, 1), tile, k.constant(0));
      return k.ifThen(k.negate(window.isOutside()), move);
    }
    if (view.lastIsUnit)
      return forEachVector(k, extent, size, [&](Value column, int64_t width, Value mask) {
        Value at = k.add(from, column);
        Value loaded = mask ? k.loadMasked(view.pointer, view.element, at, mask)
                            : k.load(view.pointer, view.element, at, width);
        k.write(k.convert(loaded, tile.element), tile, k.offset(tile, append(position, column)));
      });
    if (!extent.full)
      fill(position);
    k.loop(extent.low, extent.high, 1, [&](Value column) {
      Value distance = arith::MulIOp::create(k.b, k.loc, column, window.lastStride());
      Value loaded = k.load(view.pointer, view.element, k.add(from, distance), 1);
      k.write(k.convert(loaded, tile.element), tile, k.offset(tile, append(position, column)));
    });
  };
  auto copy = [&] { window.forEachRow(copyRow, fill); };
  if (!isReadableInPlace(op, k.lanes)) {
    copy();
    return success();
  }
  Value inside = window.isInside();
  if (inside) {
    k.ifThen(k.negate(inside), copy);
    there = choose(k, inside, there, tile);
  }
  tiles[op.getResult()] = there;
  return success();
}

Tile PhaseEmitter::getResultPlace(linalg::LinalgOp op, unsigned index) {
  Tile place = getPlace(op, index);
  tile::StoreOp store = getInPlaceStore(op, k.lanes);
  auto found = store ? views.find(store.getView()) : views.end();
  if (found == views.end())
    return place;
  Window window(k, found->second, store.getOffsets(), scalars, place.shape);
  Tile there = getInView(k, place, found->second, window.origin());
  Value inside = storedInPlace[store] = window.isInside();
  return inside ? choose(k, inside, there, place) : there;
}

LogicalResult PhaseEmitter::emitStore(tile::StoreOp op) {
  auto found = views.find(op.getView());
  if (found == views.end())
    return op.emitError("expects a view that is an argument of the phase");
  Tile tile = getTile(op.getTile());
  const View &view = found->second;
  auto emit = [&] {
    Window window(k, view, op.getOffsets(), scalars, tile.shape);
    Extent extent = window.lastExtent();
    window.forEachRow(
        [&](Value to, ValueRange position) {
          if (tile.rank() == 0) {
            auto move = [&] {
              Value value = k.convert(k.read(tile, k.constant(0), 1), view.element);
              k.store(value, view.pointer, view.element, to);
            };
            return window.isOutside() ? k.ifThen(k.negate(window.isOutside()), move) : move();
          }
          if (view.lastIsUnit)
            return forEachVector(
                k, extent, tile.shape.back(), [&](Value column, int64_t width, Value mask) {
                  Value value = k.read(tile, k.offset(tile, append(position, column)), width);
                  value = k.convert(value, view.element);
                  Value at = k.add(to, column);
                  if (mask)
                    k.storeMasked(value, view.pointer, view.element, at, mask);
                  else
                    k.store(value, view.pointer, view.element, at);
                });
          k.loop(extent.low, extent.high, 1, [&](Value column) {
            Value distance = arith::MulIOp::create(k.b, k.loc, column, window.lastStride());
            Value value = k.read(tile, k.offset(tile, append(position, column)), 1);
            k.store(k.convert(value, view.element), view.pointer, view.element,
                    k.add(to, distance));
          });
        },
        nullptr);
  };
  if (auto done = storedInPlace.find(op); done != storedInPlace.end()) {
    if (done->second)
      k.ifThen(k.negate(done->second), emit);
    return success();
  }
  if (!isOfKind(op.getView(), "state_out")) {
    emit();
    return success();
  }
  k.ifThen(k.negate(isNull(k, view)), emit);
  return success();
}

/// The part of a tile that a slice names.
static Tile getSlice(KernelBuilder &k, const Tile &source, ArrayRef<Value> offsets,
                     ArrayRef<int64_t> sizes, const llvm::SmallBitVector &dropped) {
  Tile slice;
  slice.element = source.element;
  slice.splat = source.splat;
  for (int64_t dim = 0; dim < source.rank(); ++dim)
    if (!dropped[dim]) {
      slice.shape.push_back(sizes[dim]);
      slice.strides.push_back(source.strides[dim]);
      if (!source.runtimeStrides.empty())
        slice.runtimeStrides.push_back(source.runtimeStrides[dim]);
    }
  if (source.inMemory())
    slice.pointer = k.address(source.pointer, source.element, k.offset(source, offsets));
  return slice;
}

LogicalResult PhaseEmitter::emitExtractSlice(tensor::ExtractSliceOp op) {
  if (!op.hasUnitStride())
    return op.emitError("expects a slice with unit strides");
  SmallVector<Value> offsets;
  for (OpFoldResult offset : op.getMixedOffsets())
    offsets.push_back(isa<Attribute>(offset)
                          ? k.constant(cast<IntegerAttr>(cast<Attribute>(offset)).getInt())
                          : k.toInt(getScalar(cast<Value>(offset))));
  tiles[op.getResult()] =
      getSlice(k, getTile(op.getSource()), offsets, op.getStaticSizes(), op.getDroppedDims());
  return success();
}

/// Copies between tiles of one shape of which the destination is part of another tile:
/// no element beside it is written.
static void copyExactly(KernelBuilder &k, const Tile &source, const Tile &destination,
                        SmallVector<Value> &position) {
  int64_t dim = position.size();
  if (dim + 1 < destination.rank())
    return k.loop(0, destination.shape[dim], 1, [&](Value iv) {
      position.push_back(iv);
      copyExactly(k, source, destination, position);
      position.pop_back();
    });
  if (destination.rank() == 0)
    return k.write(k.read(source, k.constant(0), 1), destination, k.constant(0));
  int64_t size = destination.shape.back(), whole = size / k.lanes * k.lanes;
  auto move = [&](Value column, int64_t width) {
    SmallVector<Value> at = append(position, column);
    k.write(k.read(source, k.offset(source, at), width), destination, k.offset(destination, at));
  };
  if (destination.strides.back() != 1 || (source.inMemory() && source.strides.back() != 1))
    whole = 0;
  k.loop(0, whole, k.lanes, [&](Value column) { move(column, k.lanes); });
  k.loop(whole, size, 1, [&](Value column) { move(column, 1); });
}

LogicalResult PhaseEmitter::emitInsertSlice(tensor::InsertSliceOp op) {
  if (!op.hasUnitStride())
    return op.emitError("expects a slice with unit strides");
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  Tile destination = getTile(op.getDest());
  if (destination.pointer != result.pointer)
    k.copy(destination, result);
  SmallVector<Value> offsets;
  for (OpFoldResult offset : op.getMixedOffsets())
    offsets.push_back(isa<Attribute>(offset)
                          ? k.constant(cast<IntegerAttr>(cast<Attribute>(offset)).getInt())
                          : k.toInt(getScalar(cast<Value>(offset))));
  Tile part = getSlice(k, result, offsets, op.getStaticSizes(), op.getDroppedDims());
  SmallVector<Value> position;
  copyExactly(k, getTile(op.getSource()), part, position);
  return success();
}

LogicalResult PhaseEmitter::emitInsert(tensor::InsertOp op) {
  Tile result = tiles[op.getResult()] = getPlace(op, 0);
  Tile destination = getTile(op.getDest());
  if (destination.pointer != result.pointer)
    k.copy(destination, result);
  SmallVector<Value> position;
  for (Value index : op.getIndices())
    position.push_back(k.toInt(getScalar(index)));
  k.write(getScalar(op.getScalar()), result, k.offset(result, position));
  return success();
}

/// The strides of a tile after a reshape that keeps its rows.
LogicalResult PhaseEmitter::emitReshape(Operation *op) {
  Value result = op->getResult(0);
  Tile source = getTile(op->getOperand(0));
  auto type = cast<RankedTensorType>(result.getType());
  if (getViewSource(result)) {
    Tile view = source;
    view.shape = llvm::to_vector(type.getShape());
    view.strides = getTileStrides(view.shape, view.element, k.lanes);
    tiles[result] = view;
    return success();
  }
  // Rows change: element by element, in row-major order.
  Tile target = tiles[result] = getPlace(op, 0);
  const Tile &outer = source.rank() > target.rank() ? source : target;
  const Tile &inner = source.rank() > target.rank() ? target : source;
  SmallVector<Value> position;
  std::function<void(Value)> walk = [&](Value linear) {
    size_t dim = position.size();
    if (dim < outer.shape.size())
      return k.loop(0, outer.shape[dim], 1, [&](Value iv) {
        position.push_back(iv);
        walk(k.add(k.scale(linear, outer.shape[dim]), iv));
        position.pop_back();
      });
    SmallVector<Value> other(inner.shape.size());
    for (size_t d = inner.shape.size(); d-- > 0;) {
      Value size = k.constant(inner.shape[d]);
      other[d] = d == 0 ? linear : arith::RemUIOp::create(k.b, k.loc, linear, size).getResult();
      if (d)
        linear = arith::DivUIOp::create(k.b, k.loc, linear, size);
    }
    ValueRange from = position, to = other;
    if (&outer != &source)
      std::swap(from, to);
    k.write(k.read(source, k.offset(source, from), 1), target, k.offset(target, to));
  };
  walk(k.constant(0));
  return success();
}
