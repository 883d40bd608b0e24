//===- SinkReads.cpp - Reads of computed values become computations ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `(f(a, b))[j = e]` is `f(a[j = e], b[j = e])`, down to positions (`e` itself), to
// what does not depend on `j`, and to reads of what is stored.
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Build.h"
#include "passes/Passes.h"

using namespace mlir;
using llvm::StringRef;

namespace mix {
#define GEN_PASS_DEF_SINKREADS
#include "passes/Passes.h.inc"

/// Ops with one result, element by element.
static bool isElementwise(Operation *op) {
  return isa_and_present<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
         op->getNumOperands() > 0;
}

/// Whether the op computes a value along index axes from others at the same positions.
static bool isSinkable(Operation *op) {
  if (!op)
    return false;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return llvm::none_of(reduce.getAxes().getAsValueRange<StringAttr>(), isIndexAxis);
  return isElementwise(op) || isa<BroadcastOp, IotaOp, ReadOp>(op);
}

namespace {
/// The value of expressions where an index variable stands at a computed position.
class Sinker {
public:
  Sinker(OpBuilder &builder, StringRef axis, Value index)
      : builder(builder), axis(axis), index(index) {}

  Value at(Value value) {
    if (!hasAxis(value.getType(), axis))
      return value;
    auto [it, isNew] = done.try_emplace(value);
    if (isNew) {
      Value moved = compute(value);
      it = done.try_emplace(value).first;
      it->second = moved;
    }
    return it->second;
  }

private:
  Value compute(Value value) {
    Operation *op = value.getDefiningOp();
    if (isa_and_present<IotaOp>(op))
      return index;
    if (auto broadcast = dyn_cast_or_null<BroadcastOp>(op))
      return at(broadcast.getSource());
    if (auto read = dyn_cast_or_null<ReadOp>(op))
      return moveRead(read);
    if (auto reduce = dyn_cast_or_null<ReduceOp>(op); reduce && isSinkable(op))
      return moveReduce(reduce);
    if (op && isElementwise(op))
      return moveElementwise(op);
    return createRead(value.getLoc(), value, builder.getStrArrayAttr({axis}), {index});
  }

  Value createRead(Location loc, Value source, ArrayAttr axes, ArrayRef<Value> indices) {
    SmallVector<StringRef> names(axes.getAsValueRange<StringAttr>());
    SmallVector<Type> parts = {dropAxes(source.getType(), names)};
    for (Value position : indices)
      parts.push_back(position.getType());
    return ReadOp::create(builder, loc, joinIndexFirst(parts), source, axes, indices);
  }

  Value moveRead(ReadOp read) {
    SmallVector<Value> indices =
        llvm::map_to_vector(read.getIndices(), [&](Value position) { return at(position); });
    return createRead(read.getLoc(), at(read.getSource()), read.getAxes(), indices);
  }

  Value moveReduce(ReduceOp reduce) {
    SmallVector<StringRef> axes(reduce.getAxes().getAsValueRange<StringAttr>());
    Value source = at(reduce.getSource()), mask = reduce.getMask();
    if (mask) {
      mask = at(mask);
      RankedTensorType type = joinIndexFirst({source.getType(), mask.getType()});
      source = broadcastTo(builder, reduce.getLoc(), source, type);
    }
    return createReduce(builder, reduce.getLoc(), reduce.getKind(), source, mask, axes);
  }

  Value moveElementwise(Operation *op) {
    SmallVector<Value> operands =
        llvm::map_to_vector(op->getOperands(), [&](Value operand) { return at(operand); });
    SmallVector<Type> types =
        llvm::map_to_vector(operands, [](Value operand) { return operand.getType(); });
    RankedTensorType joined = joinIndexFirst(types);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : operands)
      state.operands.push_back(broadcastTo(builder, op->getLoc(), operand, joined));
    state.addTypes(withElement(joined, getElementTypeOrSelf(op->getResult(0).getType())));
    state.addAttributes(op->getAttrs());
    return builder.create(state)->getResult(0);
  }

  OpBuilder &builder;
  StringRef axis;
  Value index;
  llvm::DenseMap<Value, Value> done;
};

struct SinkReads : impl::SinkReadsBase<SinkReads> {
  void runOnOperation() override {
    SmallVector<ReadOp> reads;
    getOperation().walk([&](ReadOp read) {
      if (isComputed(read))
        reads.push_back(read);
    });
    for (ReadOp read : reads) {
      OpBuilder builder(read);
      StringRef axis = cast<StringAttr>(read.getAxes()[0]).getValue();
      Value index = read.getIndices().front();
      Value value = Sinker(builder, axis, index).at(read.getSource());
      if (!isInRange(axis, index))
        value = zeroOutside(builder, read, axis, value);
      read.getResult().replaceAllUsesWith(
          broadcastTo(builder, read.getLoc(), value, read.getType()));
      read.erase();
      ++numSunk;
    }
  }

  /// Whether the read looks along an index axis at a value that can be computed again.
  static bool isComputed(ReadOp read) {
    return read.getAxes().size() == 1 &&
           isIndexAxis(cast<StringAttr>(read.getAxes()[0]).getValue()) &&
           isSinkable(read.getSource().getDefiningOp());
  }

  /// Whether the index is the block of a position of the space that is cut into blocks.
  bool isInRange(StringRef axis, Value index) {
    auto division = stripBroadcasts(index).getDefiningOp<arith::FloorDivSIOp>();
    auto blocks = getOperation()->getAttrOfType<DictionaryAttr>(kBlocksAttr);
    auto entry = blocks ? blocks.getAs<ArrayAttr>(getSpace(axis)) : ArrayAttr();
    if (!division || !entry)
      return false;
    auto iota = stripBroadcasts(division.getLhs()).getDefiningOp<IotaOp>();
    return iota && getSpace(getAxes(iota.getResult()).front()) == cast<StringAttr>(entry[0]) &&
           getConstantInteger(division.getRhs()) == cast<IntegerAttr>(entry[1]).getInt();
  }

  /// A read outside its axis gives zero, whatever the expression would.
  static Value zeroOutside(OpBuilder &builder, ReadOp read, StringRef axis, Value value) {
    Location loc = read.getLoc();
    Value index = read.getIndices().front();
    auto scalar = RankedTensorType::get({}, builder.getI64Type());
    Value size = SizeOp::create(builder, loc, scalar, builder.getStringAttr(getSpace(axis)));
    Value first = arith::ConstantOp::create(builder, loc,
                                            DenseElementsAttr::get(scalar, ArrayRef<int64_t>(0)));
    auto compare = [&](arith::CmpIPredicate predicate, Value bound) -> Value {
      return arith::CmpIOp::create(builder, loc, predicate, index,
                                   broadcastTo(builder, loc, bound, index.getType()));
    };
    Value isInside = arith::AndIOp::create(builder, loc, compare(arith::CmpIPredicate::sge, first),
                                           compare(arith::CmpIPredicate::slt, size));
    RankedTensorType type = joinIndexFirst({value.getType(), index.getType()});
    Value full = broadcastTo(builder, loc, value, type);
    Value zero = arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, type.getElementType()),
                               builder.getZeroAttr(type.getElementType())));
    return arith::SelectOp::create(builder, loc, broadcastTo(builder, loc, isInside, type), full,
                                   broadcastTo(builder, loc, zero, type));
  }
};
} // namespace

} // namespace mix
