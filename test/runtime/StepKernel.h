/*===- StepKernel.h - A step form written by hand -----------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* The step form of a mixer, for one head, with K = 2:
|*
|*   S[t] = S[t-1] / 2 + x[t]                               S [K], initially 3
|*   o[t] = S[t] + sum over j <= t of (j + 1) k[j]          a cache of all k
|*              + sum over t - 3 < j <= t of x[j]           a cache of the last 3 x
|*
|* It has every feature of the step form: a state, a cache that query heads share and one
|* that they do not, one of them with a window, a phase that runs per head of a cache,
|* cache blocks of 4 rows, and a phase over splits of 8 rows of all tokens.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_TEST_RUNTIME_STEPKERNEL_H
#define MIXWRIGHT_TEST_RUNTIME_STEPKERNEL_H

#include "mixwright/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIGHTED_K = 2, WEIGHTED_WINDOW = 3, WEIGHTED_BLOCK = 4, WEIGHTED_SPLIT = 8 };

/* Arguments: x [T, K], k [T, K], position, S [K], keys [rows, K], recent [rows, K],
 * o [T, K]; float64. */
extern const mixwright_kernel weighted_sums;

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_TEST_RUNTIME_STEPKERNEL_H */
