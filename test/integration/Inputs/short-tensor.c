/* Linear attention on a tensor that has MISSING rows fewer than its shape says. */
#include "linear_attention_chunked.h"
#include <stdio.h>
#include <stdlib.h>

#ifndef MISSING
#define MISSING 0
#endif

enum { T = 70, K = 5, V = 7 };

static float *allocate(int rows, int columns) {
  float *data = malloc((size_t)(rows * columns) * sizeof *data);
  for (int n = 0; n < rows * columns; ++n)
    data[n] = 0.5f + (float)(n % 7);
  return data;
}

static DLTensor describe(void *data, int64_t *shape) {
  DLTensor tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, NULL, 0};
  return tensor;
}

int main(void) {
  int64_t keys[] = {T, K}, values[] = {T, V};
  DLTensor q = describe(allocate(T, K), keys), k = describe(allocate(T, K), keys);
  DLTensor v = describe(allocate(T - MISSING, V), values), o = describe(allocate(T, V), values);
  DLTensor *tensors[LINEAR_ATTENTION_TENSORS] = {[LINEAR_ATTENTION_q] = &q,
                                                 [LINEAR_ATTENTION_k] = &k,
                                                 [LINEAR_ATTENTION_v] = &v,
                                                 [LINEAR_ATTENTION_o] = &o};
  mixwright_options options = {.layout = MIXWRIGHT_SINGLE};
  if (mixwright_run(&mixwright_kernel_linear_attention_chunked, tensors, LINEAR_ATTENTION_TENSORS,
                    &options) != MIXWRIGHT_OK) {
    fprintf(stderr, "%s\n", mixwright_last_error());
    return 1;
  }
  DLTensor *all[] = {&q, &k, &v, &o};
  for (int n = 0; n < 4; ++n)
    free(all[n]->data);
  printf("ran\n");
  return 0;
}
