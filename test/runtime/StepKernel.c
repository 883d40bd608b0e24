/*===- StepKernel.c - A step form written by hand -------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "StepKernel.h"

enum { X, KEY, POSITION, STATE, KEYS, RECENT, O, RUNNING, PARTIAL };

static double *at(const mixwright_instance *view, int arg, int64_t i, int64_t j) {
  return (double *)view->data[arg] + i * view->strides[arg][0] + j * view->strides[arg][1];
}

/* Row `p` of a cache, which lies in one piece with the other rows of its cache block. */
static double *row(const mixwright_instance *view, int arg, int64_t p) {
  const mixwright_paging *paging = &view->paging[arg];
  int64_t block = p - p % WEIGHTED_BLOCK;
  int64_t page = (block / paging->page_rows) % paging->pages;
  return (double *)view->data[arg] +
         (paging->table ? paging->table[page] : page) * paging->page_stride +
         (block % paging->page_rows) * view->strides[arg][0] + (p - block) * view->strides[arg][0];
}

static int64_t get_position(const mixwright_instance *view) {
  return *(const int64_t *)view->data[POSITION];
}

/* Adds the new tokens to their rows: where two tasks append to one head, the sum shows. */
static void append(const mixwright_instance *view, int from, int to) {
  for (int64_t t = 0; t < view->sizes[from][0]; ++t)
    for (int d = 0; d < WEIGHTED_K; ++d)
      row(view, to, get_position(view) + t)[d] += *at(view, from, t, d);
}

static void clear(const mixwright_instance *view, int from, int to) {
  for (int64_t t = 0; t < view->sizes[from][0]; ++t)
    for (int d = 0; d < WEIGHTED_K; ++d)
      row(view, to, get_position(view) + t)[d] = 0;
}

static void clear_keys(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                       void *scratch) {
  clear(view, KEY, KEYS);
}

static void append_keys(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                        void *scratch) {
  append(view, KEY, KEYS);
}

static void scan(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                 void *scratch) {
  clear(view, X, RECENT);
  append(view, X, RECENT);
  for (int64_t t = 0; t < view->sizes[X][0]; ++t)
    for (int d = 0; d < WEIGHTED_K; ++d) {
      double before = get_position(view) + t > 0 ? *at(view, STATE, d, 0) : 3;
      *at(view, RUNNING, t, d) = *at(view, STATE, d, 0) = before / 2 + *at(view, X, t, d);
    }
}

static void sum_split(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                      void *scratch) {
  int64_t begin = token_block * WEIGHTED_SPLIT, end = begin + WEIGHTED_SPLIT;
  double *partial = view->data[PARTIAL];
  for (int64_t t = 0; t < view->sizes[X][0]; ++t)
    for (int d = 0; d < WEIGHTED_K; ++d) {
      double sum = 0;
      for (int64_t j = begin; j < end && j <= get_position(view) + t; ++j)
        sum += (double)(j + 1) * row(view, KEYS, j)[d];
      partial[token_block * view->strides[PARTIAL][0] + t * view->strides[PARTIAL][1] + d] = sum;
    }
}

static void merge(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                  void *scratch) {
  const double *partial = view->data[PARTIAL];
  for (int64_t t = 0; t < view->sizes[X][0]; ++t)
    for (int d = 0; d < WEIGHTED_K; ++d) {
      int64_t now = get_position(view) + t;
      double sum = *at(view, RUNNING, t, d);
      for (int64_t n = 0; n < view->sizes[PARTIAL][0]; ++n)
        sum += partial[n * view->strides[PARTIAL][0] + t * view->strides[PARTIAL][1] + d];
      for (int64_t j = now >= WEIGHTED_WINDOW ? now - WEIGHTED_WINDOW + 1 : 0; j <= now; ++j)
        sum += row(view, RECENT, j)[d];
      *at(view, O, t, d) = sum;
    }
}

static const mixwright_space spaces[] = {{"T", -1, 0}, {"T.all", 0, 0}, {"C", 1, WEIGHTED_SPLIT}};

#define TOKENS {"T", -1, 0}
#define ALL {"T.all", -1, 1}
#define FEATURE {"K", WEIGHTED_K, -1}
#define NO_CACHE 0, 0, 0

static const int32_t key_sources[] = {KEY};

static const mixwright_arg args[] = {
    {"x", MIXWRIGHT_INPUT, MIXWRIGHT_F64, 2, {TOKENS, FEATURE}, NO_CACHE},
    {"k", MIXWRIGHT_INPUT, MIXWRIGHT_F64, 2, {TOKENS, FEATURE}, NO_CACHE},
    {"position", MIXWRIGHT_POSITION, MIXWRIGHT_I64, 0, {{0, 0, 0}}, NO_CACHE},
    {"S", MIXWRIGHT_STATE, MIXWRIGHT_F64, 1, {FEATURE}, NO_CACHE},
    {"keys", MIXWRIGHT_CACHE, MIXWRIGHT_F64, 2, {ALL, FEATURE}, 0, 1, key_sources},
    {"recent", MIXWRIGHT_CACHE, MIXWRIGHT_F64, 2, {ALL, FEATURE}, WEIGHTED_WINDOW, 0, 0},
    {"o", MIXWRIGHT_OUTPUT, MIXWRIGHT_F64, 2, {TOKENS, FEATURE}, NO_CACHE},
    {"running", MIXWRIGHT_WORKSPACE, MIXWRIGHT_F64, 2, {TOKENS, FEATURE}, NO_CACHE},
    {"partial", MIXWRIGHT_WORKSPACE, MIXWRIGHT_F64, 3, {{"C", -1, 2}, TOKENS, FEATURE}, NO_CACHE},
};

static const mixwright_phase phases[] = {
    {clear_keys, 1, -1, 0, 0, 0, KEYS, 0, NULL}, {append_keys, 1, -1, 0, 0, 0, KEYS, 0, NULL},
    {scan, 1, -1, 0, 0, 0, -1, 0, NULL},         {sum_split, 1, 2, 1, 1, 0, -1, 0, NULL},
    {merge, 1, -1, 0, 0, 0, -1, 0, NULL},
};

const mixwright_kernel weighted_sums = {.abi_version = MIXWRIGHT_ABI_VERSION,
                                        .mixer = "weighted_sums",
                                        .form = "step",
                                        .target = "any",
                                        .num_spaces = 3,
                                        .spaces = spaces,
                                        .num_args = 9,
                                        .args = args,
                                        .num_phases = 5,
                                        .phases = phases,
                                        .cache_block = WEIGHTED_BLOCK};
