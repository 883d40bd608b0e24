/*===- table.c - Tables of pages and of slots -----------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdlib.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

mixwright_status mw_check_table(const char *label, const DLTensor *table, const char *columns,
                                DLDevice device) {
  if (!table)
    FAIL("%s is missing", label);
  MW_CHECK(mw_check_memory(label, table->device, device));
  DLDataType got = table->dtype;
  if (got.code != kDLInt || got.bits != 32 || got.lanes != 1)
    FAIL("%s: expected int32, got DLPack type code %d with %d bits and %d lanes", label, got.code,
         got.bits, got.lanes);
  if (table->ndim != 2)
    FAIL("%s: expected 2 dimensions [sequences, %s], got %d", label, columns, (int)table->ndim);
  if (!table->shape)
    FAIL("%s: the shape is null", label);
  int64_t count;
  if (table->shape[0] < 0 || table->shape[1] < 0 ||
      __builtin_mul_overflow(table->shape[0], table->shape[1], &count))
    FAIL("%s: the sizes %lld and %lld are negative or too large", label, (long long)table->shape[0],
         (long long)table->shape[1]);
  if (count > 0 && !table->data)
    FAIL("%s: the data is null", label);
  if (((uintptr_t)table->data + table->byte_offset) % sizeof(int32_t))
    FAIL("%s: the data is not aligned to its 4-byte elements", label);
  if (table->strides && table->shape[1] > 1 && table->strides[1] != 1)
    FAIL("%s: the %s of a sequence must have stride 1, got %lld", label, columns,
         (long long)table->strides[1]);
  if (table->strides && table->strides[0] < 0)
    FAIL("%s: the negative stride %lld", label, (long long)table->strides[0]);
  return MIXWRIGHT_OK;
}

const int32_t *mw_get_row(const DLTensor *table, int64_t sequence) {
  int64_t stride = table->strides ? table->strides[0] : table->shape[1];
  return (const int32_t *)(const void *)((const char *)table->data + table->byte_offset) +
         sequence * stride;
}

/* By place, those that write first. */
static int compare_uses(const void *a, const void *b) {
  const mw_use *left = a, *right = b;
  if (left->place != right->place)
    return left->place < right->place ? -1 : 1;
  if (left->writes != right->writes)
    return left->writes ? -1 : 1;
  return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

mixwright_status mw_check_uses(const char *label, const char *place, mw_use *uses, int64_t count) {
  qsort(uses, (size_t)count, sizeof *uses, compare_uses);
  const mw_use *first = uses; /* of its place */
  for (const mw_use *use = uses; use < uses + count; ++use) {
    if (use->place != first->place)
      first = use;
    if (first->writes && use->sequence != first->sequence)
      FAIL("%s: sequence %lld writes to %s %d, which sequence %lld uses too", label,
           (long long)first->sequence, place, first->place, (long long)use->sequence);
  }
  return MIXWRIGHT_OK;
}
