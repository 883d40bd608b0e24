/*===- abi.h - What generated kernels and the runtime agree on ----*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* The one header that code generation and runtime share. Valid C99, depends on
|* nothing. A compiled mixer is one `mixwright_kernel` constant, exported under
|* `mixwright_kernel_<mixer>_<form>`; it serves every T, B and H.
|*
|* An *instance* is one head of one batch entry. A kernel is a list of *phases*,
|* run one after the other; a phase is a grid of independent tasks per instance:
|* `feature_blocks` x `token_blocks`. Phases talk through workspaces.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_ABI_H
#define MIXWRIGHT_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a struct of this header changes; kernels of another version
 * are refused. */
#define MIXWRIGHT_ABI_VERSION 5

/* How the names of exported kernels begin. */
#define MIXWRIGHT_KERNEL_PREFIX "mixwright_kernel_"

/* The most dimensions that a declared tensor may have (batch and head excluded). */
#define MIXWRIGHT_MAX_RANK 4

typedef enum mixwright_dtype {
  MIXWRIGHT_F32 = 0,
  MIXWRIGHT_F64 = 1,
  MIXWRIGHT_I32 = 2,
  MIXWRIGHT_I64 = 3,
  MIXWRIGHT_BF16 = 4, /* bfloat16: DLPack kDLBfloat with 16 bits */
  MIXWRIGHT_F16 = 5   /* IEEE 754 binary16: kDLFloat with 16 bits */
} mixwright_dtype;

typedef enum mixwright_arg_kind {
  MIXWRIGHT_INPUT = 0,    /* varies with batch and head */
  MIXWRIGHT_PARAM = 1,    /* shared by the batch, perhaps per head */
  MIXWRIGHT_STATE_IN = 2, /* may be absent (null): the spec's initial value is used */
  MIXWRIGHT_OUTPUT = 3,
  MIXWRIGHT_STATE_OUT = 4, /* may be absent (null): not written */
  MIXWRIGHT_WORKSPACE = 5, /* provided by the runtime or the caller, contiguous */
  MIXWRIGHT_STATE = 6,     /* what earlier tokens left, updated in place; at position 0
                            * its contents on entry are arbitrary */
  MIXWRIGHT_CACHE = 7,     /* a row per earlier token; the call appends its own */
  MIXWRIGHT_POSITION = 8   /* int64, rank 0: the number of earlier tokens */
} mixwright_arg_kind;

/* One dimension of a declared tensor: a fixed feature size, or a token space. */
typedef struct mixwright_dim {
  const char *axis; /* the name in the spec: "K", "T" */
  int64_t size;     /* > 0: fixed when the kernel was compiled; -1: given by `space` */
  int32_t space;    /* index into mixwright_kernel.spaces, or -1 */
} mixwright_dim;

typedef struct mixwright_arg {
  const char *name;
  mixwright_arg_kind kind;
  mixwright_dtype dtype;
  int32_t rank;
  mixwright_dim dims[MIXWRIGHT_MAX_RANK];
  /* Of a cache. Its first dimension is a space of all tokens. The token at position i
   * reads rows j <= i with i - j < window, or all of them if window is 0. A row is made
   * of the arguments `sources`, whose numbers of heads must divide the cache's; none:
   * of any, so that the cache has all heads. Two caches that are sources of each other
   * have equally many. */
  int64_t window;
  int32_t num_sources;
  const int32_t *sources;
} mixwright_arg;

/* A token space. Without a base its size is bound by the tensors of a call. The base
 * is the place of a space before this one, and the size then
 *   ceil(size of the base / block)   if block > 0,
 *   position + size of the base      if block is 0: all tokens, earlier ones too. */
typedef struct mixwright_space {
  const char *name;
  int32_t base; /* -1: none */
  int64_t block;
} mixwright_space;

/* Where the rows of a cache are: row p of the sequence is in page
 * (p / page_rows) mod pages, and begins at the element
 *   (table ? table[page] : page) * page_stride + (p mod page_rows) * strides[0]
 * So a cache that lies in one piece is a single page, and one that keeps a window of
 * rows wraps around. `page_rows` is a multiple of mixwright_kernel.cache_block: as many
 * rows, from a multiple of it on, lie in one page. Not every such row need be the
 * caller's memory: only those of positions that exist are, and of them those outside
 * the window may be overwritten. */
typedef struct mixwright_paging {
  const int32_t *table; /* of this sequence; NULL: pages are in order */
  int64_t pages, page_rows, page_stride;
} mixwright_paging;

/* What a task sees of one instance. All arrays are indexed by the argument's
 * place in mixwright_kernel.args; strides and sizes are in elements. The last
 * feature dimension of every tensor has stride 1. The first size of a cache is the
 * number of all tokens, not of the rows that there is memory for. */
typedef struct mixwright_instance {
  void *const *data; /* start of this batch entry and head */
  const int64_t (*strides)[MIXWRIGHT_MAX_RANK];
  const int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
  const mixwright_paging *paging; /* of caches only */
} mixwright_instance;

/* Runs task (feature_block, token_block). `scratch` holds scratch_bytes bytes,
 * aligned to 64; its contents on entry are arbitrary. Reentrant. */
typedef void (*mixwright_phase_fn)(const mixwright_instance *instance, int64_t feature_block,
                                   int64_t token_block, void *scratch);

typedef struct mixwright_phase {
  mixwright_phase_fn run; /* null on a device, where a task is a block of threads */
  int64_t feature_blocks; /* >= 1 */
  int32_t space;          /* token blocks = ceil(size of the space / rows); -1: one block */
  int64_t rows;
  int32_t last_first;    /* non-zero: later token blocks cost more, start with them */
  int64_t scratch_bytes; /* on a device: dynamic shared memory of a block */
  /* A phase that appends to a cache runs once per head of it, where query heads may be
   * more: the place of that argument. -1: once per head. */
  int32_t heads_of;
  int32_t threads;      /* on a device: of a block */
  const char *function; /* on a device: the name of its kernel in the image, else null */
} mixwright_phase;

