//===- RejectStepTest.cpp - What is wrong with a step is said in words ----===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Steps.h"
#include <gtest/gtest.h>

namespace {

/// A refused step must leave everything as it was.
void expectRefused(Steps &steps, const std::vector<int64_t> &counts, const char *message) {
  EXPECT_EQ(steps.run(counts), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), message);
  for (const Tensor *tensor : {&steps.state, &steps.keys, &steps.recent, &steps.o})
    for (double element : tensor->memory)
      ASSERT_TRUE(std::isnan(element));
}

TEST(RejectStep, NegativePosition) {
  Steps steps({.packed = true});
  steps.positions[1] = -1;
  expectRefused(steps, {2, 0}, "position of sequence 1: expected 0 to 2^48, got -1");
}

TEST(RejectStep, PositionBeyondAllMemory) {
  Steps steps({.packed = true});
  steps.setup.tokens = INT64_MAX;
  steps.positions[0] = INT64_MAX - 1;
  expectRefused(steps, {0, 0},
                "position of sequence 0: expected 0 to 2^48, got 9223372036854775806");
}

TEST(RejectStep, CacheIsFull) {
  Steps steps({.tokens = 21});
  steps.keys.shape[1] = 2;
  expectRefused(steps, {3, 3},
                "cache 'keys': sequence 0 has 0 earlier tokens and 3 new ones, but the cache only "
                "2 rows");
}

TEST(RejectStep, BlockTableIsFull) {
  Steps steps({.tokens = 21, .pageRows = 4});
  steps.keyTable.shape[1] = 1;
  expectRefused(steps, {5, 5},
                "cache 'keys': sequence 0 has 0 earlier tokens and 5 new ones, but the cache only "
                "4 rows");
}

TEST(RejectStep, WindowOfABrokenBlock) {
  Steps steps({.recentRows = 7});
  expectRefused(steps, {8, 8},
                "cache 'recent': sequence 0 has 0 earlier tokens and 8 new ones; of the 7 rows "
                "only a multiple of 4 can be used again");
}

TEST(RejectStep, WindowThatNewTokensOverwrite) {
  Steps steps({.recentRows = 4});
  for (Tensor *tensor : {&steps.keys})
    ASSERT_EQ(tensor->shape[1], 21);
  ASSERT_EQ(steps.run({4, 4}), MIXWRIGHT_OK) << mixwright_last_error();
  EXPECT_EQ(steps.run({3, 3}), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(),
               "cache 'recent': 3 new tokens with a window of 3 need 5 rows, got 4");
  EXPECT_EQ(steps.run({2, 2}), MIXWRIGHT_OK) << mixwright_last_error();
}

TEST(RejectStep, PageThatIsNotThere) {
  Steps steps({.pageRows = 8});
  steps.keyTable.pages[3] = 6;
  expectRefused(steps, {2, 2},
                "block table of 'keys': page 0 of sequence 1 is 6, but the cache has 6 pages");
  steps.keyTable.pages[3] = -1;
  expectRefused(steps, {2, 2},
                "block table of 'keys': page 0 of sequence 1 is -1, but the cache has 6 pages");
  // Pages that are not touched yet may be anything.
  steps.keyTable.pages[3] = 0;
  steps.keyTable.pages[0] = 1;
  steps.keyTable.pages[1] = steps.keyTable.pages[4] = -1;
  EXPECT_EQ(steps.run({2, 2}), MIXWRIGHT_OK) << mixwright_last_error();
}

TEST(RejectStep, TwoSequencesWriteToOnePage) {
  Steps steps({.pageRows = 8});
  steps.keyTable.pages[0] = steps.keyTable.pages[3] = 5;
  expectRefused(steps, {2, 2},
                "block table of 'keys': sequence 0 writes to page 5, which sequence 1 uses too");
}

TEST(RejectStep, PagesOfBrokenBlocks) {
  Steps steps({.pageRows = 6});
  expectRefused(steps, {1, 1}, "cache 'keys': the rows of a page must be a multiple of 4, got 6");
}

TEST(RejectStep, BlockTableOfOtherSequences) {
  Steps steps({.pageRows = 8});
  steps.recentTable.shape[0] = 1;
  expectRefused(steps, {1, 1}, "block table of 'recent': 1 sequences, but the call has 2");
}

