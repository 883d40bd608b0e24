/*===- internal.h - What the files of the runtime share -----------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_INTERNAL_H
#define MIXWRIGHT_RUNTIME_INTERNAL_H

#include "mixwright/runtime.h"

#ifdef __has_feature
#define MW_HAS_FEATURE(name) __has_feature(name)
#else
#define MW_HAS_FEATURE(name) 0
#endif

#define MW_ALIGNMENT 64

#ifdef __cplusplus
extern "C" {
#endif

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

/* Under the address sanitizer, MW_RED_ZONE bytes stand behind the scratch of a task, and
 * none of them may be touched. */
#if defined(__SANITIZE_ADDRESS__) || MW_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define MW_RED_ZONE 64
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define MW_RED_ZONE 0
#endif

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
|* cpu.c
\*===----------------------------------------------------------------------===*/

/* Checks that this runtime can read the description of a kernel at all. */
mixwright_status mw_check_version(const mixwright_kernel *kernel);

/* Appends to a text of `size` bytes, as far as there is room. */
__attribute__((format(printf, 3, 4))) void mw_append(char *text, size_t size, const char *format,
                                                     ...);

/*===----------------------------------------------------------------------===*\
|* bind.c
\*===----------------------------------------------------------------------===*/

/* One argument of a call: where it is for entry b and head h of H. */
typedef struct mw_bound_arg {
  char *data;           /* NULL: an absent state */
  int64_t batch_stride; /* in bytes; 0 if shared */
  int64_t head_stride;  /* in bytes; 0 if shared */
  int64_t heads_each;   /* H / H_i: this many neighbouring heads share one */
  int64_t bytes;        /* of a workspace: of all entries and heads */
} mw_bound_arg;

/* What a cache has besides. */
typedef struct mw_bound_cache {
  const DLTensor *tables; /* NULL: the rows of a sequence are in order */
  int64_t pages_there;    /* of a paged one: those that there is memory for, */
  int64_t page_stride;    /* in elements */
  int64_t rows;           /* a page or, if not paged, the cache, in whole cache blocks */
} mw_bound_cache;

/* One sequence of a call whose sequences differ in size. */
typedef struct mw_segment {
  int64_t index;     /* its place in cu_seqlens, or in the batch */
  int64_t tokens;    /* its length, summed over the token spaces */
  int64_t workspace; /* where its workspaces begin, in bytes */
} mw_segment;

/* A call that has passed every check. Its *entries* are the batch entries, or, if
 * sequences are packed or have positions, these in the order in which they are run.
 *
 * Of a call on a device nobody here reads where sequences begin, how long they are, and which
 * pages they have: `starts`, `segments` and `positions` stay NULL, and `spaces` has the most that
 * there can be (runtime/gpu/bounds.c). */
typedef struct mw_binding {
  int64_t batch, heads;                   /* number of entries, heads of each */
  int64_t *spaces;                        /* size of each token space, segments together */
  mw_bound_arg *args;                     /* indexed like kernel->args, as are: */
  mw_bound_cache *caches;                 /* (of caches only) */
  int64_t (*strides)[MIXWRIGHT_MAX_RANK]; /* in elements */
  int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
  int64_t workspace_bytes;
  mw_segment *segments;        /* [batch]; NULL: all entries have the same sizes */
  int64_t *segment_sizes;      /* [spaces][batch]: the size of each space, by index */
  int64_t *starts;             /* [spaces][batch + 1]: where each begins; NULL: not packed */
  int is_packed;               /* sequences are behind one another, along all spaces but these: */
  unsigned char *shared;       /* [spaces]: tables that all segments share */
  const DLTensor **cu_seqlens; /* [spaces]: as the caller gave them, or NULL */
  int64_t *positions;          /* [batch], by index; NULL: the kernel asks for none */
  const DLTensor *slots;       /* NULL: states are in the order of the batch, as are: */
  int64_t slots_there;         /* that there is memory for */
  unsigned char *walked;       /* [spaces]: along which new tokens are walked */
  int64_t *new_tokens;         /* [batch], by index */
  int64_t token;               /* the one that is had now; -1: all at once */
  char *workspace;
} mw_binding;

