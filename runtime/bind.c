/*===- bind.c - Check the tensors of a call against its kernel ------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* Every size, stride and dtype is checked here, before a kernel sees it: kernels
|* check nothing. A message names the argument, what was expected and what came.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

static const char *const kind_names[] = {"input",  "param",       "initial state",
                                         "output", "final state", "workspace"};

static const struct {
  const char *name;
  uint8_t code, bits;
} dtypes[] = {{"float32", kDLFloat, 32},
              {"float64", kDLFloat, 64},
              {"int32", kDLInt, 32},
              {"int64", kDLInt, 64}};

int64_t mw_element_bytes(const mixwright_arg *arg) { return dtypes[arg->dtype].bits / 8; }

static int is_written(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_OUTPUT || arg->kind == MIXWRIGHT_STATE_OUT;
}

static int is_state(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_STATE_IN || arg->kind == MIXWRIGHT_STATE_OUT;
}

/*===----------------------------------------------------------------------===*\
|* The kernel itself
\*===----------------------------------------------------------------------===*/

static mixwright_status check_arg(const mixwright_kernel *kernel, const mixwright_arg *arg) {
  int valid = arg->name && (unsigned)arg->kind <= MIXWRIGHT_WORKSPACE &&
              (unsigned)arg->dtype <= MIXWRIGHT_I64 && arg->rank >= 0 &&
              arg->rank <= MIXWRIGHT_MAX_RANK;
  for (int32_t d = 0; valid && d < arg->rank; ++d) {
    const mixwright_dim *dim = &arg->dims[d];
    int by_space = dim->size == -1 && dim->space >= 0 && dim->space < kernel->num_spaces;
    valid = dim->axis && (by_space || dim->size > 0);
  }
  if (valid)
    return MIXWRIGHT_OK;
  return mw_fail(MIXWRIGHT_INVALID_KERNEL, "kernel '%s': the description of argument %d is damaged",
                 kernel->mixer, (int)(arg - kernel->args));
}

static mixwright_status check_kernel(const mixwright_kernel *kernel) {
  if (kernel->num_args < 0 || kernel->num_spaces < 0 || kernel->num_phases < 0)
    return mw_fail(MIXWRIGHT_INVALID_KERNEL, "the description of the kernel is damaged");
  for (int32_t n = 0; n < kernel->num_args; ++n)
    MW_CHECK(check_arg(kernel, &kernel->args[n]));
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    if (space->block > 0 && (space->base < 0 || space->base >= n))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': space '%s' counts blocks of a space that does not precede it",
                     kernel->mixer, space->name);
  }
  for (int32_t n = 0; n < kernel->num_phases; ++n) {
    const mixwright_phase *phase = &kernel->phases[n];
    int by_space = phase->space >= 0 && phase->space < kernel->num_spaces && phase->rows > 0;
    if (!phase->run || phase->feature_blocks < 1 || phase->scratch_bytes < 0 ||
        !(phase->space == -1 || by_space))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': the description of phase %d is damaged", kernel->mixer, n);
  }
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* One tensor
\*===----------------------------------------------------------------------===*/

/* Which dimension of a tensor is the batch, the head and each declared one. */
typedef struct {
  int ndim, batch, head; /* batch, head: -1 if the tensor has none */
  const char *batch_axis;
  int declared[MIXWRIGHT_MAX_RANK];
} places;

static int has_tokens(const mixwright_arg *arg) {
  for (int d = 0; d < arg->rank; ++d)
    if (arg->dims[d].space >= 0)
      return 1;
  return 0;
}

static places place_dims(const mixwright_arg *arg, mixwright_layout layout, int packed, int ndim) {
  places result = {.batch = -1, .head = -1, .batch_axis = packed ? "N" : "B"};
  int leading = 0, is_param = arg->kind == MIXWRIGHT_PARAM;
  if (!is_param && (packed ? !has_tokens(arg) : layout != MIXWRIGHT_SINGLE))
    result.batch = leading++;
  if (layout != MIXWRIGHT_SINGLE && (!is_param || ndim == arg->rank + 1))
    result.head = leading++;
  result.ndim = arg->rank + leading;
  for (int d = 0; d < arg->rank; ++d)
    result.declared[d] = d + leading;
  int tokens_first = arg->rank > 0 && arg->dims[0].space >= 0;
  if (layout == MIXWRIGHT_BTHD && !is_param && !is_state(arg) && tokens_first)
    result.declared[0] = result.head++;
  return result;
}

