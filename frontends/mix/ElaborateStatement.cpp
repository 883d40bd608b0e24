//===- ElaborateStatement.cpp - Statements --------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::cast;
using llvm::dyn_cast;
using llvm::SMRange;
using llvm::Twine;

void Elaborator::elaborate(const Statements &statements) {
  for (size_t n = 0; n < statements.size(); ++n) {
    if (auto *loopStatement = dyn_cast<ForStatement>(statements[n].get()); loopStatement && !loop) {
      // Only what the rest of the mixer mentions leaves the loop.
      frame.usedAfterLoop.clear();
      NameVisitor visitor{
          [&](const ValueExpr &value) { frame.usedAfterLoop.insert(value.name.text); },
          [](const Name &) {}};
      for (size_t later = n + 1; later < statements.size(); ++later)
        visitor.visit(*statements[later]);
    }
    elaborate(*statements[n]);
  }
}

void Elaborator::elaborate(const Statement &statement) {
  switch (statement.kind) {
  case Statement::Axis:
    return elaborateAxis(cast<AxisStatement>(statement));
  case Statement::State:
    return elaborateState(cast<StateStatement>(statement));
  case Statement::Let:
    return elaborateLet(cast<LetStatement>(statement));
  case Statement::Assign:
    return elaborateAssign(cast<AssignStatement>(statement));
  case Statement::For:
    return elaborateFor(cast<ForStatement>(statement));
  }
}

/// `axis B = T / block`: B counts the blocks of T, the last one may be short.
void Elaborator::elaborateAxis(const AxisStatement &statement) {
  if (loop) {
    error(Error::NestedLoop, statement.range, "an axis is declared outside of loops");
    return;
  }
  AxisInfo *base = requireAxis(statement.base);
  std::optional<int64_t> size = requirePositiveConstant(
      elaborate(*statement.size), statement.size->range, "the length of a block");
  if (base && base->blockSize) {
    error(Error::NotABlockAxis, statement.base.range,
          "axis '" + statement.base.text + "' is made of blocks already")
        .hint("divide the axis of positions: a block of blocks is a larger block");
    return;
  }
  if (!base || !size || !checkAxisName(statement.name) || !checkFresh(statement.name))
    return;
  AxisInfo &axis = createAxis(statement.name);
  axis.isToken = true;
  axis.base = base;
  axis.blockSize = *size;
  // (B - 1) size < T <= B size
  Linear blocks = Linear::ofTerm(axis.name).scaled(*size);
  Linear positions = getSizeTerm(base->name);
  terms.assume(blocks - positions);
  terms.assume(positions - blocks + (*size - 1));
}

void Elaborator::elaborateState(const StateStatement &statement) {
  if (loop) {
    error(Error::NestedLoop, statement.range,
          "a state is declared outside of the loop that updates it")
        .hint("its value then lives from one position to the next");
    return;
  }
  bool ok = checkFresh(statement.name);
  std::string stateName = frame.statePrefix + statement.name.text.str();
  auto same = llvm::find_if(allStates, [&](Symbol *s) { return s->stateName == stateName; });
  if (ok && same != allStates.end()) {
    error(Error::Redefined, statement.name.range,
          "two states would be called '" + stateName + "' outside of the mixer")
        .note((*same)->name.range, "the other one")
        .hint("a state S of a mixer called by 'let y = ...' is called y_S");
    ok = false;
  }
  for (const Name &axis : statement.axes)
    ok &= requireAxis(axis) != nullptr;
  ok &= checkDistinct(statement.axes);
  Operand initial = elaborate(*statement.initial);
  ok &= requireReal(initial, statement.initial->range);
  if (!lookup(statement.name.text)) {
    Symbol *symbol = declare(Symbol::State, statement.name, scopes.back());
    symbol->isBroken = !ok;
    symbol->stateName = stateName;
    if (ok)
      symbol->axes = getNames(statement.axes);
    frame.states.push_back(symbol);
    allStates.push_back(symbol);
  }
  if (!ok)
    return;
  Symbol *state = frame.states.back();
  Value value = getValue(initial);
  Type type = emit.getType(emit.getReal(), state->axes);
  if (!isAxisSubset(value.getType(), type)) {
    error(Error::ShapeMismatch, statement.initial->range,
          "state '" + statement.name.text + "' has axes " + describeAxes(state->axes) +
              ", its initial value has axes " + describeAxes(getAxes(value)));
    state->isBroken = true;
    return;
  }
  setLocation(statement.range);
  state->operand = makeValue(
      InitialOp::create(emit.builder, emit.loc, state->stateName, emit.broadcast(value, type)));
}

