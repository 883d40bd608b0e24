//===- Polynomials.h - Mathematical functions as vector code ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every function takes and gives f32, as a scalar or a vector, without branches and without
// tables. Errors are below 3 units in the last place; NaN gives NaN, infinities
// give the limits. Results below 2^-125 of the exponential are flushed to zero.
//
// The coefficients are minimax fits (Remez) of the relative error of the result
// on the reduced argument.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_POLYNOMIALS_H
#define MIXWRIGHT_CODEGEN_POLYNOMIALS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mix {

/// `y` of an op that may be computed as 2^y, with an error that grows with y: of math.exp2, and of
/// math.exp where the program allows that (`afn`). Null for others.
mlir::Value buildBinaryExponent(mlir::ImplicitLocOpBuilder &b, mlir::Operation *op);

/// Arithmetic on f32 scalars or on vectors of them, and the functions made of it.
class Polynomials {
public:
  /// `type` is f32 or a vector of f32. Without `fuse`, a product and a sum are two ops.
  Polynomials(mlir::ImplicitLocOpBuilder &b, mlir::Type type, bool fuse)
      : b(b), type(type), fuse(fuse) {}

  mlir::Value exp(mlir::Value x);
  mlir::Value exp2(mlir::Value x);
  mlir::Value expm1(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  /// NaN from 2^22 on. They need a fused multiply-add, whatever `fuse` is.
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  /// The function of an op of the math dialect at `x`; null for one that is not above, and for
  /// sines and cosines, as not every argument will do.
  mlir::Value apply(mlir::Operation *op, mlir::Value x);

private:
  /// x = whole * unit + rest, where `whole` is an integer and |rest| <= unit / 2.
  struct Reduced {
    mlir::Value rest;
    mlir::Value halfScale; ///< 2^(whole - 1)
  };
  /// Splits x / log(2) into an integer and a rest (in units of log(2)).
  Reduced reduceByLog2(mlir::Value x);
  /// x = mantissa * 2^exponent with a mantissa in [sqrt(1/2), sqrt(2)).
  struct Split {
    mlir::Value mantissa;
    mlir::Value exponent;
  };
  Split splitExponent(mlir::Value x);
  /// log(1 + r) for r in [sqrt(1/2) - 1, sqrt(2) - 1].
  mlir::Value logOfReduced(mlir::Value r);
  /// `regular` where x is positive and finite, else the limits of a logarithm.
  mlir::Value withLogLimits(mlir::Value x, mlir::Value regular);
  /// sin(x + ahead pi/2)
  mlir::Value wave(mlir::Value x, uint32_t ahead);
  /// 2^(n - 1) of the integer that was added to `kRounder`.
  mlir::Value halfPowerOf2(mlir::Value rounded);

  mlir::Value constant(double value);
  mlir::Value integer(uint32_t value);
  mlir::Type getIntegerType();
  mlir::Value toBits(mlir::Value x);
  mlir::Value fromBits(mlir::Value bits);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value mulAdd(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value equal(mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);
  /// x, within the bounds; NaN stays NaN.
  mlir::Value atLeast(mlir::Value x, double bound);
  mlir::Value atMost(mlir::Value x, double bound);
  /// Horner's scheme; the highest power comes first.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);

  mlir::ImplicitLocOpBuilder &b;
  mlir::Type type;
  bool fuse;
};

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_POLYNOMIALS_H
