/*===- Kernel.c - A kernel written by hand --------------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "Kernel.h"
#include <string.h>

enum { X, G, W, S_IN, O, S_OUT, RUNNING, SUMS };

static double *at(const mixwright_instance *view, int arg, int64_t i, int64_t j) {
  return (double *)view->data[arg] + i * view->strides[arg][0] + j * view->strides[arg][1];
}

/* Fills the scratch with what would show if a task read what another left. */
static void poison(void *scratch) { memset(scratch, 0xff, BLOCK_SUMS_SCRATCH); }

static void scan(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                 void *scratch) {
  double *state = scratch;
  poison(scratch);
  for (int k = 0; k < BLOCK_SUMS_K; ++k)
    state[k] = view->data[S_IN] ? *at(view, S_IN, k, 0) : 1;
  for (int64_t t = 0; t < view->sizes[X][0]; ++t)
    for (int k = 0; k < BLOCK_SUMS_K; ++k) {
      state[k] = *at(view, G, t, 0) * state[k] + *at(view, W, k, 0) * *at(view, X, t, k);
      *at(view, RUNNING, t, k) = state[k];
    }
  for (int k = 0; view->data[S_OUT] && k < BLOCK_SUMS_K; ++k)
    *at(view, S_OUT, k, 0) = state[k];
}

static void sum_block(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                      void *scratch) {
  poison(scratch);
  int64_t begin = token_block * BLOCK_SUMS_BLOCK, end = begin + BLOCK_SUMS_BLOCK;
  end = end < view->sizes[X][0] ? end : view->sizes[X][0];
  for (int k = 0; k < BLOCK_SUMS_K; ++k) {
    double sum = 0;
    for (int64_t t = begin; t < end; ++t)
      sum += *at(view, RUNNING, t, k);
    *at(view, SUMS, token_block, k) = sum;
  }
}

static void add(const mixwright_instance *view, int64_t feature_block, int64_t token_block,
                void *scratch) {
  poison(scratch);
  for (int64_t t = 0; t < view->sizes[O][0]; ++t)
    *at(view, O, t, feature_block) =
        *at(view, RUNNING, t, feature_block) + *at(view, SUMS, t / BLOCK_SUMS_BLOCK, feature_block);
}

#define SPACE(name, index) {name, -1, index}
#define FEATURE {"K", BLOCK_SUMS_K, -1}
#define ARG(named, of_kind, rank_of, ...)                                                          \
  {                                                                                                \
    .name = named, .kind = of_kind, .dtype = MIXWRIGHT_F64, .rank = rank_of, .dims = {             \
      __VA_ARGS__                                                                                  \
    }                                                                                              \
  }

static const mixwright_space spaces[] = {{"T", -1, 0}, {"B", 0, BLOCK_SUMS_BLOCK}};

static const mixwright_arg args[] = {
    ARG("x", MIXWRIGHT_INPUT, 2, SPACE("T", 0), FEATURE),
    ARG("g", MIXWRIGHT_INPUT, 1, SPACE("T", 0)),
    ARG("w", MIXWRIGHT_PARAM, 1, FEATURE),
    ARG("S", MIXWRIGHT_STATE_IN, 1, FEATURE),
    ARG("o", MIXWRIGHT_OUTPUT, 2, SPACE("T", 0), FEATURE),
    ARG("S", MIXWRIGHT_STATE_OUT, 1, FEATURE),
    ARG("running", MIXWRIGHT_WORKSPACE, 2, SPACE("T", 0), FEATURE),
    ARG("sums", MIXWRIGHT_WORKSPACE, 2, SPACE("B", 1), FEATURE),
};

static const mixwright_phase phases[] = {
    {scan, 1, -1, 0, 0, BLOCK_SUMS_SCRATCH, -1, 0, NULL},
    {sum_block, 1, 0, BLOCK_SUMS_BLOCK, 1, BLOCK_SUMS_SCRATCH, -1, 0, NULL},
    {add, BLOCK_SUMS_K, -1, 0, 0, BLOCK_SUMS_SCRATCH, -1, 0, NULL},
};

const mixwright_kernel block_sums = {.abi_version = MIXWRIGHT_ABI_VERSION,
                                     .mixer = "block_sums",
                                     .form = "recurrent",
                                     .target = "any",
                                     .num_spaces = 2,
                                     .spaces = spaces,
                                     .num_args = 8,
                                     .args = args,
                                     .num_phases = 3,
                                     .phases = phases,
                                     .cache_block = 1};
