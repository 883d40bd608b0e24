//===- EmitMemory.cpp - Tensors of the caller, slices, reshapes -------------===//
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

using arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Tensors of the caller
//===----------------------------------------------------------------------===//

/// The part of a tensor that a tile covers.
struct PhaseEmitter::Window {
  /// One dimension of the tile.
  struct Axis {
    Value offset, size; ///< i64
    Value stride;       ///< i64, in bytes
    bool isInside;      ///< Every position of the tile is.
  };
  Value pointer;          ///< Of the tile's element (0, ..., 0), inside or not.
  Type element;           ///< Of the tensor.
  SmallVector<Axis> axes; ///< Per dimension of the tile.
  Value isInside;         ///< Of the dimensions that the tile lacks; null: always.
};

/// Whether positions [offset, offset + count) are known to be inside.
static bool isAlwaysInside(Value offset, Value size, int64_t count) {
  IntegerAttr at, limit;
  return matchPattern(offset, m_Constant(&at)) && matchPattern(size, m_Constant(&limit)) &&
         at.getInt() >= 0 && at.getInt() + count <= limit.getInt();
}

PhaseEmitter::Window PhaseEmitter::getWindow(const View &view, ValueRange offsets,
                                             ArrayRef<int64_t> shape) {
  Window window;
  window.element = view.element;
  Value start = k.constant64(0);
  size_t lacking = view.sizes.size() - shape.size();
  for (auto [dim, index] : llvm::enumerate(offsets)) {
    Value offset = k.toInt64(getScalar(index));
    start = k.add(start, getDistance(view, dim, offset));
    int64_t count = dim < lacking ? 1 : shape[dim - lacking];
    bool isInside = isAlwaysInside(offset, view.sizes[dim], count);
    if (dim >= lacking)
      window.axes.push_back({offset, view.sizes[dim], getByteStride(view, dim), isInside});
    else if (!isInside)
      window.isInside =
          k.both(window.isInside, k.compare(CmpIPredicate::ult, offset, view.sizes[dim]));
  }
  window.pointer =
      LLVM::GEPOp::create(k.b, view.pointer.getType(), k.b.getI8Type(), view.pointer, start);
  return window;
}

/// The address of an element, and whether it is inside (null: always).
std::pair<Value, Value> PhaseEmitter::locate(const Window &window, ArrayRef<Value> position) {
  Value offset = k.constant64(0), isInside = window.isInside;
  for (auto [axis, at] : llvm::zip_equal(window.axes, position)) {
    Value wide = k.toInt64(at);
    offset = k.add(offset, k.multiply(wide, axis.stride));
    if (!axis.isInside)
      isInside =
          k.both(isInside, k.compare(CmpIPredicate::ult, k.add(axis.offset, wide), axis.size));
  }
  Value address =
      LLVM::GEPOp::create(k.b, window.pointer.getType(), k.b.getI8Type(), window.pointer, offset);
  return {address, isInside};
}

/// Bytes of the widest access.
static constexpr int64_t kWideBytes = 16;

/// Whether rows of the window may be read in wide accesses, as the running kernel finds out: they
/// start at multiples of 16 bytes, and end inside. Null if they never may. What of it depends on
/// where rows are stays what it is while a loop walks along the tensor.
Value PhaseEmitter::isWide(const View &view, const Window &window, const Tile &tile) {
  int64_t bytes = getStorageBytes(view.element), wide = kWideBytes / bytes;
  IntegerAttr unit;
  if (tile.shape.empty() || tile.shape.back() % wide != 0 || !isa<FloatType>(view.element) ||
      !matchPattern(view.strides.back(), m_Constant(&unit)) || unit.getInt() != 1)
    return {};
  const Window::Axis &last = window.axes.back();
  Value address = LLVM::PtrToIntOp::create(k.b, k.b.getI64Type(), view.pointer);
  address = k.add(address, k.scale(last.offset, bytes));
  for (Value stride : ArrayRef(view.strides).drop_back())
    address = arith::OrIOp::create(k.b, address, k.scale(stride, bytes));
  if (view.paging)
    address = arith::OrIOp::create(k.b, address, k.scale(view.paging->stride, bytes));
  Value rest = arith::AndIOp::create(k.b, address, k.constant64(kWideBytes - 1));
  Value isAligned = k.compare(CmpIPredicate::eq, rest, k.constant64(0));
  if (last.isInside)
    return isAligned;
  Value end = k.add(last.offset, k.constant64(tile.shape.back()));
  Value isBehindStart = k.compare(CmpIPredicate::sge, last.offset, k.constant64(0));
  Value isBeforeEnd = k.compare(CmpIPredicate::sle, end, last.size);
  return k.both(isAligned, k.both(isBehindStart, isBeforeEnd));
}

