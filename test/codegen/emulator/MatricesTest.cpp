//===- MatricesTest.cpp - mma.sync and ldmatrix -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OneOperation.h"
#include "Values.h"

using namespace mix::emu;

namespace {

/// The element (row, column) that a lane holds as its n-th of an operand, written down
/// from the formulas of the PTX ISA, 9.7.14.5, one function per figure.
struct At {
  int row, column;
};
using Layout = At (*)(int lane, int n);

// m16n8k16, .f16 and .bf16.
At a16(int lane, int n) {
  int group = lane >> 2, inGroup = lane % 4;
  return {(n < 2 || (n >= 4 && n < 6)) ? group : group + 8,
          inGroup * 2 + (n & 1) + (n >= 4 ? 8 : 0)};
}
At b16(int lane, int n) { return {lane % 4 * 2 + (n & 1) + (n >= 2 ? 8 : 0), lane >> 2}; }
At c16(int lane, int n) { return {n < 2 ? lane >> 2 : (lane >> 2) + 8, lane % 4 * 2 + (n & 1)}; }
// m16n8k8, .f16 and .bf16: the first halves of the above.
// m16n8k8, .tf32.
At aTf32(int lane, int n) {
  return {(n == 0 || n == 2) ? lane >> 2 : (lane >> 2) + 8, n < 2 ? lane % 4 : lane % 4 + 4};
}
At bTf32(int lane, int n) { return {n == 0 ? lane % 4 : lane % 4 + 4, lane >> 2}; }

struct Variant {
  const char *name;
  int depth;
  Format format;      // of A and B
  const char *packed; // the type of a register of A and B
  Layout a, b;
};

/// Runs mma on random matrices; yields the largest error relative to the sum of |a b|.
double runMultiply(const Variant &variant, Format sums, std::string &found) {
  bool isPacked = variant.format != Format::F32;
  int perLaneA = 16 * variant.depth / 32, perLaneB = 8 * variant.depth / 32;
  int registersA = isPacked ? perLaneA / 2 : perLaneA,
      registersB = isPacked ? perLaneB / 2 : perLaneB;
  bool isHalf = sums == Format::F16;
  std::vector<RegisterType> operands(registersA + registersB, {variant.packed, 1});
  operands.insert(operands.end(), isHalf ? 2 : 4, {isHalf ? "<2 x half>" : "float", 1});
  OneOperation operation(kNvptx, std::string("llvm.nvvm.mma.") + variant.name, operands,
                         isHalf ? RegisterType{"{<2 x half>, <2 x half>}", 2}
                                : RegisterType{"{float, float, float, float}", 4});
  Format exact = isPacked ? variant.format : Format::Tf32;
  Matrix a = drawMatrix(16, variant.depth, exact, 1), b = drawMatrix(variant.depth, 8, exact, 2);
  Matrix c = drawMatrix(16, 8, sums, 3);
  for (int lane = 0; lane < 32; ++lane) {
    auto put = [&](int firstWord, int count, const Matrix &matrix, Layout layout, Format format) {
      for (int n = 0; n < count; ++n) {
        At at = layout(lane, n);
        int perWord = getBits(format) == 16 ? 2 : 1;
        operation.operand(lane, firstWord + n / perWord) |=
            encode(matrix(at.row, at.column), format) << (n % perWord * 16);
      }
    };
    put(0, perLaneA, a, variant.a, variant.format);
    put(registersA, perLaneB, b, variant.b, variant.format);
    put(registersA + registersB, 4, c, c16, sums);
  }
  found += operation.run();
  double error = 0;
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < 4; ++n) {
      At at = c16(lane, n);
      double exactSum = c(at.row, at.column), size = 1;
      for (int k = 0; k < variant.depth; ++k) {
        exactSum += a(at.row, k) * b(k, at.column);
        size += std::abs(a(at.row, k) * b(k, at.column));
      }
      double actual = isHalf ? decode(operation.result(lane, n / 2) >> (n % 2 * 16), Format::F16)
                             : decode(operation.result(lane, n), Format::F32);
      error = maxOrNaN(error, std::abs(actual - exactSum) / size);
    }
  return error;
}

} // namespace

TEST(EmulatorMatrices, Multiply) {
  const Variant variants[] = {
      {"m16n8k16.row.col.bf16", 16, Format::BF16, "i32", a16, b16},
      {"m16n8k8.row.col.bf16", 8, Format::BF16, "i32", a16, b16},
      {"m16n8k16.row.col.f32.f32", 16, Format::F16, "<2 x half>", a16, b16},
      {"m16n8k8.row.col.f32.f32", 8, Format::F16, "<2 x half>", a16, b16},
      {"m16n8k8.row.col.tf32", 8, Format::F32, "i32", aTf32, bTf32},
      {"m16n8k4.row.col.tf32", 4, Format::F32, "i32", aTf32, bTf32},
  };
  for (const Variant &variant : variants) {
    std::string found;
    EXPECT_LT(runMultiply(variant, Format::F32, found), 1e-6) << variant.name;
    EXPECT_EQ(found, "");
  }
  std::string found;
  EXPECT_LT(runMultiply({"m16n8k16.row.col.f16.f16", 16, Format::F16, "<2 x half>", a16, b16},
                        Format::F16, found),
            1e-3);
}

