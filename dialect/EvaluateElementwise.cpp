//===- EvaluateElementwise.cpp - arith and math on doubles ------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateElementwise.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// The tables
//===----------------------------------------------------------------------===//

static int64_t toInt(double x) { return static_cast<int64_t>(x); }

static const llvm::StringMap<double (*)(double)> &unaryTable() {
  static const llvm::StringMap<double (*)(double)> table = {
      {"arith.negf", [](double x) { return -x; }},
      {"arith.sitofp", [](double x) { return x; }},
      {"arith.uitofp", [](double x) { return x; }},
      {"arith.fptosi", [](double x) { return std::trunc(x); }},
      {"arith.extui", [](double x) { return x; }},
      {"arith.index_castui", [](double x) { return x; }},
      {"arith.extf", [](double x) { return x; }},
      {"arith.truncf", [](double x) { return x; }},
      {"arith.index_cast", [](double x) { return x; }},
      {"math.absf", [](double x) { return std::fabs(x); }},
      {"math.absi", [](double x) { return std::fabs(x); }},
      {"math.ceil", [](double x) { return std::ceil(x); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.exp2", [](double x) { return std::exp2(x); }},
      {"math.expm1", [](double x) { return std::expm1(x); }},
      {"math.floor", [](double x) { return std::floor(x); }},
      {"math.log", [](double x) { return std::log(x); }},
      {"math.log1p", [](double x) { return std::log1p(x); }},
      {"math.log2", [](double x) { return std::log2(x); }},
      {"math.round", [](double x) { return std::round(x); }},
      {"math.roundeven", [](double x) { return std::nearbyint(x); }},
      {"math.rsqrt", [](double x) { return 1.0 / std::sqrt(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.sqrt", [](double x) { return std::sqrt(x); }},
      {"math.tan", [](double x) { return std::tan(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.trunc", [](double x) { return std::trunc(x); }},
  };
  return table;
}

/// maximumf and minimumf propagate a NaN, maxnumf and minnumf drop it.
static double maximum(double x, double y) {
  return std::isnan(x) || std::isnan(y) ? NAN : std::fmax(x, y);
}
static double minimum(double x, double y) {
  return std::isnan(x) || std::isnan(y) ? NAN : std::fmin(x, y);
}

static const llvm::StringMap<double (*)(double, double)> &binaryTable() {
  static const llvm::StringMap<double (*)(double, double)> table = {
      {"arith.addf", [](double x, double y) { return x + y; }},
      {"arith.addi", [](double x, double y) { return x + y; }},
      {"arith.andi", [](double x, double y) { return double(toInt(x) & toInt(y)); }},
      {"arith.ceildivsi", [](double x, double y) { return std::ceil(x / y); }},
      {"arith.ceildivui", [](double x, double y) { return std::ceil(x / y); }},
      {"arith.divf", [](double x, double y) { return x / y; }},
      {"arith.divsi", [](double x, double y) { return std::trunc(x / y); }},
      {"arith.divui", [](double x, double y) { return std::trunc(x / y); }},
      {"arith.floordivsi", [](double x, double y) { return std::floor(x / y); }},
      {"arith.maximumf", maximum},
      {"arith.maxnumf", [](double x, double y) { return std::fmax(x, y); }},
      {"arith.maxsi", [](double x, double y) { return std::fmax(x, y); }},
      {"arith.maxui", [](double x, double y) { return std::fmax(x, y); }},
      {"arith.minimumf", minimum},
      {"arith.minnumf", [](double x, double y) { return std::fmin(x, y); }},
      {"arith.minsi", [](double x, double y) { return std::fmin(x, y); }},
      {"arith.minui", [](double x, double y) { return std::fmin(x, y); }},
      {"arith.mulf", [](double x, double y) { return x * y; }},
      {"arith.muli", [](double x, double y) { return x * y; }},
      {"arith.ori", [](double x, double y) { return double(toInt(x) | toInt(y)); }},
      {"arith.remf", [](double x, double y) { return std::fmod(x, y); }},
      {"arith.remsi", [](double x, double y) { return std::fmod(x, y); }},
      {"arith.remui", [](double x, double y) { return std::fmod(x, y); }},
      {"arith.subf", [](double x, double y) { return x - y; }},
      {"arith.subi", [](double x, double y) { return x - y; }},
      {"arith.xori", [](double x, double y) { return double(toInt(x) ^ toInt(y)); }},
      {"math.atan2", [](double x, double y) { return std::atan2(x, y); }},
      {"math.copysign", [](double x, double y) { return std::copysign(x, y); }},
      {"math.fpowi", [](double x, double y) { return std::pow(x, y); }},
      {"math.powf", [](double x, double y) { return std::pow(x, y); }},
  };
  return table;
}

static double (*getComparison(arith::CmpFPredicate predicate))(double, double) {
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::AlwaysFalse:
    return [](double, double) { return 0.0; };
  case P::OEQ:
    return [](double x, double y) { return double(x == y); };
  case P::OGT:
    return [](double x, double y) { return double(x > y); };
  case P::OGE:
    return [](double x, double y) { return double(x >= y); };
  case P::OLT:
    return [](double x, double y) { return double(x < y); };
  case P::OLE:
    return [](double x, double y) { return double(x <= y); };
  case P::ONE:
    return [](double x, double y) { return double(x < y || x > y); };
  case P::ORD:
    return [](double x, double y) { return double(!std::isunordered(x, y)); };
  case P::UEQ:
    return [](double x, double y) { return double(!(x < y || x > y)); };
  case P::UGT:
    return [](double x, double y) { return double(!(x <= y)); };
  case P::UGE:
    return [](double x, double y) { return double(!(x < y)); };
  case P::ULT:
    return [](double x, double y) { return double(!(x >= y)); };
  case P::ULE:
    return [](double x, double y) { return double(!(x > y)); };
  case P::UNE:
    return [](double x, double y) { return double(x != y); };
  case P::UNO:
    return [](double x, double y) { return double(std::isunordered(x, y)); };
  case P::AlwaysTrue:
    return [](double, double) { return 1.0; };
  }
  return nullptr;
}

/// Unsigned predicates compare the whole numbers, like unsigned ops of the table:
/// positions, sizes and booleans are never negative.
static double (*getComparison(arith::CmpIPredicate predicate))(double, double) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return [](double x, double y) { return double(x == y); };
  case P::ne:
    return [](double x, double y) { return double(x != y); };
  case P::slt:
  case P::ult:
    return [](double x, double y) { return double(x < y); };
  case P::sle:
  case P::ule:
    return [](double x, double y) { return double(x <= y); };
  case P::sgt:
  case P::ugt:
    return [](double x, double y) { return double(x > y); };
  case P::sge:
  case P::uge:
    return [](double x, double y) { return double(x >= y); };
  }
  return nullptr;
}

std::optional<Elementwise> mix::getElementwise(Operation *op) {
  Elementwise result;
  StringRef name = op->getName().getStringRef();
  if (auto cmp = dyn_cast<arith::CmpFOp>(op))
    result.binary = getComparison(cmp.getPredicate());
  else if (auto cmp = dyn_cast<arith::CmpIOp>(op))
    result.binary = getComparison(cmp.getPredicate());
  else if (isa<arith::SelectOp>(op))
    result.ternary = [](double condition, double x, double y) { return condition != 0.0 ? x : y; };
  else if (name == "math.fma")
    result.ternary = [](double x, double y, double z) { return std::fma(x, y, z); };
  else if (auto fn = unaryTable().lookup(name))
    result.unary = fn;
  else if (auto fn = binaryTable().lookup(name))
    result.binary = fn;
  else
    return std::nullopt;
  result.refusesZeroDivisor = isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
                                  arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op);
  return result;
}

//===----------------------------------------------------------------------===//
// Application
//===----------------------------------------------------------------------===//

Expected<Tensor> mix::applyElementwise(Operation *op, ArrayRef<Tensor> operands) {
  std::optional<Elementwise> fn = getElementwise(op);
  if (!fn)
    return errorAt(op, "the evaluator does not know this op");

  const Tensor &last = operands.back();
  Tensor result = Tensor::make(last.shape);
  double *out = result.data();
  // Strides of zero repeat an operand of rank 0.
  Shape zeros(last.rank(), 0);
  auto strides = [&](const Tensor &tensor) {
    return tensor.rank() == 0 ? zeros.data() : tensor.strides.data();
  };

  if (fn->unary) {
    const double *x = operands[0].data();
    forEachElement<2>(last.shape, {result.strides.data(), strides(operands[0])},
                      [&](auto at) { out[at[0]] = fn->unary(x[at[1]]); });
    return result;
  }
  if (fn->binary) {
    const double *x = operands[0].data(), *y = operands[1].data();
    bool dividesByZero = false;
    forEachElement<3>(last.shape,
                      {result.strides.data(), strides(operands[0]), strides(operands[1])},
                      [&](auto at) {
                        dividesByZero |= fn->refusesZeroDivisor && y[at[2]] == 0.0;
                        out[at[0]] = fn->binary(x[at[1]], y[at[2]]);
                      });
    if (dividesByZero)
      return errorAt(op, "divides an integer by zero");
    return result;
  }
  const double *x = operands[0].data(), *y = operands[1].data(), *z = operands[2].data();
  forEachElement<4>(
      last.shape,
      {result.strides.data(), strides(operands[0]), strides(operands[1]), strides(operands[2])},
      [&](auto at) { out[at[0]] = fn->ternary(x[at[1]], y[at[2]], z[at[3]]); });
  return result;
}

/// A whole number of `type`: `true` is 1, other integers are signed.
static double toDouble(const APInt &value) {
  return value.getBitWidth() == 1 ? double(value.getZExtValue()) : double(value.getSExtValue());
}

static double toDouble(APFloat value) {
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

Expected<Tensor> mix::getConstant(Operation *op) {
  auto constant = dyn_cast<arith::ConstantOp>(op);
  if (!constant)
    return errorAt(op, "expects an arith.constant");
  Attribute value = constant.getValue();
  if (auto number = dyn_cast<FloatAttr>(value))
    return Tensor::scalar(toDouble(number.getValue()));
  if (auto number = dyn_cast<IntegerAttr>(value))
    return Tensor::scalar(toDouble(number.getValue()));
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return errorAt(op, "expects a number or dense elements");
  std::vector<double> elements;
  elements.reserve(dense.getNumElements());
  if (isa<FloatType>(dense.getElementType()))
    for (const APFloat &element : dense.getValues<APFloat>())
      elements.push_back(toDouble(element));
  else if (dense.getElementType().isIntOrIndex())
    for (const APInt &element : dense.getValues<APInt>())
      elements.push_back(toDouble(element));
  else
    return errorAt(op, "expects elements that are numbers");
  return Tensor::make(dense.getType().getShape(), std::move(elements));
}