//===----------------------------------------------------------------------===//
// Let
//===----------------------------------------------------------------------===//

void Elaborator::elaborateLet(const LetStatement &statement) {
  bool ok = true;
  for (const Target &target : statement.targets) {
    bool declares = llvm::any_of(target.indices.binders, [](auto &b) { return b.hasSet(); });
    if (declares)
      ok &= declareIndices(target.indices, /*bind=*/false);
  }
  auto *call = dyn_cast<CallExpr>(statement.value.get());
  std::vector<Operand> values;
  bool isOwnFunction = call && program.functions.contains(call->callee.text);
  const Mixer *mixer = call && !isOwnFunction ? findMixer(call->callee.text) : nullptr;
  if (mixer && !loop && !call->hasBrackets)
    values = callMixer(*call, *mixer, statement.targets.front().name);
  else if (call && !isOwnFunction && !mixer && call->callee.text == "softmax")
    values = callSoftmax(*call);
  else
    values.push_back(elaborate(*statement.value));
  bool isValid = !values.empty() && llvm::all_of(values, [](auto &v) { return v.isValid(); });
  if (isValid && values.size() != statement.targets.size()) {
    error(Error::ArgumentCount, statement.range,
          "this 'let' names " + Twine(statement.targets.size()) + ", the right side has " +
              Twine(values.size()) + (values.size() == 1 ? " value" : " values"));
    isValid = false;
  }
  for (auto [n, target] : llvm::enumerate(statement.targets)) {
    setLocation(statement.range);
    defineTarget(target, ok && isValid ? values[n] : Operand());
  }
}

/// The index variables that a target lists; nothing after an error.
std::optional<SmallVector<Index *>> Elaborator::findTargetIndices(const Target &target) {
  SmallVector<Index *> own;
  for (const Binder &binder : target.indices.binders) {
    Symbol *symbol = lookup(binder.name.text);
    bool isLoop = loop && symbol && symbol->index == loop;
    Index *index = isLoop ? loop : findIndex(binder);
    if (!index)
      return std::nullopt;
    own.push_back(index);
  }
  return own;
}

/// Gives a name to a value: a plain one, one per position of the loop around, or one
/// per member of index sets.
void Elaborator::defineTarget(const Target &target, Operand value) {
  if (!checkFresh(target.name))
    return;
  bool isPerPosition = loop && llvm::any_of(target.indices.binders, [&](const Binder &binder) {
                         return binder.name.text == loop->name.text;
                       });
  // What belongs to the loop's positions outlives the loop.
  Scope &scope = isPerPosition ? scopes[frame.scopeBase] : scopes.back();
  Symbol &symbol = *declare(Symbol::Let, target.name, scope);
  symbol.isBroken = true;
  if (!value.isValid())
    return;
  std::optional<SmallVector<Index *>> own = findTargetIndices(target);
  if (!own)
    return;
  if (isPerPosition)
    symbol.isBroken = !definePerPosition(symbol, target, *own, std::move(value));
  else if (checkNoOtherIndex(target, *own, value))
    symbol.isBroken = !defineOverSets(symbol, target, *own, std::move(value));
}

/// Refuses a value that depends on an index that its name does not list.
bool Elaborator::checkNoOtherIndex(const Target &target, ArrayRef<Index *> own,
                                   const Operand &value) {
  if (value.constant)
    return true;
  for (StringRef axis : getAxes(value.value)) {
    if (!isIndexAxis(axis) || llvm::any_of(own, [&](Index *index) { return index->axis == axis; }))
      continue;
    StringRef index = axis.take_until([](char c) { return c == '.' || c == ':'; });
    error(Error::LeftoverIndex, target.range, "the value still depends on index '" + index + "'")
        .hint("write 'let " + target.name.text + "[" + index +
              "] = ...', or reduce over it, as in 'sum[" + index + "](...)'");
    return false;
  }
  return true;
}

