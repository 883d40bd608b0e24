//===- IndexTokens.cpp - Expressions of whole sequences get an index variable ---===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace mix {
#define GEN_PASS_DEF_INDEXTOKENS
#include "passes/Passes.h.inc"
} // namespace mix

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Spaces that an index variable walks somewhere: the token axes of the mixer.
static llvm::StringSet<> getWalkedSpaces(func::FuncOp mixer) {
  llvm::StringSet<> spaces;
  mixer.walk([&](Operation *op) {
    if (auto loop = dyn_cast<ForOp>(op))
      spaces.insert(loop.getSpace());
    else if (auto iota = dyn_cast<IotaOp>(op))
      spaces.insert(getSpace(getAxes(iota.getResult()).front()));
  });
  if (auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr))
    for (NamedAttribute block : blocks)
      spaces.insert(block.getName().getValue());
  return spaces;
}

namespace {
struct IndexTokens : mix::impl::IndexTokensBase<IndexTokens> {
  using IndexTokensBase::IndexTokensBase;

  void runOnOperation() override {
    if (!getOperation()->hasAttr(kMixerAttr))
      return;
    spaces = getWalkedSpaces(getOperation());
    positions.clear();
    SmallVector<Operation *> work;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isWhole(op))
        work.push_back(op);
    });
    for (Operation *op : work)
      rewrite(op);
    numIndexed += work.size();
  }

private:
  bool isToken(StringRef axis) const { return spaces.contains(axis); }
  bool hasToken(Type type) const {
    return llvm::any_of(getAxes(type), [&](StringRef axis) { return isToken(axis); });
  }
  /// Whether the op computes with whole sequences. Loops and `mix.bind` make them, and a
  /// read takes an element of one.
  bool isWhole(Operation *op) const {
    if (isa<ForOp, YieldOp, BindOp, InitialOp, func::FuncOp, func::ReturnOp>(op))
      return false;
    return llvm::any_of(op->getResultTypes(), [&](Type type) { return hasToken(type); }) ||
           (!isa<ReadOp>(op) &&
            llvm::any_of(op->getOperandTypes(), [&](Type type) { return hasToken(type); }));
  }

  /// The variable of whole sequences over a space: no user can name one like an axis.
  StringRef getVariable(StringRef space) {
    return StringAttr::get(&getContext(), space + ":" + space).getValue();
  }
  Value getPositions(StringRef space, int64_t size);
  RankedTensorType indexed(Type type);
  Value readAll(OpBuilder &builder, Location loc, Value value);
  Attribute renameAxes(Attribute attr);
  void rewrite(Operation *op);

  llvm::StringSet<> spaces;
  llvm::StringMap<Value> positions;
};
} // namespace

Value IndexTokens::getPositions(StringRef space, int64_t size) {
  Value &value = positions[space];
  if (value)
    return value;
  Block &entry = getOperation().getBody().front();
  OpBuilder builder(&entry, entry.begin());
  return value = createIota(builder, getOperation().getLoc(), getVariable(space), size);
}

/// The type with token axes replaced by their variables.
RankedTensorType IndexTokens::indexed(Type type) {
  auto result = cast<RankedTensorType>(type);
  for (StringRef axis : getAxes(type))
    if (isToken(axis))
      result = renameAxis(result, axis, getVariable(axis));
  return result;
}

/// The value with every token axis walked by its variable.
Value IndexTokens::readAll(OpBuilder &builder, Location loc, Value value) {
  // What this pass has bound is used as it was before.
  while (auto bind = value.getDefiningOp<BindOp>()) {
    if (bind.getAxis() != getVariable(getSpace(bind.getAxis())))
      break;
    value = bind.getSource();
  }
  SmallVector<Attribute> axes;
  SmallVector<Value> indices;
  for (StringRef axis : getAxes(value))
    if (isToken(axis)) {
      axes.push_back(builder.getStringAttr(axis));
      indices.push_back(getPositions(axis, getAxisSize(value.getType(), axis)));
    }
  if (axes.empty())
    return value;
  return ReadOp::create(builder, loc, indexed(value.getType()), value, builder.getArrayAttr(axes),
                        indices);
}

/// Axis names in the attributes of reductions.
Attribute IndexTokens::renameAxes(Attribute attr) {
  if (auto name = dyn_cast<StringAttr>(attr))
    return isToken(name.getValue()) ? StringAttr::get(&getContext(), getVariable(name.getValue()))
                                    : attr;
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array)
    return attr;
  SmallVector<Attribute> names =
      llvm::map_to_vector(array, [&](Attribute element) { return renameAxes(element); });
  return ArrayAttr::get(&getContext(), names);
}

void IndexTokens::rewrite(Operation *op) {
  OpBuilder builder(op);
  OperationState state(op->getLoc(), op->getName());
  auto read = dyn_cast<ReadOp>(op);
  for (OpOperand &operand : op->getOpOperands()) {
    // A read keeps its source; what it leaves whole is read as well, below.
    bool isSource = read && operand.getOperandNumber() == 0;
    state.operands.push_back(isSource ? operand.get()
                                      : readAll(builder, op->getLoc(), operand.get()));
  }
  for (Type type : op->getResultTypes())
    state.addTypes(indexed(type));
  state.addAttributes(op->getAttrs());
  if (read) {
    SmallVector<Attribute> axes(read.getAxes().getValue());
    for (StringRef axis : getAxes(read.getSource())) {
      bool isIndexed = llvm::is_contained(axes, builder.getStringAttr(axis));
      if (isIndexed || !isToken(axis))
        continue;
      axes.push_back(builder.getStringAttr(axis));
      state.operands.push_back(getPositions(axis, getAxisSize(read.getSource().getType(), axis)));
    }
    state.attributes.set("axes", builder.getArrayAttr(axes));
  } else {
    for (StringRef name : {"axis", "axes"})
      if (Attribute attr = op->getAttr(name); attr && !isa<SizeOp>(op))
        state.attributes.set(name, renameAxes(attr));
  }
  Operation *indexedOp = builder.create(state);
  for (auto [old, result] : llvm::zip(op->getResults(), indexedOp->getResults())) {
    Value whole = result;
    for (StringRef axis : getAxes(old))
      if (isToken(axis))
        whole = BindOp::create(builder, op->getLoc(),
                               renameAxis(whole.getType(), getVariable(axis), axis), whole,
                               getVariable(axis));
    old.replaceAllUsesWith(whole);
  }
  op->erase();
}
