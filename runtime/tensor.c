/*===- tensor.c - Check one tensor against its declaration ----------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdio.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

static const char *const kind_names[] = {"input",  "param",       "initial state",
                                         "output", "final state", "workspace",
                                         "state",  "cache",       "position"};

const char *mw_kind_name(const mixwright_arg *arg) { return kind_names[arg->kind]; }

static const struct {
  const char *name;
  uint8_t code, bits;
} dtypes[] = {{"float32", kDLFloat, 32}, {"float64", kDLFloat, 64},   {"int32", kDLInt, 32},
              {"int64", kDLInt, 64},     {"bfloat16", kDLBfloat, 16}, {"float16", kDLFloat, 16}};

int64_t mw_element_bytes(const mixwright_arg *arg) { return dtypes[arg->dtype].bits / 8; }

const char *mw_describe_device(DLDevice device, char *text, size_t size) {
  if (device.device_type == kDLCPU)
    return "the CPU";
  if (device.device_type == kDLCUDA || device.device_type == kDLROCM)
    snprintf(text, size, "%s device %d", device.device_type == kDLCUDA ? "CUDA" : "HIP",
             (int)device.device_id);
  else
    snprintf(text, size, "a device of type %d", (int)device.device_type);
  return text;
}

/*===----------------------------------------------------------------------===*\
|* Where batch and heads stand
\*===----------------------------------------------------------------------===*/

/* Which dimension of a tensor is the batch (of a paged cache: the pages), the head and
 * each declared one. */
typedef struct {
  int ndim, batch, head; /* batch, head: -1 if the tensor has none */
  const char *batch_axis;
  int declared[MIXWRIGHT_MAX_RANK];
} places;

/* Whether segments are packed along a dimension of the tensor. A cache has rows of its
 * own for each. */
static int is_packed(const mixwright_arg *arg) {
  if (arg->kind == MIXWRIGHT_CACHE)
    return 0;
  for (int d = 0; d < arg->rank; ++d)
    if (arg->dims[d].space >= 0)
      return 1;
  return 0;
}

static places place_dims(const mw_progress *call, int32_t index, int ndim) {
  const mixwright_arg *arg = &call->kernel->args[index];
  int packed = call->binding->is_packed;
  places result = {.batch = -1, .head = -1, .batch_axis = packed ? "N" : "B"};
  int leading = 0, is_param = arg->kind == MIXWRIGHT_PARAM;
  int has_tables = call->binding->caches[index].tables != NULL;
  if (has_tables)
    result.batch_axis = "pages";
  int in_slots = call->binding->slots && arg->kind == MIXWRIGHT_STATE;
  if (in_slots)
    result.batch_axis = "slots";
  if (has_tables || in_slots ||
      (!is_param && (packed ? !is_packed(arg) : call->layout != MIXWRIGHT_SINGLE)))
    result.batch = leading++;
  if (call->layout != MIXWRIGHT_SINGLE && arg->kind != MIXWRIGHT_POSITION &&
      (!is_param || ndim == arg->rank + 1))
    result.head = leading++;
  result.ndim = arg->rank + leading;
  for (int d = 0; d < arg->rank; ++d)
    result.declared[d] = d + leading;
  int tokens_first = arg->rank > 0 && arg->dims[0].space >= 0;
  if (call->layout == MIXWRIGHT_BTHD && !is_param && !mw_is_state(arg) && tokens_first)
    result.declared[0] = result.head++;
  return result;
}

/* "[B, T, H, K]": what a tensor of these places looks like. */
static void describe_dims(const mixwright_arg *arg, const places *where, char *text, size_t size) {
  const char *names[MIXWRIGHT_MAX_RANK + 2];
  for (int d = 0; d < arg->rank; ++d)
    names[where->declared[d]] = arg->dims[d].axis;
  if (arg->kind == MIXWRIGHT_CACHE)
    names[where->declared[0]] = "rows";
  if (where->batch >= 0)
    names[where->batch] = where->batch_axis;
  if (where->head >= 0)
    names[where->head] = "H";
  size_t used = (size_t)snprintf(text, size, "[");
  for (int d = 0; d < where->ndim && used < size; ++d)
    used += (size_t)snprintf(text + used, size - used, "%s%s", d ? ", " : "", names[d]);
  if (used < size)
    snprintf(text + used, size - used, "]");
}

