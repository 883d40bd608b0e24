//===- StepForm.cpp - What a step keeps between calls -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is kept of earlier tokens is a cut of the computation of keys: every path from
// token data to a reduction over all tokens passes a kept value. The cheapest cut is
// taken, and of those the latest: rotated keys rather than keys and angles.
//
//===----------------------------------------------------------------------===//

#include "passes/StepForm.h"
#include "passes/TilePlan.h"
#include "passes/VertexCut.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Elements of an axis whose size is not known yet, where values are compared.
static constexpr int64_t kNominalSize = 64;

Value mix::getIndexAlong(ReadOp read, StringRef space) {
  for (auto [axis, index] :
       llvm::zip(read.getAxes().getAsValueRange<StringAttr>(), read.getIndices()))
    if (axis == space)
      return index;
  return {};
}

AllWalks StepAnalysis::getBits(ArrayAttr axes) const {
  AllWalks result = 0;
  for (StringRef axis : axes.getAsValueRange<StringAttr>())
    result |= getBit(axis);
  return result;
}

AllWalks StepAnalysis::getBits(Value value) const {
  AllWalks result = 0;
  for (StringRef axis : getAxes(value))
    result |= getBit(axis);
  return result;
}

bool StepAnalysis::dependsOnTokens(Value value) {
  auto it = tokenValues.find(value);
  if (it != tokenValues.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  bool result = hasAxis(value.getType(), space);
  if (!result && op) {
    auto loop = dyn_cast<ForOp>(op);
    auto scan = dyn_cast<AffineScanOp>(op);
    result =
        (loop && loop.getSpace() == space) || (scan && getBit(scan.getAxis())) ||
        llvm::any_of(op->getOperands(), [&](Value operand) { return dependsOnTokens(operand); });
  }
  return tokenValues[value] = result;
}

StringRef StepAnalysis::getKeyVariable(Value value, AllWalks all) {
  StringRef variable;
  for (StringRef axis : getIndexAxes(getAxes(value))) {
    if (!variable.empty() || !(getBit(axis) & all) || blocks.contains(mix::getSpace(axis)))
      return {};
    variable = axis;
  }
  return variable.empty() || !dependsOnTokens(value) ? StringRef() : variable;
}

bool StepAnalysis::isOriginal(Value value, StringRef variable) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() > 0)
    return true;
  if (auto read = dyn_cast<ReadOp>(op)) {
    Value index = getIndexAlong(read, space);
    if (!index)
      return false;
    auto bind = read.getSource().getDefiningOp<BindOp>();
    return !bind || getExactIndex(index) != variable ||
           isOriginal(bind.getSource(), bind.getAxis());
  }
  return isAnchor(op);
}

void StepAnalysis::forEachOperand(Operation *op, AllWalks all,
                                  llvm::function_ref<void(unsigned, AllWalks)> fn) const {
  auto streamed = dyn_cast<StreamedReductionOp>(op);
  if (streamed) {
    auto getSource = [&](unsigned n) { return getBits(cast<ArrayAttr>(streamed.getAxes()[n])); };
    unsigned numSources = streamed.getLogits().size(), next = 0;
    for (unsigned n = 0; n < 2 * numSources; ++n)
      fn(next++, all | getSource(n % numSources));
    for (int64_t source : streamed.getSourceOf())
      fn(next++, all | getSource(source));
    return;
  }
  if (auto reduce = dyn_cast<ReduceOp>(op))
    all |= getBits(reduce.getAxes());
  else if (auto topk = dyn_cast<TopKOp>(op))
    all |= getBit(topk.getAxis());
  else if (auto largest = dyn_cast<LargestOp>(op))
    all |= getBit(largest.getAxis());
  auto read = dyn_cast<ReadOp>(op);
  for (unsigned n = 0; n < op->getNumOperands(); ++n) {
    // An index variable whose positions are read elsewhere may be anywhere.
    bool isSource = read && n == 0;
    fn(n, isSource ? all | getBits(read.getAxes()) : isa<BindOp>(op) ? 0 : all);
  }
}

//===----------------------------------------------------------------------===//
// The choice of what is kept
//===----------------------------------------------------------------------===//

