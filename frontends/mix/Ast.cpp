//===- Ast.cpp - The syntax tree of a spec --------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Ast.h"
#include "llvm/ADT/STLExtras.h"

using namespace mix::frontend;
using llvm::dyn_cast;

void NameVisitor::visit(const Statements &statements) const {
  for (const StatementPtr &statement : statements)
    visit(*statement);
}

void NameVisitor::visit(const Statement &statement) const {
  if (auto *axis = dyn_cast<AxisStatement>(&statement)) {
    onSpace(axis->name);
    onSpace(axis->base);
    visit(*axis->size);
  } else if (auto *state = dyn_cast<StateStatement>(&statement)) {
    visit(*state->initial);
  } else if (auto *let = dyn_cast<LetStatement>(&statement)) {
    for (const Target &target : let->targets)
      visit(target.indices);
    visit(*let->value);
  } else if (auto *assign = dyn_cast<AssignStatement>(&statement)) {
    visit(assign->target.indices);
    visit(*assign->value);
  } else if (auto *loop = dyn_cast<ForStatement>(&statement)) {
    onSpace(loop->space);
    if (loop->step)
      visit(*loop->step);
    visit(loop->body);
  }
}

void NameVisitor::visit(const IndexSet &set) const {
  for (const Binder &binder : set.binders) {
    if (binder.blockIndex)
      visit(*binder.blockIndex);
    else if (binder.hasSet())
      onSpace(binder.set);
  }
  if (set.where)
    visit(*set.where);
}

void NameVisitor::visit(const Expr &expr) const {
  if (auto *value = dyn_cast<ValueExpr>(&expr)) {
    onValue(*value);
    for (const ExprPtr &index : value->indices)
      visit(*index);
  } else if (auto *unary = dyn_cast<UnaryExpr>(&expr)) {
    visit(*unary->operand);
  } else if (auto *binary = dyn_cast<BinaryExpr>(&expr)) {
    visit(*binary->lhs);
    visit(*binary->rhs);
  } else if (auto *choice = dyn_cast<IfExpr>(&expr)) {
    visit(*choice->condition);
    visit(*choice->thenExpr);
    visit(*choice->elseExpr);
  } else if (auto *call = dyn_cast<CallExpr>(&expr)) {
    for (const IndexSet &set : call->sets)
      visit(set);
    for (const ExprPtr &argument : call->arguments)
      visit(*argument);
    for (const NamedArgument &argument : call->named)
      visit(*argument.value);
  }
}

llvm::StringSet<> mix::frontend::findTokenAxes(const Mixer &mixer) {
  llvm::StringSet<> tokens;
  std::vector<const ValueExpr *> reads;
  NameVisitor visitor{[&](const ValueExpr &value) { reads.push_back(&value); },
                      [&](const Name &space) { tokens.insert(space.text); }};
  visitor.visit(mixer.body);
  for (const Argument &argument : mixer.arguments)
    for (const ValueExpr *read : reads) {
      if (read->name.text != argument.name.text || read->indices.size() > argument.axes.size())
        continue;
      size_t count = llvm::count_if(argument.axes,
                                    [&](const Name &axis) { return tokens.contains(axis.text); });
      for (const Name &axis : argument.axes)
        if (count < read->indices.size() && tokens.insert(axis.text).second)
          ++count;
    }
  for (const StatementPtr &statement : mixer.body)
    if (auto *state = dyn_cast<StateStatement>(statement.get()))
      for (const Name &axis : state->axes)
        tokens.erase(axis.text);
  return tokens;
}
