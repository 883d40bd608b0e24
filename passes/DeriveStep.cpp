//===- DeriveStep.cpp - mix-derive-step: from a mixer to its step form -----===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/StepDeriver.h"

namespace mix {
#define GEN_PASS_DEF_DERIVESTEP
#include "passes/Passes.h.inc"
} // namespace mix

using namespace mlir;
using namespace mix;
using llvm::StringRef;

LogicalResult mix::refuseStep(Location loc, const Twine &what) {
  return emitError(loc) << "a step cannot " << what;
}

/// The axis of a space, or of an index variable, where it is of all tokens.
std::string StepDeriver::getHistoryAxis(StringRef axis) const {
  std::string history = getHistorySpace(mix::getSpace(axis));
  return isIndexAxis(axis) ? (axis.split(':').first + ":" + history).str() : history;
}

/// The type, where the variables of `walks` walk all tokens.
Type StepDeriver::convert(Type type, AllWalks walks) const {
  auto result = cast<RankedTensorType>(type);
  for (StringRef axis : getAxes(type))
    if (analysis.getBit(axis) & walks)
      result = renameAxis(result, axis, getHistoryAxis(axis));
  return result;
}

static Attribute renameAxes(Attribute attr, llvm::function_ref<std::string(StringRef)> rename) {
  MLIRContext *context = attr.getContext();
  if (auto name = dyn_cast<StringAttr>(attr))
    return StringAttr::get(context, rename(name.getValue()));
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array)
    return attr;
  SmallVector<Attribute> names =
      llvm::map_to_vector(array, [&](Attribute element) { return renameAxes(element, rename); });
  return ArrayAttr::get(context, names);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value StepDeriver::get(Value value, AllWalks walks) {
  walks &= analysis.getBits(value);
  auto it = values.find({value, walks});
  if (it != values.end())
    return it->second;
  StringRef variable = analysis.getKeyVariable(value, walks);
  bool isKept =
      !variable.empty() && (analysis.isKept(value) || analysis.isOriginal(value, variable));
  Value result = isKept ? readKept(value, variable) : derive(value, walks);
  if (result)
    values[{value, walks}] = result;
  return result;
}

Value StepDeriver::derive(Value value, AllWalks walks) {
  Operation *op = value.getDefiningOp();
  for (StringRef axis : getAxes(value))
    if (blocks.contains(mix::getSpace(axis)) && !(analysis.getBit(axis) & walks)) {
      (void)refuseStep(value.getLoc(), "run over blocks of '" + space + "'");
      return {};
    }
  if (auto iota = dyn_cast<IotaOp>(op))
    return deriveIota(iota, walks);
  if (auto read = dyn_cast<ReadOp>(op))
    return deriveRead(read, walks);
  if (auto size = dyn_cast<SizeOp>(op); size && size.getAxis() == space) {
    (void)refuseStep(op->getLoc(), "know how many tokens the sequence will have");
    return {};
  }
  if (auto prefix = dyn_cast<PrefixOp>(op)) {
    AllWalks along = analysis.getBit(prefix.getAxis());
    if (along && !(along & walks))
      return deriveTotal(prefix);
  }
  auto loop = dyn_cast<ForOp>(op);
  if (failed(loop && loop.getSpace() == space ? deriveLoop(loop) : cloneOp(op, walks)))
    return {};
  return values.lookup({value, walks & analysis.getBits(value)});
}

