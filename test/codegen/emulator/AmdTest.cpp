//===- AmdTest.cpp - Lanes, LDS, barriers, MFMA and WMMA --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OneOperation.h"
#include "Values.h"

using namespace mix::emu;

namespace {

/// out[i] = in[n - 1 - i] within a group of 128 threads, through LDS.
const std::string kReverse = kAmdgcn + R"(
@tile = internal addrspace(3) global [128 x float] undef, align 16
define amdgpu_kernel void @reverse(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %tid = call i32 @llvm.amdgcn.workitem.id.x()
  %group = call i32 @llvm.amdgcn.workgroup.id.x()
  %start = shl i32 %group, 7
  %i = or i32 %start, %tid
  %from = getelementptr float, ptr addrspace(1) %in, i32 %i
  %x = load float, ptr addrspace(1) %from, align 4
  %mine = getelementptr float, ptr addrspace(3) @tile, i32 %tid
  store float %x, ptr addrspace(3) %mine, align 4
  fence syncscope("workgroup") release
  call void @llvm.amdgcn.s.barrier()
  fence syncscope("workgroup") acquire
  %other = sub i32 127, %tid
  %theirs = getelementptr float, ptr addrspace(3) @tile, i32 %other
  %z = load float, ptr addrspace(3) %theirs, align 4
  %to = getelementptr float, ptr addrspace(1) %out, i32 %i
  store float %z, ptr addrspace(1) %to, align 4
  ret void
}
)";

std::string runReverse(const std::string &text, Schedule schedule = {}) {
  std::vector<float> in = drawFloats(256, 1), out(256, NAN);
  Launcher launcher(text, "gfx942");
  launcher.add(in, "in");
  launcher.add(out, "out");
  std::string found = toString(launcher.run({2}, {128}, schedule));
  for (int i = 0; i < 256 && found.empty(); ++i)
    EXPECT_EQ(out[i], in[i / 128 * 128 + 127 - i % 128]);
  return found;
}

} // namespace

TEST(EmulatorAmd, ExchangeThroughLds) {
  for (Schedule schedule : kSchedules)
    EXPECT_EQ(runReverse(kReverse, schedule), "");
}

TEST(EmulatorAmd, SplitBarrier) {
  std::string split = replace(kReverse, "call void @llvm.amdgcn.s.barrier()",
                              "call void @llvm.amdgcn.s.barrier.signal(i32 -1)\n"
                              "  call void @llvm.amdgcn.s.barrier.wait(i16 -1)");
  for (Schedule schedule : kSchedules)
    EXPECT_EQ(runReverse(split, schedule), "");
  std::string noWait = replace(split, "call void @llvm.amdgcn.s.barrier.wait(i16 -1)", "");
  EXPECT_NE(runReverse(noWait).find("uninitialised read"), std::string::npos);
}

TEST(EmulatorAmd, BarrierRemoved) {
  EXPECT_NE(runReverse(replace(kReverse, "call void @llvm.amdgcn.s.barrier()", "")).find("race: "),
            std::string::npos);
}

TEST(EmulatorAmd, FenceRemoved) {
  EXPECT_EQ(runReverse(replace(kReverse, "fence syncscope(\"workgroup\") release", ""))
                .find("race: no release fence stands between"),
            0u);
  EXPECT_EQ(runReverse(replace(kReverse, "fence syncscope(\"workgroup\") acquire", ""))
                .find("race: no acquire fence stands between"),
            0u);
}

TEST(EmulatorAmd, WavesThatHaveEndedDoNotTakePart) {
  std::string early = replace(kReverse, "%from = ",
                              "%isLow = icmp ult i32 %tid, 64\n"
                              "  br i1 %isLow, label %low, label %end\nend:\n  ret void\nlow:\n"
                              "  %from = ");
  early = replace(early, "%other = sub i32 127", "%other = sub i32 63");
  std::vector<float> in = drawFloats(256, 1), out(256, NAN);
  Launcher launcher(early, "gfx942");
  launcher.add(in, "in");
  launcher.add(out, "out");
  EXPECT_EQ(toString(launcher.run({1}, {128})), "");
  EXPECT_EQ(out[3], in[60]);
}

