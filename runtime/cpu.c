/*===- cpu.c - Choose the code that this processor can run ----------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char unknown[] = "a feature that this runtime does not know";

/* Only x86-64 code has needs; elsewhere every bit is one that is lacking. */
#if defined(__x86_64__)
#include <cpuid.h>

enum { LEAF_1, LEAF_7_0, LEAF_7_1, LEAF_80000001, NUM_LEAVES };
enum { EAX, EBX, ECX, EDX, NUM_REGISTERS };

/* The bits of XCR0 for registers that the operating system must save. */
enum { NONE = 0, YMM = 0x06, ZMM = 0xe6 };

static const struct {
  unsigned leaf, subleaf;
} leaves[NUM_LEAVES] = {{1, 0}, {7, 0}, {7, 1}, {0x80000001, 0}};

static const struct {
  const char *name;
  uint8_t bit, leaf, reg, reg_bit, state;
} features[] = {
#define MIXWRIGHT_X86_FEATURE(BIT, NAME, LEAF, REGISTER, REGISTER_BIT, STATE)                      \
  {NAME, BIT, LEAF, REGISTER, REGISTER_BIT, STATE},
#include "mixwright/x86_features.def"
};

enum { NUM_FEATURES = sizeof features / sizeof features[0] };

static const char *get_feature_name(int bit) {
  for (int n = 0; n < NUM_FEATURES; ++n)
    if (features[n].bit == bit)
      return features[n].name;
  return unknown;
}

/* XCR0, or 0 if the operating system does not manage such registers at all. */
static uint64_t read_saved_state(unsigned leaf_1_ecx) {
  const unsigned osxsave = 1u << 27;
  if (!(leaf_1_ecx & osxsave))
    return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static uint64_t detect_features(void) {
  unsigned found[NUM_LEAVES][NUM_REGISTERS] = {{0}};
  for (int n = 0; n < NUM_LEAVES; ++n)
    __get_cpuid_count(leaves[n].leaf, leaves[n].subleaf, &found[n][EAX], &found[n][EBX],
                      &found[n][ECX], &found[n][EDX]);
  uint64_t saved = read_saved_state(found[LEAF_1][ECX]), bits = 0;
  for (int n = 0; n < NUM_FEATURES; ++n) {
    unsigned word = found[features[n].leaf][features[n].reg];
    uint64_t has_instructions = word >> features[n].reg_bit & 1;
    uint64_t has_registers = (saved & features[n].state) == features[n].state;
    bits |= (has_instructions & has_registers) << features[n].bit;
  }
  return bits;
}

#else

static const char *get_feature_name(int bit) { return unknown; }
static uint64_t detect_features(void) { return 0; }

#endif

/* Threads that race to detect find the same. */
static uint64_t get_features(void) {
  static _Atomic uint64_t known;
  static atomic_int is_known;
  if (!atomic_load_explicit(&is_known, memory_order_acquire)) {
    atomic_store_explicit(&known, detect_features(), memory_order_relaxed);
    atomic_store_explicit(&is_known, 1, memory_order_release);
  }
  return atomic_load_explicit(&known, memory_order_relaxed);
}

void mw_append(char *text, size_t size, const char *format, ...) {
  size_t length = strlen(text);
  va_list values;
  va_start(values, format);
  vsnprintf(text + length, size - length, format, values);
  va_end(values);
}

/* Says for every kernel of a list what this processor lacks. */
static mixwright_status fail_all(const mixwright_kernel *kernel) {
  char text[400] = "";
  for (const mixwright_kernel *each = kernel; each; each = each->next) {
    uint64_t lacking = each->needs & ~get_features();
    mw_append(text, sizeof text, "%s%s %s", each == kernel ? "" : "; ", each->target,
              each->image ? "is for a GPU" : "needs");
    for (int bit = 0; bit < 64; ++bit)
      if (lacking >> bit & 1)
        mw_append(text, sizeof text, " %s", get_feature_name(bit));
  }
  return mw_fail(MIXWRIGHT_UNSUPPORTED, "kernel '%s' does not run on this processor: %s",
                 kernel->mixer, text);
}

mixwright_status mw_check_version(const mixwright_kernel *kernel) {
  if (!kernel)
    return mw_fail(MIXWRIGHT_INVALID_KERNEL, "the kernel is null");
  if (kernel->abi_version != MIXWRIGHT_ABI_VERSION)
    return mw_fail(MIXWRIGHT_INVALID_KERNEL,
                   "the kernel has ABI version %u, but this runtime has version %d",
                   kernel->abi_version, MIXWRIGHT_ABI_VERSION);
  if (!kernel->mixer || !kernel->target)
    return mw_fail(MIXWRIGHT_INVALID_KERNEL, "the description of the kernel is damaged");
  return MIXWRIGHT_OK;
}

mixwright_status mixwright_select(const mixwright_kernel *kernel,
                                  const mixwright_kernel **selected) {
  if (!selected)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "the address of the result is null");
  const mixwright_kernel *each = kernel;
  do {
    MW_CHECK(mw_check_version(each));
    if (!each->image && !(each->needs & ~get_features())) {
      *selected = each;
      return MIXWRIGHT_OK;
    }
    each = each->next;
  } while (each);
  return fail_all(kernel);
}
