//===- GlobalMemory.cpp - The buffers that kernels may touch ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/GlobalMemory.h"

using namespace mix::emu;

/// How far from a buffer an address may be for the buffer to be named.
static constexpr uintptr_t kNear = 1 << 20;

std::string GlobalMemory::describe(uintptr_t address) const {
  auto next = buffers.upper_bound(address);
  if (next != buffers.begin()) {
    auto &[start, buffer] = *std::prev(next);
    uintptr_t end = start + buffer.bytes;
    if (address < end)
      return "at byte " + std::to_string(address - start) + " of the " +
             std::to_string(buffer.bytes) + " of '" + buffer.name + "'";
    if (address - end < kNear)
      return std::to_string(address - end) + " bytes past the end of '" + buffer.name + "'";
  }
  if (next != buffers.end() && next->first - address < kNear)
    return std::to_string(next->first - address) + " bytes before '" + next->second.name + "'";
  return "in no buffer";
}
