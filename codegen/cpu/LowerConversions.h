//===- LowerConversions.h - 16-bit reals by integer arithmetic --*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_LOWERCONVERSIONS_H
#define MIXWRIGHT_CODEGEN_CPU_LOWERCONVERSIONS_H

#include "codegen/Chips.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::cpu {

/// The value of an `arith.extf` or `arith.truncf` between a 16-bit real type and a wider one,
/// scalar or vector, by integer arithmetic; null if LLVM has instructions for it on the chip.
/// Exact, and to nearest with ties to even. LLVM alone would call functions of a compiler's
/// runtime library.
mlir::Value lowerConversion(mlir::ImplicitLocOpBuilder &b, mlir::Operation *op, const Chip &chip);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_LOWERCONVERSIONS_H
