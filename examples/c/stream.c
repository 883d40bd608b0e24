/* A kernel on an NVIDIA GPU, called from C on a stream:
 *
 *   mixc compile examples/gated_delta_rule.mix --size K=16,V=24 --target sm_80,sm_90a -o out
 *   cc -Iout -I/usr/local/cuda/include examples/c/stream.c out/gated_delta_rule_chunked.o \
 *      -lmixwright_runtime -lcuda -lm -lpthread
 *
 * The program has a stream, and memory of the device, and gives both to the kernel; that of HIP or
 * of CUDA's runtime will do as well, as will what PyTorch has. Inputs and results are those of
 * recall.c: asking for the key of 15 tokens ago must recall its value. */
#include "gated_delta_rule_chunked.h"
#include <cuda.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { T = 100, K = 16, V = 24 };
static float q[T][K], k[T][K], v[T][V], g[T], beta[T], o[T][V];

static void check(CUresult result, const char *what) {
  const char *name = "";
  if (result == CUDA_SUCCESS)
    return;
  cuGetErrorName(result, &name);
  fprintf(stderr, "%s: %s\n", what, name);
  exit(1);
}

static void check_mixwright(mixwright_status status) {
  if (status == MIXWRIGHT_OK)
    return;
  fprintf(stderr, "%s\n", mixwright_last_error());
  exit(1);
}

/* A copy on device 0 of what the host has. */
static DLTensor copy_to_device(const void *data, int ndim, int64_t *shape) {
  CUdeviceptr address;
  size_t bytes = sizeof(float);
  for (int d = 0; d < ndim; ++d)
    bytes *= (size_t)shape[d];
  check(cuMemAlloc(&address, bytes), "cuMemAlloc");
  check(cuMemcpyHtoD(address, data, bytes), "cuMemcpyHtoD");
  DLTensor tensor = {(void *)address, {kDLCUDA, 0}, ndim, {kDLFloat, 32, 1}, shape, NULL, 0};
  return tensor;
}

static void fill_inputs(void) {
  for (int t = 0; t < T; ++t) {
    k[t][t % K] = q[t][(t + 1) % K] = beta[t] = 1; /* and g = 0: nothing decays */
    for (int n = 0; n < V; ++n)
      v[t][n] = (float)(t + n);
  }
}

static int check_outputs(void) {
  for (int t = K; t < T; ++t)
    for (int n = 0; n < V; ++n)
      if (!(fabsf(o[t][n] - v[t + 1 - K][n] / sqrtf(K)) <= 1e-4f)) {
        fprintf(stderr, "o[%d][%d] = %g\n", t, n, o[t][n]);
        return 1;
      }
  return 0;
}

int main(void) {
  int64_t keys[] = {1, T, 1, K}, values[] = {1, T, 1, V}, tokens[] = {1, T, 1};
  CUdevice device;
  CUcontext context;
  CUstream stream;
  check(cuInit(0), "cuInit");
  check(cuDeviceGet(&device, 0), "cuDeviceGet");
  check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(cuCtxPushCurrent(context), "cuCtxPushCurrent");
  check(cuStreamCreate(&stream, CU_STREAM_DEFAULT), "cuStreamCreate");

  fill_inputs();
  DLTensor tq = copy_to_device(q, 4, keys), tk = copy_to_device(k, 4, keys);
  DLTensor tv = copy_to_device(v, 4, values), tg = copy_to_device(g, 3, tokens);
  DLTensor tb = copy_to_device(beta, 3, tokens), to = copy_to_device(o, 4, values);
  DLTensor *tensors[GATED_DELTA_RULE_TENSORS] = {
      [GATED_DELTA_RULE_q] = &tq, [GATED_DELTA_RULE_k] = &tk,    [GATED_DELTA_RULE_v] = &tv,
      [GATED_DELTA_RULE_g] = &tg, [GATED_DELTA_RULE_beta] = &tb, [GATED_DELTA_RULE_o] = &to};

  const mixwright_kernel *kernel = &mixwright_kernel_gated_delta_rule_chunked;
  mixwright_launch_options options = {.stream = stream};
  check_mixwright(mixwright_launch_workspace_bytes(kernel, tensors, GATED_DELTA_RULE_TENSORS,
                                                   &options, &options.workspace_bytes));
  if (options.workspace_bytes) {
    CUdeviceptr workspace;
    check(cuMemAlloc(&workspace, options.workspace_bytes), "cuMemAlloc");
    options.workspace = (void *)workspace;
  }
  check_mixwright(mixwright_launch(kernel, tensors, GATED_DELTA_RULE_TENSORS, &options));
  check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  check(cuMemcpyDtoH(o, (CUdeviceptr)to.data, sizeof o), "cuMemcpyDtoH");
  if (check_outputs())
    return 1;
  printf("recalled %d tokens\n", T - K);
  return 0;
}
