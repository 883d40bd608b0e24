//===- CopiesTest.cpp - cp.async and a pipelined product --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernel is what a matrix product looks like on sm_80: two stages of tiles in shared
// memory, filled by asynchronous copies one step ahead, read by ldmatrix, multiplied by mma.
// Each of its mutants has one mistake; the tests say what finds it.
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "Values.h"

using namespace mix::emu;

namespace {

constexpr int kDepth = 96;

/// D[32, 8] = A[32, 96] * B[96, 8] by two warps, a warp per 16 rows, in steps of 16; bf16
/// with rows of A contiguous and columns of B contiguous ([8, 96] in memory). A stage is
/// 1024 bytes of A and 256 of B. Every thread copies 16 bytes of A, and thread t < 16 of B.
const std::string kProduct = kNvptx + R"(
@stages = internal addrspace(3) global [2560 x i8] undef, align 128
@result = internal addrspace(3) global [256 x float] undef, align 128

define internal void @copy(ptr addrspace(1) %a, ptr addrspace(1) %b, i32 %step, i32 %tid) {
  %stage = and i32 %step, 1
  %stageStart = mul i32 %stage, 1280
  %base = getelementptr i8, ptr addrspace(3) @stages, i32 %stageStart
  %row = lshr i32 %tid, 1
  %half = and i32 %tid, 1
  %column = mul i32 %step, 32
  %halfStart = mul i32 %half, 16
  %inRow = add i32 %column, %halfStart
  %rowStart = mul i32 %row, 192
  %fromA = add i32 %rowStart, %inRow
  %sourceA = getelementptr i8, ptr addrspace(1) %a, i32 %fromA
  %toA = mul i32 %tid, 16
  %targetA = getelementptr i8, ptr addrspace(3) %base, i32 %toA
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %targetA, ptr addrspace(1) %sourceA)
  %copiesB = icmp ult i32 %tid, 16
  br i1 %copiesB, label %b.copy, label %end
b.copy:
  %sourceB = getelementptr i8, ptr addrspace(1) %b, i32 %fromA
  %toB = add i32 %toA, 1024
  %targetB = getelementptr i8, ptr addrspace(3) %base, i32 %toB
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %targetB, ptr addrspace(1) %sourceB)
  br label %end
end:
  call void @llvm.nvvm.cp.async.commit.group()
  ret void
}

define ptx_kernel void @product(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %d) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = and i32 %tid, 31
  %warp = lshr i32 %tid, 5
  call void @copy(ptr addrspace(1) %a, ptr addrspace(1) %b, i32 0, i32 %tid)
  br label %loop
loop:
  %step = phi i32 [ 0, %entry ], [ %next, %join ]
  %d0 = phi float [ 0.0, %entry ], [ %e0, %join ]
  %d1 = phi float [ 0.0, %entry ], [ %e1, %join ]
  %d2 = phi float [ 0.0, %entry ], [ %e2, %join ]
  %d3 = phi float [ 0.0, %entry ], [ %e3, %join ]
  %next = add i32 %step, 1
  %isLast = icmp eq i32 %next, 6
  br i1 %isLast, label %last, label %more
more:
  call void @copy(ptr addrspace(1) %a, ptr addrspace(1) %b, i32 %next, i32 %tid)
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  br label %join
last:
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
  br label %join
join:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %stage = and i32 %step, 1
  %stageStart = mul i32 %stage, 1280
  %base = getelementptr i8, ptr addrspace(3) @stages, i32 %stageStart
  ; A: matrices of rows 0-7 and 8-15, columns 0-7, then columns 8-15.
  %rowInWarp = and i32 %lane, 15
  %warpRow = mul i32 %warp, 16
  %row = add i32 %warpRow, %rowInWarp
  %rowStart = mul i32 %row, 32
  %high = lshr i32 %lane, 4
  %highStart = mul i32 %high, 16
  %inA = add i32 %rowStart, %highStart
  %atA = getelementptr i8, ptr addrspace(3) %base, i32 %inA
  %fa = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %atA)
  ; B: column n of B is a row here; depths 0-7, then 8-15.
  %rowB = and i32 %lane, 7
  %rowBStart = mul i32 %rowB, 32
  %halfB = lshr i32 %lane, 3
  %halfB1 = and i32 %halfB, 1
  %halfBStart = mul i32 %halfB1, 16
  %inB0 = add i32 %rowBStart, %halfBStart
  %inB = add i32 %inB0, 1024
  %atB = getelementptr i8, ptr addrspace(3) %base, i32 %inB
  %fb = call {i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) %atB)
  %a0 = extractvalue {i32, i32, i32, i32} %fa, 0
  %a1 = extractvalue {i32, i32, i32, i32} %fa, 1
  %a2 = extractvalue {i32, i32, i32, i32} %fa, 2
  %a3 = extractvalue {i32, i32, i32, i32} %fa, 3
  %b0 = extractvalue {i32, i32} %fb, 0
  %b1 = extractvalue {i32, i32} %fb, 1
  %e = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %d0, float %d1, float %d2, float %d3)
  %e0 = extractvalue {float, float, float, float} %e, 0
  %e1 = extractvalue {float, float, float, float} %e, 1
  %e2 = extractvalue {float, float, float, float} %e, 2
  %e3 = extractvalue {float, float, float, float} %e, 3
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 1)
  br i1 %isLast, label %end, label %loop