/// `let x[t] = ...` in a loop over t. It leaves the loop if it is used behind it.
bool Elaborator::definePerPosition(Symbol &symbol, const Target &target, ArrayRef<Index *> own,
                                   Operand value) {
  StringRef name = target.name.text;
  if (own.size() > 1) {
    error(Error::QuadraticStorage, target.range,
          "'" + name + "' would be stored for every pair of positions")
        .hint("leave out '" + loop->name.text + "': inside this loop the value is at hand");
    return false;
  }
  Value tensor = getValue(value);
  if (!checkStored(target.range, name, tensor, loop))
    return false;
  symbol.loop = loop;
  symbol.operand = std::move(value);
  if (frame.usedAfterLoop.contains(name))
    loopOutputs.push_back({&symbol, tensor});
  return true;
}

/// `let x = ...`, or `let x[j in T] = ...`: inside of a loop the value lives on its sets,
/// outside of loops it is stored.
bool Elaborator::defineOverSets(Symbol &symbol, const Target &target, ArrayRef<Index *> own,
                                Operand value) {
  if (own.empty()) {
    symbol.operand = std::move(value);
    return true;
  }
  value = spread(own, value);
  if (loop) {
    symbol.indices.assign(own.begin(), own.end());
    symbol.operand = std::move(value);
  } else {
    symbol.operand = storeOverSpace(target, own, std::move(value));
  }
  return symbol.operand.isValid();
}

/// The value with the axes of all the indices.
Operand Elaborator::spread(ArrayRef<Index *> own, const Operand &value) {
  SmallVector<Value> parts;
  for (Index *index : own)
    parts.push_back(index->position);
  parts.push_back(getValue(value));
  return makeValue(
      emit.broadcast(parts.back(), emit.getType(emit.getReal(), emit.joinAxes(parts))));
}

/// Outside of loops a value over an index set is stored, with the axis of the space.
Operand Elaborator::storeOverSpace(const Target &target, ArrayRef<Index *> own, Operand value) {
  if (own.size() > 1) {
    error(Error::QuadraticStorage, target.range,
          "'" + target.name.text + "' would be stored for every pair of positions")
        .hint("compute it inside of a loop over one of them, where it is only reduced");
    return {};
  }
  Index &index = *own.front();
  Value tensor = value.value;
  if (index.mask) {
    Value zero = value.element == Operand::Real  ? emit.createReal(0)
                 : value.element == Operand::Int ? emit.createInteger(0)
                                                 : emit.createBool(false);
    tensor = emit.select(index.mask, tensor, zero);
  }
  if (hasAxis(tensor.getType(), index.space)) {
    error(Error::QuadraticStorage, target.range,
          "'" + target.name.text + "' would have axis '" + index.space + "' twice");
    return {};
  }
  Type type = renameAxis(tensor.getType(), index.axis, index.space);
  tensor = BindOp::create(emit.builder, emit.loc, type, tensor, index.axis);
  if (!checkStored(target.range, target.name.text, tensor, nullptr))
    return {};
  return makeValue(tensor);
}

/// Refuses values that would need memory for pairs of positions. `perPosition` is the
/// loop whose position is one of the two, or null.
bool Elaborator::checkStored(SMRange range, StringRef name, Value value, Index *perPosition) {
  SmallVector<StringRef> tokens;
  if (perPosition)
    tokens.push_back(perPosition->name.text);
  for (StringRef axis : getAxes(value))
    if (isTokenAxis(axis))
      tokens.push_back(axis);
  if (tokens.size() <= 1)
    return true;
  error(Error::QuadraticStorage, range,
        "'" + name + "' would be stored for every pair of positions " + describeAxes(tokens))
      .hint("reduce over one of them, as in 'sum[j](...)'");
  return false;
}

//===----------------------------------------------------------------------===//
// Assignment
//===----------------------------------------------------------------------===//

