//===- Strata.cpp - The strata of a recurrence and their classes ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Strata.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Blocks.h"
#include "passes/Build.h"

using namespace mlir;
using mix::algebra::AxisSet;
using mix::algebra::Classification;
using mix::algebra::LinearForm;
using mix::algebra::LinearTerm;
using mix::algebra::Symbol;

namespace mix {

/// One bit per state; its snapshot counts as the state.
static Dependence getStateDependence(ForOp loop) {
  SmallVector<std::pair<Value, unsigned>> roots;
  for (unsigned n = 0; n < loop.getNumStates(); ++n) {
    roots.emplace_back(loop.getState(n), n);
    if (loop.getBlock())
      roots.emplace_back(loop.getFrozen(n), n);
  }
  return Dependence(loop.getBody().front(), roots, loop.getNumStates());
}

Stratification::Stratification(ForOp loop, Coefficients &coefficients)
    : loop(loop), yield(loop.getBody().front().getTerminator()), coefficients(coefficients),
      dependence(getStateDependence(loop)) {
  if (loop.getBlock()) {
    // The snapshots tie all states of the loop together.
    Stratum all;
    all.states = llvm::to_vector(llvm::seq<unsigned>(0, loop.getNumStates()));
    all.scanClass = chooseCarried(loop) ? ScanClass::Blocked : ScanClass::Sequential;
    all.reason = ("the states are read as they were at the start of a block of " +
                  Twine(*loop.getBlock()) + " positions at " + describeLocation(loop.getLoc()))
                     .str();
    strata.push_back(std::move(all));
    levelOfState.assign(loop.getNumStates(), 0);
    return;
  }
  // States whose elements others take share a scan with them, if there is one.
  llvm::SmallBitVector alone(loop.getNumStates());
  do {
    coefficients.clearOpaque();
    order(alone);
    for (unsigned level = 0; level < strata.size(); ++level) {
      classify(level);
      coefficients.addOpaque(getExports(level));
    }
  } while (separate(alone));
  joinLoops();
}

llvm::SmallBitVector Stratification::getFocus(ArrayRef<unsigned> states) const {
  llvm::SmallBitVector focus(levelOfState.size());
  for (unsigned state : states)
    focus.set(state);
  return focus;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

namespace {
/// Which states' elements a value of the body is made of, contractions aside.
class ElementwiseUse {
public:
  ElementwiseUse(ForOp loop, const Dependence &dependence) : numStates(loop.getNumStates()) {
    for (unsigned n = 0; n < numStates; ++n)
      whole[loop.getState(n)] = dependence.get(loop.getState(n));
    for (Operation &op : loop.getBody().front()) {
      llvm::SmallBitVector all(numStates);
      for (Value operand : op.getOperands())
        all |= get(operand);
      if (!isa<ReduceOp>(op))
        for (Value result : op.getResults())
          whole[result] = all;
    }
  }
  llvm::SmallBitVector get(Value value) const {
    auto it = whole.find(value);
    return it == whole.end() ? llvm::SmallBitVector(numStates) : it->second;
  }

private:
  unsigned numStates;
  DenseMap<Value, llvm::SmallBitVector> whole;
};
} // namespace

/// Pairs of states (a, b) where a contraction of `a` meets the elements of `b` in
/// one op. If `a` comes first, its contraction is a coefficient of `b`; the other
/// way round, `b` itself would have to be stored for every token.
static SmallVector<llvm::SmallBitVector> getPreferences(ForOp loop, const Dependence &dependence,
                                                        const ElementwiseUse &elementwise) {
  unsigned numStates = loop.getNumStates();
  SmallVector<llvm::SmallBitVector> before(numStates, llvm::SmallBitVector(numStates));
  for (Operation &op : loop.getBody().front().without_terminator())
    for (Value first : op.getOperands())
      for (Value second : op.getOperands()) {
        llvm::SmallBitVector contracted = dependence.get(first), met = elementwise.get(second);
        contracted.reset(elementwise.get(first)).reset(dependence.get(second));
        met.reset(dependence.get(first));
        for (unsigned state : contracted.set_bits())
          before[state] |= met;
      }
  return before;
}

/// Finds the strongly connected components and puts them in order. A state whose elements
/// another one of its type takes needs that one too, unless it is to stay alone.
void Stratification::order(const llvm::SmallBitVector &alone) {
  unsigned numStates = loop.getNumStates();
  ElementwiseUse elementwise(loop, dependence);
  SmallVector<llvm::SmallBitVector> needs;
  for (unsigned n = 0; n < numStates; ++n)
    needs.push_back(dependence.get(getNext(n)));
  for (unsigned n = 0; n < numStates; ++n)
    for (unsigned taken : elementwise.get(getNext(n)).set_bits())
      if (!alone.test(taken) && loop.getState(taken).getType() == loop.getState(n).getType())
        needs[taken].set(n);
  for (unsigned via = 0; via < numStates; ++via)
    for (llvm::SmallBitVector &row : needs)
      if (row.test(via))
        row |= needs[via];
  auto areTied = [&](unsigned a, unsigned b) {
    return a == b || (needs[a].test(b) && needs[b].test(a));
  };

  SmallVector<llvm::SmallBitVector> before = getPreferences(loop, dependence, elementwise);
  strata.clear();
  llvm::SmallBitVector done(numStates);
  levelOfState.assign(numStates, -1);
  while (!done.all()) {
    int chosen = -1;
    for (bool strict : {true, false})
      for (unsigned n = 0; n < numStates && chosen < 0; ++n) {
        auto mustWait = [&](unsigned other) {
          if (done.test(other) || areTied(n, other))
            return false;
          return needs[n].test(other) || (strict && before[other].test(n));
        };
        if (!done.test(n) && llvm::none_of(llvm::seq(0u, numStates), mustWait))
          chosen = n;
      }
    Stratum stratum;
    for (unsigned n = 0; n < numStates; ++n)
      if (areTied(chosen, n)) {
        stratum.states.push_back(n);
        levelOfState[n] = strata.size();
        done.set(n);
      }
    strata.push_back(std::move(stratum));
  }
}

int Stratification::getLevel(Value value) const {
  int level = -1;
  for (unsigned state : dependence.get(value).set_bits())
    level = std::max(level, levelOfState[state]);
  return level;
}

bool Stratification::isExpansion(Value value) const {
  Operation *op = value.getDefiningOp();
  if (!op || (!isa<BroadcastOp>(op) && !OpTrait::hasElementwiseMappableTraits(op)))
    return false;
  int level = getLevel(value);
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return getLevel(operand) < level ||
           getAxes(stripBroadcasts(operand)).size() < getAxes(value).size();
  });
}

