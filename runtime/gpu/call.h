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

/* Checks and binds a call with tensors in the memory of `device`; `binding.workspace_bytes` is
 * what it needs. To be freed if this succeeds. */
mixwright_status mw_bind_device_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                     int32_t num_tensors, mixwright_layout layout, DLDevice device,
                                     mw_device_call *call);

/* Writes `parameter`, with the workspaces in `workspace`. */
mixwright_status mw_write_device_call(mw_device_call *call, char *workspace);

/* The blocks of threads of a phase, of which there may be none; writes their number along the
 * tokens into `parameter`. */
mixwright_status mw_count_blocks(mw_device_call *call, const mixwright_phase *phase,
                                 uint32_t *blocks);

void mw_free_device_call(mw_device_call *call);

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_RUNTIME_GPU_CALL_H */