void Elaborator::elaborateAssign(const AssignStatement &statement) {
  const Target &target = statement.target;
  bool declares = llvm::any_of(target.indices.binders, [](auto &b) { return b.hasSet(); });
  bool ok = !declares || declareIndices(target.indices, /*bind=*/false);
  Operand value = elaborate(*statement.value);
  Symbol *symbol = lookup(target.name.text);
  if (!symbol) {
    if (findAxis(target.name.text))
      error(Error::NotAssignable, target.range, "'" + target.name.text + "' is an axis");
    else
      error(Error::UnknownValue, target.name.range, "unknown value '" + target.name.text + "'")
          .hint("a new value is defined by 'let " + target.name.text + " = ...'");
    return;
  }
  setLocation(statement.range);
  if (symbol->kind == Symbol::State)
    return assignState(*symbol, statement, ok ? std::move(value) : Operand());
  if (symbol->kind == Symbol::Output)
    return assignOutput(*symbol, statement, ok ? std::move(value) : Operand());
  static constexpr StringRef kinds[] = {"an argument", "a setting", "defined by 'let'", "an output",
                                        "a state",     "an index",  "a parameter"};
  error(Error::NotAssignable, target.range,
        "'" + target.name.text + "' cannot be given a new value: it is " + kinds[symbol->kind])
      .note(symbol->name.range, "here")
      .hint("only states and outputs are assigned; other values are new names, 'let x = ...'");
}

void Elaborator::assignState(Symbol &state, const AssignStatement &statement, Operand value) {
  StringRef name = state.name.text;
  if (!loop) {
    error(Error::UpdateOutsideLoop, statement.range,
          "state '" + name + "' is updated outside of a loop")
        .hint("its initial value stands in its declaration, 'state " + name + ": [...] = ...'");
    state.isBroken = true;
    return;
  }
  if (state.isBroken || !requireReal(value, statement.value->range)) {
    state.isBroken = true;
    return;
  }
  if (!statement.target.indices.binders.empty()) {
    value = replaceElements(state, statement.target, value);
    if (!value.isValid())
      return;
  }
  Value tensor = getValue(value);
  Type type = emit.getType(emit.getReal(), state.axes);
  if (!isAxisSubset(tensor.getType(), type)) {
    error(Error::ShapeMismatch, statement.value->range,
          "state '" + name + "' has axes " + describeAxes(state.axes) + ", this value has axes " +
              describeAxes(getAxes(tensor)))
        .note(state.name.range, "the state");
    return;
  }
  state.operand = makeValue(emit.broadcast(tensor, type));
  ++epoch;
}

/// `S[i in D where ...] = ...`: the state with new elements at the members of the set.
Operand Elaborator::replaceElements(Symbol &state, const Target &target, Operand value) {
  std::optional<SmallVector<Index *>> own = findTargetIndices(target);
  if (!own)
    return {};
  StringRef name = state.name.text;
  SmallVector<StringRef> spaces;
  SmallVector<Value> positions;
  Value mask;
  for (Index *index : *own) {
    bool isElement = !index->axis.empty() && llvm::is_contained(state.axes, index->space);
    if (!isElement || llvm::is_contained(spaces, index->space)) {
      error(Error::IndexKind, target.range,
            "state '" + name + "' has axes " + describeAxes(state.axes) + "; '" + index->name.text +
                "' runs over '" + index->space + "'")
          .hint("a state is updated as a whole, '" + name +
                " = ...', or element by element of "
                "its own axes");
      return {};
    }
    spaces.push_back(index->space);
    positions.push_back(index->position);
    mask = emit.conjoin(mask, index->mask);
  }
  Value tensor = getValue(spread(*own, value));
  if (mask)
    tensor = emit.select(mask, tensor, emit.read(getValue(state.operand), spaces, positions));
  for (Index *index : *own) {
    if (hasAxis(tensor.getType(), index->space)) {
      error(Error::ShapeMismatch, target.range,
            "this value would have axis '" + index->space + "' twice");
      return {};
    }
    Type type = renameAxis(tensor.getType(), index->axis, index->space);
    tensor = BindOp::create(emit.builder, emit.loc, type, tensor, index->axis);
  }
  return makeValue(tensor);
}

