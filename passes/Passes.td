//===- Passes.td - How a computation is rearranged ---------*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every description states Requires and Ensures.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_PASSES_TD
#define MIXWRIGHT_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // MIXWRIGHT_PASSES_PASSES_TD
