//===- Elaborate.h - From syntax tree to level L1 ---------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elaboration walks a mixer once: it resolves names, checks kinds, axes and bounds,
// and emits operations, one rule per construct. A value's axes are those of its
// tensor type, so there is no second type system. Nothing is recognised here:
// finding fast forms is the business of passes.
//
// Private to the frontend; the parts are in Elaborate{Mixer,Statement,Expr,Call,
// Compose,Reduce,Sets}.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_ELABORATE_H
#define MIXWRIGHT_FRONTENDS_MIX_ELABORATE_H

#include "frontends/mix/Ast.h"
#include "frontends/mix/Emitter.h"
#include "frontends/mix/Frontend.h"
#include "frontends/mix/Linear.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace mix::frontend {

/// Everything that the names of a file can mean, imports included.
struct Program {
  llvm::StringMap<const Function *> functions;
  std::vector<const Mixer *> mixers;
};

/// What an expression came to: a constant, or a tensor. `Invalid` is what is left
/// of an expression after its error was reported.
struct Operand {
  enum Element { Invalid, Bool, Int, Real };
  Element element = Invalid;
  std::optional<double> constant;
  mlir::Value value;             // unset for a constant
  std::optional<Linear> linear;  // of an integer, where it is one
  std::vector<Linear> facts;     // of a condition: each is >= 0 where it is true
  std::vector<Linear> otherwise; // ... and where it is false

  bool isValid() const { return element != Invalid; }
  bool isNumber() const { return element == Int || element == Real; }
};

/// An index variable: the position of a loop, or one that runs over a set.
struct Index {
  Name name;
  llvm::StringRef space;     // "T"
  std::string axis;          // "j:T"; empty for the position of a loop
  mlir::Value position;      // integers, over `axis`
  mlir::Value mask;          // where the set is not the whole axis, or null
  std::vector<Linear> facts; // hold for every member of the set
  std::string setText;       // the set as written, without white space
  unsigned epoch = 0;        // see Elaborator::epoch
  bool isBound = false;      // by a loop or a reduction around this place
};

/// What a name means.
struct Symbol {
  enum Kind { Argument, Setting, Let, Output, State, IndexName, Parameter };
  Kind kind;
  Name name;
  Operand operand;                         // current value; Invalid after an error
  llvm::SmallVector<Index *> indices;      // a `let` over index sets: in `operand`'s axes
  Index *loop = nullptr;                   // defined per position of the loop we are in
  Index *index = nullptr;                  // of an IndexName
  llvm::SmallVector<llvm::StringRef> axes; // declared, of outputs and states
  std::string stateName;                   // what callers of the function know a state by
  bool isAssigned = false;                 // an output or state that has its value
  bool isBroken = false;                   // its definition had an error
};

/// What the name of an axis means. `name` is that of the tensor types; a mixer that is
/// called by another one may know the axis by another name.
struct AxisInfo {
  std::string name;
  llvm::SMRange range;
  bool isToken = false;
  const AxisInfo *base = nullptr; // of a block axis
  int64_t blockSize = 0;          // of a block axis
};

/// What belongs to one mixer; one that is called has a frame of its own.
struct Frame {
  llvm::StringMap<AxisInfo *> axes; // by their names in this mixer
  llvm::SmallVector<Symbol *> outputs, states;
  llvm::StringMap<llvm::SMRange> goneNames;    // of scopes that were left
  llvm::StringMap<llvm::SMRange> definedLater; // by the statements of the mixer
  llvm::StringSet<> usedAfterLoop;             // names that the rest of the mixer mentions
  size_t scopeBase = 0;                        // the outermost scope that is visible
  std::string statePrefix;                     // tells states of several calls apart
};

class Elaborator {
public:
  Elaborator(mlir::MLIRContext *context, Diagnostics &diagnostics, const Program &program,
             const BuildOptions &options)
      : context(context), diagnostics(diagnostics), program(program), options(options),
        emit(context, options.sizes) {}

  /// The mixer as a function without a parent; null after errors.
  mlir::OwningOpRef<mlir::func::FuncOp> elaborate(const Mixer &mixer);

private:
  // -- ElaborateMixer.cpp: declarations.
  void declareAxes(const Mixer &mixer);
  void checkSizes();
  void declareArguments(const Mixer &mixer, mlir::Block *entry);
  void declareTensor(const Argument &argument, mlir::Block *entry);
  void declareSetting(const Argument &argument, std::optional<Operand> given);
  std::optional<Operand> getOverride(const Argument &argument, bool preferInteger);
  void findDefinitions(const Statements &statements);
  void declareOutputs(const Mixer &mixer);
  void checkSettings(const Mixer &mixer);
  void checkComplete();
  void elaborateBody(const Mixer &mixer);
  void finish(const Mixer &mixer, mlir::func::FuncOp function);
  void describeFunction(const Mixer &mixer, mlir::func::FuncOp function);
  bool checkAxisName(const Name &name);
  bool checkDistinct(llvm::ArrayRef<Name> axes);
  llvm::SmallVector<llvm::StringRef> getNames(llvm::ArrayRef<Name> names);

