//===- KernelBuilder.cpp - Loops, vectors and memory of a kernel ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/Memory.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// The value of an integer constant.
static std::optional<int64_t> getConstant(Value value) {
  IntegerAttr attr;
  if (matchPattern(value, m_Constant(&attr)))
    return attr.getInt();
  return std::nullopt;
}

/// A sum with a constant as its two parts; 0 if there is none.
static std::pair<Value, int64_t> splitConstant(Value value) {
  if (auto sum = value.getDefiningOp<arith::AddIOp>())
    if (auto constant = getConstant(sum.getRhs()))
      return {sum.getLhs(), *constant};
  return {value, 0};
}

Value KernelBuilder::constant(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
}

Value KernelBuilder::add(Value x, Value y) {
  auto cx = getConstant(x), cy = getConstant(y);
  if (cx && cy)
    return constant(*cx + *cy);
  if (cx == 0)
    return y;
  if (cy == 0)
    return x;
  if (cx)
    return add(y, x);
  // Constants stay outermost, so that neighbours differ in nothing else.
  auto [variableX, constantX] = splitConstant(x);
  if (cy)
    return constantX + *cy == 0
               ? variableX
               : arith::AddIOp::create(b, loc, variableX, constant(constantX + *cy)).getResult();
  auto [variableY, constantY] = splitConstant(y);
  Value sum = arith::AddIOp::create(b, loc, variableX, variableY);
  return add(sum, constant(constantX + constantY));
}

Value KernelBuilder::sub(Value x, Value y) {
  auto cx = getConstant(x), cy = getConstant(y);
  if (cx && cy)
    return constant(*cx - *cy);
  if (cy == 0)
    return x;
  return arith::SubIOp::create(b, loc, x, y);
}

Value KernelBuilder::scale(Value x, int64_t factor) {
  if (factor == 1)
    return x;
  if (auto cx = getConstant(x))
    return constant(*cx * factor);
  if (factor == 0)
    return constant(0);
  auto [variable, constantX] = splitConstant(x);
  return add(arith::MulIOp::create(b, loc, variable, constant(factor)),
             constant(constantX * factor));
}

Value KernelBuilder::scale(Value x, Value factor) {
  if (auto known = getConstant(factor))
    return scale(x, *known);
  if (auto cx = getConstant(x))
    return scale(factor, *cx);
  return arith::MulIOp::create(b, loc, x, factor);
}

Value KernelBuilder::divide(Value x, int64_t divisor) {
  if (auto cx = getConstant(x))
    return constant(*cx / divisor);
  return arith::DivUIOp::create(b, loc, x, constant(divisor));
}

Value KernelBuilder::clamp(Value x, int64_t low, int64_t high) {
  if (auto cx = getConstant(x))
    return constant(std::clamp(*cx, low, high));
  Value raised = arith::MaxSIOp::create(b, loc, x, constant(low));
  return arith::MinSIOp::create(b, loc, raised, constant(high));
}

Value KernelBuilder::toInt(Value index) {
  if (!index.getType().isIndex())
    return index;
  if (auto value = getConstant(index))
    return constant(*value);
  return arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
}

Value KernelBuilder::compare(arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, loc, predicate, x, y);
}

Value KernelBuilder::negate(Value condition) {
  Value yes = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
  return arith::XOrIOp::create(b, loc, condition, yes);
}

void KernelBuilder::loop(Value lower, Value upper, int64_t step, Body body) {
  loopCarrying(lower, upper, step, {}, [&](Value iv, ValueRange) -> SmallVector<Value> {
    body(iv);
    return {};
  });
}

SmallVector<Value> KernelBuilder::loopCarrying(Value lower, Value upper, int64_t step,
                                               ValueRange inits, CarryingBody body) {
  auto first = getConstant(lower), last = getConstant(upper);
  if (first && last && *first >= *last)
    return inits;
  if (first && last && *first + step >= *last)
    return body(lower, inits);
  auto loop = scf::ForOp::create(b, loc, lower, upper, constant(step), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, loc, results);
  return loop.getResults();
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void KernelBuilder::ifThenElse(Value condition, llvm::function_ref<void()> body,
                               llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
  b.setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

Type KernelBuilder::getVectorType(Type element, int64_t width) {
  return width == 1 ? element : VectorType::get({width}, element);
}

Value KernelBuilder::broadcast(Value value, int64_t width) {
  if (width == 1 || isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(b, loc, getVectorType(value.getType(), width), value);
}

Value KernelBuilder::step(Type element) {
  auto type = VectorType::get({lanes}, element);
  SmallVector<Attribute> values;
  for (int64_t lane = 0; lane < lanes; ++lane)
    values.push_back(b.getIntegerAttr(element, lane));
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, values));
}

Value KernelBuilder::mask(Value count) {
  return compare(arith::CmpIPredicate::slt, step(b.getI64Type()), broadcast(count, lanes));
}

Value KernelBuilder::zero(Type element, int64_t width) {
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(getVectorType(element, width)));
}

Value KernelBuilder::real(Type element, double value, int64_t width) {
  return broadcast(arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value)), width);
}

Value KernelBuilder::multiply(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }

Value KernelBuilder::multiplyAdd(Value x, Value y, Value z) {
  if (!chip.fusesMultiplyAdd)
    return arith::AddFOp::create(b, loc, multiply(x, y), z);
  if (isa<VectorType>(x.getType()))
    return vector::FMAOp::create(b, loc, x, y, z);
  return LLVM::FMAOp::create(b, loc, x, y, z);
}

