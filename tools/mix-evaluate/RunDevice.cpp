//===- RunDevice.cpp - Run tile programs as GPU kernels ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunDevice.h"
#include "GuardedTensor.h"
#include "codegen/emulator/Emulator.h"
#include "codegen/gpu/CallLayout.h"
#include "codegen/gpu/Target.h"
#include "dialect/EvaluateTile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <cstring>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

/// Heads of a call. They share inputs, so that grouped heads are tested too.
static constexpr int64_t kHeads = 2;

namespace {

/// An argument of the phases, and its tensor in this call.
struct Argument {
  std::string name;
  StringRef kind;
  std::vector<std::string> axes;
  MemRefType type;
  std::unique_ptr<GuardedTensor> tensor;
  bool isAbsent = false;

  bool isResult() const { return kind == "output" || kind == "state_out"; }
  bool isShared() const { return kind == "input" || kind == "param" || kind == "state_in"; }
};

class DeviceCall {
public:
  DeviceCall(func::FuncOp phase, const gpu::CallLayout &layout, const EmulatorRun &options,
             const llvm::StringMap<Array> &inputs, const llvm::StringMap<Array> &states)
      : layout(layout), options(options), inputs(inputs), states(states) {
    bindArguments(phase);
  }

  Error makeTensors();
  Error run(const gpu::DeviceModule &device, const emu::Program &program,
            const emu::Schedule &schedule);
  Expected<Evaluation> collect();

private:
  void bindArguments(func::FuncOp phase);
  const Array *find(const Argument &argument) const;
  Error launch(const gpu::DeviceKernel &kernel, const emu::Program &program,
               const emu::Schedule &schedule);

  const gpu::CallLayout &layout;
  const EmulatorRun &options;
  const llvm::StringMap<Array> &inputs, &states;
  std::vector<Argument> arguments;
  llvm::StringMap<int64_t> spaces;
};

} // namespace

void DeviceCall::bindArguments(func::FuncOp phase) {
  for (auto [index, type] : llvm::enumerate(phase.getArgumentTypes())) {
    auto view = dyn_cast<MemRefType>(type);
    if (!view)
      continue;
    Argument argument;
    argument.type = view;
    if (auto name = phase.getArgAttrOfType<StringAttr>(index, "mix.name"))
      argument.name = name.str();
    if (auto kind = phase.getArgAttrOfType<StringAttr>(index, "mix.kind"))
      argument.kind = kind.getValue();
    if (auto axes = phase.getArgAttrOfType<ArrayAttr>(index, "mix.axes"))
      for (StringAttr axis : axes.getAsRange<StringAttr>())
        argument.axes.push_back(axis.str());
    arguments.push_back(std::move(argument));
  }
  for (const Argument &argument : arguments)
    if (const Array *array = find(argument))
      for (auto [axis, size] : llvm::zip(argument.axes, array->shape))
        spaces[axis] = size;
  if (auto blocks = phase->getAttrOfType<DictionaryAttr>("mix.blocks"))
    for (NamedAttribute block : blocks) {
      auto row = dyn_cast<ArrayAttr>(block.getValue());
      auto base = row && row.size() == 2 ? dyn_cast<StringAttr>(row[0]) : StringAttr();
      auto size = row && row.size() == 2 ? dyn_cast<IntegerAttr>(row[1]) : IntegerAttr();
      if (base && size)
        spaces[block.getName()] = llvm::divideCeil(spaces.lookup(base.getValue()), size.getInt());
    }
}

const Array *DeviceCall::find(const Argument &argument) const {
  if (!argument.isShared())
    return nullptr;
  const llvm::StringMap<Array> &arrays = argument.kind == "state_in" ? states : inputs;
  auto it = arrays.find(argument.name);
  return it == arrays.end() ? nullptr : &it->second;
}

static mixwright_dtype getDtype(Type element) {
  return element.isF32()         ? MIXWRIGHT_F32
         : element.isF64()       ? MIXWRIGHT_F64
         : element.isBF16()      ? MIXWRIGHT_BF16
         : element.isF16()       ? MIXWRIGHT_F16
         : element.isInteger(32) ? MIXWRIGHT_I32
                                 : MIXWRIGHT_I64;
}

Error DeviceCall::makeTensors() {
  for (Argument &argument : arguments) {
    // What heads do not share has an axis of heads in front.
    SmallVector<int64_t> shape;
    if (!argument.isShared())
      shape.push_back(kHeads);
    for (auto [axis, size] : llvm::zip(argument.axes, argument.type.getShape()))
      shape.push_back(ShapedType::isDynamic(size) ? spaces.lookup(axis) : size);
    SmallVector<int64_t> strides;
    int64_t offset;
    bool stepsLast = argument.type.getRank() > 0 &&
                     succeeded(argument.type.getStridesAndOffset(strides, offset)) &&
                     ShapedType::isDynamic(strides.back());
    argument.tensor = std::make_unique<GuardedTensor>(getDtype(argument.type.getElementType()),
                                                      shape, stepsLast, options.rowGap);
    const Array *array = find(argument);
    if (array && ArrayRef<int64_t>(array->shape) != ArrayRef<int64_t>(shape))
      return llvm::createStringError("'%s' has another shape than the kernel expects",
                                     argument.name.c_str());
    if (array)
      argument.tensor->set(array->data);
    argument.isAbsent = argument.kind == "state_in" && !array;
  }
  return Error::success();
}