  // -- ElaborateStatement.cpp: statements.
  void elaborate(const Statements &statements);
  void elaborate(const Statement &statement);
  void elaborateAxis(const AxisStatement &statement);
  void elaborateState(const StateStatement &statement);
  void elaborateLet(const LetStatement &statement);
  std::optional<llvm::SmallVector<Index *>> findTargetIndices(const Target &target);
  void defineTarget(const Target &target, Operand value);
  bool checkNoOtherIndex(const Target &target, llvm::ArrayRef<Index *> own, const Operand &value);
  bool definePerPosition(Symbol &symbol, const Target &target, llvm::ArrayRef<Index *> own,
                         Operand value);
  bool defineOverSets(Symbol &symbol, const Target &target, llvm::ArrayRef<Index *> own,
                      Operand value);
  Operand spread(llvm::ArrayRef<Index *> own, const Operand &value);
  void elaborateAssign(const AssignStatement &statement);
  void assignState(Symbol &state, const AssignStatement &statement, Operand value);
  Operand replaceElements(Symbol &state, const Target &target, Operand value);
  void assignOutput(Symbol &output, const AssignStatement &statement, Operand value);
  bool checkOutputIndices(const Symbol &output, const Target &target, llvm::ArrayRef<Index *> own);
  void elaborateFor(const ForStatement &statement);
  void elaborateLoopBody(const ForStatement &statement, Index &index);
  void skipLoop(const ForStatement &statement);
  void emitLoop(const ForStatement &statement, Index &index, llvm::ArrayRef<Symbol *> states,
                mlir::IntegerAttr step);
  std::optional<int64_t> elaborateStep(const ForStatement &statement,
                                       llvm::ArrayRef<Symbol *> states);
  Operand storeOverSpace(const Target &target, llvm::ArrayRef<Index *> indices, Operand value);
  bool checkStored(llvm::SMRange range, llvm::StringRef name, mlir::Value value, Index *loop);

  // -- ElaborateExpr.cpp: operators, values and reads.
  Operand elaborate(const Expr &expr);
  Operand elaborateNumber(const NumberExpr &expr);
  Operand elaborateValue(const ValueExpr &expr);
  Operand elaborateAxisSize(llvm::StringRef axis);
  Operand elaborateUnary(const UnaryExpr &expr);
  Operand elaborateBinary(const BinaryExpr &expr);
  Operand elaborateArithmetic(const BinaryExpr &expr, Operand lhs, Operand rhs);
  Operand elaborateIntegerDivision(const BinaryExpr &expr, Operand lhs, Operand rhs);
  Operand elaboratePower(const BinaryExpr &expr, Operand lhs, Operand rhs);
  Operand elaborateComparison(const BinaryExpr &expr, Operand lhs, Operand rhs);
  Operand elaborateLogic(const BinaryExpr &expr);
  Operand elaborateIf(const IfExpr &expr);
  Operand readTensor(const ValueExpr &expr, mlir::Value source);
  Operand readLet(const ValueExpr &expr, Symbol &symbol);
  void checkBounds(const ValueExpr &expr, llvm::SMRange range, const Operand &index,
                   llvm::StringRef axis);
  std::optional<std::vector<Operand>> elaborateIndices(const ValueExpr &expr);

  // -- ElaborateCall.cpp: functions.
  Operand elaborateCall(const CallExpr &expr);
  std::optional<std::vector<Operand>> elaborateArguments(const CallExpr &expr, unsigned min,
                                                         unsigned max);
  Operand callElementwise(const CallExpr &expr);
  Operand callInteger(const CallExpr &expr);
  Operand callExtremum(const CallExpr &expr);
  Operand callBlock(const CallExpr &expr);
  Operand callFrozen(const CallExpr &expr);
  Operand callFunction(const CallExpr &expr, const Function &function);

  // -- ElaborateCompose.cpp: mixers that call mixers.
  const Mixer *findMixer(llvm::StringRef name);
  std::vector<Operand> callMixer(const CallExpr &expr, const Mixer &mixer,
                                 const Name &instanceName);
  using Bindings = llvm::StringMap<Operand>;
  std::optional<Bindings> matchArguments(const CallExpr &expr, const Mixer &mixer);
  bool mapAxes(const CallExpr &expr, const Argument &argument, mlir::Value value, Frame &callee);
  bool bindArguments(const CallExpr &expr, const Mixer &mixer, Bindings &bindings, Frame &callee);

