//===- SharedMemory.cpp - A block's shared memory, and who uses it ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/SharedMemory.h"
#include "codegen/emulator/Machine.h"
#include <algorithm>
#include <sys/mman.h>

using namespace mix::emu;

//===----------------------------------------------------------------------===//
// The window
//===----------------------------------------------------------------------===//

static uintptr_t mapWindow() {
  // Multiples of 2^30 first: there, an address has no bits in common with an offset.
  for (uintptr_t base = 1 << 30; base < (uintptr_t(1) << 32); base += SharedWindow::kBytes * 64) {
    void *wanted = reinterpret_cast<void *>(base);
    void *mapped = mmap(wanted, SharedWindow::kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (mapped == wanted)
      return base;
    if (mapped != MAP_FAILED)
      munmap(mapped, SharedWindow::kBytes);
  }
  return 0;
}

uintptr_t SharedWindow::getBase() {
  static const uintptr_t base = mapWindow();
  return base;
}

//===----------------------------------------------------------------------===//
// Clocks
//===----------------------------------------------------------------------===//

void Clocks::joinAll() {
  ++interval;
  for (Knowledge &row : rows)
    row.clear();
}

void Clocks::include(uint32_t thread, Knowledge &knowledge) const {
  knowledge.resize(numThreads);
  const Knowledge &row = rows[thread];
  for (uint32_t other = 0; other < row.size(); ++other)
    knowledge[other] = std::max(knowledge[other], row[other]);
  knowledge[thread] = std::max(knowledge[thread], now[thread]);
}

void Clocks::release(uint32_t thread, Knowledge &knowledge) {
  include(thread, knowledge);
  ++now[thread];
}

void Clocks::acquire(uint32_t thread, const Knowledge &knowledge) {
  Knowledge &row = rows[thread];
  row.resize(numThreads);
  for (uint32_t other = 0; other < knowledge.size(); ++other)
    row[other] = std::max(row[other], knowledge[other]);
}

void Clocks::join(const std::vector<uint32_t> &threads) {
  Knowledge knowledge;
  for (uint32_t thread : threads)
    release(thread, knowledge);
  for (uint32_t thread : threads)
    acquire(thread, knowledge);
}

//===----------------------------------------------------------------------===//
// Records
//===----------------------------------------------------------------------===//

SharedMemory::SharedMemory(Block &block, Clocks &clocks, std::vector<Extent> declared,
                           uint32_t granule)
    : block(block), clocks(clocks), extents(std::move(declared)), granule(granule),
      base(SharedWindow::getBase()) {
  uintptr_t end = base;
  for (const Extent &extent : extents)
    end = std::max(end, extent.end);
  records.resize((end - base + granule - 1) / granule);
  proxyFenceTimes.resize(block.threads.size() + 1);
  // What a block finds is what the one before left; all ones are NaN in every real type.
  memset(reinterpret_cast<void *>(base), 0xff, end - base);
}

bool SharedMemory::isInside(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site) {
  if (std::any_of(extents.begin(), extents.end(), [&](const Extent &extent) {
        return extent.begin <= address && address + bytes <= extent.end;
      }))
    return true;
  block.stop(FindingKind::OutOfBounds, thread, site,
             site.what + " of " + std::to_string(bytes) + " bytes at shared+" +
                 std::to_string(address - base) +
                 ", which no shared memory of the kernel holds all of");
  return false;
}

template <typename Function>
void SharedMemory::forEach(uintptr_t address, uint32_t bytes, Function visit) {
  size_t first = (address - base) / granule, last = (address - base + bytes - 1) / granule;
  for (size_t index = first; index <= last; ++index) {
    Record &record = records[index];
    if (record.interval != clocks.getInterval()) {
      // All of it happened before the barrier that ended its interval.
      record.interval = clocks.getInterval();
      record.writeTime = 0;
      forgetReaders(record);
    }
    visit(record);
  }
}

void SharedMemory::forgetReaders(Record &record) {
  if (record.readers >= 0)
    freeReaderTimes.push_back(record.readers);
  record.readers = -1;
}

void SharedMemory::noteRead(Record &record, uint32_t thread) {
  if (record.readers < 0) {
    if (freeReaderTimes.empty()) {
      freeReaderTimes.push_back(readerTimes.size());
      readerTimes.emplace_back();
    }
    record.readers = freeReaderTimes.back();
    freeReaderTimes.pop_back();
    readerTimes[record.readers].assign(block.threads.size() + 1, 0);
  }
  readerTimes[record.readers][thread] = clocks.getTime(thread);
}

void SharedMemory::noteWrite(Record &record, uint32_t thread, const Site &site, bool isAtomic) {
  record.writeSite = &site;
  record.writeTime = clocks.getTime(thread);
  record.genericTime = record.writeTime;
  record.writer = thread;
  record.isAtomic = isAtomic;
  forgetReaders(record);
}

int32_t SharedMemory::findUnorderedReader(const Record &record, uint32_t thread) const {
  if (record.readers < 0)
    return -1;
  const std::vector<uint32_t> &times = readerTimes[record.readers];
  for (uint32_t other = 0; other < times.size(); ++other)
    if (times[other] && !clocks.isOrdered(other, times[other], thread))
      return other;
  return -1;
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

static std::string describe(const Site &site, uint32_t thread, uint32_t bytes, uintptr_t offset) {
  return "thread " + std::to_string(thread) + ", " + site.what + " of " + std::to_string(bytes) +
         " bytes at shared+" + std::to_string(offset) + ": ";
}

bool SharedMemory::read(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site) {
  if (!isInside(thread, address, bytes, site))
    return false;
  bool isReported = false;
  auto report = [&](FindingKind kind, const std::string &why) {
    if (!isReported)
      block.report(kind, thread, site, describe(site, thread, bytes, address - base) + why);
    isReported = true;
  };
  forEach(address, bytes, [&](Record &record) {
    if (record.copySite)
      report(FindingKind::InFlight, "the copy that writes these bytes was not waited for (" +
                                        record.copySite->location + ")");
    else if (!record.writeSite)
      report(FindingKind::Uninitialised, "nothing has written these bytes");
    else if (!isOrdered(record, thread))
      report(FindingKind::Race, "thread " + std::to_string(record.writer) +
                                    " wrote these bytes and no barrier is between (" +
                                    record.writeSite->location + ")");
    noteRead(record, thread);
  });
  return true;
}

bool SharedMemory::checkWrite(const Record &record, uint32_t thread, uintptr_t address,
                              uint32_t bytes, const Site &site, bool isAtomic) {
  FindingKind kind = FindingKind::Race;
  std::string why;
  if (record.copySite) {
    kind = FindingKind::InFlight;
    why = "a copy that writes these bytes was not waited for (" + record.copySite->location + ")";
  } else if (record.readsInFlight) {
    kind = FindingKind::InFlight;
    why = record.readSite->what + " still reads these bytes (" + record.readSite->location + ")";
  } else if (!(isAtomic && record.isAtomic) && !isOrdered(record, thread)) {
    why = "thread " + std::to_string(record.writer) +
          " wrote these bytes too and no barrier is between (" + record.writeSite->location + ")";
  } else if (int32_t reader = findUnorderedReader(record, thread); reader >= 0) {
    why = "thread " + std::to_string(reader) + " read these bytes and no barrier is between";
  } else {
    return false;
  }
  block.report(kind, thread, site, describe(site, thread, bytes, address - base) + why);
  return true;
}

bool SharedMemory::write(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site) {
  if (!isInside(thread, address, bytes, site))
    return false;
  bool isReported = false;
  forEach(address, bytes, [&](Record &record) {
    isReported = isReported || checkWrite(record, thread, address, bytes, site, false);
    noteWrite(record, thread, site, /*isAtomic=*/false);
  });
  return true;
}

bool SharedMemory::update(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site) {
  if (!isInside(thread, address, bytes, site))
    return false;
  bool isReported = false;
  forEach(address, bytes, [&](Record &record) {
    if (!record.writeSite && !isReported) {
      block.report(FindingKind::Uninitialised, thread, site,
                   describe(site, thread, bytes, address - base) +
                       "nothing has written these bytes");
      isReported = true;
    }
    isReported = isReported || checkWrite(record, thread, address, bytes, site, true);
    noteWrite(record, thread, site, /*isAtomic=*/true);
  });
  return true;
}

bool SharedMemory::beginWrite(uint32_t thread, uintptr_t address, uint32_t bytes,
                              const Site &site) {
  if (!isInside(thread, address, bytes, site))
    return false;
  bool isReported = false;
  forEach(address, bytes, [&](Record &record) {
    isReported = isReported || checkWrite(record, thread, address, bytes, site, false);
    record.copySite = &site;
  });
  return true;
}

void SharedMemory::endWrite(uint32_t thread, uintptr_t address, uint32_t bytes, const Site &site) {
  forEach(address, bytes, [&](Record &record) {
    record.copySite = nullptr;
    noteWrite(record, thread, site, /*isAtomic=*/false);
  });
}

void SharedMemory::endAsyncWrite(uint32_t thread, uintptr_t address, uint32_t bytes,
                                 const Site &site) {
  endWrite(thread, address, bytes, site);
  forEach(address, bytes, [](Record &record) { record.genericTime = 0; });
}

void SharedMemory::fenceProxy(uint32_t thread) {
  proxyFenceTimes[thread] = clocks.getTime(thread);
  clocks.tick(thread);
}

bool SharedMemory::beginAsyncRead(uint32_t thread, uintptr_t address, uint32_t bytes,
                                  const Site &site) {
  if (!read(thread, address, bytes, site))
    return false;
  forEach(address, bytes, [&](Record &record) {
    if (record.genericTime > proxyFenceTimes[record.writer])
      block.report(FindingKind::Race, thread, site,
                   describe(site, thread, bytes, address - base) + "thread " +
                       std::to_string(record.writer) +
                       " wrote these bytes and no fence.proxy.async came since (" +
                       record.writeSite->location + ")");
    ++record.readsInFlight;
    record.readSite = &site;
  });
  return true;
}

void SharedMemory::endRead(uint32_t thread, uintptr_t address, uint32_t bytes) {
  forEach(address, bytes, [&](Record &record) {
    --record.readsInFlight;
    noteRead(record, thread);
  });
}
