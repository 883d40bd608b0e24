//===- HopperTest.cpp - mbarrier, TMA and wgmma -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "Values.h"
#include "codegen/emulator/TensorMap.h"

using namespace mix::emu;

namespace {

/// D[64, 8] = A[64, 128] * B[128, 8] by one warp group, in two steps of 64: one thread has
/// TMA bring tiles with a swizzle of 128 bytes, the group multiplies them by wgmma. The
/// inline PTX is that of MLIR's NVVM dialect.
const std::string kProduct = kNvptx + R"(
@a = internal addrspace(3) global [8192 x i8] undef, align 1024
@b = internal addrspace(3) global [1024 x i8] undef, align 1024
@bar = internal addrspace(3) global [8 x i8] undef, align 8

define ptx_kernel void @product(ptr %mapA, ptr %mapB, ptr addrspace(1) %d) {
entry:
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %isFirst = icmp eq i32 %tid, 0
  call void asm sideeffect "@$2 mbarrier.init.shared.b64 [$0], $1;", "r,r,b"(ptr addrspace(3) @bar, i32 1, i1 %isFirst)
  call void @llvm.nvvm.fence.mbarrier_init.release.cluster()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %addressA = ptrtoint ptr addrspace(3) @a to i32
  %lowA = and i32 %addressA, 262143
  %fieldA = lshr i32 %lowA, 4
  %startA = zext i32 %fieldA to i64
  %descA = or i64 %startA, 4611686293305360384
  %addressB = ptrtoint ptr addrspace(3) @b to i32
  %lowB = and i32 %addressB, 262143
  %fieldB = lshr i32 %lowB, 4
  %startB = zext i32 %fieldB to i64
  %descB = or i64 %startB, 4611686293305360384
  br label %loop
loop:
  %step = phi i32 [ 0, %entry ], [ %next, %loop.back ]
  %d0 = phi float [ 0.0, %entry ], [ %e0, %loop.back ]
  %d1 = phi float [ 0.0, %entry ], [ %e1, %loop.back ]
  %d2 = phi float [ 0.0, %entry ], [ %e2, %loop.back ]
  %d3 = phi float [ 0.0, %entry ], [ %e3, %loop.back ]
  %k = mul i32 %step, 64
  call void asm sideeffect "@$2 mbarrier.arrive.expect_tx.shared.b64 _, [$0], $1;", "r,r,b"(ptr addrspace(3) @bar, i32 9216, i1 %isFirst)
  %ca = addrspacecast ptr addrspace(3) @a to ptr addrspace(7)
  %cb = addrspacecast ptr addrspace(3) @b to ptr addrspace(7)
  call void asm sideeffect "@$5 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2,$3} ], [$4];", "l,l,r,r,r,b"(ptr addrspace(7) %ca, ptr %mapA, i32 %k, i32 0, ptr addrspace(3) @bar, i1 %isFirst)
  call void asm sideeffect "@$5 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2,$3} ], [$4];", "l,l,r,r,r,b"(ptr addrspace(7) %cb, ptr %mapB, i32 %k, i32 0, ptr addrspace(3) @bar, i1 %isFirst)
  call void asm sideeffect "{\0A\09.reg .pred       P1; \0A\09LAB_WAIT: \0A\09mbarrier.try_wait.parity.shared.b64 P1, [$0], $1, $2; \0A\09@P1 bra.uni DONE; \0A\09bra.uni     LAB_WAIT; \0A\09DONE: \0A\09}", "r,r,r"(ptr addrspace(3) @bar, i32 %step, i32 1000)
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
  br label %inner
inner:
  %n = phi i64 [ 0, %loop ], [ %m, %inner ]
  %c0 = phi float [ %d0, %loop ], [ %e0, %inner ]
  %c1 = phi float [ %d1, %loop ], [ %e1, %inner ]
  %c2 = phi float [ %d2, %loop ], [ %e2, %inner ]
  %c3 = phi float [ %d3, %loop ], [ %e3, %inner ]
  %advance = mul i64 %n, 2
  %da = add i64 %descA, %advance
  %db = add i64 %descB, %advance
  %e = call { float, float, float, float } asm sideeffect "{\0A.reg .pred p;\0Asetp.ne.b32 p, $10, 0;\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $8, $9, p, $11,  $12, $13,  $14;\0A}\0A", "=f,=f,=f,=f,0,1,2,3,l,l,n,n,n,n,n"(float %c0, float %c1, float %c2, float %c3, i64 %da, i64 %db, i32 1, i32 1, i32 1, i32 0, i32 0)
  %e0 = extractvalue {float, float, float, float} %e, 0
  %e1 = extractvalue {float, float, float, float} %e, 1
  %e2 = extractvalue {float, float, float, float} %e, 2
  %e3 = extractvalue {float, float, float, float} %e, 3
  %m = add i64 %n, 1
  %more = icmp ult i64 %m, 4
  br i1 %more, label %inner, label %done
done:
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %next = add i32 %step, 1
  %again = icmp ult i32 %next, 2
  br i1 %again, label %loop.back, label %end
loop.back:
  br label %loop
end:
  ; Row 16 warp + lane / 4 (+ 8), column 2 (lane % 4) (+ 1).
  %lane = and i32 %tid, 31
  %warp = lshr i32 %tid, 5
  %group = lshr i32 %lane, 2
  %quad = and i32 %lane, 3
  %warpRow = mul i32 %warp, 16
  %row = add i32 %warpRow, %group
  %rowStart = mul i32 %row, 8
  %column = mul i32 %quad, 2
  %place = add i32 %rowStart, %column
  %p0 = getelementptr float, ptr addrspace(1) %d, i32 %place
  %p1 = getelementptr float, ptr addrspace(1) %p0, i32 1
  %p2 = getelementptr float, ptr addrspace(1) %p0, i32 64
  %p3 = getelementptr float, ptr addrspace(1) %p0, i32 65
  store float %e0, ptr addrspace(1) %p0, align 4
  store float %e1, ptr addrspace(1) %p1, align 4
  store float %e2, ptr addrspace(1) %p2, align 4
  store float %e3, ptr addrspace(1) %p3, align 4
  ret void
}
)";

