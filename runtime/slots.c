/*===- slots.c - States in a pool, kept after each token ------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Kernels update states in place and know nothing of slots. Where a state is to be kept
|* after each new token, the call is run token by token: the state is copied to the next
|* slot and updated there. So a snapshot has the bits that one-token steps give.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdlib.h>
#include <string.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

static const char *const label = "state_slots";

mixwright_status mw_bind_slots(const mixwright_kernel *kernel, const mixwright_options *options,
                               DLDevice device, mw_binding *binding) {
  if (!options->state_slots)
    return MIXWRIGHT_OK;
  MW_CHECK(mw_check_table(label, options->state_slots, "slots", device));
  int has_states = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n)
    has_states |= kernel->args[n].kind == MIXWRIGHT_STATE;
  if (!has_states)
    FAIL("%s: mixer '%s' in the form %s updates no state in place", label, kernel->mixer,
         kernel->form);
  if (options->state_slots->shape[1] < 1)
    FAIL("%s: expected at least one slot for each sequence", label);
  if (kernel->image && options->state_slots->shape[1] > 1)
    return mw_fail(MIXWRIGHT_UNSUPPORTED,
                   "%s: a launch updates states in place, so it takes one slot for each sequence, "
                   "got %lld",
                   label, (long long)options->state_slots->shape[1]);
  binding->slots = options->state_slots;
  return MIXWRIGHT_OK;
}

/* New tokens are walked along the spaces that outputs have a row for each of. */
static void find_walked(const mixwright_kernel *kernel, mw_binding *binding) {
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind == MIXWRIGHT_OUTPUT && arg->rank > 0 && arg->dims[0].size < 0)
      binding->walked[arg->dims[0].space] = 1;
  }
}

static int64_t count_new_tokens(const mixwright_kernel *kernel, const mw_binding *binding,
                                int64_t sequence) {
  int64_t tokens = 0;
  for (int32_t n = 0; n < kernel->num_spaces; ++n) {
    int64_t own = binding->segment_sizes[n * binding->batch + sequence];
    if (binding->walked[n] && own > tokens)
      tokens = own;
  }
  return tokens;
}

/* Every slot of a sequence that the call reads or writes: one that is only read, then one
 * for each token; or one that is updated. */
static mixwright_status check_slots(const mw_binding *binding, mw_use *uses) {
  int64_t columns = binding->slots->shape[1], count = 0;
  for (int64_t n = 0; n < binding->batch; ++n) {
    const int32_t *row = mw_get_row(binding->slots, n);
    int64_t tokens = binding->new_tokens[n];
    if (columns > 1 && tokens >= columns)
      FAIL("%s: sequence %lld has %lld new tokens, but slots for %lld", label, (long long)n,
           (long long)tokens, (long long)(columns - 1));
    int64_t used = tokens == 0 ? 0 : columns == 1 ? 1 : tokens + 1;
    for (int64_t slot = 0; slot < used; ++slot) {
      if (row[slot] < 0 || row[slot] >= binding->slots_there)
        FAIL("%s: slot %lld of sequence %lld is %d, but the states have %lld", label,
             (long long)slot, (long long)n, row[slot], (long long)binding->slots_there);
      uses[count++] = (mw_use){row[slot], slot > 0 || columns == 1, n};
    }
  }
  return mw_check_uses(label, "slot", uses, count);
}