bool Stratification::isUsedAbove(Value value, int level) {
  Block &body = loop.getBody().front();
  return llvm::any_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = body.findAncestorOpInBlock(*use.getOwner());
    if (user == yield) {
      unsigned n = use.getOperandNumber();
      return n >= levelOfState.size() || levelOfState[n] > level;
    }
    return llvm::any_of(user->getResults(), [&](Value result) {
      return getLevel(result) > level || (isExpansion(result) && isUsedAbove(result, level));
    });
  });
}

SmallVector<Value> Stratification::getExports(int level) {
  auto isExport = [&](Value value) {
    return getLevel(value) == level && !isExpansion(value) && isUsedAbove(value, level);
  };
  SmallVector<Value> exports;
  Block &body = loop.getBody().front();
  llvm::copy_if(body.getArguments(), std::back_inserter(exports), isExport);
  for (Operation &op : body.without_terminator())
    llvm::copy_if(op.getResults(), std::back_inserter(exports), isExport);
  return exports;
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

DenseMap<Value, Symbol> Stratification::getSymbols(ArrayRef<unsigned> states, bool after) {
  DenseMap<Value, Symbol> symbols;
  llvm::SmallBitVector focus = getFocus(states);
  for (unsigned state : states) {
    AxisSet axes = AxisSet::of(getAxes(loop.getState(state)));
    symbols[loop.getState(state)] = {2 * state, axes};
    if (after && dependence.get(getNext(state)).anyCommon(focus))
      symbols.try_emplace(getNext(state), Symbol{2 * state + 1, axes});
  }
  return symbols;
}

/// Whether the states enter their updates only through `max`, and `+` with values
/// that do not depend on them.
bool Stratification::isMaxPlus(const Stratum &stratum) {
  llvm::SmallBitVector focus = getFocus(stratum.states);
  auto isFree = [&](Value value) { return !dependence.get(value).anyCommon(focus); };
  SmallVector<Value> pending =
      llvm::map_to_vector(stratum.states, [&](unsigned state) { return getNext(state); });
  llvm::DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (isFree(value) || isa<BlockArgument>(value) || !seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    bool isMax = isa<arith::MaximumFOp, arith::MaxNumFOp>(op);
    bool isShift = isa<arith::AddFOp>(op) && llvm::any_of(op->getOperands(), isFree);
    bool isDifference = isa<arith::SubFOp>(op) && isFree(op->getOperand(1));
    bool isChoice = isa<arith::SelectOp>(op) && isFree(op->getOperand(0));
    if (!isMax && !isShift && !isDifference && !isChoice)
      return false;
    llvm::append_range(pending, op->getOperands());
  }
  return true;
}

/// Splits what an export needs into the largest values that are affine in the state.
void Stratification::collectReadings(BodyForms &forms, Value value, int level, Stratum &stratum) {
  SmallVector<Value> pending = {value};
  llvm::DenseSet<Value> seen;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (getLevel(next) != level || !seen.insert(next).second)
      continue;
    if (std::optional<LinearForm> form = forms.get(next)) {
      stratum.readings.insert({next, *form});
      continue;
    }
    next.getDefiningOp()->walk(
        [&](Operation *nested) { llvm::append_range(pending, nested->getOperands()); });
  }
}

