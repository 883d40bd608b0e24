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
#define MIXWRIGHT_ABI_VERSION 2

/* How the names of exported kernels begin. */
#define MIXWRIGHT_KERNEL_PREFIX "mixwright_kernel_"

/* The most dimensions that a declared tensor may have (batch and head excluded). */
#define MIXWRIGHT_MAX_RANK 4

typedef enum mixwright_dtype {
  MIXWRIGHT_F32 = 0,
  MIXWRIGHT_F64 = 1,
  MIXWRIGHT_I32 = 2,
  MIXWRIGHT_I64 = 3
} mixwright_dtype;

typedef enum mixwright_arg_kind {
  MIXWRIGHT_INPUT = 0,    /* varies with batch and head */
  MIXWRIGHT_PARAM = 1,    /* shared by the batch, perhaps per head */
  MIXWRIGHT_STATE_IN = 2, /* may be absent (null): the spec's initial value is used */
  MIXWRIGHT_OUTPUT = 3,
  MIXWRIGHT_STATE_OUT = 4, /* may be absent (null): not written */
  MIXWRIGHT_WORKSPACE = 5  /* provided by the runtime or the caller, contiguous */
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
} mixwright_arg;

/* A token space. Its size is bound by the tensors of a call, or, if `block` > 0,
 * it is ceil(size of spaces[base] / block). */
typedef struct mixwright_space {
  const char *name;
  int32_t base;
  int64_t block;
} mixwright_space;

/* What a task sees of one instance. All arrays are indexed by the argument's
 * place in mixwright_kernel.args; strides and sizes are in elements. The last
 * feature dimension of every tensor has stride 1. */
typedef struct mixwright_instance {
  void *const *data; /* start of this batch entry and head */
  const int64_t (*strides)[MIXWRIGHT_MAX_RANK];
  const int64_t (*sizes)[MIXWRIGHT_MAX_RANK];
} mixwright_instance;

/* Runs task (feature_block, token_block). `scratch` holds scratch_bytes bytes,
 * aligned to 64; its contents on entry are arbitrary. Reentrant. */
typedef void (*mixwright_phase_fn)(const mixwright_instance *instance, int64_t feature_block,
                                   int64_t token_block, void *scratch);

typedef struct mixwright_phase {
  mixwright_phase_fn run;
  int64_t feature_blocks; /* >= 1 */
  int32_t space;          /* token blocks = ceil(size of the space / rows); -1: one block */
  int64_t rows;
  int32_t last_first; /* non-zero: later token blocks cost more, start with them */
  int64_t scratch_bytes;
} mixwright_phase;

/* A mixer in one form. Compiled for several processors, it is a list: the best first;
 * those that follow have the same arguments, workspaces apart. */
typedef struct mixwright_kernel {
  uint32_t abi_version;
  const char *mixer;
  const char *form;   /* "recurrent", "chunked" */
  const char *target; /* "x86-64-v4", ... */
  uint64_t needs;     /* features of the processor, as bits of mixwright/x86_features.def */
  int32_t num_spaces;
  const mixwright_space *spaces;
  int32_t num_args;
  const mixwright_arg *args;
  int32_t num_phases;
  const mixwright_phase *phases;
  const struct mixwright_kernel *next; /* for a processor that lacks what this one needs */
} mixwright_kernel;

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_ABI_H */