/// Follows what the derivation will ask for, and collects the computation of keys.
class StepAnalysis::Planner {
public:
  explicit Planner(StepAnalysis &analysis) : analysis(analysis) {}

  void visit(Value value, AllWalks all);
  void choose();

private:
  unsigned getNode(Value value, StringRef variable);

  StepAnalysis &analysis;
  VertexCut cut;
  SmallVector<Value> values;
  llvm::DenseMap<Value, unsigned> nodeOf;
  llvm::DenseSet<std::pair<Value, AllWalks>> visited;
  llvm::DenseSet<Value> exits;
};

/// What a token costs if the value is kept, in words.
static int64_t getCost(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isInteger(1))
    return VertexCut::kNever;
  int64_t cost = isa<FloatType>(element) ? 1 : 2;
  for (auto [axis, size] :
       llvm::zip(getAxes(value), cast<RankedTensorType>(value.getType()).getShape()))
    if (!isIndexAxis(axis))
      cost *= ShapedType::isDynamic(size) ? kNominalSize : size;
  return cost;
}

/// The value at the same position that a read passes on, if it has been computed for all
/// positions before: its source, whose variable is `variable`.
static std::pair<Value, StringRef> getReadValue(Value value) {
  auto read = value.getDefiningOp<ReadOp>();
  auto bind = read ? read.getSource().getDefiningOp<BindOp>() : BindOp();
  if (!bind)
    return {};
  return {bind.getSource(), bind.getAxis()};
}

unsigned StepAnalysis::Planner::getNode(Value value, StringRef variable) {
  auto it = nodeOf.find(value);
  if (it != nodeOf.end())
    return it->second;
  unsigned node = nodeOf[value] = cut.addNode(getCost(value));
  values.push_back(value);
  if (analysis.isOriginal(value, variable)) {
    cut.addEntry(node);
    visit(value, 0);
    return node;
  }
  auto use = [&](Value operand, StringRef at) {
    if (analysis.dependsOnTokens(operand))
      cut.addEdge(getNode(operand, at), node);
  };
  // A read of another space, or of a value at another position, is followed by `visit`.
  if (auto [source, at] = getReadValue(value); source && analysis.getBit(at)) {
    use(source, at);
    return node;
  }
  Operation *op = value.getDefiningOp();
  AllWalks all = analysis.getBit(variable);
  analysis.forEachOperand(op, all, [&](unsigned n, AllWalks walks) {
    Value operand = op->getOperand(n);
    StringRef at = analysis.getKeyVariable(operand, walks & analysis.getBits(operand));
    if (!at.empty())
      use(operand, at);
    else
      visit(operand, walks);
  });
  return node;
}

void StepAnalysis::Planner::visit(Value value, AllWalks all) {
  all &= analysis.getBits(value);
  if (!visited.insert({value, all}).second)
    return;
  if (StringRef variable = analysis.getKeyVariable(value, all); !variable.empty()) {
    unsigned node = getNode(value, variable);
    if (exits.insert(value).second)
      cut.addExit(node);
    return;
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return;
  analysis.forEachOperand(op, all,
                          [&](unsigned n, AllWalks walks) { visit(op->getOperand(n), walks); });
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (inner != op && !op->isAncestor(operand.getParentBlock()->getParentOp()))
        visit(operand, 0);
  });
}

void StepAnalysis::Planner::choose() {
  for (unsigned node : cut.solve())
    analysis.kept.insert(values[node]);
}

StepAnalysis::StepAnalysis(func::FuncOp mixer, StringRef space, const BlockSizes &blocks)
    : mixer(mixer), space(space), blocks(blocks) {
  mixer.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      for (StringRef axis : getIndexAxes(getAxes(type)))
        if ((mix::getSpace(axis) == space || blocks.contains(mix::getSpace(axis))) &&
            !bits.contains(axis))
          bits[axis] = numVariables++ < kMostVariables ? AllWalks(1) << (numVariables - 1) : 0;
  });
  if (hasTooManyVariables())
    return;
  Planner planner(*this);
  for (Value value : mixer.getBody().front().getTerminator()->getOperands())
    planner.visit(value, 0);
  planner.choose();
}
