/*===- call.c - A call as kernels of devices take it ----------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A call is checked and bound by the same code as one of the CPU; what is left is to write it
|* down as `mixwright_device_call`.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/gpu/call.h"
#include <stdlib.h>

/* What a device call cannot say. */
static mixwright_status check_kinds(const mixwright_kernel *kernel) {
  for (int32_t n = 0; n < kernel->num_args; ++n)
    if (kernel->args[n].kind >= MIXWRIGHT_STATE)
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': argument '%s' is a %s, which no kernel of a device has",
                     kernel->mixer, kernel->args[n].name, mw_kind_name(&kernel->args[n]));
  return MIXWRIGHT_OK;
}

/* Kernels count tokens, heads and instances in 31 bits. */
static mixwright_status check_counts(const mw_device_call *call) {
  const mw_binding *binding = &call->binding;
  int64_t instances;
  int fits =
      !__builtin_mul_overflow(binding->batch, binding->heads, &instances) && instances <= INT32_MAX;
  for (int32_t n = 0; fits && n < call->kernel->num_spaces; ++n)
    fits = binding->spaces[n] <= INT32_MAX;
  if (!fits)
    return mw_fail(MIXWRIGHT_UNSUPPORTED,
                   "mixer '%s': more tokens, heads or sequences than a device counts",
                   call->kernel->mixer);
  return MIXWRIGHT_OK;
}

mixwright_status mw_bind_device_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                     int32_t num_tensors, mixwright_layout layout, DLDevice device,
                                     mw_device_call *call) {
  mixwright_options options = {.layout = layout};
  call->kernel = kernel;
  call->parameter = NULL;
  MW_CHECK(check_kinds(kernel));
  MW_CHECK(mw_bind(kernel, tensors, num_tensors, &options, device, &call->binding));
  mixwright_status status = check_counts(call);
  if (status != MIXWRIGHT_OK)
    mw_unbind(&call->binding);
  return status;
}

static mixwright_device_tensor describe_tensor(const mw_device_call *call, int32_t index) {
  const mw_bound_arg *bound = &call->binding.args[index];
  int64_t bytes = mw_element_bytes(&call->kernel->args[index]);
  mixwright_device_tensor tensor = {.data = bound->data,
                                    .batch_stride = bound->batch_stride / bytes,
                                    .head_stride = bound->head_stride / bytes,
                                    .head_group = bound->heads_each};
  for (int d = 0; d < MIXWRIGHT_MAX_RANK; ++d) {
    tensor.strides[d] = call->binding.strides[index][d];
    tensor.sizes[d] = call->binding.sizes[index][d];
  }
  return tensor;
}

mixwright_status mw_write_device_call(mw_device_call *call, char *workspace) {
  size_t tensors = (size_t)call->kernel->num_args * sizeof(mixwright_device_tensor);
  mixwright_device_call *parameter = calloc(1, sizeof *parameter + tensors);
  if (!parameter)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "no memory to describe a call of '%s'",
                   call->kernel->mixer);
  mw_place_workspaces(call->kernel, &call->binding, workspace);
  parameter->heads = call->binding.heads;
  parameter->instances = call->binding.batch * call->binding.heads;
  for (int32_t n = 0; n < call->kernel->num_args; ++n)
    parameter->tensors[n] = describe_tensor(call, n);
  call->parameter = parameter;
  return MIXWRIGHT_OK;
}

/* CUDA counts 2^31 - 1 blocks, HIP 2^32 - 1 threads. */
mixwright_status mw_count_blocks(mw_device_call *call, const mixwright_phase *phase,
                                 uint32_t *blocks) {
  mixwright_device_call *parameter = call->parameter;
  int is_hip = call->kernel->image->device_type == kDLROCM;
  int64_t size = phase->space < 0 ? 1 : call->binding.spaces[phase->space];
  int64_t rows = phase->space < 0 ? 1 : phase->rows, count, threads;
  parameter->token_blocks = size / rows + (size % rows != 0);
  if (__builtin_mul_overflow(parameter->token_blocks, parameter->instances, &count) ||
      __builtin_mul_overflow(count, phase->feature_blocks, &count) ||
      __builtin_mul_overflow(count, phase->threads, &threads) || count > INT32_MAX ||
      (is_hip && threads > UINT32_MAX))
    return mw_fail(MIXWRIGHT_UNSUPPORTED, "mixer '%s': more blocks than a launch can count",
                   call->kernel->mixer);
  *blocks = (uint32_t)count;
  return MIXWRIGHT_OK;
}

void mw_free_device_call(mw_device_call *call) {
  free(call->parameter);
  mw_unbind(&call->binding);
}