/*===----------------------------------------------------------------------===*\
|* Type, shape and strides
\*===----------------------------------------------------------------------===*/

static int has_type(const mixwright_arg *arg, DLDataType got) {
  int is_width = got.bits == dtypes[arg->dtype].bits;
  if (arg->kind == MIXWRIGHT_POSITION)
    is_width = got.bits == 32 || got.bits == 64;
  return got.code == dtypes[arg->dtype].code && is_width && got.lanes == 1;
}

/* Memory of the CPU has no number. */
mixwright_status mw_check_memory(const char *label, DLDevice got, DLDevice expected) {
  if (got.device_type == expected.device_type &&
      (got.device_type == kDLCPU || got.device_id == expected.device_id))
    return MIXWRIGHT_OK;
  char own[64], wanted[64];
  FAIL("%s: expected memory of %s, got memory of %s", label,
       mw_describe_device(expected, wanted, sizeof wanted),
       mw_describe_device(got, own, sizeof own));
}

static mixwright_status check_device(const mixwright_arg *arg, DLDevice got, DLDevice expected) {
  char label[256];
  snprintf(label, sizeof label, "%s '%s'", mw_kind_name(arg), arg->name);
  return mw_check_memory(label, got, expected);
}

static mixwright_status check_form(const mixwright_arg *arg, const DLTensor *tensor,
                                   const places *where) {
  DLDataType got = tensor->dtype;
  if (!has_type(arg, got))
    FAIL("%s '%s': expected %s%s, got DLPack type code %d with %d bits and %d lanes",
         mw_kind_name(arg), arg->name, arg->kind == MIXWRIGHT_POSITION ? "int32 or " : "",
         dtypes[arg->dtype].name, got.code, got.bits, got.lanes);
  if (tensor->ndim != where->ndim) {
    char expected[256];
    describe_dims(arg, where, expected, sizeof expected);
    FAIL("%s '%s': expected %d dimensions %s, got %d", mw_kind_name(arg), arg->name, where->ndim,
         expected, (int)tensor->ndim);
  }
  if (tensor->ndim > 0 && !tensor->shape)
    FAIL("%s '%s': the shape is null", mw_kind_name(arg), arg->name);
  return MIXWRIGHT_OK;
}

static int is_empty(const DLTensor *tensor) {
  for (int d = 0; d < tensor->ndim; ++d)
    if (tensor->shape[d] == 0)
      return 1;
  return 0;
}

/* Fills the strides of a tensor in elements, and checks that its memory can be
 * addressed at all. The strides of an empty tensor mean nothing. */