end:
  ; Each lane's sums to shared memory, and out of it in whole rows.
  %group = lshr i32 %lane, 2
  %quad = and i32 %lane, 3
  %low = add i32 %warpRow, %group
  %lowRow = mul i32 %low, 8
  %quadColumn = mul i32 %quad, 2
  %place0 = add i32 %lowRow, %quadColumn
  %place2 = add i32 %place0, 64
  %p0 = getelementptr float, ptr addrspace(3) @result, i32 %place0
  %p1 = getelementptr float, ptr addrspace(3) %p0, i32 1
  %p2 = getelementptr float, ptr addrspace(3) @result, i32 %place2
  %p3 = getelementptr float, ptr addrspace(3) %p2, i32 1
  store float %e0, ptr addrspace(3) %p0, align 4
  store float %e1, ptr addrspace(3) %p1, align 4
  store float %e2, ptr addrspace(3) %p2, align 4
  store float %e3, ptr addrspace(3) %p3, align 4
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %out = mul i32 %tid, 4
  %from = getelementptr float, ptr addrspace(3) @result, i32 %out
  %values = load <4 x float>, ptr addrspace(3) %from, align 16
  %to = getelementptr float, ptr addrspace(1) %d, i32 %out
  store <4 x float> %values, ptr addrspace(1) %to, align 16
  ret void
}
)";

/// What a run of the kernel shows: its findings and its largest relative error.
struct Outcome {
  std::vector<Finding> findings;
  bool isRight;
};

Outcome runProduct(const std::string &text, Schedule schedule) {
  Matrix a = drawMatrix(32, kDepth, Format::BF16, 1), b = drawMatrix(8, kDepth, Format::BF16, 2);
  std::vector<uint16_t> bitsOfA, bitsOfB;
  for (double value : a.values)
    bitsOfA.push_back(encode(value, Format::BF16));
  for (double value : b.values)
    bitsOfB.push_back(encode(value, Format::BF16));
  std::vector<float> d(32 * 8, NAN);
  Launcher launcher(text);
  launcher.add(bitsOfA, "a");
  launcher.add(bitsOfB, "b");
  launcher.add(d, "d");
  Outcome outcome = {launcher.run({1}, {64}, schedule), true};
  for (int row = 0; row < 32; ++row)
    for (int column = 0; column < 8; ++column) {
      double exact = 0;
      for (int k = 0; k < kDepth; ++k)
        exact += a(row, k) * b(column, k);
      outcome.isRight &= std::abs(d[row * 8 + column] - exact) < 1e-4;
    }
  return outcome;
}

struct Mutant {
  const char *name;
  const char *from, *to;
  const char *found; ///< The kinds of findings over all schedules; "": wrong numbers alone.
};

