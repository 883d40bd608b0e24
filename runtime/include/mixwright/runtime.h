/*===- runtime.h - Run compiled mixers ----------------------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* Everything that a program needs to call a compiled mixer: no compiler, no
|* LLVM, no C++. Link with libmixwright_runtime and the threads library.
|*
|*   const mixwright_kernel *kernel = &mixwright_kernel_gated_delta_rule_chunked;
|*   DLTensor *tensors[] = {&q, &k, &v, &g, &beta, NULL, &o, NULL};
|*   if (mixwright_run(kernel, tensors, 8, NULL) != MIXWRIGHT_OK)
|*     fprintf(stderr, "%s\n", mixwright_last_error());
|*
|* No function prints, aborts or throws: each returns a status and leaves a
|* message. Functions may be called from any thread at any time, except that a
|* pool must not be destroyed while a call uses it.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_H
#define MIXWRIGHT_RUNTIME_H

#include "mixwright/abi.h"
#include <dlpack/dlpack.h>

#define MIXWRIGHT_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mixwright_status {
  MIXWRIGHT_OK = 0,
  MIXWRIGHT_INVALID_ARGUMENT = 1, /* a tensor or option is not what the kernel declares */
  MIXWRIGHT_INVALID_KERNEL = 2,   /* another ABI version, or a damaged description */
  MIXWRIGHT_OUT_OF_MEMORY = 3,
  MIXWRIGHT_THREAD_ERROR = 4, /* the system refused a thread */
  MIXWRIGHT_UNSUPPORTED = 5,  /* the processor lacks what the kernel needs */
  /* of calls on devices (mixwright/device.h): */
  MIXWRIGHT_NO_DRIVER = 6,
  MIXWRIGHT_NO_DEVICE = 7,
  MIXWRIGHT_DEVICE_ERROR = 8 /* the driver refused something */
} mixwright_status;

/* What the last call that failed on this thread had to say; "" if none has.
 * Valid until the next failure on this thread. */
MIXWRIGHT_EXPORT const char *mixwright_last_error(void);

/*===----------------------------------------------------------------------===*\
|* Threads
\*===----------------------------------------------------------------------===*/

/* Worker threads that wait for tasks: spinning first, then parked. A pool runs
 * one call at a time; a call that finds it busy runs on its own thread. */
typedef struct mixwright_pool mixwright_pool;

/* `threads` counts the calling thread, so 1 starts none; 0 means as many as the
 * process may run on. */
MIXWRIGHT_EXPORT mixwright_status mixwright_pool_create(int threads, mixwright_pool **pool);
MIXWRIGHT_EXPORT void mixwright_pool_destroy(mixwright_pool *pool);
MIXWRIGHT_EXPORT int mixwright_pool_threads(const mixwright_pool *pool);

/* Runs tasks [begin, end) of a call. */
typedef void (*mixwright_range_fn)(void *data, int64_t begin, int64_t end);

/* A caller's own threads in place of a pool: must call `body` so that every task
 * of [0, count) runs exactly once, in ranges of about `grain` tasks, and return
 * when all have run. */
typedef void (*mixwright_parallel_for_fn)(void *context, int64_t count, int64_t grain,
                                          mixwright_range_fn body, void *data);

/*===----------------------------------------------------------------------===*\
|* Calls
\*===----------------------------------------------------------------------===*/

/* Where batch and heads stand among the dimensions of a tensor that is declared
 * over [T, K] (strides are free, so this is the order of dimensions only):
 *
 *              inputs and outputs           states          params
 *   BTHD       [B, T, H, K]; [B, T, H]      [B, H, K, V]    [K, ..] or [H, K, ..]
 *   BHTD       [B, H, T, K]; [B, H, T]      [B, H, K, V]    [K, ..] or [H, K, ..]
 *   SINGLE     [T, K]; [T]                  [K, V]          [K, ..]
 *
 * An input whose first declared axis is not a token axis has [B, H] in front.
 * Head counts may differ where one divides the other: head h of the largest
 * count H uses head h / (H / H_i) of an argument with H_i heads. Outputs and
 * states have H heads. */
typedef enum mixwright_layout {
  MIXWRIGHT_BTHD = 0,
  MIXWRIGHT_BHTD = 1,
  MIXWRIGHT_SINGLE = 2
} mixwright_layout;

/* The step form goes on with sequences whose earlier tokens other calls had: it takes n
 * new tokens of each sequence (the token axis of the inputs; packed, if sequences have
 * different n) and what the earlier ones left. All of it is updated in place, and must be
 * given:
 *
 *              position    states          caches              paged caches
 *   BTHD       [B]         [B, H, K, V]    [B, rows, H, K]     [pages, R, H, K]
 *   BHTD       [B]         [B, H, K, V]    [B, H, rows, K]     [pages, H, R, K]
 *   SINGLE     []          [K, V]          [rows, K]           [pages, R, K]
 *   packed     [N]         [N, ..]         [N, ..]             as above
 *
 * `position`, int32 or int64, counts the earlier tokens of each sequence: 0 for a new
 * one, whose states and caches may hold anything. The
 * call writes rows [position, position + n) of each cache, so there must be as many. A
 * cache whose args[n].window is not 0 may be smaller: given at least window + n - 1 rows
 * in whole blocks of kernel->cache_block, it is used in turns, row p at p mod rows (with a
 * block table of M pages, page p at p mod M). Which values a mixer caches is derived from its
 * spec: `mixc explain --form step` lists them. Query heads may share a cache, as they
 * share keys. */

