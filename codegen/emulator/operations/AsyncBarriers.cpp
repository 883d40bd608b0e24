//===- AsyncBarriers.cpp - mbarrier -----------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX ISA 9.7.13.16 "mbarrier": an object of 8 bytes in shared memory, with a phase, a number
// of arrivals that the phase still lacks, and a number of bytes.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"

using namespace mix::emu;

/// The barrier that an operand points to, checked; null after a finding.
static AsyncBarrier *findBarrier(Thread &thread, const Call &call, uintptr_t address) {
  Block &block = *thread.block;
  if (address % 8 != 0 || !SharedMemory::contains(address)) {
    block.stop(FindingKind::Misaligned, thread.index, *call.site,
               "an mbarrier must be 8 bytes of shared memory, aligned to 8");
    return nullptr;
  }
  if (!block.shared.update(thread.index, address, 8, *call.site))
    return nullptr;
  auto found = block.asyncBarriers.find(address);
  if (found == block.asyncBarriers.end()) {
    block.stop(FindingKind::Invalid, thread.index, *call.site,
               "the mbarrier was not initialised, or is no longer valid");
    return nullptr;
  }
  AsyncBarrier &barrier = found->second;
  if (barrier.initInterval == block.clocks.getInterval() &&
      !block.clocks.isOrdered(barrier.initialiser, barrier.initTime, thread.index))
    block.report(FindingKind::Race, thread.index, *call.site,
                 "thread " + std::to_string(thread.index) + " uses an mbarrier that thread " +
                     std::to_string(barrier.initialiser) +
                     " initialised, and no barrier is between");
  return &barrier;
}

/// 9.7.13.16.4 "Phase Completion".
static void completeIfDone(Block &block, AsyncBarrier &barrier) {
  if (barrier.lacking != 0 || barrier.bytes != 0)
    return;
  ++barrier.phase;
  barrier.lacking = barrier.expected;
  barrier.completed = std::move(barrier.arriving);
  barrier.arriving.clear();
  block.noteEvent();
}

void Block::completeBytes(uintptr_t address, uint32_t bytes) {
  auto found = asyncBarriers.find(address);
  if (found == asyncBarriers.end())
    return;
  clocks.release(getCopyEngine(), found->second.arriving);
  found->second.bytes -= bytes;
  completeIfDone(*this, found->second);
}

/// 9.7.13.16.9 "mbarrier.init": operands (address, count).
static void init(Thread &thread, const Call &call) {
  auto address = call.get<uintptr_t>(0);
  auto count = call.get<uint32_t>(1);
  Block &block = *thread.block;
  if (address % 8 != 0 || !SharedMemory::contains(address) || count == 0)
    return block.stop(FindingKind::Invalid, thread.index, *call.site,
                      "an mbarrier must be 8 bytes of shared memory, aligned to 8, of at least "
                      "one arrival");
  if (!block.shared.write(thread.index, address, 8, *call.site))
    return;
  AsyncBarrier barrier;
  barrier.expected = barrier.lacking = count;
  barrier.initialiser = thread.index;
  barrier.initTime = block.clocks.getTime(thread.index);
  barrier.initInterval = block.clocks.getInterval();
  block.asyncBarriers[address] = std::move(barrier);
}

/// 9.7.13.16.10 "mbarrier.inval".
static void invalidate(Thread &thread, const Call &call) {
  auto address = call.get<uintptr_t>(0);
  if (findBarrier(thread, call, address))
    thread.block->asyncBarriers.erase(address);
}

/// 9.7.13.16.11 "mbarrier.expect_tx", 9.7.13.16.13 "mbarrier.arrive": operands (address[,
/// number]). `variant`: {whether the number is of bytes that are expected, whether a thread
/// arrives, whether the number is of arrivals}.
static void arrive(Thread &thread, const Call &call) {
  auto [expectsBytes, arrives, hasCount, unused] = call.site->operation->variant;
  AsyncBarrier *barrier = findBarrier(thread, call, call.get<uintptr_t>(0));
  if (!barrier)
    return;
  if (expectsBytes)
    barrier->bytes += call.get<uint32_t>(1);
  if (!call.site->resultOffsets.empty())
    call.set<uint64_t>(0, barrier->phase);
  if (!arrives)
    return;
  uint32_t count = hasCount ? call.get<uint32_t>(1) : 1;
  if (count > barrier->lacking)
    return thread.block->stop(FindingKind::Invalid, thread.index, *call.site,
                              "more threads arrive at an mbarrier than it was initialised for");
  thread.block->clocks.release(thread.index, barrier->arriving);
  barrier->lacking -= count;
  completeIfDone(*thread.block, *barrier);
}

/// 9.7.13.16.16 "mbarrier.test_wait, mbarrier.try_wait": operands (address, state or parity).
/// `variant`: {whether the second is a parity, whether to wait for as long as it takes}.
static void wait(Thread &thread, const Call &call) {
  auto [isParity, waits, unused, unused2] = call.site->operation->variant;
  AsyncBarrier *barrier = findBarrier(thread, call, call.get<uintptr_t>(0));
  if (!barrier)
    return;
  auto isDone = [&, isParity = isParity] {
    return isParity ? (barrier->phase & 1) != (call.get<uint32_t>(1) & 1)
                    : barrier->phase != call.get<uint64_t>(1);
  };
  while (!isDone() && !thread.block->launch.isStopped) {
    thread.wait(Thread::State::Polling);
    if (!waits)
      break;
  }
  if (isDone())
    thread.block->clocks.acquire(thread.index, barrier->completed);
  if (!call.site->resultOffsets.empty())
    call.set<bool>(0, isDone());
}

/// "scope.cta.space.cta" and the like: what does not matter within one block.
static void dropScope(std::string_view &name) {
  consume(name, ".relaxed");
  if (consume(name, ".scope.cta") || consume(name, ".scope.cluster"))
    consume(name, ".space.cta");
  consume(name, ".shared::cta");
  consume(name, ".shared");
  consume(name, ".b64");
}

FoundOperation mix::emu::findAsyncBarriers(std::string_view name) {
  if (!consume(name, "nvvm.") && !consume(name, "ptx."))
    return std::nullopt;
  if (consume(name, "fence.mbarrier_init.release.cluster") && name.empty())
    return threadOperation([](Thread &, const Call &) {});
  if (!consume(name, "mbarrier."))
    return std::nullopt;
  auto isAll = [&](std::string_view prefix) {
    std::string_view rest = name;
    if (!consume(rest, prefix))
      return false;
    dropScope(rest);
    return rest.empty();
  };
  if (isAll("init"))
    return threadOperation(init);
  if (isAll("inval"))
    return threadOperation(invalidate);
  if (isAll("arrive.expect.tx") || isAll("arrive.expect_tx"))
    return threadOperation(arrive, {true, true, false});
  if (isAll("expect.tx") || isAll("expect_tx"))
    return threadOperation(arrive, {true, false, false});
  if (isAll("arrive"))
    return threadOperation(arrive, {false, true, name.find("scope") != name.npos});
  bool waits = consume(name, "loop.");
  if (isAll("try.wait.parity") || isAll("try_wait.parity") || isAll("test.wait.parity"))
    return threadOperation(wait, {true, waits});
  if (isAll("try.wait") || isAll("test.wait"))
    return threadOperation(wait, {false, waits});
  return std::nullopt;
}