namespace {

/// Every lane of one wave executes an operation of i32; word 0 is its value.
std::vector<uint32_t> runLanes(const std::string &intrinsic, const std::string &constants,
                               std::vector<uint32_t> first, uint32_t numLanes,
                               std::vector<uint32_t> second = {}) {
  OneOperation operation(kAmdgcn, intrinsic,
                         std::vector<RegisterType>(second.empty() ? 1 : 2, {"i32", 1}), {"i32", 1},
                         constants, numLanes);
  for (uint32_t lane = 0; lane < numLanes; ++lane) {
    operation.operand(lane, 0) = first[lane];
    if (!second.empty())
      operation.operand(lane, 1) = second[lane];
  }
  EXPECT_EQ(operation.run(numLanes == 64 ? "gfx942" : "gfx1100"), "");
  std::vector<uint32_t> results;
  for (uint32_t lane = 0; lane < numLanes; ++lane)
    results.push_back(operation.result(lane, 0));
  return results;
}

std::vector<uint32_t> drawWords(uint32_t seed, uint32_t count = 64) {
  std::mt19937 engine(seed);
  std::vector<uint32_t> words(count);
  for (uint32_t &word : words)
    word = engine();
  return words;
}

} // namespace

TEST(EmulatorAmd, LanesBelow) {
  std::vector<uint32_t> ones(64, ~0u), base(64, 100);
  auto low = runLanes("llvm.amdgcn.mbcnt.lo", "", ones, 64, base);
  auto high = runLanes("llvm.amdgcn.mbcnt.hi", "", ones, 64, base);
  for (uint32_t lane = 0; lane < 64; ++lane) {
    EXPECT_EQ(low[lane], 100 + std::min(lane, 32u));
    EXPECT_EQ(high[lane], 100 + (lane < 32 ? 0 : lane - 32));
  }
}

TEST(EmulatorAmd, Permutations) {
  std::vector<uint32_t> value = drawWords(1), index(64);
  for (uint32_t lane = 0; lane < 64; ++lane)
    index[lane] = 4 * (63 - lane ^ 5);
  auto pulled = runLanes("llvm.amdgcn.ds.bpermute", "", index, 64, value);
  auto pushed = runLanes("llvm.amdgcn.ds.permute", "", index, 64, value);
  auto first = runLanes("llvm.amdgcn.readfirstlane.i32", "", value, 64);
  for (uint32_t lane = 0; lane < 64; ++lane) {
    EXPECT_EQ(pulled[lane], value[63 - lane ^ 5]);
    EXPECT_EQ(pushed[63 - lane ^ 5], value[lane]);
    EXPECT_EQ(first[lane], value[0]);
  }
}

TEST(EmulatorAmd, Swizzles) {
  std::vector<uint32_t> value = drawWords(2);
  auto swapped = runLanes("llvm.amdgcn.ds.swizzle", ", i32 16415", value, 64); // xor 16
  auto quads = runLanes("llvm.amdgcn.ds.swizzle", ", i32 32795", value, 64);   // 3 2 1 0
  for (uint32_t lane = 0; lane < 64; ++lane) {
    EXPECT_EQ(swapped[lane], value[lane ^ 16]);
    EXPECT_EQ(quads[lane], value[lane ^ 3]);
  }
}

TEST(EmulatorAmd, Dpp) {
  std::vector<uint32_t> value = drawWords(3), old = drawWords(4);
  auto dpp = [&](int control, bool zeroes) {
    return runLanes("llvm.amdgcn.update.dpp.i32",
                    ", i32 " + std::to_string(control) + ", i32 15, i32 15, i1 " +
                        std::to_string(zeroes),
                    old, 64, value);
  };
  auto left = dpp(0x102, false), right = dpp(0x113, true), turned = dpp(0x124, false);
  auto mirror = dpp(0x140, false), halves = dpp(0x141, false), quads = dpp(0xb1, false);
  for (uint32_t lane = 0; lane < 64; ++lane) {
    uint32_t row = lane & 48, inRow = lane & 15;
    EXPECT_EQ(left[lane], inRow + 2 < 16 ? value[lane + 2] : old[lane]);
    EXPECT_EQ(right[lane], inRow >= 3 ? value[lane - 3] : 0);
    EXPECT_EQ(turned[lane], value[row | ((inRow + 12) & 15)]);
    EXPECT_EQ(mirror[lane], value[lane ^ 15]);
    EXPECT_EQ(halves[lane], value[lane ^ 7]);
    EXPECT_EQ(quads[lane], value[lane ^ 1]);
  }
}

