//===- ElaborateCompose.cpp - Mixers that call mixers ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call of a mixer puts its statements in its place: its arguments are values of the
// caller, its axes are theirs, its states become states of the caller.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::Twine;

const Mixer *Elaborator::findMixer(StringRef name) {
  auto it = llvm::find_if(program.mixers, [&](const Mixer *m) { return m->name.text == name; });
  return it == program.mixers.end() ? nullptr : *it;
}

/// The values of the arguments by name. Those with axes come first, in order; all can be
/// named.
std::optional<Elaborator::Bindings> Elaborator::matchArguments(const CallExpr &expr,
                                                               const Mixer &mixer) {
  Bindings bindings;
  bool ok = true;
  auto bind = [&](const Argument &argument, const Expr &value) {
    Operand operand = elaborate(value);
    bool isInteger = argument.isInteger;
    ok &= isInteger ? requireInteger(operand, value.range, "this argument")
                    : requireNumber(operand, value.range);
    if (!isInteger && argument.isTensor)
      convertToReal(operand);
    if (!argument.isTensor && operand.value && !getAxes(operand.value).empty()) {
      error(Error::BadSetting, value.range, "the value of a setting is one number");
      ok = false;
    }
    if (!bindings.try_emplace(argument.name.text, std::move(operand)).second) {
      error(Error::ArgumentCount, value.range, "'" + argument.name.text + "' is given twice");
      ok = false;
    }
  };
  std::vector<const Argument *> tensors;
  for (const Argument &argument : mixer.arguments)
    if (argument.isTensor)
      tensors.push_back(&argument);
  for (auto [argument, value] : llvm::zip(tensors, expr.arguments))
    bind(*argument, *value);
  for (const NamedArgument &named : expr.named) {
    auto argument = llvm::find_if(
        mixer.arguments, [&](const Argument &a) { return a.name.text == named.name.text; });
    if (argument != mixer.arguments.end()) {
      bind(*argument, *named.value);
      continue;
    }
    SmallVector<StringRef> known;
    for (const Argument &a : mixer.arguments)
      known.push_back(a.name.text);
    suggest(error(Error::ArgumentCount, named.name.range,
                  "mixer '" + mixer.name.text + "' has no argument '" + named.name.text + "'"),
            named.name.text, known);
    ok = false;
  }
  size_t count = llvm::count_if(tensors, [&](auto *a) { return bindings.contains(a->name.text); });
  if (count != tensors.size() || expr.arguments.size() > tensors.size()) {
    error(Error::ArgumentCount, expr.range,
          "mixer '" + mixer.name.text + "' takes " + Twine(tensors.size()) +
              " arguments with axes, found " + Twine(std::max(count, expr.arguments.size())))
        .note(mixer.name.range, "the mixer")
        .hint("settings are named: '" + mixer.name.text + "(..., scale = 1)'");
    ok = false;
  }
  if (!ok)
    return std::nullopt;
  return bindings;
}

/// Says which axes of the caller the axes of one argument are: those of the same name,
/// then the other ones in order.
bool Elaborator::mapAxes(const CallExpr &expr, const Argument &argument, Value value,
                         Frame &callee) {
  SmallVector<StringRef> given = getAxes(value);
  if (llvm::any_of(given, isIndexAxis)) {
    error(Error::LeftoverIndex, expr.range,
          "the value of argument '" + argument.name.text + "' depends on an index: it has axes " +
              describeAxes(given));
    return false;
  }
  if (given.size() != argument.axes.size()) {
    SmallVector<StringRef> names =
        llvm::map_to_vector(argument.axes, [](const Name &name) { return name.text; });
    error(Error::ShapeMismatch, expr.range,
          "argument '" + argument.name.text + "' has axes " + describeAxes(names) +
              ", the value given has axes " + describeAxes(given))
        .note(argument.name.range, "the argument");
    return false;
  }
  SmallVector<StringRef> left(given);
  for (const Name &name : argument.axes)
    llvm::erase(left, name.text);
  size_t next = 0;
  for (const Name &name : argument.axes) {
    StringRef actual = llvm::is_contained(given, name.text) ? name.text : left[next++];
    AxisInfo *axis = &*llvm::find_if(axes, [&](const AxisInfo &a) { return a.name == actual; });
    AxisInfo *&known = callee.axes[name.text];
    if (known && known != axis) {
      error(Error::ShapeMismatch, expr.range,
            "axis '" + name.text + "' of mixer '" + expr.callee.text + "' is both '" + known->name +
                "' and '" + axis->name + "' here")
          .note(argument.name.range, "because of this argument");
      return false;
    }
    known = axis;
  }
  return true;
}

/// Declares the arguments in the scope of the mixer that is called.
bool Elaborator::bindArguments(const CallExpr &expr, const Mixer &mixer, Bindings &bindings,
                               Frame &callee) {
  for (const Argument &argument : mixer.arguments)
    if (argument.isTensor &&
        !mapAxes(expr, argument, getValue(bindings[argument.name.text]), callee))
      return false;
  llvm::StringSet<> tokens = findTokenAxes(mixer);
  for (auto &axis : callee.axes)
    axis.second->isToken |= tokens.contains(axis.getKey());
  frame = std::move(callee);
  for (const Argument &argument : mixer.arguments) {
    auto given = bindings.find(argument.name.text);
    if (!checkFresh(argument.name))
      return false;
    if (!argument.isTensor)
      declareSetting(argument, given == bindings.end() ? std::nullopt
                                                       : std::optional<Operand>(given->second));
    else
      declare(Symbol::Argument, argument.name, scopes.back())->operand = given->second;
  }
  return true;
}

/// One result per output.
std::vector<Operand> Elaborator::callMixer(const CallExpr &expr, const Mixer &mixer,
                                           const Name &instanceName) {
  if (llvm::is_contained(mixerStack, &mixer)) {
    error(Error::RecursiveFunction, expr.range, "mixer '" + mixer.name.text + "' calls itself");
    return {};
  }
  std::optional<Bindings> bindings = matchArguments(expr, mixer);
  if (!bindings)
    return {};
  unsigned errorsBefore = diagnostics.getNumErrors();
  Frame callee;
  callee.scopeBase = scopes.size();
  callee.statePrefix = frame.statePrefix + instanceName.text.str() + "_";
  Frame caller = frame;
  pushScope();
  if (bindArguments(expr, mixer, *bindings, callee))
    elaborateBody(mixer);
  std::vector<Operand> results;
  if (diagnostics.getNumErrors() == errorsBefore)
    for (Symbol *output : frame.outputs)
      results.push_back(makeValue(
          emit.broadcast(output->operand.value, emit.getType(emit.getReal(), output->axes))));
  scopes.pop_back();
  frame = std::move(caller);
  return results;
}
