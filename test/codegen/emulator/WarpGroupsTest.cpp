//===- WarpGroupsTest.cpp - Layouts of wgmma, bulk copies, proxies ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "Values.h"

using namespace mix::emu;

namespace {

constexpr int kColumns = 16;

/// D[64, 16] = A[64, 16] * B[16, 16]: 16 KiB of global memory go to shared memory by one bulk
/// copy, as they are; the descriptors of A (at 0) and B (at 8192) are parameters.
const std::string kProduct = kNvptx + R"(
@tiles = internal addrspace(3) global [16384 x i8] undef, align 1024
@bar = internal addrspace(3) global i64 undef, align 8

define ptx_kernel void @product(ptr addrspace(1) %bytes, ptr addrspace(1) %d, i64 %descA, i64 %descB) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %isFirst = icmp eq i32 %tid, 0
  br i1 %isFirst, label %copy, label %wait
copy:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @bar, i32 1)
  %token = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @bar, i32 16384)
  call void @llvm.nvvm.cp.async.bulk.global.to.shared.cta(ptr addrspace(3) @tiles, ptr addrspace(3) @bar, ptr addrspace(1) %bytes, i32 16384, i64 0, i1 false)
  br label %wait
wait:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br label %poll
poll:
  %isDone = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @bar, i32 0)
  br i1 %isDone, label %multiply, label %poll
multiply:
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
  %e = call { float, float, float, float, float, float, float, float } asm sideeffect "{\0A.reg .pred p;\0Asetp.ne.b32 p, $18, 0;\0Awgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, $16, $17, p, $19,  $20, $21,  $22;\0A}\0A", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,l,l,n,n,n,n,n"(float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, i64 %descA, i64 %descB, i32 1, i32 1, i32 1, i32 0, i32 0)
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
  %place = mul i32 %tid, 8
  %to = getelementptr float, ptr addrspace(1) %d, i32 %place
  store { float, float, float, float, float, float, float, float } %e, ptr addrspace(1) %to, align 4
  ret void
}
)";

/// A in registers: the thread's four, of two elements each, come from the first bytes. The fence
/// and the wait name the registers that they order.
std::string takeRegisters(std::string text) {
  text = replace(text, "  call void @llvm.nvvm.wgmma.fence.sync.aligned()\n", R"(
  %at = getelementptr <4 x i32>, ptr addrspace(1) %bytes, i32 %tid
  %a = load <4 x i32>, ptr addrspace(1) %at, align 16
  %r0 = extractelement <4 x i32> %a, i32 0
  %r1 = extractelement <4 x i32> %a, i32 1
  %r2 = extractelement <4 x i32> %a, i32 2
  %r3 = extractelement <4 x i32> %a, i32 3
  %f = call { float, i32, i32, i32, i32 } asm sideeffect "wgmma.fence.sync.aligned;", "=f,=r,=r,=r,=r,0,1,2,3,4"(float 0.0, i32 %r0, i32 %r1, i32 %r2, i32 %r3)
  %zero = extractvalue { float, i32, i32, i32, i32 } %f, 0
  %a0 = extractvalue { float, i32, i32, i32, i32 } %f, 1
  %a1 = extractvalue { float, i32, i32, i32, i32 } %f, 2
  %a2 = extractvalue { float, i32, i32, i32, i32 } %f, 3
  %a3 = extractvalue { float, i32, i32, i32, i32 } %f, 4
)");
  text = replace(text, "setp.ne.b32 p, $18, 0", "setp.ne.b32 p, $21, 0");
  text = replace(text, "$16, $17, p, $19,  $20, $21,  $22",
                 "{$16, $17, $18, $19}, $20, p, $22,  $23, $24");
  text = replace(text, "0,1,2,3,4,5,6,7,l,l,n,n,n,n,n", "0,1,2,3,4,5,6,7,r,r,r,r,l,n,n,n,n");
  text = replace(text, "(float 0.0, float 0.0, float 0.0", "(float %zero, float 0.0, float 0.0");
  text = replace(text, "i64 %descA, i64 %descB, i32 1, i32 1, i32 1, i32 0,",
                 "i32 %a0, i32 %a1, i32 %a2, i32 %a3, i64 %descB, i32 1, i32 1, i32 1,");
  return replace(text, "call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)", R"(
  %e0 = extractvalue { float, float, float, float, float, float, float, float } %e, 0
  %w0 = call float asm sideeffect "wgmma.wait_group.sync.aligned $2;", "=f,0,n"(float %e0, i64 0))");
}

