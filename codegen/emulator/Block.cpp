//===- Block.cpp - A block's threads take turns -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include <algorithm>

using namespace mix::emu;
using State = Thread::State;

thread_local Thread *Block::running = nullptr;

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

void Thread::wait(State newState) {
  state = newState;
  fiber.suspend();
}

/// The life of a thread.
static void runThread(void *argument) {
  auto *thread = static_cast<Thread *>(argument);
  Launch &launch = thread->block->launch;
  launch.kernel(launch.parameters);
  thread->wait(State::Ended);
}

Block::Block(Launch &launch, Dim3 position, std::vector<std::unique_ptr<Thread>> &threads)
    : launch(launch), position(position), threads(threads),
      warps((threads.size() + launch.warpSize - 1) / launch.warpSize), clocks(threads.size() + 1),
      shared(*this, clocks, launch.sharedExtents, launch.granule) {
  for (uint32_t index = 0; index < threads.size(); ++index) {
    Thread &thread = *threads[index];
    Warp &warp = warps[index / launch.warpSize];
    warp.block = this;
    warp.lanes.push_back(&thread);
    thread.block = this;
    thread.warp = &warp;
    thread.index = index;
    thread.lane = index % launch.warpSize;
    const Dim3 &size = launch.blockSize;
    thread.position = {index % size.x, index / size.x % size.y, index / size.x / size.y};
    thread.state = State::Ready;
    thread.call = nullptr;
    thread.hasUnreleasedAccess = thread.lacksAcquire = false;
    thread.openCopies.clear();
    thread.copyGroups.clear();
    thread.fiber.start(runThread, &thread);
  }
}

