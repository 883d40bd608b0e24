//===- Matrices.cpp - mma.sync, ldmatrix, stmatrix --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include "codegen/emulator/operations/Numbers.h"

using namespace mix::emu;

//===----------------------------------------------------------------------===//
// PTX ISA 9.7.14.5 "mma.sync": D[16, 8] = A[16, depth] * B[depth, 8] + C[16, 8]
//===----------------------------------------------------------------------===//

enum ElementType { kBf16, kF16, kTf32 };

/// A value of an operand in a register: which half of it for 16-bit types.
static float unpack(uint32_t bits, int type, int half) {
  switch (type) {
  case kBf16:
    return floatFromBfloat(bits >> (16 * half));
  case kF16:
    return floatFromHalf(bits >> (16 * half));
  default: // "the lower 13 bits are ignored" (9.7.14.5, .tf32)
    return floatFromBits(bits & 0xffffe000);
  }
}

/// Where a lane's elements of A are. The figures of 9.7.14.5.8: register r holds rows
/// lane / 4 (+ 8 if r is odd); columns from r / 2 times half of the depth on.
struct Place {
  int row, column;
};
static Place placeOfA(int lane, int reg, int half, int perRegister) {
  return {lane / 4 + 8 * (reg % 2), (lane % 4 + 4 * (reg / 2)) * perRegister + half};
}
static Place placeOfB(int lane, int reg, int half, int perRegister) {
  return {(lane % 4 + 4 * reg) * perRegister + half, lane / 4};
}
static Place placeOfC(int lane, int element) {
  return {lane / 4 + 8 * (element / 2), lane % 4 * 2 + element % 2};
}

/// `variant`: {depth, type of A and B, whether C is f16, whether D is f16}. Operands: the
/// registers of A, of B and of C. The sum is rounded once; hardware rounds or cuts off
/// more often, differently from chip to chip.
static void multiply(Group &group) {
  auto [depth, type, isHalfC, isHalfD] = group.any().site->operation->variant;
  int perRegister = type == kTf32 ? 1 : 2;
  int registersOfA = depth * 16 / 32 / perRegister, registersOfB = registersOfA / 2;
  double a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Call &call = *group[lane];
    for (int reg = 0; reg < registersOfA; ++reg)
      for (int half = 0; half < perRegister; ++half) {
        Place at = placeOfA(lane, reg, half, perRegister);
        a[at.row][at.column] = unpack(call.get<uint32_t>(reg), type, half);
      }
    for (int reg = 0; reg < registersOfB; ++reg)
      for (int half = 0; half < perRegister; ++half) {
        Place at = placeOfB(lane, reg, half, perRegister);
        b[at.row][at.column] = unpack(call.get<uint32_t>(registersOfA + reg), type, half);
      }
    int firstOfC = registersOfA + registersOfB;
    for (int element = 0; element < 4; ++element) {
      Place at = placeOfC(lane, element);
      c[at.row][at.column] =
          isHalfC ? unpack(call.get<uint32_t>(firstOfC + element / 2), kF16, element % 2)
                  : call.get<float>(firstOfC + element);
    }
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int element = 0; element < 4; ++element) {
      Place at = placeOfC(lane, element);
      double sum = c[at.row][at.column];
      for (int k = 0; k < depth; ++k)
        sum += a[at.row][k] * b[k][at.column];
      if (isHalfD)
        group[lane]->set(element / 2, halfFromFloat(float(sum)), element % 2);
      else
        group[lane]->set(element, float(sum));
    }
}

