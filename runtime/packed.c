/*===- packed.c - Sequences packed behind one another ---------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A kernel sees one sequence at a time, by pointers, strides and sizes. So a segment
|* of a pack is a sequence like any other, whose pointers are further on: kernels
|* know nothing of packs, and a segment has the bits that it has alone.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/*===----------------------------------------------------------------------===*\
|* cu_seqlens
\*===----------------------------------------------------------------------===*/

static mixwright_status check_form(const char *axis, const DLTensor *offsets, DLDevice device) {
  if (!offsets)
    FAIL("cu_seqlens of %s is missing", axis);
  char label[256];
  snprintf(label, sizeof label, "cu_seqlens of %s", axis);
  MW_CHECK(mw_check_memory(label, offsets->device, device));
  DLDataType got = offsets->dtype;
  if (got.code != kDLInt || (got.bits != 32 && got.bits != 64) || got.lanes != 1)
    FAIL("cu_seqlens of %s: expected int32 or int64, got DLPack type code %d with %d bits and %d "
         "lanes",
         axis, got.code, got.bits, got.lanes);
  if (offsets->ndim != 1)
    FAIL("cu_seqlens of %s: expected 1 dimension, got %d", axis, (int)offsets->ndim);
  if (!offsets->shape)
    FAIL("cu_seqlens of %s: the shape is null", axis);
  if (offsets->shape[0] < 1)
    FAIL("cu_seqlens of %s: expected one element more than there are segments, got %lld elements",
         axis, (long long)offsets->shape[0]);
  if (!offsets->data)
    FAIL("cu_seqlens of %s: the data is null", axis);
  if (((uintptr_t)offsets->data + offsets->byte_offset) % (got.bits / 8))
    FAIL("cu_seqlens of %s: the data is not aligned to its %d-byte elements", axis, got.bits / 8);
  if (offsets->strides && offsets->strides[0] < 0)
    FAIL("cu_seqlens of %s: the negative stride %lld", axis, (long long)offsets->strides[0]);
  return MIXWRIGHT_OK;
}

static mixwright_status read_starts(const char *axis, const DLTensor *offsets, int64_t *starts) {
  const char *data = (const char *)offsets->data + offsets->byte_offset;
  int64_t stride = offsets->strides ? offsets->strides[0] : 1;
  for (int64_t n = 0; n < offsets->shape[0]; ++n) {
    starts[n] = offsets->dtype.bits == 32 ? ((const int32_t *)(const void *)data)[n * stride]
                                          : ((const int64_t *)(const void *)data)[n * stride];
    if (n == 0 && starts[0] != 0)
      FAIL("cu_seqlens of %s: expected 0 at the start, got %lld", axis, (long long)starts[0]);
    if (n > 0 && starts[n] < starts[n - 1])
      FAIL("cu_seqlens of %s: element %lld is %lld, less than %lld before it", axis, (long long)n,
           (long long)starts[n], (long long)starts[n - 1]);
  }
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* Which axis each packs
\*===----------------------------------------------------------------------===*/

int32_t mw_get_root(const mixwright_kernel *kernel, int32_t space) {
  while (kernel->spaces[space].base >= 0)
    space = kernel->spaces[space].base;
  return space;
}

static int has_space(const mixwright_kernel *kernel, const mixwright_arg *arg, int32_t space) {
  for (int32_t d = 0; d < arg->rank; ++d) {
    int32_t own = arg->dims[d].size < 0 ? arg->dims[d].space : -1;
    if (own == space || (own >= 0 && kernel->spaces[own].base == space))
      return 1;
  }
  return 0;
}

/* A token axis of params alone is no sequence but a table that indices look into. */
static int is_table(const mixwright_kernel *kernel, int32_t space) {
  int in_params = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE || !has_space(kernel, arg, space))
      continue;
    if (arg->kind != MIXWRIGHT_PARAM)
      return 0;
    in_params = 1;
  }
  return in_params;
}

static mixwright_status find_only_space(const mixwright_kernel *kernel, const mw_binding *binding,
                                        int32_t *only) {
  *only = -1;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    if (kernel->spaces[n].base >= 0 || binding->shared[n])
      continue;
    if (*only >= 0)
      FAIL("cu_seqlens: mixer '%s' has the token axes %s and %s; name the one that is meant",
           kernel->mixer, kernel->spaces[*only].name, kernel->spaces[n].name);
    *only = n;
  }
  if (*only < 0)
    FAIL("cu_seqlens: mixer '%s' has no token axis", kernel->mixer);
  return MIXWRIGHT_OK;
}

