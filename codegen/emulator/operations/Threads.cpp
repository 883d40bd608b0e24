//===- Threads.cpp - Where a thread is, and barriers ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"

using namespace mix::emu;

//===----------------------------------------------------------------------===//
// Positions: PTX ISA 10 "Special Registers"; AMDGPU user guide, workitem and workgroup id
//===----------------------------------------------------------------------===//

static uint32_t getComponent(const Dim3 &value, int axis) {
  return axis == 0 ? value.x : axis == 1 ? value.y : value.z;
}

static void threadPosition(Thread &thread, const Call &call) {
  call.set<uint32_t>(0, getComponent(thread.position, call.site->operation->variant[0]));
}
static void blockPosition(Thread &thread, const Call &call) {
  call.set<uint32_t>(0, getComponent(thread.block->position, call.site->operation->variant[0]));
}
static void blockSize(Thread &thread, const Call &call) {
  call.set<uint32_t>(
      0, getComponent(thread.block->launch.blockSize, call.site->operation->variant[0]));
}
static void gridSize(Thread &thread, const Call &call) {
  call.set<uint32_t>(0,
                     getComponent(thread.block->launch.gridSize, call.site->operation->variant[0]));
}
static void laneIndex(Thread &thread, const Call &call) { call.set<uint32_t>(0, thread.lane); }
static void warpIndex(Thread &thread, const Call &call) {
  call.set<uint32_t>(0, thread.index / thread.block->launch.warpSize);
}
static void warpSize(Thread &thread, const Call &call) {
  call.set<uint32_t>(0, thread.block->launch.warpSize);
}

//===----------------------------------------------------------------------===//
// Barriers of a block: PTX ISA 9.7.13.1 "barrier{.cta}"; RDNA3 and CDNA3 ISA, S_BARRIER
//===----------------------------------------------------------------------===//

/// `variant`: {whether a second operand gives the number of threads, whether it waits}.
static void barrier(Thread &thread, const Call &call) {
  auto [hasCount, waits, unused, unused2] = call.site->operation->variant;
  uint32_t number = call.get<uint32_t>(0);
  uint32_t count = hasCount ? call.get<uint32_t>(1) : thread.block->threads.size();
  if (number >= 16 || count == 0 || count % thread.block->launch.warpSize != 0)
    return thread.block->stop(FindingKind::Invalid, thread.index, *call.site,
                              "barrier " + std::to_string(number) + " of " + std::to_string(count) +
                                  " threads: there are barriers 0-15 of whole warps");
  thread.block->arrive(thread, number, count, waits, call);
}

/// AMD's barrier says nothing about memory: the compiler keeps accesses on their side of
/// it, and waits for them, only because of the fences around it (AMDGPU user guide,
/// "Memory Model").
static void requireRelease(Thread &thread, const Call &call) {
  if (!thread.hasUnreleasedAccess)
    return;
  thread.hasUnreleasedAccess = false;
  thread.block->report(FindingKind::Race, thread.index, *call.site,
                       "no release fence stands between the accesses to shared memory before "
                       "this barrier and the barrier");
}

static void waveBarrier(Thread &thread, const Call &call) {
  requireRelease(thread, call);
  thread.block->arrive(thread, 0, thread.block->threads.size(), /*waits=*/true, call);
  thread.lacksAcquire = true;
}

/// RDNA4 ISA, S_BARRIER_SIGNAL and S_BARRIER_WAIT, for the barrier of the work-group (-1).
static void signalBarrier(Thread &thread, const Call &call) {
  requireRelease(thread, call);
  thread.signalled = thread.block->barriers[0].generation;
  thread.block->arrive(thread, 0, thread.block->threads.size(), /*waits=*/false, call);
}
static void waitForSignals(Thread &thread, const Call &call) {
  thread.block->waitForOpening(thread, 0, thread.signalled, call);
  thread.lacksAcquire = true;
}

