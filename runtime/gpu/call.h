/*===- call.h - A call as kernels of devices take it --------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* Needs no driver: the emulator's calls (tools/driver/Emulate.cpp) are made here too.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_GPU_CALL_H
#define MIXWRIGHT_RUNTIME_GPU_CALL_H

#include "runtime/internal.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mw_device_call {
  const mixwright_kernel *kernel; /* one with an image */
  mw_binding binding;
  mixwright_device_call *parameter; /* of its kernels, once written */
} mw_device_call;

/* Checks and binds a call with tensors in the memory of `device`, where offsets, tables and slots
 * of the options are too; `binding.workspace_bytes` is what it needs. `most_tokens` as in
 * `mixwright_launch_options`. To be freed if this succeeds. */
mixwright_status mw_bind_device_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                     int32_t num_tensors, const mixwright_options *options,
                                     int64_t most_tokens, DLDevice device, mw_device_call *call);

/* The bytes of `parameter`, which depend on the kernel only. */
size_t mw_get_parameter_bytes(const mixwright_kernel *kernel);

/* Writes `parameter`, with the workspaces in `workspace`. */
mixwright_status mw_write_device_call(mw_device_call *call, char *workspace);

void mw_free_device_call(mw_device_call *call);

/* bounds.c: fills `spaces` with the most that they can be, and measures workspaces. */
mixwright_status mw_bound_device_call(const mixwright_kernel *kernel, int64_t most_tokens,
                                      mw_binding *binding);

/* The blocks of threads of a phase, of which there may be none; writes what kernels know of the
 * phase into `parameter`. */
mixwright_status mw_count_blocks(mw_device_call *call, const mixwright_phase *phase,
                                 uint32_t *blocks);

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_RUNTIME_GPU_CALL_H */
