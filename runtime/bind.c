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
#include <stdlib.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/*===----------------------------------------------------------------------===*\
|* The kernel itself
\*===----------------------------------------------------------------------===*/

int mw_is_history(const mixwright_kernel *kernel, int32_t space) {
  for (; kernel->spaces[space].base >= 0; space = kernel->spaces[space].base)
    if (kernel->spaces[space].block <= 0)
      return 1;
  return 0;
}

static int is_valid_cache(const mixwright_kernel *kernel, const mixwright_arg *arg) {
  int valid = kernel->cache_block > 0 && arg->rank > 0 && arg->dims[0].size < 0 &&
              mw_is_history(kernel, arg->dims[0].space) &&
              kernel->spaces[arg->dims[0].space].block <= 0 && arg->window >= 0 &&
              arg->num_sources >= 0 && (arg->num_sources == 0 || arg->sources);
  for (int32_t d = 1; valid && d < arg->rank; ++d)
    valid = arg->dims[d].size > 0;
  for (int32_t n = 0; valid && n < arg->num_sources; ++n)
    valid = arg->sources[n] >= 0 && arg->sources[n] < kernel->num_args;
  return valid;
}

static int is_valid_arg(const mixwright_kernel *kernel, const mixwright_arg *arg) {
  int valid = arg->name && (unsigned)arg->kind <= MIXWRIGHT_POSITION &&
              (unsigned)arg->dtype <= MIXWRIGHT_F16 && arg->rank >= 0 &&
              arg->rank <= MIXWRIGHT_MAX_RANK;
  int may_have_history = arg->kind == MIXWRIGHT_CACHE || arg->kind == MIXWRIGHT_WORKSPACE;
  for (int32_t d = 0; valid && d < arg->rank; ++d) {
    const mixwright_dim *dim = &arg->dims[d];
    int by_space = dim->size == -1 && dim->space >= 0 && dim->space < kernel->num_spaces &&
                   (may_have_history || !mw_is_history(kernel, dim->space));
    valid = dim->axis && (by_space || dim->size > 0);
  }
  if (valid && arg->kind == MIXWRIGHT_CACHE)
    return is_valid_cache(kernel, arg);
  if (valid && arg->kind == MIXWRIGHT_POSITION)
    return arg->rank == 0 && arg->dtype == MIXWRIGHT_I64;
  return valid;
}

static int is_valid_phase(const mixwright_kernel *kernel, const mixwright_phase *phase) {
  int by_space = phase->space >= 0 && phase->space < kernel->num_spaces && phase->rows > 0;
  int by_heads = phase->heads_of >= 0 && phase->heads_of < kernel->num_args;
  int has_code = kernel->image ? phase->function && phase->threads > 0 : phase->run != NULL;
  return has_code && phase->feature_blocks >= 1 && phase->scratch_bytes >= 0 &&
         (phase->space == -1 || by_space) && (phase->heads_of == -1 || by_heads);
}

static mixwright_status check_spaces(const mixwright_kernel *kernel) {
  int positions = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    positions += kernel->args[n].kind == MIXWRIGHT_POSITION;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    if (space->base >= n || (space->block > 0 && space->base < 0))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': space '%s' follows from a space that does not precede it",
                     kernel->mixer, space->name);
    if (positions != 1 && (positions > 1 || mw_is_history(kernel, n)))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': expected one position for space '%s', got %d", kernel->mixer,
                     space->name, positions);
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_kernel(const mixwright_kernel *kernel) {
  if (kernel->num_args < 0 || kernel->num_spaces < 0 || kernel->num_phases < 0)
    return mw_fail(MIXWRIGHT_INVALID_KERNEL, "the description of the kernel is damaged");
  MW_CHECK(check_spaces(kernel));
  for (int32_t n = 0; n < kernel->num_args; ++n)
    if (!is_valid_arg(kernel, &kernel->args[n]))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': the description of argument %d is damaged", kernel->mixer, n);
  for (int32_t n = 0; n < kernel->num_phases; ++n)
    if (!is_valid_phase(kernel, &kernel->phases[n]))
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': the description of phase %d is damaged", kernel->mixer, n);
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* The call
\*===----------------------------------------------------------------------===*/

static mixwright_status bind_tensors(mw_progress *call, DLTensor *const *tensors,
                                     int32_t num_tensors) {
  const mixwright_kernel *kernel = call->kernel;
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
      MW_CHECK(mw_bind_tensor(call, n, tensor));
    else if (!mw_may_be_absent(arg))
      FAIL("%s '%s' is missing", mw_kind_name(arg), arg->name);
    if (arg->kind == MIXWRIGHT_POSITION)
      call->position = tensor;
  }
  return MIXWRIGHT_OK;
}

