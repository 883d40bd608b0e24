//===- Polynomials.cpp - Mathematical functions as vector code --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Polynomials.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;
using namespace mix;

/// Adding this to |x| < 2^22 leaves the nearest integer in the low bits of the sum.
static constexpr double kRounder = 12582912.0; // 1.5 * 2^23
static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kLog2E = 1.442695040888963407;
/// log(2) in two parts; the first has few enough bits for exact products with integers.
static constexpr double kLog2High = 0.693359375;
static constexpr double kLog2Low = -2.12194440054690583e-4;
static constexpr double kLog2 = 0.693147180559945309;
/// pi/2 in three parts, for products that are not rounded before they are added.
static constexpr double kHalfPi[] = {1.5707963705062866, -4.371138828673793e-08,
                                     -1.7151245100058819e-15};
static constexpr double kTwoOverPi = 0.636619772367581343;
/// From here on a quotient by pi/2 has no bits left for a fraction.
static constexpr double kLargestAngle = 0x1p22;
/// Whether a result is flushed to zero is decided before rounding: 2^-125, and its logarithm.
static constexpr double kLeastExponent = -125.0;

Value Polynomials::constant(double value) {
  Attribute scalar = b.getF32FloatAttr((float)value);
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar));
  return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
}

Type Polynomials::getIntegerType() {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(b.getI32Type());
  return b.getI32Type();
}

Value Polynomials::integer(uint32_t value) {
  Attribute scalar = b.getI32IntegerAttr((int32_t)value);
  if (auto vector = dyn_cast<VectorType>(getIntegerType()))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar));
  return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
}

Value Polynomials::toBits(Value x) { return arith::BitcastOp::create(b, getIntegerType(), x); }
Value Polynomials::fromBits(Value bits) { return arith::BitcastOp::create(b, type, bits); }
Value Polynomials::add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value Polynomials::sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value Polynomials::mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }

Value Polynomials::mulAdd(Value x, Value y, Value z) {
  return fuse ? math::FmaOp::create(b, x, y, z).getResult() : add(mul(x, y), z);
}

Value Polynomials::less(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
}

Value Polynomials::equal(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
}

Value Polynomials::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}

Value Polynomials::atLeast(Value x, double bound) {
  Value limit = constant(bound);
  return select(less(x, limit), limit, x);
}

Value Polynomials::atMost(Value x, double bound) {
  Value limit = constant(bound);
  return select(less(limit, x), limit, x);
}

Value Polynomials::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = constant(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = mulAdd(sum, x, constant(coefficient));
  return sum;
}

Value Polynomials::halfPowerOf2(Value rounded) {
  // Shifting drops all but the integer, whose exponent is biased by 127, less one.
  Value shifted = arith::ShLIOp::create(b, toBits(rounded), integer(23));
  return fromBits(arith::AddIOp::create(b, shifted, integer(126u << 23)));
}

Polynomials::Reduced Polynomials::reduceByLog2(Value x) {
  Value rounded = mulAdd(x, constant(kLog2E), constant(kRounder));
  Value whole = sub(rounded, constant(kRounder));
  Value rest = mulAdd(whole, constant(-kLog2High), x);
  return {mulAdd(whole, constant(-kLog2Low), rest), halfPowerOf2(rounded)};
}

Value Polynomials::exp2(Value x) {
  Value rounded = add(atMost(x, 128.0), constant(kRounder));
  Value rest = sub(atMost(x, 128.0), sub(rounded, constant(kRounder)));
  // Twice 2^rest, so that the scale is a number even where the result is infinite.
  Value doubled = polynomial(rest, {2 * 0.00132647261, 2 * 0.00967151392, 2 * 0.0555073358,
                                    2 * 0.240222424, 2 * 0.693147004, 2.0});
  Value result = mul(doubled, halfPowerOf2(rounded));
  return select(less(x, constant(kLeastExponent)), constant(0), result);
}

