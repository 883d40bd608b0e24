//===- ElaborateMixer.cpp - Declarations ----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "mixwright/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::SMRange;
using llvm::Twine;

OwningOpRef<func::FuncOp> Elaborator::elaborate(const Mixer &mixer) {
  unsigned errorsBefore = diagnostics.getNumErrors();
  setLocation(mixer.name.range);
  OwningOpRef<func::FuncOp> function =
      func::FuncOp::create(emit.loc, mixer.name.text, FunctionType::get(context, {}, {}));
  mlir::Block *entry = function->addEntryBlock();
  emit.enterFunction(entry);

  pushScope();
  declareAxes(mixer);
  checkSizes();
  checkSettings(mixer);
  declareArguments(mixer, entry);
  elaborateBody(mixer);
  if (diagnostics.getNumErrors() != errorsBefore)
    return nullptr;
  finish(mixer, *function);
  return function;
}

/// Everything behind the arguments.
void Elaborator::elaborateBody(const Mixer &mixer) {
  mixerStack.push_back(&mixer);
  declareOutputs(mixer);
  findDefinitions(mixer.body);
  elaborate(mixer.body);
  checkComplete();
  mixerStack.pop_back();
}

//===----------------------------------------------------------------------===//
// Axes and sizes
//===----------------------------------------------------------------------===//

bool Elaborator::checkAxisName(const Name &name) {
  if (llvm::isUpper(name.text.front()))
    return true;
  error(Error::AxisName, name.range,
        "the name of an axis starts with an upper-case letter, found '" + name.text + "'");
  return false;
}

bool Elaborator::checkDistinct(ArrayRef<Name> names) {
  for (auto [n, name] : llvm::enumerate(names))
    for (const Name &previous : names.take_front(n))
      if (previous.text == name.text) {
        error(Error::Redefined, name.range, "axis '" + name.text + "' is named twice")
            .hint("two walks over the same positions in one array need two axes");
        return false;
      }
  return true;
}

/// The axes behind names that are known.
SmallVector<StringRef> Elaborator::getNames(ArrayRef<Name> names) {
  return llvm::map_to_vector(
      names, [&](const Name &name) { return StringRef(findAxis(name.text)->name); });
}

/// The axes of a mixer are those of its arguments.
void Elaborator::declareAxes(const Mixer &mixer) {
  for (const Argument &argument : mixer.arguments)
    for (const Name &name : argument.axes)
      if (!findAxis(name.text)) {
        checkAxisName(name);
        createAxis(name);
      }
  llvm::StringSet<> tokens = findTokenAxes(mixer);
  for (auto &axis : frame.axes)
    axis.second->isToken = tokens.contains(axis.getKey());
}

