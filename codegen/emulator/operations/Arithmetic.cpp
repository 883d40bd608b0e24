//===- Arithmetic.cpp - What a thread computes alone ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Approximate instructions give the correctly rounded value here: a kernel has to be
// right for every value that its instruction set allows, and this is one of them.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include "codegen/emulator/operations/Numbers.h"
#include <cmath>

using namespace mix::emu;

static float flush(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.f, x) : x;
}

//===----------------------------------------------------------------------===//
// Functions of one float: PTX ISA 9.7.3 "Floating Point Instructions"; AMD ISA, V_EXP_F32,
// V_LOG_F32, V_RCP_F32, V_RSQ_F32, V_SQRT_F32, V_SIN_F32
//===----------------------------------------------------------------------===//

using Function = double (*)(double);

/// `flushes`: subnormal arguments and results become zero (.ftz, and AMD's units).
template <double (*function)(double), bool flushes> static void unary(Thread &, const Call &call) {
  float x = call.get<float>(0);
  float y = float(function(flushes ? flush(x) : x));
  call.set(0, flushes ? flush(y) : y);
}
template <double (*function)(double)> static void unary64(Thread &, const Call &call) {
  call.set(0, function(call.get<double>(0)));
}

static double reciprocal(double x) { return 1.0 / x; }
static double reciprocalRoot(double x) { return 1.0 / std::sqrt(x); }
static double exp2Of(double x) { return std::exp2(x); }
static double log2Of(double x) { return std::log2(x); }
static double rootOf(double x) { return std::sqrt(x); }
static double sineOf(double x) { return std::sin(x); }
static double cosineOf(double x) { return std::cos(x); }
static double tanhOf(double x) { return std::tanh(x); }
/// AMD's sine takes its argument in turns.
static double sineOfTurns(double x) { return std::sin(x * 2 * M_PI); }
static double cosineOfTurns(double x) { return std::cos(x * 2 * M_PI); }

template <double (*function)(double)> static FoundOperation findUnary(std::string_view suffix) {
  if (suffix == ".f" || suffix == ".f32")
    return threadOperation(unary<function, false>);
  if (suffix == ".ftz.f" || suffix == ".ftz.f32")
    return threadOperation(unary<function, true>);
  if (suffix == ".d" || suffix == ".f64" || suffix == ".ftz.d")
    return threadOperation(unary64<function>);
  return std::nullopt;
}

static FoundOperation findNvidiaFunction(std::string_view name) {
  if (consume(name, "ex2.approx"))
    return findUnary<exp2Of>(name);
  if (consume(name, "lg2.approx"))
    return findUnary<log2Of>(name);
  if (consume(name, "rcp.approx") || consume(name, "rcp.rn"))
    return findUnary<reciprocal>(name);
  if (consume(name, "rsqrt.approx"))
    return findUnary<reciprocalRoot>(name);
  if (consume(name, "sqrt.approx") || consume(name, "sqrt.rn"))
    return findUnary<rootOf>(name);
  if (consume(name, "sin.approx"))
    return findUnary<sineOf>(name);
  if (consume(name, "cos.approx"))
    return findUnary<cosineOf>(name);
  return std::nullopt;
}

static FoundOperation findAmdFunction(std::string_view name) {
  if (name == "exp2.f32")
    return threadOperation(unary<exp2Of, true>);
  if (name == "log.f32")
    return threadOperation(unary<log2Of, true>);
  if (name == "tanh.f32")
    return threadOperation(unary<tanhOf, false>);
  if (consume(name, "rcp"))
    return findUnary<reciprocal>(name);
  if (consume(name, "rsq"))
    return findUnary<reciprocalRoot>(name);
  if (consume(name, "sqrt"))
    return findUnary<rootOf>(name);
  if (name == "sin.f32")
    return threadOperation(unary<sineOfTurns, false>);
  if (name == "cos.f32")
    return threadOperation(unary<cosineOfTurns, false>);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Other arithmetic of one thread
//===----------------------------------------------------------------------===//

/// PTX ISA 9.7.9.22 "cvt": `cvt.rn.bf16x2.f32 d, a, b` puts a into the upper half.
static void packBfloats(Thread &, const Call &call) {
  call.set(0, bfloatFromFloat(call.get<float>(1)), 0);
  call.set(0, bfloatFromFloat(call.get<float>(0)), 1);
}
static void packHalves(Thread &, const Call &call) {
  call.set(0, halfFromFloat(call.get<float>(1)), 0);
  call.set(0, halfFromFloat(call.get<float>(0)), 1);
}

/// `cvt.rna.tf32.f32`: to nearest, ties away from zero, 10 bits of mantissa are kept.
static void toTf32(Thread &, const Call &call) {
  uint32_t bits = call.get<uint32_t>(0);
  if ((bits & 0x7f800000) != 0x7f800000)
    bits += 0x1000;
  call.set(0, bits & 0xffffe000);
}

static void fusedMultiplyAdd(Thread &, const Call &call) {
  call.set(0, std::fma(call.get<float>(0), call.get<float>(1), call.get<float>(2)));
}

/// RDNA3 ISA, V_MED3_F32, without NaNs among the operands.
static void medianOfThree(Thread &, const Call &call) {
  float a = call.get<float>(0), b = call.get<float>(1), c = call.get<float>(2);
  call.set(0, std::fmax(std::fmin(a, b), std::fmin(std::fmax(a, b), c)));
}

/// RDNA3 ISA, V_CVT_PK_RTZ_F16_F32.
static void packHalvesToZero(Thread &, const Call &call) {
  for (unsigned element : {0, 1}) {
    float x = call.get<float>(element);
    uint16_t half = halfFromFloat(x);
    bool isFinite = std::fabs(x) <= 3.4e38f;
    if (isFinite && std::fabs(floatFromHalf(half)) > std::fabs(x))
      --half;
    call.set(0, half, element);
  }
}

FoundOperation mix::emu::findArithmetic(std::string_view name) {
  if (consume(name, "nvvm.")) {
    if (name == "ff2bf16x2.rn")
      return threadOperation(packBfloats);
    if (name == "ff2f16x2.rn")
      return threadOperation(packHalves);
    if (name == "f2tf32.rna")
      return threadOperation(toTf32);
    if (name == "fma.rn.f")
      return threadOperation(fusedMultiplyAdd);
    return findNvidiaFunction(name);
  }
  if (consume(name, "amdgcn.")) {
    if (name == "fmed3.f32")
      return threadOperation(medianOfThree);
    if (name == "cvt.pkrtz")
      return threadOperation(packHalvesToZero);
    return findAmdFunction(name);
  }
  return std::nullopt;
}