/* Code for a device, as its driver loads it. */
typedef struct mixwright_image {
  int32_t device_type;  /* of DLPack: kDLCUDA or kDLROCM */
  int32_t architecture; /* CUDA: 10 * major + minor of the compute capability; HIP: 0, since
                         * mixwright_kernel.target is the name of the chip */
  int32_t is_portable;  /* non-zero: the driver compiles it for later architectures too */
  int64_t bytes;
  const void *data; /* `bytes` bytes and a zero behind them */
  /* The same in machine code for this very architecture, so that the driver has nothing to compile.
   * One that is older than the tools it was made with may refuse it. Null: there is none. */
  const void *assembled;
} mixwright_image;

/* A mixer in one form. Compiled for several processors, it is a list: the best first, those
 * for devices last; those that follow have the same arguments, workspaces apart. */
typedef struct mixwright_kernel {
  uint32_t abi_version;
  const char *mixer;
  const char *form;   /* "recurrent", "chunked", "step", "prefill" */
  const char *target; /* "x86-64-v4", ... */
  uint64_t needs;     /* features of the processor, as bits of mixwright/x86_features.def */
  int32_t num_spaces;
  const mixwright_space *spaces;
  int32_t num_args;
  const mixwright_arg *args;
  int32_t num_phases;
  const mixwright_phase *phases;
  int64_t cache_block;                 /* rows of a cache that are read at once; 1 without caches */
  const mixwright_image *image;        /* null: code for the CPU */
  const struct mixwright_kernel *next; /* for a processor that lacks what this one needs */
} mixwright_kernel;

/* Whole numbers in the memory of a device, int32 or int64. Devices count tokens in 31 bits and
 * are little-endian, so that kernels read 32 bits of either. */
typedef struct mixwright_device_vector {
  const void *data; /* null: there are none */
  int64_t stride;   /* in bytes */
} mixwright_device_vector;

/* A token space of a call on a device. */
typedef struct mixwright_device_space {
  int64_t size; /* of every sequence, unless it is packed or follows from another space */
  mixwright_device_vector starts; /* cu_seqlens; none: it is not packed, or has a base */
} mixwright_device_space;

/* One tensor of a call on a device. Strides are in elements. Sequence b and head h of the call
 * have the elements at data + b * batch_stride + (h / head_group) * head_stride, and those of a
 * packed dimension begin further on:
 *   at starts[b]                   along a space without a base,
 *   after the blocks of all sequences before b      along blocks, of a tensor of the caller,
 *   at floor(starts[b] / block) + b                 along blocks, of a workspace.
 * The last of these needs no sum; no two sequences meet there, since
 * floor((s + t) / block) + 1 >= floor(s / block) + ceil(t / block). Caches have no packed
 * dimension, and a state is that of slot slots[b], if there are slots. */
typedef struct mixwright_device_tensor {
  void *data; /* null: absent */
  int64_t batch_stride;
  int64_t head_stride;
  int64_t head_group; /* heads of the call for one head of this tensor, >= 1 */
  int64_t strides[MIXWRIGHT_MAX_RANK];
} mixwright_device_tensor;

/* Where the rows of a cache are: `mixwright_paging`, the table of sequence b being
 * table + b * table_stride. */
typedef struct mixwright_device_cache {
  const int32_t *table; /* NULL: pages are in order */
  int64_t table_stride;
  int64_t pages, page_rows, page_stride;
} mixwright_device_cache;

/* The one parameter of a device kernel, by value: this, and behind it a
 * `mixwright_device_space` for each space of the kernel, a `mixwright_device_tensor` for each
 * argument, and a `mixwright_device_cache` for each that is a cache, in order.
 *
 * A phase is one launch of token_blocks * instances * feature_blocks blocks of threads, in one
 * dimension, the feature block the fastest and the token block the slowest. An instance is
 * (sequence, head), the head the fastest. Sequences may have fewer token blocks; the rest has
 * nothing to do. Where the phase's space is packed, nobody but the device knows how many there
 * are: an instance is then a head, and the token blocks of all sequences are one list, in which
 * those of sequence b, with r rows each, begin at floor(starts[b] / r) + b (r: in tokens). Phases
 * run one after the other. */
typedef struct mixwright_device_call {
  int64_t sequences;
  int64_t heads;        /* that the phase runs for */
  int64_t head_group;   /* heads of the call for one of these, >= 1 */
  int64_t instances;    /* sequences times heads; of a packed phase: heads */
  int64_t token_blocks; /* at most so many of each sequence; of a packed phase: in the list */
  mixwright_device_vector positions; /* of a kernel that has them */
  mixwright_device_vector slots;     /* none: states are in the order of the sequences */
} mixwright_device_call;

/* The bytes of a parameter before its tensors, before its caches, and all. */
#define MIXWRIGHT_DEVICE_TENSORS(spaces)                                                           \
  (sizeof(mixwright_device_call) + (size_t)(spaces) * sizeof(mixwright_device_space))
#define MIXWRIGHT_DEVICE_CACHES(spaces, args)                                                      \
  (MIXWRIGHT_DEVICE_TENSORS(spaces) + (size_t)(args) * sizeof(mixwright_device_tensor))
#define MIXWRIGHT_DEVICE_BYTES(spaces, args, caches)                                               \
  (MIXWRIGHT_DEVICE_CACHES(spaces, args) + (size_t)(caches) * sizeof(mixwright_device_cache))

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_ABI_H */
