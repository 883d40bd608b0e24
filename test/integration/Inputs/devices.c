/* One object on every device that there is: devices.c KERNEL=mixwright_kernel_...
 *
 * Draws the tensors of calls of many shapes, runs each call on the CPU and, with the same kernel
 * constant, on a CUDA and a HIP device, and compares. Memory of devices is had from the
 * driver as a caller would have it. Prints a line per kind of device: how many calls agreed, or
 * why it was skipped. */
#include "mixwright/device.h"
#include "runtime/gpu/driver.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const mixwright_kernel KERNEL;

enum { MAX_TENSORS = 16 };

typedef struct {
  int64_t tokens, batch, heads, heads_of_others;
  mixwright_layout layout;
  int has_states;
  int is_packed; /* `tokens` in all: the batch are sequences of different lengths */
} problem;

/* A float32 tensor in memory of the host, and of the device if there is one. */
typedef struct {
  const mixwright_arg *arg;
  int64_t shape[MIXWRIGHT_MAX_RANK + 2], elements;
  DLTensor view, device_view;
  float *data;
  void *device_data;
} tensor;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, mixwright_last_error());
  exit(1);
}

static void require(mixwright_status status, const char *what) {
  if (status != MIXWRIGHT_OK)
    fail(what);
}

static int is_result(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_OUTPUT || arg->kind == MIXWRIGHT_STATE_OUT;
}

static int has_tokens(const mixwright_arg *arg) {
  for (int d = 0; d < arg->rank; ++d)
    if (arg->dims[d].space >= 0)
      return 1;
  return 0;
}

static int is_state(const mixwright_arg *arg) {
  return arg->kind == MIXWRIGHT_STATE_IN || arg->kind == MIXWRIGHT_STATE_OUT;
}

/*===-- Tensors ----------------------------------------------------------===*/

/* Decays have one number per token, and must be negative. */
static float draw(const tensor *t) {
  float x = (float)rand() / (float)RAND_MAX;
  return t->arg->rank == 1 && !is_state(t->arg) ? -0.5f * x : x - 0.5f;
}

static void fill(tensor *t) {
  for (int64_t n = 0; n < t->elements; ++n)
    t->data[n] = is_result(t->arg) ? NAN : draw(t);
}

static int64_t get_size(const mixwright_dim *dim, const problem *p) {
  const mixwright_space *space = dim->space >= 0 ? &KERNEL.spaces[dim->space] : NULL;
  if (!space)
    return dim->size;
  return space->block > 0 ? (p->tokens + space->block - 1) / space->block : p->tokens;
}

static void make(tensor *t, const mixwright_arg *arg, const problem *p, int64_t heads) {
  memset(t, 0, sizeof *t);
  t->arg = arg;
  int ndim = 0, is_token_first = arg->rank > 0 && arg->dims[0].space >= 0;
  int heads_later = p->layout == MIXWRIGHT_BTHD && is_token_first && arg->kind != MIXWRIGHT_PARAM;
  if (arg->kind != MIXWRIGHT_PARAM && !(p->is_packed && has_tokens(arg)))
    t->shape[ndim++] = p->batch;
  if (heads_later)
    t->shape[ndim++] = get_size(&arg->dims[0], p);
  t->shape[ndim++] = heads;
  for (int d = heads_later; d < arg->rank; ++d)
    t->shape[ndim++] = get_size(&arg->dims[d], p);
  t->elements = 1;
  for (int d = 0; d < ndim; ++d)
    t->elements *= t->shape[d];
  t->data = malloc((size_t)t->elements * sizeof(float) + 1);
  DLTensor view = {t->data, {kDLCPU, 0}, ndim, {kDLFloat, 32, 1}, t->shape, NULL, 0};
  t->view = view;
  fill(t);
}

/* The first input has all heads, the others perhaps fewer. */
static int32_t make_all(tensor *tensors, const problem *p) {
  int32_t count = 0;
  for (int32_t n = 0; n < KERNEL.num_args && count < MAX_TENSORS; ++n) {
    const mixwright_arg *arg = &KERNEL.args[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE)
      continue;
    int is_other = arg->kind == MIXWRIGHT_INPUT && count > 0;
    make(&tensors[count++], arg, p, is_other ? p->heads_of_others : p->heads);
  }
  return count;
}

/* What the runtime takes; states are left out where the call is to have none. */
static void list(tensor *tensors, int32_t count, const problem *p, int on_device,
                 DLTensor **views) {
  for (int32_t n = 0; n < count; ++n)
    views[n] = is_state(tensors[n].arg) && !p->has_states ? NULL
               : on_device                                ? &tensors[n].device_view
                                                          : &tensors[n].view;
}

/*===-- Devices ----------------------------------------------------------===*/

static void check(const mw_device *device, int error, const char *what) {
  if (error) {
    mw_fail_driver(device, error, what);
    fail("driver");
  }
}

static void to_device(const mw_device *device, DLDevice which, tensor *t) {
  size_t bytes = (size_t)t->elements * sizeof(float);
  t->device_view = t->view;
  t->device_view.device = which;
  t->device_view.data = NULL;
  if (bytes == 0)
    return;
  check(device, device->driver->allocate(&t->device_data, bytes), "allocates");
  check(device, device->driver->copy_to_device(t->device_data, t->data, bytes), "copies");
  t->device_view.data = t->device_data;
}

/* Some of the tokens, none, one, and the rest. */
static int32_t starts[] = {0, 30, 30, 31, 0};
static int64_t num_starts = sizeof starts / sizeof starts[0];

