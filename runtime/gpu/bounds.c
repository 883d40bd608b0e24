/*===- bounds.c - The most that a call on a device can need ---------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Where packed sequences begin and how many tokens they have had is in memory of the device,
|* which a launch does not wait for. So grids and workspaces are as large as the shapes of
|* tensors allow, and blocks of threads find out whether there is work for them. A captured
|* launch (CUDA graph) thus stays right when offsets and positions change.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/gpu/call.h"

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/* Sequences of `size` tokens in all have at most this many blocks, and places in a list that is
 * ordered as mixwright_device_tensor says. */
static int64_t count_packed_blocks(const mw_binding *binding, int64_t size, int64_t block) {
  return size / block + binding->batch;
}

/* Blocks of packed tokens. What the caller gave for them can be wrong only so far. */
static mixwright_status bound_packed_blocks(const mixwright_kernel *kernel, mw_binding *binding,
                                            int32_t space) {
  const mixwright_space *blocks = &kernel->spaces[space];
  int64_t tokens = binding->spaces[blocks->base];
  int64_t most = count_packed_blocks(binding, tokens, blocks->block);
  int64_t least = tokens / blocks->block + (tokens % blocks->block != 0);
  int64_t given = binding->spaces[space];
  if (given >= 0 && (given < least || given > most))
    FAIL("mixer '%s': axis %s has size %lld, but %lld positions of %s in %lld sequences make %lld "
         "to %lld blocks of %lld",
         kernel->mixer, blocks->name, (long long)given, (long long)tokens,
         kernel->spaces[blocks->base].name, (long long)binding->batch, (long long)least,
         (long long)most, (long long)blocks->block);
  binding->spaces[space] = most;
  return MIXWRIGHT_OK;
}

/* The tokens that all caches have room for, or `most` if that is fewer. */
static int64_t bound_by_caches(const mixwright_kernel *kernel, const mw_binding *binding,
                               int64_t most) {
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    const mw_bound_cache *cache = &binding->caches[n];
    if (arg->kind != MIXWRIGHT_CACHE || arg->window > 0)
      continue; /* a window of rows is used in turns */
    int64_t rows = binding->sizes[n][0];
    if (cache->tables && __builtin_mul_overflow(cache->tables->shape[1], cache->rows, &rows))
      continue;
    most = rows < most ? rows : most;
  }
  return most;
}

/* Whether grids or workspaces depend on the tokens that sequences have had. */
static int needs_history(const mixwright_kernel *kernel) {
  for (int32_t n = 0; n < kernel->num_phases; ++n)
    if (kernel->phases[n].space >= 0 && mw_is_history(kernel, kernel->phases[n].space))
      return 1;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    for (int32_t d = 0; d < kernel->args[n].rank; ++d) {
      const mixwright_dim *dim = &kernel->args[n].dims[d];
      if (kernel->args[n].kind == MIXWRIGHT_WORKSPACE && dim->size < 0 &&
          mw_is_history(kernel, dim->space))
        return 1;
    }
  return 0;
}

static mixwright_status bound_history(const mixwright_kernel *kernel, mw_binding *binding,
                                      int32_t space, int64_t most_tokens) {
  int64_t most = bound_by_caches(kernel, binding, most_tokens > 0 ? most_tokens : INT64_MAX);
  if (most == INT64_MAX && !needs_history(kernel))
    most = 0;
  if (most == INT64_MAX)
    FAIL("mixer '%s': most_tokens is missing: every cache is used in turns, so nothing else says "
         "how many tokens a sequence may have had",
         kernel->mixer);
  binding->spaces[space] = most;
  return MIXWRIGHT_OK;
}

static mixwright_status bound_space(const mixwright_kernel *kernel, mw_binding *binding, int32_t n,
                                    int64_t most_tokens) {
  const mixwright_space *space = &kernel->spaces[n];
  if (space->base < 0)
    return MIXWRIGHT_OK;
  if (space->block <= 0)
    return bound_history(kernel, binding, n, most_tokens);
  if (mw_is_packed_along(kernel, binding, n))
    return bound_packed_blocks(kernel, binding, n);
  int64_t size = binding->spaces[space->base];
  binding->spaces[n] = size / space->block + (size % space->block != 0);
  return MIXWRIGHT_OK;
}

