/*===- entries.c - The sequences of a call, one by one --------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* A kernel sees one sequence at a time, by pointers, strides and sizes. So a segment
|* of a pack is a sequence like any other, whose pointers are further on, and one with
|* many earlier tokens has larger sizes: kernels know nothing of packs or batches, and a
|* sequence has the bits that it has alone.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdlib.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

static mixwright_status fail_memory(const mixwright_kernel *kernel, const mw_binding *binding) {
  return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld segments", kernel->mixer,
                 (long long)binding->batch);
}

/*===----------------------------------------------------------------------===*\
|* Sizes and order
\*===----------------------------------------------------------------------===*/

static void size_segment(const mixwright_kernel *kernel, mw_binding *binding, int64_t index) {
  int64_t batch = binding->batch;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    int64_t size = binding->spaces[n];
    if (space->base >= 0) {
      size = binding->segment_sizes[space->base * batch + index];
      if (space->block > 0)
        size = size / space->block + (size % space->block != 0);
      else
        size += binding->positions[index];
    } else if (binding->starts && !binding->shared[n]) {
      const int64_t *starts = binding->starts + n * (batch + 1);
      size = starts[index + 1] - starts[index];
    }
    if (binding->token >= 0 && binding->walked[n])
      size = binding->token < binding->new_tokens[index];
    binding->segment_sizes[n * batch + index] = size;
  }
}

void mw_fill_segment_sizes(const mixwright_kernel *kernel, mw_binding *binding) {
  for (int64_t index = 0; index < binding->batch; ++index)
    size_segment(kernel, binding, index);
}

mixwright_status mw_size_segments(const mixwright_kernel *kernel, mw_binding *binding) {
  size_t count;
  if (__builtin_mul_overflow((size_t)kernel->num_spaces, (size_t)binding->batch, &count) ||
      !(binding->segment_sizes = calloc(count + 1, sizeof *binding->segment_sizes)))
    return fail_memory(kernel, binding);
  mw_fill_segment_sizes(kernel, binding);
  return MIXWRIGHT_OK;
}

/* Longest first, so that no thread is left with a long one at the end. */
static int compare_segments(const void *a, const void *b) {
  const mw_segment *left = a, *right = b;
  if (left->tokens != right->tokens)
    return left->tokens > right->tokens ? -1 : 1;
  return left->index < right->index ? -1 : left->index > right->index;
}

static int64_t count_tokens(const mixwright_kernel *kernel, const mw_binding *binding,
                            int64_t index) {
  int64_t tokens = 0;
  for (int32_t n = 0; n < kernel->num_spaces; ++n)
    if (kernel->spaces[n].block <= 0 && !binding->shared[n] &&
        __builtin_add_overflow(tokens, binding->segment_sizes[n * binding->batch + index], &tokens))
      return INT64_MAX;
  return tokens;
}

/*===----------------------------------------------------------------------===*\
|* Workspaces
\*===----------------------------------------------------------------------===*/

/* Sizes and strides of a workspace of an entry, and the bytes of one head, aligned.
 * False on overflow. */
static int measure_workspace(const mw_binding *binding, const mixwright_arg *arg, int64_t entry,
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

/* Whether one workspace serves all sequences, because it has a packed dimension. */
static int is_common(const mixwright_kernel *kernel, const mw_binding *binding,
                     const mixwright_arg *arg) {
  for (int32_t d = 0; d < arg->rank; ++d)
    if (arg->dims[d].size < 0 && mw_is_packed_along(kernel, binding, arg->dims[d].space))
      return 1;
  return 0;
}

mixwright_status mw_bind_workspaces(const mixwright_kernel *kernel, mw_binding *binding) {
  int64_t total = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind != MIXWRIGHT_WORKSPACE)
      continue;
    mw_bound_arg *bound = &binding->args[n];
    int common = is_common(kernel, binding, arg);
    if (!measure_workspace(binding, arg, 0, binding->sizes[n], binding->strides[n],
                           &bound->head_stride) ||
        __builtin_mul_overflow(bound->head_stride, binding->heads, &bound->batch_stride) ||
        __builtin_mul_overflow(bound->batch_stride, common ? 1 : binding->batch, &bound->bytes) ||
        __builtin_add_overflow(total, bound->bytes, &total))
      FAIL("mixer '%s': its workspace is beyond the address space", kernel->mixer);
    if (common)
      bound->batch_stride = 0;
  }
  binding->workspace_bytes = total;
  return MIXWRIGHT_OK;
}

