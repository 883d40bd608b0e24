//===- Layouts.cpp - The choice of lane axes of a phase ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Layouts.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix::cpu;

/// How often a loop is assumed to run if its bounds are not known.
static constexpr double kUnknownTrips = 16;
/// Rounds of descent; two or three suffice.
static constexpr int kMostRounds = 8;

/// The whole phase counts.
static bool everyDecision(unsigned) { return true; }

/// How often a block runs for one run of the phase.
static double getWeight(Block *block) {
  double weight = 1;
  for (Operation *op = block->getParentOp(); op && !isa<func::FuncOp>(op); op = op->getParentOp()) {
    auto loop = dyn_cast<scf::ForOp>(op);
    if (!loop)
      continue;
    APInt lower, upper, step;
    bool isKnown = matchPattern(loop.getLowerBound(), m_ConstantInt(&lower)) &&
                   matchPattern(loop.getUpperBound(), m_ConstantInt(&upper)) &&
                   matchPattern(loop.getStep(), m_ConstantInt(&step)) && step.isStrictlyPositive();
    weight *= isKnown ? std::max<double>(0, (upper - lower).getSExtValue()) / step.getSExtValue()
                      : kUnknownTrips;
  }
  return weight;
}

Layouts::Layouts(func::FuncOp phase, int64_t lanes) {
  collect(phase, lanes);
  findAxes();
  best.assign(decisions.size(), 0);
  descend(best);
  double least = getCycles(best);
  for (auto &member : axes) {
    if (!member->isLeader())
      continue;
    Choice choice = prefer(&member->getData());
    descend(choice);
    if (double cycles = getCycles(choice); cycles < least) {
      least = cycles;
      best = choice;
    }
  }
  descendTogether(best);
}

