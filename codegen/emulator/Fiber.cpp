//===- Fiber.cpp - Threads of a block on one host thread --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Fiber.h"
#include <sys/mman.h>
#include <unistd.h>

using namespace mix::emu;

// mixwright_fiber_switch(void **from, void *to): pushes the registers that a call
// preserves, stores the stack pointer in *from, and continues on the stack `to`.
#if defined(__x86_64__)
// System V ABI, AMD64 supplement, 3.2.1: rbx, rbp, r12..r15.
static constexpr int kSavedWords = 6, kReturnWord = 6, kFrameWords = 8;
asm(R"(
  .text
  .p2align 4
  .local mixwright_fiber_switch
  .type mixwright_fiber_switch, @function
mixwright_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .size mixwright_fiber_switch, .-mixwright_fiber_switch
)");
#elif defined(__aarch64__)
// Procedure Call Standard, 6.1: x19..x30 and the low halves of v8..v15.
static constexpr int kSavedWords = 20, kReturnWord = 11, kFrameWords = 20;
asm(R"(
  .text
  .p2align 4
  .local mixwright_fiber_switch
  .type mixwright_fiber_switch, %function
mixwright_fiber_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size mixwright_fiber_switch, .-mixwright_fiber_switch
)");
#else
#error "fibers are written for x86-64 and AArch64"
#endif
extern "C" void mixwright_fiber_switch(void **from, void *to);

/// The fiber that start()ed code finds itself on; set by resume().
static thread_local Fiber *running = nullptr;

Fiber::~Fiber() {
  if (memory)
    munmap(memory - getpagesize(), size + getpagesize());
}

bool Fiber::allocate(size_t stackBytes) {
  size_t page = getpagesize();
  size = (stackBytes + page - 1) / page * page;
  void *mapped = mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return false;
  mprotect(mapped, page, PROT_NONE);
  memory = static_cast<char *>(mapped) + page;
  return true;
}

void Fiber::enter() { running->function(running->argument); }

void Fiber::start(Function newFunction, void *newArgument) {
  function = newFunction;
  argument = newArgument;
  // A frame as the switch leaves it, whose return address is enter(). At its entry
  // the stack is as after a call: 8 below a multiple of 16 on x86-64.
  void **frame = reinterpret_cast<void **>(memory + size) - kFrameWords;
  for (int word = 0; word < kSavedWords; ++word)
    frame[word] = nullptr;
  frame[kReturnWord] = reinterpret_cast<void *>(&Fiber::enter);
  stackPointer = frame;
}

void Fiber::resume() {
  running = this;
  mixwright_fiber_switch(&resumerStackPointer, stackPointer);
}

void Fiber::suspend() { mixwright_fiber_switch(&stackPointer, resumerStackPointer); }
