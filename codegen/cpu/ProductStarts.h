//===- ProductStarts.h - What accumulators start from -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `f(x) + a b` with an elementwise f (a state that decays before it is updated, sums that are
// rescaled before more is added) needs no pass over x of its own: the micro-kernel of the
// product evaluates f on the accumulators that it loads.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PRODUCTSTARTS_H
#define MIXWRIGHT_CODEGEN_CPU_PRODUCTSTARTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mix::cpu {

/// Moves what products start from right before them. Between the two, whatever is loaded would
/// take the place of what the start reads.
void sinkProductStarts(mlir::func::FuncOp phase);

/// The elementwise op whose result the product, and nothing else, adds to, if the product may
/// evaluate it: nothing is written in between, and both results have one place. Null if there
/// is none. Needs places (`mix-cpu-assign-buffers`).
mlir::linalg::LinalgOp getProductStart(mlir::linalg::LinalgOp product);

/// Whether the op is the start of some product.
bool isProductStart(mlir::linalg::LinalgOp op);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_PRODUCTSTARTS_H
