//===- BodyForms.cpp - Normal forms of the values of a block ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/BodyForms.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Build.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Expr;
using mix::algebra::ExprKind;
using mix::algebra::LinearForm;

namespace mix {

/// Beyond these sizes a form is no help, and would take long to handle: a chain
/// of squarings doubles the factors with every line.
static constexpr unsigned kMaxOperands = 64, kMaxTerms = 64;

static AxisSet getAxisSet(Value value) { return AxisSet::of(getAxes(value)); }

static AxisSet getReducedAxes(ReduceOp reduce) {
  return AxisSet::of(reduce.getAxes().getAsValueRange<StringAttr>());
}

//===----------------------------------------------------------------------===//
// Dependence
//===----------------------------------------------------------------------===//

Dependence::Dependence(Block &block, ArrayRef<std::pair<Value, unsigned>> roots, unsigned numBits)
    : numBits(numBits) {
  for (auto [value, bit] : roots) {
    llvm::SmallBitVector self(numBits);
    self.set(bit);
    bits[value] = self;
  }
  for (Operation &op : block) {
    llvm::SmallBitVector all(numBits);
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        all |= get(operand);
    });
    if (all.any())
      for (Value result : op.getResults())
        bits.try_emplace(result, all);
  }
}

llvm::SmallBitVector Dependence::get(Value value) const {
  auto it = bits.find(value);
  return it == bits.end() ? llvm::SmallBitVector(numBits) : it->second;
}

//===----------------------------------------------------------------------===//
// Coefficients
//===----------------------------------------------------------------------===//

/// Whether the value is finite whenever the inputs of the mixer are.
static bool isFinite(Value value) {
  Operation *op = value.getDefiningOp();
  return !op || !isa<FloatType>(getElementTypeOrSelf(value)) ||
         isa<arith::SIToFPOp, arith::UIToFPOp, math::TanhOp, math::SinOp, math::CosOp, math::ErfOp>(
             op) ||
         (isa<ReadOp>(op) && isFinite(cast<ReadOp>(op).getSource()));
}

Expr Coefficients::getAtom(Value value) {
  auto [it, isNew] = atomIds.try_emplace(value, atoms.size());
  if (isNew)
    atoms.push_back(value);
  return pool.atom(it->second, getAxisSet(value), isFinite(value));
}