TEST(RejectStep, Slots) {
  Steps steps({.slots = 3});
  expectRefused(steps, {3, 3}, "state_slots: sequence 0 has 3 new tokens, but slots for 2");
  int32_t &read = steps.slotTable.pages[3];
  int32_t own = std::exchange(read, 6);
  expectRefused(steps, {2, 2}, "state_slots: slot 0 of sequence 1 is 6, but the states have 6");
  read = steps.slotTable.pages[1];
  expectRefused(steps, {1, 1},
                ("state_slots: sequence 0 writes to slot " + std::to_string(read) +
                 ", which sequence 1 uses too")
                    .c_str());
  // Both may go on from one state.
  read = steps.slotTable.pages[0];
  EXPECT_EQ(steps.run({1, 1}), MIXWRIGHT_OK) << mixwright_last_error();
  read = own;
  steps.slotTable.shape[0] = 1;
  EXPECT_EQ(steps.run({1, 1}), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), "state_slots: 1 sequences, but the call has 2");
  steps.slotTable.shape[0] = 2;
  steps.slotTable.shape[1] = 0;
  EXPECT_EQ(steps.run({1, 1}), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), "state_slots: expected at least one slot for each sequence");
}

TEST(RejectStep, CacheWithHeadsThatShareNothing) {
  Steps steps({.heads = 4, .keyHeads = 4});
  steps.keys.shape[2] = 2;
  expectRefused(steps, {1, 1},
                "cache 'keys': 2 heads are no multiple of those of 'k', which are 4");
}

TEST(RejectStep, CacheWithoutAllHeads) {
  Steps steps({});
  steps.recent.shape[2] = 2;
  expectRefused(steps, {1, 1}, "cache 'recent': 2 heads, but 'x' has 4");
}

TEST(RejectStep, StateWithoutAllHeads) {
  Steps steps({});
  steps.state.shape[1] = 2;
  expectRefused(steps, {1, 1}, "state 'S': 2 heads, but 'x' has 4");
}

TEST(RejectStep, CachesThatAreOne) {
  Steps steps({.heads = 2, .keyHeads = 2});
  steps.recent.view.data = steps.keys.view.data;
  expectRefused(steps, {1, 1}, "cache 'keys' and cache 'recent' share memory");
}

TEST(RejectStep, WrongRank) {
  Steps steps({});
  steps.keys.view.ndim = 3;
  expectRefused(steps, {1, 1}, "cache 'keys': expected 4 dimensions [B, rows, H, K], got 3");
  steps.keys.view.ndim = 4;
  steps.state.view.ndim = 2;
  expectRefused(steps, {1, 1}, "state 'S': expected 3 dimensions [B, H, K], got 2");
}

TEST(RejectStep, WrongRankOfAPagedCache) {
  Steps steps({.pageRows = 8});
  steps.keys.view.ndim = 5;
  expectRefused(steps, {1, 1}, "cache 'keys': expected 4 dimensions [pages, rows, H, K], got 5");
}

TEST(RejectStep, WrongTypes) {
  Steps steps({});
  steps.recent.view.dtype.bits = 32;
  expectRefused(
      steps, {1, 1},
      "cache 'recent': expected float64, got DLPack type code 2 with 32 bits and 1 lanes");
}

/// What is wrong with the arguments themselves.
struct RejectArguments : testing::Test {
  Tensor x{{1, 1, 1, 2}, 0}, k = x, state{{1, 1, 2}, 0}, keys{{1, 4, 1, 2}, NAN}, recent = keys,
                             o{{1, 1, 1, 2}, NAN};
  int64_t position = 0, one = 1, tableShape[2] = {1, 1};
  int32_t page = 0;
  DLTensor positionView = {}, table = {};
  mixwright_block_table blockTable = {nullptr, &table};
  mixwright_options options = {};
  mixwright_kernel kernel = weighted_sums;
  std::vector<DLTensor *> views = {&x.view,    &k.view,      &positionView, &state.view,
                                   &keys.view, &recent.view, &o.view};

  RejectArguments() {
    positionView.data = &position;
    positionView.device = table.device = {kDLCPU, 0};
    positionView.dtype = {kDLInt, 64, 1};
    positionView.ndim = 1;
    positionView.shape = &one;
    table.data = &page;
    table.dtype = {kDLInt, 32, 1};
    table.ndim = 2;
    table.shape = tableShape;
  }
  void usePages() {
    options.block_tables = &blockTable;
    options.num_block_tables = 1;
  }
  void expect(mixwright_status status, const char *message) {
    EXPECT_EQ(mixwright_run(&kernel, views.data(), 7, &options), status);
    EXPECT_STREQ(mixwright_last_error(), message);
    for (double element : o.memory)
      ASSERT_TRUE(std::isnan(element));
  }
  void expectInvalid(const char *message) { expect(MIXWRIGHT_INVALID_ARGUMENT, message); }
};

TEST_F(RejectArguments, AreFineAsTheyAre) {
  EXPECT_EQ(mixwright_run(&kernel, views.data(), 7, &options), MIXWRIGHT_OK)
      << mixwright_last_error();
  usePages();
  EXPECT_EQ(mixwright_run(&kernel, views.data(), 7, &options), MIXWRIGHT_OK)
      << mixwright_last_error();
}