static mixwright_packing pack(DLTensor *offsets, const problem *p) {
  starts[num_starts - 1] = (int32_t)p->tokens;
  DLTensor view = {starts, {kDLCPU, 0}, 1, {kDLInt, 32, 1}, &num_starts, NULL, 0};
  *offsets = view;
  mixwright_packing packing = {NULL, offsets};
  return packing;
}

static void launch(const mw_device *device, DLDevice which, DLTensor **views, int32_t count,
                   const problem *p) {
  DLTensor offsets;
  mixwright_packing packing = pack(&offsets, p);
  mixwright_launch_options options = {
      .layout = p->layout, .packings = &packing, .num_packings = p->is_packed};
  offsets.device = which;
  check(device, device->driver->allocate(&offsets.data, sizeof starts), "allocates");
  check(device, device->driver->copy_to_device(offsets.data, starts, sizeof starts), "copies");
  require(
      mixwright_launch_workspace_bytes(&KERNEL, views, count, &options, &options.workspace_bytes),
      "workspace");
  if (options.workspace_bytes)
    check(device, device->driver->allocate(&options.workspace, options.workspace_bytes),
          "allocates");
  check(device, device->driver->create_stream(&options.stream, 0), "makes a stream");
  require(mixwright_launch(&KERNEL, views, count, &options), "launch");
  check(device, device->driver->wait_for_stream(options.stream), "runs a kernel");
  check(device, device->driver->destroy_stream(options.stream), "ends a stream");
  if (options.workspace)
    check(device, device->driver->release(options.workspace), "frees");
  check(device, device->driver->release(offsets.data), "frees");
}

/* Whether what came back is what the CPU computed, which is in `t->data`. */
static int agrees(const mw_device *device, const tensor *t, int64_t tokens) {
  size_t bytes = (size_t)t->elements * sizeof(float);
  float *got = malloc(bytes + 1);
  double error = 0, size = 0;
  if (bytes)
    check(device, device->driver->copy_to_host(got, t->device_data, bytes), "copies");
  for (int64_t n = 0; n < t->elements; ++n) {
    error += pow((double)got[n] - t->data[n], 2);
    size += pow(t->data[n], 2);
  }
  free(got);
  int is_close = error <= 1e-7 * size; /* false if there is a NaN */
  if (!is_close)
    fprintf(stderr, "T=%d '%s': error %g of %g\n", (int)tokens, t->arg->name, error, size);
  return is_close;
}

/*===-- Calls ------------------------------------------------------------===*/

/* Runs one call on the CPU and, unless it is NULL, on a device. */
static int run(const problem *p, const mw_device *device, DLDevice which) {
  tensor tensors[MAX_TENSORS];
  DLTensor *views[MAX_TENSORS];
  int is_right = 1;
  int32_t count = make_all(tensors, p);
  for (int32_t n = 0; device && n < count; ++n)
    to_device(device, which, &tensors[n]);
  DLTensor offsets;
  mixwright_packing packing = pack(&offsets, p);
  mixwright_options options = {
      .layout = p->layout, .packings = &packing, .num_packings = p->is_packed};
  list(tensors, count, p, 0, views);
  require(mixwright_run(&KERNEL, views, count, &options), "CPU");
  if (device) {
    list(tensors, count, p, 1, views);
    launch(device, which, views, count, p);
  }
  for (int32_t n = 0; n < count; ++n) {
    if (device && is_result(tensors[n].arg) && views[n])
      is_right &= agrees(device, &tensors[n], p->tokens);
    if (tensors[n].device_data)
      check(device, device->driver->release(tensors[n].device_data), "frees");
    free(tensors[n].data);
  }
  return is_right;
}

static const problem problems[] = {
    {0, 1, 2, 2, MIXWRIGHT_BTHD, 1, 0},   {1, 2, 1, 1, MIXWRIGHT_BTHD, 0, 0},
    {5, 1, 2, 1, MIXWRIGHT_BHTD, 1, 0},   {64, 0, 2, 2, MIXWRIGHT_BTHD, 1, 0},
    {67, 2, 4, 2, MIXWRIGHT_BTHD, 1, 0},  {131, 1, 2, 2, MIXWRIGHT_BHTD, 0, 0},
    {131, 4, 2, 1, MIXWRIGHT_BTHD, 1, 1}, {101, 4, 2, 2, MIXWRIGHT_BHTD, 0, 1},
};

static int run_all(const char *name, DLDevice which) {
  const mw_device *device = NULL;
  int before = 0, passed = 0, total = (int)(sizeof problems / sizeof problems[0]);
  if (which.device_type != kDLCPU) {
    if (mw_get_device(which, &device) != MIXWRIGHT_OK) {
      printf("%s: skipped: %s\n", name, mixwright_last_error());
      return 1;
    }
    require(mw_enter_device(device, &before), "device");
  }
  for (int n = 0; n < total; ++n)
    passed += run(&problems[n], device, which);
  if (device) {
    mw_leave_device(device, before);
    require(mixwright_unload(&KERNEL), "unload");
  }
  printf("%s: %d of %d calls agree\n", name, passed, total);
  return passed == total;
}

int main(void) {
  DLDevice cpu = {kDLCPU, 0}, cuda = {kDLCUDA, 1}, hip = {kDLROCM, 1};
  int is_right = run_all("cpu", cpu);
  is_right &= run_all("cuda", cuda);
  is_right &= run_all("hip", hip);
  return !is_right;
}
