//===- GlobalMemory.h - The buffers that kernels may touch ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_GLOBALMEMORY_H
#define MIXWRIGHT_CODEGEN_EMULATOR_GLOBALMEMORY_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace mix::emu {

/// Buffers of the host that stand for device memory. A device address is the host's.
class GlobalMemory {
public:
  struct Buffer {
    size_t bytes;
    std::string name;
    bool isWritable;
  };

  /// Buffers may not overlap. The memory stays the caller's.
  void add(const void *data, size_t bytes, std::string name, bool isWritable = true) {
    if (bytes)
      buffers[reinterpret_cast<uintptr_t>(data)] = {bytes, std::move(name), isWritable};
  }
  void remove(const void *data) { buffers.erase(reinterpret_cast<uintptr_t>(data)); }

  /// The buffer that holds all of [address, address + bytes), or null.
  const Buffer *find(uintptr_t address, size_t bytes) const {
    auto next = buffers.upper_bound(address);
    if (next == buffers.begin())
      return nullptr;
    auto &[start, buffer] = *std::prev(next);
    size_t offset = address - start;
    bool holds = offset <= buffer.bytes && bytes <= buffer.bytes - offset;
    return holds ? &buffer : nullptr;
  }

  /// "12 bytes past the end of 'k'": where an address is that find() does not know.
  std::string describe(uintptr_t address) const;

private:
  std::map<uintptr_t, Buffer> buffers;
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_GLOBALMEMORY_H