  // -- ElaborateSets.cpp: index sets.
  /// What a reduction runs over.
  struct Range {
    llvm::SmallVector<llvm::StringRef> axes;
    mlir::Value mask; // or null
  };
  using Ranges = std::vector<Range>;
  std::optional<Range> elaborateRange(const IndexSet &set, bool bind);
  bool declareIndices(const IndexSet &set, bool bind);
  Index *declareIndex(const Binder &binder);
  bool restrictToBlock(const Binder &binder, Index &index);
  bool findSameSet(const IndexSet &set, const std::string &text);
  llvm::StringRef findSetSpace(const Binder &binder);
  Index *findIndex(const Binder &binder);
  AxisInfo *findBlockAxis(const Name &name, llvm::SMRange range);
  Operand elaborateBlockNumber(const Expr &position, const Name &axisName, llvm::SMRange range);

  // -- ElaborateReduce.cpp: reductions, softmax, prefix operators.
  const IndexSet *getOnlySet(const CallExpr &expr);
  bool requireAxes(llvm::ArrayRef<llvm::StringRef> axes, mlir::Value value, llvm::SMRange range);
  std::optional<llvm::StringRef> getOnlyAxis(const CallExpr &expr, mlir::Value value);
  Operand callDot(const CallExpr &expr);
  Operand callNorm(const CallExpr &expr);
  Operand callReduction(const CallExpr &expr);
  std::vector<Operand> callSoftmax(const CallExpr &expr);
  std::optional<Ranges> elaborateSoftmaxRanges(const CallExpr &expr);
  std::optional<llvm::SmallVector<llvm::StringRef>>
  findCommonAxes(const CallExpr &expr, llvm::ArrayRef<Range> ranges,
                 llvm::ArrayRef<mlir::Value> logits);
  Operand callPrefix(const CallExpr &expr);
  Operand callTopK(const CallExpr &expr);

  // -- Elaborate.cpp: scopes and helpers.
  struct Scope {
    llvm::StringMap<Symbol *> symbols;
    std::vector<Linear> facts;
  };
  void pushScope() { scopes.emplace_back(); }
  void popScope();
  Symbol *lookup(llvm::StringRef name);
  Symbol *declare(Symbol::Kind kind, const Name &name, Scope &scope);
  bool checkFresh(const Name &name);
  void reportUnknownValue(const Name &name);
  void addFacts(llvm::ArrayRef<Linear> facts);
  bool isNonNegative(const Linear &form);
  Index &createIndex(const Name &name, llvm::StringRef space);

  Diagnostics::Report error(Error kind, llvm::SMRange range, const llvm::Twine &message) {
    return diagnostics.report(kind, range, message);
  }
  void suggest(Diagnostics::Report report, llvm::StringRef name,
               llvm::ArrayRef<llvm::StringRef> candidates);
  void setLocation(llvm::SMRange range);
  AxisInfo *findAxis(llvm::StringRef name) { return frame.axes.lookup(name); }
  AxisInfo *requireAxis(const Name &name);
  AxisInfo &createAxis(const Name &name);
  bool isTokenAxis(llvm::StringRef axis);
  Linear getSizeTerm(llvm::StringRef axis);

  Operand makeConstant(Operand::Element element, double value);
  Operand makeValue(mlir::Value value);
  mlir::Value getValue(const Operand &operand);
  /// As reals; reports a condition that stands where a number is expected.
  bool requireNumber(Operand &operand, llvm::SMRange range);
  bool requireReal(Operand &operand, llvm::SMRange range);
  bool requireInteger(Operand &operand, llvm::SMRange range, llvm::StringRef what);
  bool requireBool(Operand &operand, llvm::SMRange range);
  std::optional<int64_t> requirePositiveConstant(const Operand &operand, llvm::SMRange range,
                                                 llvm::StringRef what);
  void convertToReal(Operand &operand);
  std::string describeAxes(llvm::ArrayRef<llvm::StringRef> axes);

  mlir::MLIRContext *context;
  Diagnostics &diagnostics;
  const Program &program;
  const BuildOptions &options;
  Emitter emit;
  TermTable terms;

  Frame frame;
  std::deque<AxisInfo> axes;  // stable addresses
  std::deque<Symbol> symbols; // stable addresses
  std::deque<Index> indices;
  llvm::StringMap<unsigned> indexCounts; // how often an axis "j:T" was made
  std::vector<Scope> scopes;

  Index *loop = nullptr;                     // the loop that we are in
  llvm::StringMap<mlir::Value> frozenStates; // in a loop with `by`
  std::vector<std::pair<Symbol *, mlir::Value>> loopOutputs;
  llvm::SmallVector<Symbol *> allStates; // of the mixer and of those that it calls
  llvm::SmallVector<const Function *> callStack;
  llvm::SmallVector<const Mixer *> mixerStack;
  unsigned depth = 0; // of expressions, functions included
  unsigned numElaborated = 0;
  /// Rises when a name or a state changes its meaning: equal texts mean equal sets
  /// only within one epoch.
  unsigned epoch = 0;
};

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_ELABORATE_H