/* Each segment has its workspaces in one piece: [workspace][H, declared..]. */
static mixwright_status bind_segment_workspaces(const mixwright_kernel *kernel,
                                                mw_binding *binding) {
  int64_t total = 0, sizes[MIXWRIGHT_MAX_RANK], strides[MIXWRIGHT_MAX_RANK], bytes;
  for (int64_t entry = 0; entry < binding->batch; ++entry) {
    binding->segments[entry].workspace = total;
    for (int32_t n = 0; n < kernel->num_args; ++n) {
      const mixwright_arg *arg = &kernel->args[n];
      if (arg->kind == MIXWRIGHT_WORKSPACE &&
          (!measure_workspace(binding, arg, entry, sizes, strides, &bytes) ||
           __builtin_mul_overflow(bytes, binding->heads, &bytes) ||
           __builtin_add_overflow(total, bytes, &total)))
        FAIL("mixer '%s': its workspace is beyond the address space", kernel->mixer);
    }
  }
  binding->workspace_bytes = total;
  return MIXWRIGHT_OK;
}

mixwright_status mw_order_entries(const mixwright_kernel *kernel, mw_binding *binding) {
  if (!binding->segment_sizes)
    return mw_bind_workspaces(kernel, binding);
  binding->segments = calloc((size_t)binding->batch + 1, sizeof *binding->segments);
  if (!binding->segments)
    return fail_memory(kernel, binding);
  for (int64_t n = 0; n < binding->batch; ++n)
    binding->segments[n] = (mw_segment){n, count_tokens(kernel, binding, n), 0};
  qsort(binding->segments, (size_t)binding->batch, sizeof *binding->segments, compare_segments);
  return bind_segment_workspaces(kernel, binding);
}

void mw_place_workspaces(const mixwright_kernel *kernel, mw_binding *binding, char *memory) {
  binding->workspace = memory;
  if (binding->segments)
    return;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    if (kernel->args[n].kind != MIXWRIGHT_WORKSPACE)
      continue;
    binding->args[n].data = memory;
    memory += binding->args[n].bytes;
  }
}

/*===----------------------------------------------------------------------===*\
|* Locating
\*===----------------------------------------------------------------------===*/

/* The sizes of a tensor of a segment, and where it begins: packed ones further on. */
static char *locate_tensor(const mixwright_arg *arg, const mw_binding *binding, int64_t entry,
                           char *start, const int64_t *strides, int64_t *sizes) {
  int64_t index = binding->segments[entry].index;
  int is_place = arg->kind != MIXWRIGHT_CACHE; /* rows of a cache are found by position */
  for (int d = 0; d < arg->rank; ++d) {
    int32_t space = arg->dims[d].size < 0 ? arg->dims[d].space : -1;
    if (space < 0)
      continue;
    sizes[d] = mw_space_size(binding, space, entry);
    if (binding->token > 0 && binding->walked[space] && start && sizes[d] > 0)
      start += binding->token * strides[d] * mw_element_bytes(arg);
    int is_packed = binding->starts && !binding->shared[space] && is_place;
    if (start && is_packed && sizes[d] > 0) /* its end may be no place to point to */
      start += binding->starts[space * (binding->batch + 1) + index] * strides[d] *
               mw_element_bytes(arg);
  }
  return start;
}

static void locate_segment(const mixwright_kernel *kernel, const mw_binding *binding, int64_t entry,
                           mw_entry *result) {
  const mw_segment *segment = &binding->segments[entry];
  char *workspace = binding->workspace + segment->workspace;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    const mw_bound_arg *bound = &binding->args[n];
    int64_t *sizes = result->sizes[n], *strides = result->strides[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE) {
      measure_workspace(binding, arg, entry, sizes, strides, &result->head_strides[n]);
      result->starts[n] = workspace;
      workspace += result->head_strides[n] * binding->heads;
      continue;
    }
    int64_t place =
        arg->kind == MIXWRIGHT_STATE ? mw_get_slot(binding, segment->index) : segment->index;
    memcpy(strides, binding->strides[n], sizeof binding->strides[n]);
    memcpy(sizes, binding->sizes[n], sizeof binding->sizes[n]);
    result->head_strides[n] = bound->head_stride;
    if (arg->kind == MIXWRIGHT_POSITION)
      result->starts[n] = (char *)&binding->positions[segment->index];
    else
      result->starts[n] = locate_tensor(
          arg, binding, entry, bound->data ? bound->data + place * bound->batch_stride : NULL,
          strides, sizes);
    if (arg->kind == MIXWRIGHT_CACHE)
      result->paging[n] = mw_get_paging(binding, n, segment->index);
  }
}

void mw_locate_entry(const mixwright_kernel *kernel, const mw_binding *binding, int64_t index,
                     mw_entry *entry) {
  if (binding->segments) {
    locate_segment(kernel, binding, index, entry);
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