/// Builds the op with its operands in the step form.
LogicalResult StepDeriver::cloneOp(Operation *op, AllWalks walks) {
  if (isa<ForOp, AffineScanOp>(op) && (walks || analysis.getBits(op->getOperand(0))))
    return refuseStep(op->getLoc(), "run a recurrence for every token");
  if (failed(checkReductions(op, walks)))
    return failure();
  OperationState state(op->getLoc(), op->getName());
  AllWalks inside = walks;
  bool isGood = true;
  SmallVector<Value> operands(op->getNumOperands());
  analysis.forEachOperand(op, walks, [&](unsigned n, AllWalks operandWalks) {
    inside |= operandWalks;
    operands[n] = isGood ? get(op->getOperand(n), operandWalks) : Value();
    isGood &= (bool)operands[n];
  });
  if (!isGood || (op->getNumRegions() > 0 && failed(prepareBody(cast<ForOp>(op)))))
    return failure();
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Value outside = values.lookup({operand, 0}); outside && inner != op)
        mapping.map(operand, outside);
  });
  Operation *clone = op->getNumRegions() > 0 ? builder.clone(*op, mapping) : nullptr;
  if (!clone) {
    state.operands.assign(operands.begin(), operands.end());
    for (Type type : op->getResultTypes())
      state.addTypes(convert(type, walks));
    state.addAttributes(op->getAttrs());
    state.propertiesAttr = op->getPropertiesAsAttribute();
    clone = builder.create(state);
    for (StringRef name : {"axis", "axes"})
      if (Attribute axes = op->getInherentAttr(name).value_or(Attribute());
          axes && !isa<ReadOp>(op))
        clone->setInherentAttr(builder.getStringAttr(name), renameAxes(axes, [&](StringRef axis) {
                                 return analysis.getBit(axis) & inside ? getHistoryAxis(axis)
                                                                       : axis.str();
                               }));
  }
  for (auto [old, result] : llvm::zip(op->getResults(), clone->getResults()))
    values[{old, walks & analysis.getBits(old)}] = result;
  if (auto scan = dyn_cast<AffineScanOp>(clone))
    keepTotal(scan);
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// Starts the function: the arguments of the mixer, and the position.
void StepDeriver::begin() {
  MLIRContext *context = mixer.getContext();
  builder.setInsertionPoint(mixer);
  auto type = FunctionType::get(context, mixer.getArgumentTypes(), {});
  step = func::FuncOp::create(builder, mixer.getLoc(), mixer.getName(), type);
  step->setDiscardableAttrs(mixer->getDiscardableAttrDictionary());
  step->setAttr(kStepAttr, builder.getStringAttr(space));
  entry = step.addEntryBlock();
  for (auto [n, argument] : llvm::enumerate(mixer.getArguments())) {
    step.setArgAttrs(n, mixer.getArgAttrDict(n));
    values[{argument, 0}] = step.getArgument(n);
  }
  NamedAttribute attributes[] = {
      builder.getNamedAttr(kNameAttr, builder.getStringAttr(space + ".position")),
      builder.getNamedAttr(kKindAttr, builder.getStringAttr("position"))};
  unsigned number = step.getNumArguments();
  (void)step.insertArgument(number, RankedTensorType::get({}, builder.getI64Type()),
                            builder.getDictionaryAttr(attributes), mixer.getLoc());
  position = step.getArgument(number);
  builder.setInsertionPointToEnd(entry);
}

/// Returns the results of the mixer, the states that were added, and the caches.
void StepDeriver::finish(SmallVector<Value> results) {
  SmallVector<DictionaryAttr> attributes;
  for (unsigned n = 0; n < results.size(); ++n)
    attributes.push_back(mixer.getResultAttrDict(n));
  auto add = [&](Value value, StringRef name, StringRef kind) {
    results.push_back(value);
    attributes.push_back(
        builder.getDictionaryAttr({builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)),
                                   builder.getNamedAttr(kKindAttr, builder.getStringAttr(kind))}));
  };
  for (auto &[name, value] : states)
    add(value, name, "state");
  for (auto &[rows, cache] : caches) {
    unsigned number = cast<BlockArgument>(cache.append.getCache()).getArgNumber();
    if (Window window = getWindow(cache))
      step.setArgAttr(number, kWindowAttr, builder.getI64IntegerAttr(*window));
    step.setArgAttr(number, kSourcesAttr, getSources(rows));
    StringRef name = step.getArgAttrOfType<StringAttr>(number, kNameAttr).getValue();
    add(cache.append.getResult(), name, "cache");
  }
  func::ReturnOp::create(builder, mixer.getLoc(), results);
  SmallVector<Type> types = llvm::map_to_vector(results, [](Value v) { return v.getType(); });
  step.setFunctionType(builder.getFunctionType(step.getArgumentTypes(), types));
  for (auto [n, attrs] : llvm::enumerate(attributes))
    step.setResultAttrs(n, attrs);
}