std::vector<uint16_t> encodeAll(const Matrix &matrix) {
  std::vector<uint16_t> bits;
  for (double value : matrix.values)
    bits.push_back(encode(value, Format::BF16));
  return bits;
}

TensorMap makeMap(const std::vector<uint16_t> &values, uint32_t rows, uint32_t columns) {
  TensorMap map;
  map.elementBytes = 2;
  map.rank = 2;
  map.swizzle = Swizzle::Bytes128;
  map.address = reinterpret_cast<uint64_t>(values.data());
  map.sizes[0] = columns;
  map.sizes[1] = rows;
  map.strides[0] = 2;
  map.strides[1] = 2 * columns;
  map.box[0] = 64;
  map.box[1] = rows;
  return map;
}

struct Outcome {
  std::vector<Finding> findings;
  bool isRight = true;
};

Outcome runProduct(const std::string &text, Schedule schedule) {
  Matrix a = drawMatrix(64, 128, Format::BF16, 1), b = drawMatrix(8, 128, Format::BF16, 2);
  std::vector<uint16_t> bitsOfA = encodeAll(a), bitsOfB = encodeAll(b);
  std::vector<TensorMap> mapA = {makeMap(bitsOfA, 64, 128)}, mapB = {makeMap(bitsOfB, 8, 128)};
  std::vector<float> d(64 * 8, NAN);
  Launcher launcher(text);
  launcher.add(mapA, "map of a");
  launcher.add(mapB, "map of b");
  launcher.add(d, "d");
  launcher.allow(bitsOfA, "a");
  launcher.allow(bitsOfB, "b");
  Outcome outcome{launcher.run({1}, {128}, schedule)};
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < 8; ++column) {
      double exact = 0;
      for (int k = 0; k < 128; ++k)
        exact += a(row, k) * b(column, k);
      outcome.isRight &= std::abs(d[row * 8 + column] - exact) < 1e-4;
    }
  return outcome;
}

/// Kinds of findings over all schedules; "wrong" if there are none but the numbers are.
std::string findInMutant(const std::string &from, const std::string &to) {
  std::vector<Finding> findings;
  bool isRight = true;
  for (Schedule schedule : kSchedules) {
    Outcome outcome = runProduct(replace(kProduct, from, to), schedule);
    findings.insert(findings.end(), outcome.findings.begin(), outcome.findings.end());
    isRight &= outcome.isRight;
  }
  return findings.empty() && !isRight ? "wrong" : getKinds(findings);
}

} // namespace

TEST(EmulatorHopper, TiledProduct) {
  for (Schedule schedule : kSchedules) {
    Outcome outcome = runProduct(kProduct, schedule);
    EXPECT_EQ(toString(outcome.findings), "");
    EXPECT_TRUE(outcome.isRight);
  }
}

TEST(EmulatorHopper, MutantsAreCaught) {
  EXPECT_EQ(findInMutant("wait_group.sync.aligned(i64 0)", "wait_group.sync.aligned(i64 1)"),
            "in flight, left in flight");
  EXPECT_EQ(findInMutant("call void @llvm.nvvm.wgmma.fence.sync.aligned()", ""), "invalid");
  EXPECT_EQ(findInMutant("call void @llvm.nvvm.wgmma.commit_group.sync.aligned()", ""),
            "in flight, left in flight");
  EXPECT_EQ(findInMutant("[1024 x i8] undef, align 1024", "[1024 x i8] undef, align 16\n@pad = "
                                                          "internal addrspace(3) global i8 undef"),
            "");
  EXPECT_EQ(findInMutant("@a = internal addrspace(3) global [8192 x i8] undef, align 1024",
                         "@first = internal addrspace(3) global [16 x i8] undef, align 16\n"
                         "@a = internal addrspace(3) global [8192 x i8] undef, align 16"),
            "misaligned");
  EXPECT_EQ(findInMutant("i32 9216, i1 %isFirst", "i32 8192, i1 %isFirst"), "deadlock, race");
  EXPECT_EQ(findInMutant("i32 9216, i1 %isFirst", "i32 9232, i1 %isFirst"), "deadlock");
  EXPECT_EQ(findInMutant("@bar, i32 1, i1 %isFirst", "@bar, i32 2, i1 %isFirst"), "deadlock");
  EXPECT_NE(findInMutant("ptr addrspace(3) @bar, i32 %step, i32 1000",
                         "ptr addrspace(3) @bar, i32 1, i32 1000")
                .find("in flight"),
            std::string::npos);
  EXPECT_EQ(findInMutant("mul i64 %n, 2", "mul i64 %n, 4"), "out of bounds");
  EXPECT_EQ(findInMutant("i32 1, i32 1, i32 1, i32 0, i32 0", "i32 1, i32 -1, i32 1, i32 0, i32 0"),
            "wrong");
}
