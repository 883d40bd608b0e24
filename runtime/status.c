/*===- status.c - Messages of failed calls --------------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/internal.h"
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[512];

const char *mixwright_last_error(void) { return last_error; }

mixwright_status mw_fail(mixwright_status status, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(last_error, sizeof last_error, format, values);
  va_end(values);
  return status;
}