static mixwright_status find_space(const mixwright_kernel *kernel, const mw_binding *binding,
                                   const char *axis, int32_t *found) {
  if (!axis)
    return find_only_space(kernel, binding, found);
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    if (strcmp(space->name, axis) != 0)
      continue;
    if (space->base >= 0 && space->block <= 0)
      continue; /* all tokens are no axis of the caller's */
    if (space->block > 0)
      FAIL("cu_seqlens: axis %s counts blocks of %s, and is packed as that is", axis,
           kernel->spaces[space->base].name);
    if (binding->shared[n])
      FAIL("cu_seqlens: axis %s belongs to params alone, which all sequences share", axis);
    *found = n;
    return MIXWRIGHT_OK;
  }
  FAIL("cu_seqlens: mixer '%s' has no token axis %s", kernel->mixer, axis);
}

/* Notes one packing; the first gives all their number of segments. */
static mixwright_status bind_packing(const mixwright_kernel *kernel,
                                     const mixwright_packing *packing, DLDevice device,
                                     mw_binding *binding) {
  int32_t space;
  MW_CHECK(find_space(kernel, binding, packing->axis, &space));
  const char *axis = kernel->spaces[space].name;
  if (binding->cu_seqlens[space])
    FAIL("cu_seqlens of %s is given twice", axis);
  MW_CHECK(check_form(axis, packing->cu_seqlens, device));
  int64_t segments = packing->cu_seqlens->shape[0] - 1;
  if (binding->batch < 0)
    binding->batch = segments;
  if (segments != binding->batch)
    FAIL("cu_seqlens of %s: %lld segments, but %lld along another axis", axis, (long long)segments,
         (long long)binding->batch);
  binding->cu_seqlens[space] = packing->cu_seqlens;
  return MIXWRIGHT_OK;
}

/* Every token axis of sequences must be packed. */
static mixwright_status check_all_packed(const mixwright_kernel *kernel,
                                         const mw_binding *binding) {
  for (int32_t n = 0; n < kernel->num_spaces; ++n)
    if (kernel->spaces[n].base < 0 && !binding->shared[n] && !binding->cu_seqlens[n])
      FAIL("cu_seqlens of %s is missing: every token axis must be packed", kernel->spaces[n].name);
  return MIXWRIGHT_OK;
}

/* Blocks are counted from the start of each segment. */
static void bind_blocks(const mixwright_space *space, const int64_t *base, int64_t segments,
                        int64_t *starts) {
  for (int64_t n = 0; n < segments; ++n) {
    int64_t size = base[n + 1] - base[n];
    starts[n + 1] = starts[n] + size / space->block + (size % space->block != 0);
  }
}

/* Fills `starts`, and the sizes of spaces along which something is packed. */
static mixwright_status read_packings(const mixwright_kernel *kernel, mw_binding *binding) {
  int64_t row = binding->batch + 1;
  size_t bytes;
  if (__builtin_mul_overflow((size_t)row, sizeof *binding->starts, &bytes) ||
      !(binding->starts = calloc((size_t)kernel->num_spaces, bytes)))
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld segments",
                   kernel->mixer, (long long)binding->batch);
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    const mixwright_space *space = &kernel->spaces[n];
    int64_t *starts = binding->starts + n * row;
    if (!mw_is_packed_along(kernel, binding, n))
      continue; /* nothing is packed along all tokens, or blocks of them */
    if (space->block > 0)
      bind_blocks(space, binding->starts + space->base * row, binding->batch, starts);
    else
      MW_CHECK(read_starts(space->name, binding->cu_seqlens[n], starts));
    binding->spaces[n] = starts[binding->batch];
  }
  return MIXWRIGHT_OK;
}

mixwright_status mw_bind_packings(const mixwright_kernel *kernel, const mixwright_options *options,
                                  DLDevice device, mw_binding *binding) {
  if (options->num_packings < 0)
    FAIL("cu_seqlens: the number of packings is negative, %d", options->num_packings);
  if (!options->packings)
    FAIL("cu_seqlens: %d packings, but their address is null", options->num_packings);
  binding->is_packed = 1;
  for (int32_t n = 0; n < kernel->num_spaces; ++n)
    binding->shared[n] = is_table(kernel, mw_get_root(kernel, n));
  for (int32_t n = 0; n < options->num_packings; ++n)
    MW_CHECK(bind_packing(kernel, &options->packings[n], device, binding));
  MW_CHECK(check_all_packed(kernel, binding));
  return kernel->image ? MIXWRIGHT_OK : read_packings(kernel, binding);
}
