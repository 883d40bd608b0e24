/*===- run.c - Run the phases of a kernel ---------------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A phase is one parallel loop over entry x head x feature block x token block; the
|* end of the loop is the barrier before the next phase. Packed segments, and sequences
|* with positions, have each their own number of token blocks.
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
  const int64_t *first_tasks; /* [batch + 1], of each entry; NULL: all have as many */
  atomic_int out_of_memory;
} phase_run;

/* The tasks of one entry: [begin, end) of the phase, `per_head` for each head. */
typedef struct {
  int64_t entry, begin, end, token_blocks, per_head;
} entry_tasks;

static int64_t count_token_blocks(const phase_run *run, int64_t entry) {
  if (run->phase->space < 0)
    return 1;
  int64_t size = mw_space_size(run->binding, run->phase->space, entry);
  return size / run->phase->rows + (size % run->phase->rows != 0);
}

/* The entry whose range in `first_tasks` holds a task. Empty ranges hold none. */
static int64_t search_entry(const phase_run *run, int64_t task) {
  int64_t low = 0, high = run->binding->batch;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    *(run->first_tasks[middle] <= task ? &low : &high) = middle;
  }
  return low;
}

/* The heads that the phase runs for, and how many query heads share each. */
static int64_t count_heads_each(const phase_run *run) {
  return run->phase->heads_of < 0 ? 1 : run->binding->args[run->phase->heads_of].heads_each;
}

static int64_t count_heads(const phase_run *run) {
  return run->binding->heads / count_heads_each(run);
}

static entry_tasks find_entry(const phase_run *run, int64_t task) {
  entry_tasks found = {0};
  if (run->first_tasks)
    found.entry = search_entry(run, task);
  found.token_blocks = count_token_blocks(run, found.entry);
  found.per_head = run->phase->feature_blocks * found.token_blocks;
  int64_t count = count_heads(run) * found.per_head;
  if (!run->first_tasks)
    found.entry = task / count;
  found.begin = run->first_tasks ? run->first_tasks[found.entry] : found.entry * count;
  found.end = found.begin + count;
  return found;
}

typedef struct {
  int64_t head, feature_block, token_block;
} instance_task;

/* A task of an entry. Those of a head follow each other, since they may read the same rows; but
 * blocks of all tokens, which are rows of caches, are read once, and rows of several heads may be
 * neighbours: there all heads go through a block first. */
static instance_task find_task(const phase_run *run, const entry_tasks *tasks, int64_t number) {
  int32_t space = run->phase->space;
  int64_t features = run->phase->feature_blocks;
  if (space >= 0 && mw_is_history(run->kernel, space)) {
    int64_t per_block = tasks->per_head / tasks->token_blocks * count_heads(run);
    int64_t within = number % per_block;
    return (instance_task){within / features, within % features, number / per_block};
  }
  int64_t block = number % tasks->per_head;
  return (instance_task){number / tasks->per_head, block / tasks->token_blocks,
                         block % tasks->token_blocks};
}

/* What a thread keeps behind its scratch: the instance that it is at. */
typedef struct {
  mw_entry entry;
  void **data;
} place;

static size_t get_place_bytes(const mixwright_kernel *kernel) {
  size_t row = MIXWRIGHT_MAX_RANK * sizeof(int64_t);
  return ((size_t)kernel->num_args + 1) *
         (2 * row + sizeof(mixwright_paging) + sizeof(int64_t) + 2 * sizeof(void *));
}

static place make_place(const mixwright_kernel *kernel, char *memory) {
  size_t args = (size_t)kernel->num_args + 1;
  place result;
  result.entry.strides = (int64_t (*)[MIXWRIGHT_MAX_RANK])(void *)memory;
  result.entry.sizes = result.entry.strides + args;
  result.entry.paging = (mixwright_paging *)(result.entry.sizes + args);
  result.entry.head_strides = (int64_t *)(result.entry.paging + args);
  result.entry.starts = (char **)(void *)(result.entry.head_strides + args);
  result.data = (void **)(result.entry.starts + args);
  return result;
}

static void locate_head(const phase_run *run, const place *at, int64_t head) {
  for (int32_t n = 0; n < run->kernel->num_args; ++n) {
    char *start = at->entry.starts[n];
    int64_t own = head / run->binding->args[n].heads_each;
    at->data[n] = start ? start + own * at->entry.head_strides[n] : NULL;
  }
}

/* The body of a phase's loop. */
static void run_range(void *argument, int64_t begin, int64_t end) {
  phase_run *run = argument;
  const mixwright_phase *phase = run->phase;
  int64_t scratch_bytes = phase->scratch_bytes;
  char *scratch = NULL;
  if (!__builtin_add_overflow(scratch_bytes, MW_RED_ZONE, &scratch_bytes) &&
      mw_align(scratch_bytes, &scratch_bytes))
    scratch = mw_thread_scratch((size_t)scratch_bytes + get_place_bytes(run->kernel));
  if (!scratch) {
    atomic_store(&run->out_of_memory, 1);
    return;
  }
  size_t beyond = (size_t)(scratch_bytes - phase->scratch_bytes);
  ASAN_POISON_MEMORY_REGION(scratch + phase->scratch_bytes, beyond);
  place at = make_place(run->kernel, scratch + scratch_bytes);
  mixwright_instance view = {.data = at.data};
  entry_tasks tasks = {0};
  int64_t located = -1;
  for (int64_t task = begin; task < end; ++task) {
    if (task >= tasks.end) {
      tasks = find_entry(run, task);
      mw_locate_entry(run->kernel, run->binding, tasks.entry, &at.entry);
      view.strides = (const int64_t (*)[MIXWRIGHT_MAX_RANK])at.entry.strides;
      view.sizes = (const int64_t (*)[MIXWRIGHT_MAX_RANK])at.entry.sizes;
      view.paging = at.entry.paging;
      located = -1;
    }
    instance_task own = find_task(run, &tasks, task - tasks.begin);
    if (own.head != located)
      locate_head(run, &at, (located = own.head) * count_heads_each(run));
    int64_t token_block = own.token_block;
    if (phase->last_first)
      token_block = tasks.token_blocks - 1 - token_block;
    phase->run(&view, own.feature_block, token_block, scratch);
  }
  ASAN_UNPOISON_MEMORY_REGION(scratch + phase->scratch_bytes, beyond);
}

