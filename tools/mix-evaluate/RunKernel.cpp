//===- RunKernel.cpp - Compile tile programs and run them -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunKernel.h"
#include "GuardedTensor.h"
#include "codegen/cpu/Jit.h"
#include "codegen/cpu/Target.h"
#include "dialect/EvaluateTile.h"
#include <array>
#include <cstring>

using namespace mlir;
using namespace mix;
using llvm::Expected;

namespace {

/// One call of a kernel.
class Call {
public:
  Call(const mixwright_kernel &kernel, const llvm::StringMap<Array> &inputs,
       const llvm::StringMap<Array> &states, const std::vector<bool> &stepsLast)
      : kernel(kernel), inputs(inputs), states(states), stepsLast(stepsLast) {}

  Expected<Evaluation> run();

private:
  const Array *find(const mixwright_arg &arg) const;
  void bindSpaces();
  llvm::Error makeTensors();
  void runPhase(const mixwright_phase &phase);
  Expected<Evaluation> collect();

  const mixwright_kernel &kernel;
  const llvm::StringMap<Array> &inputs, &states;
  const std::vector<bool> &stepsLast;
  std::vector<int64_t> spaces;
  std::vector<std::unique_ptr<GuardedTensor>> tensors;
  std::vector<void *> data;
  std::vector<std::array<int64_t, MIXWRIGHT_MAX_RANK>> strides, sizes;
  std::vector<mixwright_paging> paging;
};

} // namespace

const Array *Call::find(const mixwright_arg &arg) const {
  bool isState = arg.kind == MIXWRIGHT_STATE_IN || arg.kind == MIXWRIGHT_STATE;
  if (arg.kind == MIXWRIGHT_OUTPUT || arg.kind == MIXWRIGHT_STATE_OUT ||
      arg.kind == MIXWRIGHT_WORKSPACE)
    return nullptr;
  const llvm::StringMap<Array> &arrays = isState ? states : inputs;
  auto it = arrays.find(arg.name);
  return it == arrays.end() ? nullptr : &it->second;
}

void Call::bindSpaces() {
  spaces.assign(kernel.num_spaces, -1);
  for (int32_t n = 0; n < kernel.num_args; ++n)
    if (const Array *array = find(kernel.args[n]))
      for (int32_t dim = 0; dim < kernel.args[n].rank; ++dim)
        if (kernel.args[n].dims[dim].space >= 0)
          spaces[kernel.args[n].dims[dim].space] = array->shape[dim];
  for (int32_t n = 0; n < kernel.num_spaces; ++n) {
    const mixwright_space &space = kernel.spaces[n];
    if (space.block > 0)
      spaces[n] = (spaces[space.base] + space.block - 1) / space.block;
  }
}

llvm::Error Call::makeTensors() {
  for (int32_t n = 0; n < kernel.num_args; ++n) {
    const mixwright_arg &arg = kernel.args[n];
    SmallVector<int64_t> shape;
    for (int32_t dim = 0; dim < arg.rank; ++dim)
      shape.push_back(arg.dims[dim].space >= 0 ? spaces[arg.dims[dim].space] : arg.dims[dim].size);
    if (llvm::any_of(shape, [](int64_t size) { return size < 0; }))
      return llvm::createStringError("no input gives the size of '%s'", arg.name);
    int64_t pageRows = arg.kind == MIXWRIGHT_CACHE ? kernel.cache_block : 0;
    auto tensor =
        std::make_unique<GuardedTensor>(arg.dtype, shape, stepsLast[n], /*gap=*/5, pageRows);
    const Array *array = find(arg);
    if (array && ArrayRef<int64_t>(array->shape) != ArrayRef<int64_t>(shape))
      return llvm::createStringError("'%s' has another shape than the kernel expects", arg.name);
    if (array)
      tensor->set(array->data);
    bool absent = arg.kind == MIXWRIGHT_STATE_IN && !array;
    data.push_back(absent ? nullptr : tensor->data());
    strides.emplace_back();
    sizes.emplace_back();
    llvm::copy(tensor->strides, strides.back().begin());
    llvm::copy(tensor->sizes, sizes.back().begin());
    paging.push_back(tensor->paging);
    tensors.push_back(std::move(tensor));
  }
  return llvm::Error::success();
}

