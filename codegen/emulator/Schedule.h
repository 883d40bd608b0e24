//===- Schedule.h - Which legal execution is run ----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_SCHEDULE_H
#define MIXWRIGHT_CODEGEN_EMULATOR_SCHEDULE_H

#include <cstdint>

namespace mix::emu {

/// In which order blocks, warps and lanes take their turns.
enum class Order { Forward, Reversed, Random };

struct Schedule {
  Order order = Order::Forward;
  uint64_t seed = 0;       ///< Of Order::Random.
  bool lateCopies = false; ///< Asynchronous copies happen when waited for, not when issued.
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_SCHEDULE_H
