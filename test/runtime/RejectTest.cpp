//===- RejectTest.cpp - What is wrong with a call is said in words --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include <functional>
#include <gtest/gtest.h>
#include <thread>

namespace {

struct Reject : testing::Test {
  Call call{2, 5, 4, 2, 4, 1};
  std::vector<DLTensor *> views = call.views();
  mixwright_kernel kernel = block_sums;
  mixwright_options options = {};

  void TearDown() override {
    for (double x : call.o.memory)
      ASSERT_TRUE(std::isnan(x)) << "a refused call has written its output";
  }

  void expect(mixwright_status status, const char *message) {
    EXPECT_EQ(mixwright_run(&kernel, views.data(), static_cast<int32_t>(views.size()), &options),
              status);
    EXPECT_STREQ(mixwright_last_error(), message);
  }
  void expectInvalid(const char *message) { expect(MIXWRIGHT_INVALID_ARGUMENT, message); }
  void expectAnotherVersion() {
    std::string own = std::to_string(MIXWRIGHT_ABI_VERSION);
    expect(MIXWRIGHT_INVALID_KERNEL,
           ("the kernel has ABI version 99, but this runtime has version " + own).c_str());
  }
};

TEST_F(Reject, NullKernel) {
  EXPECT_EQ(mixwright_run(nullptr, views.data(), 6, nullptr), MIXWRIGHT_INVALID_KERNEL);
  EXPECT_STREQ(mixwright_last_error(), "the kernel is null");
}

TEST_F(Reject, AnotherAbiVersion) {
  kernel.abi_version = 99;
  expectAnotherVersion();
}

TEST_F(Reject, AnotherAbiVersionFurtherOn) {
  mixwright_kernel lesser = kernel;
  lesser.abi_version = 99;
  kernel.needs = UINT64_MAX;
  kernel.next = &lesser;
  expectAnotherVersion();
}

TEST_F(Reject, AnotherProcessor) {
  mixwright_kernel lesser = kernel;
  kernel.target = "best";
  lesser.target = "good";
  kernel.needs = uint64_t(1) << 63 | uint64_t(1) << 62;
  lesser.needs = uint64_t(1) << 63;
  kernel.next = &lesser;
  std::string unknown = " a feature that this runtime does not know";
  expect(MIXWRIGHT_UNSUPPORTED, ("kernel 'block_sums' does not run on this processor: best needs" +
                                 unknown + unknown + "; good needs" + unknown)
                                    .c_str());
}

TEST_F(Reject, DamagedArgument) {
  std::vector<mixwright_arg> args(kernel.args, kernel.args + kernel.num_args);
  args[1].rank = 7;
  kernel.args = args.data();
  expect(MIXWRIGHT_INVALID_KERNEL, "kernel 'block_sums': the description of argument 1 is damaged");
}

TEST_F(Reject, DamagedPhase) {
  std::vector<mixwright_phase> phases(kernel.phases, kernel.phases + kernel.num_phases);
  phases[2].space = 12;
  kernel.phases = phases.data();
  expect(MIXWRIGHT_INVALID_KERNEL, "kernel 'block_sums': the description of phase 2 is damaged");
}

TEST_F(Reject, WrongNumberOfTensors) {
  views.pop_back();
  expectInvalid("mixer 'block_sums' takes 6 tensors, got 5");
}

TEST_F(Reject, NoTensors) {
  EXPECT_EQ(mixwright_run(&kernel, nullptr, 6, nullptr), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), "mixer 'block_sums' takes 6 tensors, got 0");
}

TEST_F(Reject, MissingInput) {
  views[1] = nullptr;
  expectInvalid("input 'g' is missing");
}

TEST_F(Reject, MissingOutput) {
  views[4] = nullptr;
  expectInvalid("output 'o' is missing");
}

TEST_F(Reject, OtherDevice) {
  call.x.view.device.device_type = kDLCUDA;
  expectInvalid("input 'x': expected memory of the CPU, got memory of CUDA device 0");
}

TEST_F(Reject, OtherType) {
  call.x.view.dtype.bits = 32;
  expectInvalid("input 'x': expected float64, got DLPack type code 2 with 32 bits and 1 lanes");
}

TEST_F(Reject, SixteenBitTypes) {
  // bfloat16 and float16 have 16 bits both; their type codes tell them apart.
  mixwright_kernel other = kernel;
  std::vector<mixwright_arg> args(kernel.args, kernel.args + kernel.num_args);
  other.args = args.data();
  call.x.view.dtype = {kDLFloat, 16, 1};
  args[0].dtype = MIXWRIGHT_BF16;
  EXPECT_EQ(mixwright_run(&other, views.data(), 6, nullptr), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(),
               "input 'x': expected bfloat16, got DLPack type code 2 with 16 bits and 1 lanes");
  call.x.view.dtype = {kDLBfloat, 16, 1};
  args[0].dtype = MIXWRIGHT_F16;
  EXPECT_EQ(mixwright_run(&other, views.data(), 6, nullptr), MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(),
               "input 'x': expected float16, got DLPack type code 4 with 16 bits and 1 lanes");
}

TEST_F(Reject, WrongRank) {
  call.x.view.ndim = 2;
  expectInvalid("input 'x': expected 4 dimensions [B, T, H, K], got 2");
}

