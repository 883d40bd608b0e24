//===- LaunchTest.cpp - Launches, streams, images, devices ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include <filesystem>
#include <thread>

namespace {

/// Every test runs on both drivers.
struct Launch : testing::TestWithParam<DLDevice> {
  DLDevice which = GetParam();
  bool isCuda = which.device_type == kDLCUDA;

  void TearDown() override {
    EXPECT_EQ(mixwright_unload(&twice), MIXWRIGHT_OK) << mixwright_last_error();
  }

  /// The driver's functions that `body` calls.
  std::vector<std::string> record(const std::function<void()> &body) {
    auto path = std::filesystem::temp_directory_path() /
                ("mixwright-calls-" + std::to_string(getpid()) + (isCuda ? "-cuda" : "-hip"));
    std::filesystem::remove(path);
    {
      Setting log("MIXWRIGHT_FAKE_LOG", path.string());
      body();
    }
    std::vector<std::string> calls;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
      calls.push_back(line);
    std::filesystem::remove(path);
    return calls;
  }

  const char *selected() {
    const mixwright_kernel *kernel = nullptr;
    mixwright_status status = mixwright_select_for_device(&twice, which, &kernel);
    return status == MIXWRIGHT_OK ? kernel->target : mixwright_last_error();
  }
};

TEST_P(Launch, EveryLength) {
  for (int64_t tokens : {1, 3, 4, 5, 97}) {
    Call call(which, tokens);
    ASSERT_EQ(call.launch(), MIXWRIGHT_OK) << mixwright_last_error();
    call.expectDefinition();
  }
}

TEST_P(Launch, AbsentState) {
  Call call(which);
  call.views[1] = nullptr;
  ASSERT_EQ(call.launch(), MIXWRIGHT_OK) << mixwright_last_error();
  call.expectDefinition(/*hasState=*/false);
}

TEST_P(Launch, RunsOnTheStreamAndDoesNotWait) {
  Call call(which);
  ASSERT_EQ(call.device.driver().create_stream(&call.options.stream, 0), 0);
  ASSERT_EQ(call.launch(), MIXWRIGHT_OK) << mixwright_last_error();
  // The fake drivers run what was launched when somebody waits: memory of theirs is the host's.
  EXPECT_TRUE(std::isnan(*static_cast<float *>(call.o.memory)));
  void *other;
  ASSERT_EQ(call.device.driver().create_stream(&other, 0), 0);
  ASSERT_EQ(call.device.driver().wait_for_stream(other), 0);
  EXPECT_TRUE(std::isnan(*static_cast<float *>(call.o.memory)));
  call.expectDefinition();
  EXPECT_EQ(call.device.driver().destroy_stream(other), 0);
  EXPECT_EQ(call.device.driver().destroy_stream(call.options.stream), 0);
}

TEST_P(Launch, NothingButLaunchesOnceLoaded) {
  Call call(which);
  ASSERT_EQ(mixwright_prepare(&twice, which), MIXWRIGHT_OK) << mixwright_last_error();
  auto calls = record([&] { ASSERT_EQ(call.launch(), MIXWRIGHT_OK); });
  std::string launch = isCuda ? "cuLaunchKernel" : "hipModuleLaunchKernel";
  EXPECT_EQ(std::count(calls.begin(), calls.end(), launch), 2);
  for (const std::string &name : calls)
    EXPECT_TRUE(name == launch || name.find("Ctx") != name.npos ||
                name.find("GetDevice") != name.npos || name.find("DeviceGet") != name.npos)
        << name;
  call.expectDefinition();
}

TEST_P(Launch, LoadsOnceForAllThreads) {
  auto calls = record([&] {
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int n = 0; n < 4; ++n)
      threads.emplace_back([&] { EXPECT_EQ(mixwright_prepare(&twice, which), MIXWRIGHT_OK); });
    for (std::thread &thread : threads)
      thread.join();
  });
  std::string load = isCuda ? "cuModuleLoadData" : "hipModuleLoadData";
  EXPECT_EQ(std::count(calls.begin(), calls.end(), load), 1);
}