void Layouts::collect(func::FuncOp phase, int64_t lanes) {
  phase.walk<WalkOrder::PreOrder>([&](Operation *op) {
    appendLayoutDecisions(op, lanes, decisions);
    // The body of a structured op works on elements.
    return isa<linalg::LinalgOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
  for (auto [number, decision] : llvm::enumerate(decisions)) {
    for (auto [index, made] : llvm::enumerate(decision.makes)) {
      numbers[made] = tiles.size();
      Tile tile{made, {(unsigned)number, (unsigned)index}, {}, 0};
      if (!isLayoutFree(made))
        tile.transposeCycles = getWeight(made.getParentBlock()) *
                               getTransposeCycles(cast<RankedTensorType>(made.getType()), lanes);
      tiles.push_back(tile);
    }
    Operation *op = decision.makes.empty() ? decision.uses.front()->getOwner()
                                           : decision.makes.front().getParentBlock()->getParentOp();
    Block *block =
        decision.makes.empty() ? op->getBlock() : decision.makes.front().getParentBlock();
    weights.push_back(getWeight(block));
  }
  tilesOf.resize(decisions.size());
  for (auto [number, decision] : llvm::enumerate(decisions)) {
    llvm::SmallSetVector<unsigned, 8> involved;
    auto involve = [&](Value tile) {
      // A tile that costs nothing in any layout connects nobody.
      if (tiles[getNumber(tile)].transposeCycles > 0)
        involved.insert(getNumber(tile));
    };
    llvm::for_each(decision.makes, involve);
    for (auto [index, use] : llvm::enumerate(decision.uses)) {
      Role role{(unsigned)number, (unsigned)index};
      roles[use] = role;
      tiles[getNumber(use->get())].users.push_back(role);
      involve(use->get());
    }
    tilesOf[number].assign(involved.begin(), involved.end());
  }
}

void Layouts::findAxes() {
  for (const LayoutDecision &decision : decisions)
    for (const LayoutAlternative &alternative : decision.alternatives) {
      if (!alternative.isOneAxis)
        continue;
      SmallVector<Axis> same;
      for (auto [made, axis] : llvm::zip_equal(decision.makes, alternative.made))
        same.push_back({getNumber(made), axis});
      for (auto [use, axis] : llvm::zip_equal(decision.uses, alternative.wanted))
        if (axis != kAnyAxis)
          same.push_back({getNumber(use->get()), axis});
      for (const Axis &axis : same)
        axes.unionSets(same.front(), axis);
    }
}

int64_t Layouts::getMade(const Choice &choice, const Tile &tile) const {
  return get(choice, tile.maker.decision).made[tile.maker.index];
}

int64_t Layouts::getWanted(const Choice &choice, Role user) const {
  return get(choice, user.decision).wanted[user.index];
}

double Layouts::getTransposes(const Choice &choice, const Tile &tile, IsIncluded isIncluded) const {
  if (!isIncluded(tile.maker.decision))
    return 0;
  uint64_t present = uint64_t(1) << getMade(choice, tile);
  double cycles = 0;
  for (Role user : tile.users) {
    int64_t wanted = isIncluded(user.decision) ? getWanted(choice, user) : kAnyAxis;
    if (wanted == kAnyAxis || (present >> wanted & 1))
      continue;
    present |= uint64_t(1) << wanted;
    cycles += tile.transposeCycles;
  }
  return cycles;
}

double Layouts::getCycles(const Choice &choice, unsigned decision, IsIncluded isIncluded) const {
  double cycles = weights[decision] * get(choice, decision).cycles;
  for (unsigned tile : tilesOf[decision])
    cycles += getTransposes(choice, tiles[tile], isIncluded);
  return cycles;
}

double Layouts::getCycles(const Choice &choice) const {
  double cycles = 0;
  for (unsigned decision = 0; decision < decisions.size(); ++decision)
    cycles += weights[decision] * get(choice, decision).cycles;
  for (const Tile &tile : tiles)
    cycles += getTransposes(choice, tile, everyDecision);
  return cycles;
}

Layouts::Choice Layouts::prefer(const Axis *leader) const {
  Choice choice(decisions.size(), 0);
  auto isPreferred = [&](Value tile, int64_t axis) {
    Axis key{getNumber(tile), axis};
    auto found = axes.findLeader(key);
    return found != axes.member_end() && *found == *leader;
  };
  for (auto [number, decision] : llvm::enumerate(decisions))
    for (auto [index, alternative] : llvm::enumerate(decision.alternatives)) {
      bool fits = alternative.isOneAxis;
      for (auto [made, axis] : llvm::zip_equal(decision.makes, alternative.made))
        fits = fits && isPreferred(made, axis);
      for (auto [use, axis] : llvm::zip_equal(decision.uses, alternative.wanted))
        fits = fits && (axis == kAnyAxis || isPreferred(use->get(), axis));
      if (!fits)
        continue;
      choice[number] = index;
      break;
    }
  return choice;
}

unsigned Layouts::getBest(Choice &choice, unsigned decision, IsIncluded isIncluded) const {
  unsigned before = choice[decision], best = before;
  double least = getCycles(choice, decision, isIncluded);
  for (unsigned index = 0; index < decisions[decision].alternatives.size(); ++index) {
    choice[decision] = index;
    if (double cycles = getCycles(choice, decision, isIncluded); cycles < least) {
      least = cycles;
      best = index;
    }
  }
  choice[decision] = before;
  return best;
}

void Layouts::descend(Choice &choice) const {
  bool changed = true;
  for (int round = 0; changed && round < kMostRounds; ++round) {
    changed = false;
    for (unsigned decision = 0; decision < decisions.size(); ++decision) {
      unsigned chosen = getBest(choice, decision, everyDecision);
      changed |= chosen != choice[decision];
      choice[decision] = chosen;
    }
  }
}

void Layouts::forEachNeighbour(unsigned decision, llvm::function_ref<void(unsigned)> visit) const {
  for (unsigned number : tilesOf[decision]) {
    visit(tiles[number].maker.decision);
    for (Role user : tiles[number].users)
      visit(user.decision);
  }
}

void Layouts::decide(Choice &choice, unsigned decision, unsigned alternative) const {
  llvm::SmallSetVector<unsigned, 16> decided;
  decided.insert(decision);
  choice[decision] = alternative;
  for (unsigned next = 0; next < decided.size(); ++next)
    forEachNeighbour(decided[next], [&](unsigned neighbour) {
      if (decided.contains(neighbour))
        return;
      // What is still undecided may follow, so that it does not count.
      unsigned chosen = getBest(choice, neighbour, [&](unsigned other) {
        return other == neighbour || decided.contains(other);
      });
      if (chosen == choice[neighbour])
        return;
      choice[neighbour] = chosen;
      decided.insert(neighbour);
    });
  // Where the others have not followed, some are better off as they were.
  for (unsigned follower : decided)
    forEachNeighbour(follower, [&](unsigned neighbour) {
      choice[neighbour] = getBest(choice, neighbour, everyDecision);
    });
}

void Layouts::descendTogether(Choice &choice) const {
  double least = getCycles(choice);
  bool changed = true;
  for (int round = 0; changed && round < kMostRounds; ++round) {
    changed = false;
    for (unsigned decision = 0; decision < decisions.size(); ++decision)
      for (unsigned index = 0; index < decisions[decision].alternatives.size(); ++index) {
        if (index == choice[decision])
          continue;
        Choice trial(choice);
        decide(trial, decision, index);
        if (trial == choice)
          continue;
        double cycles = getCycles(trial);
        if (cycles >= least)
          continue;
        least = cycles;
        choice = trial;
        changed = true;
      }
  }
}

int64_t Layouts::getAxis(Value tile) const {
  auto it = numbers.find(tile);
  return it == numbers.end() ? getDefaultAxis(tile) : getMade(best, tiles[it->second]);
}

int64_t Layouts::getWantedAxis(OpOperand &use) const {
  auto it = roles.find(&use);
  return it == roles.end() ? kAnyAxis : getWanted(best, it->second);
}