void Stratification::classify(unsigned level) {
  Stratum &stratum = strata[level];
  llvm::SmallBitVector focus = getFocus(stratum.states);
  auto getName = [&](unsigned state) {
    return "'" + cast<StringAttr>(loop.getStates()[state]).getValue().str() + "'";
  };
  auto beLoop = [&](ScanClass scanClass, const Twine &reason, Location loc) {
    stratum.scanClass = scanClass;
    stratum.reason = (reason + " at " + describeLocation(loc)).str();
  };
  unsigned state = stratum.states.front();
  Block &body = loop.getBody().front();

  BodyForms updates(body, coefficients, dependence, focus, getSymbols(stratum.states, false));
  bool isElementwise = true;
  for (unsigned n : stratum.states) {
    std::optional<LinearForm> form = updates.get(getNext(n));
    if (form) {
      isElementwise &= llvm::all_of(form->terms, [](auto &term) { return term.reduced.empty(); });
      continue;
    }
    if (isMaxPlus(stratum))
      return beLoop(ScanClass::MaxStabilised, "state " + getName(n) + " enters a maximum",
                    getNext(n).getLoc());
    Obstacle obstacle = updates.getObstacle(getNext(n));
    return beLoop(ScanClass::Sequential, "state " + getName(state) + " " + obstacle.text,
                  obstacle.op ? obstacle.op->getLoc() : loop.getLoc());
  }
  auto hasTypeOfFirst = [&](unsigned n) {
    return loop.getState(n).getType() == loop.getState(state).getType();
  };
  if (auto it = llvm::find_if_not(stratum.states, hasTypeOfFirst); it != stratum.states.end())
    return beLoop(isElementwise ? ScanClass::Elementwise : ScanClass::Sequential,
                  "states " + getName(state) + " and " + getName(*it) +
                      " need each other and have different axes",
                  getNext(state).getLoc());

  DenseMap<Value, Symbol> symbols = getSymbols(stratum.states, true);
  BodyForms readings(body, coefficients, dependence, focus, symbols);
  for (Value value : getExports(level))
    collectReadings(readings, value, level, stratum);
  std::vector<LinearTerm> queries;
  for (auto &[value, form] : stratum.readings)
    queries.insert(queries.end(), form.terms.begin(), form.terms.end());
  std::vector<Symbol> states;
  std::vector<LinearForm> forms;
  for (unsigned n : stratum.states) {
    states.push_back(symbols.lookup(loop.getState(n)));
    forms.push_back(*updates.get(getNext(n)));
  }
  Classification result = algebra::classify(coefficients.getPool(), states, forms, queries);
  stratum.isAffine = result.kind == Classification::Affine;
  stratum.scans = std::move(result.scans);
  if (stratum.isAffine)
    return;
  // The coefficient that stands in the way is the best place to point at.
  Location place = getNext(state).getLoc();
  if (result.culprit && result.culprit->kind == algebra::ExprKind::Atom)
    place = coefficients.getValue(result.culprit->atom).getLoc();
  bool isSequential = result.kind == Classification::Sequential;
  std::string names = "state " + getName(state);
  if (stratum.states.size() > 1)
    names = "states " + getName(state) + " and " + getName(stratum.states[1]);
  beLoop(isSequential ? ScanClass::Sequential : ScanClass::Elementwise,
         names + ": " + result.reason, place);
}

/// Marks the states of joined strata that have no scan. Whether there were any.
bool Stratification::separate(llvm::SmallBitVector &alone) const {
  llvm::SmallBitVector before = alone;
  for (const Stratum &stratum : strata)
    if (!stratum.isAffine && stratum.states.size() > 1)
      for (unsigned state : stratum.states)
        alone.set(state);
  return alone != before;
}

/// Neighbours that run element by element share one loop, so that what one makes
/// and the next needs at the same token never leaves it.
void Stratification::joinLoops() {
  auto canJoin = [](const Stratum &stratum) {
    return !stratum.isAffine && stratum.scanClass != ScanClass::Sequential;
  };
  SmallVector<Stratum> joined;
  for (Stratum &stratum : strata) {
    if (joined.empty() || !canJoin(joined.back()) || !canJoin(stratum)) {
      joined.push_back(std::move(stratum));
      continue;
    }
    llvm::append_range(joined.back().states, stratum.states);
    joined.back().reason += "; " + stratum.reason;
    joined.back().scanClass = std::max(joined.back().scanClass, stratum.scanClass);
  }
  strata = std::move(joined);
  for (auto [level, stratum] : llvm::enumerate(strata))
    for (unsigned state : stratum.states)
      levelOfState[state] = level;
}

} // namespace mix