/* Query heads may share a cache, if its rows depend on nothing that differs between
 * them. */
static mixwright_status check_sources(const mw_progress *call, int32_t index) {
  const mixwright_arg *arg = &call->kernel->args[index];
  int64_t own = call->arg_heads[index];
  if (own < 0)
    return MIXWRIGHT_OK;
  if (arg->num_sources == 0 && own != call->binding->heads)
    FAIL("cache '%s': %lld heads, but '%s' has %lld", arg->name, (long long)own, call->heads_by,
         (long long)call->binding->heads);
  for (int32_t n = 0; n < arg->num_sources; ++n) {
    int64_t source = call->arg_heads[arg->sources[n]];
    if (source > 0 && own % source != 0)
      FAIL("cache '%s': %lld heads are no multiple of those of '%s', which are %lld", arg->name,
           (long long)own, call->kernel->args[arg->sources[n]].name, (long long)source);
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_heads(mw_progress *call) {
  const mixwright_kernel *kernel = call->kernel;
  mw_binding *binding = call->binding;
  if (!call->heads_by)
    binding->heads = 1;
  if (binding->batch < 0)
    binding->batch = 1;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    int64_t own = call->arg_heads[n];
    binding->args[n].heads_each = 1;
    if (arg->kind == MIXWRIGHT_CACHE)
      MW_CHECK(check_sources(call, n));
    if (own < 0 || own == binding->heads) /* < 0: every head sees the same */
      continue;
    int needs_all = (mw_is_written(arg) && arg->kind != MIXWRIGHT_CACHE) || mw_is_state(arg);
    if (own == 0 || binding->heads % own || needs_all)
      FAIL(needs_all ? "%s '%s': %lld heads, but '%s' has %lld"
                     : "%s '%s': %lld heads do not divide the heads of '%s', which are %lld",
           mw_kind_name(arg), arg->name, (long long)own, call->heads_by, (long long)binding->heads);
    binding->args[n].heads_each = binding->heads / own;
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_overlap(const mixwright_kernel *kernel, const mw_binding *binding) {
  for (int32_t out = 0; out < kernel->num_args; ++out) {
    if (!mw_is_written(&kernel->args[out]) || !binding->args[out].data)
      continue;
    for (int32_t other = 0; other < kernel->num_args; ++other)
      if (other != out && binding->args[other].data == binding->args[out].data)
        FAIL("%s '%s' and %s '%s' share memory", mw_kind_name(&kernel->args[out]),
             kernel->args[out].name, mw_kind_name(&kernel->args[other]), kernel->args[other].name);
  }
  return MIXWRIGHT_OK;
}

/* Sizes of the spaces that no tensor bound: blocks of another space. */
static mixwright_status bind_block_spaces(mw_progress *call) {
  const mixwright_kernel *kernel = call->kernel;
  int64_t *sizes = call->binding->spaces;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    if (mw_is_packed_along(kernel, call->binding, n) && (sizes[n] >= 0 || space->block > 0))
      continue; /* cu_seqlens gave the sizes, or, on a device, will */
    if (mw_is_history(kernel, n))
      continue; /* each sequence has its own */
    if (space->block <= 0) {
      if (sizes[n] < 0)
        FAIL("mixer '%s': no tensor gives the axis %s its size", kernel->mixer, space->name);
      continue;
    }
    int64_t base = sizes[space->base];
    int64_t blocks = base / space->block + (base % space->block != 0);
    if (sizes[n] >= 0 && sizes[n] != blocks)
      FAIL("'%s': axis %s has size %lld, but %lld positions of %s make %lld blocks of %lld",
           call->space_by[n], space->name, (long long)sizes[n], (long long)base,
           kernel->spaces[space->base].name, (long long)blocks, (long long)space->block);
    sizes[n] = blocks;
  }
  return MIXWRIGHT_OK;
}

/* cu_seqlens come first: tensors that disagree with them are named. */
static mixwright_status bind_all(mw_progress *call, DLTensor *const *tensors, int32_t num_tensors,
                                 const mixwright_options *options) {
  if (options->num_packings != 0) {
    MW_CHECK(mw_bind_packings(call->kernel, options, call->device, call->binding));
    call->batch_by = "cu_seqlens";
    for (int32_t n = 0; n < call->kernel->num_spaces; ++n)
      call->space_by[n] = "cu_seqlens";
  }
  MW_CHECK(mw_bind_tables(call->kernel, options, call->device, call->binding));
  MW_CHECK(mw_bind_slots(call->kernel, options, call->device, call->binding));
  MW_CHECK(bind_tensors(call, tensors, num_tensors));
  MW_CHECK(check_heads(call));
  MW_CHECK(check_overlap(call->kernel, call->binding));
  MW_CHECK(bind_block_spaces(call));
  int is_here = !call->kernel->image; /* offsets, positions and tables can be read */
  if (is_here && call->position)
    MW_CHECK(mw_bind_positions(call->kernel, call->position, call->binding));
  if (is_here && (call->position || call->binding->is_packed))
    MW_CHECK(mw_size_segments(call->kernel, call->binding));
  MW_CHECK(mw_bind_caches(call->kernel, call->binding));
  MW_CHECK(mw_plan_tokens(call->kernel, call->binding));
  return is_here ? mw_order_entries(call->kernel, call->binding) : MIXWRIGHT_OK;
}

mixwright_status mw_bind(const mixwright_kernel *kernel, DLTensor *const *tensors,
                         int32_t num_tensors, const mixwright_options *options, DLDevice device,
                         mw_binding *binding) {
  *binding = (mw_binding){.batch = -1, .slots_there = -1, .token = -1};
  MW_CHECK(check_kernel(kernel));
  if ((unsigned)options->layout > MIXWRIGHT_SINGLE)
    FAIL("unknown layout %d", (int)options->layout);

  /* calloc(0, ..) may give NULL, so every array has a spare element. */
  size_t args = (size_t)kernel->num_args + 1, spaces = (size_t)kernel->num_spaces + 1;
  binding->spaces = calloc(spaces, sizeof *binding->spaces);
  binding->shared = calloc(spaces, sizeof *binding->shared);
  binding->cu_seqlens = calloc(spaces, sizeof *binding->cu_seqlens);
  binding->args = calloc(args, sizeof *binding->args);
  binding->caches = calloc(args, sizeof *binding->caches);
  binding->strides = calloc(args, sizeof *binding->strides);
  binding->sizes = calloc(args, sizeof *binding->sizes);
  mw_progress call = {
      .kernel = kernel, .binding = binding, .layout = options->layout, .device = device};
  call.space_by = calloc(spaces, sizeof *call.space_by);
  call.arg_heads = calloc(args, sizeof *call.arg_heads);

  mixwright_status status = MIXWRIGHT_OUT_OF_MEMORY;
  if (binding->spaces && binding->shared && binding->cu_seqlens && binding->args &&
      binding->caches && binding->strides && binding->sizes && call.space_by && call.arg_heads) {
    for (size_t n = 0; n < spaces; ++n)
      binding->spaces[n] = -1;
    for (size_t n = 0; n < args; ++n)
      call.arg_heads[n] = -1;
    status = bind_all(&call, tensors, num_tensors, options);
  } else {
    mw_fail(status, "no memory to describe a call of '%s'", kernel->mixer);
  }
  free(call.space_by);
  free(call.arg_heads);
  if (status != MIXWRIGHT_OK)
    mw_unbind(binding);
  return status;
}

mixwright_status mw_check_workspace(const void *workspace, size_t bytes,
                                    const mw_binding *binding) {
  size_t needed = (size_t)binding->workspace_bytes;
  if (bytes < needed)
    FAIL("workspace: expected %zu bytes, got %zu", needed, bytes);
  if ((uintptr_t)workspace % MW_ALIGNMENT)
    FAIL("workspace: not aligned to %d bytes", MW_ALIGNMENT);
  return MIXWRIGHT_OK;
}

void mw_unbind(mw_binding *binding) {
  free(binding->spaces);
  free(binding->args);
  free(binding->caches);
  free(binding->strides);
  free(binding->sizes);
  free(binding->shared);
  free(binding->cu_seqlens);
  free(binding->segments);
  free(binding->segment_sizes);
  free(binding->positions);
  free(binding->walked);
  free(binding->new_tokens);
  free(binding->starts);
  *binding = (mw_binding){.batch = -1};
}
