//===- WarpsTest.cpp - Shuffles, votes, reductions of a warp ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"

using namespace mix::emu;

namespace {

/// A kernel of one warp: result[lane] = what `code` leaves in %r, from %x = value[lane].
std::string makeKernel(const std::string &code) {
  return kNvptx + R"(
define ptx_kernel void @warp(ptr addrspace(1) %value, ptr addrspace(1) %result) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %from = getelementptr i32, ptr addrspace(1) %value, i32 %lane
  %x = load i32, ptr addrspace(1) %from, align 4
  )" + code +
         R"(
  %to = getelementptr i32, ptr addrspace(1) %result, i32 %lane
  store i32 %r, ptr addrspace(1) %to, align 4
  ret void
})";
}

struct Warp32 {
  std::vector<uint32_t> value = std::vector<uint32_t>(32), result = std::vector<uint32_t>(32);
  std::string found;

  explicit Warp32(const std::string &code, Schedule schedule = {}) {
    std::mt19937 engine(5);
    for (uint32_t &x : value)
      x = engine();
    Launcher launcher(makeKernel(code));
    launcher.add(value, "value");
    launcher.add(result, "result");
    found = toString(launcher.run({1}, {32}, schedule));
  }
};

std::string shuffle(const char *mode, int b, int c) {
  return std::string("%r = call i32 @llvm.nvvm.shfl.sync.") + mode + ".i32(i32 -1, i32 %x, i32 " +
         std::to_string(b) + ", i32 " + std::to_string(c) + ")";
}

} // namespace

// The usual forms, as CUDA's __shfl_*_sync documents them: c is 0x1f, or 0 for "up".
TEST(EmulatorWarps, Shuffles) {
  for (Schedule schedule : kSchedules) {
    Warp32 butterfly(shuffle("bfly", 5, 31), schedule), up(shuffle("up", 3, 0), schedule),
        down(shuffle("down", 7, 31), schedule), index(shuffle("idx", 9, 31), schedule);
    for (int lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(butterfly.result[lane], butterfly.value[lane ^ 5]);
      EXPECT_EQ(up.result[lane], up.value[lane < 3 ? lane : lane - 3]);
      EXPECT_EQ(down.result[lane], down.value[lane + 7 > 31 ? lane : lane + 7]);
      EXPECT_EQ(index.result[lane], index.value[9]);
    }
    EXPECT_EQ(butterfly.found + up.found + down.found + index.found, "");
  }
}

// Segments of 8 lanes: CUDA's width 8, c = (32 - 8) << 8 | 0x1f, or without 0x1f for "up".
TEST(EmulatorWarps, ShufflesWithinSegments) {
  int c = 24 << 8;
  Warp32 up(shuffle("up", 2, c)), down(shuffle("down", 2, c | 31)),
      index(shuffle("idx", 3, c | 31));
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(up.result[lane], up.value[lane % 8 < 2 ? lane : lane - 2]);
    EXPECT_EQ(down.result[lane], down.value[lane % 8 > 5 ? lane : lane + 2]);
    EXPECT_EQ(index.result[lane], index.value[lane / 8 * 8 + 3]);
  }
}

TEST(EmulatorWarps, VotesAndReductions) {
  std::string isOdd = "%b = and i32 %x, 1\n  %p = trunc i32 %b to i1\n  ";
  Warp32 ballot(isOdd + "%r = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %p)");
  Warp32 all(isOdd + "%v = call i1 @llvm.nvvm.vote.all.sync(i32 -1, i1 %p)\n"
                     "  %r = zext i1 %v to i32");
  Warp32 sum("%r = call i32 @llvm.nvvm.redux.sync.add(i32 %x, i32 -1)");
  Warp32 least("%r = call i32 @llvm.nvvm.redux.sync.min(i32 %x, i32 -1)");
  Warp32 match("%low = and i32 %x, 3\n"
               "  %r = call i32 @llvm.nvvm.match.any.sync.i32(i32 -1, i32 %low)");
  uint32_t odd = 0, total = 0;
  int32_t smallest = INT32_MAX;
  for (int lane = 0; lane < 32; ++lane) {
    odd |= (ballot.value[lane] & 1) << lane;
    total += sum.value[lane];
    smallest = std::min(smallest, int32_t(least.value[lane]));
  }
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(ballot.result[lane], odd);
    EXPECT_EQ(all.result[lane], 0u);
    EXPECT_EQ(sum.result[lane], total);
    EXPECT_EQ(int32_t(least.result[lane]), smallest);
    for (int other = 0; other < 32; ++other)
      EXPECT_EQ(match.result[lane] >> other & 1,
                uint32_t((match.value[lane] & 3) == (match.value[other] & 3)));
  }
}