/// A fence of LLVM's memory model. `variant`: {whether it releases, whether it acquires}.
static void fence(Thread &thread, const Call &call) {
  if (call.site->operation->variant[0])
    thread.hasUnreleasedAccess = false;
  if (call.site->operation->variant[1])
    thread.lacksAcquire = false;
}

/// The order of memory accesses within a warp: PTX ISA 9.7.13.2 "bar.warp.sync"; on AMD's
/// chips `wave.barrier`, which keeps the compiler from moving LDS accesses across it.
static void warpBarrier(Group &group) {
  std::vector<uint32_t> members;
  for (Thread *thread : group.warp.lanes)
    if (group[thread->lane])
      members.push_back(thread->index);
  group.warp.block->clocks.join(members);
}

static void nothing(Thread &, const Call &) {}

//===----------------------------------------------------------------------===//
// Look-up
//===----------------------------------------------------------------------===//

/// 0, 1 or 2 for a name that ends in "x", "y" or "z".
static FoundOperation alongAxis(std::string_view axis, void (*run)(Thread &, const Call &)) {
  if (axis == "x" || axis == "y" || axis == "z")
    return threadOperation(run, {axis[0] - 'x'});
  return std::nullopt;
}

static FoundOperation findSpecialRegister(std::string_view name) {
  if (consume(name, "tid."))
    return alongAxis(name, threadPosition);
  if (consume(name, "ntid."))
    return alongAxis(name, blockSize);
  if (consume(name, "ctaid."))
    return alongAxis(name, blockPosition);
  if (consume(name, "nctaid."))
    return alongAxis(name, gridSize);
  if (name == "laneid")
    return threadOperation(laneIndex);
  if (name == "warpid")
    return threadOperation(warpIndex);
  if (name == "warpsize")
    return threadOperation(warpSize);
  return std::nullopt;
}

FoundOperation mix::emu::findThreads(std::string_view name) {
  if (consume(name, "nvvm.read.ptx.sreg."))
    return findSpecialRegister(name);
  if (consume(name, "amdgcn.workitem.id."))
    return alongAxis(name, threadPosition);
  if (consume(name, "amdgcn.workgroup.id."))
    return alongAxis(name, blockPosition);
  if (name == "amdgcn.wavefrontsize")
    return threadOperation(warpSize);
  if (name == "amdgcn.s.barrier")
    return threadOperation(waveBarrier);
  if (name == "amdgcn.s.barrier.signal")
    return threadOperation(signalBarrier);
  if (name == "amdgcn.s.barrier.wait")
    return threadOperation(waitForSignals);
  if (consume(name, "fence."))
    return threadOperation(fence, {name != "acquire", name != "release"});
  if (name == "amdgcn.wave.barrier")
    return groupOperation(Meeting::Active, warpBarrier);
  if (name == "nvvm.bar.warp.sync")
    return groupOperation(Meeting::Members, warpBarrier, {}, /*memberOperand=*/0);
  // Hints to the scheduler of the compiler or of the machine.
  for (const char *hint : {"amdgcn.s.waitcnt", "amdgcn.s.wait.dscnt", "amdgcn.s.wait.loadcnt",
                           "amdgcn.sched.barrier", "amdgcn.sched.group.barrier", "amdgcn.iglp.opt",
                           "amdgcn.s.setprio", "amdgcn.s.sleep", "nvvm.nanosleep"})
    if (name == hint)
      return threadOperation(nothing);

  bool waits = true;
  if (consume(name, "nvvm.barrier.cta.arrive."))
    waits = false;
  else if (!consume(name, "nvvm.barrier.cta.sync."))
    return std::nullopt;
  bool isAligned = consume(name, "aligned.");
  if (name != "all" && name != "count")
    return std::nullopt;
  Operation operation = threadOperation(barrier, {name == "count", waits});
  operation.isAligned = isAligned;
  return operation;
}