/* The tasks of one entry, or -1 if they cannot be counted. */
static int64_t count_entry_tasks(const phase_run *run, int64_t entry) {
  int64_t count;
  if (__builtin_mul_overflow(count_heads(run), run->phase->feature_blocks, &count) ||
      __builtin_mul_overflow(count, count_token_blocks(run, entry), &count))
    return -1;
  return count;
}

/* The tasks of the phase, or -1; fills `first_tasks` unless it is NULL. */
static int64_t count_tasks(const phase_run *run, int64_t *first_tasks) {
  int64_t batch = run->binding->batch, total = 0;
  if (!first_tasks) {
    int64_t each = batch > 0 ? count_entry_tasks(run, 0) : 0;
    return each < 0 || __builtin_mul_overflow(batch, each, &total) ? -1 : total;
  }
  for (int64_t entry = 0; entry < batch; ++entry) {
    int64_t own = count_entry_tasks(run, entry);
    first_tasks[entry] = total;
    if (own < 0 || __builtin_add_overflow(total, own, &total))
      return -1;
  }
  first_tasks[batch] = total;
  return total;
}

mixwright_status mw_parallel_for(const mixwright_options *options, int64_t count,
                                 mixwright_range_fn body, void *data) {
  mixwright_pool *pool = options->pool;
  if (!options->parallel_for && !pool && !(pool = mw_default_pool()))
    return mw_fail(MIXWRIGHT_THREAD_ERROR, "the threads of the process could not be started");
  int64_t grain = count / ((int64_t)mixwright_pool_threads(pool) * PIECES_PER_THREAD);
  if (options->parallel_for)
    options->parallel_for(options->parallel_context, count, 1, body, data);
  else
    mw_pool_run(pool, count, grain > 0 ? grain : 1, body, data);
  return MIXWRIGHT_OK;
}

/* `first_tasks` has room for every entry, or is NULL where all are alike. */
static mixwright_status run_phase(const mixwright_kernel *kernel, int32_t index,
                                  const mw_binding *binding, const mixwright_options *options,
                                  int64_t *first_tasks) {
  const mixwright_phase *phase = &kernel->phases[index];
  phase_run run = {
      .kernel = kernel, .phase = phase, .binding = binding, .first_tasks = first_tasks};
  int64_t count = count_tasks(&run, first_tasks);
  if (count < 0)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "mixer '%s': too many tasks", kernel->mixer);

  MW_CHECK(mw_parallel_for(options, count, run_range, &run));
  if (atomic_load(&run.out_of_memory))
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld bytes of scratch",
                   kernel->mixer, (long long)phase->scratch_bytes);
  return MIXWRIGHT_OK;
}

static mixwright_status run_phases(const mixwright_kernel *kernel, mw_binding *binding,
                                   const mixwright_options *options) {
  int64_t *first_tasks = NULL;
  if (binding->segments) {
    first_tasks = calloc((size_t)binding->batch + 1, sizeof *first_tasks);
    if (!first_tasks)
      return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %lld segments",
                     kernel->mixer, (long long)binding->batch);
  }
  mixwright_status status = MIXWRIGHT_OK;
  int64_t runs = mw_count_runs(binding);
  for (int64_t run = 0; run < runs && status == MIXWRIGHT_OK; ++run) {
    status = mw_begin_run(kernel, binding, run, options);
    for (int32_t n = 0; n < kernel->num_phases && status == MIXWRIGHT_OK; ++n)
      status = run_phase(kernel, n, binding, options, first_tasks);
  }
  free(first_tasks);
  return status;
}

static mixwright_status run_bound(const mixwright_kernel *kernel, mw_binding *binding,
                                  const mixwright_options *options) {
  void *workspace = options->workspace, *own = NULL;
  size_t needed = (size_t)binding->workspace_bytes;
  if (workspace)
    MW_CHECK(mw_check_workspace(workspace, options->workspace_bytes, binding));
  if (needed && !workspace) {
    if (posix_memalign(&own, MW_ALIGNMENT, needed) != 0)
      return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "mixer '%s': no memory for %zu bytes of workspace",
                     kernel->mixer, needed);
    workspace = own;
  }
  mw_place_workspaces(kernel, binding, workspace);
  mixwright_status status = run_phases(kernel, binding, options);
  free(own);
  return status;
}

static const mixwright_options defaults;
static const DLDevice cpu = {kDLCPU, 0};

mixwright_status mixwright_run(const mixwright_kernel *kernel, DLTensor *const *tensors,
                               int32_t num_tensors, const mixwright_options *options) {
  options = options ? options : &defaults;
  MW_CHECK(mixwright_select(kernel, &kernel));
  mw_binding binding;
  mixwright_status status = mw_bind(kernel, tensors, num_tensors, options, cpu, &binding);
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
  MW_CHECK(mixwright_select(kernel, &kernel));
  mw_binding binding;
  mixwright_status status =
      mw_bind(kernel, tensors, num_tensors, options ? options : &defaults, cpu, &binding);
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
