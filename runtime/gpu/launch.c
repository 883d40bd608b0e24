/*===- launch.c - Launch the phases of a kernel on a device ---------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "mixwright/device.h"
#include "runtime/gpu/call.h"
#include "runtime/gpu/module.h"

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/* The device of the first tensor that there is. */
static mixwright_status find_device(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                    int32_t num_tensors, const mw_device **device,
                                    DLDevice *which) {
  char text[64];
  const DLTensor *first = NULL;
  for (int32_t n = 0; tensors && n < num_tensors && !first; ++n)
    first = tensors[n];
  if (!first)
    FAIL("mixer '%s': no tensor says on which device it is to run", kernel->mixer);
  *which = first->device;
  if (which->device_type != kDLCUDA && which->device_type != kDLROCM)
    FAIL("mixer '%s': a launch takes tensors in the memory of a CUDA or HIP device, the first is "
         "in memory of %s",
         kernel->mixer, mw_describe_device(*which, text, sizeof text));
  return mw_get_device(*which, device);
}

/* Chooses the kernel of a list, and binds the call. */
static mixwright_status bind_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                  int32_t num_tensors, const mixwright_launch_options *options,
                                  const mw_device **device, mw_device_call *call) {
  mixwright_options given = {.layout = options->layout,
                             .packings = options->packings,
                             .num_packings = options->num_packings,
                             .block_tables = options->block_tables,
                             .num_block_tables = options->num_block_tables,
                             .state_slots = options->state_slots};
  DLDevice which;
  MW_CHECK(mw_check_version(kernel));
  MW_CHECK(find_device(kernel, tensors, num_tensors, device, &which));
  MW_CHECK(mw_select(kernel, *device, &kernel));
  return mw_bind_device_call(kernel, tensors, num_tensors, &given, options->most_tokens, which,
                             call);
}

static mixwright_status launch_phase(mw_device_call *call, const mixwright_phase *phase,
                                     const mw_device *device, void *function, void *stream) {
  uint32_t blocks;
  MW_CHECK(mw_count_blocks(call, phase, &blocks));
  if (blocks == 0)
    return MIXWRIGHT_OK;
  void *parameters[] = {call->parameter};
  int error = device->driver->launch(function, blocks, 1, 1, (unsigned)phase->threads, 1, 1,
                                     (unsigned)phase->scratch_bytes, stream, parameters, NULL);
  return error ? mw_fail_driver(device, error, "refuses a launch") : MIXWRIGHT_OK;
}

/* On the current device. */
static mixwright_status launch_phases(mw_device_call *call, const mw_device *device, void *stream) {
  void *const *functions;
  mixwright_status status = mw_get_functions(call->kernel, device, &functions);
  for (int32_t n = 0; n < call->kernel->num_phases && status == MIXWRIGHT_OK; ++n)
    status = launch_phase(call, &call->kernel->phases[n], device, functions[n], stream);
  return status;
}

static mixwright_status launch_bound(mw_device_call *call, const mw_device *device,
                                     const mixwright_launch_options *options) {
  char *workspace = options->workspace;
  MW_CHECK(mw_check_workspace(workspace, workspace ? options->workspace_bytes : 0, &call->binding));
  MW_CHECK(mw_write_device_call(call, workspace));
  int before;
  MW_CHECK(mw_enter_device(device, &before));
  mixwright_status status = launch_phases(call, device, options->stream);
  mw_leave_device(device, before);
  return status;
}

static const mixwright_launch_options defaults;

mixwright_status mixwright_launch(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                  int32_t num_tensors, const mixwright_launch_options *options) {
  options = options ? options : &defaults;
  const mw_device *device;
  mw_device_call call;
  MW_CHECK(bind_call(kernel, tensors, num_tensors, options, &device, &call));
  mixwright_status status = launch_bound(&call, device, options);
  mw_free_device_call(&call);
  return status;
}

mixwright_status mixwright_launch_workspace_bytes(const mixwright_kernel *kernel,
                                                  DLTensor *const *tensors, int32_t num_tensors,
                                                  const mixwright_launch_options *options,
                                                  size_t *bytes) {
  if (!bytes)
    FAIL("the address of the result is null");
  options = options ? options : &defaults;
  const mw_device *device;
  mw_device_call call;
  MW_CHECK(bind_call(kernel, tensors, num_tensors, options, &device, &call));
  *bytes = (size_t)call.binding.workspace_bytes;
  mw_free_device_call(&call);
  return MIXWRIGHT_OK;
}

mixwright_status mixwright_prepare(const mixwright_kernel *kernel, DLDevice which) {
  MW_CHECK(mw_check_version(kernel));
  const mw_device *device;
  void *const *functions;
  int before;
  MW_CHECK(mw_get_device(which, &device));
  MW_CHECK(mw_select(kernel, device, &kernel));
  MW_CHECK(mw_enter_device(device, &before));
  mixwright_status status = mw_get_functions(kernel, device, &functions);
  mw_leave_device(device, before);
  return status;
}
