//===- PoolTest.cpp - Every task runs exactly once ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include <atomic>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

/// A kernel of one phase without arguments but one output of T tokens, which counts
/// how often each token block ran.
void countRun(const mixwright_instance *view, int64_t, int64_t token, void *) {
  auto *counts = static_cast<double *>(view->data[0]);
  counts[token * view->strides[0][0]] += 1;
}

const mixwright_space countSpace = {"T", -1, 0};
const mixwright_arg countArg = {"n", MIXWRIGHT_OUTPUT, MIXWRIGHT_F64, 1, {{"T", -1, 0}}, 0,
                                0,   nullptr};

mixwright_status runCount(Tensor &counts, mixwright_options options) {
  const mixwright_phase phase = {countRun, 1, 0, 1, 0, 0, -1, 0, nullptr};
  mixwright_kernel kernel = {};
  kernel.abi_version = MIXWRIGHT_ABI_VERSION;
  kernel.mixer = "count";
  kernel.form = "recurrent";
  kernel.target = "any";
  kernel.num_spaces = 1;
  kernel.spaces = &countSpace;
  kernel.num_args = 1;
  kernel.args = &countArg;
  kernel.num_phases = 1;
  kernel.phases = &phase;
  kernel.cache_block = 1;
  DLTensor *tensors[] = {&counts.view};
  options.layout = MIXWRIGHT_SINGLE;
  return mixwright_run(&kernel, tensors, 1, &options);
}

void expectEach(const Tensor &counts, double expected) {
  for (size_t n = 0; n < counts.memory.size(); ++n)
    ASSERT_EQ(counts.memory[n], expected) << "task " << n;
}

struct Pool {
  mixwright_pool *pool = nullptr;
  explicit Pool(int threads) {
    EXPECT_EQ(mixwright_pool_create(threads, &pool), MIXWRIGHT_OK) << mixwright_last_error();
  }
  ~Pool() { mixwright_pool_destroy(pool); }
  mixwright_options options() const {
    mixwright_options result = {};
    result.pool = pool;
    return result;
  }
};

TEST(Pool, CountsTheCallingThread) {
  EXPECT_EQ(mixwright_pool_threads(Pool(1).pool), 1);
  EXPECT_EQ(mixwright_pool_threads(Pool(5).pool), 5);
  EXPECT_GE(mixwright_pool_threads(Pool(0).pool), 1);
}

TEST(Pool, RefusesANegativeCount) {
  mixwright_pool *pool = nullptr;
  EXPECT_EQ(mixwright_pool_create(-2, &pool), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), "pool: -2 threads; expected 0 (all) or more");
  EXPECT_EQ(pool, nullptr);
}

TEST(Pool, RunsEveryTaskOnce) {
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    for (int64_t tasks : {0, 1, 2, 7, 64, 1001}) {
      Tensor counts({tasks}, 0);
      ASSERT_EQ(runCount(counts, pool.options()), MIXWRIGHT_OK) << mixwright_last_error();
      expectEach(counts, 1);
    }
  }
}

TEST(Pool, ManyShortJobsInARow) {
  Pool pool(4);
  Tensor counts({50}, 0);
  for (int n = 0; n < 2000; ++n)
    ASSERT_EQ(runCount(counts, pool.options()), MIXWRIGHT_OK);
  expectEach(counts, 2000);
}

TEST(Pool, WakesUpAfterAPause) {
  Pool pool(3);
  Tensor counts({64}, 0);
  for (int n = 0; n < 5; ++n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_EQ(runCount(counts, pool.options()), MIXWRIGHT_OK);
  }
  expectEach(counts, 5);
}

TEST(Pool, ServesCallersAtTheSameTime) {
  Pool pool(3);
  auto call = [&] {
    Tensor counts({100}, 0);
    for (int n = 0; n < 200; ++n)
      ASSERT_EQ(runCount(counts, pool.options()), MIXWRIGHT_OK);
    expectEach(counts, 200);
  };
  std::thread first(call), second(call);
  call();
  first.join();
  second.join();
}

TEST(Pool, ACallAfterForkRunsOnItsOwnThread) {
  Pool pool(3);
  Tensor counts({100}, 0);
  ASSERT_EQ(runCount(counts, pool.options()), MIXWRIGHT_OK);
  pid_t child = fork();
  if (child == 0) {
    bool ok = runCount(counts, pool.options()) == MIXWRIGHT_OK && counts.memory[99] == 2;
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Pool, UsesTheCallersParallelFor) {
  std::atomic<int> ranges{0};
  mixwright_options options = {};
  options.parallel_context = &ranges;
  options.parallel_for = [](void *context, int64_t count, int64_t, mixwright_range_fn body,
                            void *data) {
    for (int64_t begin = 0; begin < count; begin += 10) {
      ++*static_cast<std::atomic<int> *>(context);
      std::thread(body, data, begin, std::min<int64_t>(begin + 10, count)).join();
    }
  };
  Tensor counts({35}, 0);
  ASSERT_EQ(runCount(counts, options), MIXWRIGHT_OK);
  expectEach(counts, 1);
  EXPECT_EQ(ranges, 4);
}

} // namespace
