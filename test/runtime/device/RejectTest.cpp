//===- RejectTest.cpp - What is wrong with a launch is said in words ------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

namespace {

const DLDevice cuda = {kDLCUDA, 1}, hip = {kDLROCM, 1};

struct RejectLaunch : testing::Test {
  Call call{cuda};

  void TearDown() override { mixwright_unload(&twice); }

  void expect(mixwright_status status, const char *message) {
    EXPECT_EQ(call.launch(), status);
    EXPECT_STREQ(mixwright_last_error(), message);
    call.expectUntouched();
  }
  void expectInvalid(const char *message) { expect(MIXWRIGHT_INVALID_ARGUMENT, message); }
};

TEST_F(RejectLaunch, TensorOfTheHost) {
  call.views[0]->device = {kDLCPU, 0};
  expectInvalid("mixer 'twice': a launch takes tensors in the memory of a CUDA or HIP device, the "
                "first is in memory of the CPU");
}

TEST_F(RejectLaunch, TensorOfAnotherDevice) {
  call.views[2]->device.device_id = 0;
  expectInvalid("output 'o': expected memory of CUDA device 1, got memory of CUDA device 0");
}

TEST_F(RejectLaunch, TensorOfAnotherDriver) {
  call.views[1]->device = {kDLROCM, 1};
  expectInvalid("initial state 'S': expected memory of CUDA device 1, got memory of HIP device 1");
}

TEST_F(RejectLaunch, NoTensorAtAll) {
  call.views.assign(3, nullptr);
  expectInvalid("mixer 'twice': no tensor says on which device it is to run");
}

TEST_F(RejectLaunch, NullData) {
  call.views[0]->data = nullptr;
  expectInvalid("input 'x': the data is null");
}

TEST_F(RejectLaunch, MisalignedData) {
  call.views[0]->byte_offset = 2;
  expectInvalid("input 'x': the data is not aligned to its 4-byte elements");
}

TEST_F(RejectLaunch, WrongShape) {
  call.x.shape[3] = 3;
  expectInvalid("input 'x': axis K has size 3, but the kernel was compiled for 4");
}

TEST_F(RejectLaunch, NoWorkspace) {
  call.options.workspace = nullptr;
  expectInvalid("workspace: expected 1024 bytes, got 0");
}

TEST_F(RejectLaunch, MisalignedWorkspace) {
  call.options.workspace = static_cast<char *>(call.options.workspace) + 4;
  expectInvalid("workspace: not aligned to 64 bytes");
}

TEST_F(RejectLaunch, OffsetsOfTheHost) {
  int64_t starts[] = {0, 2, 6}, count = 3;
  DLTensor offsets = {starts, {kDLCPU, 0}, 1, {kDLInt, 64, 1}, &count, nullptr, 0};
  mixwright_packing packing = {nullptr, &offsets};
  call.options.packings = &packing;
  call.options.num_packings = 1;
  expectInvalid("cu_seqlens of T: expected memory of CUDA device 1, got memory of the CPU");
}

TEST_F(RejectLaunch, NegativeMostTokens) {
  call.options.most_tokens = -1;
  expectInvalid("most_tokens is negative, -1");
}

TEST_F(RejectLaunch, SlotsWithoutStatesInPlace) {
  int64_t shape[] = {2, 1};
  DLTensor slots = {call.x.memory, cuda, 2, {kDLInt, 32, 1}, shape, nullptr, 0};
  call.options.state_slots = &slots;
  expectInvalid("state_slots: mixer 'twice' in the form chunked updates no state in place");
}

TEST_F(RejectLaunch, NoSuchDevice) {
  for (DLTensor *view : call.views)
    view->device.device_id = 7;
  expect(MIXWRIGHT_NO_DEVICE, "there is no CUDA device 7: the driver has 2");
}

TEST_F(RejectLaunch, MoreTokensThanADeviceCounts) {
  for (DLTensor *view : {call.views[0], call.views[2]})
    view->shape[1] = int64_t(1) << 33;
  expect(MIXWRIGHT_UNSUPPORTED,
         "mixer 'twice': more tokens, heads or sequences than a device counts");
}

TEST_F(RejectLaunch, ImageThatTheDriverRefuses) {
  Setting fault("MIXWRIGHT_FAKE_FAULT", "cuModuleLoadData=200");
  expect(MIXWRIGHT_DEVICE_ERROR, "CUDA device 1 refuses the code of kernel 'twice' for sm_90a: "
                                 "CUDA_ERROR_INVALID_IMAGE");
}

TEST_F(RejectLaunch, NoMemoryForTheImage) {
  Setting fault("MIXWRIGHT_FAKE_FAULT", "cuModuleLoadData=2");
  expect(MIXWRIGHT_OUT_OF_MEMORY, "CUDA device 1 refuses the code of kernel 'twice' for sm_90a: "
                                  "CUDA_ERROR_OUT_OF_MEMORY");
}

TEST_F(RejectLaunch, MoreSharedMemoryThanTheDeviceHas) {
  Setting fault("MIXWRIGHT_FAKE_FAULT", "cuFuncSetAttribute=1");
  expect(MIXWRIGHT_DEVICE_ERROR,
         "CUDA device 1 refuses the function 'double': CUDA_ERROR_INVALID_VALUE");
}

TEST_F(RejectLaunch, LaunchThatTheDriverRefuses) {
  Setting fault("MIXWRIGHT_FAKE_FAULT", "cuLaunchKernel=1");
  expect(MIXWRIGHT_DEVICE_ERROR, "CUDA device 1 refuses a launch: CUDA_ERROR_INVALID_VALUE");
}

TEST_F(RejectLaunch, AnErrorWithoutAName) {
  Setting fault("MIXWRIGHT_FAKE_FAULT", "cuLaunchKernel=12345");
  expect(MIXWRIGHT_DEVICE_ERROR, "CUDA device 1 refuses a launch: an error without a name");
}

/// What failed is tried again.
TEST_F(RejectLaunch, AfterAFaultTheNextLaunchRuns) {
  {
    Setting fault("MIXWRIGHT_FAKE_FAULT", "cuModuleGetFunction=500");
    expect(MIXWRIGHT_DEVICE_ERROR,
           "CUDA device 1 refuses the function 'double': CUDA_ERROR_NOT_FOUND");
  }
  ASSERT_EQ(call.launch(), MIXWRIGHT_OK) << mixwright_last_error();
  call.expectDefinition();
}

TEST(RejectRun, KernelForDevicesOnly) {
  const mixwright_kernel *kernel;
  EXPECT_EQ(mixwright_select(&twice, &kernel), MIXWRIGHT_UNSUPPORTED);
  EXPECT_STREQ(mixwright_last_error(),
               "kernel 'twice' does not run on this processor: sm_80 is for a GPU; sm_90 is for a "
               "GPU; sm_90a is for a GPU; gfx942 is for a GPU");
}

TEST(RejectHip, LaunchThatTheDriverRefuses) {
  Call call(hip);
  Setting fault("MIXWRIGHT_FAKE_FAULT", "hipModuleLaunchKernel=1");
  EXPECT_EQ(call.launch(), MIXWRIGHT_DEVICE_ERROR);
  EXPECT_STREQ(mixwright_last_error(), "HIP device 1 refuses a launch: hipErrorInvalidValue");
}

TEST(RejectDevice, OfAnotherKind) {
  const mixwright_kernel *kernel;
  EXPECT_EQ(mixwright_select_for_device(&twice, {kDLVulkan, 0}, &kernel),
            MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(), "expected a CUDA or HIP device, got a device of type 7");
}

} // namespace
