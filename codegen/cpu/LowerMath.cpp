//===- LowerMath.cpp - Mathematical functions as vector code or calls -------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f32 functions are inline polynomials. Double precision is for checking kernels,
// not for speed: there, and for the rare functions, a small function per vector
// type calls the C library for every lane.
//
//===----------------------------------------------------------------------===//

#include "codegen/Chips.h"
#include "codegen/Polynomials.h"
#include "codegen/cpu/LowerConversions.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/ScaledExponents.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/TargetParser/Triple.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPULOWERMATH
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Powers with a constant exponent up to this are products.
static constexpr int64_t kLargestProductPower = 16;

/// The constant that every lane of the value equals, or null.
static Attribute getUniformConstant(Value value) {
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    return getUniformConstant(broadcast.getSource());
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return {};
  if (auto elements = dyn_cast<SplatElementsAttr>(constant))
    return elements.getSplatValue<Attribute>();
  return constant;
}

/// The exponent of a power, if it is a small whole number.
static std::optional<int64_t> getSmallExponent(Value exponent) {
  Attribute constant = getUniformConstant(exponent);
  std::optional<int64_t> value;
  if (auto integer = dyn_cast_or_null<IntegerAttr>(constant))
    value = integer.getInt();
  if (auto real = dyn_cast_or_null<FloatAttr>(constant)) {
    double number = real.getValueAsDouble();
    if (std::abs(number) <= kLargestProductPower && number == std::trunc(number))
      value = (int64_t)number;
  }
  return value && std::abs(*value) <= kLargestProductPower ? value : std::nullopt;
}

/// x^n by squaring; a negative power is the reciprocal of the positive one.
static Value emitPower(ImplicitLocOpBuilder &b, Value x, int64_t n) {
  Value one = arith::ConstantOp::create(b, cast<TypedAttr>(b.getOneAttr(x.getType())));
  Value result, square = x;
  for (uint64_t rest = std::abs(n); rest; rest >>= 1) {
    if (rest & 1)
      result = result ? arith::MulFOp::create(b, result, square).getResult() : square;
    if (rest > 1)
      square = arith::MulFOp::create(b, square, square);
  }
  if (!result)
    return one;
  return n < 0 ? arith::DivFOp::create(b, one, result).getResult() : result;
}

/// The function of the C library, for double arguments; empty for what is no such function.
static StringRef getLibraryName(Operation *op) {
  return TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::AcosOp) { return "acos"; })
      .Case([](math::AcoshOp) { return "acosh"; })
      .Case([](math::AsinOp) { return "asin"; })
      .Case([](math::AsinhOp) { return "asinh"; })
      .Case([](math::AtanOp) { return "atan"; })
      .Case([](math::Atan2Op) { return "atan2"; })
      .Case([](math::AtanhOp) { return "atanh"; })
      .Case([](math::CbrtOp) { return "cbrt"; })
      .Case([](math::CosOp) { return "cos"; })
      .Case([](math::CoshOp) { return "cosh"; })
      .Case([](math::ErfOp) { return "erf"; })
      .Case([](math::ErfcOp) { return "erfc"; })
      .Case([](math::ExpOp) { return "exp"; })
      .Case([](math::Exp2Op) { return "exp2"; })
      .Case([](math::ExpM1Op) { return "expm1"; })
      .Case([](math::LogOp) { return "log"; })
      .Case([](math::Log10Op) { return "log10"; })
      .Case([](math::Log1pOp) { return "log1p"; })
      .Case([](math::Log2Op) { return "log2"; })
      .Case([](math::PowFOp) { return "pow"; })
      .Case([](math::SinOp) { return "sin"; })
      .Case([](math::SinhOp) { return "sinh"; })
      .Case([](math::TanOp) { return "tan"; })
      .Case([](math::TanhOp) { return "tanh"; })
      .Default(StringRef());
}

