//===- ThreadsTest.cpp - Positions, barriers, memory, what is found ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include <cmath>

using namespace mix::emu;

namespace {

/// out[i] = 2^in[n - 1 - i] within a block of n threads, through shared memory.
const std::string kReverse = kNvptx + R"(
@tile = internal addrspace(3) global [64 x float] undef, align 16
define ptx_kernel void @reverse(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %size = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %start = mul i32 %block, %size
  %i = add i32 %start, %tid
  %from = getelementptr float, ptr addrspace(1) %in, i32 %i
  %x = load float, ptr addrspace(1) %from, align 4
  %y = call float @llvm.nvvm.ex2.approx.ftz.f32(float %x)
  %mine = getelementptr float, ptr addrspace(3) @tile, i32 %tid
  store float %y, ptr addrspace(3) %mine, align 4
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %end = sub i32 %size, 1
  %other = sub i32 %end, %tid
  %theirs = getelementptr float, ptr addrspace(3) @tile, i32 %other
  %z = load float, ptr addrspace(3) %theirs, align 4
  %to = getelementptr float, ptr addrspace(1) %out, i32 %i
  store float %z, ptr addrspace(1) %to, align 4
  ret void
}
)";

struct Reversal {
  std::vector<float> in = drawFloats(128, 1), out = std::vector<float>(128, NAN);

  std::vector<Finding> run(const std::string &text, Schedule schedule = {}) {
    Launcher launcher(text);
    launcher.add(in, "in");
    launcher.add(out, "out");
    return launcher.run({2}, {64}, schedule);
  }
};

/// What is found in the kernel with one text replaced by another.
std::string findInMutant(const std::string &from, const std::string &to) {
  return toString(Reversal().run(replace(kReverse, from, to)));
}

} // namespace

TEST(EmulatorThreads, ExchangeThroughSharedMemory) {
  for (Schedule schedule : kSchedules) {
    Reversal reversal;
    EXPECT_EQ(toString(reversal.run(kReverse, schedule)), "");
    for (int i = 0; i < 128; ++i) {
      int other = i / 64 * 64 + 63 - i % 64;
      EXPECT_FLOAT_EQ(reversal.out[i], float(std::exp2(double(reversal.in[other]))));
    }
  }
}

