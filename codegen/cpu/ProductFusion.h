//===- ProductFusion.h - Elementwise work of products -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `f(x) + a b` with an elementwise f (a state that decays before it is updated, sums that are
// rescaled before more is added) needs no pass over x of its own: the micro-kernel of the
// product evaluates f on the accumulators that it loads. So it does with g of `g(a b)` (logits that
// are scaled or bent) on the accumulators that it stores.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PRODUCTFUSION_H
#define MIXWRIGHT_CODEGEN_CPU_PRODUCTFUSION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mix::cpu {

/// Moves what products start from right before them, and what becomes of them alone right after
/// them. In between, whatever is loaded would take the place of what is read.
void gatherElementwiseWork(mlir::func::FuncOp phase);

/// The elementwise op whose result the product, and nothing else, adds to, if the product may
/// evaluate it: nothing is written in between, and both results have one place. Null if there
/// is none. Needs places (`mix-cpu-assign-buffers`).
mlir::linalg::LinalgOp getProductStart(mlir::linalg::LinalgOp product);

/// Whether the op is the start of some product.
bool isProductStart(mlir::linalg::LinalgOp op);

/// Whether the op is the only one to read a product, at the position that it writes.
bool isProductEnd(mlir::linalg::LinalgOp op);

/// Whether the op, in whose body too, reads something that is made after `earlier`.
bool needsLater(mlir::Operation *op, mlir::Operation *earlier);

/// The elementwise op that makes something of the product's result, and is the only one to read it,
/// if the product may evaluate it: nothing is written in between, and both results have one
/// place, in scratch. Null if there is none. Needs places; `lanes` are those of the phase.
mlir::linalg::LinalgOp getProductEnd(mlir::linalg::LinalgOp product, int64_t lanes);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_PRODUCTFUSION_H
