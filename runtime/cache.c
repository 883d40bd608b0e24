/*===- cache.c - Positions, caches and their pages ------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Everything that a kernel will touch is checked before it runs: that there is a row
|* for each token that it appends, that the rows which it may read are still there, that
|* block tables point to pages that exist, and that no two sequences write to one.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/* So that no sum of positions and sizes overflows. */
#define MOST_TOKENS ((int64_t)1 << 48)

/*===----------------------------------------------------------------------===*\
|* Block tables
\*===----------------------------------------------------------------------===*/

static mixwright_status check_form(const char *cache, const DLTensor *table, DLDevice device) {
  char label[256];
  snprintf(label, sizeof label, "block table of '%s'", cache);
  return mw_check_table(label, table, "pages", device);
}

static mixwright_status bind_table(const mixwright_kernel *kernel,
                                   const mixwright_block_table *table, DLDevice device,
                                   mw_binding *binding) {
  int found = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind != MIXWRIGHT_CACHE || (table->cache && strcmp(table->cache, arg->name) != 0))
      continue;
    if (binding->caches[n].tables)
      FAIL("block table of '%s' is given twice", arg->name);
    MW_CHECK(check_form(arg->name, table->pages, device));
    binding->caches[n].tables = table->pages;
    found = 1;
  }
  if (!found)
    FAIL("block table: mixer '%s' has no cache%s%s", kernel->mixer, table->cache ? " " : "",
         table->cache ? table->cache : "");
  return MIXWRIGHT_OK;
}

mixwright_status mw_bind_tables(const mixwright_kernel *kernel, const mixwright_options *options,
                                DLDevice device, mw_binding *binding) {
  if (options->num_block_tables < 0)
    FAIL("block table: their number is negative, %d", options->num_block_tables);
  if (options->num_block_tables > 0 && !options->block_tables)
    FAIL("block table: %d are given, but their address is null", options->num_block_tables);
  for (int32_t n = 0; n < options->num_block_tables; ++n)
    MW_CHECK(bind_table(kernel, &options->block_tables[n], device, binding));
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* Positions
\*===----------------------------------------------------------------------===*/

mixwright_status mw_bind_positions(const mixwright_kernel *kernel, const DLTensor *position,
                                   mw_binding *binding) {
  binding->positions = calloc((size_t)binding->batch + 1, sizeof *binding->positions);
  if (!binding->positions)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld positions",
                   kernel->mixer, (long long)binding->batch);
  const char *data = (const char *)position->data + position->byte_offset;
  int64_t stride = position->ndim > 0 && position->strides ? position->strides[0] : 1;
  for (int64_t n = 0; n < binding->batch; ++n) {
    int64_t own = position->dtype.bits == 32 ? ((const int32_t *)(const void *)data)[n * stride]
                                             : ((const int64_t *)(const void *)data)[n * stride];
    if (own < 0 || own > MOST_TOKENS)
      FAIL("position of sequence %lld: expected 0 to 2^48, got %lld", (long long)n, (long long)own);
    binding->positions[n] = own;
  }
  return MIXWRIGHT_OK;
}

/*===----------------------------------------------------------------------===*\
|* Caches
\*===----------------------------------------------------------------------===*/

/* One cache for one sequence: the rows that the call may touch are [first, end), and
 * those from `position` on are written. */
typedef struct {
  const mixwright_arg *arg;
  const mw_bound_cache *cache;
  int64_t sequence, position, first, end;
} cache_use;

static cache_use get_use(const mixwright_kernel *kernel, const mw_binding *binding, int32_t index,
                         int64_t sequence) {
  const mixwright_arg *arg = &kernel->args[index];
  cache_use use = {.arg = arg, .cache = &binding->caches[index], .sequence = sequence};
  use.position = binding->positions[sequence];
  use.end = binding->segment_sizes[arg->dims[0].space * binding->batch + sequence];
  if (arg->window > 0 && use.position >= arg->window)
    use.first = use.position - arg->window + 1;
  return use;
}

/* That there is a row for each token, or that a window of them is in whole blocks, so
 * that it can wrap around. `rows` are those that the sequence has. */
static mixwright_status check_room(const cache_use *use, int64_t rows, int64_t block) {
  if (use->end <= rows)
    return MIXWRIGHT_OK;
  const char *name = use->arg->name;
  long long sequence = use->sequence, position = use->position, fresh = use->end - use->position;
  if (use->arg->window <= 0)
    FAIL("cache '%s': sequence %lld has %lld earlier tokens and %lld new ones, but the cache only "
         "%lld rows",
         name, sequence, position, fresh, (long long)rows);
  if (rows % block != 0)
    FAIL("cache '%s': sequence %lld has %lld earlier tokens and %lld new ones; of the %lld rows "
         "only a multiple of %lld can be used again",
         name, sequence, position, fresh, (long long)rows, (long long)block);
  if (use->end - use->first > rows)
    FAIL("cache '%s': %lld new tokens with a window of %lld need %lld rows, got %lld", name, fresh,
         (long long)use->arg->window, (long long)(use->end - use->first), (long long)rows);
  return MIXWRIGHT_OK;
}