/// A canonical layout of 16-bit elements, as the comments of CUTLASS's descriptor header
/// write it down: the byte of element (outer, k).
struct SharedLayout {
  const char *name;
  int mode;          ///< Bits 62-63 of the descriptor.
  int swizzleBits;   ///< B of Swizzle<B,4,3>.
  bool isDepthMajor; ///< "K-major".
  int leading, stride;

  int getByte(int outer, int k) const {
    int pieces = 1 << swizzleBits, byte;
    if (isDepthMajor && swizzleBits == 0) // ((8,m),(T,2)):((T,SBO),(1,LBO))
      byte = outer % 8 * 16 + outer / 8 * stride + k % 8 * 2 + k / 8 * leading;
    else if (isDepthMajor) // ((8,m),(T,2)):((pieces T,SBO),(1,T))
      byte = outer % 8 * pieces * 16 + outer / 8 * stride + k * 2;
    else if (swizzleBits == 0) // ((T,1,m),(8,k)):((1,T,SBO),(T,LBO))
      byte = outer % 8 * 2 + outer / 8 * stride + k % 8 * 16 + k / 8 * leading;
    else // ((T,pieces,m),(8,k)):((1,T,LBO),(pieces T,SBO))
      byte = outer % (8 * pieces) * 2 + outer / (8 * pieces) * leading + k % 8 * pieces * 16 +
             k / 8 * stride;
    int mask = pieces - 1;
    return byte ^ ((byte >> 7 & mask) << 4);
  }
  uint64_t getDescriptor(int start) const {
    return uint64_t(start >> 4) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 |
           uint64_t(mode) << 62;
  }
};

const SharedLayout kLayouts[] = {
    {"depth-major, no swizzle", 0, 0, true, 128, 256},
    {"depth-major, 32 bytes", 3, 1, true, 16, 256},
    {"depth-major, 64 bytes", 2, 2, true, 16, 512},
    {"depth-major, 128 bytes", 1, 3, true, 16, 1024},
    {"outer-major, no swizzle", 0, 0, false, 1024, 128},
    {"outer-major, 32 bytes", 3, 1, false, 512, 256},
    {"outer-major, 64 bytes", 2, 2, false, 1024, 512},
    {"outer-major, 128 bytes", 1, 3, false, 2048, 1024},
};

/// The largest error of a product whose operands lie in the given layouts; NaN after a finding.
/// Where in the bytes an element (row, k) of A is, `findA` says.
template <typename Function>
double runProduct(Function findA, uint64_t descriptorA, const SharedLayout &layoutB,
                  const std::string &text, std::string *found) {
  Matrix a = drawMatrix(64, 16, Format::BF16, 1), b = drawMatrix(16, kColumns, Format::BF16, 2);
  std::vector<uint16_t> bytes(8192, 0);
  std::vector<float> d(128 * 8, NAN);
  for (int k = 0; k < 16; ++k) {
    for (int row = 0; row < 64; ++row)
      bytes[findA(row, k) / 2] = encode(a(row, k), Format::BF16);
    for (int column = 0; column < kColumns; ++column)
      bytes[(8192 + layoutB.getByte(column, k)) / 2] = encode(b(k, column), Format::BF16);
  }
  Launcher launcher(text);
  launcher.add(bytes, "bytes");
  launcher.add(d, "d");
  launcher.addValue(descriptorA);
  launcher.addValue(layoutB.getDescriptor(8192));
  std::string findings = toString(launcher.run({1}, {128}, {Order::Forward, 0, true}));
  if (found)
    *found = findings;
  else
    EXPECT_EQ(findings, "");
  double error = 0;
  for (int thread = 0; thread < 128; ++thread)
    for (int n = 0; n < 8; ++n) {
      int row = thread / 32 * 16 + thread % 32 / 4 + (n & 2 ? 8 : 0);
      int column = n / 4 * 8 + thread % 4 * 2 + n % 2;
      double exact = 0;
      for (int k = 0; k < 16; ++k)
        exact += a(row, k) * b(k, column);
      error = maxOrNaN(error, std::abs(d[thread * 8 + n] - exact));
    }
  return error;
}

