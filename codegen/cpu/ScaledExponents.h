//===- ScaledExponents.h - Powers of 2 by exponent instructions -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AVX-512 splits a number into an integer and a fraction with one instruction, and multiplies by
// a power of 2 with another, which knows infinities, NaN and underflow. What is left of a
// power of 2 is a polynomial.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_SCALEDEXPONENTS_H
#define MIXWRIGHT_CODEGEN_CPU_SCALEDEXPONENTS_H

#include "codegen/Chips.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix::cpu {

/// Whether the chip has the instructions for the type: for whole vectors of f32.
bool hasScaledExp2(mlir::Type type, const Chip &chip);

/// 2^x, with an error below 3 units in the last place. 2^0 is exactly 1.
mlir::Value emitScaledExp2(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_SCALEDEXPONENTS_H
