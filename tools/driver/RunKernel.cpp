//===- RunKernel.cpp - A call of a compiled kernel --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/RunKernel.h"
#include "llvm/ADT/Sequence.h"
#include <algorithm>
#include <cmath>

using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

static Error lastError() { return createStringError(mixwright_last_error()); }

Expected<ThreadPool> ThreadPool::create(int64_t threads) {
  mixwright_pool *pool = nullptr;
  if (mixwright_pool_create(static_cast<int>(threads), &pool) != MIXWRIGHT_OK)
    return lastError();
  ThreadPool result;
  result.pool.reset(pool);
  return result;
}

ElementType mix::driver::getElementType(mixwright_dtype dtype) {
  switch (dtype) {
  case MIXWRIGHT_F32:
    return ElementType::F32;
  case MIXWRIGHT_F64:
    return ElementType::F64;
  case MIXWRIGHT_I32:
    return ElementType::I32;
  case MIXWRIGHT_I64:
    return ElementType::I64;
  case MIXWRIGHT_BF16:
    return ElementType::BF16;
  case MIXWRIGHT_F16:
    return ElementType::F16;
  }
  llvm_unreachable("all types are covered");
}

static DLDataType getDLType(ElementType type) {
  uint8_t code = type == ElementType::BF16 ? kDLBfloat : isReal(type) ? kDLFloat : kDLInt;
  return {code, static_cast<uint8_t>(getTypeBytes(type) * 8), 1};
}

size_t mix::driver::getBytes(const DLTensor &tensor) {
  size_t bytes = tensor.dtype.bits / 8;
  for (int64_t size : llvm::ArrayRef(tensor.shape, tensor.ndim))
    bytes *= size;
  return bytes;
}

static DLTensor describe(Tensor &tensor, llvm::MutableArrayRef<int64_t> shape) {
  DLTensor view = {};
  view.data = tensor.getData();
  view.device = {kDLCPU, 0};
  view.ndim = static_cast<int>(shape.size());
  view.dtype = getDLType(tensor.getType());
  view.shape = shape.data();
  return view;
}

/// The order of a tensor's axes in memory: as declared, but for the last of fixed size,
/// along which kernels want elements side by side.
static llvm::SmallVector<int64_t, 6> getMemoryOrder(const mixwright_arg &arg, int64_t rank) {
  llvm::SmallVector<int64_t, 6> order = llvm::to_vector<6>(llvm::seq<int64_t>(0, rank));
  int64_t behind = 0; // how many axes stand behind that one
  while (behind < arg.rank && arg.dims[arg.rank - 1 - behind].size <= 0)
    ++behind;
  if (behind < arg.rank)
    std::rotate(order.end() - behind - 1, order.end() - behind, order.end());
  return order;
}

/// Brings the tensor into the kernel's order, and describes it in the declared one.
void BoundKernel::arrange(const mixwright_arg &arg, Binding &binding) {
  binding.order = getMemoryOrder(arg, binding.tensor.getRank());
  binding.shape.assign(binding.tensor.getShape().begin(), binding.tensor.getShape().end());
  binding.strides.resize(binding.order.size());
  binding.declared.resize(binding.order.size());
  int64_t stride = 1;
  for (size_t n = binding.order.size(); n-- > 0;) {
    binding.declared[binding.order[n]] = static_cast<int64_t>(n);
    binding.strides[binding.order[n]] = stride;
    stride *= binding.shape[binding.order[n]];
  }
  if (!llvm::is_sorted(binding.order))
    binding.tensor = binding.tensor.transpose(binding.order);
}

BoundKernel::Binding BoundKernel::bind(const mixwright_arg &arg, const Signature &signature,
                                       const Call &call) {
  ElementType type = getElementType(arg.dtype);
  Binding binding;
  auto take = [&](const TensorMap &given) {
    auto tensor = given.find(arg.name);
    binding.isAbsent = tensor == given.end();
    if (!binding.isAbsent)
      binding.tensor = tensor->second.convertTo(type);
  };
  auto make = [&](const Argument *declared) {
    binding.isResult = true;
    binding.isAbsent = !declared;
    if (declared)
      binding.tensor = Tensor(type, call.shape.getShape(*declared));
  };
  switch (arg.kind) {
  case MIXWRIGHT_INPUT:
  case MIXWRIGHT_PARAM:
    take(call.inputs);
    break;
  case MIXWRIGHT_STATE_IN:
    take(call.states);
    break;
  case MIXWRIGHT_STATE:
  case MIXWRIGHT_CACHE:
    take(call.states);
    binding.isResult = binding.isInPlace = true;
    break;
  case MIXWRIGHT_POSITION:
    binding.isAbsent = !call.position;
    if (call.position)
      binding.tensor = *call.position;
    break;
  case MIXWRIGHT_OUTPUT:
    make(signature.findOutput(arg.name));
    break;
  case MIXWRIGHT_STATE_OUT:
    make(signature.findState(arg.name));
    break;
  case MIXWRIGHT_WORKSPACE:
    llvm_unreachable("workspaces are the runtime's");
  }
  if (!binding.isAbsent)
    arrange(arg, binding);
  return binding;
}

