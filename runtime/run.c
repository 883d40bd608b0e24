/*===- run.c - Run the phases of a kernel ---------------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A phase is one parallel loop over instance x feature block x token block; the
|* end of the loop is the barrier before the next phase.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Enough pieces per thread to even out tasks of unequal cost, few enough that
 * the shared counter is not contended. */
#define PIECES_PER_THREAD 16

typedef struct {
  const mixwright_kernel *kernel;
  const mixwright_phase *phase;
  const mw_binding *binding;
  int64_t token_blocks;
  atomic_int out_of_memory;
} phase_run;

static void locate_instance(const phase_run *run, int64_t instance, void **data) {
  int64_t batch = instance / run->binding->heads, head = instance % run->binding->heads;
  for (int32_t n = 0; n < run->kernel->num_args; ++n) {
    const mw_bound_arg *arg = &run->binding->args[n];
    data[n] = arg->data ? arg->data + batch * arg->batch_stride +
                              head / arg->heads_each * arg->head_stride
                        : NULL;
  }
}

/* The body of a phase's loop. A thread's scratch ends with its data pointers. */
static void run_range(void *argument, int64_t begin, int64_t end) {
  phase_run *run = argument;
  const mixwright_phase *phase = run->phase;
  int64_t scratch_bytes;
  char *scratch = NULL;
  if (mw_align(phase->scratch_bytes, &scratch_bytes))
    scratch = mw_thread_scratch((size_t)scratch_bytes +
                                ((size_t)run->kernel->num_args + 1) * sizeof(void *));
  if (!scratch) {
    atomic_store(&run->out_of_memory, 1);
    return;
  }
  void **data = (void **)(void *)(scratch + scratch_bytes);
  mixwright_instance view = {data, (const int64_t (*)[MIXWRIGHT_MAX_RANK])run->binding->strides,
                             (const int64_t (*)[MIXWRIGHT_MAX_RANK])run->binding->sizes};
  int64_t per_instance = phase->feature_blocks * run->token_blocks, located = -1;
  for (int64_t task = begin; task < end; ++task) {
    int64_t instance = task / per_instance, block = task % per_instance;
    if (instance != located)
      locate_instance(run, located = instance, data);
    int64_t token_block = block % run->token_blocks;
    if (phase->last_first)
      token_block = run->token_blocks - 1 - token_block;
    phase->run(&view, block / run->token_blocks, token_block, scratch);
  }
}

static mixwright_status run_phase(const mixwright_kernel *kernel, int32_t index,
                                  const mw_binding *binding, const mixwright_options *options) {
  const mixwright_phase *phase = &kernel->phases[index];
  phase_run run = {.kernel = kernel, .phase = phase, .binding = binding, .token_blocks = 1};
  if (phase->space >= 0) {
    int64_t size = binding->spaces[phase->space];
    run.token_blocks = size / phase->rows + (size % phase->rows != 0);
  }
  int64_t count;
  if (__builtin_mul_overflow(binding->batch, binding->heads, &count) ||
      __builtin_mul_overflow(count, phase->feature_blocks, &count) ||
      __builtin_mul_overflow(count, run.token_blocks, &count))
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "mixer '%s': too many tasks", kernel->mixer);

  mixwright_pool *pool = options->pool;
  if (!options->parallel_for && !pool && !(pool = mw_default_pool()))
    return mw_fail(MIXWRIGHT_THREAD_ERROR, "the threads of the process could not be started");
  int64_t grain = count / ((int64_t)mixwright_pool_threads(pool) * PIECES_PER_THREAD);
  if (options->parallel_for)
    options->parallel_for(options->parallel_context, count, 1, run_range, &run);
  else
    mw_pool_run(pool, count, grain > 0 ? grain : 1, run_range, &run);
  if (atomic_load(&run.out_of_memory))
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld bytes of scratch",
                   kernel->mixer, (long long)phase->scratch_bytes);
  return MIXWRIGHT_OK;
}

static mixwright_status run_bound(const mixwright_kernel *kernel, mw_binding *binding,
                                  const mixwright_options *options) {
  void *workspace = options->workspace, *own = NULL;
  size_t needed = (size_t)binding->workspace_bytes;
  if (workspace && options->workspace_bytes < needed)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "workspace: expected %zu bytes, got %zu", needed,
                   options->workspace_bytes);
  if ((uintptr_t)workspace % MW_ALIGNMENT)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "workspace: not aligned to %d bytes", MW_ALIGNMENT);
  if (needed && !workspace) {
    if (posix_memalign(&own, MW_ALIGNMENT, needed) != 0)
      return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %zu bytes of workspace",
                     kernel->mixer, needed);
    workspace = own;
  }
  mw_place_workspaces(kernel, binding, workspace);
  mixwright_status status = MIXWRIGHT_OK;
  for (int32_t n = 0; n < kernel->num_phases && status == MIXWRIGHT_OK; ++n)
    status = run_phase(kernel, n, binding, options);
  free(own);
  return status;
}

mixwright_status mixwright_run(const mixwright_kernel *kernel, DLTensor *const *tensors,
                               int32_t num_tensors, const mixwright_options *options) {
  static const mixwright_options defaults;
  if (!options)
    options = &defaults;
  mw_binding binding;
  mixwright_status status = mw_bind(kernel, tensors, num_tensors, options->layout, &binding);
  if (status != MIXWRIGHT_OK)
    return status;
  status = run_bound(kernel, &binding, options);
  mw_unbind(&binding);
  return status;
}

mixwright_status mixwright_workspace_bytes(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                           int32_t num_tensors, const mixwright_options *options,
                                           size_t *bytes) {
  if (!bytes)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "the address of the result is null");
  mw_binding binding;
  mixwright_status status =
      mw_bind(kernel, tensors, num_tensors, options ? options->layout : MIXWRIGHT_BTHD, &binding);
  if (status != MIXWRIGHT_OK)
    return status;
  *bytes = (size_t)binding.workspace_bytes;
  mw_unbind(&binding);
  return MIXWRIGHT_OK;
}

int32_t mixwright_find_arg(const mixwright_kernel *kernel, mixwright_arg_kind kind,
                           const char *name) {
  if (!kernel || !name)
    return -1;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    if (kernel->args[n].kind == kind && strcmp(kernel->args[n].name, name) == 0)
      return n;
  return -1;
}