uint32_t Block::countLive() const {
  return std::count_if(threads.begin(), threads.end(),
                       [](const auto &thread) { return thread->state != State::Ended; });
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

void Block::report(FindingKind kind, uint32_t thread, const Site &site, std::string message) {
  launch.findings.add({kind, std::move(message), site.location, position, thread});
}

void Block::stop(FindingKind kind, uint32_t thread, const Site &site, std::string message) {
  report(kind, thread, site, std::move(message));
  launch.isStopped = true;
}

/// "threads 0-31 wait at <site>; threads 32-63 have ended", with one clause per place.
static std::string describeThreads(const std::vector<std::unique_ptr<Thread>> &threads) {
  auto where = [](const Thread &thread) {
    return thread.state == State::Ended
               ? std::string("have ended")
               : "wait at " + thread.call->site->what + " (" + thread.call->site->location + ")";
  };
  std::string text;
  for (size_t first = 0, last; first < threads.size(); first = last) {
    for (last = first + 1; last < threads.size(); ++last)
      if (where(*threads[last]) != where(*threads[first]))
        break;
    text +=
        (text.empty() ? "" : "; ") +
        (last - first == 1 ? "thread " + std::to_string(first)
                           : "threads " + std::to_string(first) + "-" + std::to_string(last - 1)) +
        " " + where(*threads[first]);
  }
  return text;
}

void Block::reportStuck() {
  const Thread *first = nullptr;
  for (const auto &thread : threads) {
    if (thread->state == State::Ended)
      continue;
    if (!first)
      first = thread.get();
    if (thread->state != State::AtMeeting)
      continue;
    // An instruction of whole warps that a part of a warp never reaches.
    stop(FindingKind::Divergence, thread->index, *thread->call->site,
         "only a part of the warp is at " + thread->call->site->what + ": " +
             describeThreads(threads));
    return;
  }
  stop(FindingKind::Deadlock, first->index, *first->call->site, describeThreads(threads));
}

void Block::reportEnd() {
  for (const auto &thread : threads) {
    const std::vector<Copy> *left = &thread->openCopies;
    if (!thread->copyGroups.empty())
      left = &thread->copyGroups.front();
    if (!left->empty())
      report(FindingKind::LeftInFlight, thread->index, *left->front().site,
             "thread " + std::to_string(thread->index) + " ends before it waited for its copy");
  }
  for (const PendingCopy &copy : pendingCopies)
    report(FindingKind::LeftInFlight, copy.thread, *copy.site,
           "the block ends before a copy of thread " + std::to_string(copy.thread) +
               " has happened");
  for (const Warp &warp : warps) {
    const std::vector<Warp::Read> *left = &warp.openReads;
    if (!warp.readGroups.empty())
      left = &warp.readGroups.front();
    if (!left->empty())
      report(FindingKind::LeftInFlight, warp.lanes[0]->index, *left->front().site,
             "a warp ends before it waited for its matrix instructions");
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void Block::checkFences(Thread &thread, const Site &site) {
  thread.hasUnreleasedAccess = true;
  if (!thread.lacksAcquire)
    return;
  thread.lacksAcquire = false;
  report(FindingKind::Race, thread.index, site,
         "no acquire fence stands between the last barrier and this access to shared memory");
}

void Block::access(Thread &thread, uintptr_t address, uint32_t bytes, uint32_t alignment,
                   Access access, const Site &site) {
  if (bytes == 0)
    return;
  if (address % alignment != 0)
    return stop(FindingKind::Misaligned, thread.index, site,
                site.what + " of " + std::to_string(bytes) + " bytes at an address that is not a " +
                    "multiple of " + std::to_string(alignment));
  if (SharedMemory::contains(address)) {
    if (launch.vendor == Vendor::Amd)
      checkFences(thread, site);
    if (access == Access::Read)
      shared.read(thread.index, address, bytes, site);
    else if (access == Access::Write)
      shared.write(thread.index, address, bytes, site);
    else
      shared.update(thread.index, address, bytes, site);
    return;
  }
  const GlobalMemory::Buffer *buffer = launch.memory->find(address, bytes);
  if (!buffer && !thread.fiber.contains(address, bytes))
    buffer = launch.constants.find(address, bytes);
  if (buffer && !buffer->isWritable && access != Access::Read)
    return stop(FindingKind::OutOfBounds, thread.index, site,
                site.what + " of " + std::to_string(bytes) + " bytes to '" + buffer->name +
                    "', which may only be read");
  if (!buffer && !thread.fiber.contains(address, bytes))
    stop(FindingKind::OutOfBounds, thread.index, site,
         site.what + " of " + std::to_string(bytes) + " bytes " + launch.memory->describe(address));
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void Block::arrive(Thread &thread, uint32_t number, uint32_t expected, bool waits,
                   const Call &call) {
  Barrier &barrier = barriers[number];
  barrier.arrived.push_back(&thread);
  barrier.expected = expected;
  if (!waits)
    clocks.release(thread.index, barrier.knowledge);
  else
    barrier.waiting.push_back(&thread);
  thread.call = &call;
  if (barrier.arrived.size() == expected) {
    checkAlignment(barrier);
    openBarrier(barrier);
  } else if (waits)
    thread.wait(State::AtBarrier);
}

/// The threads of a warp have to be at one and the same `.aligned` barrier.
void Block::checkAlignment(const Barrier &barrier) {
  std::map<const Warp *, const Site *> places;
  for (const Thread *thread : barrier.waiting) {
    const Site *site = thread->call->site;
    const Site *first = places.insert({thread->warp, site}).first->second;
    if (site->operation->isAligned && site != first)
      return report(FindingKind::Divergence, thread->index, *site,
                    "threads of one warp are at different barriers: " + describeThreads(threads));
  }
}

void Block::openBarrier(Barrier &barrier) {
  ++numEvents;
  if (barrier.waiting.size() == threads.size()) {
    clocks.joinAll();
  } else {
    for (Thread *thread : barrier.waiting)
      clocks.release(thread->index, barrier.knowledge);
    for (Thread *thread : barrier.waiting)
      clocks.acquire(thread->index, barrier.knowledge);
  }
  for (const auto *waiting : {&barrier.waiting, &barrier.waitingForOpening})
    for (Thread *thread : *waiting)
      thread->state = State::Ready;
  Barrier next;
  next.generation = barrier.generation + 1;
  next.opened = std::move(barrier.knowledge);
  barrier = std::move(next);
}

void Block::waitForOpening(Thread &thread, uint32_t number, uint64_t generation, const Call &call) {
  Barrier &barrier = barriers[number];
  if (barrier.generation == generation) {
    thread.call = &call;
    barrier.waitingForOpening.push_back(&thread);
    thread.wait(State::AtBarrier);
  }
  clocks.acquire(thread.index, barrier.opened);
}

bool Block::openBarriersOfTheLiving() {
  // Waves that have ended do not take part in a barrier on AMD's chips; on NVIDIA's
  // PTX makes a barrier wait for all threads of the block.
  if (launch.vendor != Vendor::Amd)
    return false;
  for (auto &[number, barrier] : barriers)
    if (!barrier.arrived.empty() && barrier.expected == threads.size() &&
        barrier.arrived.size() == countLive()) {
      openBarrier(barrier);
      return true;
    }
  return false;
}

//===----------------------------------------------------------------------===//
// The scheduler
//===----------------------------------------------------------------------===//

template <typename T> std::vector<T> Block::inScheduleOrder(std::vector<T> items) {
  if (launch.schedule.order == Order::Reversed)
    std::reverse(items.begin(), items.end());
  else if (launch.schedule.order == Order::Random)
    std::shuffle(items.begin(), items.end(), launch.random);
  return items;
}

void Block::run() {
  std::vector<Warp *> all;
  for (Warp &warp : warps)
    all.push_back(&warp);
  while (!launch.isStopped && countLive() > 0) {
    bool hasRun = false;
    for (Warp *warp : inScheduleOrder(all)) {
      hasRun |= runReadyThreads(*warp);
      if (launch.isStopped)
        return;
      hasRun |= executeMeetings(*warp);
    }
    if (!hasRun && !openBarriersOfTheLiving() && !finishPendingCopies() && !wakePolling())
      reportStuck();
  }
  if (!launch.isStopped)
    reportEnd();
}

bool Block::runReadyThreads(Warp &warp) {
  bool hasRun = false;
  for (Thread *thread : inScheduleOrder(warp.lanes)) {
    if (thread->state != State::Ready)
      continue;
    running = thread;
    thread->fiber.resume();
    hasRun = true;
    if (thread->state == State::Ended)
      ++numEvents;
    if (launch.isStopped)
      break;
  }
  return hasRun;
}

bool Block::finishPendingCopies() {
  if (pendingCopies.empty())
    return false;
  // One at a time, so that what waits for the first of two does not get both.
  PendingCopy copy = std::move(pendingCopies.front());
  pendingCopies.pop_front();
  copy.finish();
  noteEvent();
  return true;
}

bool Block::wakePolling() {
  // Threads that poll again with nothing changed since would poll for ever.
  if (numEvents == numEventsAtWake)
    return false;
  numEventsAtWake = numEvents;
  bool isAny = false;
  for (const auto &thread : threads)
    if (thread->state == State::Polling) {
      thread->state = State::Ready;
      isAny = true;
    }
  return isAny;
}

void Block::execute(Warp &warp, const std::vector<Thread *> &members) {
  Group group = {warp, {}};
  for (Thread *thread : members)
    group.calls[thread->lane] = thread->call;
  members.front()->call->site->operation->runGroup(group);
  for (Thread *thread : members)
    thread->state = State::Ready;
  ++numEvents;
}

bool Block::executeMeetings(Warp &warp) {
  bool hasRun = false;
  for (Thread *thread : warp.lanes) {
    if (launch.isStopped)
      return true;
    if (thread->state != State::AtMeeting)
      continue;
    Meeting meeting = thread->call->site->operation->meeting;
    if (meeting == Meeting::Members)
      hasRun |= executeMembers(warp, *thread);
    else if (meeting == Meeting::WholeWarp)
      hasRun |= executeWholeWarp(warp, *thread);
  }
  return executeActive(warp) || hasRun;
}

/// Whether two calls are of one operation, as PTX means it when it says that the
/// members of a mask execute "the same" instruction: the place may differ.
static bool isSameOperation(const Operation &first, const Operation &second) {
  return first.runGroup == second.runGroup && first.variant == second.variant;
}

bool Block::executeMembers(Warp &warp, Thread &first) {
  const Operation &operation = *first.call->site->operation;
  auto getMask = [&](const Thread &thread) {
    return thread.call->get<uint32_t>(operation.memberOperand);
  };
  uint32_t mask = getMask(first);
  if (!(mask >> first.lane & 1)) {
    stop(FindingKind::Invalid, first.index, *first.call->site,
         "lane " + std::to_string(first.lane) + " is not in its own member mask");
    return false;
  }
  std::vector<Thread *> members;
  for (Thread *thread : warp.lanes) {
    if (!(mask >> thread->lane & 1) || thread->state == State::Ended)
      continue;
    if (thread->state != State::AtMeeting ||
        !isSameOperation(*thread->call->site->operation, operation) || getMask(*thread) != mask)
      return false;
    members.push_back(thread);
  }
  execute(warp, members);
  return true;
}

bool Block::executeWholeWarp(Warp &warp, Thread &first) {
  bool isComplete = warp.lanes.size() == launch.warpSize;
  for (Thread *thread : warp.lanes)
    isComplete &= thread->state == State::AtMeeting && thread->call->site == first.call->site;
  if (isComplete)
    execute(warp, warp.lanes);
  return isComplete;
}

bool Block::executeActive(Warp &warp) {
  // Which lanes are together is decided by where the paths of the program join. In
  // structured code, a lane at an earlier place is one that the others wait for.
  const Site *earliest = nullptr;
  for (Thread *thread : warp.lanes) {
    if (thread->state == State::Ready)
      return false;
    if (thread->state == State::AtMeeting &&
        thread->call->site->operation->meeting == Meeting::Active &&
        (!earliest || thread->call->site->order < earliest->order))
      earliest = thread->call->site;
  }
  if (!earliest)
    return false;
  std::vector<Thread *> members;
  for (Thread *thread : warp.lanes)
    if (thread->state == State::AtMeeting && thread->call->site == earliest)
      members.push_back(thread);
  execute(warp, members);
  return true;
}
