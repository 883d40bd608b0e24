//===- StepBlocks.cpp - Values of blocks as values of tokens --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/StepBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Build.h"
#include "passes/StepDeriver.h"
#include "passes/TilePlan.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

BlockSizes mix::getBlockSizes(func::FuncOp mixer, StringRef space) {
  BlockSizes sizes;
  auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  if (!blocks)
    return sizes;
  for (NamedAttribute entry : blocks) {
    // Blocks of blocks have a chain of spaces, as long as there are spaces at most.
    int64_t tokens = 1;
    StringRef name = entry.getName().getValue();
    for (size_t n = 0; n < blocks.size() && name != space; ++n) {
      auto base = blocks.getAs<ArrayAttr>(name);
      if (!base || base.size() != 2 || !isa<StringAttr>(base[0]) || !isa<IntegerAttr>(base[1]))
        break;
      tokens *= cast<IntegerAttr>(base[1]).getInt();
      name = cast<StringAttr>(base[0]).getValue();
    }
    if (name == space)
      sizes[entry.getName().getValue()] = tokens;
  }
  return sizes;
}

static Value createInteger(OpBuilder &b, Location loc, int64_t value, Type type) {
  auto scalar = DenseElementsAttr::get(RankedTensorType::get({}, b.getI64Type()), value);
  return broadcastTo(b, loc, arith::ConstantOp::create(b, loc, scalar), type);
}

Value mix::createBlockEnd(OpBuilder &b, Location loc, Value block, int64_t size) {
  Type type = block.getType();
  Value begin = arith::MulIOp::create(b, loc, block, createInteger(b, loc, size, type));
  return arith::AddIOp::create(b, loc, begin, createInteger(b, loc, size - 1, type));
}

namespace {
class BlockSpreader {
public:
  BlockSpreader(func::FuncOp mixer, StringRef space, const BlockSizes &blocks)
      : mixer(mixer), space(space), blocks(blocks), builder(mixer.getContext()) {}

  LogicalResult run();

private:
  /// The block space along whose axis the op reads, or empty.
  StringRef getReadSpace(ReadOp read) const;
  /// The value with the variable `from` of blocks in place of a variable of tokens: at a token,
  /// it is that of the last block that is complete. Null after an error.
  Value getLast(Value value, StringRef from);
  Value cloneLast(Operation *op, Value value, StringRef from);
  Value deriveIota(IotaOp op, int64_t size);
  LogicalResult rewrite(ReadOp read);

  /// One name for all variables of a block space, so that masks are shared.
  std::string getTokenVariable(StringRef from) const {
    return ("last." + getSpace(from) + ":" + space).str();
  }

  func::FuncOp mixer;
  StringRef space;
  const BlockSizes &blocks;
  OpBuilder builder;
  llvm::DenseMap<std::pair<Value, StringRef>, Value> lasts;
};
} // namespace

StringRef BlockSpreader::getReadSpace(ReadOp read) const {
  for (StringRef axis : read.getAxes().getAsValueRange<StringAttr>())
    if (blocks.contains(axis))
      return axis;
  return {};
}

/// The positions `(t + 1 - c) div c` of tokens `t`.
Value BlockSpreader::deriveIota(IotaOp op, int64_t size) {
  Location loc = op.getLoc();
  std::string variable = getTokenVariable(getAxes(op.getResult()).front());
  Value token = createIota(builder, loc, variable, ShapedType::kDynamic);
  Type type = token.getType();
  Value shifted =
      arith::AddIOp::create(builder, loc, token, createInteger(builder, loc, 1 - size, type));
  return arith::FloorDivSIOp::create(builder, loc, shifted,
                                     createInteger(builder, loc, size, type));
}

Value BlockSpreader::getLast(Value value, StringRef from) {
  if (!hasAxis(value.getType(), from))
    return value;
  auto it = lasts.find({value, from});
  if (it != lasts.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(op);
  Value result = cloneLast(op, value, from);
  if (result)
    lasts[{value, from}] = result;
  return result;
}

Value BlockSpreader::cloneLast(Operation *op, Value value, StringRef from) {
  if (auto iota = dyn_cast<IotaOp>(op))
    return deriveIota(iota, blocks.lookup(getSpace(from)));
  if (isSequentialAnchor(op)) {
    (void)refuseStep(op->getLoc(), "run over blocks of '" + space + "'");
    return {};
  }
  // A value of blocks that is read at the same block.
  if (auto read = dyn_cast<ReadOp>(op); read && !getReadSpace(read).empty())
    if (auto bind = read.getSource().getDefiningOp<BindOp>();
        bind && read.getIndices().size() == 1 && getExactIndex(read.getIndices()[0]) == from) {
      Value source = getLast(bind.getSource(), bind.getAxis());
      auto type = renameAxis(read.getType(), from, getTokenVariable(from));
      return source ? broadcastTo(builder, op->getLoc(), source, type) : Value();
    }
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    Value last = getLast(operand, from);
    if (!last)
      return {};
    mapping.map(operand, last);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (auto [old, result] : llvm::zip(op->getResults(), clone->getResults())) {
    if (hasAxis(old.getType(), from))
      result.setType(renameAxis(old.getType(), from, getTokenVariable(from)));
    lasts[{old, from}] = result;
  }
  auto read = dyn_cast<ReadOp>(clone);
  if (read && !getReadSpace(read).empty() && failed(rewrite(read)))
    return {};
  return lasts.lookup({value, from});
}

/// `value[b]` is `last[c b + c - 1]`.
LogicalResult BlockSpreader::rewrite(ReadOp read) {
  StringRef axis = getReadSpace(read);
  Location loc = read.getLoc();
  auto bind = read.getSource().getDefiningOp<BindOp>();
  if (!bind)
    return refuseStep(loc, "run over blocks of '" + space + "'");
  Value last = getLast(bind.getSource(), bind.getAxis());
  if (!last)
    return failure();
  Value &bound = lasts[{bind, StringRef()}];
  if (!bound) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(bind);
    std::string variable = getTokenVariable(bind.getAxis());
    bound = BindOp::create(builder, bind.getLoc(), renameAxis(last.getType(), variable, space),
                           last, variable);
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(read);
  SmallVector<Attribute> axes(read.getAxes().getValue());
  for (auto [n, name] : llvm::enumerate(read.getAxes().getAsValueRange<StringAttr>())) {
    if (name != axis)
      continue;
    axes[n] = builder.getStringAttr(space);
    Value end = createBlockEnd(builder, loc, read.getIndices()[n], blocks.lookup(axis));
    read.getIndicesMutable()[n].assign(end);
  }
  read.getSourceMutable().assign(bound);
  read.setAxesAttr(builder.getArrayAttr(axes));
  return success();
}

LogicalResult BlockSpreader::run() {
  SmallVector<ReadOp> reads;
  mixer.walk([&](ReadOp read) {
    if (!getReadSpace(read).empty())
      reads.push_back(read);
  });
  // First all values, since what makes one of them reads others as they were.
  for (ReadOp read : reads)
    if (auto bind = read.getSource().getDefiningOp<BindOp>();
        bind && !getLast(bind.getSource(), bind.getAxis()))
      return failure();
  for (ReadOp read : reads)
    if (failed(rewrite(read)))
      return failure();
  return success();
}

LogicalResult mix::spreadBlocks(func::FuncOp mixer, StringRef space, const BlockSizes &blocks) {
  return blocks.empty() ? success() : BlockSpreader(mixer, space, blocks).run();
}