Value Polynomials::exp(Value x) {
  Reduced reduced = reduceByLog2(atMost(x, 89.0));
  Value doubled = polynomial(reduced.rest, {2 * 0.00829031412, 2 * 0.0418979339, 2 * 0.166676357,
                                            2 * 0.499991506, 2 * 0.999999702, 2.0});
  Value result = mul(doubled, reduced.halfScale);
  return select(less(x, constant(kLeastExponent * kLog2)), constant(0), result);
}

Value Polynomials::expm1(Value x) {
  // Below -18 the result rounds to -1.
  Reduced reduced = reduceByLog2(atLeast(atMost(x, 89.0), -18.0));
  Value rest = reduced.rest;
  Value tail =
      polynomial(rest, {0.00138825097, 0.00836651493, 0.0416672006, 0.166665435, 0.49999997});
  Value atRest = mulAdd(mul(rest, rest), tail, rest);
  // (e^rest - 1) 2^n + 2^n - 1, in halves, so that 2^n is a number where the result is infinite.
  Value half = mulAdd(atRest, reduced.halfScale, sub(reduced.halfScale, constant(0.5)));
  return add(half, half);
}

Polynomials::Split Polynomials::splitExponent(Value x) {
  // Denormals are scaled up by 2^25.
  Value isTiny = less(x, constant(1.17549435e-38));
  Value normal = select(isTiny, mul(x, constant(33554432.0)), x);
  Value correction = select(isTiny, constant(-25.0), constant(0));
  Value leastMantissa = integer(0x3f3504f3); // sqrt(1/2)
  Value bits = arith::SubIOp::create(b, toBits(normal), leastMantissa);
  Value exponent = arith::SIToFPOp::create(b, type, arith::ShRSIOp::create(b, bits, integer(23)));
  Value mantissa = arith::AndIOp::create(b, bits, integer(0x7fffff));
  return {fromBits(arith::AddIOp::create(b, mantissa, leastMantissa)), add(exponent, correction)};
}

Value Polynomials::logOfReduced(Value r) {
  Value tail = polynomial(r, {-0.0763501823, 0.127616853, -0.131600365, 0.14201735, -0.166233703,
                              0.200012282, -0.250008196, 0.333333313});
  Value square = mul(r, r);
  return add(r, mulAdd(mul(square, r), tail, mul(square, constant(-0.5))));
}

Value Polynomials::withLogLimits(Value x, Value regular) {
  Value result = select(equal(x, constant(kInfinity)), x, regular);
  result = select(equal(x, constant(0)), constant(-kInfinity), result);
  Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, x, constant(0));
  return select(isNumber, result, constant(std::numeric_limits<double>::quiet_NaN()));
}

Value Polynomials::log(Value x) {
  Split split = splitExponent(x);
  Value ofMantissa = logOfReduced(sub(split.mantissa, constant(1)));
  Value low = mulAdd(split.exponent, constant(kLog2Low), ofMantissa);
  return withLogLimits(x, mulAdd(split.exponent, constant(kLog2High), low));
}

Value Polynomials::log2(Value x) {
  Split split = splitExponent(x);
  Value ofMantissa = logOfReduced(sub(split.mantissa, constant(1)));
  return withLogLimits(x, mulAdd(ofMantissa, constant(kLog2E), split.exponent));
}

Value Polynomials::log1p(Value x) {
  // Kahan: log(u) x / (u - 1) with u = 1 + x makes up for what rounding u has lost.
  Value one = constant(1);
  Value u = add(x, one);
  Value corrected = mul(log(u), arith::DivFOp::create(b, x, sub(u, one)));
  Value isLost = equal(u, one), isInfinite = equal(x, constant(kInfinity));
  return select(arith::OrIOp::create(b, isLost, isInfinite), x, corrected);
}