TEST_F(RejectArguments, NothingMayBeAbsent) {
  for (auto [index, message] :
       {std::pair(2, "position 'position' is missing"), std::pair(3, "state 'S' is missing"),
        std::pair(4, "cache 'keys' is missing")}) {
    DLTensor *view = std::exchange(views[index], nullptr);
    expectInvalid(message);
    views[index] = view;
  }
}

TEST_F(RejectArguments, PositionOfAnotherType) {
  positionView.dtype.code = kDLFloat;
  expectInvalid("position 'position': expected int32 or int64, got DLPack type code 2 with 64 bits "
                "and 1 lanes");
}

TEST_F(RejectArguments, PositionOfAnotherBatch) {
  int64_t two = 2, positions[2] = {0, 0};
  positionView.data = positions;
  positionView.shape = &two;
  expectInvalid("position 'position': axis B has size 2, but 1 in 'x'");
}

TEST_F(RejectArguments, PositionOfAnotherRank) {
  positionView.ndim = 0;
  expectInvalid("position 'position': expected 1 dimensions [B], got 0");
}

TEST_F(RejectArguments, BlockTables) {
  usePages();
  blockTable.cache = "S";
  expectInvalid("block table: mixer 'weighted_sums' has no cache S");
  blockTable.cache = nullptr;
  table.dtype.bits = 64;
  expectInvalid("block table of 'keys': expected int32, got DLPack type code 0 with 64 bits and 1 "
                "lanes");
  table.dtype.bits = 32;
  table.ndim = 1;
  expectInvalid("block table of 'keys': expected 2 dimensions [sequences, pages], got 1");
  table.ndim = 2;
  table.shape = nullptr;
  expectInvalid("block table of 'keys': the shape is null");
  table.shape = tableShape;
  tableShape[1] = -1;
  expectInvalid("block table of 'keys': the sizes 1 and -1 are negative or too large");
  tableShape[1] = 1;
  table.data = nullptr;
  expectInvalid("block table of 'keys': the data is null");
  table.data = &page;
  table.byte_offset = 2;
  expectInvalid("block table of 'keys': the data is not aligned to its 4-byte elements");
  table.byte_offset = 0;
  table.device.device_type = kDLCUDA;
  expectInvalid("block table of 'keys': expected memory of the CPU, got memory of CUDA device 0");
  table.device.device_type = kDLCPU;
  int64_t strides[2] = {4, 2};
  table.strides = strides;
  tableShape[1] = 2;
  expectInvalid("block table of 'keys': the pages of a sequence must have stride 1, got 2");
  strides[1] = 1;
  strides[0] = -1;
  expectInvalid("block table of 'keys': the negative stride -1");
  blockTable.pages = nullptr;
  expectInvalid("block table of 'keys' is missing");
}

TEST_F(RejectArguments, NumberOfBlockTables) {
  mixwright_block_table both[] = {{"keys", &table}, {nullptr, &table}};
  options.block_tables = both;
  options.num_block_tables = 2;
  expectInvalid("block table of 'keys' is given twice");
  options.num_block_tables = -1;
  expectInvalid("block table: their number is negative, -1");
  options.num_block_tables = 1;
  options.block_tables = nullptr;
  expectInvalid("block table: 1 are given, but their address is null");
}

TEST_F(RejectArguments, DamagedKernels) {
  std::vector<mixwright_arg> args(kernel.args, kernel.args + kernel.num_args);
  kernel.args = args.data();
  args[4].window = -1;
  expect(MIXWRIGHT_INVALID_KERNEL,
         "kernel 'weighted_sums': the description of argument 4 is damaged");
  args[4].window = 0;
  args[2].rank = 1;
  expect(MIXWRIGHT_INVALID_KERNEL,
         "kernel 'weighted_sums': the description of argument 2 is damaged");
  args[2].rank = 0;
  args[2].kind = MIXWRIGHT_INPUT;
  expect(MIXWRIGHT_INVALID_KERNEL,
         "kernel 'weighted_sums': expected one position for space 'T.all', got 0");
  args[2].kind = MIXWRIGHT_POSITION;
  kernel.cache_block = 0;
  expect(MIXWRIGHT_INVALID_KERNEL,
         "kernel 'weighted_sums': the description of argument 4 is damaged");
  kernel.cache_block = WEIGHTED_BLOCK;
  std::vector<mixwright_phase> phases(kernel.phases, kernel.phases + kernel.num_phases);
  kernel.phases = phases.data();
  phases[1].heads_of = 9;
  expect(MIXWRIGHT_INVALID_KERNEL, "kernel 'weighted_sums': the description of phase 1 is damaged");
}

} // namespace
