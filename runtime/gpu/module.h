/*===- module.h - Kernels that devices have loaded ----------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_GPU_MODULE_H
#define MIXWRIGHT_RUNTIME_GPU_MODULE_H

#include "runtime/gpu/driver.h"

/* Chooses among a list, as `mixwright_select_for_device` does. */
mixwright_status mw_select(const mixwright_kernel *kernel, const mw_device *device,
                           const mixwright_kernel **selected);

/* The functions of a selected kernel's phases on a device, which is the current one. Loads them
 * at first. They are valid until the kernel is unloaded. */
mixwright_status mw_get_functions(const mixwright_kernel *kernel, const mw_device *device,
                                  void *const **functions);

#endif /* MIXWRIGHT_RUNTIME_GPU_MODULE_H */