func::FuncOp StepDeriver::run() {
  if (analysis.hasTooManyVariables()) {
    (void)refuseStep(mixer.getLoc(), "be derived of more than " +
                                         Twine(StepAnalysis::kMostVariables) + " index variables");
    return {};
  }
  for (Type type : mixer.getArgumentTypes())
    if (hasAxis(type, space) && !ShapedType::isDynamic(mix::getAxisSize(type, space))) {
      (void)refuseStep(mixer.getLoc(), "have a fixed number of tokens '" + space + "'");
      return {};
    }
  begin();
  SmallVector<Value> results;
  for (Value value : mixer.getBody().front().getTerminator()->getOperands()) {
    results.push_back(get(value, 0));
    if (!results.back()) {
      step.erase();
      return {};
    }
  }
  finish(results);
  step->removeAttr(kBlocksAttr);
  if (DictionaryAttr walked = getHistoryBlocks(); !walked.empty())
    step->setAttr(kBlocksAttr, walked);
  return step;
}

/// The blocks of all tokens that something walks.
DictionaryAttr StepDeriver::getHistoryBlocks() {
  llvm::StringMap<bool> isWalked;
  step.walk(
      [&](IotaOp iota) { isWalked[mix::getSpace(getAxes(iota.getResult()).front())] = true; });
  SmallVector<NamedAttribute> entries;
  for (auto &entry : blocks) {
    std::string history = getHistorySpace(entry.first());
    Attribute base[] = {builder.getStringAttr(all), builder.getI64IntegerAttr(entry.second)};
    if (isWalked.contains(history))
      entries.push_back(builder.getNamedAttr(history, builder.getArrayAttr(base)));
  }
  return builder.getDictionaryAttr(entries);
}

/// The token space that the results follow: the one to step over.
static StringRef getSteppedSpace(func::FuncOp mixer) {
  StringRef space;
  for (Value value : mixer.getBody().front().getTerminator()->getOperands()) {
    if (!space.empty())
      break;
    if (auto bind = value.getDefiningOp<BindOp>())
      space = getSpace(bind.getAxis());
    else if (auto loop = value.getDefiningOp<ForOp>())
      space = loop.getSpace();
    else if (auto scan = value.getDefiningOp<AffineScanOp>())
      space = getSpace(scan.getAxis());
  }
  return space;
}

namespace {
struct DeriveStep : mix::impl::DeriveStepBase<DeriveStep> {
  using DeriveStepBase::DeriveStepBase;

  void runOnOperation() override {
    for (auto mixer : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!mixer->hasAttr(kMixerAttr) || mixer->hasAttr(kStepAttr))
        continue;
      StringRef space = getSteppedSpace(mixer);
      if (space.empty()) {
        (void)refuseStep(mixer.getLoc(), "be derived where no result follows the tokens");
        return signalPassFailure();
      }
      BlockSizes blocks = getBlockSizes(mixer, space);
      if (failed(spreadBlocks(mixer, space, blocks)))
        return signalPassFailure();
      func::FuncOp step = StepDeriver(mixer, space, blocks).run();
      if (!step)
        return signalPassFailure();
      for (BlockArgument argument : step.getArguments())
        numCaches += step.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kKindAttr) ==
                     StringAttr::get(&getContext(), "cache");
      mixer.erase();
    }
  }
};
} // namespace