TEST(EmulatorAmd, OtherRow) {
  std::vector<uint32_t> value = drawWords(5, 32), old(32, 0);
  auto result = runLanes("llvm.amdgcn.permlanex16.i32",
                         ", i32 1985229328, i32 -19088744, i1 true, i1 false", old, 32, value);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(result[lane], value[lane ^ 16]);
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

namespace {

/// Where the operands of a matrix instruction lie: element n of lane l of A is A[row][k].
/// Written down from the register tables of AMD's matrix instruction calculator.
struct At {
  int row, column;
};
struct Variant {
  const char *name, *chip;
  int size, depth, numLanes;
  Format format;
  const char *operand, *result; // LLVM types
  int elements, sums;           // per lane
  At (*a)(int lane, int n);     // (row, k); B is (column, k) of the same
  At (*d)(int lane, int n);
  const char *constants;
};

double runMultiply(const Variant &variant) {
  int perWord = 32 / getBits(variant.format), words = variant.elements / perWord;
  OneOperation operation(
      kAmdgcn, std::string("llvm.amdgcn.") + variant.name,
      {{variant.operand, words}, {variant.operand, words}, {variant.result, variant.sums}},
      {variant.result, variant.sums}, variant.constants, variant.numLanes);
  Matrix a = drawMatrix(variant.size, variant.depth, variant.format, 1);
  Matrix b = drawMatrix(variant.depth, variant.size, variant.format, 2);
  Matrix c = drawMatrix(variant.size, variant.size, Format::F32, 3);
  for (int lane = 0; lane < variant.numLanes; ++lane) {
    for (int n = 0; n < variant.elements; ++n) {
      At at = variant.a(lane, n);
      int shift = n % perWord * 16;
      operation.operand(lane, n / perWord) |= encode(a(at.row, at.column), variant.format) << shift;
      operation.operand(lane, words + n / perWord) |= encode(b(at.column, at.row), variant.format)
                                                      << shift;
    }
    for (int n = 0; n < variant.sums; ++n) {
      At at = variant.d(lane, n);
      operation.operand(lane, 2 * words + n) = encode(c(at.row, at.column), Format::F32);
    }
  }
  EXPECT_EQ(operation.run(variant.chip), "") << variant.name;
  double error = 0;
  for (int lane = 0; lane < variant.numLanes; ++lane)
    for (int n = 0; n < variant.sums; ++n) {
      At at = variant.d(lane, n);
      double exact = c(at.row, at.column), size = 1;
      for (int k = 0; k < variant.depth; ++k) {
        exact += a(at.row, k) * b(k, at.column);
        size += std::abs(a(at.row, k) * b(k, at.column));
      }
      double actual = decode(operation.result(lane, n), Format::F32);
      error = maxOrNaN(error, std::abs(actual - exact) / size);
    }
  return error;
}

At mfma16x16x4(int lane, int) { return {lane & 15, lane >> 4}; }
At mfma16x16x16(int lane, int n) { return {lane & 15, (lane >> 4) * 4 + n}; }
At mfma16x16x32(int lane, int n) { return {lane & 15, (lane >> 4) * 8 + n}; }
At mfma32x32x2(int lane, int) { return {lane & 31, lane >> 5}; }
At mfma32x32x8(int lane, int n) { return {lane & 31, (lane >> 5) * 4 + n}; }
At sums16(int lane, int n) { return {(lane >> 4) * 4 + n, lane & 15}; }
At sums32(int lane, int n) { return {n / 4 * 8 + (lane >> 5) * 4 + n % 4, lane & 31}; }
At wmma11(int lane, int n) { return {lane & 15, n}; }
At sums11(int lane, int n) { return {2 * n + (lane >> 4), lane & 15}; }
At wmma12(int lane, int n) { return {lane & 15, (lane >> 4) * 8 + n}; }
At sums12(int lane, int n) { return {(lane >> 4) * 8 + n, lane & 15}; }

constexpr const char *kNoModifiers = ", i32 0, i32 0, i32 0";

const Variant kVariants[] = {
    {"mfma.f32.16x16x4f32", "gfx90a", 16, 4, 64, Format::F32, "float", "<4 x float>", 1, 4,
     mfma16x16x4, sums16, kNoModifiers},
    {"mfma.f32.32x32x2f32", "gfx90a", 32, 2, 64, Format::F32, "float", "<16 x float>", 1, 16,
     mfma32x32x2, sums32, kNoModifiers},
    {"mfma.f32.16x16x16f16", "gfx942", 16, 16, 64, Format::F16, "<4 x half>", "<4 x float>", 4, 4,
     mfma16x16x16, sums16, kNoModifiers},
    {"mfma.f32.16x16x16bf16.1k", "gfx942", 16, 16, 64, Format::BF16, "<4 x i16>", "<4 x float>", 4,
     4, mfma16x16x16, sums16, kNoModifiers},
    {"mfma.f32.32x32x8f16", "gfx942", 32, 8, 64, Format::F16, "<4 x half>", "<16 x float>", 4, 16,
     mfma32x32x8, sums32, kNoModifiers},
    {"mfma.f32.16x16x32.bf16", "gfx950", 16, 32, 64, Format::BF16, "<8 x bfloat>", "<4 x float>", 8,
     4, mfma16x16x32, sums16, kNoModifiers},
    {"wmma.f32.16x16x16.f16.v8f32.v16f16", "gfx1100", 16, 16, 32, Format::F16, "<16 x half>",
     "<8 x float>", 16, 8, wmma11, sums11, ""},
    {"wmma.f32.16x16x16.bf16.v8f32.v16i16", "gfx1100", 16, 16, 32, Format::BF16, "<16 x i16>",
     "<8 x float>", 16, 8, wmma11, sums11, ""},
    {"wmma.f32.16x16x16.f16.v8f32.v8f16", "gfx1201", 16, 16, 32, Format::F16, "<8 x half>",
     "<8 x float>", 8, 8, wmma12, sums12, ""},
    {"wmma.f32.16x16x16.bf16.v8f32.v8i16", "gfx1201", 16, 16, 32, Format::BF16, "<8 x i16>",
     "<8 x float>", 8, 8, wmma12, sums12, ""},
};

} // namespace

TEST(EmulatorAmd, MatrixProducts) {
  for (const Variant &variant : kVariants)
    EXPECT_LT(runMultiply(variant), 1e-6) << variant.name;
}

TEST(EmulatorAmd, WmmaOperandsAreThereTwice) {
  OneOperation operation(kAmdgcn, "llvm.amdgcn.wmma.f32.16x16x16.f16.v8f32.v16f16",
                         {{"<16 x half>", 8}, {"<16 x half>", 8}, {"<8 x float>", 8}},
                         {"<8 x float>", 8});
  operation.operand(17, 3) = 0x3c003c00;
  EXPECT_EQ(
      operation.run("gfx1100").find("invalid: lanes 1 and 17 must hold the same operands of WMMA"),
      0u);
}

TEST(EmulatorAmd, APartOfAWaveAtAMatrixInstruction) {
  std::vector<float> out(64, NAN);
  Launcher launcher(kAmdgcn + R"(
define amdgpu_kernel void @part(ptr addrspace(1) %out) {
  %tid = call i32 @llvm.amdgcn.workitem.id.x()
  %isLow = icmp ult i32 %tid, 32
  br i1 %isLow, label %low, label %end
low:
  %d = call <4 x float> @llvm.amdgcn.mfma.f32.16x16x4f32(float 1.0, float 1.0, <4 x float> zeroinitializer, i32 0, i32 0, i32 0)
  %x = extractelement <4 x float> %d, i32 0
  %to = getelementptr float, ptr addrspace(1) %out, i32 %tid
  store float %x, ptr addrspace(1) %to, align 4
  br label %end
end:
  ret void
})",
                    "gfx942");
  launcher.add(out, "out");
  EXPECT_EQ(toString(launcher.run({1}, {64}))
                .find("divergence: only a part of the warp is at llvm.amdgcn.mfma.f32.16x16x4f32: "
                      "threads 0-31 wait at"),
            0u);
}

