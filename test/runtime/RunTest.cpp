//===- RunTest.cpp - Strides, heads, spaces, blocks, phases ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include <cstring>
#include <gtest/gtest.h>

namespace {

constexpr int64_t K = Call::K;

/// The definition of `block_sums` for one head.
struct Head {
  std::vector<double> o, final;
};

Head define(Call &call, int64_t b, int64_t h, bool withInitial) {
  int64_t tokens = call.x.shape[1], heads = call.o.shape[2];
  int64_t xHead = h / (heads / call.x.shape[2]), gHead = h / (heads / call.g.shape[2]);
  Head result{std::vector<double>(tokens * K), std::vector<double>(K)};
  for (int64_t k = 0; k < K; ++k) {
    double state = withInitial ? call.initial.at({b, h, k}) : 1;
    std::vector<double> running(tokens), sums(tokens / BLOCK_SUMS_BLOCK + 1);
    for (int64_t t = 0; t < tokens; ++t) {
      state = call.g.at({b, t, gHead}) * state + call.w.at({h, k}) * call.x.at({b, t, xHead, k});
      running[t] = state;
      sums[t / BLOCK_SUMS_BLOCK] += state;
    }
    for (int64_t t = 0; t < tokens; ++t)
      result.o[t * K + k] = running[t] + sums[t / BLOCK_SUMS_BLOCK];
    result.final[k] = state;
  }
  return result;
}

void expectDefinition(Call &call, bool withInitial = true) {
  for (int64_t b = 0; b < call.o.shape[0]; ++b)
    for (int64_t h = 0; h < call.o.shape[2]; ++h) {
      Head expected = define(call, b, h, withInitial);
      for (int64_t k = 0; k < K; ++k) {
        for (int64_t t = 0; t < call.o.shape[1]; ++t)
          ASSERT_NEAR(call.o.at({b, t, h, k}), expected.o[t * K + k], 1e-12)
              << "b=" << b << " t=" << t << " h=" << h << " k=" << k;
        ASSERT_NEAR(call.final.at({b, h, k}), expected.final[k], 1e-12) << "b=" << b << " h=" << h;
      }
    }
}

TEST(Run, EveryLength) {
  for (int64_t tokens : {0, 1, 3, 4, 5, 8, 97}) {
    Call call(2, tokens, 3, 3, 3, 1);
    ASSERT_EQ(call.run(), MIXWRIGHT_OK) << mixwright_last_error();
    expectDefinition(call);
  }
}

TEST(Run, EmptyBatch) {
  Call call(0, 5, 2, 2, 2, 1);
  EXPECT_EQ(call.run(), MIXWRIGHT_OK) << mixwright_last_error();
}

TEST(Run, FewerHeadsWhereOneCountDividesTheOther) {
  Call call(2, 9, 6, 2, 3, 2);
  ASSERT_EQ(call.run(), MIXWRIGHT_OK) << mixwright_last_error();
  expectDefinition(call);
}

TEST(Run, ParamSharedByAllHeads) {
  Call call(1, 9, 4, 4, 4, 3);
  Tensor shared({K}, 0);
  std::mt19937 random(4);
  shared.fillRandom(random);
  for (int64_t h = 0; h < 4; ++h)
    for (int64_t k = 0; k < K; ++k)
      call.w.at({h, k}) = shared.at({k});
  auto views = call.views();
  views[2] = &shared.view;
  ASSERT_EQ(mixwright_run(&block_sums, views.data(), 6, nullptr), MIXWRIGHT_OK);
  expectDefinition(call);
}

TEST(Run, AbsentStates) {
  Call call(1, 6, 2, 2, 2, 5);
  auto views = call.views();
  views[3] = nullptr;
  ASSERT_EQ(mixwright_run(&block_sums, views.data(), 6, nullptr), MIXWRIGHT_OK);
  expectDefinition(call, /*withInitial=*/false);

  Tensor o = call.o, final = call.final;
  views[5] = nullptr;
  ASSERT_EQ(mixwright_run(&block_sums, views.data(), 6, nullptr), MIXWRIGHT_OK);
  EXPECT_EQ(call.o.memory, o.memory);
  EXPECT_EQ(call.final.memory, final.memory);
}

TEST(Run, HeadsOutermostInMemory) {
  Call call(2, 7, 3, 3, 3, 6);
  Tensor x = call.x;
  call.x = Tensor(x.shape, NAN, {2, 0, 1, 3});
  call.o = Tensor(call.o.shape, NAN, {0, 2, 1, 3});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 7; ++t)
      for (int64_t h = 0; h < 3; ++h)
        for (int64_t k = 0; k < K; ++k)
          call.x.at({b, t, h, k}) = x.at({b, t, h, k});
  Tensor strided = call.x, output = call.o;
  auto views = call.views();
  views[0] = &strided.view;
  views[4] = &output.view;
  ASSERT_EQ(mixwright_run(&block_sums, views.data(), 6, nullptr), MIXWRIGHT_OK);
  call.x = x;
  call.o = output;
  expectDefinition(call);
}

/// Swaps the dimensions of tokens and heads of the descriptor.
void swapTokensAndHeads(Tensor &tensor) {
  std::swap(tensor.shape[1], tensor.shape[2]);
  std::swap(tensor.strides[1], tensor.strides[2]);
}

TEST(Run, LayoutWithHeadsBeforeTokens) {
  Call call(2, 7, 3, 3, 3, 7);
  for (Tensor *tensor : {&call.x, &call.g, &call.o})
    swapTokensAndHeads(*tensor);
  mixwright_options options = {};
  options.layout = MIXWRIGHT_BHTD;
  ASSERT_EQ(call.run(options), MIXWRIGHT_OK) << mixwright_last_error();
  for (Tensor *tensor : {&call.x, &call.g, &call.o})
    swapTokensAndHeads(*tensor);
  expectDefinition(call);
}

