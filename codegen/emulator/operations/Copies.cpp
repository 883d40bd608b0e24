//===- Copies.cpp - cp.async ------------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX ISA 9.7.9.25.3, non-bulk asynchronous copies. A copy happens at some moment
// between its issue and the end of the wait for its group; the schedule says which end.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include <algorithm>

using namespace mix::emu;

static void perform(const Copy &copy) {
  auto *to = reinterpret_cast<char *>(copy.destination);
  memcpy(to, reinterpret_cast<const char *>(copy.source), copy.sourceBytes);
  memset(to + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
}

/// 9.7.9.25.3.1 "cp.async": `variant`: {bytes}. Operands: destination, source, and in the
/// `.s` forms how many bytes to read; the rest is filled with zeros.
static void startCopy(Thread &thread, const Call &call) {
  Block &block = *thread.block;
  uint32_t bytes = call.site->operation->variant[0];
  uint32_t sourceBytes = call.site->argumentOffsets.size() > 2 ? call.get<uint32_t>(2) : bytes;
  Copy copy = {call.get<uintptr_t>(0), call.get<uintptr_t>(1), bytes, sourceBytes, call.site};
  if (copy.destination % bytes != 0 || copy.source % bytes != 0)
    return block.stop(FindingKind::Misaligned, thread.index, *call.site,
                      "the addresses of a copy of " + std::to_string(bytes) +
                          " bytes must be multiples of that");
  if (sourceBytes > bytes)
    return block.stop(FindingKind::Invalid, thread.index, *call.site,
                      "a copy of " + std::to_string(bytes) + " bytes reads " +
                          std::to_string(sourceBytes));
  block.access(thread, copy.source, sourceBytes, 1, Block::Access::Read, *call.site);
  if (block.launch.isStopped ||
      !block.shared.beginWrite(thread.index, copy.destination, bytes, *call.site))
    return;
  if (!block.launch.schedule.lateCopies)
    perform(copy);
  thread.openCopies.push_back(copy);
}

static void finish(Thread &thread, const std::vector<Copy> &copies) {
  for (const Copy &copy : copies) {
    if (thread.block->launch.schedule.lateCopies)
      perform(copy);
    thread.block->shared.endWrite(thread.index, copy.destination, copy.bytes, *copy.site);
  }
}

/// 9.7.9.25.3.2 "cp.async.commit_group".
static void commit(Thread &thread, const Call &) {
  thread.copyGroups.push_back(std::move(thread.openCopies));
  thread.openCopies.clear();
}

/// 9.7.9.25.3.3 "cp.async.wait_group": at most so many of the youngest groups are left.
static void waitForGroups(Thread &thread, const Call &call) {
  auto &groups = thread.copyGroups;
  size_t left = std::min<size_t>(call.get<uint32_t>(0), groups.size());
  for (size_t group = 0; group < groups.size() - left; ++group)
    finish(thread, groups[group]);
  groups.erase(groups.begin(), groups.end() - left);
}

/// "cp.async.wait_all": of groups and of copies in none.
static void waitForAll(Thread &thread, const Call &call) {
  commit(thread, call);
  for (const auto &group : thread.copyGroups)
    finish(thread, group);
  thread.copyGroups.clear();
}

FoundOperation mix::emu::findCopies(std::string_view name) {
  if (!consume(name, "nvvm.cp.async."))
    return std::nullopt;
  if (name == "commit.group")
    return threadOperation(commit);
  if (name == "wait.group")
    return threadOperation(waitForGroups);
  if (name == "wait.all")
    return threadOperation(waitForAll);
  bool isFirstLevel = consume(name, "ca.shared.global.");
  if (!isFirstLevel && !consume(name, "cg.shared.global."))
    return std::nullopt;
  for (auto [text, bytes] : {std::pair("4", 4), std::pair("8", 8), std::pair("16", 16)})
    if ((isFirstLevel || bytes == 16) && (name == text || name == std::string(text) + ".s"))
      return threadOperation(startCopy, {bytes});
  return std::nullopt;
}
