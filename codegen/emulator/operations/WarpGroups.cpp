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

/// Elements of the sum that one instruction adds up: 32 bytes.
static constexpr int kDepth = 16;

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

static float decode(const char *bytes, int type) {
  uint16_t bits;
  memcpy(&bits, bytes, sizeof(bits));
  return type == kBf16 ? floatFromBfloat(bits) : floatFromHalf(bits);
}

/// Element `n` of a lane's accumulator, as (row of the warp's 16, column): figure of
/// 9.7.15.5.1.1.
static int rowOf(int lane, int n) { return lane / 4 + 8 * (n / 2 % 2); }
static int columnOf(int lane, int n) { return n / 4 * 8 + lane % 4 * 2 + n % 2; }

/// An operand in shared memory as numbers [outer][k], noted as being read. False after a finding.
static bool readOperand(Group &group, uint64_t bits, int firstOuter, int numOuter,
                        bool isDepthMajor, int type, std::vector<float> &values) {
  Descriptor descriptor(bits);
  Block &block = *group.warp.block;
  const Site &site = *group.any().site;
  uint32_t thread = group.warp.lanes[0]->index;
  // Eight elements along the major dimension are one piece, however pieces are permuted.
  int outerStep = isDepthMajor ? 1 : 8, depthStep = isDepthMajor ? 8 : 1;
  values.resize(numOuter * kDepth);
  for (int outer = 0; outer < numOuter; outer += outerStep)
    for (int k = 0; k < kDepth; k += depthStep) {
      uintptr_t address = descriptor.getAddress(firstOuter + outer, k, isDepthMajor);
      if (!block.shared.beginAsyncRead(thread, address, 16, site))
        return false;
      group.warp.openReads.push_back({address, 16, &site});
      for (int n = 0; n < 8; ++n)
        values[(outer + n % outerStep) * kDepth + k + n % depthStep] =
            decode(reinterpret_cast<const char *>(address) + 2 * n, type);
    }
  return true;
}

/// 9.7.15.5.1.1 "Register Fragments": A as one matrix [16][16] of each warp, four registers of two
/// elements from argument `first` on.
static void readRegisters(const Group &group, int first, int type, std::vector<float> &values) {
  values.resize(16 * kDepth);
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < 8; ++n) {
      auto pair = group[lane]->get<uint32_t>(first + n / 2);
      int row = lane / 4 + 8 * (n / 2 % 2), k = lane % 4 * 2 + n % 2 + 8 * (n / 4);
      values[row * kDepth + k] = decode(reinterpret_cast<const char *>(&pair) + n % 2 * 2, type);
    }
}

/// `variant`: {columns, type, whether A is in registers}. Arguments: the accumulator, A (a
/// descriptor or four registers), the descriptor of B, whether D takes part, signs of A and B,
/// whether A (if in shared memory) and B are transposed (not depth-major).
static void multiply(Group &group) {
  auto [columns, type, isRegisters, unused] = group.any().site->operation->variant;
  int sums = columns / 2, right = sums + (isRegisters ? 4 : 1);
  const Call &any = group.any();
  if (!group.warp.hasRegisterFence)
    group.warp.block->report(FindingKind::Invalid, group.warp.lanes[0]->index, *any.site,
                             "registers of this wgmma were not fenced (wgmma.fence) since the "
                             "start, or since the last wgmma.wait_group");
  int warpInGroup = group.warp.lanes[0]->index / 32 % 4;
  auto flag = [&](int n) { return any.get<int32_t>(right + 1 + n); };
  std::vector<float> a, b;
  if (isRegisters)
    readRegisters(group, sums, type, a);
  else if (!readOperand(group, any.get<uint64_t>(sums), 16 * warpInGroup, 16, flag(3) == 0, type,
                        a))
    return;
  if (!readOperand(group, any.get<uint64_t>(right), 0, columns, flag(isRegisters ? 3 : 4) == 0,
                   type, b))
    return;
  double sign = double(flag(1)) * flag(2);
  for (int lane = 0; lane < 32; ++lane)
    for (int n = 0; n < sums; ++n) {
      double sum = flag(0) ? group[lane]->get<float>(n) : 0;
      for (int k = 0; k < kDepth; ++k)
        sum += sign * a[rowOf(lane, n) * kDepth + k] * b[columnOf(lane, n) * kDepth + k];
      group[lane]->setElement(n, float(sum));
    }
}

/// Inline PTX may name registers that an instruction without operands orders; they stay as they
/// are, and are its first arguments.
static unsigned passRegisters(Group &group) {
  unsigned count = group.any().site->resultOffsets.size();
  for (int lane = 0; lane < 32; ++lane)
    for (unsigned n = 0; n < count; ++n)
      group[lane]->setElement(n, group[lane]->get<uint32_t>(n));
  return count;
}

/// 9.7.15.7.1 "wgmma.fence": the order of registers and of earlier accesses of these threads. It is
/// needed before the first wgmma and whenever other instructions may have accessed its
/// registers, which they may once it was waited for.
static void fence(Group &group) {
  passRegisters(group);
  group.warp.hasRegisterFence = true;
}

/// 9.7.15.7.2 "wgmma.commit_group", 9.7.15.7.3 "wgmma.wait_group".
static void commit(Group &group) {
  group.warp.readGroups.push_back(std::move(group.warp.openReads));
  group.warp.openReads.clear();
}
static void wait(Group &group) {
  auto &groups = group.warp.readGroups;
  unsigned number = passRegisters(group);
  size_t left = std::min<size_t>(group.any().get<uint64_t>(number), groups.size());
  for (size_t n = 0; n < groups.size() - left; ++n)
    for (const Warp::Read &read : groups[n])
      group.warp.block->shared.endRead(group.warp.lanes[0]->index, read.address, read.bytes);
  groups.erase(groups.begin(), groups.end() - left);
  group.warp.hasRegisterFence = false;
}

FoundOperation mix::emu::findWarpGroups(std::string_view name) {
  if (!consume(name, "nvvm.wgmma.") && !consume(name, "ptx.wgmma."))
    return std::nullopt;
  if (name == "fence.sync.aligned")
    return groupOperation(Meeting::WholeWarp, fence);
  if (name == "commit_group.sync.aligned")
    return groupOperation(Meeting::WholeWarp, commit);
  if (name == "wait_group.sync.aligned")
    return groupOperation(Meeting::WholeWarp, wait);
  bool isRegisters = consume(name, "registers.");
  if (!consume(name, "mma_async.sync.aligned.m64n"))
    return std::nullopt;
  int columns = 0;
  while (!name.empty() && name[0] >= '0' && name[0] <= '9') {
    columns = columns * 10 + (name[0] - '0');
    name.remove_prefix(1);
  }
  int type = name == "k16.f32.bf16.bf16" ? kBf16 : name == "k16.f32.f16.f16" ? kF16 : -1;
  if (type >= 0 && columns >= 8 && columns <= 256 && columns % 8 == 0)
    return groupOperation(Meeting::WholeWarp, multiply, {columns, type, isRegisters});
  return std::nullopt;
}