/* "[B, T, H, K]": what a tensor of these places looks like. */
static void describe_dims(const mixwright_arg *arg, const places *where, char *text, size_t size) {
  const char *names[MIXWRIGHT_MAX_RANK + 2];
  for (int d = 0; d < arg->rank; ++d)
    names[where->declared[d]] = arg->dims[d].axis;
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

static mixwright_status check_form(const mixwright_arg *arg, const DLTensor *tensor,
                                   const places *where) {
  if (tensor->device.device_type != kDLCPU)
    FAIL("%s '%s': expected memory of the CPU, got device type %d", kind_names[arg->kind],
         arg->name, (int)tensor->device.device_type);
  DLDataType got = tensor->dtype;
  if (got.code != dtypes[arg->dtype].code || got.bits != dtypes[arg->dtype].bits || got.lanes != 1)
    FAIL("%s '%s': expected %s, got DLPack type code %d with %d bits and %d lanes",
         kind_names[arg->kind], arg->name, dtypes[arg->dtype].name, got.code, got.bits, got.lanes);
  if (tensor->ndim != where->ndim) {
    char expected[256];
    describe_dims(arg, where, expected, sizeof expected);
    FAIL("%s '%s': expected %d dimensions %s, got %d", kind_names[arg->kind], arg->name,
         where->ndim, expected, (int)tensor->ndim);
  }
  if (tensor->ndim > 0 && !tensor->shape)
    FAIL("%s '%s': the shape is null", kind_names[arg->kind], arg->name);
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
  int64_t compact = 1, reach = mw_element_bytes(arg);
  const int64_t *given = is_empty(tensor) ? NULL : tensor->strides;
  for (int d = tensor->ndim - 1; d >= 0; --d) {
    int64_t size = tensor->shape[d], extent, bytes;
    if (size < 0)
      FAIL("%s '%s': dimension %d has the negative size %lld", kind_names[arg->kind], arg->name, d,
           (long long)size);
    strides[d] = given ? given[d] : compact;
    if (strides[d] < 0)
      FAIL("%s '%s': dimension %d has the negative stride %lld", kind_names[arg->kind], arg->name,
           d, (long long)strides[d]);
    if (strides[d] == 0 && size > 1 && is_written(arg))
      FAIL("%s '%s': dimension %d has stride 0, so its elements share memory",
           kind_names[arg->kind], arg->name, d);
    int64_t steps = size > 1 ? size - 1 : 0;
    if (__builtin_mul_overflow(compact, size > 0 ? size : 1, &compact) ||
        __builtin_mul_overflow(steps, strides[d], &extent) ||
        __builtin_mul_overflow(extent, mw_element_bytes(arg), &bytes) ||
        __builtin_add_overflow(reach, bytes, &reach))
      FAIL("%s '%s': the shape reaches beyond the address space", kind_names[arg->kind], arg->name);
  }
  return MIXWRIGHT_OK;
}

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
    FAIL("%s '%s': axis %s has size %lld, but %lld in '%s'", kind_names[arg->kind], arg->name, axis,
         (long long)size, (long long)*bound, *by);
  return MIXWRIGHT_OK;
}

/* What the call knows while its tensors are looked at one by one. */
typedef struct {
  const mixwright_kernel *kernel;
  mw_binding *binding;
  const char **space_by; /* the argument that bound each space */
  const char *batch_by, *heads_by;
  int64_t *arg_heads; /* 0: the argument has no heads */
} progress;