TEST_F(Reject, WrongRankOfATokenVector) {
  call.g.view.ndim = 1;
  expectInvalid("input 'g': expected 3 dimensions [B, T, H], got 1");
}

TEST_F(Reject, WrongRankOfAParam) {
  call.w.view.ndim = 0;
  expectInvalid("param 'w': expected 1 dimensions [K], got 0");
}

TEST_F(Reject, WrongRankOfAState) {
  call.initial.view.ndim = 1;
  expectInvalid("initial state 'S': expected 3 dimensions [B, H, K], got 1");
}

TEST_F(Reject, NullShape) {
  call.x.view.shape = nullptr;
  expectInvalid("input 'x': the shape is null");
}

TEST_F(Reject, OtherFeatureSize) {
  call.x.shape[3] = 2;
  expectInvalid("input 'x': axis K has size 2, but the kernel was compiled for 3");
}

TEST_F(Reject, TokensDisagree) {
  call.g.shape[1] = 4;
  expectInvalid("input 'g': axis T has size 4, but 5 in 'x'");
}

TEST_F(Reject, BatchesDisagree) {
  call.initial.shape[0] = 1;
  expectInvalid("initial state 'S': axis B has size 1, but 2 in 'x'");
}

TEST_F(Reject, HeadsThatDoNotDivide) {
  call.x.shape[2] = 3;
  expectInvalid("input 'x': 3 heads do not divide the heads of 'g', which are 4");
}

TEST_F(Reject, OutputWithFewerHeads) {
  call.o.shape[2] = 2;
  expectInvalid("output 'o': 2 heads, but 'g' has 4");
}

TEST_F(Reject, StateWithFewerHeads) {
  call.initial.shape[1] = 2;
  expectInvalid("initial state 'S': 2 heads, but 'g' has 4");
}

TEST_F(Reject, NullData) {
  call.x.view.data = nullptr;
  expectInvalid("input 'x': the data is null");
}

TEST_F(Reject, Misaligned) {
  call.x.view.byte_offset = 4;
  expectInvalid("input 'x': the data is not aligned to its 8-byte elements");
}

TEST_F(Reject, NegativeSize) {
  call.x.shape[1] = -5;
  expectInvalid("input 'x': dimension 1 has the negative size -5");
}

TEST_F(Reject, NegativeStride) {
  call.x.strides[1] = -6;
  expectInvalid("input 'x': dimension 1 has the negative stride -6");
}

TEST_F(Reject, StrideOfTheLastFeatureAxis) {
  call.x.strides[3] = 2;
  expectInvalid("input 'x': axis K must have stride 1, got 2");
}

TEST_F(Reject, OutputThatSharesItsElements) {
  call.o.strides[1] = 0;
  expectInvalid("output 'o': dimension 1 has stride 0, so its elements share memory");
}

TEST_F(Reject, OutputThatIsAnInput) {
  views[5] = views[3];
  expectInvalid("final state 'S' and initial state 'S' share memory");
}

TEST_F(Reject, ShapeBeyondTheAddressSpace) {
  call.x.shape[0] = INT64_MAX / 2;
  expectInvalid("input 'x': the shape reaches beyond the address space");
}

TEST_F(Reject, StrideBeyondTheAddressSpace) {
  call.x.strides[0] = INT64_MAX / 4;
  expectInvalid("input 'x': the shape reaches beyond the address space");
}

TEST_F(Reject, UnknownLayout) {
  options.layout = static_cast<mixwright_layout>(9);
  expectInvalid("unknown layout 9");
}

TEST_F(Reject, SlotsWithoutAStateInPlace) {
  int32_t slots[2] = {0, 1};
  int64_t shape[2] = {2, 1};
  DLTensor table = {};
  table.data = slots;
  table.device = {kDLCPU, 0};
  table.ndim = 2;
  table.dtype = {kDLInt, 32, 1};
  table.shape = shape;
  options.state_slots = &table;
  expectInvalid("state_slots: mixer 'block_sums' in the form recurrent updates no state in place");
}

TEST_F(Reject, WorkspaceTooSmall) {
  alignas(64) char memory[64];
  options.workspace = memory;
  options.workspace_bytes = 64;
  expectInvalid("workspace: expected 1536 bytes, got 64");
}

TEST_F(Reject, WorkspaceMisaligned) {
  alignas(64) static char memory[8192];
  options.workspace = memory + 8;
  options.workspace_bytes = 8000;
  expectInvalid("workspace: not aligned to 64 bytes");
}

TEST_F(Reject, ScratchThatIsNotThere) {
  mixwright_phase phase = block_sums.phases[0];
  phase.scratch_bytes = INT64_MAX / 2;
  kernel.phases = &phase;
  kernel.num_phases = 1;
  expect(MIXWRIGHT_OUT_OF_MEMORY,
         "mixer 'block_sums': no memory for 4611686018427387903 bytes of scratch");
}

TEST_F(Reject, EachThreadHasItsOwnMessage) {
  views[1] = nullptr;
  expectInvalid("input 'g' is missing");
  std::thread([] { EXPECT_STREQ(mixwright_last_error(), ""); }).join();
}

} // namespace