Expr Coefficients::get(Value value) {
  auto it = known.find(value);
  if (it != known.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  Expr result = op && !opaque.contains(value) ? compute(op, value) : nullptr;
  if (!result || result->operands.size() > kMaxOperands)
    result = getAtom(value);
  known[value] = result;
  return result;
}

/// Null if the op is opaque to the algebra.
Expr Coefficients::compute(Operation *op, Value value) {
  if (std::optional<double> number = getSplat(value))
    return pool.number(*number);
  return llvm::TypeSwitch<Operation *, Expr>(op)
      .Case([&](BroadcastOp op) -> Expr {
        return isa<FloatType>(getElementTypeOrSelf(value)) ? get(op.getSource()) : nullptr;
      })
      .Case([&](arith::MulFOp op) { return pool.mul(get(op.getLhs()), get(op.getRhs())); })
      .Case([&](arith::AddFOp op) { return pool.add(get(op.getLhs()), get(op.getRhs())); })
      .Case([&](arith::SubFOp op) {
        return pool.add(get(op.getLhs()), pool.negate(get(op.getRhs())));
      })
      .Case([&](arith::NegFOp op) { return pool.negate(get(op.getOperand())); })
      .Case([&](arith::DivFOp op) {
        return pool.mul(get(op.getLhs()), pool.inverse(get(op.getRhs())));
      })
      .Case([&](arith::UIToFPOp op) -> Expr {
        bool isPredicate = getElementTypeOrSelf(op.getIn()).isInteger(1);
        return isPredicate ? getMask(op.getIn()) : nullptr;
      })
      .Case([&](ReduceOp op) -> Expr {
        // A mask may hide infinities, so that a masked sum is no product.
        if (op.getKind() != ReduceKind::Sum || op.getMask())
          return nullptr;
        return pool.reduce(get(op.getSource()), getReducedAxes(op));
      })
      .Default([](Operation *) { return nullptr; });
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

BodyForms::BodyForms(Block &block, Coefficients &coefficients, const Dependence &dependence,
                     llvm::SmallBitVector focus, DenseMap<Value, algebra::Symbol> symbols)
    : coefficients(coefficients), dependence(dependence), focus(std::move(focus)),
      symbols(std::move(symbols)), algebra(coefficients.getPool()) {
  // In program order, so that no recursion is as deep as the block is long.
  for (Operation &op : block.without_terminator())
    for (Value result : op.getResults())
      get(result);
}

/// The name of an op in the language, for messages.
static StringRef getSpokenName(Operation *op) {
  StringRef name = op->getName().stripDialect();
  return llvm::StringSwitch<StringRef>(name)
      .Case("maximumf", "max")
      .Case("minimumf", "min")
      .Case("absf", "abs")
      .Case("powf", "a power")
      .Case("cmpf", "a comparison")
      .Case("for", "an inner loop")
      .Default(name);
}

std::optional<LinearForm> BodyForms::give(Operation *op, const Twine &text) {
  for (Value result : op->getResults())
    obstacles[result] = {op, text.str()};
  return std::nullopt;
}

std::optional<LinearForm> BodyForms::get(Value value) {
  auto it = known.find(value);
  if (it != known.end())
    return it->second;
  std::optional<LinearForm> form = compute(value);
  if (form && form->terms.size() > kMaxTerms)
    form = give(value.getDefiningOp(), "enters a sum of too many terms");
  known[value] = form;
  Operation *op = value.getDefiningOp();
  if (!form && op && !obstacles.contains(value))
    for (Value operand : op->getOperands())
      if (obstacles.contains(operand)) {
        obstacles[value] = Obstacle(obstacles.lookup(operand));
        break;
      }
  return form;
}

std::optional<LinearForm> BodyForms::compute(Value value) {
  auto symbol = symbols.find(value);
  if (symbol != symbols.end())
    return algebra.symbol(symbol->second);
  if (!dependsOnFocus(value)) {
    if (!isa<FloatType>(getElementTypeOrSelf(value)))
      return algebra.constant(coefficients.getAtom(value));
    return algebra.constant(coefficients.get(value));
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  algebra::Pool &pool = coefficients.getPool();
  auto binary = [&](auto combine) -> std::optional<LinearForm> {
    std::optional<LinearForm> lhs = get(op->getOperand(0)), rhs = get(op->getOperand(1));
    if (!lhs || !rhs)
      return std::nullopt;
    return combine(*lhs, *rhs);
  };
  auto negated = [&](const LinearForm &form) { return algebra.scale(form, pool.number(-1)); };
  return llvm::TypeSwitch<Operation *, std::optional<LinearForm>>(op)
      .Case([&](BroadcastOp op) { return get(op.getSource()); })
      .Case([&](arith::AddFOp) {
        return binary([&](auto &a, auto &b) { return algebra.add(a, b); });
      })
      .Case([&](arith::SubFOp) {
        return binary([&](auto &a, auto &b) { return algebra.add(a, negated(b)); });
      })
      .Case([&](arith::NegFOp op) -> std::optional<LinearForm> {
        std::optional<LinearForm> form = get(op.getOperand());
        if (form)
          form = negated(*form);
        return form;
      })
      .Case([&](arith::MulFOp op) {
        return binary([&](auto &a, auto &b) -> std::optional<LinearForm> {
          if (a.isConstant())
            return algebra.scale(b, a.constant);
          if (b.isConstant())
            return algebra.scale(a, b.constant);
          return give(op, "is multiplied by a value that depends on it");
        });
      })
      .Case([&](arith::DivFOp op) {
        return binary([&](auto &a, auto &b) -> std::optional<LinearForm> {
          if (b.isConstant())
            return algebra.scale(a, pool.inverse(b.constant));
          return give(op, "is in a denominator");
        });
      })
      .Case([&](arith::SelectOp op) { return select(op); })
      .Case([&](ReduceOp op) { return reduce(op); })
      .Default([&](Operation *op) { return give(op, "enters " + getSpokenName(op)); });
}

/// A choice by a condition that does not depend on the states is a mask.
std::optional<LinearForm> BodyForms::select(Operation *op) {
  if (dependsOnFocus(op->getOperand(0)))
    return give(op, "decides a choice");
  std::optional<LinearForm> yes = get(op->getOperand(1)), no = get(op->getOperand(2));
  if (!yes || !no)
    return std::nullopt;
  Expr mask = coefficients.getMask(op->getOperand(0));
  return algebra.add(algebra.guard(*yes, mask, true), algebra.guard(*no, mask, false));
}

std::optional<LinearForm> BodyForms::reduce(ReduceOp op) {
  if (op.getKind() != ReduceKind::Sum)
    return give(op, "enters a reduction by " + stringifyReduceKind(op.getKind()));
  if (op.getMask() && dependsOnFocus(op.getMask()))
    return give(op, "decides which elements are summed");
  std::optional<LinearForm> form = get(op.getSource());
  if (!form)
    return form;
  if (op.getMask())
    form = algebra.guardSummand(*form, coefficients.getMask(op.getMask()), getReducedAxes(op));
  form = algebra.reduce(*form, getReducedAxes(op));
  return form ? form : give(op, "enters a sum that is no contraction of it");
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value ExprEmitter::emit(Expr e) {
  auto it = known.find(e);
  if (it != known.end())
    return it->second;
  Value value = emitNew(e);
  if (value)
    known[e] = value;
  return value;
}

Value ExprEmitter::emitNew(Expr e) {
  switch (e->kind) {
  case ExprKind::Number:
    return createNumber(builder, loc, e->number);
  case ExprKind::Atom: {
    Value value = materialize(coefficients.getValue(e->atom));
    if (!value || isa<FloatType>(getElementTypeOrSelf(value)))
      return value;
    RankedTensorType type = withElement(value.getType(), builder.getF64Type());
    return arith::UIToFPOp::create(builder, loc, type, value);
  }
  case ExprKind::Size: {
    auto type = RankedTensorType::get({}, builder.getI64Type());
    StringRef space = getSpace(*e->reduced.begin());
    Value size = SizeOp::create(builder, loc, type, space);
    return arith::SIToFPOp::create(builder, loc, withElement(type, builder.getF64Type()), size);
  }
  case ExprKind::Sum:
    return emitSum(e->operands);
  case ExprKind::Product:
    return emitProduct(e->operands);
  case ExprKind::Inverse:
    return emitProduct({e});
  case ExprKind::Guard:
    return emitGuard(e);
  case ExprKind::Reduce: {
    Value source = emit(e->operands.front());
    SmallVector<StringRef> axes(e->reduced.begin(), e->reduced.end());
    return source ? createReduce(builder, loc, ReduceKind::Sum, source, {}, axes) : Value();
  }
  }
  llvm_unreachable("unknown expression");
}

Value ExprEmitter::emitGuard(Expr e) {
  Value predicate = materialize(coefficients.getValue(e->operands[0]->atom));
  Value value = emit(e->operands[1]);
  if (!predicate || !value)
    return {};
  RankedTensorType type = joinIndexFirst({value.getType(), predicate.getType()});
  predicate = broadcastTo(builder, loc, predicate, type);
  value = broadcastTo(builder, loc, value, type);
  Value zero = broadcastTo(builder, loc, createNumber(builder, loc, 0), type);
  return arith::SelectOp::create(builder, loc, predicate, e->holds ? value : zero,
                                 e->holds ? zero : value);
}

Value ExprEmitter::emitSum(ArrayRef<Expr> addends) {
  // Positive terms first, so that a difference needs no negation.
  auto isNegative = [](Expr e) {
    Expr first = algebra::factorsOf(e).front();
    return first->kind == ExprKind::Number && first->number < 0;
  };
  SmallVector<Expr> order;
  llvm::copy_if(addends, std::back_inserter(order), [&](Expr e) { return !isNegative(e); });
  llvm::copy_if(addends, std::back_inserter(order), isNegative);
  Value total;
  for (Expr addend : order) {
    std::vector<Expr> factors = algebra::factorsOf(addend);
    bool isDifference = total && algebra::isNumber(factors.front(), -1) && factors.size() > 1;
    Value value = isDifference ? emitProduct(ArrayRef(factors).drop_front()) : emit(addend);
    if (!value)
      return {};
    if (!total)
      total = value;
    else if (isDifference)
      total = createBinary<arith::SubFOp>(builder, loc, total, value);
    else
      total = createBinary<arith::AddFOp>(builder, loc, total, value);
  }
  return total;
}

Value ExprEmitter::emitProduct(ArrayRef<Expr> factors) {
  // Small factors first: a product over few axes is cheap.
  SmallVector<Value> numerator, denominator;
  for (Expr factor : factors) {
    bool isInverse = factor->kind == ExprKind::Inverse;
    Value value = emit(isInverse ? factor->operands.front() : factor);
    if (!value)
      return {};
    (isInverse ? denominator : numerator).push_back(value);
  }
  auto multiply = [&](SmallVector<Value> &values) -> Value {
    llvm::sort(values, [&](Value a, Value b) { return getAxes(a).size() < getAxes(b).size(); });
    Value total;
    for (Value value : values)
      total = total ? createBinary<arith::MulFOp>(builder, loc, total, value) : value;
    return total;
  };
  Value over = multiply(numerator), under = multiply(denominator);
  if (!under)
    return over;
  return createBinary<arith::DivFOp>(builder, loc, over ? over : createNumber(builder, loc, 1),
                                     under);
}

} // namespace mix