static mixwright_status get_strides(const mixwright_arg *arg, const DLTensor *tensor,
                                    int64_t strides[MIXWRIGHT_MAX_RANK + 2]) {
  int64_t compact = 1, reach = tensor->dtype.bits / 8;
  const int64_t *given = is_empty(tensor) ? NULL : tensor->strides;
  for (int d = tensor->ndim - 1; d >= 0; --d) {
    int64_t size = tensor->shape[d], extent, bytes;
    if (size < 0)
      FAIL("%s '%s': dimension %d has the negative size %lld", mw_kind_name(arg), arg->name, d,
           (long long)size);
    strides[d] = given ? given[d] : compact;
    if (strides[d] < 0)
      FAIL("%s '%s': dimension %d has the negative stride %lld", mw_kind_name(arg), arg->name, d,
           (long long)strides[d]);
    if (strides[d] == 0 && size > 1 && mw_is_written(arg))
      FAIL("%s '%s': dimension %d has stride 0, so its elements share memory", mw_kind_name(arg),
           arg->name, d);
    int64_t steps = size > 1 ? size - 1 : 0;
    if (__builtin_mul_overflow(compact, size > 0 ? size : 1, &compact) ||
        __builtin_mul_overflow(steps, strides[d], &extent) ||
        __builtin_mul_overflow(extent, tensor->dtype.bits / 8, &bytes) ||
        __builtin_add_overflow(reach, bytes, &reach))
      FAIL("%s '%s': the shape reaches beyond the address space", mw_kind_name(arg), arg->name);
  }
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* Binding
\*===----------------------------------------------------------------------===*/

/* Gives an axis its size, or compares with what gave it one. `*bound` is -1 while
 * unknown; `*by` names the argument that bound it. */
static mixwright_status agree(const mixwright_arg *arg, const char *axis, int64_t size,
                              int64_t *bound, const char **by) {
  if (*bound < 0) {
    *bound = size;
    *by = arg->name;
    return MIXWRIGHT_OK;
  }
  if (*bound != size)
    FAIL("%s '%s': axis %s has size %lld, but %lld in '%s'", mw_kind_name(arg), arg->name, axis,
         (long long)size, (long long)*bound, *by);
  return MIXWRIGHT_OK;
}

static mixwright_status bind_dims(mw_progress *call, int32_t index, const DLTensor *tensor,
                                  const places *where, const int64_t *strides) {
  const mixwright_arg *arg = &call->kernel->args[index];
  mw_binding *binding = call->binding;
  int unit_dim = -1;
  for (int d = 0; d < arg->rank; ++d) {
    const mixwright_dim *dim = &arg->dims[d];
    int64_t size = tensor->shape[where->declared[d]];
    if (dim->size > 0 && size != dim->size)
      FAIL("%s '%s': axis %s has size %lld, but the kernel was compiled for %lld",
           mw_kind_name(arg), arg->name, dim->axis, (long long)size, (long long)dim->size);
    if (dim->size < 0 && binding->is_packed && arg->kind == MIXWRIGHT_PARAM &&
        !binding->shared[dim->space])
      FAIL("param '%s' has the token axis %s, so packed sequences cannot share it", arg->name,
           dim->axis);
    if (dim->size < 0 && arg->kind != MIXWRIGHT_CACHE)
      MW_CHECK(
          agree(arg, dim->axis, size, &binding->spaces[dim->space], &call->space_by[dim->space]));
    if (dim->size > 0)
      unit_dim = d;
    binding->sizes[index][d] = size;
    binding->strides[index][d] = strides[where->declared[d]];
  }
  if (unit_dim >= 0 && binding->sizes[index][unit_dim] == 1)
    binding->strides[index][unit_dim] = 1;
  if (unit_dim >= 0 && binding->strides[index][unit_dim] != 1)
    FAIL("%s '%s': axis %s must have stride 1, got %lld", mw_kind_name(arg), arg->name,
         arg->dims[unit_dim].axis, (long long)binding->strides[index][unit_dim]);
  return MIXWRIGHT_OK;
}

mixwright_status mw_bind_tensor(mw_progress *call, int32_t index, const DLTensor *tensor) {
  const mixwright_arg *arg = &call->kernel->args[index];
  mw_binding *binding = call->binding;
  places where = place_dims(call, index, tensor->ndim);
  MW_CHECK(check_device(arg, tensor->device, call->device));
  MW_CHECK(check_form(arg, tensor, &where));
  int64_t strides[MIXWRIGHT_MAX_RANK + 2];
  MW_CHECK(get_strides(arg, tensor, strides));
  MW_CHECK(bind_dims(call, index, tensor, &where, strides));

  mw_bound_arg *bound = &binding->args[index];
  int empty = is_empty(tensor), bytes = tensor->dtype.bits / 8;
  if (!empty && !tensor->data)
    FAIL("%s '%s': the data is null", mw_kind_name(arg), arg->name);
  bound->data = empty ? NULL : (char *)tensor->data + tensor->byte_offset;
  if ((uintptr_t)bound->data % (uintptr_t)bytes)
    FAIL("%s '%s': the data is not aligned to its %d-byte elements", mw_kind_name(arg), arg->name,
         bytes);
  mw_bound_cache *cache = &binding->caches[index];
  if (cache->tables) {
    cache->pages_there = tensor->shape[where.batch];
    cache->page_stride = strides[where.batch];
  } else if (binding->slots && arg->kind == MIXWRIGHT_STATE) {
    MW_CHECK(agree(arg, "slots", tensor->shape[0], &binding->slots_there, &call->slots_by));
    bound->batch_stride = strides[0] * bytes;
  } else if (where.batch >= 0) {
    MW_CHECK(
        agree(arg, where.batch_axis, tensor->shape[where.batch], &binding->batch, &call->batch_by));
    bound->batch_stride = strides[where.batch] * bytes;
  }
  if (where.head >= 0) {
    call->arg_heads[index] = tensor->shape[where.head];
    bound->head_stride = strides[where.head] * bytes;
    if (call->arg_heads[index] > binding->heads || !call->heads_by) {
      binding->heads = call->arg_heads[index];
      call->heads_by = arg->name;
    }
  }
  return MIXWRIGHT_OK;
}
