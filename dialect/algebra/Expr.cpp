//===- Expr.cpp - Coefficients: canonical products and sums ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/algebra/Expr.h"
#include <cmath>
#include <tuple>

using namespace mix::algebra;

//===----------------------------------------------------------------------===//
// Interning
//===----------------------------------------------------------------------===//

bool Pool::Key::operator<(const Key &other) const {
  return std::tie(kind, number, atom, holds, axes, reduced, operands) <
         std::tie(other.kind, other.number, other.atom, other.holds, other.axes, other.reduced,
                  other.operands);
}

Expr Pool::intern(ExprNode node) {
  Key key{node.kind, node.number, node.atom, node.holds, node.axes, node.reduced, {}};
  for (Expr operand : node.operands)
    key.operands.push_back(operand->id);
  std::unique_ptr<ExprNode> &slot = nodes[std::move(key)];
  if (!slot) {
    node.id = nodes.size();
    slot = std::make_unique<ExprNode>(std::move(node));
  }
  return slot.get();
}

bool mix::algebra::isNumber(Expr e, double value) {
  return e->kind == ExprKind::Number && e->number == value;
}

std::vector<Expr> mix::algebra::factorsOf(Expr e) {
  return e->kind == ExprKind::Product ? e->operands : std::vector<Expr>{e};
}

std::vector<Expr> mix::algebra::addendsOf(Expr e) {
  return e->kind == ExprKind::Sum ? e->operands : std::vector<Expr>{e};
}

