//===- SharedMemory.h - A block's shared memory, and who uses it *- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The memory is a window of the host's address space below 2^32, because kernels keep
// shared addresses in 32-bit integers. Beside every few bytes lies a record of who wrote
// and read them and when, where "when" is a vector clock in the manner of FastTrack
// (Flanagan and Freund, PLDI 2009): an access races with an earlier one by another thread
// unless a chain of synchronisations leads from that one to this.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_SHAREDMEMORY_H
#define MIXWRIGHT_CODEGEN_EMULATOR_SHAREDMEMORY_H

#include "codegen/emulator/Findings.h"
#include "codegen/emulator/Operations.h"
#include <cstddef>
#include <deque>
#include <vector>

namespace mix::emu {

class Block;

/// The host addresses that stand for shared memory in this process.
struct SharedWindow {
  /// More than any chip gives to a block.
  static constexpr size_t kBytes = 1 << 20;

  /// The first address of the window, a multiple of its size; 0 if it could not be had.
  static uintptr_t getBase();
};

/// The order of events in a block. Between two barriers of the whole block a thread's
/// event happened before another's only if a row says so; before the last such barrier
/// everything did.
class Clocks {
public:
  explicit Clocks(uint32_t numThreads)
      : numThreads(numThreads), now(numThreads, 1), rows(numThreads) {}

  uint32_t getTime(uint32_t thread) const { return now[thread]; }
  uint32_t getInterval() const { return interval; }

  /// Whether what `other` did at `time` of this interval is known to `thread`.
  bool isOrdered(uint32_t other, uint32_t time, uint32_t thread) const {
    return other == thread || (!rows[thread].empty() && time <= rows[thread][other]);
  }

  /// A barrier of all threads.
  void joinAll();

  /// What any of the threads knows, afterwards all of them know.
  void join(const std::vector<uint32_t> &threads);

  /// What a thread does from now on is told apart from what it did before.
  void tick(uint32_t thread) { ++now[thread]; }

  /// What a thread knows now, for someone who waits for it later (acquire).
  using Knowledge = std::vector<uint32_t>;
  void release(uint32_t thread, Knowledge &knowledge);
  void acquire(uint32_t thread, const Knowledge &knowledge);

private:
  void include(uint32_t thread, Knowledge &knowledge) const;

  uint32_t numThreads, interval = 1;
  std::vector<uint32_t> now;
  std::vector<Knowledge> rows; ///< Empty: nothing of this interval but its own.
};

/// Checks of the accesses to one block's shared memory. All addresses are the host's.
class SharedMemory {
public:
  struct Extent {
    uintptr_t begin, end;
  };

  /// `extents`: what the kernel declared, in any order. `granule`: bytes per record, not
  /// more than the smallest access of the kernel; 1, 2 or 4.
  SharedMemory(Block &block, Clocks &clocks, std::vector<Extent> extents, uint32_t granule);

  /// Whether the address is in the window at all.
  static bool contains(uintptr_t address) {
    return address - SharedWindow::getBase() < SharedWindow::kBytes;
  }

  // Checks of an access. False if the kernel's memory does not hold all of it: then the
  // launch is over and the access may not happen.
  bool read(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);
  bool write(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);
  /// A read-modify-write; such accesses do not race with each other.
  bool update(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);

  /// Bytes that an asynchronous copy will write: until `endWrite` nobody may touch them.
  bool beginWrite(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);
  /// The bytes are there, for the thread that waited and for those that learn of it.
  void endWrite(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);

  /// The same for copies of the asynchronous proxy.
  void endAsyncWrite(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);

  /// Bytes that an instruction of the asynchronous proxy reads (PTX ISA 8.1.5 "Proxies"): until
  /// `endRead` nobody may write them. Whoever wrote them must have fenced its proxy since.
  bool beginAsyncRead(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);
  void endRead(uint32_t thread, uintptr_t address, uint32_t bytes);
  void fenceProxy(uint32_t thread);

private:
  struct Record {
    const Site *writeSite = nullptr; ///< Null: never written.
    const Site *copySite = nullptr;  ///< The copy in flight that writes here, if any.
    const Site *readSite = nullptr;  ///< The instruction in flight that reads here, if any.
    uint32_t writeTime = 0;
    uint32_t genericTime = 0; ///< Of the write, of any interval; 0: by the asynchronous proxy.
    uint32_t interval = 0;    ///< Of writeTime and readers.
    int32_t readers = -1;     ///< Index of the readers' times, or -1.
    uint16_t writer = 0;
    uint16_t readsInFlight = 0;
    bool isAtomic = false; ///< The last write was an update.
  };

  bool isInside(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site);
  /// Calls `visit(record)` for the records of a range, brought to the current interval.
  template <typename Function> void forEach(uintptr_t address, uint32_t bytes, Function visit);
  bool isOrdered(const Record &record, uint32_t thread) const {
    return !record.writeTime || clocks.isOrdered(record.writer, record.writeTime, thread);
  }
  /// A thread whose read of the record is not ordered before `thread`'s events, or -1.
  int32_t findUnorderedReader(const Record &record, uint32_t thread) const;
  void noteRead(Record &record, uint32_t thread);
  void noteWrite(Record &record, uint32_t thread, const Site &site, bool isAtomic);
  void forgetReaders(Record &record);
  /// What is wrong with a write to the record; reports it and says whether anything is.
  bool checkWrite(const Record &record, uint32_t thread, uintptr_t address, uint32_t bytes,
                  const Site &site, bool isAtomic);

  Block &block;
  Clocks &clocks;
  std::vector<Extent> extents;
  uint32_t granule;
  uintptr_t base;
  std::vector<Record> records;
  std::deque<std::vector<uint32_t>> readerTimes; ///< By reader; 0: did not read.
  std::vector<int32_t> freeReaderTimes;
  std::vector<uint32_t> proxyFenceTimes; ///< By thread.
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_SHAREDMEMORY_H