static mixwright_status bind_dims(progress *state, int32_t index, const DLTensor *tensor,
                                  const places *where, const int64_t *strides) {
  const mixwright_arg *arg = &state->kernel->args[index];
  mw_binding *binding = state->binding;
  int unit_dim = -1;
  for (int d = 0; d < arg->rank; ++d) {
    const mixwright_dim *dim = &arg->dims[d];
    int64_t size = tensor->shape[where->declared[d]];
    if (dim->size > 0 && size != dim->size)
      FAIL("%s '%s': axis %s has size %lld, but the kernel was compiled for %lld",
           kind_names[arg->kind], arg->name, dim->axis, (long long)size, (long long)dim->size);
    if (dim->size < 0 && binding->starts && arg->kind == MIXWRIGHT_PARAM &&
        !binding->shared[dim->space])
      FAIL("param '%s' has the token axis %s, so packed sequences cannot share it", arg->name,
           dim->axis);
    if (dim->size < 0)
      MW_CHECK(
          agree(arg, dim->axis, size, &binding->spaces[dim->space], &state->space_by[dim->space]));
    else
      unit_dim = d;
    binding->sizes[index][d] = size;
    binding->strides[index][d] = strides[where->declared[d]];
  }
  if (unit_dim >= 0 && binding->sizes[index][unit_dim] == 1)
    binding->strides[index][unit_dim] = 1;
  if (unit_dim >= 0 && binding->strides[index][unit_dim] != 1)
    FAIL("%s '%s': axis %s must have stride 1, got %lld", kind_names[arg->kind], arg->name,
         arg->dims[unit_dim].axis, (long long)binding->strides[index][unit_dim]);
  return MIXWRIGHT_OK;
}