TEST_P(Launch, TheCurrentDeviceStaysWhatItWas) {
  DLDevice other = {which.device_type, 0};
  Call call(which);
  CurrentDevice current(other);
  ASSERT_EQ(call.launch(), MIXWRIGHT_OK) << mixwright_last_error();
  EXPECT_EQ(call.device.driver().wait_for_stream(nullptr), 0);
  if (isCuda) {
    void *context = nullptr;
    ASSERT_EQ(call.device.driver().pop_context(&context), 0);
    EXPECT_EQ(context, current.get().context);
    ASSERT_EQ(call.device.driver().push_context(context), 0);
  } else {
    int ordinal = -1;
    ASSERT_EQ(call.device.driver().get_current(&ordinal), 0);
    EXPECT_EQ(ordinal, 0);
  }
}

TEST_P(Launch, WorkspaceBytes) {
  Call call(which, 5);
  size_t bytes = 0;
  ASSERT_EQ(mixwright_launch_workspace_bytes(&twice, call.views.data(), 3, &call.options, &bytes),
            MIXWRIGHT_OK);
  EXPECT_EQ(bytes, size_t(call.batch * call.heads) * 128); // 5 rows of 16 bytes, aligned to 64
}

/// A pack's workspace follows from shapes alone: offsets are memory of the device, and not read.
TEST_P(Launch, WorkspaceBytesOfAPack) {
  Call call(which, 5);
  int64_t rows[] = {10, 2, TWICE_K}, results[] = {10, 4, TWICE_K}, states[] = {3, 4, TWICE_K};
  int64_t count = 4;
  DLTensor offsets = {call.o.memory, which, 1, {kDLInt, 32, 1}, &count, nullptr, 0};
  mixwright_packing packing = {"T", &offsets};
  call.options.packings = &packing;
  call.options.num_packings = 1;
  int64_t *shapes[] = {rows, states, results};
  for (int n = 0; n < 3; ++n) {
    call.views[n]->ndim = 3;
    call.views[n]->shape = shapes[n];
  }
  size_t bytes = 0;
  ASSERT_EQ(mixwright_launch_workspace_bytes(&twice, call.views.data(), 3, &call.options, &bytes),
            MIXWRIGHT_OK)
      << mixwright_last_error();
  EXPECT_EQ(bytes, size_t(call.heads) * 192); // 10 rows of 16 bytes for each head, aligned to 64
}

TEST_P(Launch, TheImageForTheChip) {
  if (!isCuda)
    return;
  // Devices are looked at once, and these tests have looked at number 1.
  which.device_id = 2;
  Setting devices("MIXWRIGHT_FAKE_DEVICES", "8");
  auto expect = [&](const char *chip, const char *target) {
    Setting setting("MIXWRIGHT_FAKE_CHIP", chip);
    EXPECT_STREQ(selected(), target) << chip;
    ++which.device_id;
  };
  expect("sm_80", "sm_80");
  expect("sm_86", "sm_80"); // PTX for an earlier one
  expect("sm_90", "sm_90a");
  expect("sm_100", "sm_90"); // never sm_90a, which runs nowhere else
  expect("sm_75", "kernel 'twice' does not run on CUDA device 6, which is sm_75: it was compiled "
                  "for sm_80, sm_90, sm_90a, gfx942");
}

/// Machine code is for one architecture, which the driver may refuse; the image is there for
/// others.
TEST_P(Launch, MachineCode) {
  if (!isCuda)
    return;
  const char *code = static_cast<const char *>(twice.next->image->data), *none = "no code at all";
  auto countLoads = [&](const mixwright_kernel &like, const char *image, const char *assembled) {
    mixwright_image images = *like.image;
    images.data = image;
    images.assembled = assembled;
    mixwright_kernel kernel = like;
    kernel.image = &images;
    kernel.next = nullptr;
    auto calls = record([&] {
      EXPECT_EQ(mixwright_prepare(&kernel, which), MIXWRIGHT_OK) << mixwright_last_error();
      EXPECT_EQ(mixwright_unload(&kernel), MIXWRIGHT_OK) << mixwright_last_error();
    });
    return std::count(calls.begin(), calls.end(), "cuModuleLoadData");
  };
  // The device is an sm_90.
  EXPECT_EQ(countLoads(*twice.next, none, code), 1);
  EXPECT_EQ(countLoads(*twice.next, code, none), 2);
  EXPECT_EQ(countLoads(*twice.next, code, nullptr), 1);
  EXPECT_EQ(countLoads(twice, static_cast<const char *>(twice.image->data), none), 1);
}

INSTANTIATE_TEST_SUITE_P(Cuda, Launch, testing::Values(DLDevice{kDLCUDA, 1}));
INSTANTIATE_TEST_SUITE_P(Hip, Launch, testing::Values(DLDevice{kDLROCM, 1}));

} // namespace
