//===- MathTest.cpp - Accuracy of generated mathematical functions ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every function, on every chip of the table that this machine runs, for random and for
// special arguments, against the C library in double precision.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Math/IR/Math.h"
#include "codegen/Chips.h"
#include "codegen/cpu/Jit.h"
#include "codegen/cpu/Target.h"
#include "dialect/NarrowReals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/TargetParser/Triple.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace mix;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A function of MLIR's math dialect, what it should compute, and where it is tried.
struct Function {
  const char *op;
  double (*reference)(double);
  double low, high;    ///< Range of the random arguments.
  double maxUlps;      ///< Of f32, above half a unit.
  double flushedBelow; ///< Results smaller than this may be zero.
};

double rsqrt(double x) { return 1 / std::sqrt(x); }
double cube(double x) { return x * x * x; }

const Function functions[] = {
    {"math.exp", std::exp, -100, 95, 2.5, 0x1p-125},
    {"math.exp", std::exp, -1, 1, 2.5, 0x1p-125},
    {"math.exp2", std::exp2, -140, 130, 2.5, 0x1p-125},
    {"math.expm1", std::expm1, -20, 95, 2.5, 0},
    {"math.expm1", std::expm1, -1e-3, 1e-3, 2.5, 0},
    {"math.log", std::log, 0, 1e6, 2.5, 0},
    {"math.log", std::log, 0.5, 2, 2.5, 0},
    {"math.log2", std::log2, 0, 1e6, 2.5, 0},
    {"math.log2", std::log2, 0.5, 2, 2.5, 0},
    {"math.log1p", std::log1p, -1, 1e6, 3, 0},
    {"math.log1p", std::log1p, -1e-3, 1e-3, 3, 0},
    {"math.tanh", std::tanh, -10, 10, 3, 0},
    {"math.tanh", std::tanh, -1e-3, 1e-3, 3, 0},
    {"math.erf", std::erf, -5, 5, 2.5, 0},
    {"math.erf", std::erf, -1e-3, 1e-3, 2.5, 0},
    {"math.sin", std::sin, -1e5, 1e5, 1, 0},
    {"math.cos", std::cos, -1e5, 1e5, 1, 0},
    {"math.rsqrt", rsqrt, 0, 1e6, 1.5, 0},
    {"math.floor", std::floor, -100, 100, 0, 0},
};

template <typename Real> constexpr const char *elementName = sizeof(Real) == 4 ? "f32" : "f64";

mlir::MLIRContext &getContext() {
  static mlir::MLIRContext *context = [] {
    mlir::DialectRegistry registry;
    cpu::registerTargetDialects(registry);
    registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect,
                    mlir::LLVM::LLVMDialect, mlir::vector::VectorDialect>();
    return new mlir::MLIRContext(registry);
  }();
  return *context;
}

/// A compiled function from arrays of one vector to arrays of one vector.
class Compiled {
public:
  /// `body` is MLIR that computes %y from %x, both of the type that it writes as TYPE.
  Compiled(const std::string &chip, std::string body, const std::string &type, size_t bytes)
      : vectorBytes(bytes) {
    for (size_t at; (at = body.find("TYPE")) != std::string::npos;)
      body.replace(at, 4, type);
    std::string source = "func.func @f(%in: !llvm.ptr, %out: !llvm.ptr) {\n"
                         "  %x = llvm.load %in : !llvm.ptr -> " +
                         type + "\n" + body + "\n  llvm.store %y, %out : " + type +
                         ", !llvm.ptr\n  return\n}\n";
    auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &getContext());
    if (!module)
      return;
    auto object = cpu::compileToObject({{*module, chip}});
    if (!object) {
      ADD_FAILURE() << llvm::toString(object.takeError());
      return;
    }
    auto code = cpu::load(*object);
    if (!code) {
      ADD_FAILURE() << llvm::toString(code.takeError());
      return;
    }
    loaded = std::move(*code);
    function = (void (*)(const void *, void *))llvm::cantFail(loaded->lookup("f"));
  }

  template <typename Real> std::vector<Real> operator()(const std::vector<Real> &in) const {
    std::vector<Real> out(in.size(), std::numeric_limits<Real>::quiet_NaN());
    size_t lanes = vectorBytes / sizeof(Real);
    alignas(64) Real x[16], y[16];
    for (size_t i = 0; i < in.size(); i += lanes) {
      for (size_t l = 0; l < lanes; ++l)
        x[l] = in[std::min(i + l, in.size() - 1)];
      function(x, y);
      for (size_t l = 0; l < lanes && i + l < in.size(); ++l)
        out[i + l] = y[l];
    }
    return out;
  }

  explicit operator bool() const { return function; }