TEST(Run, LayoutOfASingleHead) {
  Call call(1, 7, 1, 1, 1, 8);
  Tensor x({7, K}, 0), g({7}, 0), w({K}, 0), initial({K}, 0), o({7, K}, NAN), final({K}, NAN);
  x.memory = call.x.memory;
  g.memory = call.g.memory;
  w.memory = call.w.memory;
  initial.memory = call.initial.memory;
  for (Tensor *tensor : {&x, &g, &w, &initial})
    tensor->view.data = tensor->memory.data();
  DLTensor *views[] = {&x.view, &g.view, &w.view, &initial.view, &o.view, &final.view};
  mixwright_options options = {};
  options.layout = MIXWRIGHT_SINGLE;
  ASSERT_EQ(mixwright_run(&block_sums, views, 6, &options), MIXWRIGHT_OK);
  call.o.memory = o.memory;
  call.final.memory = final.memory;
  expectDefinition(call);
}

TEST(Run, ByteOffsetAndCompactWithoutStrides) {
  Call call(1, 5, 2, 2, 2, 9);
  std::vector<double> shifted(call.x.memory.size() + 3, NAN);
  std::copy(call.x.memory.begin(), call.x.memory.end(), shifted.begin() + 3);
  call.x.view.data = shifted.data();
  call.x.view.byte_offset = 3 * sizeof(double);
  for (Tensor *tensor : {&call.x, &call.g, &call.w, &call.initial, &call.o, &call.final})
    tensor->view.strides = nullptr;
  ASSERT_EQ(call.run(), MIXWRIGHT_OK) << mixwright_last_error();
  expectDefinition(call);
}

TEST(Run, SameBitsWhateverTheThreadsAndTheBatch) {
  Call call(4, 33, 2, 2, 2, 10);
  ASSERT_EQ(call.run(), MIXWRIGHT_OK);
  for (int threads : {1, 2, 5}) {
    mixwright_pool *pool = nullptr;
    ASSERT_EQ(mixwright_pool_create(threads, &pool), MIXWRIGHT_OK);
    mixwright_options options = {};
    options.pool = pool;
    Call again(4, 33, 2, 2, 2, 10);
    ASSERT_EQ(again.run(options), MIXWRIGHT_OK);
    mixwright_pool_destroy(pool);
    EXPECT_EQ(std::memcmp(again.o.memory.data(), call.o.memory.data(),
                          call.o.memory.size() * sizeof(double)),
              0);
  }
  // The third batch entry alone.
  Call alone(1, 33, 2, 2, 2, 0);
  alone.w.memory = call.w.memory;
  alone.w.view.data = alone.w.memory.data();
  auto takeEntry = [](Tensor &to, Tensor &from) {
    std::copy_n(from.memory.begin() + 2 * from.strides[0], to.memory.size(), to.memory.begin());
  };
  takeEntry(alone.x, call.x);
  takeEntry(alone.g, call.g);
  takeEntry(alone.initial, call.initial);
  ASSERT_EQ(alone.run(), MIXWRIGHT_OK);
  EXPECT_EQ(std::memcmp(alone.o.memory.data(), &call.o.at({2, 0, 0, 0}),
                        alone.o.memory.size() * sizeof(double)),
            0);
}

TEST(Run, WorkspaceOfTheCaller) {
  Call call(2, 9, 3, 3, 3, 11);
  size_t bytes = 0;
  auto views = call.views();
  ASSERT_EQ(mixwright_workspace_bytes(&block_sums, views.data(), 6, nullptr, &bytes), MIXWRIGHT_OK);
  // Per instance: 9 x 3 and 3 x 3 doubles, each rounded up to 64 bytes.
  EXPECT_EQ(bytes, 2u * 3u * (256u + 128u));

  // Memory behind the end must stay as it was.
  auto *memory = static_cast<unsigned char *>(std::aligned_alloc(64, bytes + 64));
  std::memset(memory, 0xff, bytes + 64);
  mixwright_options options = {};
  options.workspace = memory;
  options.workspace_bytes = bytes;
  ASSERT_EQ(call.run(options), MIXWRIGHT_OK) << mixwright_last_error();
  expectDefinition(call);
  for (size_t n = 0; n < 64; ++n)
    EXPECT_EQ(memory[bytes + n], 0xff);
  std::free(memory);
}

TEST(Run, FindsArguments) {
  EXPECT_EQ(mixwright_find_arg(&block_sums, MIXWRIGHT_STATE_IN, "S"), 3);
  EXPECT_EQ(mixwright_find_arg(&block_sums, MIXWRIGHT_STATE_OUT, "S"), 5);
  EXPECT_EQ(mixwright_find_arg(&block_sums, MIXWRIGHT_INPUT, "S"), -1);
}

TEST(Run, TheFirstKernelOfAListThatTheProcessorCanRun) {
  mixwright_kernel best = block_sums, good = block_sums, any = block_sums;
  best.needs = UINT64_MAX;
  best.next = &good;
  good.next = &any;
  best.phases = any.phases = nullptr; // would crash
  const mixwright_kernel *selected = nullptr;
  ASSERT_EQ(mixwright_select(&best, &selected), MIXWRIGHT_OK);
  EXPECT_EQ(selected, &good);
  Call call(2, 5, 3, 3, 3, 1);
  std::vector<DLTensor *> views = call.views();
  ASSERT_EQ(mixwright_run(&best, views.data(), static_cast<int32_t>(views.size()), nullptr),
            MIXWRIGHT_OK)
      << mixwright_last_error();
  expectDefinition(call);
}

} // namespace
