//===- KernelBuilder.cpp - Threads, loops and memory of a kernel ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/KernelBuilder.h"
#include "codegen/TileStorage.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

bool gpu::isNarrowReal(Type element) { return element.isBF16() || element.isF16(); }

/// The value of an integer constant.
static std::optional<int64_t> getConstant(Value value) {
  IntegerAttr attr;
  if (matchPattern(value, m_Constant(&attr)))
    return attr.getInt();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Integers and reals
//===----------------------------------------------------------------------===//

static Value makeConstant(ImplicitLocOpBuilder &b, Type type, int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

Value KernelBuilder::constant(int64_t value) { return makeConstant(b, b.getI32Type(), value); }
Value KernelBuilder::constant64(int64_t value) { return makeConstant(b, b.getI64Type(), value); }

Value KernelBuilder::add(Value x, Value y) {
  auto cx = getConstant(x), cy = getConstant(y);
  if (cx && cy)
    return makeConstant(b, x.getType(), *cx + *cy);
  if (cx == 0)
    return y;
  if (cy == 0)
    return x;
  return arith::AddIOp::create(b, x, y);
}

Value KernelBuilder::sub(Value x, Value y) {
  auto cx = getConstant(x), cy = getConstant(y);
  if (cx && cy)
    return makeConstant(b, x.getType(), *cx - *cy);
  if (cy == 0)
    return x;
  return arith::SubIOp::create(b, x, y);
}

Value KernelBuilder::scale(Value x, int64_t factor) {
  return multiply(x, makeConstant(b, x.getType(), factor));
}

Value KernelBuilder::multiply(Value x, Value y) {
  auto cx = getConstant(x), cy = getConstant(y);
  if (cx && cy)
    return makeConstant(b, x.getType(), *cx * *cy);
  if (cx == 0 || cy == 1)
    return x;
  if (cy == 0 || cx == 1)
    return y;
  return arith::MulIOp::create(b, x, y);
}

Value KernelBuilder::divide(Value x, int64_t divisor) {
  if (divisor == 1)
    return x;
  if (auto cx = getConstant(x))
    return makeConstant(b, x.getType(), *cx / divisor);
  return arith::DivUIOp::create(b, x, makeConstant(b, x.getType(), divisor));
}

Value KernelBuilder::remainder(Value x, int64_t divisor) {
  if (divisor == 1)
    return makeConstant(b, x.getType(), 0);
  if (auto cx = getConstant(x))
    return makeConstant(b, x.getType(), *cx % divisor);
  return arith::RemUIOp::create(b, x, makeConstant(b, x.getType(), divisor));
}

Value KernelBuilder::compare(arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}

Value KernelBuilder::isLess(Value x, int64_t bound) {
  return compare(arith::CmpIPredicate::slt, x, makeConstant(b, x.getType(), bound));
}

Value KernelBuilder::both(Value x, Value y) {
  if (!x || !y)
    return x ? x : y;
  return arith::AndIOp::create(b, x, y);
}

Value KernelBuilder::toIndex(Value x) { return arith::IndexCastOp::create(b, b.getIndexType(), x); }

Value KernelBuilder::toInt(Value index) {
  return arith::IndexCastOp::create(b, b.getI32Type(), index);
}

Value KernelBuilder::toInt64(Value x) {
  if (auto cx = getConstant(x))
    return constant64(*cx);
  if (x.getType().isIndex())
    return arith::IndexCastOp::create(b, b.getI64Type(), x);
  return x.getType().isInteger(64) ? x : arith::ExtSIOp::create(b, b.getI64Type(), x).getResult();
}

Value KernelBuilder::real(double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr((float)value));
}

Value KernelBuilder::zero(Type element) {
  return arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(element)));
}

Value KernelBuilder::convert(Value x, Type element) {
  if (x.getType() == element)
    return x;
  if (isNarrowReal(element))
    return arith::TruncFOp::create(b, element, x);
  return arith::ExtFOp::create(b, element, x);
}

Value KernelBuilder::multiplyAdd(Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}

//===----------------------------------------------------------------------===//
// Control flow and threads
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelBuilder::loopCarrying(Value lower, Value upper, int64_t step,
                                               ValueRange inits, CarryingBody body) {
  auto loop = scf::ForOp::create(b, lower, upper, constant(step), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, results);
  return llvm::to_vector_of<Value>(loop.getResults());
}

void KernelBuilder::loop(Value lower, Value upper, int64_t step, Body body) {
  loopCarrying(lower, upper, step, {}, [&](Value iv, ValueRange) -> SmallVector<Value> {
    body(iv);
    return {};
  });
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> body) {
  if (!condition)
    return body();
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void KernelBuilder::ifThenElse(Value condition, llvm::function_ref<void()> yes,
                               llvm::function_ref<void()> no) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  yes();
  b.setInsertionPointToStart(branch.elseBlock());
  no();
}

void KernelBuilder::forEachElement(ArrayRef<int64_t> shape,
                                   llvm::function_ref<void(ArrayRef<Value>)> body) {
  int64_t total = 1;
  for (int64_t size : shape)
    total *= size;
  auto atLinear = [&](Value linear) {
    SmallVector<Value> position(shape.size());
    for (size_t dim = shape.size(); dim-- > 0;) {
      position[dim] = dim == 0 ? linear : remainder(linear, shape[dim]);
      linear = divide(linear, shape[dim]);
    }
    body(position);
  };
  if (total > chip.threads)
    loop(thread, constant(total), chip.threads, atLinear);
  else
    ifThen(total < chip.threads ? isLess(thread, total) : Value(), [&] { atLinear(thread); });
}

Value KernelBuilder::sumOverLanes(Value value, int64_t distance, int64_t count) {
  for (int64_t reach = 1; reach < count; reach *= 2)
    value = arith::AddFOp::create(b, value, machine.shuffleXor(b, value, distance * reach));
  return value;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static Value getAddress(ImplicitLocOpBuilder &b, Value pointer, Type storage, Value offset) {
  return LLVM::GEPOp::create(b, pointer.getType(), storage, pointer, offset,
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::load(Value pointer, Type element, Value offset) {
  Type storage = getStorageType(element);
  Value value = LLVM::LoadOp::create(b, storage, getAddress(b, pointer, storage, offset),
                                     getStorageBytes(element));
  if (element.isInteger(1))
    return arith::TruncIOp::create(b, element, value);
  if (isNarrowReal(element))
    return arith::BitcastOp::create(b, element, value);
  return element.isIndex() ? toIndex(value) : value;
}

void KernelBuilder::store(Value value, Value pointer, Type element, Value offset) {
  Type storage = getStorageType(element);
  if (element.isInteger(1))
    value = arith::ExtUIOp::create(b, storage, value);
  else if (isNarrowReal(element))
    value = arith::BitcastOp::create(b, storage, value);
  else if (element.isIndex())
    value = toInt64(value);
  LLVM::StoreOp::create(b, value, getAddress(b, pointer, storage, offset),
                        getStorageBytes(element));
}

Value KernelBuilder::loadIf(Value condition, Value pointer, Type element, Value offset) {
  if (!condition)
    return load(pointer, element, offset);
  auto branch = scf::IfOp::create(b, element, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, load(pointer, element, offset));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, zero(element));
  return branch.getResult(0);
}