Error DeviceCall::launch(const gpu::DeviceKernel &kernel, const emu::Program &program,
                         const emu::Schedule &schedule) {
  emu::GlobalMemory memory;
  int64_t blocks = 1;
  if (!kernel.space.empty())
    blocks = llvm::divideCeil(spaces.lookup(kernel.space), kernel.rows);
  std::vector<char> bytes(layout.getBytes(), 0);
  auto *call = reinterpret_cast<mixwright_device_call *>(bytes.data());
  call->sequences = call->head_group = 1;
  call->heads = call->instances = kHeads;
  call->token_blocks = blocks;
  for (auto [index, space] : llvm::enumerate(layout.getSpaces())) {
    char *part = bytes.data() + layout.getSpaceOffset(static_cast<int64_t>(index));
    reinterpret_cast<mixwright_device_space *>(part)->size = spaces.lookup(space.name);
  }
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    char *part = bytes.data() + layout.getTensorOffset(static_cast<int64_t>(index));
    mixwright_device_tensor &tensor = *reinterpret_cast<mixwright_device_tensor *>(part);
    GuardedTensor &guarded = *argument.tensor;
    size_t lead = argument.isShared() ? 0 : 1;
    tensor.data = argument.isAbsent ? nullptr : guarded.data();
    tensor.head_stride = lead ? guarded.strides[0] : 0;
    tensor.head_group = lead ? 1 : kHeads;
    for (size_t dim = lead; dim < guarded.sizes.size(); ++dim)
      tensor.strides[dim - lead] = guarded.strides[dim];
    if (tensor.data)
      memory.add(tensor.data, guarded.getBytes(), argument.name, !argument.isShared());
  }
  emu::LaunchConfig config;
  config.grid.x = blocks * kHeads * kernel.featureBlocks;
  config.block.x = kernel.threads;
  config.dynamicSharedBytes = kernel.sharedBytes;
  config.parameters = llvm::ArrayRef<char>(bytes);
  config.schedule = schedule;
  if (config.grid.x == 0)
    return Error::success();
  auto findings = program.launch(kernel.symbol, config, memory);
  if (!findings)
    return findings.takeError();
  std::string text;
  for (const emu::Finding &finding : *findings)
    text += "\n  " + toString(finding);
  if (!text.empty())
    return llvm::createStringError("the emulator has findings in " + kernel.symbol + text);
  return Error::success();
}

Error DeviceCall::run(const gpu::DeviceModule &device, const emu::Program &program,
                      const emu::Schedule &schedule) {
  for (const gpu::DeviceKernel &kernel : device.kernels)
    if (Error error = launch(kernel, program, schedule))
      return error;
  return Error::success();
}

Expected<Evaluation> DeviceCall::collect() {
  Evaluation evaluation;
  for (Argument &argument : arguments) {
    if (!argument.tensor->gapsAreIntact())
      return llvm::createStringError("the kernel wrote beside the elements of '%s'",
                                     argument.name.c_str());
    if (!argument.isResult())
      continue;
    std::vector<double> values = argument.tensor->get();
    Array array;
    array.axes.assign(argument.axes.begin(), argument.axes.end());
    array.shape.assign(argument.tensor->sizes.begin() + 1, argument.tensor->sizes.end());
    size_t count = values.size() / kHeads;
    for (size_t n = count; n < values.size(); ++n)
      if (std::memcmp(&values[n], &values[n - count], sizeof(double)) != 0)
        return llvm::createStringError("heads with the same inputs differ in '%s'",
                                       argument.name.c_str());
    values.resize(count);
    array.data = std::move(values);
    (argument.kind == "output" ? evaluation.outputs : evaluation.states)[argument.name] =
        std::move(array);
  }
  return evaluation;
}

static Expected<emu::Schedule> parseSchedule(StringRef text) {
  emu::Schedule schedule;
  if (text == "forward")
    return schedule;
  if (text == "reversed") {
    schedule.order = emu::Order::Reversed;
    schedule.lateCopies = true;
    return schedule;
  }
  schedule.order = emu::Order::Random;
  if (text.getAsInteger(10, schedule.seed))
    return llvm::createStringError("expected 'forward', 'reversed' or a seed in --schedule, got '" +
                                   text + "'");
  return schedule;
}

Expected<Evaluation> mix::runOnEmulator(ModuleOp module, StringRef mixer,
                                        const EmulatorRun &options,
                                        const llvm::StringMap<Array> &inputs,
                                        const llvm::StringMap<Array> &states) {
  SmallVector<func::FuncOp> phases = getPhases(module, mixer);
  if (phases.empty())
    return llvm::createStringError("there is no tile program of mixer '" + mixer + "'");
  Expected<emu::Schedule> order = parseSchedule(options.schedule);
  if (!order)
    return order.takeError();
  FailureOr<gpu::CallLayout> layout = gpu::CallLayout::create(phases[0]);
  if (failed(layout))
    return llvm::createStringError("the tile program of mixer '" + mixer + "' is not valid");
  DeviceCall call(phases[0], *layout, options, inputs, states);
  OwningOpRef<ModuleOp> copy = module.clone();
  for (auto function : llvm::make_early_inc_range(copy->getOps<func::FuncOp>())) {
    auto name = function->getAttrOfType<StringAttr>("tile.mixer");
    if (!name || name.getValue() != mixer)
      function.erase();
  }
  Expected<gpu::DeviceModule> device = gpu::compile(*copy, options.chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  auto program = emu::Program::load(*device->module, options.chip);
  if (!program)
    return program.takeError();
  if (Error error = call.makeTensors())
    return std::move(error);
  if (Error error = call.run(*device, **program, *order))
    return std::move(error);
  return call.collect();
}
