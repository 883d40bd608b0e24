//===- WarpGroups.cpp - wgmma -----------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX ISA 9.7.15 "Asynchronous Warpgroup Level Matrix Multiply-Accumulate": the four warps of
// a group multiply A[64, depth] by B[depth, columns]. Each warp computes 16 of the rows, by
// itself; what it reads in shared memory may not be written until the group was waited for.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include "codegen/emulator/TensorMap.h"
#include "codegen/emulator/operations/Numbers.h"

using namespace mix::emu;

enum ElementType { kBf16, kF16 };

/// 9.7.15.5.1.2.2 "Matrix Descriptor Format". Distances in bytes.
namespace {
struct Descriptor {
  uintptr_t start;
  uint32_t leading, stride;
  Swizzle swizzle;

  explicit Descriptor(uint64_t bits)
      : start(SharedWindow::getBase() + ((bits & 0x3fff) << 4)),
        leading((bits >> 16 & 0x3fff) << 4), stride((bits >> 32 & 0x3fff) << 4) {
    static constexpr Swizzle modes[] = {Swizzle::None, Swizzle::Bytes128, Swizzle::Bytes64,
                                        Swizzle::Bytes32};
    swizzle = modes[bits >> 62];
  }

  /// Where the element (outer, k) of A or B is, "outer" being its row of A or its column of B
  /// (9.7.15.5.1.2.1 "Shared Memory Matrix Layout"; 16-bit elements). If `isDepthMajor`,
  /// elements of neighbouring k are neighbours.
  uintptr_t getAddress(int outer, int k, bool isDepthMajor) const {
    int width = 8 << static_cast<int>(swizzle); // elements of a row of the pattern
    uintptr_t offset;
    if (isDepthMajor)
      offset = outer / 8 * stride + outer % 8 * width * 2 + k / width * leading + k % width * 2;
    else if (swizzle == Swizzle::None) // The two distances change their parts.
      offset = outer / 8 * stride + k / 8 * leading + k % 8 * 16 + outer % 8 * 2;
    else
      offset = outer / width * leading + k / 8 * stride + k % 8 * width * 2 + outer % width * 2;
    return applySwizzle(start + offset, swizzle);
  }
};
} // namespace

/// Element `n` of a lane's accumulator, as (row of the warp's 16, column): figure of
/// 9.7.15.5.1.1.
static int rowOf(int lane, int n) { return lane / 4 + 8 * (n / 2 % 2); }
static int columnOf(int lane, int n) { return n / 4 * 8 + lane % 4 * 2 + n % 2; }

/// An operand in shared memory as numbers [outer][k], noted as being read. False after a finding.
static bool readOperand(Group &group, uint64_t bits, int firstOuter, int numOuter, int depth,
                        bool isDepthMajor, int type, std::vector<float> &values) {
  Descriptor descriptor(bits);
  Block &block = *group.warp.block;
  const Site &site = *group.any().site;
  uint32_t thread = group.warp.lanes[0]->index;
  if (descriptor.start % 16 != 0)
    return false;
  for (int outer = firstOuter; outer < firstOuter + numOuter; ++outer)
    for (int k = 0; k < depth; ++k) {
      uintptr_t address = descriptor.getAddress(outer, k, isDepthMajor);
      if (!block.shared.beginAsyncRead(thread, address, 2, site))
        return false;
      group.warp.openReads.push_back({address, 2, &site});
      uint16_t bits16;
      memcpy(&bits16, reinterpret_cast<const void *>(address), 2);
      values.push_back(type == kBf16 ? floatFromBfloat(bits16) : floatFromHalf(bits16));
    }
  return true;
}

/// `variant`: {columns, type}. Arguments: the accumulator, the descriptors of A and B, whether D
/// takes part, signs of A and B, whether A and B are transposed (not depth-major).
static void multiply(Group &group) {
  constexpr int depth = 16;
  auto [columns, type, unused, unused2] = group.any().site->operation->variant;
  int sums = columns / 2;
  const Call &any = group.any();
  int warpInGroup = group.warp.lanes[0]->index / 32 % 4;
  auto flag = [&](int n) { return any.get<int32_t>(sums + 2 + n); };
  std::vector<float> a, b;
  if (!readOperand(group, any.get<uint64_t>(sums), 16 * warpInGroup, 16, depth, flag(3) == 0, type,
                   a) ||
      !readOperand(group, any.get<uint64_t>(sums + 1), 0, columns, depth, flag(4) == 0, type, b))
    return;
  double sign = double(flag(1)) * flag(2);
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < sums; ++n) {
      double sum = flag(0) ? group[lane]->get<float>(n) : 0;
      for (int k = 0; k < depth; ++k)
        sum += sign * a[rowOf(lane, n) * depth + k] * b[columnOf(lane, n) * depth + k];
      group[lane]->setElement(n, float(sum));
    }
}

/// 9.7.15.7.1 "wgmma.fence": the order of registers and of earlier accesses of these threads.
static void fence(Group &) {}

/// 9.7.15.7.2 "wgmma.commit_group", 9.7.15.7.3 "wgmma.wait_group".
static void commit(Group &group) {
  group.warp.readGroups.push_back(std::move(group.warp.openReads));
  group.warp.openReads.clear();
}
static void wait(Group &group) {
  auto &groups = group.warp.readGroups;
  size_t left = std::min<size_t>(group.any().get<uint64_t>(0), groups.size());
  for (size_t n = 0; n < groups.size() - left; ++n)
    for (const Warp::Read &read : groups[n])
      group.warp.block->shared.endRead(group.warp.lanes[0]->index, read.address, read.bytes);
  groups.erase(groups.begin(), groups.end() - left);
}

FoundOperation mix::emu::findWarpGroups(std::string_view name) {
  if (name == "nvvm.wgmma.fence.sync.aligned")
    return groupOperation(Meeting::WholeWarp, fence);
  if (name == "nvvm.wgmma.commit_group.sync.aligned")
    return groupOperation(Meeting::WholeWarp, commit);
  if (name == "nvvm.wgmma.wait_group.sync.aligned")
    return groupOperation(Meeting::WholeWarp, wait);
  if (!consume(name, "ptx.wgmma.mma_async.sync.aligned.m64n"))
    return std::nullopt;
  int columns = 0;
  while (!name.empty() && name[0] >= '0' && name[0] <= '9') {
    columns = columns * 10 + (name[0] - '0');
    name.remove_prefix(1);
  }
  int type = name == "k16.f32.bf16.bf16" ? kBf16 : name == "k16.f32.f16.f16" ? kF16 : -1;
  if (type >= 0 && columns >= 8 && columns <= 256 && columns % 8 == 0)
    return groupOperation(Meeting::WholeWarp, multiply, {columns, type});
  return std::nullopt;
}
