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
  if (hazards.conflict(reads, writes))
    wait();
  hazards.add(reads, writes);
}

void PhaseEmitter::wait() {
  if (copiesInFlight)
    k.machine.waitForCopies(k.b);
  if (JointUnit *unit = homes.getJointUnit(); unit && (copiesInFlight || hazards.writesPanels()))
    unit->releaseWrites(k.b);
  copiesInFlight = false;
  k.machine.barrier(k.b);
  hazards.clear();
}

/// The formula of JointUnit.h, in elements. The pieces change places in the column alone.
static Value getPanelOffset(KernelBuilder &k, const Panels &panels, Value row, Value column) {
  int64_t width = panels.getWidth(), pieces = panels.rowBytes / 16, unchanged = 8 / pieces;
  Value panel = k.scale(k.divide(column, width), panels.panelBytes / 2);
  Value flip = k.scale(k.remainder(k.divide(row, unchanged), pieces), 8);
  Value at = arith::XOrIOp::create(k.b, k.remainder(column, width), flip);
  return k.add(k.add(panel, k.scale(row, width)), at);
}

Value PhaseEmitter::getOffset(const Tile &tile, ArrayRef<Value> position) {
  if (tile.panels)
    return getPanelOffset(k, tile.panels, position[0], position[1]);
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

/// The element at a position that need not be inside (a condition, or null: it is); if it is
/// not, some element of the tile.
Value PhaseEmitter::readInside(const Tile &tile, ArrayRef<Value> position, Value isInside) {
  if (!isInside || !tile.inMemory())
    return read(tile, position);
  Value offset = arith::SelectOp::create(k.b, isInside, getOffset(tile, position), k.constant(0));
  return k.load(tile.pointer, tile.element, offset);
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// Calls `body` with the digits of a thread.
void PhaseEmitter::forEachDigit(const Layout &layout, Value thread,
                                llvm::function_ref<void(const Digit &, Value)> body) {
  int64_t before = 1;
  for (const Digit &digit : layout.threads) {
    Value value = k.divide(thread, before);
    before *= digit.size;
    body(digit, before < k.chip.threads ? k.remainder(value, digit.size) : value);
  }
}

SmallVector<Value> PhaseEmitter::getPosition(const Layout &layout, int64_t r) {
  return getPosition(layout, r, k.thread);
}

SmallVector<Value> PhaseEmitter::getPosition(const Layout &layout, int64_t r, Value thread) {
  SmallVector<Value> position(layout.shape.size(), k.constant(0));
  forEachDigit(layout, thread, [&](const Digit &digit, Value value) {
    if (digit.dim >= 0)
      position[digit.dim] = k.add(position[digit.dim], k.scale(value, digit.step));
  });
  for (auto [at, constant] : llvm::zip_equal(position, layout.registers[r]))
    at = k.add(at, k.constant(constant));
  return position;
}

Value PhaseEmitter::isInside(const Layout &layout, int64_t r) {
  Value condition;
  SmallVector<Value> position;
  for (size_t dim = 0; dim < layout.shape.size(); ++dim) {
    if (!layout.mayExceed(r, dim))
      continue;
    if (position.empty())
      position = getPosition(layout, r);
    condition = k.both(condition, k.isLess(position[dim], layout.shape[dim]));
  }
  return condition;
}

Value PhaseEmitter::isFirstReplica(const Layout &layout) {
  Value condition;
  forEachDigit(layout, k.thread, [&](const Digit &digit, Value value) {
    if (digit.dim < 0)
      condition = k.both(condition, k.isLess(value, 1));
  });
  return condition;
}

Value PhaseEmitter::readRegister(const Tile &tile, const Layout &layout, int64_t r) {
  if (tile.layout)
    return tile.registers[tile.layout->findRegister(layout.registers[r])];
  if (!tile.inMemory())
    return read(tile, {});
  return readInside(tile, getPosition(layout, r), isInside(layout, r));
}

void PhaseEmitter::writeRegister(Value value, Tile &tile, const Layout &layout, int64_t r) {
  if (tile.layout) {
    tile.registers[tile.layout->findRegister(layout.registers[r])] = value;
    return;
  }
  k.ifThen(k.both(isInside(layout, r), isFirstReplica(layout)),
           [&] { write(value, tile, getPosition(layout, r)); });
}

/// The registers of a tile that lives wherever it does.
SmallVector<Value> PhaseEmitter::toRegisters(const Tile &tile, const Layout &layout) {
  access({tile.span}, {});
  SmallVector<Value> registers;
  for (size_t r = 0; r < layout.registers.size(); ++r)
    registers.push_back(readRegister(tile, layout, r));
  return registers;
}

/// Fills a tile in shared memory.
void PhaseEmitter::copy(const Tile &source, Tile &destination) {
  access({source.span}, {destination.span});
  if (source.layout) {
    for (size_t r = 0; r < source.registers.size(); ++r)
      writeRegister(source.registers[r], destination, *source.layout, r);
    return;
  }
  k.forEachElement(destination.shape, [&](ArrayRef<Value> position) {
    write(read(source, position), destination, position);
  });
}

//===----------------------------------------------------------------------===//
// Homes
//===----------------------------------------------------------------------===//

Tile PhaseEmitter::getShared(int64_t offset, RankedTensorType type, Panels panels) {
  Tile tile;
  tile.pointer =
      LLVM::GEPOp::create(k.b, shared.getType(), k.b.getI8Type(), shared,
                          ArrayRef<LLVM::GEPArg>{(int32_t)offset}, LLVM::GEPNoWrapFlags::inbounds);
  tile.shape = llvm::to_vector(type.getShape());
  tile.element = type.getElementType();
  tile.strides = getTileStrides(tile.shape, tile.element);
  tile.span = {0, offset, offset + getTileBytes(type)};
  if (panels) {
    tile.panels = panels;
    tile.strides = {panels.getWidth(), 1};
    tile.span = {0, offset, offset + getTileBytes(type, panels), /*isPanels=*/true};
  }
  return tile;
}

Tile PhaseEmitter::getHome(Value value) {
  if (const Layout *layout = homes.getLayout(value)) {
    Tile tile;
    tile.shape = layout->shape;
    tile.element = getElementTypeOrSelf(value.getType());
    tile.layout = layout;
    tile.registers.resize(layout->registers.size());
    return tile;
  }
  return getShared(homes.getOffset(value), cast<RankedTensorType>(value.getType()),
                   homes.getPanels(value));
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
  tile.splat = buildSplatScalar(k.b, k.b.getLoc(), value, scalars);
  return tile;
}