void Call::runPhase(const mixwright_phase &phase) {
  int64_t blocks = 1;
  if (phase.space >= 0)
    blocks = (spaces[phase.space] + phase.rows - 1) / phase.rows;
  mixwright_instance instance = {
      data.data(), reinterpret_cast<const int64_t (*)[MIXWRIGHT_MAX_RANK]>(strides.data()),
      reinterpret_cast<const int64_t (*)[MIXWRIGHT_MAX_RANK]>(sizes.data()), paging.data()};
  std::vector<unsigned char> memory(phase.scratch_bytes + 64);
  void *scratch = memory.data() + (64 - (uintptr_t)memory.data() % 64) % 64;
  for (int64_t feature = 0; feature < phase.feature_blocks; ++feature)
    for (int64_t token = 0; token < blocks; ++token) {
      std::memset(scratch, 0xff, phase.scratch_bytes);
      phase.run(&instance, feature, token, scratch);
    }
}

Expected<Evaluation> Call::collect() {
  Evaluation evaluation;
  for (int32_t n = 0; n < kernel.num_args; ++n) {
    const mixwright_arg &arg = kernel.args[n];
    if (!tensors[n]->gapsAreIntact())
      return llvm::createStringError("the kernel wrote beside the elements of '%s'", arg.name);
    bool isState = arg.kind == MIXWRIGHT_STATE_OUT || arg.kind == MIXWRIGHT_STATE ||
                   arg.kind == MIXWRIGHT_CACHE;
    if (arg.kind != MIXWRIGHT_OUTPUT && !isState)
      continue;
    Array array;
    for (int32_t dim = 0; dim < arg.rank; ++dim)
      array.axes.push_back(arg.dims[dim].axis);
    array.shape.assign(tensors[n]->sizes.begin(), tensors[n]->sizes.end());
    array.data = tensors[n]->get();
    (isState ? evaluation.states : evaluation.outputs)[arg.name] = std::move(array);
  }
  return evaluation;
}

Expected<Evaluation> Call::run() {
  bindSpaces();
  if (llvm::Error error = makeTensors())
    return std::move(error);
  for (int32_t n = 0; n < kernel.num_phases; ++n)
    runPhase(kernel.phases[n]);
  return collect();
}

Expected<KernelFn> mix::compileForCpu(ModuleOp module, StringRef mixer, StringRef chip) {
  SmallVector<func::FuncOp> phases = getPhases(module, mixer);
  if (phases.empty())
    return llvm::createStringError("there is no tile program of mixer '" + mixer + "'");
  // Which tensors have no unit stride is in the types of their views.
  std::vector<bool> stepsLast;
  for (Type type : phases[0].getArgumentTypes())
    if (auto view = dyn_cast<MemRefType>(type)) {
      SmallVector<int64_t> strides;
      int64_t offset;
      stepsLast.push_back(view.getRank() > 0 &&
                          succeeded(view.getStridesAndOffset(strides, offset)) &&
                          ShapedType::isDynamic(strides.back()));
    }
  OwningOpRef<ModuleOp> copy = module.clone();
  auto object = cpu::compileToObject({{*copy, chip.str()}});
  if (!object)
    return object.takeError();
  auto loaded = cpu::load(*object);
  if (!loaded)
    return loaded.takeError();
  std::shared_ptr<cpu::LoadedObject> code = std::move(*loaded);
  for (const mixwright_kernel *kernel : code->getKernels())
    if (mixer == kernel->mixer)
      return [=](const llvm::StringMap<Array> &inputs, const llvm::StringMap<Array> &states) {
        (void)code; // The kernel lives in it.
        return Call(*kernel, inputs, states, stepsLast).run();
      };
  return llvm::createStringError("the object has no kernel of mixer '" + mixer + "'");
}