/// Loads `type` where the condition (null: true) holds, else zeros.
static Value loadWideIf(KernelBuilder &k, Value condition, Type type, Value from) {
  if (!condition)
    return LLVM::LoadOp::create(k.b, type, from, kWideBytes);
  auto branch = scf::IfOp::create(k.b, type, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(k.b, LLVM::LoadOp::create(k.b, type, from, kWideBytes).getResult());
  k.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(k.b, k.zero(type));
  return branch.getResult(0);
}

/// Copies the window to shared memory in wide accesses, asynchronously where the chip can and
/// the tile has the tensor's type.
void PhaseEmitter::loadWide(const Window &window, const Tile &tile) {
  Type storage = getStorageType(window.element);
  int64_t wide = kWideBytes / getStorageBytes(window.element);
  SmallVector<int64_t> shape(tile.shape);
  shape.back() /= wide;
  k.forEachElement(shape, [&](ArrayRef<Value> at) {
    SmallVector<Value> position(at);
    position.back() = k.scale(position.back(), wide);
    auto [from, isInside] = locate(window, position);
    Value to =
        LLVM::GEPOp::create(k.b, tile.pointer.getType(), getStorageType(tile.element), tile.pointer,
                            getOffset(tile, position), LLVM::GEPNoWrapFlags::inbounds);
    bool converts = tile.element != window.element;
    if (!converts && k.machine.copyAsync(k.b, from, to, isInside)) {
      copiesInFlight = true;
      return;
    }
    Value value = loadWideIf(k, isInside, VectorType::get(wide, storage), from);
    if (converts) {
      value = arith::BitcastOp::create(k.b, VectorType::get(wide, window.element), value);
      value = arith::ExtFOp::create(k.b, VectorType::get(wide, tile.element), value);
    }
    LLVM::StoreOp::create(k.b, value, to, kWideBytes);
  });
}

LogicalResult PhaseEmitter::emitLoad(tile::LoadOp op) {
  if (homes.isPrefetched(op))
    return success();
  auto view = views.find(op.getView());
  if (view != views.end() && view->second.known) {
    Tile &known = tiles[op.getResult()];
    known.element = view->second.element;
    known.splat = view->second.known;
    return success();
  }
  Tile tile = getHome(op.getResult());
  if (view != views.end())
    access({view->second.getSpan()}, {tile.span});
  tiles[op.getResult()] = tile;
  return loadTile(op, tile);
}

/// Loads into a tile in shared memory that nobody is using.
LogicalResult PhaseEmitter::loadTile(tile::LoadOp op, const Tile &tile) {
  auto view = views.find(op.getView());
  if (view == views.end())
    return op.emitError("expects a view that is an argument of the phase");
  Window window = getWindow(view->second, op.getOffsets(), tile.shape);
  auto loadElements = [&] {
    k.forEachElement(tile.shape, [&](ArrayRef<Value> position) {
      auto [address, isInside] = locate(window, position);
      Value value = k.loadIf(isInside, address, window.element, k.constant(0));
      write(k.convert(value, tile.element), tile, position);
    });
  };
  if (Value isWide = this->isWide(view->second, window, tile))
    k.ifThenElse(isWide, [&] { loadWide(window, tile); }, loadElements);
  else
    loadElements();
  return success();
}

LogicalResult PhaseEmitter::emitStore(tile::StoreOp op) {
  auto view = views.find(op.getView());
  if (view == views.end())
    return op.emitError("expects a view that is an argument of the phase");
  Tile tile = getTile(op.getTile());
  Window window = getWindow(view->second, op.getOffsets(), tile.shape);
  access({tile.span}, {view->second.getSpan()});
  auto storeAt = [&](ArrayRef<Value> position, Value condition, llvm::function_ref<Value()> get) {
    auto [address, isInside] = locate(window, position);
    Value to = address;
    k.ifThen(k.both(condition, isInside),
             [&] { k.store(k.convert(get(), window.element), to, window.element, k.constant(0)); });
  };
  k.ifThen(view->second.isGiven, [&] {
    if (!tile.layout)
      return k.forEachElement(tile.shape, [&](ArrayRef<Value> position) {
        storeAt(position, Value(), [&] { return read(tile, position); });
      });
    for (size_t r = 0; r < tile.registers.size(); ++r)
      storeAt(getPosition(*tile.layout, r),
              k.both(isInside(*tile.layout, r), isFirstReplica(*tile.layout)),
              [&] { return tile.registers[r]; });
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Slices and reshapes
//===----------------------------------------------------------------------===//

/// The element of a tile that position 0 of a slice is, and the strides of the dimensions
/// that are kept.
static Value getSliceOffset(KernelBuilder &k, const Tile &tile, ArrayRef<OpFoldResult> offsets,
                            llvm::function_ref<Value(Value)> getScalar) {
  Value start = k.constant(0);
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    auto constant = dyn_cast<Attribute>(offset);
    Value at = constant ? k.constant(cast<IntegerAttr>(constant).getInt())
                        : k.toInt(getScalar(cast<Value>(offset)));
    start = k.add(start, k.scale(at, tile.strides[dim]));
  }
  return start;
}

Tile PhaseEmitter::getSlice(const Tile &tile, OffsetSizeAndStrideOpInterface slice,
                            RankedTensorType type, const llvm::SmallBitVector &dropped) {
  Tile part = tile;
  Value start = getSliceOffset(k, tile, slice.getMixedOffsets(),
                               [&](Value value) { return getScalar(value); });
  if (tile.inMemory())
    part.pointer = LLVM::GEPOp::create(k.b, tile.pointer.getType(), getStorageType(tile.element),
                                       tile.pointer, start, LLVM::GEPNoWrapFlags::inbounds);
  part.shape = llvm::to_vector(type.getShape());
  part.strides.clear();
  for (auto [dim, stride] : llvm::enumerate(tile.strides))
    if (!dropped[dim])
      part.strides.push_back(stride);
  return part;
}

static bool hasUnitStrides(OffsetSizeAndStrideOpInterface slice) {
  return llvm::all_of(slice.getStaticStrides(), [](int64_t stride) { return stride == 1; });
}

LogicalResult PhaseEmitter::emitExtractSlice(tensor::ExtractSliceOp op) {
  if (!hasUnitStrides(op))
    return op.emitError("expects unit strides");
  tiles[op.getResult()] = getSlice(getTile(op.getSource()), op, op.getType(), op.getDroppedDims());
  return success();
}

LogicalResult PhaseEmitter::emitInsertSlice(tensor::InsertSliceOp op) {
  if (!hasUnitStrides(op))
    return op.emitError("expects unit strides");
  Tile source = getTile(op.getSource()), into = getTile(op.getDest());
  Tile tile = tiles[op.getResult()] = getHome(op.getResult());
  if (!isUndefined(op.getDest()) && !tile.isSamePlace(into))
    copy(into, tile);
  Tile part = getSlice(tile, op, op.getSourceType(), op.getDroppedDims());
  access({source.span}, {part.span});
  k.forEachElement(
      part.shape, [&](ArrayRef<Value> position) { write(read(source, position), part, position); });
  return success();
}

LogicalResult PhaseEmitter::emitInsert(tensor::InsertOp op) {
  Tile into = getTile(op.getDest());
  Tile tile = tiles[op.getResult()] = getHome(op.getResult());
  if (!isUndefined(op.getDest()) && !tile.isSamePlace(into))
    copy(into, tile);
  SmallVector<Value> position;
  for (Value index : op.getIndices())
    position.push_back(k.toInt(getScalar(index)));
  access({}, {tile.span});
  k.ifThen(k.isLess(k.thread, 1), [&] { write(getScalar(op.getScalar()), tile, position); });
  return success();
}

/// Rows that stay rows make a view; else elements move.
LogicalResult PhaseEmitter::emitReshape(Operation *op) {
  Value result = op->getResult(0);
  auto type = cast<RankedTensorType>(result.getType());
  Tile source = getTile(op->getOperand(0));
  if (getViewSource(result)) {
    Tile view = source;
    view.shape = llvm::to_vector(type.getShape());
    view.strides = getTileStrides(view.shape, view.element);
    tiles[result] = std::move(view);
    return success();
  }
  Tile tile = tiles[result] = getHome(result);
  access({source.span}, {tile.span});
  k.forEachElement(tile.shape, [&](ArrayRef<Value> position) {
    Value linear = k.constant(0);
    for (auto [at, size] : llvm::zip_equal(position, tile.shape))
      linear = k.add(k.scale(linear, size), at);
    SmallVector<Value> from(source.shape.size());
    for (size_t dim = from.size(); dim-- > 0;) {
      from[dim] = dim == 0 ? linear : k.remainder(linear, source.shape[dim]);
      linear = k.divide(linear, source.shape[dim]);
    }
    write(read(source, from), tile, position);
  });
  return success();
}