void Elaborator::checkSizes() {
  for (const auto &entry : options.sizes) {
    AxisInfo *axis = findAxis(entry.getKey());
    if (!axis)
      error(Error::BadSize, {},
            "there is no axis '" + entry.getKey() + "' to give the size " +
                Twine(entry.getValue()));
    else if (axis->isToken)
      error(Error::BadSize, axis->range,
            "'" + entry.getKey() + "' is a token axis: its size is that of each call")
          .hint("only axes that no index walks have a size at compile time");
    else if (entry.getValue() <= 0)
      error(Error::BadSize, axis->range,
            "the size of axis '" + entry.getKey() + "' must be positive, found " +
                Twine(entry.getValue()));
  }
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

void Elaborator::declareArguments(const Mixer &mixer, mlir::Block *entry) {
  for (const Argument &argument : mixer.arguments) {
    if (!checkFresh(argument.name))
      declare(Symbol::Argument, argument.name, scopes.back())->isBroken = true;
    else if (argument.isTensor)
      declareTensor(argument, entry);
    else
      declareSetting(argument, std::nullopt);
  }
}

void Elaborator::declareTensor(const Argument &argument, mlir::Block *entry) {
  Symbol *symbol = declare(Symbol::Argument, argument.name, scopes.back());
  bool ok = checkDistinct(argument.axes);
  if (argument.axes.size() > MIXWRIGHT_MAX_RANK) {
    error(Error::TooManyAxes, argument.name.range,
          "an argument has at most " + Twine(MIXWRIGHT_MAX_RANK) + " axes, found " +
              Twine(argument.axes.size()));
    ok = false;
  }
  if (argument.defaultValue) {
    error(Error::BadSetting, argument.defaultValue->range,
          "an argument with axes has no default value")
        .hint("the caller passes it; a number that is fixed when the spec is compiled is "
              "written '" +
              argument.name.text + " = 0.5'");
    ok = false;
  }
  symbol->isBroken = !ok;
  if (!ok)
    return;
  Type element = argument.isInteger ? emit.getInteger() : emit.getReal();
  setLocation(argument.name.range);
  symbol->operand =
      makeValue(entry->addArgument(emit.getType(element, getNames(argument.axes)), emit.loc));
}

/// A setting is a number that is fixed when the spec is compiled: given by a mixer that
/// calls this one, by whoever compiles, or by default.
void Elaborator::declareSetting(const Argument &argument, std::optional<Operand> given) {
  Symbol *symbol = declare(Symbol::Setting, argument.name, scopes.back());
  symbol->isBroken = true;
  Operand value;
  bool isChosen = mixerStack.empty() && options.settings.contains(argument.name.text);
  if (given) {
    value = *given;
  } else if (argument.defaultValue) {
    value = elaborate(*argument.defaultValue);
    SMRange range = argument.defaultValue->range;
    if (argument.isInteger ? !requireInteger(value, range, "the value of this setting")
                           : !requireNumber(value, range))
      return;
    if (!value.constant && !getAxes(value.value).empty()) {
      error(Error::BadSetting, range, "the value of a setting is one number");
      return;
    }
  }
  if (isChosen) {
    std::optional<Operand> chosen = getOverride(argument, value.element == Operand::Int);
    if (!chosen)
      return;
    value = *chosen;
  } else if (!given && !argument.defaultValue) {
    error(Error::BadSetting, argument.name.range,
          "setting '" + argument.name.text + "' has no default and no value was given")
        .hint("give one: '--set " + argument.name.text + "=...'");
    return;
  }
  symbol->operand = std::move(value);
  symbol->isBroken = false;
}

/// The number that the caller gave for a setting. An integer stays one where the
/// default is one.
std::optional<Operand> Elaborator::getOverride(const Argument &argument, bool preferInteger) {
  StringRef text = StringRef(options.settings.find(argument.name.text)->second).trim();
  double value = 0;
  bool isNumber = !text.getAsDouble(value) && !std::isnan(value);
  bool isInteger = value == std::floor(value) && std::fabs(value) < kIntegerLimit;
  if (isNumber && isInteger && (argument.isInteger || preferInteger))
    return makeConstant(Operand::Int, value);
  if (isNumber && !argument.isInteger)
    return makeConstant(Operand::Real, value);
  error(Error::BadSetting, argument.name.range,
        Twine("expected ") + (argument.isInteger ? "an integer" : "a number") + " for setting '" +
            argument.name.text + "', found '" + text + "'");
  return std::nullopt;
}

void Elaborator::checkSettings(const Mixer &mixer) {
  for (StringRef name : options.settings.keys()) {
    SmallVector<StringRef> known;
    for (const Argument &argument : mixer.arguments)
      if (!argument.isTensor)
        known.push_back(argument.name.text);
    if (llvm::is_contained(known, name))
      continue;
    suggest(error(Error::BadSetting, mixer.name.range,
                  "mixer '" + mixer.name.text + "' has no setting '" + name + "'"),
            name, known);
  }
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

void Elaborator::declareOutputs(const Mixer &mixer) {
  if (mixer.outputs.empty())
    error(Error::NotAssigned, mixer.name.range, "mixer '" + mixer.name.text + "' has no output");
  for (const Output &output : mixer.outputs) {
    bool ok = checkFresh(output.name);
    if (!ok)
      continue;
    for (const Name &axis : output.axes)
      ok &= requireAxis(axis) != nullptr;
    ok &= checkDistinct(output.axes);
    unsigned tokens = llvm::count_if(output.axes, [&](const Name &name) {
      AxisInfo *axis = findAxis(name.text);
      return axis && axis->isToken;
    });
    if (tokens > 1) {
      error(Error::QuadraticStorage, output.name.range,
            "output '" + output.name.text + "' would be stored for every pair of positions");
      ok = false;
    }
    if (output.axes.size() > MIXWRIGHT_MAX_RANK) {
      error(Error::TooManyAxes, output.name.range,
            "an output has at most " + Twine(MIXWRIGHT_MAX_RANK) + " axes, found " +
                Twine(output.axes.size()));
      ok = false;
    }
    Symbol *symbol = declare(Symbol::Output, output.name, scopes.back());
    symbol->isBroken = symbol->isAssigned = !ok;
    if (ok)
      symbol->axes = getNames(output.axes);
    frame.outputs.push_back(symbol);
  }
}

void Elaborator::checkComplete() {
  for (Symbol *output : frame.outputs)
    if (!output->isAssigned)
      error(Error::NotAssigned, output->name.range,
            "output '" + output->name.text + "' is never assigned");
  for (Symbol *state : frame.states)
    if (!state->isAssigned && !state->isBroken)
      error(Error::UnusedState, state->name.range,
            "state '" + state->name.text + "' is never updated")
          .hint("a value that stays the same is a 'let'");
}

/// Where names will be defined, for a better message about a use before that.
void Elaborator::findDefinitions(const Statements &statements) {
  for (const StatementPtr &statement : statements) {
    if (auto *state = llvm::dyn_cast<StateStatement>(statement.get()))
      frame.definedLater[state->name.text] = state->name.range;
    else if (auto *let = llvm::dyn_cast<LetStatement>(statement.get()))
      for (const Target &target : let->targets)
        frame.definedLater[target.name.text] = target.name.range;
    else if (auto *inner = llvm::dyn_cast<ForStatement>(statement.get()))
      findDefinitions(inner->body);
  }
}

/// Returns the outputs and the final states.
void Elaborator::finish(const Mixer &mixer, func::FuncOp function) {
  setLocation(mixer.name.range);
  SmallVector<Value> results;
  for (Symbol *output : frame.outputs)
    results.push_back(
        emit.broadcast(output->operand.value, emit.getType(emit.getReal(), output->axes)));
  for (Symbol *state : allStates)
    results.push_back(state->operand.value);
  func::ReturnOp::create(emit.builder, emit.loc, results);
  function.setFunctionType(FunctionType::get(context, function.getBody().getArgumentTypes(),
                                             ValueRange(results).getTypes()));
  describeFunction(mixer, function);
}

/// The attributes of dialect/MixDialect.td.
void Elaborator::describeFunction(const Mixer &mixer, func::FuncOp function) {
  OpBuilder &builder = emit.builder;
  function->setAttr(kMixerAttr, builder.getUnitAttr());
  unsigned position = 0;
  for (const Argument &argument : mixer.arguments) {
    if (!argument.isTensor)
      continue;
    function.setArgAttr(position, kNameAttr, builder.getStringAttr(argument.name.text));
    function.setArgAttr(position, kKindAttr,
                        builder.getStringAttr(argument.isParam ? "param" : "input"));
    ++position;
  }
  position = 0;
  auto describeResult = [&](StringRef name, StringRef kind) {
    function.setResultAttr(position, kNameAttr, builder.getStringAttr(name));
    function.setResultAttr(position, kKindAttr, builder.getStringAttr(kind));
    ++position;
  };
  for (Symbol *output : frame.outputs)
    describeResult(output->name.text, "output");
  for (Symbol *state : allStates)
    describeResult(state->stateName, "state");
  SmallVector<NamedAttribute> blocks;
  for (const AxisInfo &axis : axes)
    if (axis.blockSize)
      blocks.push_back(builder.getNamedAttr(
          axis.name, builder.getArrayAttr({builder.getStringAttr(axis.base->name),
                                           builder.getI64IntegerAttr(axis.blockSize)})));
  if (!blocks.empty())
    function->setAttr(kBlocksAttr, builder.getDictionaryAttr(blocks));
}