private:
  size_t vectorBytes;
  std::unique_ptr<cpu::LoadedObject> loaded;
  void (*function)(const void *, void *) = nullptr;
};

template <typename Real> std::string getVectorType(const Chip &chip) {
  return "vector<" + std::to_string(chip.getLanes(sizeof(Real))) + "x" + elementName<Real> + ">";
}

/// Rows that this machine can run.
std::vector<Chip> getRunnableChips() {
  std::vector<Chip> chips;
  for (const Chip &chip : getChips())
    if (runsOnHost(chip))
      chips.push_back(chip);
  return chips;
}

/// Half a unit in the last place is what rounding the true result costs.
double getUlps(double result, double reference) {
  int exponent;
  std::frexp(reference, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(result - reference) / unit;
}

std::vector<float> makeArguments(const Function &f, std::mt19937 &random) {
  std::uniform_real_distribution<double> uniform(f.low, f.high);
  std::vector<float> x = {0.0f,
                          -0.0f,
                          1.0f,
                          -1.0f,
                          0.5f,
                          1e-30f,
                          -1e-30f,
                          1e-40f,
                          1e30f,
                          -1e30f,
                          88.0f,
                          -87.0f,
                          127.75f,
                          128.0f,
                          -125.5f,
                          (float)kInfinity,
                          (float)-kInfinity,
                          std::numeric_limits<float>::quiet_NaN()};
  while (x.size() < 20001)
    x.push_back((float)uniform(random));
  return x;
}

void checkSingle(const Function &f, const Chip &chip, float x, float y) {
  double expected = f.reference(x);
  std::string where = std::string(f.op) + "(" + std::to_string(x) + ") on " + chip.name;
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(y)) << where << " = " << y;
    return;
  }
  double largest = std::numeric_limits<float>::max();
  if (std::fabs(expected) > largest)
    EXPECT_EQ((float)expected, y) << where;
  else if (std::fabs(expected) < f.flushedBelow)
    EXPECT_NEAR(expected, y, f.flushedBelow) << where;
  else
    EXPECT_LE(getUlps(y, expected), 0.5 + f.maxUlps) << where << " = " << y << ", not " << expected;
}

} // namespace

TEST(Math, SinglePrecision) {
  std::mt19937 random(std::random_device{}());
  for (const Chip &chip : getRunnableChips())
    for (const Function &f : functions) {
      Compiled compiled(chip.name, std::string("  %y = ") + f.op + " %x : TYPE",
                        getVectorType<float>(chip), chip.vectorBytes);
      ASSERT_TRUE(compiled) << f.op;
      std::vector<float> x = makeArguments(f, random);
      std::vector<float> y = compiled(x);
      for (size_t i = 0; i < x.size() && !HasFailure(); ++i)
        checkSingle(f, chip, x[i], y[i]);
    }
}

TEST(Math, SinglePrecisionScalar) {
  std::mt19937 random(std::random_device{}());
  Chip chip = llvm::cantFail(findChip("native"));
  for (const Function &f : functions) {
    Compiled compiled("native", std::string("  %y = ") + f.op + " %x : TYPE", "f32", sizeof(float));
    ASSERT_TRUE(compiled) << f.op;
    std::vector<float> x = makeArguments(f, random);
    std::vector<float> y = compiled(x);
    for (size_t i = 0; i < x.size() && !HasFailure(); ++i)
      checkSingle(f, chip, x[i], y[i]);
  }
}

