/*===- Kernel.h - A kernel written by hand ------------------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* The mixer, for one head, with K = 3 and blocks of 4 tokens:
|*
|*   S[t] = g[t] S[t-1] + w x[t]             S [K], initially 1
|*   m[b] = sum of S[t] over block b
|*   o[t] = S[t] + m[t / 4]
|*
|* It has every feature of the ABI: a state, a param, a [T] input, two workspaces,
|* one of them over blocks, a sequential phase, a phase over token blocks, later
|* ones first, and a phase over feature blocks.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_TEST_RUNTIME_KERNEL_H
#define MIXWRIGHT_TEST_RUNTIME_KERNEL_H

#include "mixwright/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BLOCK_SUMS_K = 3, BLOCK_SUMS_BLOCK = 4, BLOCK_SUMS_SCRATCH = 1000 };

/* Arguments: x [T, K], g [T], w param [K], S in [K], o [T, K], S out [K]; float64. */
extern const mixwright_kernel block_sums;

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_TEST_RUNTIME_KERNEL_H */