static mixwright_status bind_tensor(progress *state, int32_t index, const DLTensor *tensor,
                                    mixwright_layout layout) {
  const mixwright_arg *arg = &state->kernel->args[index];
  mw_binding *binding = state->binding;
  places where = place_dims(arg, layout, binding->starts != NULL, tensor->ndim);
  MW_CHECK(check_form(arg, tensor, &where));
  int64_t strides[MIXWRIGHT_MAX_RANK + 2];
  MW_CHECK(get_strides(arg, tensor, strides));
  MW_CHECK(bind_dims(state, index, tensor, &where, strides));

  mw_bound_arg *bound = &binding->args[index];
  int empty = is_empty(tensor);
  if (!empty && !tensor->data)
    FAIL("%s '%s': the data is null", kind_names[arg->kind], arg->name);
  bound->data = empty ? NULL : (char *)tensor->data + tensor->byte_offset;
  if ((uintptr_t)bound->data % (uintptr_t)mw_element_bytes(arg))
    FAIL("%s '%s': the data is not aligned to its %lld-byte elements", kind_names[arg->kind],
         arg->name, (long long)mw_element_bytes(arg));
  if (where.batch >= 0) {
    MW_CHECK(agree(arg, where.batch_axis, tensor->shape[where.batch], &binding->batch,
                   &state->batch_by));
    bound->batch_stride = strides[where.batch] * mw_element_bytes(arg);
  }
  if (where.head >= 0) {
    state->arg_heads[index] = tensor->shape[where.head];
    bound->head_stride = strides[where.head] * mw_element_bytes(arg);
    if (state->arg_heads[index] > binding->heads || !state->heads_by) {
      binding->heads = state->arg_heads[index];
      state->heads_by = arg->name;
    }
  }
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* The call
\*===----------------------------------------------------------------------===*/

static mixwright_status bind_tensors(progress *state, DLTensor *const *tensors, int32_t num_tensors,
                                     mixwright_layout layout) {
  const mixwright_kernel *kernel = state->kernel;
  int32_t expected = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    expected += kernel->args[n].kind != MIXWRIGHT_WORKSPACE;
  if (num_tensors != expected || (expected > 0 && !tensors))
    FAIL("mixer '%s' takes %d tensors, got %d", kernel->mixer, expected, tensors ? num_tensors : 0);

  int32_t next = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE)
      continue;
    const DLTensor *tensor = tensors[next++];
    if (tensor)
      MW_CHECK(bind_tensor(state, n, tensor, layout));
    else if (!is_state(arg))
      FAIL("%s '%s' is missing", kind_names[arg->kind], arg->name);
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_heads(progress *state) {
  const mixwright_kernel *kernel = state->kernel;
  mw_binding *binding = state->binding;
  if (!state->heads_by)
    binding->heads = 1;
  if (binding->batch < 0)
    binding->batch = 1;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    int64_t own = state->arg_heads[n];
    binding->args[n].heads_each = 1;
    if (own < 0 || own == binding->heads) /* < 0: every head sees the same */
      continue;
    int needs_all = is_written(arg) || is_state(arg);
    if (own == 0 || binding->heads % own || needs_all)
      FAIL(needs_all ? "%s '%s': %lld heads, but '%s' has %lld"
                     : "%s '%s': %lld heads do not divide the heads of '%s', which are %lld",
           kind_names[arg->kind], arg->name, (long long)own, state->heads_by,
           (long long)binding->heads);
    binding->args[n].heads_each = binding->heads / own;
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_overlap(const mixwright_kernel *kernel, const mw_binding *binding) {
  for (int32_t out = 0; out < kernel->num_args; ++out) {
    if (!is_written(&kernel->args[out]) || !binding->args[out].data)
      continue;
    for (int32_t other = 0; other < kernel->num_args; ++other)
      if (other != out && binding->args[other].data == binding->args[out].data)
        FAIL("%s '%s' and %s '%s' share memory", kind_names[kernel->args[out].kind],
             kernel->args[out].name, kind_names[kernel->args[other].kind],
             kernel->args[other].name);
  }
  return MIXWRIGHT_OK;
}

/* Sizes of the spaces that no tensor bound: blocks of another space. */
static mixwright_status bind_block_spaces(progress *state) {
  const mixwright_kernel *kernel = state->kernel;
  int64_t *sizes = state->binding->spaces;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    if (state->binding->starts && !state->binding->shared[n])
      continue; /* cu_seqlens gave the sizes */
    if (space->block <= 0) {
      if (sizes[n] < 0)
        FAIL("mixer '%s': no tensor gives the axis %s its size", kernel->mixer, space->name);
      continue;
    }
    int64_t base = sizes[space->base];
    int64_t blocks = base / space->block + (base % space->block != 0);
    if (sizes[n] >= 0 && sizes[n] != blocks)
      FAIL("'%s': axis %s has size %lld, but %lld positions of %s make %lld blocks of %lld",
           state->space_by[n], space->name, (long long)sizes[n], (long long)base,
           kernel->spaces[space->base].name, (long long)blocks, (long long)space->block);
    sizes[n] = blocks;
  }
  return MIXWRIGHT_OK;
}

int mw_measure_workspace(const mw_binding *binding, const mixwright_arg *arg, int64_t entry,
                         int64_t *sizes, int64_t *strides, int64_t *bytes) {
  int64_t elements = 1;
  for (int d = arg->rank - 1; d >= 0; --d) {
    const mixwright_dim *dim = &arg->dims[d];
    sizes[d] = dim->size > 0 ? dim->size : mw_space_size(binding, dim->space, entry);
    strides[d] = elements;
    if (__builtin_mul_overflow(elements, sizes[d], &elements))
      return 0;
  }
  return !__builtin_mul_overflow(elements, mw_element_bytes(arg), bytes) && mw_align(*bytes, bytes);
}

/* Workspaces are contiguous; each instance has its own, [B, H, declared..]. */
static mixwright_status bind_workspaces(const mixwright_kernel *kernel, mw_binding *binding) {
  int64_t total = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind != MIXWRIGHT_WORKSPACE)
      continue;
    int64_t bytes;
    mw_bound_arg *bound = &binding->args[n];
    if (!mw_measure_workspace(binding, arg, 0, binding->sizes[n], binding->strides[n],
                              &bound->head_stride) ||
        __builtin_mul_overflow(bound->head_stride, binding->heads, &bound->batch_stride) ||
        __builtin_mul_overflow(bound->batch_stride, binding->batch, &bytes) ||
        __builtin_add_overflow(total, bytes, &total))
      FAIL("mixer '%s': its workspace is beyond the address space", kernel->mixer);
  }
  binding->workspace_bytes = total;
  return MIXWRIGHT_OK;
}

