//===- AmdMatrices.cpp - MFMA and WMMA --------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// D[size, size] = A[size, depth] * B[depth, size] + C[size, size]. Sums are rounded once;
// hardware rounds more often.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include "codegen/emulator/operations/Numbers.h"

using namespace mix::emu;

enum ElementType { kF32, kF16, kBf16, kXf32, kF64 };

static double getElement(const Call &call, unsigned operand, unsigned element, int type) {
  switch (type) {
  case kF16:
    return floatFromHalf(call.get<uint16_t>(operand, element));
  case kBf16:
    return floatFromBfloat(call.get<uint16_t>(operand, element));
  case kF64:
    return call.get<double>(operand, element);
  case kXf32: // Tf32 of AMD: the low bits of the mantissa are ignored.
    return floatFromBits(call.get<uint32_t>(operand, element) & 0xffffe000);
  default:
    return call.get<float>(operand, element);
  }
}

namespace {

struct Place {
  int row, column;
};

/// One product: its matrices, and where the lanes keep them.
struct Product {
  int size, depth;
  double a[32][32], b[32][32], c[32][32];

  double sum(Place at) const {
    double total = c[at.row][at.column];
    for (int k = 0; k < depth; ++k)
      total += a[at.row][k] * b[k][at.column];
    return total;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// CDNA3 ISA 7 "Matrix Arithmetic Instructions": V_MFMA_*, one block, waves of 64
//===----------------------------------------------------------------------===//

/// Where element `n` of a lane's accumulator is (7.1.4 "Dense Matrix Layout"). Rows come in
/// groups of four; doubles are the exception: there a register is one group.
static Place placeInMfmaAccumulator(int lane, int n, int size, int type) {
  int group = lane / size, numGroups = 64 / size;
  if (type == kF64)
    return {numGroups * n + group, lane % size};
  return {(n / 4 * numGroups + group) * 4 + n % 4, lane % size};
}

/// `variant`: {size, depth, type of A and B}. Operands: A, B, C, and three modifiers.
static void multiplyMfma(Group &group) {
  auto [size, depth, type, unused] = group.any().site->operation->variant;
  int perLane = size * depth / 64, numSums = size * size / 64;
  Product product = {size, depth, {}, {}, {}};
  for (int lane = 0; lane < 64; ++lane) {
    const Call &call = *group[lane];
    for (unsigned modifier : {3, 4, 5})
      if (call.get<uint32_t>(modifier) != 0)
        return group.warp.block->stop(FindingKind::Invalid, group.warp.lanes[lane]->index,
                                      *call.site,
                                      "broadcasts and negations of MFMA are not emulated");
    for (int n = 0; n < perLane; ++n) {
      int k = lane / size * perLane + n;
      product.a[lane % size][k] = getElement(call, 0, n, type);
      product.b[k][lane % size] = getElement(call, 1, n, type);
    }
    for (int n = 0; n < numSums; ++n) {
      Place at = placeInMfmaAccumulator(lane, n, size, type);
      product.c[at.row][at.column] = getElement(call, 2, n, type == kF64 ? kF64 : kF32);
    }
  }
  for (int lane = 0; lane < 64; ++lane)
    for (int n = 0; n < numSums; ++n) {
      double sum = product.sum(placeInMfmaAccumulator(lane, n, size, type));
      if (type == kF64)
        group[lane]->setElement(n, sum);
      else
        group[lane]->setElement(n, float(sum));
    }
}

static FoundOperation findMfma(std::string_view name) {
  struct Row {
    const char *name;
    int size, depth, type;
  };
  static constexpr Row rows[] = {
      {"f32.16x16x4f32", 16, 4, kF32},        {"f32.32x32x2f32", 32, 2, kF32},
      {"f32.16x16x16f16", 16, 16, kF16},      {"f32.32x32x8f16", 32, 8, kF16},
      {"f32.16x16x16bf16.1k", 16, 16, kBf16}, {"f32.32x32x8bf16.1k", 32, 8, kBf16},
      {"f32.16x16x32.f16", 16, 32, kF16},     {"f32.32x32x16.f16", 32, 16, kF16},
      {"f32.16x16x32.bf16", 16, 32, kBf16},   {"f32.32x32x16.bf16", 32, 16, kBf16},
      {"f32.16x16x8.xf32", 16, 8, kXf32},     {"f32.32x32x4.xf32", 32, 4, kXf32},
      {"f64.16x16x4f64", 16, 4, kF64},
  };
  for (const Row &row : rows)
    if (name == row.name)
      return groupOperation(Meeting::WholeWarp, multiplyMfma, {row.size, row.depth, row.type});
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// RDNA3 ISA 7.9 and RDNA4 ISA 7.12 "Wave Matrix Multiply Accumulate": 16 x 16 x 16, waves of 32
//===----------------------------------------------------------------------===//

/// gfx11: lane l holds all of row (column) l % 16 of A (B), and so does lane l + 16; rows of
/// the accumulator alternate between the halves of the wave.
static void multiplyWmma11(Group &group) {
  int type = group.any().site->operation->variant[0];
  Product product = {16, 16, {}, {}, {}};
  auto placeOf = [](int lane, int n) -> Place { return {2 * n + lane / 16, lane % 16}; };
  for (int lane = 0; lane < 32; ++lane) {
    const Call &call = *group[lane], &twin = *group[lane % 16];
    for (unsigned operand : {0, 1})
      for (int k = 0; k < 16; ++k) {
        if (call.get<uint16_t>(operand, k) != twin.get<uint16_t>(operand, k))
          return group.warp.block->stop(
              FindingKind::Invalid, group.warp.lanes[lane]->index, *call.site,
              "lanes " + std::to_string(lane % 16) + " and " + std::to_string(lane) +
                  " must hold the same operands of WMMA");
        double value = getElement(call, operand, k, type);
        (operand == 0 ? product.a[lane % 16][k] : product.b[k][lane % 16]) = value;
      }
    for (int n = 0; n < 8; ++n)
      product.c[placeOf(lane, n).row][lane % 16] = call.get<float>(2, n);
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < 8; ++n)
      group[lane]->setElement(n, float(product.sum(placeOf(lane, n))));
}

/// gfx12: the halves of the wave hold the halves of the depth, and of the accumulator's rows.
static void multiplyWmma12(Group &group) {
  int type = group.any().site->operation->variant[0];
  Product product = {16, 16, {}, {}, {}};
  auto placeOf = [](int lane, int n) -> Place { return {lane / 16 * 8 + n, lane % 16}; };
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < 8; ++n) {
      const Call &call = *group[lane];
      int k = lane / 16 * 8 + n;
      product.a[lane % 16][k] = getElement(call, 0, n, type);
      product.b[k][lane % 16] = getElement(call, 1, n, type);
      product.c[placeOf(lane, n).row][lane % 16] = call.get<float>(2, n);
    }
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < 8; ++n)
      group[lane]->setElement(n, float(product.sum(placeOf(lane, n))));
}

/// "f16.v8f32.v16f16", "bf16.v8f32.v8i16": the type of A and B, then LLVM's types of D and A,
/// whose length tells gfx11 from gfx12.
static FoundOperation findWmma(std::string_view name) {
  int type = consume(name, "f16.v8f32.") ? kF16 : consume(name, "bf16.v8f32.") ? kBf16 : -1;
  if (type < 0)
    return std::nullopt;
  std::string_view element = type == kF16 ? "f16" : "i16";
  auto make = [&](void (*run)(Group &)) { return groupOperation(Meeting::WholeWarp, run, {type}); };
  if (consume(name, "v16") && name == element)
    return make(multiplyWmma11);
  if (consume(name, "v8") && name == element)
    return make(multiplyWmma12);
  return std::nullopt;
}

FoundOperation mix::emu::findAmdMatrices(std::string_view name) {
  if (consume(name, "amdgcn.mfma."))
    return findMfma(name);
  if (consume(name, "amdgcn.wmma.f32.16x16x16."))
    return findWmma(name);
  return std::nullopt;
}
