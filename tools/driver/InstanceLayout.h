//===- InstanceLayout.h - Where the heads of a tensor are -------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_INSTANCELAYOUT_H
#define MIXWRIGHT_TOOLS_DRIVER_INSTANCELAYOUT_H

#include "tools/driver/Call.h"

namespace mix::driver {

/// Where the instances of a tensor are, in elements: head `h` of batch entry `b` starts at
/// `b * batchStride + h / headGroup * headStride`.
struct InstanceLayout {
  int64_t batchStride = 0, headStride = 0, headGroup = 1;
  llvm::SmallVector<int64_t, 4> strides; ///< of the declared axes
};
InstanceLayout getInstanceLayout(const Argument &arg, const CallShape &shape, const Tensor &tensor);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_INSTANCELAYOUT_H