/* What a call knows while its tensors are looked at one by one. */
typedef struct mw_progress {
  const mixwright_kernel *kernel;
  mw_binding *binding;
  mixwright_layout layout;
  DLDevice device;       /* whose memory all tensors are in */
  const char **space_by; /* the argument that bound each space */
  const char *batch_by, *heads_by, *slots_by;
  int64_t *arg_heads; /* -1: the argument has no heads */
  const DLTensor *position;
} mw_progress;

/* Checks a selected kernel and tensors, all of which are to be in the memory of the device, as are
 * offsets and tables of a kernel with an image, and
 * fills `binding`. Workspaces of such a kernel are left to runtime/gpu/bounds.c. If all entries
 * have the same sizes, the arguments of kind workspace have `data` NULL and `batch_stride`,
 * `head_stride` set as if they began there. */
mixwright_status mw_bind(const mixwright_kernel *kernel, DLTensor *const *tensors,
                         int32_t num_tensors, const mixwright_options *options, DLDevice device,
                         mw_binding *binding);

/* Whether the size of a space of the kernel follows from the position. */
int mw_is_history(const mixwright_kernel *kernel, int32_t space);

/* Checks that a caller's workspace is large enough and aligned. */
mixwright_status mw_check_workspace(const void *workspace, size_t bytes, const mw_binding *binding);
void mw_unbind(mw_binding *binding);

static inline int mw_is_written(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_OUTPUT || arg->kind == MIXWRIGHT_STATE_OUT ||
         arg->kind == MIXWRIGHT_STATE || arg->kind == MIXWRIGHT_CACHE;
}

/* Of one size, whatever the tokens are. */
static inline int mw_is_state(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_STATE_IN || arg->kind == MIXWRIGHT_STATE_OUT ||
         arg->kind == MIXWRIGHT_STATE;
}

static inline int mw_may_be_absent(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_STATE_IN || arg->kind == MIXWRIGHT_STATE_OUT;
}

/*===----------------------------------------------------------------------===*\
|* tensor.c
\*===----------------------------------------------------------------------===*/

/* "the CPU", "CUDA device 0": whose memory something is. Writes into `text` if need be. */
const char *mw_describe_device(DLDevice device, char *text, size_t size);

/* "input", "cache". */
const char *mw_kind_name(const mixwright_arg *arg);
int64_t mw_element_bytes(const mixwright_arg *arg);

/* Checks a tensor and binds it: data, strides, sizes, and the axes, batch and heads that
 * it has. The rows of a cache are compared with nothing yet. */
mixwright_status mw_bind_tensor(mw_progress *call, int32_t index, const DLTensor *tensor);

/* Checks that something, which `label` names in messages, is where it is expected. */
mixwright_status mw_check_memory(const char *label, DLDevice got, DLDevice expected);

/*===----------------------------------------------------------------------===*\
|* packed.c
\*===----------------------------------------------------------------------===*/

/* Checks cu_seqlens, before any tensor is looked at, and fills `cu_seqlens` and `batch`. On the
 * CPU it reads them too: fills `starts` and the sizes of the token spaces, those of blocks
 * included. */
mixwright_status mw_bind_packings(const mixwright_kernel *kernel, const mixwright_options *options,
                                  DLDevice device, mw_binding *binding);

/* The space without a base that the sizes of a space follow from. */
int32_t mw_get_root(const mixwright_kernel *kernel, int32_t space);

/* Whether sequences are behind one another along a space: tensors have one dimension of all. */
static inline int mw_is_packed_along(const mixwright_kernel *kernel, const mw_binding *binding,
                                     int32_t space) {
  return binding->is_packed && !binding->shared[space] && !mw_is_history(kernel, space);
}

/*===----------------------------------------------------------------------===*\
|* table.c
\*===----------------------------------------------------------------------===*/

/* Checks the form of a table of whole numbers, a row for each sequence. `label` says in
 * messages what it is, `columns` what its numbers are. */
mixwright_status mw_check_table(const char *label, const DLTensor *table, const char *columns,
                                DLDevice device);

const int32_t *mw_get_row(const DLTensor *table, int64_t sequence);

/* A page or slot that a sequence reads or writes. */
typedef struct mw_use {
  int32_t place;
  int writes;
  int64_t sequence;
} mw_use;

