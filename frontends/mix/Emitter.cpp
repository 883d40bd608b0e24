//===- Emitter.cpp - Operations of level L1 -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Emitter.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::frontend;

SmallVector<StringRef> mix::frontend::putIndexAxesFirst(ArrayRef<StringRef> axes) {
  SmallVector<StringRef> result;
  for (bool wantIndex : {true, false})
    llvm::copy_if(axes, std::back_inserter(result),
                  [&](StringRef axis) { return isIndexAxis(axis) == wantIndex; });
  return result;
}

void Emitter::enterFunction(Block *block) {
  entry = block;
  lastHoisted = nullptr;
  hoisted.clear();
  builder.setInsertionPointToEnd(block);
}

RankedTensorType Emitter::getType(Type element, ArrayRef<StringRef> axes) {
  SmallVector<int64_t> shape;
  for (StringRef axis : axes) {
    auto it = sizes.find(getSpace(axis));
    shape.push_back(it == sizes.end() ? ShapedType::kDynamic : it->second);
  }
  return getTensorType(element, axes, shape);
}

Value Emitter::hoist(const std::string &key, llvm::function_ref<Value()> create) {
  Value &value = hoisted[key];
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(builder);
  if (lastHoisted)
    builder.setInsertionPointAfter(lastHoisted);
  else
    builder.setInsertionPointToStart(entry);
  value = create();
  lastHoisted = value.getDefiningOp();
  return value;
}

Value Emitter::createConstant(const std::string &key, Type element, Attribute value) {
  return hoist(key, [&]() -> Value {
    auto type = RankedTensorType::get({}, element);
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, value));
  });
}

Value Emitter::createReal(double value) {
  std::string bits = llvm::utohexstr(llvm::APFloat(value).bitcastToAPInt().getZExtValue());
  return createConstant("real " + bits, getReal(), builder.getF64FloatAttr(value));
}

Value Emitter::createInteger(int64_t value) {
  return createConstant("int " + std::to_string(value), getInteger(),
                        builder.getI64IntegerAttr(value));
}

Value Emitter::createBool(bool value) {
  return createConstant(value ? "true" : "false", getBool(), builder.getBoolAttr(value));
}

Value Emitter::createSize(StringRef axis) {
  return hoist("size " + axis.str(), [&]() -> Value {
    return SizeOp::create(builder, loc, getType(getInteger(), {}), axis);
  });
}

Value Emitter::createIota(StringRef axis) {
  return hoist("iota " + axis.str(), [&]() -> Value {
    return IotaOp::create(builder, loc, getType(getInteger(), {axis}));
  });
}

Value Emitter::broadcast(Value value, Type type) {
  Type target = withElement(type, getElementTypeOrSelf(value));
  if (target == value.getType())
    return value;
  return BroadcastOp::create(builder, loc, target, value);
}

SmallVector<StringRef> Emitter::joinAxes(ArrayRef<Value> values) {
  llvm::SmallSetVector<StringRef, 4> axes;
  for (Value value : values)
    for (StringRef axis : getAxes(value))
      axes.insert(axis);
  return putIndexAxesFirst(axes.getArrayRef());
}

void Emitter::unify(MutableArrayRef<Value> values) {
  RankedTensorType type = getType(getReal(), joinAxes(values));
  for (Value &value : values)
    value = broadcast(value, type);
}

Value Emitter::convertToReal(Value value) {
  Type type = withElement(value.getType(), getReal());
  return value.getType() == type ? value : arith::SIToFPOp::create(builder, loc, type, value);
}

Value Emitter::select(Value condition, Value ifTrue, Value ifFalse) {
  Value operands[] = {condition, ifTrue, ifFalse};
  unify(operands);
  return arith::SelectOp::create(builder, loc, operands[0], operands[1], operands[2]);
}

Value Emitter::read(Value source, ArrayRef<StringRef> axes, ArrayRef<Value> indices) {
  SmallVector<StringRef> resultAxes = joinAxes(indices);
  for (StringRef axis : getAxes(source))
    if (!llvm::is_contained(axes, axis) && !llvm::is_contained(resultAxes, axis))
      resultAxes.push_back(axis);
  resultAxes = putIndexAxesFirst(resultAxes);
  Type type = getType(getElementTypeOrSelf(source), resultAxes);
  return ReadOp::create(builder, loc, type, source, builder.getStrArrayAttr(axes), indices);
}

Value Emitter::reduce(ReduceKind kind, Value source, Value mask, ArrayRef<StringRef> axes) {
  SmallVector<Value> parts = {source};
  if (mask)
    parts.push_back(mask);
  SmallVector<StringRef> joined = joinAxes(parts);
  for (StringRef axis : axes)
    if (!llvm::is_contained(joined, axis))
      joined.insert(joined.begin(), axis);
  source = broadcast(source, getType(getReal(), joined));
  return ReduceOp::create(builder, loc, dropAxes(source.getType(), axes), kind, source, mask,
                          builder.getStrArrayAttr(axes));
}

Value Emitter::conjoin(Value a, Value b) {
  if (!a || !b || a == b)
    return a ? a : b;
  return create<arith::AndIOp>(a, b);
}