Value Polynomials::tanh(Value x) {
  // (e^2x - 1) / (e^2x + 1); beyond 9.1 it rounds to 1.
  Value bounded = atLeast(atMost(x, 9.1), -9.1);
  Value grown = expm1(add(bounded, bounded));
  return arith::DivFOp::create(b, grown, add(grown, constant(2)));
}

Value Polynomials::erf(Value x) {
  // Near zero x + x p(x^2); further out 1 - e^q(|x|), with the sign of x.
  Value size = math::AbsFOp::create(b, x);
  Value square = mul(x, x);
  Value near = polynomial(square, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1,
                                   -3.76125336e-1, 1.28379166e-1});
  near = mulAdd(near, x, x);
  Value bounded = atMost(size, 4.0);
  Value far = polynomial(bounded, {-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2,
                                   -1.06777877e-1, -6.34846687e-1, -1.28717512e-1});
  far = sub(constant(1), exp(mulAdd(far, bounded, mul(bounded, constant(-1)))));
  far = math::CopySignOp::create(b, far, x);
  return select(less(constant(0.927734375), size), far, near);
}

Value Polynomials::sin(Value x) { return wave(x, 0); }
Value Polynomials::cos(Value x) { return wave(x, 1); }

Value Polynomials::wave(Value x, uint32_t ahead) {
  Value quarters = math::RoundEvenOp::create(b, mul(x, constant(kTwoOverPi)));
  Value rest = x;
  for (double part : kHalfPi)
    rest = math::FmaOp::create(b, quarters, constant(-part), rest);
  Value square = mul(rest, rest);
  Value sine = polynomial(square, {-0.000195622408, 0.00833262373, -0.16666664});
  sine = mulAdd(mul(sine, square), rest, rest);
  Value cosine = polynomial(square, {2.45141644e-05, -0.00138882264, 0.0416666669});
  cosine = mulAdd(mul(cosine, square), square, mulAdd(square, constant(-0.5), constant(1)));
  // In odd quarters sine and cosine change places; the second half of a turn is negative.
  Value turn = arith::FPToSIOp::create(b, getIntegerType(), quarters);
  turn = arith::AddIOp::create(b, turn, integer(ahead));
  Value odd = arith::AndIOp::create(b, turn, integer(1));
  Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, odd, integer(0));
  Value half = arith::AndIOp::create(b, turn, integer(2));
  Value sign = arith::ShLIOp::create(b, half, integer(30));
  Value result = fromBits(arith::XOrIOp::create(b, toBits(select(isOdd, cosine, sine)), sign));
  Value isSmall = less(math::AbsFOp::create(b, x), constant(kLargestAngle));
  return select(isSmall, result, constant(std::numeric_limits<double>::quiet_NaN()));
}

Value Polynomials::apply(Operation *op, Value x) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return exp(x); })
      .Case([&](math::Exp2Op) { return exp2(x); })
      .Case([&](math::ExpM1Op) { return expm1(x); })
      .Case([&](math::LogOp) { return log(x); })
      .Case([&](math::Log2Op) { return log2(x); })
      .Case([&](math::Log1pOp) { return log1p(x); })
      .Case([&](math::TanhOp) { return tanh(x); })
      .Case([&](math::ErfOp) { return erf(x); })
      .Default(Value());
}

Value mix::buildBinaryExponent(ImplicitLocOpBuilder &b, Operation *op) {
  if (isa<math::Exp2Op>(op))
    return op->getOperand(0);
  auto exp = dyn_cast<math::ExpOp>(op);
  if (!exp || !bitEnumContainsAny(exp.getFastmath(), arith::FastMathFlags::afn))
    return {};
  Type type = exp.getType();
  Attribute scalar = b.getFloatAttr(getElementTypeOrSelf(type), kLog2E);
  auto vector = dyn_cast<VectorType>(type);
  auto log2e = cast<TypedAttr>(vector ? DenseElementsAttr::get(vector, scalar) : scalar);
  return arith::MulFOp::create(b, exp.getOperand(), arith::ConstantOp::create(b, log2e));
}
