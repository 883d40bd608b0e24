//===- Elaborate.cpp - Scopes and operands --------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::SMRange;
using llvm::Twine;

//===----------------------------------------------------------------------===//
// Scopes
//===----------------------------------------------------------------------===//

void Elaborator::popScope() {
  for (auto &entry : scopes.back().symbols)
    frame.goneNames[entry.getKey()] = entry.getValue()->name.range;
  scopes.pop_back();
}

Symbol *Elaborator::lookup(StringRef name) {
  for (size_t n = scopes.size(); n-- > frame.scopeBase;) {
    auto it = scopes[n].symbols.find(name);
    if (it != scopes[n].symbols.end())
      return it->second;
  }
  return nullptr;
}

Symbol *Elaborator::declare(Symbol::Kind kind, const Name &name, Scope &scope) {
  Symbol &symbol = symbols.emplace_back();
  symbol.kind = kind;
  symbol.name = name;
  scope.symbols[name.text] = &symbol;
  return &symbol;
}

/// Reports a name that already means something here.
bool Elaborator::checkFresh(const Name &name) {
  if (Symbol *previous = lookup(name.text)) {
    error(Error::Redefined, name.range, "'" + name.text + "' is already defined")
        .note(previous->name.range, "here")
        .hint("every value has its own name; only states are given new values");
    return false;
  }
  if (AxisInfo *axis = findAxis(name.text)) {
    error(Error::Redefined, name.range,
          "'" + name.text + "' is the name of an axis; a value and an axis may not share a name")
        .note(axis->range, "the axis");
    return false;
  }
  return true;
}

