//===- Ast.h - The syntax tree of a spec ------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tree is what the parser saw, nothing more; it is never changed after
// parsing. Names point into the source text, which outlives the tree. The
// grammar is in docs/language.md.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_AST_H
#define MIXWRIGHT_FRONTENDS_MIX_AST_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Casting.h"
#include "llvm/Support/SMLoc.h"
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace mix::frontend {

/// Integers stay below, so that they are exact in double precision.
inline constexpr double kIntegerLimit = 9007199254740992.0; // 2^53

/// A name and where it stands.
struct Name {
  llvm::StringRef text;
  llvm::SMRange range;
};

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

struct Expr {
  enum Kind { Number, Bool, Value, Unary, Binary, If, Call };
  const Kind kind;
  llvm::SMRange range;
  unsigned height = 1; // of the tree; bounded by the parser

  virtual ~Expr() = default;

protected:
  Expr(Kind kind, llvm::SMRange range) : kind(kind), range(range) {}
  void addChild(const Expr &child) { height = std::max(height, child.height + 1); }
};
using ExprPtr = std::unique_ptr<Expr>;

/// `64`, `0.5`, `inf`
struct NumberExpr : Expr {
  double value;
  bool isInteger;
  NumberExpr(llvm::SMRange range, double value, bool isInteger)
      : Expr(Number, range), value(value), isInteger(isInteger) {}
  static bool classof(const Expr *expr) { return expr->kind == Number; }
};

/// `true`, `false`
struct BoolExpr : Expr {
  bool value;
  BoolExpr(llvm::SMRange range, bool value) : Expr(Bool, range), value(value) {}
  static bool classof(const Expr *expr) { return expr->kind == Bool; }
};

/// `x`, `x[t]`, `x[i, j - 1]`: a value, perhaps read at positions.
struct ValueExpr : Expr {
  Name name;
  std::vector<ExprPtr> indices;
  ValueExpr(llvm::SMRange range, Name name, std::vector<ExprPtr> indices)
      : Expr(Value, range), name(name), indices(std::move(indices)) {
    for (const ExprPtr &index : this->indices)
      addChild(*index);
  }
  static bool classof(const Expr *expr) { return expr->kind == Value; }
};

/// `-x`, `not x`
struct UnaryExpr : Expr {
  llvm::StringRef op;
  ExprPtr operand;
  UnaryExpr(llvm::SMRange range, llvm::StringRef op, ExprPtr operand)
      : Expr(Unary, range), op(op), operand(std::move(operand)) {
    addChild(*this->operand);
  }
  static bool classof(const Expr *expr) { return expr->kind == Unary; }
};

/// `x + y`, `i <= j`, `a and b`
struct BinaryExpr : Expr {
  llvm::StringRef op;
  ExprPtr lhs, rhs;
  BinaryExpr(llvm::SMRange range, llvm::StringRef op, ExprPtr lhs, ExprPtr rhs)
      : Expr(Binary, range), op(op), lhs(std::move(lhs)), rhs(std::move(rhs)) {
    addChild(*this->lhs);
    addChild(*this->rhs);
  }
  static bool classof(const Expr *expr) { return expr->kind == Binary; }
};

/// `if c then x else y`
struct IfExpr : Expr {
  ExprPtr condition, thenExpr, elseExpr;
  IfExpr(llvm::SMRange range, ExprPtr condition, ExprPtr thenExpr, ExprPtr elseExpr)
      : Expr(If, range), condition(std::move(condition)), thenExpr(std::move(thenExpr)),
        elseExpr(std::move(elseExpr)) {
    addChild(*this->condition);
    addChild(*this->thenExpr);
    addChild(*this->elseExpr);
  }
  static bool classof(const Expr *expr) { return expr->kind == If; }
};

/// One index variable, or the name of an axis, in brackets: `j`, `j in T`,
/// `j in block(b)`, `K`.
struct Binder {
  Name name;
  Name set;           // the axis, or `block`; empty without `in`
  Name blockAxis;     // the `B` of `block[B](b)`, or empty
  ExprPtr blockIndex; // the `b` of `block(b)`, or null
  llvm::SMRange range;

  bool hasSet() const { return !set.text.empty(); }
};

/// `i in T, j in T where j <= i`: the part of brackets up to `;`.
struct IndexSet {
  std::vector<Binder> binders;
  ExprPtr where; // or null
  llvm::SMRange range;
};

/// `scale = 1` in a call
struct NamedArgument {
  Name name;
  ExprPtr value;
};

/// `exp(x)`, `dot[K](x, y)`, `sum[j in T where j <= i](x)`, `gla(q, k, v, g, scale = 1)`
struct CallExpr : Expr {
  Name callee;
  bool hasBrackets;
  std::vector<IndexSet> sets;
  std::vector<ExprPtr> arguments;
  std::vector<NamedArgument> named;
  CallExpr(llvm::SMRange range, Name callee, bool hasBrackets, std::vector<IndexSet> sets,
           std::vector<ExprPtr> arguments, std::vector<NamedArgument> named)
      : Expr(Call, range), callee(callee), hasBrackets(hasBrackets), sets(std::move(sets)),
        arguments(std::move(arguments)), named(std::move(named)) {
    for (const IndexSet &set : this->sets) {
      if (set.where)
        addChild(*set.where);
      for (const Binder &binder : set.binders)
        if (binder.blockIndex)
          addChild(*binder.blockIndex);
    }
    for (const ExprPtr &argument : this->arguments)
      addChild(*argument);
    for (const NamedArgument &argument : this->named)
      addChild(*argument.value);
  }
  static bool classof(const Expr *expr) { return expr->kind == Call; }
};

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

struct Statement {
  enum Kind { Axis, State, Let, Assign, For };
  const Kind kind;
  llvm::SMRange range;

  virtual ~Statement() = default;

protected:
  Statement(Kind kind, llvm::SMRange range) : kind(kind), range(range) {}
};
using StatementPtr = std::unique_ptr<Statement>;
using Statements = std::vector<StatementPtr>;

/// `axis B = T / block`
struct AxisStatement : Statement {
  Name name, base;
  ExprPtr size;
  AxisStatement(llvm::SMRange range, Name name, Name base, ExprPtr size)
      : Statement(Axis, range), name(name), base(base), size(std::move(size)) {}
  static bool classof(const Statement *statement) { return statement->kind == Axis; }
};

/// `state S: [K, V] = 0`
struct StateStatement : Statement {
  Name name;
  std::vector<Name> axes;
  ExprPtr initial;
  StateStatement(llvm::SMRange range, Name name, std::vector<Name> axes, ExprPtr initial)
      : Statement(State, range), name(name), axes(std::move(axes)), initial(std::move(initial)) {}
  static bool classof(const Statement *statement) { return statement->kind == State; }
};

/// What a statement defines: `x`, `x[t]`, `x[j in T where j <= i]`.
struct Target {
  Name name;
  IndexSet indices;
  llvm::SMRange range;
};

/// `let x[j] = ...`, `let (p[j], r[b]) = ...`
struct LetStatement : Statement {
  std::vector<Target> targets;
  ExprPtr value;
  LetStatement(llvm::SMRange range, std::vector<Target> targets, ExprPtr value)
      : Statement(Let, range), targets(std::move(targets)), value(std::move(value)) {}
  static bool classof(const Statement *statement) { return statement->kind == Let; }
};

/// `S = ...`, `o[t] = ...`
struct AssignStatement : Statement {
  Target target;
  ExprPtr value;
  AssignStatement(llvm::SMRange range, Target target, ExprPtr value)
      : Statement(Assign, range), target(std::move(target)), value(std::move(value)) {}
  static bool classof(const Statement *statement) { return statement->kind == Assign; }
};

/// `for t in T by 16 { ... }`
struct ForStatement : Statement {
  Name index, space;
  ExprPtr step; // or null
  Statements body;
  ForStatement(llvm::SMRange range, Name index, Name space, ExprPtr step, Statements body)
      : Statement(For, range), index(index), space(space), step(std::move(step)),
        body(std::move(body)) {}
  static bool classof(const Statement *statement) { return statement->kind == For; }
};

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

/// `q: [T, K]`, `A: param [D]`, `doc: int [T]`, `window: int = 512`, `scale = K^-0.5`
struct Argument {
  Name name;
  bool isParam = false;
  bool isInteger = false;
  bool isTensor = false; // has brackets; otherwise a setting
  std::vector<Name> axes;
  ExprPtr defaultValue; // or null
};

struct Output {
  Name name;
  std::vector<Name> axes;
};

struct Mixer {
  Name name;
  std::vector<Argument> arguments;
  std::vector<Output> outputs;
  Statements body;
};

/// `fn phi(x) = exp(x) + 1`
struct Function {
  Name name;
  std::vector<Name> parameters;
  ExprPtr body;
};

/// `import "other.mix"`
struct Import {
  llvm::StringRef path;
  llvm::SMRange range;
};

struct File {
  std::vector<Import> imports;
  std::vector<Function> functions;
  std::vector<Mixer> mixers;
};

/// Calls `onValue` for every use of a value, and `onSpace` for every axis that a loop
/// or an index set walks.
struct NameVisitor {
  std::function<void(const ValueExpr &)> onValue;
  std::function<void(const Name &)> onSpace;

  void visit(const Statements &statements) const;
  void visit(const Statement &statement) const;
  void visit(const IndexSet &set) const;
  void visit(const Expr &expr) const;
};

/// The axes of positions: those that an index walks, and those of arguments that are
/// read at positions (`W[i]`). The other ones are feature axes, and so are those of
/// states, however they are walked: a state has a fixed size.
llvm::StringSet<> findTokenAxes(const Mixer &mixer);

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_AST_H