// Lanes that leave a loop early wait for the others before the next exchange.
TEST(EmulatorAmd, LanesMeetBehindALoop) {
  std::vector<uint32_t> out(64, 0);
  Launcher launcher(kAmdgcn + R"(
define amdgpu_kernel void @loop(ptr addrspace(1) %out) {
  %tid = call i32 @llvm.amdgcn.workitem.id.x()
  br label %loop
loop:
  %n = phi i32 [ 0, %0 ], [ %next, %loop ]
  %b = call i64 @llvm.amdgcn.ballot.i64(i1 true)
  %next = add i32 %n, 1
  %again = icmp ult i32 %n, %tid
  br i1 %again, label %loop, label %end
end:
  %all = call i64 @llvm.amdgcn.ballot.i64(i1 true)
  %isAll = icmp eq i64 %all, -1
  %count = call i64 @llvm.ctpop.i64(i64 %b)
  %narrow = trunc i64 %count to i32
  %r = select i1 %isAll, i32 %narrow, i32 1000
  %to = getelementptr i32, ptr addrspace(1) %out, i32 %tid
  store i32 %r, ptr addrspace(1) %to, align 4
  ret void
})",
                    "gfx942");
  launcher.add(out, "out");
  EXPECT_EQ(toString(launcher.run({1}, {64})), "");
  for (uint32_t lane = 0; lane < 64; ++lane)
    EXPECT_EQ(out[lane], 64 - lane); // In its last round a lane meets those that go on.
}