void Elaborator::assignOutput(Symbol &output, const AssignStatement &statement, Operand value) {
  const Target &target = statement.target;
  if (output.isBroken)
    return;
  if (output.isAssigned) {
    error(Error::AssignedTwice, target.range,
          "output '" + output.name.text + "' has its value already");
    return;
  }
  output.isAssigned = output.isBroken = true;
  if (!requireReal(value, statement.value->range))
    return;
  std::optional<SmallVector<Index *>> own = findTargetIndices(target);
  if (!own || !checkOutputIndices(output, target, *own))
    return;
  SmallVector<StringRef> expected(output.axes);
  if (loop) {
    llvm::erase(expected, loop->space);
  } else if (!own->empty()) {
    value = storeOverSpace(target, *own, spread(*own, value));
    if (!value.isValid())
      return;
  }
  Value tensor = getValue(value);
  Type type = emit.getType(emit.getReal(), expected);
  if (!isAxisSubset(tensor.getType(), type)) {
    if (llvm::any_of(getAxes(tensor), isIndexAxis))
      checkStored(statement.value->range, output.name.text, tensor, loop);
    else
      error(Error::ShapeMismatch, statement.value->range,
            "expected a value with axes " + describeAxes(expected) + ", found " +
                describeAxes(getAxes(tensor)))
          .note(output.name.range, "output '" + output.name.text + "' is declared here");
    return;
  }
  output.isBroken = false;
  output.loop = loop;
  output.operand = makeValue(emit.broadcast(tensor, type));
  if (loop)
    loopOutputs.push_back({&output, output.operand.value});
}

