//===- TensorMap.h - What the emulator's TMA reads --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_TENSORMAP_H
#define MIXWRIGHT_CODEGEN_EMULATOR_TENSORMAP_H

#include <cstdint>

namespace mix::emu {

/// How 16-byte pieces of shared memory are permuted. The value is the number of address bits
/// that take part: bits 4.. are changed by bits 7.. (PTX ISA 5.5.5 "Swizzling modes").
enum class Swizzle : uint8_t { None = 0, Bytes32 = 1, Bytes64 = 2, Bytes128 = 3 };

inline uintptr_t applySwizzle(uintptr_t address, Swizzle swizzle) {
  uintptr_t mask = (uintptr_t(1) << static_cast<int>(swizzle)) - 1;
  return address ^ ((address >> 7 & mask) << 4);
}

/// Stands for the 128 opaque bytes of a CUtensorMap: a tensor in global memory, and the box
/// of it that one copy moves. Dimension 0 is the innermost. NVIDIA's own encoding is
/// not documented, so this one is the emulator's.
struct alignas(64) TensorMap {
  static constexpr uint32_t kMagic = 0x6d69786d;

  uint32_t magic = kMagic;
  uint16_t elementBytes = 0;
  uint8_t rank = 0;
  Swizzle swizzle = Swizzle::None;
  uint64_t address = 0;
  uint64_t strides[5] = {}; ///< Bytes; that of dimension 0 is elementBytes.
  uint32_t sizes[5] = {};
  uint16_t box[5] = {};
};
static_assert(sizeof(TensorMap) == 128, "a tensor map is a parameter of 128 bytes");

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_TENSORMAP_H