/* Sequences of different lengths in one call, packed behind one another along a
 * token axis: sequence ("segment") n has the positions [cu_seqlens[n],
 * cu_seqlens[n + 1]) of the axis. The segments know nothing of each other, and each
 * gives the bits that it gives in a call of its own.
 *
 * `cu_seqlens` is a vector of N + 1 int32 or int64 in memory of the CPU: it starts
 * at 0, never decreases (a segment may be empty) and ends at the packed length. In
 * such a call a tensor that is declared over a token axis, or over blocks of one,
 * has no batch dimension, and every other input, output and state has the N segments
 * in its place:
 *
 *              inputs and outputs           states          params
 *   BTHD       [sum T, H, K]; [sum T, H]    [N, H, K, V]    [K, ..] or [H, K, ..]
 *   BHTD       [H, sum T, K]; [H, sum T]    [N, H, K, V]    [K, ..] or [H, K, ..]
 *   SINGLE     [sum T, K]; [sum T]          [N, K, V]       [K, ..]
 *
 * Blocks are counted from the start of each segment, so an axis of blocks of b has
 * the size sum of ceil(T_n / b). A tensor over two token axes is packed along both:
 * segment n sees its block of both. A token axis
 * that only params have is a table that all segments share, and is not packed. */
typedef struct mixwright_packing {
  const char *axis; /* the token axis: "T"; NULL: the only one that the mixer has */
  const DLTensor *cu_seqlens;
} mixwright_packing;

/* Where the rows of a cache are, if not in order: in pages of memory that all sequences
 * share. Page n of sequence b is `pages[b][n]`, int32 in memory of the CPU, and holds
 * the positions [n R, (n + 1) R). R, the rows of a page, is a multiple of
 * kernel->cache_block. Only the entries of pages that a call may touch are looked at.
 * Sequences may share pages that they only read. */
typedef struct mixwright_block_table {
  const char *cache; /* NULL: all caches of the mixer */
  const DLTensor *pages;
} mixwright_block_table;

/* `state_slots` puts the states of the step form into a pool, [slots, H, K, V] instead of
 * [B, H, K, V]: int32 [B, 1 + s] in memory of the CPU. With s = 0 sequence b updates slot
 * `state_slots[b][0]`. Otherwise it goes on from that slot, which is only read, and leaves
 * the state after its new token i, of at most s, in slot `state_slots[b][1 + i]`. So
 * tokens can be taken back: a later call goes on from any of these slots, with the position
 * after its token. A slot that one sequence writes no other may use. */

/* All zero is a valid choice. */
typedef struct mixwright_options {
  mixwright_layout layout;
  const mixwright_packing *packings; /* one for every token axis, or none: not packed */
  int32_t num_packings;
  const mixwright_block_table *block_tables; /* none: no cache is paged */
  int32_t num_block_tables;
  const DLTensor *state_slots;            /* NULL: states are in the order of the batch */
  mixwright_pool *pool;                   /* NULL: one shared by the process */
  mixwright_parallel_for_fn parallel_for; /* if set, used instead of a pool */
  void *parallel_context;
  void *workspace; /* aligned to 64; NULL: allocated for the duration of the call */
  size_t workspace_bytes;
} mixwright_options;

/* The kernel of a list that calls run on this processor: the first whose needs it
 * meets. Every function below selects by itself. If there is none, the message names
 * what the processor lacks for each. */
MIXWRIGHT_EXPORT mixwright_status mixwright_select(const mixwright_kernel *kernel,
                                                   const mixwright_kernel **selected);

/* Runs a kernel. `tensors` holds one tensor per argument of kernel->args, in that
 * order, workspaces left out; an initial state (the spec's value is used) and a
 * final state (not written) may be NULL. Outputs must not share memory with any
 * other tensor. Every shape, dtype and stride is checked before anything is
 * written. The results have the same bits whatever the number of threads and
 * whatever else is in the batch or the pack. `options` may be NULL. */
MIXWRIGHT_EXPORT mixwright_status mixwright_run(const mixwright_kernel *kernel,
                                                DLTensor *const *tensors, int32_t num_tensors,
                                                const mixwright_options *options);

/* The bytes of workspace that such a call needs: checks the call as
 * `mixwright_run` does and runs nothing. */
MIXWRIGHT_EXPORT mixwright_status mixwright_workspace_bytes(const mixwright_kernel *kernel,
                                                            DLTensor *const *tensors,
                                                            int32_t num_tensors,
                                                            const mixwright_options *options,
                                                            size_t *bytes);

/* The place of an argument in kernel->args, or -1. */
MIXWRIGHT_EXPORT int32_t mixwright_find_arg(const mixwright_kernel *kernel, mixwright_arg_kind kind,
                                            const char *name);

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_RUNTIME_H */
