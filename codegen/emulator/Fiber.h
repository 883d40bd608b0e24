//===- Fiber.h - Threads of a block on one host thread ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_FIBER_H
#define MIXWRIGHT_CODEGEN_EMULATOR_FIBER_H

#include <cstddef>
#include <cstdint>

namespace mix::emu {

/// A stack and a place to go on from. A fiber is started, runs until it suspends
/// itself, is resumed, and so on; it may be abandoned at any suspension, and what
/// its stack holds then is not destroyed.
class Fiber {
public:
  using Function = void (*)(void *argument);

  Fiber() = default;
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;
  ~Fiber();

  /// Memory for the stack, with a page below it that faults. False if there is none.
  bool allocate(size_t stackBytes);

  /// The next resume() calls `function(argument)`, which must never return.
  void start(Function function, void *argument);

  /// Runs the fiber until it suspends. Not from within a fiber.
  void resume();

  /// Back to the caller of resume(). Only from within this fiber.
  void suspend();

  /// Whether an object is on this fiber's stack.
  bool contains(uintptr_t address, size_t bytes) const {
    auto bottom = reinterpret_cast<uintptr_t>(memory);
    return address >= bottom && address - bottom <= size && bytes <= size - (address - bottom);
  }

private:
  static void enter();

  char *memory = nullptr;
  size_t size = 0;
  void *stackPointer = nullptr;
  void *resumerStackPointer = nullptr;
  Function function = nullptr;
  void *argument = nullptr;
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_FIBER_H