/* Kernels count tokens, heads and instances in 31 bits. */
static mixwright_status check_counts(const mixwright_kernel *kernel, const mw_binding *binding) {
  int64_t instances;
  int fits =
      !__builtin_mul_overflow(binding->batch, binding->heads, &instances) && instances <= INT32_MAX;
  for (int32_t n = 0; fits && n < kernel->num_spaces; ++n)
    fits = binding->spaces[n] <= INT32_MAX;
  for (int32_t n = 0; fits && n < kernel->num_args; ++n)
    fits = kernel->args[n].kind != MIXWRIGHT_CACHE || binding->caches[n].rows <= INT32_MAX;
  if (!fits)
    return mw_fail(MIXWRIGHT_UNSUPPORTED,
                   "mixer '%s': more tokens, heads or sequences than a device counts",
                   kernel->mixer);
  return MIXWRIGHT_OK;
}

mixwright_status mw_bound_device_call(const mixwright_kernel *kernel, int64_t most_tokens,
                                      mw_binding *binding) {
  if (most_tokens < 0)
    FAIL("most_tokens is negative, %lld", (long long)most_tokens);
  for (int32_t n = 0; n < kernel->num_spaces; ++n)
    MW_CHECK(bound_space(kernel, binding, n, most_tokens));
  MW_CHECK(check_counts(kernel, binding));
  return mw_bind_workspaces(kernel, binding);
}

/*===----------------------------------------------------------------------===*\
|* Grids
\*===----------------------------------------------------------------------===*/

/* The blocks of `rows` of the phase's space along all sequences, or along the longest. */
static int64_t count_token_blocks(const mw_device_call *call, const mixwright_phase *phase) {
  if (phase->space < 0)
    return 1;
  const mixwright_kernel *kernel = call->kernel;
  int64_t size = call->binding.spaces[phase->space], rows = phase->rows;
  if (!mw_is_packed_along(kernel, &call->binding, phase->space))
    return size / rows + (size % rows != 0);
  for (int32_t n = phase->space; kernel->spaces[n].base >= 0; n = kernel->spaces[n].base)
    rows *= kernel->spaces[n].block;
  int64_t tokens = call->binding.spaces[mw_get_root(kernel, phase->space)];
  return count_packed_blocks(&call->binding, tokens, rows);
}

/* CUDA counts 2^31 - 1 blocks, HIP 2^32 - 1 threads. */
mixwright_status mw_count_blocks(mw_device_call *call, const mixwright_phase *phase,
                                 uint32_t *blocks) {
  const mw_binding *binding = &call->binding;
  mixwright_device_call *parameter = call->parameter;
  int is_hip = call->kernel->image->device_type == kDLROCM;
  int is_packed = phase->space >= 0 && mw_is_packed_along(call->kernel, binding, phase->space);
  int64_t count, threads;
  parameter->head_group = phase->heads_of < 0 ? 1 : binding->args[phase->heads_of].heads_each;
  parameter->heads = binding->heads / parameter->head_group;
  parameter->instances = parameter->heads * (is_packed ? 1 : binding->batch);
  parameter->token_blocks = count_token_blocks(call, phase);
  if (__builtin_mul_overflow(parameter->token_blocks, parameter->instances, &count) ||
      __builtin_mul_overflow(count, phase->feature_blocks, &count) ||
      __builtin_mul_overflow(count, phase->threads, &threads) || count > INT32_MAX ||
      (is_hip && threads > UINT32_MAX))
    return mw_fail(MIXWRIGHT_UNSUPPORTED, "mixer '%s': more blocks than a launch can count",
                   call->kernel->mixer);
  *blocks = (uint32_t)count;
  return MIXWRIGHT_OK;
}
