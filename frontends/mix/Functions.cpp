//===- Functions.cpp - The elementwise functions of the language ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Functions that upstream lacks are written so that neither overflow nor
// cancellation spoils them far from zero.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Functions.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace mix::frontend;

template <typename OpTy> static Value emitOp(Emitter &e, Value x) { return e.create<OpTy>(x); }

static Value emitExpOfNegative(Emitter &e, Value x) {
  return e.create<math::ExpOp>(e.create<arith::NegFOp>(x));
}

/// log(1 + exp(-|x|))
static Value emitLogTail(Emitter &e, Value x) {
  return e.create<math::Log1pOp>(emitExpOfNegative(e, e.create<math::AbsFOp>(x)));
}
static double foldLogTail(double x) { return std::log1p(std::exp(-std::fabs(x))); }

/// 1 + exp(-x)
static Value emitLogisticDenominator(Emitter &e, Value x) {
  return e.create<arith::AddFOp>(e.createReal(1), emitExpOfNegative(e, x));
}
static double foldSigmoid(double x) { return 1 / (1 + std::exp(-x)); }
static Value emitSigmoid(Emitter &e, Value x) {
  return e.create<arith::DivFOp>(e.createReal(1), emitLogisticDenominator(e, x));
}

static double foldSilu(double x) { return x / (1 + std::exp(-x)); }
static Value emitSilu(Emitter &e, Value x) {
  return e.create<arith::DivFOp>(x, emitLogisticDenominator(e, x));
}

static double foldSoftplus(double x) { return std::fmax(x, 0) + foldLogTail(x); }
static Value emitSoftplus(Emitter &e, Value x) {
  return e.create<arith::AddFOp>(e.create<arith::MaximumFOp>(x, e.createReal(0)),
                                 emitLogTail(e, x));
}

static double foldLogSigmoid(double x) { return std::fmin(x, 0) - foldLogTail(x); }
static Value emitLogSigmoid(Emitter &e, Value x) {
  return e.create<arith::SubFOp>(e.create<arith::MinimumFOp>(x, e.createReal(0)),
                                 emitLogTail(e, x));
}

static double foldRelu(double x) { return std::fmax(x, 0); }
static Value emitRelu(Emitter &e, Value x) {
  return e.create<arith::MaximumFOp>(x, e.createReal(0));
}

/// x/2 (1 + erf(x / sqrt 2))
static double foldGelu(double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); }
static Value emitGelu(Emitter &e, Value x) {
  Value erf = e.create<math::ErfOp>(e.create<arith::MulFOp>(x, e.createReal(std::sqrt(0.5))));
  return e.create<arith::MulFOp>(e.create<arith::MulFOp>(x, e.createReal(0.5)),
                                 e.create<arith::AddFOp>(e.createReal(1), erf));
}

static double foldSign(double x) { return (x > 0) - (x < 0); }
static Value emitSign(Emitter &e, Value x) {
  Value zero = e.createReal(0);
  Value isPositive = e.compare<arith::CmpFOp>(arith::CmpFPredicate::OGT, x, zero);
  Value isNegative = e.compare<arith::CmpFOp>(arith::CmpFPredicate::OLT, x, zero);
  return e.select(isPositive, e.createReal(1), e.select(isNegative, e.createReal(-1), zero));
}

static double foldRsqrt(double x) { return 1 / std::sqrt(x); }

static const ElementwiseFunction functions[] = {
    {"exp", std::exp, emitOp<math::ExpOp>},
    {"exp2", std::exp2, emitOp<math::Exp2Op>},
    {"expm1", std::expm1, emitOp<math::ExpM1Op>},
    {"log", std::log, emitOp<math::LogOp>},
    {"log2", std::log2, emitOp<math::Log2Op>},
    {"log1p", std::log1p, emitOp<math::Log1pOp>},
    {"sqrt", std::sqrt, emitOp<math::SqrtOp>},
    {"rsqrt", foldRsqrt, emitOp<math::RsqrtOp>},
    {"sin", std::sin, emitOp<math::SinOp>},
    {"cos", std::cos, emitOp<math::CosOp>},
    {"tanh", std::tanh, emitOp<math::TanhOp>},
    {"erf", std::erf, emitOp<math::ErfOp>},
    {"sigmoid", foldSigmoid, emitSigmoid},
    {"logsigmoid", foldLogSigmoid, emitLogSigmoid},
    {"softplus", foldSoftplus, emitSoftplus},
    {"silu", foldSilu, emitSilu},
    {"relu", foldRelu, emitRelu},
    {"gelu", foldGelu, emitGelu},
    {"sign", foldSign, emitSign},
};

llvm::ArrayRef<ElementwiseFunction> mix::frontend::getElementwiseFunctions() { return functions; }

const ElementwiseFunction *mix::frontend::findElementwise(llvm::StringRef name) {
  for (const ElementwiseFunction &function : functions)
    if (function.name == name)
      return &function;
  return nullptr;
}
