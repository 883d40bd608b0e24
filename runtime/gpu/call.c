/*===- call.c - A call as kernels of devices take it ----------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A call is checked and bound by the same code as one of the CPU, as far as that can be
|* done without reading memory of the device; what is left is to write it down as
|* `mixwright_device_call`.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/gpu/call.h"
#include <stdlib.h>

mixwright_status mw_bind_device_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                     int32_t num_tensors, const mixwright_options *options,
                                     int64_t most_tokens, DLDevice device, mw_device_call *call) {
  call->kernel = kernel;
  call->parameter = NULL;
  MW_CHECK(mw_bind(kernel, tensors, num_tensors, options, device, &call->binding));
  mixwright_status status = mw_bound_device_call(kernel, most_tokens, &call->binding);
  if (status != MIXWRIGHT_OK)
    mw_unbind(&call->binding);
  return status;
}

/* Numbers along the first dimension of a tensor; NULL: none. */
static mixwright_device_vector describe_vector(const DLTensor *tensor) {
  if (!tensor)
    return (mixwright_device_vector){NULL, 0};
  int64_t stride = tensor->strides ? tensor->strides[0] : 1;
  if (!tensor->strides && tensor->ndim == 2)
    stride = tensor->shape[1];
  return (mixwright_device_vector){(const char *)tensor->data + tensor->byte_offset,
                                   stride * (tensor->dtype.bits / 8)};
}

static mixwright_device_tensor describe_tensor(const mw_device_call *call, int32_t index) {
  const mw_bound_arg *bound = &call->binding.args[index];
  int64_t bytes = mw_element_bytes(&call->kernel->args[index]);
  mixwright_device_tensor tensor = {.data = bound->data,
                                    .batch_stride = bound->batch_stride / bytes,
                                    .head_stride = bound->head_stride / bytes,
                                    .head_group = bound->heads_each};
  for (int d = 0; d < MIXWRIGHT_MAX_RANK; ++d)
    tensor.strides[d] = call->binding.strides[index][d];
  return tensor;
}

/* As `mw_get_paging` says of one sequence. */
static mixwright_device_cache describe_cache(const mw_binding *binding, int32_t index) {
  const mw_bound_cache *cache = &binding->caches[index];
  if (!cache->tables)
    return (mixwright_device_cache){.pages = 1, .page_rows = cache->rows};
  const DLTensor *tables = cache->tables;
  return (mixwright_device_cache){
      .table = (const int32_t *)(const void *)((const char *)tables->data + tables->byte_offset),
      .table_stride = tables->strides ? tables->strides[0] : tables->shape[1],
      .pages = tables->shape[1] > 0 ? tables->shape[1] : 1,
      .page_rows = cache->rows,
      .page_stride = cache->page_stride};
}

size_t mw_get_parameter_bytes(const mixwright_kernel *kernel) {
  int32_t caches = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    caches += kernel->args[n].kind == MIXWRIGHT_CACHE;
  return MIXWRIGHT_DEVICE_BYTES(kernel->num_spaces, kernel->num_args, caches);
}

static void write_parts(const mw_device_call *call) {
  const mixwright_kernel *kernel = call->kernel;
  const mw_binding *binding = &call->binding;
  char *parts = (char *)call->parameter;
  mixwright_device_space *spaces = (mixwright_device_space *)(void *)(call->parameter + 1);
  mixwright_device_tensor *tensors =
      (mixwright_device_tensor *)(void *)(parts + MIXWRIGHT_DEVICE_TENSORS(kernel->num_spaces));
  mixwright_device_cache *cache =
      (mixwright_device_cache *)(void *)(parts + MIXWRIGHT_DEVICE_CACHES(kernel->num_spaces,
                                                                         kernel->num_args));
  for (int32_t n = 0; n < kernel->num_spaces; ++n)
    spaces[n] =
        (mixwright_device_space){binding->spaces[n], describe_vector(binding->cu_seqlens[n])};
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mw_bound_arg *bound = &binding->args[n];
    tensors[n] = describe_tensor(call, n);
    if (kernel->args[n].kind == MIXWRIGHT_CACHE)
      *cache++ = describe_cache(binding, n);
    if (kernel->args[n].kind == MIXWRIGHT_POSITION)
      call->parameter->positions = (mixwright_device_vector){bound->data, bound->batch_stride};
  }
}

mixwright_status mw_write_device_call(mw_device_call *call, char *workspace) {
  call->parameter = calloc(1, mw_get_parameter_bytes(call->kernel));
  if (!call->parameter)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "no memory to describe a call of '%s'",
                   call->kernel->mixer);
  mw_place_workspaces(call->kernel, &call->binding, workspace);
  call->parameter->sequences = call->binding.batch;
  call->parameter->slots = describe_vector(call->binding.slots);
  write_parts(call);
  return MIXWRIGHT_OK;
}

void mw_free_device_call(mw_device_call *call) {
  free(call->parameter);
  mw_unbind(&call->binding);
}