/// "m16n8k16.row.col.bf16", "m16n8k8.row.col.f32.f32" (the types of D and C; A and B are
/// f16), "m16n8k8.row.col.tf32", ...
static FoundOperation findMultiply(std::string_view name) {
  int depth = consume(name, "m16n8k16.row.col.")  ? 16
              : consume(name, "m16n8k8.row.col.") ? 8
              : consume(name, "m16n8k4.row.col.") ? 4
                                                  : 0;
  auto make = [&](int type, bool isHalfC, bool isHalfD) {
    return groupOperation(Meeting::WholeWarp, multiply, {depth, type, isHalfC, isHalfD});
  };
  if (depth >= 8 && name == "bf16")
    return make(kBf16, false, false);
  if (depth && depth <= 8 && name == "tf32")
    return make(kTf32, false, false);
  if (depth >= 8 &&
      (name == "f32.f32" || name == "f16.f16" || name == "f32.f16" || name == "f16.f32"))
    return make(kF16, name.substr(4) == "f16", name.substr(0, 3) == "f16");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// PTX ISA 9.7.14.5.15 "ldmatrix", 9.7.14.5.16 "stmatrix": 8 x 8 matrices of 16 bits
//===----------------------------------------------------------------------===//

/// Row `row` of matrix `number` is where lane 8 * number + row says, 16 bytes, aligned.
/// Null, after a finding, if it may not be touched.
static char *findRow(Group &group, int number, int row, bool isRead) {
  unsigned lane = 8 * number + row;
  const Call &call = *group[lane];
  Block &block = *group.warp.block;
  uint32_t thread = group.warp.lanes[lane]->index;
  auto address = call.get<uintptr_t>(0);
  if (!SharedMemory::contains(address) || address % 16 != 0) {
    block.stop(address % 16 ? FindingKind::Misaligned : FindingKind::OutOfBounds, thread,
               *call.site,
               "lane " + std::to_string(lane) + " gives a row address that is not " +
                   (address % 16 ? "a multiple of 16" : "in shared memory"));
    return nullptr;
  }
  bool isFine = isRead ? block.shared.read(thread, address, 16, *call.site)
                       : block.shared.write(thread, address, 16, *call.site);
  return isFine ? reinterpret_cast<char *>(address) : nullptr;
}

/// `variant`: {number of matrices, whether they are transposed}. Lane l holds, of each
/// matrix, row l / 4 and columns 2 * (l % 4) and the next.
static void loadMatrices(Group &group) {
  auto [count, isTransposed, unused, unused2] = group.any().site->operation->variant;
  for (int number = 0; number < count; ++number) {
    uint16_t matrix[8][8];
    for (int row = 0; row < 8; ++row) {
      const char *from = findRow(group, number, row, /*isRead=*/true);
      if (!from)
        return;
      memcpy(matrix[row], from, 16);
    }
    for (int lane = 0; lane < 32; ++lane) {
      int row = lane / 4, column = lane % 4 * 2;
      uint32_t low = isTransposed ? matrix[column][row] : matrix[row][column];
      uint32_t high = isTransposed ? matrix[column + 1][row] : matrix[row][column + 1];
      group[lane]->setElement(number, low | high << 16);
    }
  }
}

static void storeMatrices(Group &group) {
  auto [count, isTransposed, unused, unused2] = group.any().site->operation->variant;
  for (int number = 0; number < count; ++number) {
    uint16_t matrix[8][8];
    for (int lane = 0; lane < 32; ++lane)
      for (int half = 0; half < 2; ++half) {
        int row = lane / 4, column = lane % 4 * 2 + half;
        uint16_t value = group[lane]->get<uint32_t>(1 + number) >> (16 * half);
        (isTransposed ? matrix[column][row] : matrix[row][column]) = value;
      }
    for (int row = 0; row < 8; ++row) {
      char *to = findRow(group, number, row, /*isRead=*/false);
      if (!to)
        return;
      memcpy(to, matrix[row], 16);
    }
  }
}

static FoundOperation findMatrixAccess(std::string_view name, void (*run)(Group &)) {
  int count = consume(name, "x1.") ? 1 : consume(name, "x2.") ? 2 : consume(name, "x4.") ? 4 : 0;
  bool isTransposed = consume(name, "trans.");
  if (count && (name == "b16" || name == "b16.p3" || name == "b16.p0"))
    return groupOperation(Meeting::WholeWarp, run, {count, isTransposed});
  return std::nullopt;
}

FoundOperation mix::emu::findMatrices(std::string_view name) {
  if (consume(name, "nvvm.mma."))
    return findMultiply(name);
  if (consume(name, "nvvm.ldmatrix.sync.aligned.m8n8."))
    return findMatrixAccess(name, loadMatrices);
  if (consume(name, "nvvm.stmatrix.sync.aligned.m8n8."))
    return findMatrixAccess(name, storeMatrices);
  return std::nullopt;
}
