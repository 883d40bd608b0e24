//===- Build.cpp - Making ops over named axes -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Build.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include <limits>

using namespace mlir;

namespace mix {

Value stripBroadcasts(Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getSource();
  return value;
}

Value broadcastTo(OpBuilder &builder, Location loc, Value value, Type type) {
  RankedTensorType wanted = withElement(type, getElementTypeOrSelf(value));
  if (value.getType() == wanted)
    return value;
  return BroadcastOp::create(builder, loc, wanted, value);
}

RankedTensorType withAxis(Type type, StringRef axis, int64_t size) {
  auto tensor = cast<RankedTensorType>(type);
  if (hasAxis(tensor, axis))
    return tensor;
  return joinAxes({getTensorType(tensor.getElementType(), {axis}, {size}), tensor});
}

Value ensureAxis(OpBuilder &builder, Location loc, Value value, StringRef axis, int64_t size) {
  return broadcastTo(builder, loc, value, withAxis(value.getType(), axis, size));
}

RankedTensorType joinIndexFirst(ArrayRef<Type> types) {
  RankedTensorType all = joinAxes(types);
  SmallVector<StringRef> axes;
  for (bool index : {true, false})
    for (StringRef axis : getAxes(all))
      if (isIndexAxis(axis) == index)
        axes.push_back(axis);
  SmallVector<int64_t> sizes =
      llvm::map_to_vector(axes, [&](StringRef axis) { return getAxisSize(all, axis); });
  return getTensorType(all.getElementType(), axes, sizes);
}

Value createNumber(OpBuilder &builder, Location loc, double value) {
  auto type = RankedTensorType::get({}, builder.getF64Type());
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, value));
}

Value createReduce(OpBuilder &builder, Location loc, ReduceKind kind, Value source, Value mask,
                   ArrayRef<StringRef> axes) {
  RankedTensorType type = dropAxes(source.getType(), axes);
  return ReduceOp::create(builder, loc, type, kind, source, mask, builder.getStrArrayAttr(axes));
}

Value createIota(OpBuilder &builder, Location loc, StringRef axis, int64_t size) {
  return IotaOp::create(builder, loc, getTensorType(builder.getI64Type(), {axis}, {size}));
}

ForOp createElementwiseLoop(
    OpBuilder &builder, Location loc, StringRef space, int64_t size, StringRef state, Value init,
    llvm::function_ref<std::pair<Value, Value>(OpBuilder &, Value, Value)> step) {
  RankedTensorType rows = withAxis(init.getType(), space, size);
  auto loop =
      ForOp::create(builder, loc, {init.getType(), rows}, space, builder.getStrArrayAttr({state}),
                    init, IntegerAttr(),
                    ScanClassAttr::get(builder.getContext(), ScanClass::Elementwise), StringAttr());
  Block *body = &loop.getBody().emplaceBlock();
  Value position = body->addArgument(getTensorType(builder.getI64Type(), {}, {}), loc);
  Value current = body->addArgument(init.getType(), loc);
  OpBuilder inner = OpBuilder::atBlockEnd(body);
  auto [next, output] = step(inner, position, current);
  YieldOp::create(inner, loc, ValueRange{next, output});
  return loop;
}

std::optional<double> getSplat(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  return elements.getSplatValue<APFloat>().convertToDouble();
}

double getIdentity(PrefixKind kind) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case PrefixKind::Sum:
    return 0;
  case PrefixKind::Prod:
    return 1;
  case PrefixKind::Min:
    return infinity;
  case PrefixKind::Max:
  case PrefixKind::LogSumExp:
    return -infinity;
  }
  llvm_unreachable("unknown prefix");
}

Value createLogAddExp(OpBuilder &builder, Location loc, Value x, Value y, Value lowest) {
  Value larger = arith::MaximumFOp::create(builder, loc, x, y);
  Value smaller = arith::MinimumFOp::create(builder, loc, x, y);
  Value difference = arith::SubFOp::create(builder, loc, smaller, larger);
  Value power = math::ExpOp::create(builder, loc, difference);
  Value sum = arith::AddFOp::create(builder, loc, larger,
                                    math::Log1pOp::create(builder, loc, power).getResult());
  Value isNothing = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, larger, lowest);
  return arith::SelectOp::create(builder, loc, isNothing, larger, sum);
}

std::optional<int64_t> getConstantInteger(Value value) {
  DenseIntElementsAttr elements;
  if (!matchPattern(stripBroadcasts(value), m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  return elements.getSplatValue<APInt>().getSExtValue();
}

Value createTrue(OpBuilder &builder, Location loc) {
  auto type = RankedTensorType::get({}, builder.getI1Type());
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, true));
}

bool isTrue(Value predicate) {
  DenseElementsAttr elements;
  return matchPattern(stripBroadcasts(predicate), m_Constant(&elements)) && elements.isSplat() &&
         elements.getElementType().isInteger(1) && elements.getSplatValue<bool>();
}

std::string describeLocation(Location loc) {
  std::string text = "unknown location";
  loc->walk([&](Location part) {
    auto line = dyn_cast<FileLineColLoc>(part);
    if (!line)
      return WalkResult::advance();
    text = (line.getFilename().getValue() + ":" + Twine(line.getLine()) + ":" +
            Twine(line.getColumn()))
               .str();
    return WalkResult::interrupt();
  });
  return text;
}

} // namespace mix
