/*===- launch.c - Launch the phases of a kernel on a device ---------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* A call is checked and bound by the same code as one of the CPU; what is left is to write it
|* down as `mixwright_device_call` and to launch a grid per phase.
|*
\*===----------------------------------------------------------------------===*/

#include "mixwright/device.h"
#include "runtime/gpu/module.h"
#include <stdlib.h>

#define FAIL(...) return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, __VA_ARGS__)

/*===----------------------------------------------------------------------===*\
|* The call
\*===----------------------------------------------------------------------===*/

/* Everything that a launch needs. */
typedef struct {
  const mw_device *device;
  const mixwright_kernel *kernel; /* the one of its list that runs there */
  mw_binding binding;
} device_call;

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

/* What the device call of this version cannot say. */
static mixwright_status check_kinds(const mixwright_kernel *kernel) {
  for (int32_t n = 0; n < kernel->num_args; ++n)
    if (kernel->args[n].kind >= MIXWRIGHT_STATE)
      return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                     "kernel '%s': argument '%s' is a %s, which no "
                     "kernel of a device has",
                     kernel->mixer, kernel->args[n].name, mw_kind_name(&kernel->args[n]));
  return MIXWRIGHT_OK;
}

/* Kernels count tokens, heads and instances in 31 bits. */
static mixwright_status check_counts(const device_call *call) {
  const mw_binding *binding = &call->binding;
  int64_t instances;
  int fits =
      !__builtin_mul_overflow(binding->batch, binding->heads, &instances) && instances <= INT32_MAX;
  for (int32_t n = 0; fits && n < call->kernel->num_spaces; ++n)
    fits = binding->spaces[n] <= INT32_MAX;
  if (!fits)
    return mw_fail(MIXWRIGHT_UNSUPPORTED,
                   "mixer '%s': more tokens, heads or sequences than a "
                   "device counts",
                   call->kernel->mixer);
  return MIXWRIGHT_OK;
}

static mixwright_status bind_call(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                  int32_t num_tensors, mixwright_layout layout, device_call *call) {
  DLDevice which;
  MW_CHECK(mw_check_version(kernel));
  MW_CHECK(find_device(kernel, tensors, num_tensors, &call->device, &which));
  MW_CHECK(mw_select(kernel, call->device, &call->kernel));
  MW_CHECK(check_kinds(call->kernel));
  mixwright_options options = {.layout = layout};
  MW_CHECK(mw_bind(call->kernel, tensors, num_tensors, &options, which, &call->binding));
  mixwright_status status = check_counts(call);
  if (status != MIXWRIGHT_OK)
    mw_unbind(&call->binding);
  return status;
}

/*===----------------------------------------------------------------------===*\
|* The parameter of the kernels
\*===----------------------------------------------------------------------===*/

static mixwright_device_tensor describe_tensor(const device_call *call, int32_t index) {
  const mw_bound_arg *bound = &call->binding.args[index];
  int64_t bytes = mw_element_bytes(&call->kernel->args[index]);
  mixwright_device_tensor tensor = {.data = bound->data,
                                    .batch_stride = bound->batch_stride / bytes,
                                    .head_stride = bound->head_stride / bytes,
                                    .head_group = bound->heads_each};
  for (int d = 0; d < MIXWRIGHT_MAX_RANK; ++d) {
    tensor.strides[d] = call->binding.strides[index][d];
    tensor.sizes[d] = call->binding.sizes[index][d];
  }
  return tensor;
}

/* Of the host, and the caller's to free; NULL if there is no memory. */
static mixwright_device_call *describe_call(const device_call *call) {
  mixwright_device_call *result =
      calloc(1, sizeof *result + (size_t)call->kernel->num_args * sizeof result->tensors[0]);
  if (!result)
    return NULL;
  result->heads = call->binding.heads;
  result->instances = call->binding.batch * call->binding.heads;
  for (int32_t n = 0; n < call->kernel->num_args; ++n)
    result->tensors[n] = describe_tensor(call, n);
  return result;
}

