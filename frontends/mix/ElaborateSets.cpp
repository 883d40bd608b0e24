//===- ElaborateSets.cpp - Index sets -------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An index variable that runs over a set gets an axis of its own, `"j:T"`. Its set
// is the whole axis restricted by a mask, which every reduction over it applies.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Elaborate.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::SMRange;
using llvm::Twine;

/// The text of a set without white space: how we know that a set is written again.
static std::string getText(const IndexSet &set) {
  std::string text;
  for (const char *c = set.range.Start.getPointer(); c != set.range.End.getPointer(); ++c)
    if (!llvm::isSpace(*c))
      text += *c;
  return text;
}

static bool hasAnySet(const IndexSet &set) {
  return llvm::any_of(set.binders, [](const Binder &b) { return b.hasSet(); });
}

/// Resolves what a reduction, a softmax or a prefix operator runs over. Names with a
/// set are declared in the current scope, `bind` says that this scope belongs to the
/// operator alone; names without one are axes or indices that exist.
std::optional<Elaborator::Range> Elaborator::elaborateRange(const IndexSet &set, bool bind) {
  if (hasAnySet(set) && !declareIndices(set, bind))
    return std::nullopt;
  Range range;
  for (const Binder &binder : set.binders) {
    AxisInfo *axis = findAxis(binder.name.text);
    if (axis && !binder.hasSet()) {
      range.axes.push_back(axis->name);
      continue;
    }
    Index *index = findIndex(binder);
    if (!index)
      return std::nullopt;
    range.axes.push_back(index->axis);
    range.mask = emit.conjoin(range.mask, index->mask);
  }
  // A condition behind names that exist narrows their sets here.
  if (set.where && !hasAnySet(set)) {
    Operand condition = elaborate(*set.where);
    if (!requireBool(condition, set.where->range))
      return std::nullopt;
    addFacts(condition.facts);
    range.mask = emit.conjoin(range.mask, getValue(condition));
  }
  return range;
}

/// The index variable that a name without a set means.
Index *Elaborator::findIndex(const Binder &binder) {
  Symbol *symbol = lookup(binder.name.text);
  if (!symbol || symbol->kind != Symbol::IndexName) {
    auto report = error(Error::IndexWithoutSet, binder.range,
                        "'" + binder.name.text + "' is neither an axis nor an index with a set");
    report.hint("write '" + binder.name.text + " in T', where T is the axis that it runs over");
    return nullptr;
  }
  if (symbol->isBroken)
    return nullptr;
  if (symbol->index->axis.empty()) {
    StringRef name = binder.name.text;
    StringRef other = name == "s" ? "r" : "s";
    error(Error::NotASet, binder.range,
          "'" + name + "' is one position of the loop around, not a set")
        .note(symbol->name.range, "the loop")
        .hint("reduce over a set of its own, such as '" + other + " in " + symbol->index->space +
              " where " + other + " <= " + name +
              "'; a prefix operator stands outside of the loop: 'let c[" + name + " in " +
              symbol->index->space + "] = cumsum[" + name + "](...)'");
    return nullptr;
  }
  return symbol->index;
}

/// Whether the index variables of `set` are there already with the same set, so that
/// writing a set twice means one set.
bool Elaborator::findSameSet(const IndexSet &set, const std::string &text) {
  return llvm::all_of(set.binders, [&](const Binder &binder) {
    Symbol *symbol = lookup(binder.name.text);
    return symbol && symbol->kind == Symbol::IndexName && !symbol->isBroken &&
           symbol->index->setText == text && symbol->index->epoch == epoch &&
           !symbol->index->isBound;
  });
}

/// Declares the names of `set` in the current scope.
bool Elaborator::declareIndices(const IndexSet &set, bool bind) {
  std::string text = getText(set);
  if (findSameSet(set, text))
    return true;
  SmallVector<Index *> declared;
  bool ok = true;
  for (const Binder &binder : set.binders) {
    if (!binder.hasSet()) {
      error(Error::IndexWithoutSet, binder.range,
            "'" + binder.name.text + "' has no set, but its neighbours have")
          .hint("write '" + binder.name.text + " in ...'");
      ok = false;
      continue;
    }
    Index *index = declareIndex(binder);
    ok &= index != nullptr;
    if (index)
      declared.push_back(index);
  }
  Value mask;
  if (set.where && ok) {
    Operand condition = elaborate(*set.where);
    ok &= requireBool(condition, set.where->range);
    if (condition.isValid())
      mask = getValue(condition);
    addFacts(condition.facts);
  }
  for (Index *index : declared) {
    index->mask = emit.conjoin(index->mask, mask);
    index->setText = text;
    index->epoch = epoch;
    index->isBound = bind;
    lookup(index->name.text)->isBroken = !ok;
  }
  return ok;
}