const Mutant kMutants[] = {
    {"no barrier before the reads", "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)", "",
     "race"},
    {"no barrier after the reads", "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 1)", "",
     "race"},
    {"no wait in the loop", "call void @llvm.nvvm.cp.async.wait.group(i32 1)", "", "in flight"},
    {"no wait at the end", "call void @llvm.nvvm.cp.async.wait.group(i32 0)", "",
     "in flight, left in flight"},
    {"a wait for one group too few", "wait.group(i32 1)", "wait.group(i32 2)", "in flight"},
    {"no copy of B",
     "call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %targetB, "
     "ptr addrspace(1) %sourceB)",
     "", "uninitialised read"},
    {"half a copy of A", "cg.shared.global.16(ptr addrspace(3) %targetA",
     "ca.shared.global.8(ptr addrspace(3) %targetA", "uninitialised read"},
    {"one stage instead of two", "%stage = and i32 %step, 1", "%stage = and i32 %step, 0",
     "in flight"},
    {"a commit too few", "call void @llvm.nvvm.cp.async.commit.group()", "",
     "in flight, left in flight"},
    {"rows of the other warp", "%warpRow = mul i32 %warp, 16", "%warpRow = mul i32 %warp, 0",
     "race, uninitialised read"},
    {"a fragment's registers swapped", "i32 %a1, i32 %a2", "i32 %a2, i32 %a1", ""},
    {"a fragment transposed", "m8n8.x4.b16.p3", "m8n8.x4.trans.b16.p3", ""},
    {"ldmatrix from rows that are not aligned", "%inA = add i32 %rowStart, %highStart",
     "%inA = add i32 %rowStart, %high", "misaligned"},
    {"a step too many", "icmp eq i32 %next, 6", "icmp eq i32 %next, 7", "out of bounds"},
    {"no order within a warp", "call void @llvm.nvvm.bar.warp.sync(i32 -1)", "",
     "race, uninitialised read"},
    {"a store behind the end", "getelementptr float, ptr addrspace(1) %d, i32 %out",
     "getelementptr float, ptr addrspace(1) %d, i32 %inA", "out of bounds"},
    {"a half of each warp leaves early", "%isLast = icmp eq i32 %next, 6",
     "%late = lshr i32 %lane, 4\n  %bound = sub i32 6, %late\n"
     "  %isLast = icmp eq i32 %next, %bound",
     "divergence"},
    {"barriers of two numbers", "aligned.all(i32 1)", "aligned.all(i32 %warp)", "deadlock"},
};

/// The text with all occurrences replaced.
std::string replaceAll(std::string text, const std::string &from, const std::string &to) {
  EXPECT_NE(text.find(from), std::string::npos) << from;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

} // namespace

TEST(EmulatorCopies, PipelinedProduct) {
  for (Schedule schedule : kSchedules) {
    Outcome outcome = runProduct(kProduct, schedule);
    EXPECT_EQ(toString(outcome.findings), "");
    EXPECT_TRUE(outcome.isRight);
  }
}

TEST(EmulatorCopies, MutantsAreCaught) {
  for (const Mutant &mutant : kMutants) {
    std::vector<Finding> findings;
    bool isRight = true;
    for (Schedule schedule : kSchedules) {
      Outcome outcome = runProduct(replaceAll(kProduct, mutant.from, mutant.to), schedule);
      findings.insert(findings.end(), outcome.findings.begin(), outcome.findings.end());
      isRight &= outcome.isRight;
    }
    EXPECT_EQ(getKinds(findings), mutant.found) << mutant.name << "\n" << toString(findings);
    EXPECT_FALSE(isRight && findings.empty()) << mutant.name;
  }
}

// A copy that is waited for too late gives the right numbers where copies are quick.
TEST(EmulatorCopies, NumbersAloneMissAMissingWait) {
  std::string noWait = replaceAll(kProduct, "call void @llvm.nvvm.cp.async.wait.group(i32 1)", "");
  EXPECT_TRUE(runProduct(noWait, {Order::Forward, 0, false}).isRight);
  EXPECT_FALSE(runProduct(noWait, {Order::Forward, 0, true}).isRight);
}

TEST(EmulatorCopies, ZerosFillWhatIsNotRead) {
  std::vector<uint32_t> in(4 * 32, 7), out(4 * 32, 1);
  Launcher launcher(kNvptx + R"(
@tile = internal addrspace(3) global [512 x i8] undef, align 16
define ptx_kernel void @fill(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %start = mul i32 %lane, 16
  %from = getelementptr i8, ptr addrspace(1) %in, i32 %start
  %mine = getelementptr i8, ptr addrspace(3) @tile, i32 %start
  %bytes = and i32 %lane, 12
  call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) %mine, ptr addrspace(1) %from, i32 %bytes)
  call void @llvm.nvvm.cp.async.wait.all()
  %x = load <4 x i32>, ptr addrspace(3) %mine, align 16
  %to = getelementptr i8, ptr addrspace(1) %out, i32 %start
  store <4 x i32> %x, ptr addrspace(1) %to, align 16
  ret void
})");
  launcher.add(in, "in");
  launcher.add(out, "out");
  EXPECT_EQ(toString(launcher.run({1}, {32}, {Order::Forward, 0, true})), "");
  for (uint32_t word = 0; word < out.size(); ++word)
    EXPECT_EQ(out[word], word % 4 * 4 < (word / 4 & 12) ? 7u : 0u);
}