/// In a loop over t an output is assigned as `o[t]`; the axis that is walked must be one
/// of its axes.
bool Elaborator::checkOutputIndices(const Symbol &output, const Target &target,
                                    ArrayRef<Index *> own) {
  StringRef name = output.name.text;
  if (loop && (own.size() != 1 || own.front() != loop)) {
    error(Error::IndexKind, target.range,
          "inside this loop, output '" + name + "' is assigned as '" + name + "[" +
              loop->name.text + "]'")
        .note(loop->name.range, "the loop");
    return false;
  }
  for (Index *index : own)
    if (!llvm::is_contained(output.axes, index->space)) {
      error(Error::ShapeMismatch, target.range,
            "output '" + name + "' has axes " + describeAxes(output.axes) + ", not '" +
                index->space + "'")
          .note(output.name.range, "the output");
      return false;
    }
  return true;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// The states that a block assigns, in the order of their declaration.
static SmallVector<Symbol *> findUpdatedStates(const Statements &body, ArrayRef<Symbol *> states) {
  llvm::StringSet<> assigned;
  for (const StatementPtr &statement : body)
    if (auto *assign = dyn_cast<AssignStatement>(statement.get()))
      assigned.insert(assign->target.name.text);
  SmallVector<Symbol *> updated;
  for (Symbol *state : states)
    if (assigned.contains(state->name.text))
      updated.push_back(state);
  return updated;
}

void Elaborator::elaborateFor(const ForStatement &statement) {
  if (loop) {
    error(Error::NestedLoop, statement.range, "loops do not nest")
        .note(loop->name.range, "the loop around")
        .hint("inside a loop, reduce over a set: 'sum[j in T where j <= i](...)'");
    skipLoop(statement);
    return;
  }
  Symbol *previous = lookup(statement.index.text);
  bool reusesName = previous && previous->kind == Symbol::IndexName;
  bool ok = reusesName || checkFresh(statement.index);
  epoch += reusesName;
  ok &= requireAxis(statement.space) != nullptr;
  SmallVector<Symbol *> updated = findUpdatedStates(statement.body, frame.states);
  for (Symbol *state : updated) {
    if (state->isAssigned) {
      error(Error::AssignedTwice, statement.range,
            "state '" + state->name.text + "' is updated by an earlier loop already");
      ok = false;
    }
    state->isAssigned = true;
    ok &= !state->isBroken;
  }
  std::optional<int64_t> step = elaborateStep(statement, updated);
  if (!ok || (statement.step && !step)) {
    skipLoop(statement);
    return;
  }
  Index &index = createIndex(statement.index, findAxis(statement.space.text)->name);
  emitLoop(statement, index, updated, step ? emit.builder.getI64IntegerAttr(*step) : IntegerAttr());
}

/// Leaves out a loop whose head had an error. What it defines is known to be broken, so
/// that it gives no further errors.
void Elaborator::skipLoop(const ForStatement &statement) {
  for (Symbol *output : frame.outputs)
    output->isAssigned = output->isBroken = true;
  for (const StatementPtr &inner : statement.body)
    if (auto *let = dyn_cast<LetStatement>(inner.get()))
      for (const Target &target : let->targets)
        if (!lookup(target.name.text))
          declare(Symbol::Let, target.name, scopes[frame.scopeBase])->isBroken = true;
}

std::optional<int64_t> Elaborator::elaborateStep(const ForStatement &statement,
                                                 ArrayRef<Symbol *> updated) {
  if (!statement.step)
    return std::nullopt;
  if (updated.empty()) {
    error(Error::NotFrozen, statement.step->range,
          "'by' says how long 'frozen' states live, but this loop updates no state");
    return std::nullopt;
  }
  return requirePositiveConstant(elaborate(*statement.step), statement.step->range,
                                 "the length of a block");
}

/// Emits the body into a block of its own, then the `mix.for` around it: its results
/// are known only at the end.
void Elaborator::emitLoop(const ForStatement &statement, Index &index, ArrayRef<Symbol *> updated,
                          IntegerAttr step) {
  setLocation(statement.range);
  Location loopLoc = emit.loc;
  auto body = std::make_unique<mlir::Block>();
  index.position = body->addArgument(emit.getType(emit.getInteger(), {}), loopLoc);
  index.axis.clear();
  index.isBound = true;
  SmallVector<Value> inits;
  SmallVector<Attribute> names;
  for (Symbol *state : updated) {
    inits.push_back(state->operand.value);
    names.push_back(emit.builder.getStringAttr(state->stateName));
    state->operand = makeValue(body->addArgument(inits.back().getType(), loopLoc));
  }
  if (step)
    for (auto [state, init] : llvm::zip(updated, inits))
      frozenStates[state->name.text] = body->addArgument(init.getType(), loopLoc);

  OpBuilder::InsertPoint outside = emit.builder.saveInsertionPoint();
  emit.builder.setInsertionPointToEnd(body.get());
  elaborateLoopBody(statement, index);
  SmallVector<Value> yields;
  SmallVector<Type> types;
  for (Symbol *state : updated) {
    yields.push_back(state->operand.value);
    types.push_back(state->operand.value.getType());
  }
  for (auto &[output, value] : loopOutputs) {
    yields.push_back(value);
    SmallVector<StringRef> outputAxes = {index.space};
    llvm::append_range(outputAxes, getAxes(value));
    types.push_back(emit.getType(getElementTypeOrSelf(value), outputAxes));
  }
  emit.loc = loopLoc;
  YieldOp::create(emit.builder, emit.loc, yields);
  emit.builder.restoreInsertionPoint(outside);
  auto loopOp = ForOp::create(emit.builder, emit.loc, types, index.space,
                              emit.builder.getArrayAttr(names), inits, step,
                              /*class_=*/ScanClassAttr(), /*reason=*/StringAttr());
  loopOp.getBody().push_back(body.release());
  for (auto [state, result] : llvm::zip(updated, loopOp.getFinalStates()))
    state->operand = makeValue(result);
  for (auto [output, result] : llvm::zip(loopOutputs, loopOp.getOutputs())) {
    output.first->operand = makeValue(result);
    output.first->loop = nullptr;
  }
  loopOutputs.clear();
}

void Elaborator::elaborateLoopBody(const ForStatement &statement, Index &index) {
  pushScope();
  Symbol *symbol = declare(Symbol::IndexName, statement.index, scopes.back());
  symbol->index = &index;
  symbol->operand = makeValue(index.position);
  symbol->operand.linear = index.facts.front(); // the position itself
  addFacts(index.facts);
  loop = &index;
  elaborate(statement.body);
  loop = nullptr;
  popScope();
  frozenStates.clear();
}
