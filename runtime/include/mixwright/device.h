/*===- device.h - Run compiled mixers on GPUs ---------------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A kernel that was compiled for GPUs (mixc compile --target sm_80,gfx942) is called
|* like one for the CPU, with tensors in the memory of a GPU, and on a stream:
|*
|*   mixwright_launch_options options = {.stream = stream, .workspace = memory,
|*                                       .workspace_bytes = bytes};
|*   if (mixwright_launch(kernel, tensors, 8, &options) != MIXWRIGHT_OK)
|*     fprintf(stderr, "%s\n", mixwright_last_error());
|*
|* CUDA and HIP are used through their drivers, libcuda.so.1 and libamdhip64.so, which are
|* loaded by the first call that has tensors of such a device: programs link with neither.
|* All work is done in the primary context of the device, that of CUDA's runtime,
|* of HIP and of PyTorch, and the caller's current context or device stays what it was.
|*
|* Functions return statuses and leave messages as those of mixwright/runtime.h do, and may
|* be called from any thread at any time. What goes wrong on the device after a launch, the
|* caller learns where it waits for the stream.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_DEVICE_H
#define MIXWRIGHT_DEVICE_H

#include "mixwright/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is a valid choice for a kernel without workspaces.
 *
 * Packed sequences, block tables and slots are as `mixwright_options` has them, but in the memory
 * of the device, as positions are. A launch reads none of them, since it waits for nothing: what
 * they hold is the caller's to get right, and may change between launches of a captured
 * stream (CUDA graph), whose shapes stay. `state_slots` has one slot for each sequence. */
typedef struct mixwright_launch_options {
  mixwright_layout layout;
  void *stream;    /* CUstream, cudaStream_t or hipStream_t; NULL: the default stream */
  void *workspace; /* memory of the device, aligned to 64, until the stream has passed the call */
  size_t workspace_bytes;
  const mixwright_packing *packings; /* one for every token axis, or none: not packed */
  int32_t num_packings;
  const mixwright_block_table *block_tables; /* none: no cache is paged */
  int32_t num_block_tables;
  const DLTensor *state_slots; /* NULL: states are in the order of the batch */
  /* The most tokens that any sequence has, new ones too; kernels with caches have work and
   * workspaces for so many. 0: as many as the caches have rows for. Must be given where every
   * cache keeps a window only. */
  int64_t most_tokens;
} mixwright_launch_options;

/* The kernel of a list that runs on a device of DLPack (kDLCUDA or kDLROCM and a number): the one
 * for its very architecture, else, on CUDA, the portable one for the highest architecture
 * that is not above the device's.
 *
 * MIXWRIGHT_NO_DRIVER: there is no driver of that kind, or it does not start.
 * MIXWRIGHT_NO_DEVICE: the driver has no device of that number.
 * MIXWRIGHT_UNSUPPORTED: no kernel of the list runs there; the message names all. */
MIXWRIGHT_EXPORT mixwright_status mixwright_select_for_device(const mixwright_kernel *kernel,
                                                              DLDevice device,
                                                              const mixwright_kernel **selected);

/* Loads the kernel into a device, for which the driver may have to compile it. Otherwise the
 * first launch does. Worth a call before time is measured, or before a stream is captured:
 * loading may wait for the device and allocate memory there, what launches never do.
 *
 * Besides the errors of mixwright_select_for_device:
 * MIXWRIGHT_OUT_OF_MEMORY: of the device or of the host.
 * MIXWRIGHT_DEVICE_ERROR: the driver refused the image; the message has its words. */
MIXWRIGHT_EXPORT mixwright_status mixwright_prepare(const mixwright_kernel *kernel,
                                                    DLDevice device);

/* Launches a kernel: one launch of the driver per phase, in order, and nothing else. `tensors`
 * are as `mixwright_run` takes them, but all in the memory of one device, which decides where
 * the kernel runs; every shape, dtype and stride is checked before anything is launched.
 * `tensors` and `options` may be freed on return, memory of the device not before the stream has
 * passed the call. Outputs are written as by `mixwright_run`; their bits do not depend on
 * the batch. `options` may be NULL.
 *
 * Besides the errors of mixwright_prepare:
 * MIXWRIGHT_INVALID_ARGUMENT: as of `mixwright_run`, apart from what offsets, positions and
 * tables hold; a tensor is not in the memory of the
 * device that the first one is in; the workspace is too small or not aligned.
 * MIXWRIGHT_UNSUPPORTED: more blocks or tokens than a launch can count.
 * MIXWRIGHT_DEVICE_ERROR: the driver refused a launch; the message has its words. */
MIXWRIGHT_EXPORT mixwright_status mixwright_launch(const mixwright_kernel *kernel,
                                                   DLTensor *const *tensors, int32_t num_tensors,
                                                   const mixwright_launch_options *options);

/* The bytes of workspace that such a launch needs: checks the call as `mixwright_launch`
 * does and launches nothing. They depend on the device and on the shapes only. */
MIXWRIGHT_EXPORT mixwright_status mixwright_launch_workspace_bytes(
    const mixwright_kernel *kernel, DLTensor *const *tensors, int32_t num_tensors,
    const mixwright_launch_options *options, size_t *bytes);

/* Unloads the kernels of a list from all devices. Needed before the memory of the kernel itself
 * goes (dlclose of its library), and of use where the memory of devices is short. No call
 * may use them at the time, nor any work that was launched be unfinished. */
MIXWRIGHT_EXPORT mixwright_status mixwright_unload(const mixwright_kernel *kernel);

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_DEVICE_H */