namespace {

class Lowering {
public:
  Lowering(ModuleOp module, const Chip &chip) : module(module), symbols(module), chip(chip) {}

  /// Replaces the op, or leaves it where LLVM has an instruction for it.
  void lower(Operation *op);

private:
  /// The value by arithmetic and inline polynomials, or null.
  Value expand(ImplicitLocOpBuilder &b, Operation *op);
  Value callLibrary(ImplicitLocOpBuilder &b, StringRef name, ValueRange operands);
  func::FuncOp getOrDeclare(StringRef name, FunctionType type);
  /// The function that applies `scalar` to every lane.
  func::FuncOp getOrDefineLanewise(StringRef name, func::FuncOp scalar, FunctionType type);

  ModuleOp module;
  SymbolTable symbols;
  const Chip &chip;
};

} // namespace

func::FuncOp Lowering::getOrDeclare(StringRef name, FunctionType type) {
  if (auto known = symbols.lookup<func::FuncOp>(name))
    return known;
  auto function = func::FuncOp::create(module.getLoc(), name, type);
  function.setPrivate();
  symbols.insert(function);
  return function;
}

func::FuncOp Lowering::getOrDefineLanewise(StringRef name, func::FuncOp scalar, FunctionType type) {
  if (auto known = symbols.lookup<func::FuncOp>(name))
    return known;
  func::FuncOp function = getOrDeclare(name, type);
  auto vector = cast<VectorType>(type.getResult(0));
  ImplicitLocOpBuilder b(function.getLoc(), function.addEntryBlock(), function.begin()->end());
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < vector.getNumElements(); ++lane) {
    SmallVector<Value> arguments;
    for (BlockArgument argument : function.getArguments())
      arguments.push_back(vector::ExtractOp::create(b, argument, lane));
    lanes.push_back(func::CallOp::create(b, scalar, arguments).getResult(0));
  }
  func::ReturnOp::create(b, vector::FromElementsOp::create(b, vector, lanes).getResult());
  return function;
}

Value Lowering::callLibrary(ImplicitLocOpBuilder &b, StringRef name, ValueRange operands) {
  Type type = operands.front().getType();
  Type element = getElementTypeOrSelf(type);
  std::string scalarName = (name + (element.isF32() ? "f" : "")).str();
  SmallVector<Type> scalars(operands.size(), element);
  func::FuncOp callee = getOrDeclare(scalarName, b.getFunctionType(scalars, element));
  if (auto vector = dyn_cast<VectorType>(type)) {
    std::string lanewise =
        ("mixwright_" + scalarName + "_x" + Twine(vector.getNumElements())).str();
    callee = getOrDefineLanewise(lanewise, callee,
                                 b.getFunctionType(operands.getTypes(), TypeRange(type)));
  }
  return func::CallOp::create(b, callee, operands).getResult(0);
}

Value Lowering::expand(ImplicitLocOpBuilder &b, Operation *op) {
  Type type = op->getResult(0).getType();
  Value x = op->getOperand(0);
  if (isa<math::PowFOp, math::FPowIOp>(op))
    if (std::optional<int64_t> exponent = getSmallExponent(op->getOperand(1)))
      return emitPower(b, x, *exponent);
  if (!getElementTypeOrSelf(type).isF32())
    return {};
  if (hasScaledExp2(type, chip))
    if (Value exponent = buildBinaryExponent(b, op))
      return emitScaledExp2(b, exponent);
  return Polynomials(b, type, chip.fusesMultiplyAdd).apply(op, x);
}

