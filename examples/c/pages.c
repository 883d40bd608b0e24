/* Two sequences, token by token, with their keys and values in pages of one memory:
 *
 *   mixc compile examples/softmax_attention.mix --form step --size K=16,V=24 -o out
 *   cc -Iout examples/c/pages.c out/softmax_attention_step.o -lmixwright_runtime -lm -lpthread
 *
 * What must be kept between calls is in the header: a cache for keys, one for values, and the
 * position. Four query heads share one head of both. The values of token t are all t, and
 * its key is the direction t mod 16. A query that looks for a direction must find the mean of
 * the tokens that had it. */
#include "softmax_attention_step.h"
#include <math.h>
#include <stdio.h>

enum { B = 2, T = 40, H = 4, K = 16, V = 24, ROWS = 16, PAGES = 6 };
static float q[B][1][H][K], k[B][1][1][K], v[B][1][1][V], o[B][1][H][V];
static float keys[PAGES][ROWS][1][K], values[PAGES][ROWS][1][V];

static DLTensor describe(void *data, uint8_t code, uint8_t bits, int ndim, int64_t *shape) {
  DLTensor tensor = {data, {kDLCPU, 0}, ndim, {code, bits, 1}, shape, NULL, 0};
  return tensor;
}

/* Query head 0 looks for the direction of the new token, head h for that of h tokens ago. */
static void make_token(int t) {
  for (int b = 0; b < B; ++b) {
    for (int d = 0; d < K; ++d) {
      k[b][0][0][d] = d == t % K;
      for (int h = 0; h < H; ++h)
        q[b][0][h][d] = d == (t - h + K) % K ? 100.0f : 0.0f;
    }
    for (int d = 0; d < V; ++d)
      v[b][0][0][d] = (float)(b ? -t : t);
  }
}

static int check_outputs(int t) {
  for (int b = 0; b < B; ++b)
    for (int h = 0; h < H && h <= t; ++h) {
      float sum = 0, count = 0;
      for (int past = t - h; past >= 0; past -= K, ++count)
        sum += (float)(b ? -past : past);
      for (int d = 0; d < V; ++d)
        if (fabsf(o[b][0][h][d] - sum / count) > 1e-3f) {
          fprintf(stderr, "sequence %d, token %d, head %d: %g\n", b, t, h, o[b][0][h][d]);
          return 1;
        }
    }
  return 0;
}

int main(void) {
  int64_t queries[] = {B, 1, H, K}, key[] = {B, 1, 1, K}, value[] = {B, 1, 1, V};
  int64_t results[] = {B, 1, H, V}, sequences[] = {B}, position[B];
  int64_t key_pages[] = {PAGES, ROWS, 1, K}, value_pages[] = {PAGES, ROWS, 1, V};
  int32_t pages[B][3] = {{4, 0, 3}, {1, 5, 2}};
  int64_t table_shape[] = {B, 3};

  DLTensor tq = describe(q, kDLFloat, 32, 4, queries), tk = describe(k, kDLFloat, 32, 4, key);
  DLTensor tv = describe(v, kDLFloat, 32, 4, value), to = describe(o, kDLFloat, 32, 4, results);
  DLTensor tp = describe(position, kDLInt, 64, 1, sequences);
  DLTensor kc = describe(keys, kDLFloat, 32, 4, key_pages);
  DLTensor vc = describe(values, kDLFloat, 32, 4, value_pages);
  DLTensor table = describe(pages, kDLInt, 32, 2, table_shape);
  DLTensor *tensors[SOFTMAX_ATTENTION_TENSORS] = {
      [SOFTMAX_ATTENTION_q] = &tq,       [SOFTMAX_ATTENTION_k] = &tk,
      [SOFTMAX_ATTENTION_v] = &tv,       [SOFTMAX_ATTENTION_T_position] = &tp,
      [SOFTMAX_ATTENTION_k_cache] = &kc, [SOFTMAX_ATTENTION_v_cache] = &vc,
      [SOFTMAX_ATTENTION_o] = &to};
  mixwright_block_table tables[] = {{NULL, &table}}; /* of all caches */
  mixwright_options options = {.block_tables = tables, .num_block_tables = 1};

  for (int t = 0; t < T; ++t) {
    position[0] = position[1] = t;
    make_token(t);
    if (mixwright_run(&mixwright_kernel_softmax_attention_step, tensors, SOFTMAX_ATTENTION_TENSORS,
                      &options) != MIXWRIGHT_OK) {
      fprintf(stderr, "%s\n", mixwright_last_error());
      return 1;
    }
    if (check_outputs(t) != 0)
      return 1;
  }
  printf("%d tokens of %d sequences\n", T, B);
  return 0;
}