void mw_place_workspaces(const mixwright_kernel *kernel, mw_binding *binding, char *memory) {
  binding->workspace = memory;
  if (binding->segments)
    return;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    if (kernel->args[n].kind != MIXWRIGHT_WORKSPACE)
      continue;
    binding->args[n].data = memory;
    memory += binding->args[n].batch_stride * binding->batch;
  }
}

void mw_locate_entry(const mixwright_kernel *kernel, const mw_binding *binding, int64_t index,
                     mw_entry *entry) {
  if (binding->segments) {
    mw_locate_segment(kernel, binding, index, entry);
    return;
  }
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mw_bound_arg *arg = &binding->args[n];
    entry->starts[n] = arg->data ? arg->data + index * arg->batch_stride : NULL;
    entry->head_strides[n] = arg->head_stride;
  }
  entry->strides = binding->strides;
  entry->sizes = binding->sizes;
}

/* cu_seqlens come first: tensors that disagree with them are named. */
static mixwright_status bind_all(progress *state, DLTensor *const *tensors, int32_t num_tensors,
                                 const mixwright_options *options) {
  if (options->num_packings != 0) {
    MW_CHECK(mw_bind_packings(state->kernel, options, state->binding));
    state->batch_by = "cu_seqlens";
    for (int32_t n = 0; n < state->kernel->num_spaces; ++n)
      state->space_by[n] = "cu_seqlens";
  }
  MW_CHECK(bind_tensors(state, tensors, num_tensors, options->layout));
  MW_CHECK(check_heads(state));
  MW_CHECK(check_overlap(state->kernel, state->binding));
  MW_CHECK(bind_block_spaces(state));
  if (state->binding->starts)
    return mw_bind_segments(state->kernel, state->binding);
  return bind_workspaces(state->kernel, state->binding);
}

mixwright_status mw_bind(const mixwright_kernel *kernel, DLTensor *const *tensors,
                         int32_t num_tensors, const mixwright_options *options,
                         mw_binding *binding) {
  *binding = (mw_binding){.batch = -1};
  MW_CHECK(check_kernel(kernel));
  if ((unsigned)options->layout > MIXWRIGHT_SINGLE)
    FAIL("unknown layout %d", (int)options->layout);

  /* calloc(0, ..) may give NULL, so every array has a spare element. */
  size_t args = (size_t)kernel->num_args + 1, spaces = (size_t)kernel->num_spaces + 1;
  binding->spaces = calloc(spaces, sizeof *binding->spaces);
  binding->shared = calloc(spaces, sizeof *binding->shared);
  binding->args = calloc(args, sizeof *binding->args);
  binding->strides = calloc(args, sizeof *binding->strides);
  binding->sizes = calloc(args, sizeof *binding->sizes);
  progress state = {.kernel = kernel, .binding = binding};
  state.space_by = calloc(spaces, sizeof *state.space_by);
  state.arg_heads = calloc(args, sizeof *state.arg_heads);

  mixwright_status status = MIXWRIGHT_OUT_OF_MEMORY;
  if (binding->spaces && binding->shared && binding->args && binding->strides && binding->sizes &&
      state.space_by && state.arg_heads) {
    for (size_t n = 0; n < spaces; ++n)
      binding->spaces[n] = -1;
    for (size_t n = 0; n < args; ++n)
      state.arg_heads[n] = -1;
    status = bind_all(&state, tensors, num_tensors, options);
  } else {
    mw_fail(status, "no memory to describe a call of '%s'", kernel->mixer);
  }
  free(state.space_by);
  free(state.arg_heads);
  if (status != MIXWRIGHT_OK)
    mw_unbind(binding);
  return status;
}

void mw_unbind(mw_binding *binding) {
  free(binding->spaces);
  free(binding->args);
  free(binding->strides);
  free(binding->sizes);
  free(binding->shared);
  free(binding->segments);
  free(binding->starts);
  *binding = (mw_binding){.batch = -1};
}