TEST(EmulatorWarps, HalvesOfAWarpReduceApart) {
  Warp32 sum("%isHigh = icmp uge i32 %lane, 16\n"
             "  %mask = select i1 %isHigh, i32 -65536, i32 65535\n"
             "  %r = call i32 @llvm.nvvm.redux.sync.add(i32 %x, i32 %mask)");
  EXPECT_EQ(sum.found, "");
  uint32_t low = 0, high = 0;
  for (int lane = 0; lane < 16; ++lane) {
    low += sum.value[lane];
    high += sum.value[16 + lane];
  }
  EXPECT_EQ(sum.result[3], low);
  EXPECT_EQ(sum.result[31], high);
}

TEST(EmulatorWarps, AShuffleThatAPartReaches) {
  Warp32 warp("%isLow = icmp ult i32 %lane, 16\n"
              "  br i1 %isLow, label %low, label %join\nlow:\n"
              "  %y = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %x, i32 1, i32 31)\n"
              "  br label %join\njoin:\n  %r = phi i32 [ %x, %0 ], [ %y, %low ]");
  // Lanes that have ended take no part, so the shuffle happens once the others are gone.
  EXPECT_EQ(warp.found, "");
  Warp32 both("%isLow = icmp ult i32 %lane, 16\n"
              "  br i1 %isLow, label %low, label %join\nlow:\n"
              "  %y = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %x, i32 1, i32 31)\n"
              "  br label %join\njoin:\n  %r = phi i32 [ %x, %0 ], [ %y, %low ]\n"
              "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)");
  EXPECT_EQ(both.found.find("divergence: only a part of the warp is at "
                            "llvm.nvvm.shfl.sync.bfly.i32: threads 0-15 wait at"),
            0u)
      << both.found;
}

TEST(EmulatorWarps, ReadingFromALaneThatTakesNoPart) {
  Warp32 warp("%isLow = icmp ult i32 %lane, 16\n"
              "  br i1 %isLow, label %low, label %join\nlow:\n"
              "  %y = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 65535, i32 %x, i32 16, i32 31)\n"
              "  br label %join\njoin:\n  %r = phi i32 [ %x, %0 ], [ %y, %low ]");
  EXPECT_EQ(warp.found.find("invalid: lane 0 reads from lane 16, which takes no part"), 0u)
      << warp.found;
}

// bar.warp.sync orders memory within a warp; a shuffle does not.
TEST(EmulatorWarps, OrderWithinAWarp) {
  std::string exchange = R"(
  %mine = getelementptr i32, ptr addrspace(3) @tile, i32 %lane
  store i32 %x, ptr addrspace(3) %mine, align 4
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %next = xor i32 %lane, 1
  %theirs = getelementptr i32, ptr addrspace(3) @tile, i32 %next
  %r = load i32, ptr addrspace(3) %theirs, align 4)";
  auto run = [&](const std::string &code) {
    std::vector<uint32_t> value(32, 3), result(32);
    Launcher launcher(replace(makeKernel(code), "define",
                              "@tile = internal addrspace(3) global [32 x i32] undef\ndefine"));
    launcher.add(value, "value");
    launcher.add(result, "result");
    return getKinds(launcher.run({1}, {32}));
  };
  EXPECT_EQ(run(exchange), "");
  EXPECT_EQ(run(replace(exchange, "call void @llvm.nvvm.bar.warp.sync(i32 -1)",
                        "call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %x, i32 1, i32 31)")),
            "race");
}