/// A quotient by a constant is a product: a division takes as long as seven of them. Null if the
/// reciprocal is no normal number, and for f64, which is for checking.
static Value emitQuotient(ImplicitLocOpBuilder &b, arith::DivFOp op) {
  auto divisor = dyn_cast_or_null<FloatAttr>(getUniformConstant(op.getRhs()));
  if (!divisor || !divisor.getType().isF32())
    return {};
  APFloat reciprocal = APFloat(1.0f) / divisor.getValue();
  if (!reciprocal.isNormal())
    return {};
  Type type = op.getType();
  TypedAttr factor = b.getFloatAttr(divisor.getType(), reciprocal);
  if (auto vector = dyn_cast<VectorType>(type))
    factor = DenseElementsAttr::get(vector, Attribute(factor));
  return arith::MulFOp::create(b, op.getLhs(), arith::ConstantOp::create(b, factor));
}

/// A maximum that need not keep NaN is one instruction of x86, which takes the second operand
/// where one is NaN. (Elsewhere one that keeps NaN is, too.) Null for others.
static Value emitOrderedMaximum(ImplicitLocOpBuilder &b, arith::MaximumFOp op, const Chip &chip) {
  bool keepsNan = !bitEnumContainsAny(op.getFastmath(), arith::FastMathFlags::nnan);
  if (keepsNan || !llvm::Triple(chip.triple).isX86())
    return {};
  Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, op.getRhs(), op.getLhs());
  return arith::SelectOp::create(b, isLarger, op.getRhs(), op.getLhs());
}

/// A maximum that keeps NaN takes three instructions, twice as many if it has to tell the
/// zeros apart, which no program can rely on.
static void ignoreSignOfZero(Operation *op) {
  auto fast = cast<arith::ArithFastMathInterface>(op);
  arith::FastMathFlags flags = fast.getFastMathFlagsAttr().getValue() | arith::FastMathFlags::nsz;
  op->setAttr(fast.getFastMathAttrName(), arith::FastMathFlagsAttr::get(op->getContext(), flags));
}

void Lowering::lower(Operation *op) {
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Value result;
  if (auto quotient = dyn_cast<arith::DivFOp>(op)) {
    result = emitQuotient(b, quotient);
    if (!result)
      return;
  } else if (isa<arith::MaximumFOp, arith::MinimumFOp>(op)) {
    auto maximum = dyn_cast<arith::MaximumFOp>(op);
    result = maximum ? emitOrderedMaximum(b, maximum, chip) : Value();
    if (!result)
      return ignoreSignOfZero(op);
  } else if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    result = lowerConversion(b, op, chip);
    if (!result)
      return;
  } else if (auto fma = dyn_cast<math::FmaOp>(op)) {
    if (chip.fusesMultiplyAdd)
      return;
    result = arith::AddFOp::create(b, arith::MulFOp::create(b, fma.getA(), fma.getB()), fma.getC());
  } else if (auto rsqrt = dyn_cast<math::RsqrtOp>(op)) {
    result = emitPower(b, math::SqrtOp::create(b, rsqrt.getOperand()), -1);
  } else if (Value expanded = expand(b, op)) {
    result = expanded;
  } else if (auto power = dyn_cast<math::FPowIOp>(op)) {
    Value exponent = arith::SIToFPOp::create(b, power.getType(), power.getRhs());
    result = callLibrary(b, "pow", {power.getLhs(), exponent});
  } else if (StringRef name = getLibraryName(op); !name.empty()) {
    result = callLibrary(b, name, op->getOperands());
  } else {
    return;
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

namespace {

struct LowerMath : cpu::impl::CpuLowerMathBase<LowerMath> {
  using CpuLowerMathBase::CpuLowerMathBase;

  void runOnOperation() override {
    llvm::Expected<Chip> row = findChip(chip);
    if (!row) {
      getOperation().emitError(llvm::toString(row.takeError()));
      return signalPassFailure();
    }
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) ||
          isa<arith::DivFOp, arith::MaximumFOp, arith::MinimumFOp, arith::ExtFOp, arith::TruncFOp>(
              op))
        ops.push_back(op);
    });
    Lowering lowering(getOperation(), *row);
    for (Operation *op : ops)
      lowering.lower(op);
  }
};

} // namespace