/* Checks that what one sequence writes to no other uses. Sorts. */
mixwright_status mw_check_uses(const char *label, const char *place, mw_use *uses, int64_t count);

/*===----------------------------------------------------------------------===*\
|* slots.c
\*===----------------------------------------------------------------------===*/

/* Checks the form of the slots, before any tensor is looked at. */
mixwright_status mw_bind_slots(const mixwright_kernel *kernel, const mixwright_options *options,
                               DLDevice device, mw_binding *binding);

/* Checks the slots themselves, on the CPU; once the sizes of the segments are known. */
mixwright_status mw_plan_tokens(const mixwright_kernel *kernel, mw_binding *binding);

/* A call with slots for each token is run token by token: this many times. Each run
 * copies the states to the slots where they are updated. */
int64_t mw_count_runs(const mw_binding *binding);
mixwright_status mw_begin_run(const mixwright_kernel *kernel, mw_binding *binding, int64_t run,
                              const mixwright_options *options);

/* Which state of a tensor of states is that of a sequence. */
int64_t mw_get_slot(const mw_binding *binding, int64_t sequence);

/*===----------------------------------------------------------------------===*\
|* run.c
\*===----------------------------------------------------------------------===*/

/* Runs `body` over [0, count) on the threads that the options name. */
mixwright_status mw_parallel_for(const mixwright_options *options, int64_t count,
                                 mixwright_range_fn body, void *data);

/*===----------------------------------------------------------------------===*\
|* cache.c
\*===----------------------------------------------------------------------===*/

/* Checks the form of the block tables, before any tensor is looked at. */
mixwright_status mw_bind_tables(const mixwright_kernel *kernel, const mixwright_options *options,
                                DLDevice device, mw_binding *binding);

/* Copies the positions; once the batch is known. */
mixwright_status mw_bind_positions(const mixwright_kernel *kernel, const DLTensor *position,
                                   mw_binding *binding);

/* Checks the pages of caches and, on the CPU, that caches have room for what the call appends
 * and hold what it reads, and the entries of block tables; once the sizes of the segments are
 * known. */
mixwright_status mw_bind_caches(const mixwright_kernel *kernel, mw_binding *binding);

/* The paging of a cache for the sequence `index`. */
mixwright_paging mw_get_paging(const mw_binding *binding, int32_t arg, int64_t index);

/*===----------------------------------------------------------------------===*\
|* entries.c
\*===----------------------------------------------------------------------===*/

/* Fills `segment_sizes`; again, of the tokens that are had now. */
void mw_fill_segment_sizes(const mixwright_kernel *kernel, mw_binding *binding);
mixwright_status mw_size_segments(const mixwright_kernel *kernel, mw_binding *binding);

/* Chooses the order of the segments, and gives each entry its part of the workspace;
 * after the heads are known. */
mixwright_status mw_order_entries(const mixwright_kernel *kernel, mw_binding *binding);

/* Measures workspaces where all entries have the sizes in `spaces`. They are contiguous; each
 * instance has its own, [B, H, declared..], or, where a dimension is packed, each head,
 * [H, declared..]. */
mixwright_status mw_bind_workspaces(const mixwright_kernel *kernel, mw_binding *binding);

/* Gives every workspace its place in `memory`. */
void mw_place_workspaces(const mixwright_kernel *kernel, mw_binding *binding, char *memory);

/* What the instances of an entry have in common. The arrays are indexed like
 * kernel->args and belong to the caller. */
typedef struct mw_entry {
  char **starts;                          /* of head 0; NULL: an absent state */
  int64_t *head_strides;                  /* in bytes */
  int64_t (*strides)[MIXWRIGHT_MAX_RANK]; /* in elements, as are: */
  int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
  mixwright_paging *paging;
} mw_entry;

void mw_locate_entry(const mixwright_kernel *kernel, const mw_binding *binding, int64_t index,
                     mw_entry *entry);

/* The size of a token space in one entry. */
static inline int64_t mw_space_size(const mw_binding *binding, int32_t space, int64_t entry) {
  if (!binding->segments)
    return binding->spaces[space];
  return binding->segment_sizes[space * binding->batch + binding->segments[entry].index];
}

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_RUNTIME_INTERNAL_H */