TEST(EmulatorMatrices, Tf32IgnoresTheLowBits) {
  // 1 + 2^-11 has a bit too many, and is cut off to 1.
  std::vector<RegisterType> operands(6, {"i32", 1});
  operands.insert(operands.end(), 4, {"float", 1});
  OneOperation operation(kNvptx, "llvm.nvvm.mma.m16n8k8.row.col.tf32", operands,
                         {"{float, float, float, float}", 4});
  for (int lane = 0; lane < 32; ++lane)
    for (int word = 0; word < 6; ++word)
      operation.operand(lane, word) = encode(1 + 0x1p-11, Format::F32);
  EXPECT_EQ(operation.run(), "");
  EXPECT_EQ(decode(operation.result(0, 0), Format::F32), 8.0);
}

namespace {

/// A warp copies 4 matrices of 8 x 8 to shared memory (16 bytes a lane), and every lane
/// stores what an ldmatrix gives to it. `rowAddress`: of the row that lane 8 m + r names.
const std::string kLoadMatrices = kNvptx + R"(
@tile = internal addrspace(3) global [1024 x i8] undef, align 128
define ptx_kernel void @load(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %start = mul i32 %lane, 16
  %from = getelementptr i8, ptr addrspace(1) %in, i32 %start
  %row = load <4 x i32>, ptr addrspace(1) %from, align 16
  %mine = getelementptr i8, ptr addrspace(3) @tile, i32 %start
  store <4 x i32> %row, ptr addrspace(3) %mine, align 16
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %r = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %mine)
  %to = getelementptr i8, ptr addrspace(1) %out, i32 %start
  store {i32, i32, i32, i32} %r, ptr addrspace(1) %to, align 4
  ret void
})";

std::string runLoad(const std::string &text, std::vector<uint16_t> &out) {
  std::vector<uint16_t> in(256);
  for (int n = 0; n < 256; ++n)
    in[n] = n;
  out.assign(256, 0xffff);
  Launcher launcher(text);
  launcher.add(in, "in");
  launcher.add(out, "out");
  return toString(launcher.run({1}, {32}));
}

} // namespace

TEST(EmulatorMatrices, LoadMatrices) {
  std::vector<uint16_t> plain, transposed;
  EXPECT_EQ(runLoad(kLoadMatrices, plain), "");
  EXPECT_EQ(runLoad(replace(kLoadMatrices, "x4.b16", "x4.trans.b16"), transposed), "");
  for (int lane = 0; lane < 32; ++lane)
    for (int matrix = 0; matrix < 4; ++matrix)
      for (int half = 0; half < 2; ++half) {
        int row = lane / 4, column = lane % 4 * 2 + half, at = lane * 8 + matrix * 2 + half;
        EXPECT_EQ(plain[at], matrix * 64 + row * 8 + column);
        EXPECT_EQ(transposed[at], matrix * 64 + column * 8 + row);
      }
}

TEST(EmulatorMatrices, LoadMatricesIsChecked) {
  std::vector<uint16_t> out;
  std::string unordered =
      runLoad(replace(kLoadMatrices, "call void @llvm.nvvm.bar.warp.sync(i32 -1)", ""), out);
  // Each row is read on behalf of the lane that names it, so this is in order.
  EXPECT_EQ(unordered, "");
  std::string other = replace(kLoadMatrices, "call void @llvm.nvvm.bar.warp.sync(i32 -1)",
                              "%next = xor i32 %start, 16\n"
                              "  %theirs = getelementptr i8, ptr addrspace(3) @tile, i32 %next");
  other = replace(other, "p3(ptr addrspace(3) %mine)", "p3(ptr addrspace(3) %theirs)");
  EXPECT_EQ(runLoad(other, out)
                .find("race: thread 0, llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16."
                      "p3 of 16 bytes at shared+16: thread 1 wrote these bytes"),
            0u);
  std::string skewed = replace(kLoadMatrices, "%to = ", "%to = ");
  skewed = replace(skewed, "call {i32",
                   "getelementptr i8, ptr addrspace(3) %mine, i32 8\n  %q = call {i32");
  skewed = replace(skewed, "p3(ptr addrspace(3) %mine)", "p3(ptr addrspace(3) %r)");
  skewed = replace(skewed, "i32} %r", "i32} %q");
  EXPECT_EQ(runLoad(skewed, out)
                .find("misaligned: lane 0 gives a row address that is not a "
                      "multiple of 16"),
            0u);
  std::string partial = replace(kLoadMatrices, "  call void @llvm.nvvm.bar.warp.sync(i32 -1)",
                                "  %isLow = icmp ult i32 %lane, 16\n"
                                "  br i1 %isLow, label %low, label %end\nend:\n  ret void\nlow:");
  EXPECT_EQ(runLoad(partial, out)
                .find("divergence: only a part of the warp is at "
                      "llvm.nvvm.ldmatrix"),
            0u);
}