static mixwright_status check_pages(const cache_use *use) {
  const mw_bound_cache *cache = use->cache;
  const int32_t *table = mw_get_row(cache->tables, use->sequence);
  int64_t pages = cache->tables->shape[1];
  for (int64_t page = use->first / cache->rows; page * cache->rows < use->end; ++page) {
    int32_t place = table[page % pages];
    if (place < 0 || place >= cache->pages_there)
      FAIL("block table of '%s': page %lld of sequence %lld is %d, but the cache has %lld pages",
           use->arg->name, (long long)(page % pages), (long long)use->sequence, place,
           (long long)cache->pages_there);
  }
  return MIXWRIGHT_OK;
}

static mixwright_status check_use(const mixwright_kernel *kernel, const mw_binding *binding,
                                  int32_t index, int64_t sequence) {
  cache_use use = get_use(kernel, binding, index, sequence);
  const mw_bound_cache *cache = use.cache;
  if (use.end == use.position)
    return MIXWRIGHT_OK; /* no new tokens: nothing is touched */
  if (!cache->tables)
    return check_room(&use, binding->sizes[index][0], kernel->cache_block);
  int64_t rows;
  if (__builtin_mul_overflow(cache->tables->shape[1], cache->rows, &rows))
    rows = INT64_MAX;
  MW_CHECK(check_room(&use, rows, kernel->cache_block));
  return check_pages(&use);
}

/* Visits the pages that new tokens go to; stores them unless `writings` is NULL. */
static int64_t list_writings(const mixwright_kernel *kernel, const mw_binding *binding,
                             int32_t index, mw_use *writings) {
  int64_t count = 0;
  for (int64_t sequence = 0; sequence < binding->batch; ++sequence) {
    cache_use use = get_use(kernel, binding, index, sequence);
    if (use.end == use.position)
      continue;
    const int32_t *table = mw_get_row(use.cache->tables, sequence);
    int64_t pages = use.cache->tables->shape[1];
    for (int64_t page = use.position / use.cache->rows; page * use.cache->rows < use.end; ++page) {
      if (writings)
        writings[count] = (mw_use){table[page % pages], 1, sequence};
      ++count;
    }
  }
  return count;
}

static mixwright_status check_writings(const mixwright_kernel *kernel, const mw_binding *binding,
                                       int32_t index) {
  int64_t count = list_writings(kernel, binding, index, NULL);
  mw_use *writings = calloc((size_t)count + 1, sizeof *writings);
  if (!writings)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory to check %lld pages",
                   kernel->mixer, (long long)count);
  list_writings(kernel, binding, index, writings);
  char label[256];
  snprintf(label, sizeof label, "block table of '%s'", kernel->args[index].name);
  mixwright_status status = mw_check_uses(label, "page", writings, count);
  free(writings);
  return status;
}

static mixwright_status bind_paged(const mixwright_kernel *kernel, mw_binding *binding,
                                   int32_t index) {
  mw_bound_cache *cache = &binding->caches[index];
  const char *name = kernel->args[index].name;
  cache->rows = binding->sizes[index][0];
  if (cache->rows < 1 || cache->rows % kernel->cache_block)
    FAIL("cache '%s': the rows of a page must be a multiple of %lld, got %lld", name,
         (long long)kernel->cache_block, (long long)cache->rows);
  if (cache->tables->shape[0] != binding->batch)
    FAIL("block table of '%s': %lld sequences, but the call has %lld", name,
         (long long)cache->tables->shape[0], (long long)binding->batch);
  return MIXWRIGHT_OK;
}

mixwright_status mw_bind_caches(const mixwright_kernel *kernel, mw_binding *binding) {
  int64_t block = kernel->cache_block;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    if (kernel->args[n].kind != MIXWRIGHT_CACHE)
      continue;
    mw_bound_cache *cache = &binding->caches[n];
    int64_t rows = binding->sizes[n][0];
    cache->rows = rows / block * block + (rows == 0 || rows % block ? block : 0);
    if (cache->tables)
      MW_CHECK(bind_paged(kernel, binding, n));
    if (kernel->image)
      continue; /* only the device knows positions and pages */
    for (int64_t sequence = 0; sequence < binding->batch; ++sequence)
      MW_CHECK(check_use(kernel, binding, n, sequence));
    if (cache->tables)
      MW_CHECK(check_writings(kernel, binding, n));
  }
  return MIXWRIGHT_OK;
}

mixwright_paging mw_get_paging(const mw_binding *binding, int32_t arg, int64_t index) {
  const mw_bound_cache *cache = &binding->caches[arg];
  if (!cache->tables)
    return (mixwright_paging){.pages = 1, .page_rows = cache->rows};
  return (mixwright_paging){.table = mw_get_row(cache->tables, index),
                            .pages = cache->tables->shape[1] > 0 ? cache->tables->shape[1] : 1,
                            .page_rows = cache->rows,
                            .page_stride = cache->page_stride};
}