/// Adds the name that was probably meant: one that differs in a third of the letters at
/// most, or only in case.
void Elaborator::suggest(Diagnostics::Report report, StringRef name,
                         ArrayRef<StringRef> candidates) {
  StringRef best;
  unsigned bestDistance = (name.size() + 2) / 3 + 1;
  for (StringRef candidate : candidates) {
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, bestDistance);
    bool isClose = distance < name.size() || name.equals_insensitive(candidate);
    if (isClose && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (!best.empty())
    report.hint("did you mean '" + best + "'?");
}

void Elaborator::reportUnknownValue(const Name &name) {
  auto gone = frame.goneNames.find(name.text);
  if (gone != frame.goneNames.end() && callStack.empty()) {
    error(Error::OutOfLoop, name.range, "'" + name.text + "' does not exist here any more")
        .note(gone->second, "it is defined here, inside a loop or a reduction")
        .hint("to keep one value per position of a loop over t, write 'let " + name.text +
              "[t] = ...'");
    return;
  }
  auto later = frame.definedLater.find(name.text);
  if (later != frame.definedLater.end() && callStack.empty()) {
    error(Error::UnknownValue, name.range, "'" + name.text + "' has no value at this place")
        .note(later->second, "it is defined here");
    return;
  }
  SmallVector<StringRef> candidates;
  for (size_t n = frame.scopeBase; n < scopes.size(); ++n)
    for (StringRef candidate : scopes[n].symbols.keys())
      candidates.push_back(candidate);
  llvm::sort(candidates);
  suggest(error(Error::UnknownValue, name.range, "unknown value '" + name.text + "'"), name.text,
          candidates);
}

AxisInfo *Elaborator::requireAxis(const Name &name) {
  if (AxisInfo *axis = findAxis(name.text))
    return axis;
  SmallVector<StringRef> candidates(frame.axes.keys());
  llvm::sort(candidates);
  auto report = error(Error::UnknownAxis, name.range, "unknown axis '" + name.text + "'");
  if (lookup(name.text))
    report.hint("'" + name.text + "' is a value");
  else
    report.hint("the axes are those of the arguments: " + llvm::join(candidates, ", "));
  return nullptr;
}

AxisInfo &Elaborator::createAxis(const Name &name) {
  AxisInfo &axis = axes.emplace_back();
  std::string unique = name.text.str();
  auto isTaken = [&](const AxisInfo &other) { return other.name == unique; };
  for (unsigned n = 1; llvm::any_of(axes, isTaken); ++n)
    unique = (name.text + "_" + Twine(n)).str();
  axis.name = unique;
  axis.range = name.range;
  frame.axes[name.text] = &axis;
  return axis;
}

bool Elaborator::isTokenAxis(StringRef name) {
  return isIndexAxis(name) || llvm::any_of(axes, [&](const AxisInfo &axis) {
           return axis.name == name && axis.isToken;
         });
}

void Elaborator::addFacts(ArrayRef<Linear> facts) {
  llvm::append_range(scopes.back().facts, facts);
}

bool Elaborator::isNonNegative(const Linear &form) {
  std::vector<Linear> facts;
  for (const Scope &scope : scopes)
    llvm::append_range(facts, scope.facts);
  return terms.isNonNegative(form, facts);
}

Index &Elaborator::createIndex(const Name &name, StringRef space) {
  Index &index = indices.emplace_back();
  index.name = name;
  index.space = space;
  index.epoch = epoch;
  unsigned count = indexCounts[(name.text + ":" + space).str()]++;
  std::string number = count ? "." + std::to_string(count) : "";
  index.axis = (name.text + number + ":" + space).str();
  Linear position = Linear::ofTerm(index.axis);
  index.facts = {position, getSizeTerm(space) - position + -1};
  return index;
}

Linear Elaborator::getSizeTerm(StringRef axis) {
  auto bound = options.sizes.find(axis);
  return bound == options.sizes.end() ? Linear::ofTerm(axis) : Linear::ofConstant(bound->second);
}

void Elaborator::setLocation(SMRange range) {
  llvm::SourceMgr &sources = diagnostics.getSources();
  unsigned buffer = sources.FindBufferContainingLoc(range.Start);
  auto [line, column] = sources.getLineAndColumn(range.Start, buffer);
  StringRef file = sources.getMemoryBuffer(buffer)->getBufferIdentifier();
  emit.loc = FileLineColLoc::get(context, file, line, column);
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Operand Elaborator::makeConstant(Operand::Element element, double value) {
  Operand operand;
  operand.element = element;
  operand.constant = value;
  if (element == Operand::Int)
    operand.linear = Linear::ofConstant(value);
  return operand;
}

Operand Elaborator::makeValue(Value value) {
  Operand operand;
  Type element = getElementTypeOrSelf(value);
  operand.element = element == emit.getReal()      ? Operand::Real
                    : element == emit.getInteger() ? Operand::Int
                                                   : Operand::Bool;
  operand.value = value;
  return operand;
}

Value Elaborator::getValue(const Operand &operand) {
  if (!operand.constant)
    return operand.value;
  switch (operand.element) {
  case Operand::Bool:
    return emit.createBool(*operand.constant != 0);
  case Operand::Int:
    return emit.createInteger(static_cast<int64_t>(*operand.constant));
  default:
    return emit.createReal(*operand.constant);
  }
}

void Elaborator::convertToReal(Operand &operand) {
  if (operand.element != Operand::Int)
    return;
  operand.element = Operand::Real;
  operand.linear.reset();
  if (!operand.constant)
    operand.value = emit.convertToReal(operand.value);
}

bool Elaborator::requireNumber(Operand &operand, SMRange range) {
  if (operand.element == Operand::Bool)
    error(Error::KindMismatch, range, "expected a number, found a condition")
        .hint("write 'if ... then 1 else 0'");
  return operand.isNumber();
}

bool Elaborator::requireReal(Operand &operand, SMRange range) {
  if (!requireNumber(operand, range))
    return false;
  convertToReal(operand);
  return true;
}

bool Elaborator::requireInteger(Operand &operand, SMRange range, StringRef what) {
  if (operand.isValid() && operand.element != Operand::Int)
    error(Error::KindMismatch, range,
          "expected an integer as " + what + ", found a " +
              (operand.element == Operand::Bool ? "condition" : "real number"))
        .hint("floor(x), ceil(x) and round(x) are integers");
  return operand.element == Operand::Int;
}

bool Elaborator::requireBool(Operand &operand, SMRange range) {
  if (operand.isNumber())
    error(Error::KindMismatch, range, "expected a condition, found a number")
        .hint("write a comparison, such as 'x > 0'");
  return operand.element == Operand::Bool;
}

std::optional<int64_t> Elaborator::requirePositiveConstant(const Operand &operand, SMRange range,
                                                           StringRef what) {
  if (!operand.isValid())
    return std::nullopt;
  if (operand.element == Operand::Int && operand.constant && *operand.constant > 0)
    return static_cast<int64_t>(*operand.constant);
  error(Error::NotConstant, range,
        what + " must be a positive integer that is known when the "
               "spec is compiled")
      .hint("use a number or a setting such as 'block: int = 64'");
  return std::nullopt;
}

/// `[T, K]`, with an index variable by its name.
std::string Elaborator::describeAxes(ArrayRef<StringRef> axes) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(axes, os, [&](StringRef axis) {
    os << (isIndexAxis(axis) ? axis.take_until([](char c) { return c == '.' || c == ':'; }) : axis);
  });
  return text + "]";
}