/// As many as the sequence with the most earlier tokens would have with all new ones.
static int64_t countMostTokens(const Call &call) {
  int64_t earlier = 0, fresh = 0;
  for (int64_t n = 0; n < call.position->getCount(); ++n)
    earlier = std::max(earlier, static_cast<int64_t>(call.position->get(n)));
  for (auto &entry : call.shape.sizes)
    fresh = std::max(fresh, entry.second);
  return earlier + fresh;
}

BoundKernel::BoundKernel(const mixwright_kernel &kernel, const Signature &signature,
                         const Call &call)
    : kernel(kernel), layout(call.shape.layout) {
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args))
    if (arg.kind != MIXWRIGHT_WORKSPACE)
      bindings.push_back(bind(arg, signature, call));
  for (Binding &binding : bindings) {
    binding.view = describe(binding.tensor, binding.shape);
    binding.view.strides = binding.strides.data();
    views.push_back(binding.isAbsent ? nullptr : &binding.view);
  }
  if (call.shape.isPacked())
    packSegments(call.shape);
  bindTables(call);
  if (call.position)
    mostTokens = countMostTokens(call);
}

void BoundKernel::bindTables(const Call &call) {
  for (auto &entry : call.blockTables) {
    Table &table = tables.emplace_back();
    table.cache = entry.getKey().str();
    table.tensor = entry.second;
    table.shape.assign(table.tensor.getShape().begin(), table.tensor.getShape().end());
    table.view = describe(table.tensor, table.shape);
    blockTables.push_back({table.cache.empty() ? nullptr : table.cache.c_str(), &table.view});
  }
}

void BoundKernel::packSegments(const CallShape &shape) {
  offsets.reserve(kernel.num_spaces);
  for (const mixwright_space &space : llvm::ArrayRef(kernel.spaces, kernel.num_spaces)) {
    auto starts = shape.starts.find(space.name);
    if (space.block > 0 || starts == shape.starts.end())
      continue;
    Offsets &own = offsets.emplace_back();
    own.starts = starts->second;
    own.count = static_cast<int64_t>(own.starts.size());
    own.view = {};
    own.view.data = own.starts.data();
    own.view.device = {kDLCPU, 0};
    own.view.ndim = 1;
    own.view.dtype = getDLType(ElementType::I64);
    own.view.shape = &own.count;
    packings.push_back({space.name, &own.view});
  }
}

mixwright_options BoundKernel::getOptions() const {
  mixwright_options options = {};
  options.layout = layout;
  options.packings = packings.data();
  options.num_packings = static_cast<int32_t>(packings.size());
  options.block_tables = blockTables.data();
  options.num_block_tables = static_cast<int32_t>(blockTables.size());
  return options;
}

void BoundKernel::poisonResults() {
  for (Binding &binding : bindings)
    if (binding.isResult && !binding.isInPlace)
      binding.tensor.fill(isReal(binding.tensor.getType())
                              ? NAN
                              : static_cast<double>(std::numeric_limits<int32_t>::min()));
}

Error BoundKernel::run(const ThreadPool &pool) {
  mixwright_options options = getOptions();
  options.pool = pool.get();
  if (mixwright_run(&kernel, views.data(), static_cast<int32_t>(views.size()), &options) !=
      MIXWRIGHT_OK)
    return lastError();
  return Error::success();
}

Expected<size_t> BoundKernel::getWorkspaceBytes() {
  mixwright_options options = getOptions();
  size_t bytes = 0;
  if (mixwright_workspace_bytes(&kernel, views.data(), static_cast<int32_t>(views.size()), &options,
                                &bytes) != MIXWRIGHT_OK)
    return lastError();
  return bytes;
}

CallResult BoundKernel::takeResults() {
  CallResult result;
  size_t next = 0;
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args)) {
    if (arg.kind == MIXWRIGHT_WORKSPACE)
      continue;
    Binding &binding = bindings[next++];
    if (!binding.isResult || binding.isAbsent)
      continue;
    TensorMap &group = arg.kind == MIXWRIGHT_OUTPUT ? result.outputs : result.states;
    group[arg.name] = llvm::is_sorted(binding.order) ? std::move(binding.tensor)
                                                     : binding.tensor.transpose(binding.declared);
  }
  return result;
}

Expected<CallResult> mix::driver::runOnCpu(const mixwright_kernel &kernel,
                                           const Signature &signature, const Call &call,
                                           const ThreadPool &pool) {
  BoundKernel bound(kernel, signature, call);
  bound.poisonResults();
  if (Error error = bound.run(pool))
    return std::move(error);
  return bound.takeResults();
}
