/*===- Kernel.h - A kernel of devices, written by hand ------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* The mixer, for one head, with K = 4, in blocks of 4 tokens:
|*
|*   w[t, k] = 2 x[t, k]                  a phase of its own, into a workspace
|*   o[t, k] = w[t, k] + S[k]             S [K], initially 1
|*
|* Its images are LLVM IR, which the fake drivers load: for sm_80, sm_90, sm_90a and gfx942.
|* There is none for the CPU.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_TEST_RUNTIME_DEVICE_KERNEL_H
#define MIXWRIGHT_TEST_RUNTIME_DEVICE_KERNEL_H

#include "mixwright/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TWICE_K = 4, TWICE_ROWS = 4, TWICE_SHARED_BYTES = 50000 };

/* Arguments: x [T, K], S in [K], o [T, K]; float32. */
extern const mixwright_kernel twice;

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_TEST_RUNTIME_DEVICE_KERNEL_H */