Value KernelBuilder::multiplyAddPairs(Value x, Value y, Value z) {
  auto toElements = [&](Value pairs) -> Value {
    auto type = VectorType::get({2 * lanes}, b.getBF16Type());
    return LLVM::BitcastOp::create(b, loc, type, pairs);
  };
  auto intrinsic = b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512");
  return LLVM::CallIntrinsicOp::create(b, loc, z.getType(), intrinsic,
                                       ValueRange{z, toElements(x), toElements(y)})
      .getResult(0);
}

Value KernelBuilder::convert(Value value, Type element) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

Value KernelBuilder::toStorage(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  Type storage = getStorageType(element);
  if (storage == element)
    return value;
  Type type = storage;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(storage);
  if (element.isIndex())
    return arith::IndexCastOp::create(b, loc, type, value);
  if (isa<FloatType>(element))
    return arith::BitcastOp::create(b, loc, type, value);
  return arith::ExtUIOp::create(b, loc, type, value);
}

Value KernelBuilder::fromStorage(Value value, Type element) {
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(element);
  if (element.isIndex())
    return arith::IndexCastOp::create(b, loc, type, value);
  if (isa<FloatType>(element))
    return arith::BitcastOp::create(b, loc, type, value);
  return arith::TruncIOp::create(b, loc, type, value);
}

Value KernelBuilder::address(Value pointer, Type element, Value offset) {
  if (getConstant(offset) == 0)
    return pointer;
  auto type = LLVM::LLVMPointerType::get(b.getContext());
  auto advance = [&](Value from, Value distance) -> Value {
    return LLVM::GEPOp::create(b, loc, type, getStorageType(element), from, distance);
  };
  // One address serves all neighbours: instructions add a constant for nothing.
  auto [variable, constantPart] = splitConstant(offset);
  Value start = advance(pointer, variable);
  return constantPart == 0 ? start : advance(start, constant(constantPart));
}

Value KernelBuilder::load(Value pointer, Type element, Value offset, int64_t width) {
  Type type = getVectorType(getStorageType(element), width);
  Value loaded = LLVM::LoadOp::create(b, loc, type, address(pointer, element, offset),
                                      getStorageBytes(element));
  return fromStorage(loaded, element);
}

void KernelBuilder::store(Value value, Value pointer, Type element, Value offset) {
  LLVM::StoreOp::create(b, loc, toStorage(value), address(pointer, element, offset),
                        getStorageBytes(element));
}

Value KernelBuilder::loadMasked(Value pointer, Type element, Value offset, Value mask) {
  Type storage = getStorageType(element);
  Value loaded = LLVM::MaskedLoadOp::create(
      b, loc, getVectorType(storage, lanes), address(pointer, element, offset), mask,
      zero(storage, lanes), (uint32_t)getStorageBytes(element));
  return fromStorage(loaded, element);
}

void KernelBuilder::storeMasked(Value value, Value pointer, Type element, Value offset,
                                Value mask) {
  LLVM::MaskedStoreOp::create(b, loc, toStorage(value), address(pointer, element, offset), mask,
                              (uint32_t)getStorageBytes(element));
}

void KernelBuilder::prefetch(Value pointer, Type element, Value offset, bool isWritten) {
  // Of data, into the second level cache: the first is full of the current tiles.
  constexpr uint32_t secondLevel = 2, data = 1;
  LLVM::Prefetch::create(b, loc, address(pointer, element, offset), isWritten, secondLevel, data);
}

Value KernelBuilder::stride(const Tile &tile, int64_t dim) {
  return ShapedType::isDynamic(tile.strides[dim]) ? tile.runtimeStrides[dim]
                                                  : constant(tile.strides[dim]);
}

Value KernelBuilder::offset(const Tile &tile, ValueRange position) {
  Value offset = constant(0);
  if (!tile.inMemory())
    return offset;
  for (auto [dim, index] : llvm::enumerate(position))
    offset = add(offset, scale(index, stride(tile, dim)));
  return offset;
}

Value KernelBuilder::read(const Tile &tile, Value offset, int64_t width) {
  if (tile.splat)
    return broadcast(tile.splat, width);
  if (!tile.inMemory())
    return zero(tile.element, width);
  return load(tile.pointer, tile.element, offset, width);
}

void KernelBuilder::write(Value value, const Tile &tile, Value offset) {
  store(value, tile.pointer, tile.element, offset);
}

/// Calls `body` for every row of a tile, with the position of its first element.
static void forEachRow(KernelBuilder &k, ArrayRef<int64_t> shape, SmallVector<Value> &position,
                       llvm::function_ref<void()> body) {
  if (position.size() + 1 >= shape.size())
    return body();
  k.loop(0, shape[position.size()], 1, [&](Value iv) {
    position.push_back(iv);
    forEachRow(k, shape, position, body);
    position.pop_back();
  });
}

void KernelBuilder::copy(const Tile &source, const Tile &destination) {
  if (!source.inMemory() && !source.splat)
    return;
  if (destination.rank() == 0)
    return write(convert(read(source, constant(0), 1), destination.element), destination,
                 constant(0));
  int64_t width = source.inMemory() && source.strides.back() != 1 ? 1 : lanes;
  SmallVector<Value> position;
  forEachRow(*this, destination.shape, position, [&] {
    loop(0, destination.shape.back(), width, [&](Value column) {
      SmallVector<Value> at(position);
      at.push_back(column);
      Value value = convert(read(source, offset(source, at), width), destination.element);
      write(value, destination, offset(destination, at));
    });
  });
}
