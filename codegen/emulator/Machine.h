//===- Machine.h - Threads, warps and blocks as they run --------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operations see of the machine. A thread runs on its fiber until it ends or has
// to meet others; the block's scheduler decides who runs next, and executes an operation
// of several threads once all that it takes have arrived.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_MACHINE_H
#define MIXWRIGHT_CODEGEN_EMULATOR_MACHINE_H

#include "codegen/emulator/Fiber.h"
#include "codegen/emulator/GlobalMemory.h"
#include "codegen/emulator/Schedule.h"
#include "codegen/emulator/SharedMemory.h"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace mix::emu {

class Block;

/// The two families of chips differ in how warps behave.
enum class Vendor { Nvidia, Amd };

/// All that the blocks of one launch have in common.
struct Launch {
  Vendor vendor;
  uint32_t warpSize;
  Dim3 gridSize, blockSize;
  uint32_t dynamicSharedBytes;
  std::vector<SharedMemory::Extent> sharedExtents;
  uint32_t granule;
  void (*kernel)(const char *parameters);
  const char *parameters;
  const GlobalMemory *memory;
  GlobalMemory constants; ///< Parameters and the module's own data.
  Schedule schedule;
  std::mt19937_64 random;
  FindingList findings;
  bool isStopped = false; ///< A finding that left no way to go on.
};

/// An asynchronous copy from global to shared memory that nobody has waited for.
struct Copy {
  uintptr_t destination, source;
  uint32_t bytes, sourceBytes; ///< What lies between the two becomes zero.
  const Site *site;
};

class Thread {
public:
  enum class State {
    Ready,     ///< Can run.
    AtMeeting, ///< Waits for the others that execute `call`.
    AtBarrier, ///< Waits until a barrier opens.
    Polling,   ///< Found something not done yet; worth a try once others have run.
    Ended
  };

  Block *block = nullptr;
  Warp *warp = nullptr;
  uint32_t index = 0; ///< In the block.
  uint32_t lane = 0;  ///< In the warp.
  Dim3 position;      ///< In the block.
  Fiber fiber;
  State state = State::Ready;
  const Call *call = nullptr; ///< The operation at which it waits or was last.

  bool hasUnreleasedAccess = false; ///< To shared memory, since the last release fence.
  bool lacksAcquire = false;        ///< A barrier opened, and no acquire fence came since.
  uint64_t signalled = 0;           ///< Generation of the barrier at which it arrived.

  std::vector<Copy> openCopies;              ///< In no group yet.
  std::vector<std::vector<Copy>> copyGroups; ///< Oldest first.

  /// Lets others run until the state is Ready again.
  void wait(State newState);
};

class Warp {
public:
  /// Bytes that an instruction in flight reads.
  struct Read {
    uintptr_t address;
    uint32_t bytes;
    const Site *site;
  };

  Block *block = nullptr;
  std::vector<Thread *> lanes;
  std::vector<Read> openReads;               ///< Of wgmma, in no group yet.
  std::vector<std::vector<Read>> readGroups; ///< Oldest first.
  bool hasRegisterFence = false;             ///< wgmma.fence, since wgmma was last waited for.
};

/// An mbarrier (PTX ISA 9.7.13.16).
struct AsyncBarrier {
  uint32_t initialiser = 0, initTime = 0, initInterval = 0; ///< Who made it, and when.
  uint32_t expected = 0;                                    ///< Arrivals of a phase.
  uint32_t lacking = 0; ///< Arrivals that the current phase lacks.
  int64_t bytes = 0;    ///< Bytes that it lacks.
  uint64_t phase = 0;
  Clocks::Knowledge arriving, completed; ///< Of this phase, and of the last.
};

/// A bulk copy that has not happened yet.
struct PendingCopy {
  const Site *site;
  uint32_t thread; ///< Who issued it.
  std::function<void()> finish;
};

/// A barrier of a block since it last opened.
struct Barrier {
  std::vector<Thread *> arrived, waiting;
  std::vector<Thread *> waitingForOpening; ///< Arrived before, and wait now.
  uint32_t expected = 0;                   ///< How many have to arrive.
  uint64_t generation = 0;                 ///< How often it opened.
  Clocks::Knowledge knowledge;             ///< Of those that arrived and do not wait.
  Clocks::Knowledge opened;                ///< Of all that arrived when it last opened.
};

class Block {
public:
  /// `fibers`: one per thread, reused from block to block.
  Block(Launch &launch, Dim3 position, std::vector<std::unique_ptr<Thread>> &threads);

  /// Runs all threads to their ends, or as far as they come.
  void run();

  Launch &launch;
  Dim3 position;
  std::vector<std::unique_ptr<Thread>> &threads;
  std::vector<Warp> warps;
  Clocks clocks;
  SharedMemory shared;
  std::map<uint32_t, Barrier> barriers;
  std::map<uintptr_t, AsyncBarrier> asyncBarriers; ///< By address.
  std::deque<PendingCopy> pendingCopies;

  void report(FindingKind kind, uint32_t thread, const Site &site, std::string message);
  /// The same, and no thread of the launch runs any further.
  void stop(FindingKind kind, uint32_t thread, const Site &site, std::string message);

  /// Checks a generic access of a thread: `bytes` at `address`, which must be a multiple
  /// of `alignment`.
  enum class Access { Read, Write, Update };
  void access(Thread &thread, uintptr_t address, uint32_t bytes, uint32_t alignment, Access access,
              const Site &site);

  /// A thread arrives at a barrier of `expected` threads, and waits for it if `waits`.
  void arrive(Thread &thread, uint32_t number, uint32_t expected, bool waits, const Call &call);

  /// Waits, if need be, until a barrier opens that was in `generation` when it was signalled.
  void waitForOpening(Thread &thread, uint32_t number, uint64_t generation, const Call &call);
  /// The unit that carries out bulk copies counts as one more thread to the clocks.
  uint32_t getCopyEngine() const { return threads.size(); }
  /// Tells the mbarrier at an address that bytes of a copy have come.
  void completeBytes(uintptr_t barrier, uint32_t bytes);
  /// Something happened that a polling thread may wait for.
  void noteEvent() { ++numEvents; }

  /// The thread whose code runs on this host thread.
  static thread_local Thread *running;

private:
  uint32_t countLive() const;
  bool runReadyThreads(Warp &warp);
  bool executeMeetings(Warp &warp);
  bool executeMembers(Warp &warp, Thread &first);
  bool executeWholeWarp(Warp &warp, Thread &first);
  bool executeActive(Warp &warp);
  void execute(Warp &warp, const std::vector<Thread *> &members);
  bool wakePolling();
  bool finishPendingCopies();
  /// AMD's barriers order memory only together with fences.
  void checkFences(Thread &thread, const Site &site);
  void checkAlignment(const Barrier &barrier);
  void openBarrier(Barrier &barrier);
  bool openBarriersOfTheLiving();
  void reportStuck();
  void reportEnd();
  template <typename T> std::vector<T> inScheduleOrder(std::vector<T> items);

  uint64_t numEvents = 1, numEventsAtWake = 0;
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_MACHINE_H
