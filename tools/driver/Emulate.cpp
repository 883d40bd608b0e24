//===- Emulate.cpp - GPU kernels of a mixer on the emulator -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Emulate.h"
#include "codegen/cpu/Target.h"
#include "codegen/gpu/Describe.h"
#include "runtime/gpu/call.h"
#include "tools/driver/Device.h"
#include "tools/driver/Diagnostics.h"
#include "tools/driver/RunKernel.h"

using namespace mlir;
using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

static Error compileModule(ModuleOp phases, DeviceProgram &program) {
  OwningOpRef<ModuleOp> lowered = phases.clone();
  auto device = gpu::compile(*lowered, program.chip, /*optimize=*/true);
  if (!device)
    return device.takeError();
  program.device = std::move(*device);
  auto described = gpu::describe(phases, program.device, program.chip, /*code=*/{});
  if (!described)
    return described.takeError();
  ModuleOp description = **described;
  cpu::CompileOptions options;
  options.devices = description;
  auto object = cpu::compileToObject({}, options);
  if (!object)
    return object.takeError();
  auto loaded = cpu::load(*object);
  if (!loaded)
    return loaded.takeError();
  program.description = std::move(*loaded);
  return Error::success();
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
  DiagnosticCollector diagnostics(*module.getContext());
  if (Error error = compileModule(module, program)) {
    std::string failed = toString(std::move(error)), details = diagnostics.getErrors();
    return createStringError(details.empty() ? failed : details);
  }
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

/// A call whose device memory is the host's.
class EmulatedCall {
public:
  EmulatedCall(const mixwright_kernel &kernel, const BoundKernel &bound)
      : kernel(kernel), bound(bound) {}
  ~EmulatedCall() {
    if (isBound)
      mw_free_device_call(&call);
  }

  Error bind();
  Error launch(const mixwright_phase &phase, const emu::Program &emulated,
               const emu::Schedule &schedule);

private:
  void addMemory();

  const mixwright_kernel &kernel;
  const BoundKernel &bound;
  bool isBound = false;
  mw_device_call call;
  std::vector<char> workspace;
  emu::GlobalMemory memory;
};

} // namespace

static Error check(mixwright_status status) {
  return status == MIXWRIGHT_OK ? Error::success() : createStringError(mixwright_last_error());
}

Error EmulatedCall::bind() {
  constexpr size_t alignment = 64;
  auto views = bound.getViews();
  mixwright_options options = bound.getOptions();
  if (Error error = check(mw_bind_device_call(&kernel, views.data(), int32_t(views.size()),
                                              &options, bound.getMostTokens(), {kDLCPU, 0}, &call)))
    return error;
  isBound = true;
  // NaN shows what is read before it is written.
  workspace.assign(size_t(call.binding.workspace_bytes) + alignment, char(0xff));
  auto start = llvm::alignTo(reinterpret_cast<uintptr_t>(workspace.data()), alignment);
  if (Error error = check(mw_write_device_call(&call, reinterpret_cast<char *>(start))))
    return error;
  addMemory();
  return Error::success();
}

/// Kernels may touch tensors, tables and workspaces, and write to results only.
void EmulatedCall::addMemory() {
  mixwright_options options = bound.getOptions();
  for (const mixwright_packing &packing : llvm::ArrayRef(options.packings, options.num_packings))
    memory.add(packing.cu_seqlens->data, getBytes(*packing.cu_seqlens), "cu_seqlens", false);
  for (const mixwright_block_table &table :
       llvm::ArrayRef(options.block_tables, options.num_block_tables))
    memory.add(table.pages->data, getBytes(*table.pages), "block table", false);
  size_t next = 0;
  for (int32_t n = 0; n < kernel.num_args; ++n) {
    const mixwright_arg &arg = kernel.args[n];
    const mw_bound_arg &own = call.binding.args[n];
    if (arg.kind == MIXWRIGHT_WORKSPACE)
      memory.add(own.data, size_t(own.bytes), arg.name);
    else if (const DLTensor *view = bound.getViews()[next++]; view && own.data)
      memory.add(own.data, getBytes(*view), arg.name, mw_is_written(&arg));
  }
}

Error EmulatedCall::launch(const mixwright_phase &phase, const emu::Program &emulated,
                           const emu::Schedule &schedule) {
  emu::LaunchConfig config;
  if (Error error = check(mw_count_blocks(&call, &phase, &config.grid.x)))
    return error;
  if (config.grid.x == 0)
    return Error::success();
  config.block.x = phase.threads;
  config.dynamicSharedBytes = phase.scratch_bytes;
  config.parameters = {reinterpret_cast<const char *>(call.parameter),
                       mw_get_parameter_bytes(&kernel)};
  config.schedule = schedule;
  auto findings = emulated.launch(phase.function, config, memory);
  if (!findings)
    return findings.takeError();
  if (findings->empty())
    return Error::success();
  std::string text = std::string(phase.function) + ":";
  for (const emu::Finding &finding : *findings)
    text += "\n  " + toString(finding);
  return createStringError(text);
}

Expected<CallResult> EmulatedKernel::run(const Signature &signature, const Call &call,
                                         const emu::Schedule &schedule) const {
  const mixwright_kernel &kernel = program.getKernel();
  BoundKernel bound(kernel, signature, call);
  bound.poisonResults();
  EmulatedCall emulatedCall(kernel, bound);
  if (Error error = emulatedCall.bind())
    return std::move(error);
  for (const mixwright_phase &phase : llvm::ArrayRef(kernel.phases, kernel.num_phases))
    if (Error error = emulatedCall.launch(phase, *emulated, schedule))
      return std::move(error);
  return bound.takeResults();
}