/*===----------------------------------------------------------------------===*\
|* Launches
\*===----------------------------------------------------------------------===*/

/* The blocks of a phase. CUDA counts 2^31 - 1 of them, HIP 2^32 - 1 threads. */
static mixwright_status count_blocks(const device_call *call, const mixwright_phase *phase,
                                     mixwright_device_call *parameter, unsigned *blocks) {
  int64_t size = phase->space < 0 ? 1 : call->binding.spaces[phase->space];
  int64_t rows = phase->space < 0 ? 1 : phase->rows, count, threads;
  parameter->token_blocks = size / rows + (size % rows != 0);
  if (__builtin_mul_overflow(parameter->token_blocks, parameter->instances, &count) ||
      __builtin_mul_overflow(count, phase->feature_blocks, &count) ||
      __builtin_mul_overflow(count, phase->threads, &threads) || count > INT32_MAX ||
      (call->device->driver->device_type == kDLROCM && threads > UINT32_MAX))
    return mw_fail(MIXWRIGHT_UNSUPPORTED, "mixer '%s': more blocks than a launch can count",
                   call->kernel->mixer);
  *blocks = (unsigned)count;
  return MIXWRIGHT_OK;
}

static mixwright_status launch_phase(const device_call *call, const mixwright_phase *phase,
                                     void *function, mixwright_device_call *parameter,
                                     void *stream) {
  unsigned blocks;
  MW_CHECK(count_blocks(call, phase, parameter, &blocks));
  if (blocks == 0)
    return MIXWRIGHT_OK;
  void *parameters[] = {parameter};
  int error =
      call->device->driver->launch(function, blocks, 1, 1, (unsigned)phase->threads, 1, 1,
                                   (unsigned)phase->scratch_bytes, stream, parameters, NULL);
  return error ? mw_fail_driver(call->device, error, "refuses a launch") : MIXWRIGHT_OK;
}

/* On the current device. */
static mixwright_status launch_phases(const device_call *call, void *stream) {
  void *const *functions;
  MW_CHECK(mw_get_functions(call->kernel, call->device, &functions));
  mixwright_device_call *parameter = describe_call(call);
  if (!parameter)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "no memory to describe a call of '%s'",
                   call->kernel->mixer);
  mixwright_status status = MIXWRIGHT_OK;
  for (int32_t n = 0; n < call->kernel->num_phases && status == MIXWRIGHT_OK; ++n)
    status = launch_phase(call, &call->kernel->phases[n], functions[n], parameter, stream);
  free(parameter);
  return status;
}

static mixwright_status launch_bound(device_call *call, const mixwright_launch_options *options) {
  char *workspace = options->workspace;
  MW_CHECK(mw_check_workspace(workspace, workspace ? options->workspace_bytes : 0, &call->binding));
  mw_place_workspaces(call->kernel, &call->binding, workspace);
  int before;
  MW_CHECK(mw_enter_device(call->device, &before));
  mixwright_status status = launch_phases(call, options->stream);
  mw_leave_device(call->device, before);
  return status;
}

static const mixwright_launch_options defaults;

mixwright_status mixwright_launch(const mixwright_kernel *kernel, DLTensor *const *tensors,
                                  int32_t num_tensors, const mixwright_launch_options *options) {
  options = options ? options : &defaults;
  device_call call;
  MW_CHECK(bind_call(kernel, tensors, num_tensors, options->layout, &call));
  mixwright_status status = launch_bound(&call, options);
  mw_unbind(&call.binding);
  return status;
}

mixwright_status mixwright_launch_workspace_bytes(const mixwright_kernel *kernel,
                                                  DLTensor *const *tensors, int32_t num_tensors,
                                                  const mixwright_launch_options *options,
                                                  size_t *bytes) {
  if (!bytes)
    FAIL("the address of the result is null");
  device_call call;
  MW_CHECK(bind_call(kernel, tensors, num_tensors, (options ? options : &defaults)->layout, &call));
  *bytes = (size_t)call.binding.workspace_bytes;
  mw_unbind(&call.binding);
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
