/* A kernel called from C, with the runtime and nothing else:
 *
 *   mixc compile examples/gated_delta_rule.mix --size K=16,V=24 -o out
 *   cc -Iout examples/c/recall.c out/gated_delta_rule_chunked.o -lmixwright_runtime -lm -lpthread
 *
 * The delta rule is an associative memory. Writing the value of token t under the key
 * t mod 16 and asking for the key after it must recall what was written 15 tokens ago. */
#include "gated_delta_rule_chunked.h"
#include <math.h>
#include <stdio.h>

enum { T = 100, K = 16, V = 24 };
static float q[T][K], k[T][K], v[T][V], g[T], beta[T], o[T][V];

static DLTensor describe(void *data, int ndim, int64_t *shape) {
  DLTensor tensor = {data, {kDLCPU, 0}, ndim, {kDLFloat, 32, 1}, shape, NULL, 0};
  return tensor;
}

int main(void) {
  int64_t keys[] = {1, T, 1, K}, values[] = {1, T, 1, V}, tokens[] = {1, T, 1};
  DLTensor tq = describe(q, 4, keys), tk = describe(k, 4, keys), tv = describe(v, 4, values);
  DLTensor tg = describe(g, 3, tokens), tb = describe(beta, 3, tokens), to = describe(o, 4, values);
  DLTensor *tensors[GATED_DELTA_RULE_TENSORS] = {
      [GATED_DELTA_RULE_q] = &tq, [GATED_DELTA_RULE_k] = &tk,    [GATED_DELTA_RULE_v] = &tv,
      [GATED_DELTA_RULE_g] = &tg, [GATED_DELTA_RULE_beta] = &tb, [GATED_DELTA_RULE_o] = &to};
  for (int t = 0; t < T; ++t) {
    k[t][t % K] = q[t][(t + 1) % K] = beta[t] = 1; /* and g = 0: nothing decays */
    for (int n = 0; n < V; ++n)
      v[t][n] = (float)(t + n);
  }
  if (mixwright_run(&mixwright_kernel_gated_delta_rule_chunked, tensors, GATED_DELTA_RULE_TENSORS,
                    NULL) != MIXWRIGHT_OK) {
    fprintf(stderr, "%s\n", mixwright_last_error());
    return 1;
  }
  for (int t = K; t < T; ++t)
    for (int n = 0; n < V; ++n)
      if (fabsf(o[t][n] - v[t + 1 - K][n] / sqrtf(K)) > 1e-4f) {
        fprintf(stderr, "o[%d][%d] = %g\n", t, n, o[t][n]);
        return 1;
      }
  printf("recalled %d tokens\n", T - K);
  return 0;
}