double runProduct(const SharedLayout &layoutA, const SharedLayout &layoutB,
                  std::string text = kProduct, std::string *found = nullptr) {
  text = replace(text, "i32 1, i32 1, i32 1, i32 0, i32 0",
                 std::string("i32 1, i32 1, i32 1, i32 ") + (layoutA.isDepthMajor ? "0" : "1") +
                     ", i32 " + (layoutB.isDepthMajor ? "0" : "1"));
  return runProduct([&](int row, int k) { return layoutA.getByte(row, k); },
                    layoutA.getDescriptor(0), layoutB, text, found);
}

/// PTX ISA, figure "WGMMA .m64nNk16 register fragment layout for matrix A".
int findInRegisters(int row, int k) {
  int thread = row / 16 * 32 + row % 8 * 4 + k % 8 / 2;
  int number = k / 8 * 4 + row % 16 / 8 * 2 + k % 2;
  return thread * 16 + number * 2;
}

} // namespace

TEST(EmulatorWarpGroups, LayoutsOfOperands) {
  for (const SharedLayout &layout : kLayouts) {
    EXPECT_LT(runProduct(layout, kLayouts[3]), 1e-4) << "A " << layout.name;
    EXPECT_LT(runProduct(kLayouts[3], layout), 1e-4) << "B " << layout.name;
  }
}

TEST(EmulatorWarpGroups, RegistersOfA) {
  for (const SharedLayout &layout : kLayouts) {
    std::string text = takeRegisters(kProduct);
    text = replace(text, "i32 1, i32 1, i32 1, i32 0)",
                   std::string("i32 1, i32 1, i32 1, i32 ") + (layout.isDepthMajor ? "0)" : "1)"));
    EXPECT_LT(runProduct(findInRegisters, 0, layout, text, nullptr), 1e-4) << "B " << layout.name;
  }
}

TEST(EmulatorWarpGroups, RegistersNeedAFence) {
  const char *fence = "call void @llvm.nvvm.wgmma.fence.sync.aligned()";
  const char *wait = "call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)";
  std::string found;
  runProduct(kLayouts[3], kLayouts[3], replace(kProduct, fence, ""), &found);
  EXPECT_EQ(found.find("invalid: registers of this wgmma were not fenced"), 0u) << found;
  // What was waited for may have been changed since.
  std::string again = replace(kProduct, fence, std::string(fence) + "\n" + wait);
  runProduct(kLayouts[3], kLayouts[3], again, &found);
  EXPECT_EQ(found.find("invalid: registers of this wgmma were not fenced"), 0u) << found;
}

TEST(EmulatorWarpGroups, WritesOfThreadsNeedAProxyFence) {
  const char *barrier =
      "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n  br label %poll";
  const char *store = "  %mine = getelementptr i8, ptr addrspace(3) @tiles, i32 %tid\n"
                      "  store i8 0, ptr addrspace(3) %mine, align 1\n";
  std::string late =
      replace(kProduct, "multiply:\n",
              std::string("multiply:\n") + store + "  FENCE\n  " + barrier + "2\npoll2:\n");
  late = replace(late, barrier,
                 "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                 "  br label %poll");
  std::string found;
  runProduct(kLayouts[3], kLayouts[3], replace(late, "FENCE", ""), &found);
  EXPECT_EQ(found.find("race: thread 0, wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 of 16 "
                       "bytes at shared+0: thread 0 wrote these bytes and no fence.proxy.async "
                       "came since"),
            0u)
      << found;
  runProduct(kLayouts[3], kLayouts[3],
             replace(late, "FENCE", "call void @llvm.nvvm.fence.proxy.async.shared_cta()"), &found);
  EXPECT_EQ(found, "");
}

TEST(EmulatorWarpGroups, TheBarrierIsInitialisedForAll) {
  std::string found;
  runProduct(kLayouts[3], kLayouts[3],
             replace(kProduct, "call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n", ""),
             &found);
  EXPECT_EQ(found.find("race: thread 1 uses an mbarrier that thread 0 initialised, and no barrier "
                       "is between"),
            0u)
      << found;
}

TEST(EmulatorWarpGroups, WaitingForWhatNeverComes) {
  std::string found;
  runProduct(kLayouts[3], kLayouts[3], replace(kProduct, "i32 16384)", "i32 16400)"), &found);
  EXPECT_EQ(found.find("deadlock: threads 0-127 wait at llvm.nvvm.mbarrier.try.wait.parity"), 0u)
      << found;
}