mixwright_status mw_plan_tokens(const mixwright_kernel *kernel, mw_binding *binding) {
  const DLTensor *slots = binding->slots;
  if (!slots)
    return MIXWRIGHT_OK;
  if (!binding->positions)
    FAIL("%s: mixer '%s' has no position", label, kernel->mixer);
  if (slots->shape[0] != binding->batch)
    FAIL("%s: %lld sequences, but the call has %lld", label, (long long)slots->shape[0],
         (long long)binding->batch);
  if (kernel->image)
    return MIXWRIGHT_OK; /* only the device knows the slots */
  size_t count = (size_t)binding->batch * (size_t)slots->shape[1] + 1;
  mw_use *uses = calloc(count, sizeof *uses);
  binding->walked = calloc((size_t)kernel->num_spaces + 1, sizeof *binding->walked);
  binding->new_tokens = calloc((size_t)binding->batch + 1, sizeof *binding->new_tokens);
  mixwright_status status = MIXWRIGHT_OUT_OF_MEMORY;
  if (uses && binding->walked && binding->new_tokens) {
    find_walked(kernel, binding);
    for (int64_t n = 0; n < binding->batch; ++n)
      binding->new_tokens[n] = count_new_tokens(kernel, binding, n);
    status = check_slots(binding, uses);
  } else {
    mw_fail(status, "mixer '%s': no memory for %zu slots", kernel->mixer, count);
  }
  free(uses);
  return status;
}

int64_t mw_count_runs(const mw_binding *binding) {
  if (!binding->slots || binding->slots->shape[1] == 1)
    return 1;
  int64_t most = 0;
  for (int64_t n = 0; n < binding->batch; ++n)
    most = binding->new_tokens[n] > most ? binding->new_tokens[n] : most;
  return most;
}

/*===----------------------------------------------------------------------===*\
|* States
\*===----------------------------------------------------------------------===*/

int64_t mw_get_slot(const mw_binding *binding, int64_t sequence) {
  if (!binding->slots)
    return sequence;
  int64_t column = binding->token < 0 ? 0 : binding->token + 1;
  return mw_get_row(binding->slots, sequence)[column];
}

/* Copies the elements of a state of one head. */
static void copy_state(const mixwright_arg *arg, const int64_t *strides, const char *from,
                       char *to) {
  int64_t bytes = mw_element_bytes(arg), index[MIXWRIGHT_MAX_RANK] = {0}, offset = 0;
  int last = arg->rank - 1;
  size_t run = (size_t)(bytes * (arg->rank > 0 ? arg->dims[last].size : 1));
  for (;;) {
    memcpy(to + offset * bytes, from + offset * bytes, run);
    int d = last - 1;
    for (; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < arg->dims[d].size)
        break;
      offset -= strides[d] * arg->dims[d].size;
      index[d] = 0;
    }
    if (d < 0)
      return;
  }
}

/* The body of a loop over sequences and heads. */
typedef struct {
  const mixwright_kernel *kernel;
  const mw_binding *binding;
} copying;

static void copy_range(void *argument, int64_t begin, int64_t end) {
  const copying *work = argument;
  const mw_binding *binding = work->binding;
  for (int64_t task = begin; task < end; ++task) {
    int64_t sequence = task / binding->heads, head = task % binding->heads;
    const int32_t *slots = mw_get_row(binding->slots, sequence) + binding->token;
    if (binding->token >= binding->new_tokens[sequence] || slots[0] == slots[1])
      continue;
    for (int32_t n = 0; n < work->kernel->num_args; ++n) {
      const mw_bound_arg *bound = &binding->args[n];
      char *start = bound->data ? bound->data + head * bound->head_stride : NULL;
      if (work->kernel->args[n].kind == MIXWRIGHT_STATE && start)
        copy_state(&work->kernel->args[n], binding->strides[n],
                   start + slots[0] * bound->batch_stride, start + slots[1] * bound->batch_stride);
    }
  }
}

mixwright_status mw_begin_run(const mixwright_kernel *kernel, mw_binding *binding, int64_t run,
                              const mixwright_options *options) {
  if (!binding->slots || binding->slots->shape[1] == 1)
    return MIXWRIGHT_OK;
  for (int64_t n = 0; n < binding->batch && run > 0; ++n)
    binding->positions[n] += run <= binding->new_tokens[n];
  binding->token = run;
  mw_fill_segment_sizes(kernel, binding);
  copying work = {kernel, binding};
  return mw_parallel_for(options, binding->batch * binding->heads, copy_range, &work);
}
