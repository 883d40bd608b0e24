//===- BulkCopies.cpp - cp.async.bulk and TMA -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies from global to shared memory that report their bytes to an mbarrier. They happen
// when issued or, with late copies, once no thread can go on without them.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include "codegen/emulator/TensorMap.h"

using namespace mix::emu;

/// Issues a copy of `bytes` to `destination`; `perform` moves them.
static void issue(Thread &thread, const Call &call, uintptr_t destination, uintptr_t barrier,
                  uint32_t bytes, std::function<void()> perform) {
  Block &block = *thread.block;
  if (!block.shared.beginWrite(thread.index, destination, bytes, *call.site))
    return;
  const Site *site = call.site;
  auto finish = [&block, site, destination, barrier, bytes, perform = std::move(perform)] {
    perform();
    block.shared.endAsyncWrite(block.getCopyEngine(), destination, bytes, *site);
    block.completeBytes(barrier, bytes);
  };
  if (block.launch.schedule.lateCopies)
    block.pendingCopies.push_back({site, thread.index, std::move(finish)});
  else
    finish();
}

/// PTX ISA 9.7.9.25.4.1 "cp.async.bulk": operands (destination, mbarrier, source, bytes, ...).
static void copyBulk(Thread &thread, const Call &call) {
  auto destination = call.get<uintptr_t>(0), barrier = call.get<uintptr_t>(1),
       source = call.get<uintptr_t>(2);
  auto bytes = call.get<uint32_t>(3);
  Block &block = *thread.block;
  if (destination % 16 || source % 16 || bytes % 16)
    return block.stop(FindingKind::Misaligned, thread.index, *call.site,
                      "the addresses and the size of a bulk copy must be multiples of 16");
  block.access(thread, source, bytes, 1, Block::Access::Read, *call.site);
  if (block.launch.isStopped)
    return;
  issue(thread, call, destination, barrier, bytes, [=] {
    memcpy(reinterpret_cast<void *>(destination), reinterpret_cast<const void *>(source), bytes);
  });
}

/// Calls `visit(element of the box, address in the tensor or 0 outside of it)`.
template <typename Function>
static void forEachElement(const TensorMap &map, const int64_t *start, Function visit) {
  uint32_t position[5] = {};
  for (uint32_t element = 0;; ++element) {
    uint64_t address = map.address;
    bool isInside = true;
    for (int dim = 0; dim < map.rank; ++dim) {
      int64_t at = start[dim] + position[dim];
      isInside &= at >= 0 && at < int64_t(map.sizes[dim]);
      address += at * map.strides[dim];
    }
    visit(element, isInside ? address : 0);
    int dim = 0;
    while (dim < map.rank && ++position[dim] == map.box[dim])
      position[dim++] = 0;
    if (dim == map.rank)
      return;
  }
}

/// The tensor map that an operand points to, checked; false after a finding.
static bool readMap(Thread &thread, const Call &call, TensorMap &map) {
  auto address = call.get<uintptr_t>(2);
  Block &block = *thread.block;
  block.access(thread, address, sizeof(TensorMap), 64, Block::Access::Read, *call.site);
  if (block.launch.isStopped)
    return false;
  memcpy(&map, reinterpret_cast<const void *>(address), sizeof(map));
  if (map.magic == TensorMap::kMagic && map.rank == call.site->operation->variant[0])
    return true;
  block.stop(FindingKind::Invalid, thread.index, *call.site,
             "the tensor map is none of the emulator, or has another number of dimensions");
  return false;
}

/// 9.7.9.25.5.2 "cp.async.bulk.tensor", tiled: operands (destination, mbarrier, tensor map,
/// coordinates, ...). `variant`: {dimensions}. What lies outside of the tensor becomes zero.
static void copyTensor(Thread &thread, const Call &call) {
  TensorMap map;
  if (!readMap(thread, call, map))
    return;
  Block &block = *thread.block;
  auto destination = call.get<uintptr_t>(0);
  uint32_t alignment = map.swizzle == Swizzle::None ? 128 : 128 << static_cast<int>(map.swizzle);
  if (destination % alignment != 0)
    return block.stop(FindingKind::Misaligned, thread.index, *call.site,
                      "the destination of a tensor copy with this swizzle must be a multiple of " +
                          std::to_string(alignment));
  std::array<int64_t, 5> start = {};
  uint32_t bytes = map.elementBytes;
  for (int dim = 0; dim < map.rank; ++dim) {
    start[dim] = call.get<int32_t>(3 + dim);
    bytes *= map.box[dim];
  }
  bool isFine = true;
  forEachElement(map, start.data(), [&](uint32_t, uint64_t address) {
    if (isFine && address)
      block.access(thread, address, map.elementBytes, 1, Block::Access::Read, *call.site);
    isFine = !block.launch.isStopped;
  });
  if (!isFine)
    return;
  issue(thread, call, destination, call.get<uintptr_t>(1), bytes, [=] {
    forEachElement(map, start.data(), [&](uint32_t element, uint64_t address) {
      auto *to = reinterpret_cast<void *>(
          applySwizzle(destination + element * map.elementBytes, map.swizzle));
      if (address)
        memcpy(to, reinterpret_cast<const void *>(address), map.elementBytes);
      else
        memset(to, 0, map.elementBytes);
    });
  });
}

/// 9.7.13.5 "fence.proxy.async": what this thread wrote is there for copies and matrix
/// instructions that read shared memory by themselves.
static void fenceProxy(Thread &thread, const Call &) {
  thread.block->shared.fenceProxy(thread.index);
}

static void nothing(Thread &, const Call &) {}

FoundOperation mix::emu::findBulkCopies(std::string_view name) {
  if (consume(name, "ptx.cp.async.bulk.tensor.")) {
    int rank = name.empty() ? 0 : name[0] - '0';
    std::string_view rest = name.substr(std::min<size_t>(1, name.size()));
    bool isKnown = rest == "d.shared::cluster.global.mbarrier::complete_tx::bytes" ||
                   rest == "d.shared::cta.global.mbarrier::complete_tx::bytes";
    if (isKnown && rank >= 1 && rank <= 5)
      return threadOperation(copyTensor, {rank});
    return std::nullopt;
  }
  if (!consume(name, "nvvm."))
    return std::nullopt;
  if (name == "fence.proxy.async" || name == "fence.proxy.async.shared_cta" ||
      name == "fence.proxy.async.shared_cluster")
    return threadOperation(fenceProxy);
  if (name.substr(0, 9) == "prefetch.")
    return threadOperation(nothing);
  if (!consume(name, "cp.async.bulk."))
    return std::nullopt;
  if (name == "global.to.shared.cta" || name == "global.to.shared.cluster")
    return threadOperation(copyBulk);
  if (!consume(name, "tensor.g2s."))
    return std::nullopt;
  consume(name, "cta.");
  if (consume(name, "tile.") && name.size() == 2 && name[1] == 'd' && name[0] >= '1' &&
      name[0] <= '5')
    return threadOperation(copyTensor, {name[0] - '0'});
  return std::nullopt;
}
