//===- Emulate.cpp - GPU kernels of a mixer on the emulator -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Emulate.h"
#include "dialect/EvaluateTile.h"
#include "mixwright/abi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/driver/Device.h"
#include "tools/driver/Diagnostics.h"
#include "tools/driver/InstanceLayout.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <cstddef>

using namespace mlir;
using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

static ElementType getElementType(Type type) {
  return type.isF32()         ? ElementType::F32
         : type.isF64()       ? ElementType::F64
         : type.isBF16()      ? ElementType::BF16
         : type.isF16()       ? ElementType::F16
         : type.isInteger(32) ? ElementType::I32
                              : ElementType::I64;
}

static std::vector<DeviceParameter> getParameters(func::FuncOp phase) {
  std::vector<DeviceParameter> parameters;
  for (auto [index, type] : llvm::enumerate(phase.getArgumentTypes())) {
    auto view = dyn_cast<MemRefType>(type);
    auto name = phase.getArgAttrOfType<StringAttr>(index, "mix.name");
    auto kind = phase.getArgAttrOfType<StringAttr>(index, "mix.kind");
    if (!view || !name || !kind)
      continue;
    DeviceParameter parameter{
        name.str(), kind.str(), getElementType(view.getElementType()), {}, view.getShape().vec()};
    if (auto axes = phase.getArgAttrOfType<ArrayAttr>(index, "mix.axes"))
      for (StringAttr axis : axes.getAsRange<StringAttr>())
        parameter.axes.push_back(axis.str());
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

/// {B = ["T", 64]}
static llvm::StringMap<std::pair<std::string, int64_t>> getBlocks(func::FuncOp phase) {
  llvm::StringMap<std::pair<std::string, int64_t>> blocks;
  if (auto all = phase->getAttrOfType<DictionaryAttr>("mix.blocks"))
    for (NamedAttribute block : all) {
      auto row = dyn_cast<ArrayAttr>(block.getValue());
      auto base = row && row.size() == 2 ? dyn_cast<StringAttr>(row[0]) : StringAttr();
      auto size = row && row.size() == 2 ? dyn_cast<IntegerAttr>(row[1]) : IntegerAttr();
      if (base && size)
        blocks[block.getName()] = {base.str(), size.getInt()};
    }
  return blocks;
}

Expected<DeviceProgram> mix::driver::compileForDevice(Spec &spec, const SizeMap &sizes,
                                                      const KernelOptions &options) {
  Expected<LoweredProgram> lowered = tileForGpu(spec, sizes, options);
  if (!lowered)
    return lowered.takeError();
  ModuleOp module = *lowered->program.module;
  DeviceProgram program;
  program.chip = options.chip;
  program.notes = std::move(lowered->notes);
  for (auto function : module.getOps<func::FuncOp>())
    if (program.parameters.empty() && function->hasAttr("tile.phase")) {
      program.parameters = getParameters(function);
      program.blocks = getBlocks(function);
    }
  DiagnosticCollector diagnostics(*module.getContext());
  Expected<gpu::DeviceModule> device = gpu::compile(module, options.chip, /*optimize=*/true);
  if (!device) {
    std::string failed = toString(device.takeError()), details = diagnostics.getErrors();
    return createStringError(details.empty() ? failed : details);
  }
  program.device = std::move(*device);
  return program;
}

Expected<EmulatedKernel> EmulatedKernel::load(DeviceProgram program) {
  EmulatedKernel result;
  result.program = std::move(program);
  auto emulated = emu::Program::load(*result.program.device.module, result.program.chip);
  if (!emulated)
    return emulated.takeError();
  result.emulated = std::move(*emulated);
  return result;
}

//===----------------------------------------------------------------------===//
// A call
//===----------------------------------------------------------------------===//

namespace {

/// The device memory of one call, and the kernels' parameter that points to it.
class DeviceCall {
public:
  DeviceCall(llvm::ArrayRef<DeviceParameter> parameters, const Signature &signature,
             const Call &call, SizeMap sizes)
      : signature(signature), call(call), sizes(std::move(sizes)),
        bytes(offsetof(mixwright_device_call, tensors) +
                  parameters.size() * sizeof(mixwright_device_tensor),
              0) {
    tensors.reserve(parameters.size()); // Device memory may not move.
    for (const DeviceParameter &parameter : parameters)
      bind(parameter);
  }

  Error launch(const gpu::DeviceKernel &phase, const emu::Program &emulated,
               const emu::Schedule &schedule);
  CallResult takeResults();

private:
  mixwright_device_call &getDeviceCall() {
    return *reinterpret_cast<mixwright_device_call *>(bytes.data());
  }
  void bind(const DeviceParameter &parameter);
  void bindWorkspace(const DeviceParameter &parameter, mixwright_device_tensor &device);
  void bindDeclared(const DeviceParameter &parameter, const Argument &declared,
                    mixwright_device_tensor &device);

  const Signature &signature;
  const Call &call;
  SizeMap sizes; ///< of all axes
  std::vector<char> bytes;
  std::vector<std::pair<const DeviceParameter *, Tensor>> tensors;
  emu::GlobalMemory memory;
};

} // namespace

static bool isResult(const DeviceParameter &parameter) {
  return parameter.kind == "output" || parameter.kind == "state_out";
}

void DeviceCall::bind(const DeviceParameter &parameter) {
  mixwright_device_tensor &device = getDeviceCall().tensors[tensors.size()];
  device.head_group = 1;
  tensors.emplace_back(&parameter, Tensor());
  if (parameter.kind == "workspace")
    bindWorkspace(parameter, device);
  else if (const Argument *declared = parameter.kind == "output"
                                          ? signature.findOutput(parameter.name)
                                      : isResult(parameter) || parameter.kind == "state_in"
                                          ? signature.findState(parameter.name)
                                          : signature.findInput(parameter.name))
    bindDeclared(parameter, *declared, device);
  Tensor &tensor = tensors.back().second;
  if (!device.data)
    return;
  bool isWritable = isResult(parameter) || parameter.kind == "workspace";
  if (isWritable)
    tensor.fill(isReal(parameter.type) ? NAN : std::numeric_limits<int32_t>::min());
  memory.add(device.data, tensor.getBytes(), parameter.name, isWritable);
}

/// Every instance has its own.
void DeviceCall::bindWorkspace(const DeviceParameter &parameter, mixwright_device_tensor &device) {
  llvm::SmallVector<int64_t> shape = {call.shape.batch, call.shape.heads};
  for (auto [axis, size] : llvm::zip(parameter.axes, parameter.sizes))
    shape.push_back(ShapedType::isDynamic(size) ? sizes.lookup(axis) : size);
  int64_t stride = 1;
  for (size_t dim = parameter.axes.size(); dim-- > 0;) {
    device.strides[dim] = stride;
    device.sizes[dim] = shape[dim + 2];
    stride *= shape[dim + 2];
  }
  device.head_stride = stride;
  device.batch_stride = stride * call.shape.heads;
  tensors.back().second = Tensor(parameter.type, shape);
  device.data = tensors.back().second.getData();
}

void DeviceCall::bindDeclared(const DeviceParameter &parameter, const Argument &declared,
                              mixwright_device_tensor &device) {
  Tensor &tensor = tensors.back().second;
  if (isResult(parameter)) {
    tensor = Tensor(parameter.type, call.shape.getShape(declared));
  } else {
    const TensorMap &given = parameter.kind == "state_in" ? call.states : call.inputs;
    auto found = given.find(parameter.name);
    if (found == given.end())
      return; // An initial state that is the spec's.
    tensor = found->second.convertTo(parameter.type);
  }
  InstanceLayout layout = getInstanceLayout(declared, call.shape, tensor);
  device.batch_stride = layout.batchStride;
  device.head_stride = layout.headStride;
  device.head_group = layout.headGroup;
  for (auto [dim, axis] : llvm::enumerate(declared.axes)) {
    device.strides[dim] = layout.strides[dim];
    device.sizes[dim] = sizes.lookup(axis);
  }
  device.data = tensor.getData();
}

Error DeviceCall::launch(const gpu::DeviceKernel &phase, const emu::Program &emulated,
                         const emu::Schedule &schedule) {
  mixwright_device_call &device = getDeviceCall();
  device.heads = call.shape.heads;
  device.instances = call.shape.batch * call.shape.heads;
  device.token_blocks =
      phase.space.empty() ? 1 : llvm::divideCeil(sizes.lookup(phase.space), phase.rows);
  emu::LaunchConfig config;
  config.grid.x = device.token_blocks * device.instances * phase.featureBlocks;
  config.block.x = phase.threads;
  config.dynamicSharedBytes = phase.sharedBytes;
  config.parameters = bytes;
  config.schedule = schedule;
  if (config.grid.x == 0)
    return Error::success();
  auto findings = emulated.launch(phase.symbol, config, memory);
  if (!findings)
    return findings.takeError();
  if (findings->empty())
    return Error::success();
  std::string text = phase.symbol + ":";
  for (const emu::Finding &finding : *findings)
    text += "\n  " + toString(finding);
  return createStringError(text);
}

CallResult DeviceCall::takeResults() {
  CallResult result;
  for (auto &[parameter, tensor] : tensors)
    if (isResult(*parameter) && tensor.getData())
      (parameter->kind == "output" ? result.outputs : result.states)[parameter->name] =
          std::move(tensor);
  return result;
}

Expected<CallResult> EmulatedKernel::run(const Signature &signature, const Call &call,
                                         const emu::Schedule &schedule) const {
  SizeMap sizes = call.shape.sizes;
  for (const auto &block : program.blocks)
    sizes[block.getKey()] =
        llvm::divideCeil(sizes.lookup(block.getValue().first), block.getValue().second);
  DeviceCall device(program.parameters, signature, call, std::move(sizes));
  for (const gpu::DeviceKernel &phase : program.device.kernels)
    if (Error error = device.launch(phase, *emulated, schedule))
      return std::move(error);
  return device.takeResults();
}
