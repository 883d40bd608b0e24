//===- Explanation.cpp - What the compiler saw in a mixer -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/Explanation.h"
#include "dialect/Axes.h"
#include "dialect/Mix.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/TileScan.h"
#include "tools/driver/Device.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Expected;

static std::string formatPlace(Operation *op) {
  if (auto place = op->getLoc()->findInstanceOf<FileLineColLoc>())
    return (place.getFilename().getValue() + ":" + Twine(place.getLine()) + ":" +
            Twine(place.getColumn()))
        .str();
  return "unknown place";
}

static std::string joinStrings(ArrayAttr array) {
  return llvm::join(array.getAsValueRange<StringAttr>(), ", ");
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

static std::string describeDecay(AffineScanOp scan) {
  if (unsigned numStates = scan.getNumStates(); numStates > 1)
    return "a matrix of " + std::to_string(numStates) + " x " + std::to_string(numStates);
  if (!scan.getDecay())
    return "none";
  SmallVector<StringRef> channels;
  for (StringRef axis : getAxes(scan.getDecay()))
    if (axis != scan.getAxis())
      channels.push_back(axis);
  return channels.empty() ? "scalar" : "per channel of " + llvm::join(channels, ", ");
}

static StateExplanation explainScan(AffineScanOp scan) {
  StateExplanation state;
  if (auto names = scan->getAttrOfType<ArrayAttr>(kStatesAttr))
    state.names = joinStrings(names);
  state.className = "affine";
  state.decay = describeDecay(scan);
  state.contracted = joinStrings(scan.getContracted());
  state.rank = static_cast<int64_t>(scan.getReads().size());
  state.writes = static_cast<int64_t>(scan.getLefts().size());
  state.queries = static_cast<int64_t>(scan.getQueries().size());
  if (StringRef obstacle = getChunkObstacle(scan); !obstacle.empty())
    state.reason = (obstacle + ", it runs token by token").str();
  state.place = formatPlace(scan);
  return state;
}

static StateExplanation explainLoop(ForOp loop) {
  StateExplanation state;
  if (!llvm::any_of(loop.getInits(), [](Value init) { return init.getDefiningOp<InitialOp>(); }))
    state.names.clear();
  else
    state.names = joinStrings(loop.getStates());
  switch (loop.getClass_().value_or(ScanClass::Sequential)) {
  case ScanClass::Elementwise:
    state.className = "elementwise";
    break;
  case ScanClass::MaxStabilised:
    state.className = "max-stabilised";
    break;
  case ScanClass::Sequential:
    state.className = "sequential";
    break;
  case ScanClass::Blocked:
    state.className = "affine within blocks of " + std::to_string(*loop.getBlock());
    break;
  }
  state.reason = loop.getReason().value_or("").str();
  state.place = formatPlace(loop);
  return state;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

static std::string joinIndexAxes(ArrayAttr axes) {
  SmallVector<StringRef> indices;
  for (StringRef axis : axes.getAsValueRange<StringAttr>())
    if (isIndexAxis(axis))
      indices.push_back(axis);
  return llvm::join(indices, ", ");
}

static void explainReduction(Operation *op, Explanation &result) {
  auto add = [&](std::string kind, std::string over, Value mask) {
    ReductionExplanation reduction{std::move(kind), std::move(over), formatPlace(op), std::nullopt};
    if (mask)
      reduction.mask = measureMask(mask, result.sizes, explainedTile);
    result.reductions.push_back(std::move(reduction));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](StreamedReductionOp streamed) {
        for (auto [axes, mask] : llvm::zip(streamed.getAxes(), streamed.getMasks())) {
          std::string over = joinIndexAxes(cast<ArrayAttr>(axes));
          add("streamed softmax", over.empty() ? "one term" : over, over.empty() ? Value() : mask);
        }
      })
      .Case([&](ReduceOp reduce) {
        std::string over = joinIndexAxes(reduce.getAxes());
        if (!over.empty())
          add(stringifyReduceKind(reduce.getKind()).str() + " over tokens", over, reduce.getMask());
      })
      .Case([&](PrefixOp prefix) {
        add("prefix " + stringifyPrefixKind(prefix.getKind()).str(), prefix.getAxis().str(),
            Value());
      })
      .Case([&](LargestOp largest) {
        add("top " + std::to_string(largest.getN()), largest.getAxis().str(), largest.getMask());
      });
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

static int64_t getElementBytes(Type type) {
  return llvm::divideCeil(getElementTypeOrSelf(type).getIntOrFloatBitWidth(), 8);
}

static void explainPhase(func::FuncOp phase, Explanation &result) {
  auto features = phase->getAttrOfType<IntegerAttr>("tile.features");
  auto space = phase->getAttrOfType<StringAttr>("tile.space");
  auto rows = phase->getAttrOfType<IntegerAttr>("tile.rows");
  std::string grid = "one task per head";
  if (features && features.getInt() > 1)
    grid = std::to_string(features.getInt()) + " tasks per head, over blocks of features";
  if (space && rows)
    grid += std::string(grid == "one task per head" ? "" : " and ") + ", one per block of " +
            std::to_string(rows.getInt()) + " positions of " + space.str();
  PhaseExplanation explained{phase.getName().str(), grid};
  phase.walk([&](linalg::ContractOp product) {
    ++explained.products;
    explained.narrowProducts += getElementBytes(product.getInputs()[0].getType()) <
                                getElementBytes(product->getResult(0).getType());
  });
  result.phases.push_back(std::move(explained));
}

static void countWorkspaces(func::FuncOp phase, Explanation &result) {
  for (unsigned n = 0; n < phase.getNumArguments(); ++n) {
    auto kind = phase.getArgAttrOfType<StringAttr>(n, "mix.kind");
    auto axes = phase.getArgAttrOfType<ArrayAttr>(n, "mix.axes");
    auto type = dyn_cast<MemRefType>(phase.getArgumentTypes()[n]);
    if (!kind || kind != "workspace" || !axes || !type)
      continue;
    int64_t bytes = getElementBytes(type);
    for (auto [axis, size] : llvm::zip(axes.getAsValueRange<StringAttr>(), type.getShape()))
      bytes *= ShapedType::isDynamic(size) ? result.sizes.lookup(axis) : size;
    result.workspaceBytes += bytes;
  }
}

static void explainForm(Spec &spec, FormChoice wanted, Explanation &result) {
  for (Form form : getCandidates(wanted)) {
    Expected<LoweredProgram> lowered = driver::tile(spec, result.sizes, {form, result.type});
    if (!lowered) {
      result.reasons.push_back("no " + getFormName(form).str() +
                               " form: " + toString(lowered.takeError()));
      continue;
    }
    result.form = form;
    if (goesOn(form))
      for (StepArgument &argument : getStepArguments(*lowered->program.module))
        if (argument.isKept())
          result.kept.push_back(std::move(argument));
    for (auto phase : lowered->program.module->getOps<func::FuncOp>()) {
      if (result.phases.empty())
        countWorkspaces(phase, result);
      explainPhase(phase, result);
    }
    return;
  }
}

static void countCosts(Spec &spec, func::FuncOp definition, Explanation &result) {
  const Signature &signature = spec.getSignature();
  int64_t tokens = 1;
  for (const Argument &arg : signature.outputs)
    for (StringRef axis : signature.getTokenAxes(arg))
      tokens = std::max(tokens, result.sizes.lookup(axis));
  CallShape shape{MIXWRIGHT_SINGLE, 1, 1, result.sizes};
  TensorMap inputs;
  for (const Argument &arg : signature.inputs)
    inputs.try_emplace(arg.name, result.type, shape.getShape(arg));
  for (const Argument &arg : signature.states) {
    int64_t bytes = getTypeBytes(getComputeType(result.type));
    for (int64_t size : shape.getShape(arg))
      bytes *= size;
    result.stateBytes += bytes;
  }
  auto count = static_cast<double>(tokens);
  result.flopsPerToken = countDefinitionFlops(definition, result.sizes) / count;
  result.bytesPerToken =
      static_cast<double>(countTensorBytes(signature, shape, result.type, inputs)) / count;
}

int64_t Explanation::countKeptBytes() const {
  int64_t bytes = 0;
  for (const StepArgument &argument : kept)
    bytes += argument.kind == "cache" ? argument.window * argument.bytes : argument.bytes;
  return bytes;
}

int64_t Explanation::countKeptBytesPerToken() const {
  int64_t bytes = 0;
  for (const StepArgument &argument : kept)
    if (argument.kind == "cache" && argument.window == 0)
      bytes += argument.bytes;
  return bytes;
}

Expected<Explanation> mix::mixc::explain(Spec &spec, const SizeMap &sizes, FormChoice wanted,
                                         ElementType type) {
  Explanation result;
  result.mixer = spec.getSignature().mixer;
  result.sizes = sizes;
  result.type = type;
  Expected<Program> definition = spec.build(sizes);
  if (!definition)
    return definition.takeError();
  countCosts(spec, definition->getMixer(), result);
  Expected<LoweredProgram> normal = normalize(spec, sizes);
  if (!normal)
    return normal.takeError();
  normal->program.getMixer().walk([&](Operation *op) {
    if (auto scan = dyn_cast<AffineScanOp>(op))
      result.states.push_back(explainScan(scan));
    else if (auto loop = dyn_cast<ForOp>(op))
      result.states.push_back(explainLoop(loop));
    else
      explainReduction(op, result);
  });
  explainForm(spec, wanted, result);
  return result;
}

void mix::mixc::explainDevice(Spec &spec, StringRef chip, Explanation &result) {
  DeviceExplanation &device = result.device.emplace();
  device.chip = chip.str();
  if (!result.form) {
    device.reason = "there is no form that is compiled";
    return;
  }
  Expected<LoweredProgram> lowered =
      tileForGpu(spec, result.sizes, {*result.form, result.type, device.chip});
  if (!lowered) {
    device.reason = toString(lowered.takeError());
    return;
  }
  auto phases = gpu::report(*lowered->program.module, chip);
  if (phases)
    device.phases = std::move(*phases);
  else
    device.reason = toString(phases.takeError());
}