TEST(Math, DoublePrecision) {
  std::mt19937 random(std::random_device{}());
  for (const Chip &chip : getRunnableChips())
    for (const Function &f : functions) {
      Compiled compiled(chip.name, std::string("  %y = ") + f.op + " %x : TYPE",
                        getVectorType<double>(chip), chip.vectorBytes);
      ASSERT_TRUE(compiled) << f.op;
      std::vector<double> x;
      for (float value : makeArguments(f, random))
        x.push_back(value);
      std::vector<double> y = compiled(x);
      for (size_t i = 0; i < x.size() && !HasFailure(); ++i) {
        double expected = f.reference(x[i]);
        if (std::isnan(expected))
          EXPECT_TRUE(std::isnan(y[i])) << f.op << "(" << x[i] << ")";
        else if (std::isinf(expected))
          EXPECT_EQ(expected, y[i]) << f.op << "(" << x[i] << ")";
        else
          EXPECT_LE(std::fabs(y[i] - expected), 1e-14 * std::fabs(expected))
              << f.op << "(" << x[i] << ")";
      }
    }
}

TEST(Math, Powers) {
  std::mt19937 random(std::random_device{}());
  std::uniform_real_distribution<double> uniform(0.1, 10);
  std::string constant = "  %n = arith.constant dense<3.0> : TYPE\n  %y = math.powf %x, %n : TYPE";
  std::string variable = "  %y = math.powf %x, %x : TYPE";
  Chip chip = llvm::cantFail(findChip("native"));
  Compiled cubes("native", constant, getVectorType<double>(chip), chip.vectorBytes);
  Compiled powers("native", variable, getVectorType<float>(chip), chip.vectorBytes);
  ASSERT_TRUE(cubes && powers);
  std::vector<double> x;
  std::vector<float> single;
  while (x.size() < 1001)
    single.push_back(x.emplace_back(uniform(random)));
  std::vector<double> cubed = cubes(x);
  std::vector<float> power = powers(single);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(cubed[i], cube(x[i]), 1e-14 * cube(x[i]));
    EXPECT_LE(getUlps(power[i], std::pow((double)single[i], (double)single[i])), 1.5);
  }
}

/// Rounding to 16 bits and back: of every number of the type itself, which must stay, and of f32
/// numbers with random bits, subnormal ones, infinities and NaNs among them.
static void checkConversions(const Chip &chip, const NarrowReal &format, const char *name,
                             std::mt19937 &random, int64_t lanes) {
  std::string narrow =
      lanes == 1 ? name : "vector<" + std::to_string(lanes) + "x" + std::string(name) + ">";
  std::string body = "  %n = arith.truncf %x : TYPE to " + narrow +
                     "\n  %y = arith.extf %n : " + narrow + " to TYPE";
  std::string wide = lanes == 1 ? "f32" : getVectorType<float>(chip);
  Compiled compiled(chip.name, body, wide, lanes * sizeof(float));
  ASSERT_TRUE(compiled) << name;
  std::vector<float> x;
  for (unsigned bits = 0; bits < 1 << 16; ++bits)
    x.push_back((float)format.decode(bits));
  for (unsigned n = 0; n < 1 << 18; ++n) {
    uint32_t bits = random();
    float &number = x.emplace_back();
    std::memcpy(&number, &bits, sizeof bits);
  }
  std::vector<float> y = compiled(x);
  for (size_t i = 0; i < x.size() && !testing::Test::HasFailure(); ++i) {
    auto expected = (float)format.round(x[i]);
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(y[i])) << name << "(" << x[i] << ") on " << chip.name;
    else
      EXPECT_EQ(std::memcmp(&expected, &y[i], sizeof expected), 0)
          << name << "(" << x[i] << ") on " << chip.name << ": " << y[i] << ", not " << expected;
  }
}

TEST(Math, Conversions) {
  std::mt19937 random(std::random_device{}());
  for (const Chip &chip : getRunnableChips())
    for (int64_t lanes : {int64_t(1), chip.getLanes(sizeof(float))}) {
      checkConversions(chip, kBFloat16, "bf16", random, lanes);
      checkConversions(chip, kFloat16, "f16", random, lanes);
    }
}