TEST(EmulatorThreads, BarrierRemoved) {
  std::string found = findInMutant("call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)", "");
  // The first half of the threads reads what nobody wrote yet, the second races.
  EXPECT_NE(found.find("uninitialised read: thread 0, load of 4 bytes at shared+252: nothing has "
                       "written these bytes [@reverse: %z = load float"),
            std::string::npos)
      << found;
  EXPECT_NE(found.find("race: thread 32, load of 4 bytes at shared+124: thread 31 wrote these "
                       "bytes and no barrier is between (@reverse: store float %y"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, WriteAfterReadOfAnotherThread) {
  std::string found = findInMutant("%to = ", "store float 0.0, ptr addrspace(3) %mine, align 4\n  "
                                             "%to = ");
  EXPECT_NE(found.find("race: thread 0, store of 4 bytes at shared+0: thread 63 read these bytes"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, WriteAfterWriteOfAnotherThread) {
  std::string found = findInMutant("store float %y, ptr addrspace(3) %mine",
                                   "store float %y, ptr addrspace(3) @tile");
  EXPECT_NE(found.find("race: thread 1, store of 4 bytes at shared+0: thread 0 wrote these bytes "
                       "too"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, PastTheEndOfABuffer) {
  std::string found = findInMutant("%start = mul i32 %block, %size", "%start = add i32 %block, 64");
  EXPECT_NE(found.find("out of bounds: load of 4 bytes 0 bytes past the end of 'in' [@reverse: %x "
                       "= load float, ptr addrspace(1) %from, align 4, block (1,0,0)]"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, PastTheEndOfSharedMemory) {
  std::string found = findInMutant("[64 x float]", "[63 x float]");
  EXPECT_NE(found.find("out of bounds: store of 4 bytes at shared+252"), std::string::npos)
      << found;
}

TEST(EmulatorThreads, MisalignedAccess) {
  std::string found = findInMutant("store float %y, ptr addrspace(3) %mine, align 4",
                                   "store float %y, ptr addrspace(3) %mine, align 16");
  EXPECT_NE(found.find("misaligned: store of 4 bytes at an address that is not a multiple of 16"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, BarrierThatAPartReaches) {
  std::string text = replace(kReverse, "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)",
                             "%isLow = icmp ult i32 %tid, 32\n"
                             "  br i1 %isLow, label %low, label %join\nlow:\n"
                             "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                             "  br label %join\njoin:");
  std::string found = toString(Reversal().run(text));
  EXPECT_NE(found.find("deadlock: threads 0-31 wait at llvm.nvvm.barrier.cta.sync.aligned.all "
                       "(@reverse: call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)); "
                       "threads 32-63 have ended"),
            std::string::npos)
      << found;
}

TEST(EmulatorThreads, BarriersOfTwoNumbers) {
  std::string text = replace(kReverse, "aligned.all(i32 0)", "aligned.all(i32 %warp)");
  text = replace(text, "%mine = ", "%warp = lshr i32 %tid, 5\n  %mine = ");
  std::string found = toString(Reversal().run(text));
  EXPECT_EQ(found.find("deadlock: threads 0-63 wait at"), 0u) << found;
}

TEST(EmulatorThreads, BarrierDividesAWarp) {
  // Both halves of a warp wait, but not at one instruction, as .aligned demands.
  std::string text = replace(kReverse, "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)",
                             "%isLow = icmp ult i32 %tid, 16\n"
                             "  br i1 %isLow, label %low, label %high\nlow:\n"
                             "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                             "  br label %join\nhigh:\n"
                             "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                             "  br label %join\njoin:");
  std::string found = toString(Reversal().run(text));
  EXPECT_EQ(found.find("divergence: threads of one warp are at different barriers"), 0u) << found;
  // Without .aligned it is allowed.
  for (int n = 0; n < 2; ++n)
    text = replace(text, "cta.sync.aligned.all(i32 0)", "cta.sync.all(i32 0)");
  EXPECT_EQ(toString(Reversal().run(text)), "");
}

TEST(EmulatorThreads, DebugLocationsAreReported) {
  std::string text = replace(kReverse, "align 4\n  call void @llvm.nvvm.barrier",
                             "align 4, !dbg !4\n  call void @llvm.nvvm.barrier");
  text = replace(text, "@tile, i32 %tid", "@tile, i32 0");
  text = replace(text, "%out) {", "%out) !dbg !3 {");
  text += R"(
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2}
!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: LineTablesOnly)
!1 = !DIFile(filename: "my.mix", directory: "/")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = distinct !DISubprogram(name: "reverse", file: !1, line: 7, unit: !0, spFlags: DISPFlagDefinition)
!4 = !DILocation(line: 12, column: 5, scope: !3)
)";
  std::string found = toString(Reversal().run(text));
  EXPECT_NE(found.find("(my.mix:12:5) [my.mix:12:5, block (0,0,0)"), std::string::npos) << found;
}

TEST(EmulatorThreads, WhatIsUnknownIsNamed) {
  auto program = load(kNvptx + R"(
declare float @__nv_expf(float)
define ptx_kernel void @k(ptr %p) {
  call void @llvm.nvvm.barrier.cluster.arrive()
  call void asm sideeffect "bar.sync 0;", ""()
  %x = call float @__nv_expf(float 1.0)
  store float %x, ptr %p
  ret void
})");
  ASSERT_FALSE(program);
  EXPECT_EQ(llvm::toString(program.takeError()),
            "the emulator does not know '__nv_expf', 'llvm.nvvm.barrier.cluster.arrive', inline "
            "assembly 'bar.sync 0;'");
}

TEST(EmulatorThreads, RefusedLaunches) {
  auto program = load(kReverse);
  ASSERT_TRUE(!!program);
  auto launch = [&](llvm::StringRef kernel, Dim3 block, size_t bytes) {
    std::vector<char> parameters(bytes);
    auto findings = (*program)->launch(kernel, {{1}, block, 0, parameters, {}}, {});
    return findings ? std::string() : llvm::toString(findings.takeError());
  };
  EXPECT_EQ(launch("none", {64}, 16), "the program has no kernel 'none'");
  EXPECT_EQ(launch("reverse", {2048}, 16),
            "kernel 'reverse': a block of 2048 threads, more than 1024");
  EXPECT_EQ(launch("reverse", {0}, 16), "kernel 'reverse': a grid or block of no threads");
  EXPECT_EQ(launch("reverse", {64}, 8), "kernel 'reverse': 8 bytes of parameters, expected 16");
}

TEST(EmulatorThreads, DivisionByZeroDoesNotEndTheHost) {
  std::vector<int> values = {7, 0, -2147483647 - 1, -1};
  Launcher launcher(kNvptx + R"(
define ptx_kernel void @divide(ptr %p) {
  %x = load i32, ptr %p, align 4
  %q = getelementptr i32, ptr %p, i32 1
  %y = load i32, ptr %q, align 4
  %z = sdiv i32 %x, %y
  store i32 %z, ptr %p, align 4
  %r = getelementptr i32, ptr %p, i32 2
  %u = load i32, ptr %r, align 4
  %s = getelementptr i32, ptr %p, i32 3
  %v = load i32, ptr %s, align 4
  %w = srem i32 %u, %v
  store i32 %w, ptr %r, align 4
  ret void
})");
  launcher.add(values, "values");
  EXPECT_EQ(toString(launcher.run({1}, {1})), "");
}

TEST(EmulatorThreads, UnreachableIsAFinding) {
  Launcher launcher(kNvptx + "define ptx_kernel void @k() {\n  unreachable\n}");
  EXPECT_EQ(toString(launcher.run({1}, {32})),
            "invalid: thread 0 reaches unreachable [@k: unreachable, block (0,0,0)]\n");
}
