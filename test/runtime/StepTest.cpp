//===- StepTest.cpp - Sequences that go on, token by token ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Steps.h"
#include <cstring>
#include <gtest/gtest.h>

namespace {

TEST(Step, OneTokenAndAFew) {
  for (int64_t most : {1, 4}) {
    Steps steps({.batch = 3, .tokens = 29, .seed = 1});
    steps.runAll(most);
    steps.expectDefinition();
  }
}

TEST(Step, EveryLayout) {
  for (mixwright_layout layout : {MIXWRIGHT_BTHD, MIXWRIGHT_BHTD}) {
    for (int64_t pageRows : {0, 8}) {
      Steps steps({.layout = layout, .pageRows = pageRows, .seed = 2});
      steps.runAll(3);
      steps.expectDefinition();
    }
  }
}

TEST(Step, LayoutOfASingleHead) {
  for (int64_t pageRows : {0, 4}) {
    Steps steps({.layout = MIXWRIGHT_SINGLE,
                 .batch = 1,
                 .heads = 1,
                 .keyHeads = 1,
                 .pageRows = pageRows,
                 .seed = 3});
    steps.runAll(3);
    steps.expectDefinition();
  }
}

TEST(Step, EachSequenceHasItsOwnPosition) {
  // A few calls for the first two sequences alone, then all three go on together.
  Steps steps({.batch = 3, .tokens = 29, .packed = true, .seed = 4});
  for (int n = 0; n < 5; ++n)
    ASSERT_EQ(steps.run({2, 3, 0}), MIXWRIGHT_OK) << mixwright_last_error();
  while (!steps.isDone())
    ASSERT_EQ(steps.run({1, 2, 4}), MIXWRIGHT_OK) << mixwright_last_error();
  steps.expectDefinition();
}

TEST(Step, PositionsOfEitherWidth) {
  Steps steps({.narrowPositions = true, .seed = 5});
  steps.runAll(2);
  steps.expectDefinition();
}

TEST(Step, AWindowThatWrapsAround) {
  // 3 + 4 - 1 rows, in whole blocks of 4.
  for (int64_t pageRows : {0, 4}) {
    Steps steps({.tokens = 45, .pageRows = pageRows, .recentRows = 8, .seed = 6});
    steps.runAll(4);
    steps.expectDefinition();
  }
}

TEST(Step, PagesInAnyOrderWithGapsBetween) {
  Steps steps({.batch = 3, .tokens = 29, .pageRows = 8, .pageGap = 5, .seed = 7});
  steps.runAll(4);
  steps.expectDefinition();
  EXPECT_TRUE(steps.gapsAreIntact());
}

/// Two sequences with a common beginning share its pages, as long as they only read them.
TEST(Step, PagesThatAreOnlyReadMayBeShared) {
  Steps steps({.batch = 2, .tokens = 24, .pageRows = 8, .seed = 8});
  steps.copyTokens(/*from=*/0, /*to=*/1, /*count=*/16);
  for (int n = 0; n < 4; ++n)
    ASSERT_EQ(steps.run({4, 4}), MIXWRIGHT_OK) << mixwright_last_error();
  steps.sharePages(/*from=*/0, /*to=*/1, /*count=*/2);
  steps.runAll(3);
  steps.expectDefinition();
}

TEST(Step, StatesInAPool) {
  Steps steps({.batch = 3, .slots = 1, .seed = 10});
  steps.runAll(3);
  steps.expectDefinition();
}

/// Draft tokens: of 4 new tokens 1 to 4 are accepted, and the others had again.
TEST(Step, TokensCanBeTakenBack) {
  for (bool packed : {false, true}) {
    Steps steps(
        {.batch = 3, .pageRows = 4, .recentRows = 8, .slots = 5, .packed = packed, .seed = 11});
    std::mt19937 random(1);
    while (!steps.isDone()) {
      std::vector<double> before = steps.state.memory;
      std::vector<int64_t> counts(3);
      for (int64_t b = 0; b < 3; ++b)
        counts[b] = std::min<int64_t>(4, steps.setup.tokens - steps.positions[b]);
      ASSERT_EQ(steps.run(counts), MIXWRIGHT_OK) << mixwright_last_error();
      // The slot that a sequence came from is as it was.
      int64_t size = steps.setup.heads * Steps::K;
      for (int64_t b = 0; b < 3; ++b)
        ASSERT_EQ(std::memcmp(&before[steps.getSlot(b) * size],
                              &steps.state.memory[steps.getSlot(b) * size], size * sizeof(double)),
                  0);
      unsigned drawn = random();
      for (int64_t b = 0; b < 3; ++b, drawn = packed ? random() : drawn)
        if (counts[b] > 0)
          steps.goOnAfter(b, 1 + drawn % counts[b], counts[b]);
    }
    steps.expectDefinition();
  }
}

TEST(Step, SameBitsWhateverTheThreadsTheBatchAndThePages) {
  Steps whole({.batch = 4, .tokens = 37, .seed = 9});
  whole.runAll(3);
  for (int threads : {1, 2, 5})
    for (int64_t pageRows : {0, 4, 16}) {
      Steps again({.batch = 4, .tokens = 37, .pageRows = pageRows, .seed = 9});
      again.useThreads(threads);
      again.runAll(3);
      EXPECT_EQ(std::memcmp(again.o.memory.data(), whole.o.memory.data(),
                            whole.o.memory.size() * sizeof(double)),
                0)
          << threads << " threads, pages of " << pageRows;
    }
  Steps alone({.batch = 1, .tokens = 37, .seed = 9});
  alone.takeTokens(whole, 2);
  alone.runAll(3);
  EXPECT_EQ(std::memcmp(alone.o.memory.data(), &whole.o.at({2, 0, 0, 0}),
                        alone.o.memory.size() * sizeof(double)),
            0);
}

} // namespace