/// One name of a set; its mask is what its own set says.
Index *Elaborator::declareIndex(const Binder &binder) {
  const Name &name = binder.name;
  if (Symbol *previous = lookup(name.text)) {
    if (previous->kind != Symbol::IndexName) {
      checkFresh(name);
      return nullptr;
    }
    if (previous->index->isBound) {
      error(Error::IndexInUse, name.range, "index '" + name.text + "' is in use around this place")
          .note(previous->name.range, "here")
          .hint("choose another name for the inner index");
      return nullptr;
    }
    ++epoch;
  } else if (!checkFresh(name)) {
    return nullptr;
  }
  StringRef space = findSetSpace(binder);
  if (space.empty()) {
    // Known but broken, so that its uses do not give further errors.
    declare(Symbol::IndexName, name, scopes.back())->isBroken = true;
    return nullptr;
  }
  Index &index = createIndex(name, space);
  setLocation(binder.range);
  index.position = emit.createIota(index.axis);
  Symbol *symbol = declare(Symbol::IndexName, name, scopes.back());
  symbol->index = &index;
  symbol->operand = makeValue(index.position);
  symbol->operand.linear = Linear::ofTerm(index.axis);
  addFacts(index.facts);
  if (binder.blockIndex && !restrictToBlock(binder, index)) {
    symbol->isBroken = true;
    return nullptr;
  }
  return &index;
}

/// The axis that a set is a part of.
StringRef Elaborator::findSetSpace(const Binder &binder) {
  if (!binder.blockIndex) {
    if (!binder.blockAxis.text.empty()) {
      error(Error::IndexSetExpected, binder.range, "expected '(' and a block's number");
      return "";
    }
    AxisInfo *axis = requireAxis(binder.set);
    return axis ? StringRef(axis->name) : "";
  }
  if (binder.set.text != "block") {
    error(Error::IndexSetExpected, binder.set.range,
          "'" + binder.set.text + "(...)' is not an index set")
        .hint("an index runs over an axis, 'j in T', or over a block, 'j in block(b)'");
    return "";
  }
  AxisInfo *axis = findBlockAxis(binder.blockAxis, binder.range);
  return axis ? StringRef(axis->base->name) : "";
}

/// `j in block(b)` are the positions j with j div n == b.
bool Elaborator::restrictToBlock(const Binder &binder, Index &index) {
  Operand number = elaborateBlockNumber(*binder.blockIndex, binder.blockAxis, binder.range);
  if (!number.isValid())
    return false;
  int64_t size = findBlockAxis(binder.blockAxis, binder.range)->blockSize;
  setLocation(binder.range);
  Value own = emit.create<arith::FloorDivSIOp>(index.position, emit.createInteger(size));
  index.mask = emit.compare<arith::CmpIOp>(arith::CmpIPredicate::eq, own, getValue(number));
  if (number.linear) {
    Linear ownNumber = terms.floorDivide(Linear::ofTerm(index.axis), size);
    addFacts({ownNumber - *number.linear, *number.linear - ownNumber});
  }
  return true;
}

/// The block axis that `block(...)` is about: the named one, or the only one.
AxisInfo *Elaborator::findBlockAxis(const Name &name, SMRange range) {
  if (!name.text.empty()) {
    AxisInfo *axis = requireAxis(name);
    if (axis && !axis->blockSize) {
      error(Error::NotABlockAxis, name.range, "axis '" + name.text + "' is not made of blocks")
          .hint("declare one: 'axis B = T / 64'");
      return nullptr;
    }
    return axis;
  }
  AxisInfo *found = nullptr;
  for (auto &entry : frame.axes) {
    if (!entry.second->blockSize)
      continue;
    if (found) {
      error(Error::NotABlockAxis, range, "there are several block axes")
          .hint("say which one: 'block[" + entry.getKey() + "](...)'");
      return nullptr;
    }
    found = entry.second;
  }
  if (!found)
    error(Error::NotABlockAxis, range, "'block' needs a block axis, and there is none")
        .hint("declare one: 'axis B = T / 64'");
  return found;
}

/// The number of the block that a position lies in. A number of a block (made of
/// indices over the block axis) stays what it is.
Operand Elaborator::elaborateBlockNumber(const Expr &expr, const Name &axisName, SMRange range) {
  AxisInfo *axis = findBlockAxis(axisName, range);
  Operand position = elaborate(expr);
  if (!requireInteger(position, expr.range, "a position or a block's number") || !axis)
    return {};
  bool hasNumber = false, hasPosition = false;
  if (position.linear)
    for (const auto &[term, coefficient] : position.linear->terms) {
      hasNumber |= isIndexAxis(term) && getSpace(term) == axis->name;
      hasPosition |= isIndexAxis(term) && getSpace(term) != axis->name;
    }
  if (hasNumber && hasPosition) {
    error(Error::IndexKind, expr.range,
          "this mixes a position of axis '" + axis->base->name + "' with a block's number");
    return {};
  }
  if (hasNumber)
    return position;
  setLocation(range);
  if (position.constant)
    return makeConstant(Operand::Int, std::floor(*position.constant / axis->blockSize));
  Operand number = makeValue(
      emit.create<arith::FloorDivSIOp>(position.value, emit.createInteger(axis->blockSize)));
  if (position.linear)
    number.linear = terms.floorDivide(*position.linear, axis->blockSize);
  return number;
}
