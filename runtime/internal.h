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

/* A check passes on the status of one that failed. */
#define MW_CHECK(call)                                                                             \
  do {                                                                                             \
    mixwright_status status_ = (call);                                                             \
    if (status_ != MIXWRIGHT_OK)                                                                   \
      return status_;                                                                              \
  } while (0)

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

/* One argument of a call: where it is for entry b and head h of H. */
typedef struct mw_bound_arg {
  char *data;           /* NULL: an absent state */
  int64_t batch_stride; /* in bytes; 0 if shared */
  int64_t head_stride;  /* in bytes; 0 if shared */
  int64_t heads_each;   /* H / H_i: this many neighbouring heads share one */
} mw_bound_arg;

/* One sequence of a packed call. */
typedef struct mw_segment {
  int64_t index;     /* its place in cu_seqlens */
  int64_t tokens;    /* its length, summed over the token spaces */
  int64_t workspace; /* where its workspaces begin, in bytes */
} mw_segment;

/* A call that has passed every check. Its *entries* are the batch entries, or, if
 * sequences are packed, the segments in the order in which they are to be run. */
typedef struct mw_binding {
  int64_t batch, heads;                   /* number of entries, heads of each */
  int64_t *spaces;                        /* size of each token space, segments together */
  mw_bound_arg *args;                     /* indexed like kernel->args, as are: */
  int64_t (*strides)[MIXWRIGHT_MAX_RANK]; /* in elements */
  int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
  int64_t workspace_bytes;
  mw_segment *segments;  /* [batch]; NULL: not packed, as are: */
  int64_t *starts;       /* [spaces][batch + 1]: where each segment begins, by index */
  unsigned char *shared; /* [spaces]: tables that all segments share */
  char *workspace;
} mw_binding;

/* Checks a selected kernel and tensors and fills `binding`. If nothing is packed, the arguments
 * of kind workspace have `data` NULL and `batch_stride`, `head_stride` set as if they
 * began there. */
mixwright_status mw_bind(const mixwright_kernel *kernel, DLTensor *const *tensors,
                         int32_t num_tensors, const mixwright_options *options,
                         mw_binding *binding);
void mw_unbind(mw_binding *binding);

int64_t mw_element_bytes(const mixwright_arg *arg);

/* Sizes and strides of a workspace of an entry, and the bytes of one head, aligned.
 * False on overflow. */
int mw_measure_workspace(const mw_binding *binding, const mixwright_arg *arg, int64_t entry,
                         int64_t *sizes, int64_t *strides, int64_t *bytes);

/* Gives every workspace its place in `memory`. */
void mw_place_workspaces(const mixwright_kernel *kernel, mw_binding *binding, char *memory);

/* What the instances of an entry have in common. The arrays are indexed like
 * kernel->args and belong to the caller. */
typedef struct mw_entry {
  char **starts;                          /* of head 0; NULL: an absent state */
  int64_t *head_strides;                  /* in bytes */
  int64_t (*strides)[MIXWRIGHT_MAX_RANK]; /* in elements, as are: */
  int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
} mw_entry;

void mw_locate_entry(const mixwright_kernel *kernel, const mw_binding *binding, int64_t index,
                     mw_entry *entry);

/*===----------------------------------------------------------------------===*\
|* packed.c
\*===----------------------------------------------------------------------===*/

/* Checks and reads cu_seqlens, before any tensor is looked at: fills `starts`,
 * `batch` and the sizes of the token spaces, those of blocks included. */
mixwright_status mw_bind_packings(const mixwright_kernel *kernel, const mixwright_options *options,
                                  mw_binding *binding);

/* Chooses the order of the segments, and gives each its part of the workspace; after
 * the heads are known. */
mixwright_status mw_bind_segments(const mixwright_kernel *kernel, mw_binding *binding);

void mw_locate_segment(const mixwright_kernel *kernel, const mw_binding *binding, int64_t index,
                       mw_entry *entry);

/* The size of a token space in one entry. */
static inline int64_t mw_space_size(const mw_binding *binding, int32_t space, int64_t entry) {
  if (!binding->segments || binding->shared[space])
    return binding->spaces[space];
  const int64_t *starts = binding->starts + space * (binding->batch + 1);
  int64_t index = binding->segments[entry].index;
  return starts[index + 1] - starts[index];
}

#endif /* MIXWRIGHT_RUNTIME_INTERNAL_H */