static bool olderFirst(Expr a, Expr b) {
  if ((a->kind == ExprKind::Number) != (b->kind == ExprKind::Number))
    return a->kind == ExprKind::Number;
  return a->id < b->id;
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

Expr Pool::number(double value) {
  ExprNode node(ExprKind::Number);
  node.number = value == 0 ? 0 : value; // One zero, so that interning sees no sign.
  return intern(std::move(node));
}

Expr Pool::atom(unsigned id, AxisSet axes, bool isFinite) {
  ExprNode node(ExprKind::Atom);
  node.isFinite = isFinite;
  node.atom = id;
  node.axes = std::move(axes);
  return intern(std::move(node));
}

Expr Pool::size(const std::string &axis) {
  ExprNode node(ExprKind::Size);
  node.reduced = {axis};
  return intern(std::move(node));
}

Expr Pool::sum(const std::vector<Expr> &addends) {
  // Like terms: the numeric factor of each distinct rest.
  std::map<unsigned, std::pair<Expr, double>> terms;
  std::function<void(Expr, double)> collect = [&](Expr addend, double coefficient) {
    std::vector<Expr> factors = factorsOf(addend);
    if (factors.front()->kind == ExprKind::Number) {
      coefficient *= factors.front()->number;
      factors.erase(factors.begin());
    }
    Expr rest = product(factors);
    if (rest->kind == ExprKind::Sum) {
      for (Expr part : rest->operands)
        collect(part, coefficient);
      return;
    }
    terms.emplace(rest->id, std::make_pair(rest, 0.0)).first->second.second += coefficient;
  };
  for (Expr addend : addends)
    collect(addend, 1);

  ExprNode node(ExprKind::Sum);
  for (auto &[id, term] : terms)
    if (term.second != 0)
      node.operands.push_back(product({number(term.second), term.first}));
  if (node.operands.empty())
    return zero();
  if (node.operands.size() == 1)
    return node.operands.front();
  std::sort(node.operands.begin(), node.operands.end(), olderFirst);
  for (Expr operand : node.operands)
    node.axes = node.axes | operand->axes;
  return intern(std::move(node));
}

Expr Pool::product(const std::vector<Expr> &factors) {
  ExprNode node(ExprKind::Product);
  double coefficient = 1;
  for (Expr factor : factors)
    for (Expr part : factorsOf(factor)) {
      if (part->kind == ExprKind::Number) {
        coefficient *= part->number;
        continue;
      }
      node.operands.push_back(part);
      node.axes = node.axes | part->axes;
    }
  if (coefficient == 0)
    return zero();
  if (coefficient != 1 || node.operands.empty())
    node.operands.push_back(number(coefficient));
  if (node.operands.size() == 1)
    return node.operands.front();
  std::sort(node.operands.begin(), node.operands.end(), olderFirst);
  return intern(std::move(node));
}

Expr Pool::inverse(Expr operand) {
  if (operand->kind == ExprKind::Number)
    return number(1 / operand->number);
  if (operand->kind == ExprKind::Inverse)
    return operand->operands.front();
  if (operand->kind == ExprKind::Product) {
    std::vector<Expr> factors;
    for (Expr factor : operand->operands)
      factors.push_back(inverse(factor));
    return product(factors);
  }
  ExprNode node(ExprKind::Inverse);
  node.axes = operand->axes;
  node.operands = {operand};
  return intern(std::move(node));
}

bool mix::algebra::isFinite(Expr e) {
  switch (e->kind) {
  case ExprKind::Number:
    return std::isfinite(e->number);
  case ExprKind::Size:
    return true;
  case ExprKind::Atom:
    return e->isFinite;
  case ExprKind::Inverse:
  case ExprKind::Guard:
    return false;
  case ExprKind::Sum:
  case ExprKind::Product:
  case ExprKind::Reduce:
    return std::all_of(e->operands.begin(), e->operands.end(), isFinite);
  }
  return false;
}

Expr Pool::guardFactor(Expr predicate, bool holds, Expr e) {
  std::vector<Expr> factors;
  for (Expr factor : factorsOf(e)) {
    if (isFinite(factor)) {
      factors.push_back(factor);
      continue;
    }
    if (factor->kind == ExprKind::Sum) {
      std::vector<Expr> addends;
      for (Expr addend : factor->operands)
        addends.push_back(guard(predicate, holds, addend));
      factors.push_back(sum(addends));
      continue;
    }
    ExprNode node(ExprKind::Guard);
    node.holds = holds;
    node.axes = predicate->axes | factor->axes;
    node.operands = {predicate, factor};
    factors.push_back(intern(std::move(node)));
  }
  return product(factors);
}

Expr Pool::guard(Expr predicate, bool holds, Expr e) {
  Expr guarded = guardFactor(predicate, holds, e);
  if (guarded != e)
    return guarded;
  return mul(holds ? predicate : add(one(), negate(predicate)), e);
}

Expr Pool::reduce(Expr operand, const AxisSet &axes) {
  std::vector<Expr> outside;
  for (const std::string &axis : axes - operand->axes)
    outside.push_back(size(axis));
  AxisSet present = axes & operand->axes;
  if (present.empty()) {
    outside.push_back(operand);
    return product(outside);
  }

  // Factors that share no summed axis are summed apart: the connected components.
  struct Component {
    AxisSet axes;
    std::vector<Expr> factors;
  };
  std::vector<Component> components;
  for (Expr factor : factorsOf(operand)) {
    AxisSet touched = factor->axes & present;
    if (touched.empty()) {
      outside.push_back(factor);
      continue;
    }
    Component merged{touched, {factor}};
    std::vector<Component> others;
    for (Component &component : components) {
      if (!component.axes.intersects(merged.axes)) {
        others.push_back(std::move(component));
        continue;
      }
      merged.axes = merged.axes | component.axes;
      merged.factors.insert(merged.factors.begin(), component.factors.begin(),
                            component.factors.end());
    }
    others.push_back(std::move(merged));
    components = std::move(others);
  }
  for (Component &component : components) {
    Expr body = product(component.factors);
    ExprNode node(ExprKind::Reduce);
    node.reduced = component.axes;
    node.axes = body->axes - component.axes;
    node.operands = {body};
    outside.push_back(intern(std::move(node)));
  }
  return product(outside);
}

//===----------------------------------------------------------------------===//
// Text and meaning
//===----------------------------------------------------------------------===//

static std::string joined(const std::vector<Expr> &operands, const char *separator) {
  std::string text;
  for (Expr operand : operands) {
    std::string part = toString(operand);
    text += (text.empty() ? "" : separator) +
            (operand->kind == ExprKind::Sum ? "(" + part + ")" : part);
  }
  return text;
}

std::string mix::algebra::toString(Expr e) {
  switch (e->kind) {
  case ExprKind::Number: {
    std::string text = std::to_string(e->number);
    text.erase(text.find_last_not_of('0') + 1);
    return text.back() == '.' ? text.substr(0, text.size() - 1) : text;
  }
  case ExprKind::Atom:
    return "a" + std::to_string(e->atom);
  case ExprKind::Size:
    return "|" + *e->reduced.begin() + "|";
  case ExprKind::Sum:
    return joined(e->operands, " + ");
  case ExprKind::Product:
    return joined(e->operands, "*");
  case ExprKind::Inverse:
    return "1/(" + toString(e->operands.front()) + ")";
  case ExprKind::Guard:
    return std::string(e->holds ? "" : "!") + toString(e->operands[0]) + "?(" +
           toString(e->operands[1]) + ")";
  case ExprKind::Reduce: {
    std::string names;
    for (const std::string &axis : e->reduced)
      names += (names.empty() ? "" : ",") + axis;
    return "sum[" + names + "](" + toString(e->operands.front()) + ")";
  }
  }
  return "";
}

double mix::algebra::evaluate(Expr e, const Positions &at,
                              const std::function<double(Expr, const Positions &)> &atoms,
                              const std::function<long(const std::string &)> &size) {
  auto recurse = [&](Expr operand) { return evaluate(operand, at, atoms, size); };
  switch (e->kind) {
  case ExprKind::Number:
    return e->number;
  case ExprKind::Atom:
    return atoms(e, at);
  case ExprKind::Size:
    return size(*e->reduced.begin());
  case ExprKind::Sum: {
    double total = 0;
    for (Expr operand : e->operands)
      total += recurse(operand);
    return total;
  }
  case ExprKind::Product: {
    double total = 1;
    for (Expr operand : e->operands)
      total *= recurse(operand);
    return total;
  }
  case ExprKind::Inverse:
    return 1 / recurse(e->operands.front());
  case ExprKind::Guard:
    return (recurse(e->operands[0]) != 0) == e->holds ? recurse(e->operands[1]) : 0;
  case ExprKind::Reduce: {
    // Odometer over the positions of the summed axes.
    Positions inner = at;
    for (const std::string &axis : e->reduced)
      inner[axis] = 0;
    for (const std::string &axis : e->reduced)
      if (size(axis) == 0)
        return 0;
    double total = 0;
    while (true) {
      total += evaluate(e->operands.front(), inner, atoms, size);
      auto axis = e->reduced.begin();
      while (axis != e->reduced.end() && ++inner[*axis] == size(*axis))
        inner[*axis++] = 0;
      if (axis == e->reduced.end())
        return total;
    }
  }
  }
  return 0;
}
