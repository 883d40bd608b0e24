/*===- internal.h - What the files of the runtime share -----------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_INTERNAL_H
#define MIXWRIGHT_RUNTIME_INTERNAL_H

#include "mixwright/runtime.h"

#define MW_ALIGNMENT 64

/* Leaves a message for this thread and returns `status`. */
__attribute__((format(printf, 2, 3))) mixwright_status mw_fail(mixwright_status status,
                                                               const char *format, ...);

/* Rounds up to the alignment of scratch and workspaces. False on overflow. */
static inline int mw_align(int64_t bytes, int64_t *aligned) {
  if (__builtin_add_overflow(bytes, MW_ALIGNMENT - 1, aligned))
    return 0;
  *aligned &= ~(int64_t)(MW_ALIGNMENT - 1);
  return 1;
}

/*===----------------------------------------------------------------------===*\
|* pool.c
\*===----------------------------------------------------------------------===*/

/* Runs `body` over [0, count) on the pool and the calling thread. */
void mw_pool_run(mixwright_pool *pool, int64_t count, int64_t grain, mixwright_range_fn body,
                 void *data);

/* The pool of the process, started on first use; NULL if that failed. */
mixwright_pool *mw_default_pool(void);

/* At least `bytes` bytes, aligned, that belong to the calling thread until its
 * next call; NULL if there is no memory. Freed when the thread ends. */
void *mw_thread_scratch(size_t bytes);

/*===----------------------------------------------------------------------===*\
|* bind.c
\*===----------------------------------------------------------------------===*/

/* One argument of a call: where it is for batch entry b and head h of H. */
typedef struct mw_bound_arg {
  char *data;           /* NULL: an absent state */
  int64_t batch_stride; /* in bytes; 0 if shared */
  int64_t head_stride;  /* in bytes; 0 if shared */
  int64_t heads_each;   /* H / H_i: this many neighbouring heads share one */
} mw_bound_arg;

/* A call that has passed every check. */
typedef struct mw_binding {
  int64_t batch, heads;
  int64_t *spaces;                        /* size of each token space */
  mw_bound_arg *args;                     /* indexed like kernel->args, as are: */
  int64_t (*strides)[MIXWRIGHT_MAX_RANK]; /* in elements */
  int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
  int64_t workspace_bytes;
} mw_binding;

/* Checks kernel and tensors and fills `binding`. The arguments of kind workspace
 * have `data` NULL and `batch_stride`, `head_stride` set as if they began there. */
mixwright_status mw_bind(const mixwright_kernel *kernel, DLTensor *const *tensors,
                         int32_t num_tensors, mixwright_layout layout, mw_binding *binding);
void mw_unbind(mw_binding *binding);

/* Gives every workspace its place in `memory`. */
void mw_place_workspaces(const mixwright_kernel *kernel, mw_binding *binding, char *memory);

#endif /* MIXWRIGHT_RUNTIME_INTERNAL_H */
