//===- EvaluateLoops.cpp - Recurrences of the reference evaluator -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Evaluator.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

Expected<Tensors> Evaluator::evaluateInitial(InitialOp op) {
  auto it = givenStates.find(op.getName());
  if (it == givenStates.end())
    return Tensors{get(op.getSource())};
  return Tensors{Tensor::make(it->second.shape, it->second.data)};
}

/// The ops of a loop body whose results may change from one position to the next.
/// The others are evaluated at the first position only.
static SmallVector<Operation *> getVaryingOps(Block &body) {
  SmallVector<Operation *> varying;
  llvm::DenseSet<Value> changing(body.args_begin(), body.args_end());
  for (Operation &op : body.without_terminator()) {
    bool changes = op.getNumRegions() > 0 || llvm::any_of(op.getOperands(), [&](Value operand) {
                     return changing.contains(operand);
                   });
    if (!changes)
      continue;
    varying.push_back(&op);
    changing.insert(op.result_begin(), op.result_end());
  }
  return varying;
}

Evaluator::Range Evaluator::getRange(StringRef axis) const {
  return block ? *block : Range{0, sizes.lookup(axis).value_or(0)};
}

Tensors Evaluator::getAll(ValueRange values) {
  Tensors tensors;
  for (Value value : values)
    tensors.push_back(get(value));
  return tensors;
}

Tensors Evaluator::makeEmpty(ValueRange values) {
  Tensors tensors;
  for (Value value : values)
    tensors.push_back(Tensor::make(getShape(value)));
  return tensors;
}

Expected<Tensors> Evaluator::evaluateFor(ForOp op) {
  Block &body = op.getBody().front();
  unsigned numStates = op.getNumStates();
  Tensors states = getAll(op.getInits()), outputs = makeEmpty(op.getOutputs());
  if (!sizes.lookup(op.getSpace()))
    return errorAt(op, "no input has the axis '" + op.getSpace() + "'");

  SmallVector<Operation *> varying = getVaryingOps(body);
  auto all = llvm::make_pointer_range(body.without_terminator());
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  Range range = getRange(op.getSpace());
  for (int64_t t = range.begin; t < range.end; ++t) {
    set(op.getPosition(), Tensor::scalar(t));
    for (unsigned n = 0; n < numStates; ++n)
      set(op.getState(n), states[n]);
    if (op.getBlock() && t % *op.getBlock() == 0)
      for (unsigned n = 0; n < numStates; ++n)
        set(op.getFrozen(n), states[n]);
    for (Operation *inner : t == range.begin ? llvm::to_vector(all) : varying)
      if (Error error = run(inner))
        return error;
    for (unsigned n = 0; n < numStates; ++n)
      states[n] = get(yielded[n]);
    for (auto [value, output] : llvm::zip(yielded.drop_front(numStates), outputs)) {
      std::vector<double> row = get(value).elements();
      llvm::copy(row, output.data() + t * row.size());
    }
  }
  llvm::append_range(states, outputs);
  return states;
}

/// The body at all positions, once per block, of whose rows those of the block are taken.
Expected<Tensors> Evaluator::evaluateForBlocks(ForBlocksOp op) {
  Block &body = op.getBody().front();
  unsigned numStates = op.getNumStates();
  Tensors states = getAll(op.getInits()), outputs = makeEmpty(op.getOutputs());
  std::optional<int64_t> size = sizes.lookup(op.getSpace());
  if (!size)
    return errorAt(op, "no input has the axis '" + op.getSpace() + "'");

  SmallVector<Operation *> varying = getVaryingOps(body);
  auto all = llvm::make_pointer_range(body.without_terminator());
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  for (int64_t begin = 0; begin < *size; begin += op.getBlock()) {
    block = Range{begin, std::min(*size, begin + (int64_t)op.getBlock())};
    for (auto [argument, state] : llvm::zip(body.getArguments(), states))
      set(argument, state);
    for (Operation *inner : begin == 0 ? llvm::to_vector(all) : varying)
      if (Error error = run(inner))
        return error;
    for (unsigned n = 0; n < numStates; ++n)
      states[n] = get(yielded[n]);
    for (auto [value, output] : llvm::zip(yielded.drop_front(numStates), outputs)) {
      std::vector<double> rows = get(value).elements();
      int64_t row = rows.size() / *size;
      std::copy(rows.begin() + begin * row, rows.begin() + block->end * row,
                output.data() + begin * row);
    }
  }
  block.reset();
  llvm::append_range(states, outputs);
  return states;
}

//===----------------------------------------------------------------------===//
// Normal forms
//===----------------------------------------------------------------------===//

Expected<Tensors> Evaluator::evaluateAffineScan(AffineScanOp op) {
  Axes stateAxes = getAxes(op.getInits().front());
  Axes free = without(stateAxes, toAxes(op.getContracted()));
  Shape stateShape = getShape(stateAxes), freeShape = getShape(free);
  Shape alongState = contiguousStrides(stateShape);
  Shape freeStrides = contiguousStrides(freeShape);
  Shape freeAlongState = mix::stridesAlong(stateAxes, free, freeStrides);
  using Vector = std::vector<double>;

  std::vector<Vector> states;
  for (Value init : op.getInits())
    states.push_back(get(init).elements());
  Tensors outputs;
  for (Value output : op.getOutputs())
    outputs.push_back(Tensor::make(getShape(output)));

  /// Where the elements of a per-token operand of token `t` start.
  auto atToken = [&](Value operand, int64_t t) {
    return get(operand).data() + t * stridesAlong({op.getAxis()}, operand)[0];
  };
  // sum over X of factor[t] * S, over the axes Y.
  auto contract = [&](Value factor, const Vector &state, int64_t t, double *result) {
    const double *x = atToken(factor, t);
    Shape strides = stridesAlong(stateAxes, factor);
    forEachElement<3>(stateShape, {alongState.data(), strides.data(), freeAlongState.data()},
                      [&](auto at) { result[at[2]] += x[at[1]] * state[at[0]]; });
  };
  // sum[y..] += operand[t, y..] * factor[y..]
  auto accumulate = [&](Value operand, int64_t t, const Vector *factor, double *sum) {
    const double *x = atToken(operand, t);
    Shape strides = stridesAlong(free, operand);
    forEachElement<2>(freeShape, {freeStrides.data(), strides.data()},
                      [&](auto at) { sum[at[0]] += x[at[1]] * (factor ? (*factor)[at[0]] : 1.0); });
  };
  // factor[t] * S, over the axes of the states.
  auto scale = [&](Value factor, int64_t t, const Vector &state) {
    const double *x = atToken(factor, t);
    Shape strides = stridesAlong(stateAxes, factor);
    Vector result(state.size());
    forEachElement<2>(stateShape, {alongState.data(), strides.data()},
                      [&](auto at) { result[at[0]] = x[at[1]] * state[at[0]]; });
    return result;
  };
  auto add = [](Vector &sum, const Vector &addend) {
    for (auto [total, element] : llvm::zip(sum, addend))
      total += element;
  };

  int64_t numFree = countElements(freeShape);
  Range range = getRange(op.getAxis());
  for (int64_t t = range.begin; t < range.end; ++t) {
    auto query = [&](bool after) {
      for (auto [n, factor] : llvm::enumerate(op.getQueries()))
        if (op.getAfter()[n] == after)
          contract(factor, states[op.getStateOfQuery(n)], t, outputs[n].data() + t * numFree);
    };
    query(/*after=*/false);
    // r_p = sum over X of reads_p[t] * S
    std::vector<Vector> reads(op.getReads().size(), Vector(numFree, 0.0));
    for (auto [n, read] : llvm::enumerate(op.getReads()))
      contract(read, states[op.getStateOfRead(n)], t, reads[n].data());
    // y_m = values_m[t] + sum over p of coef_(m,p)[t] * r_p
    std::vector<Vector> updates(op.getLefts().size(), Vector(numFree, 0.0));
    for (auto [value, y] : llvm::zip(op.getValues(), updates))
      accumulate(value, t, nullptr, y.data());
    for (auto [coef, row, col] : llvm::zip(op.getCoefs(), op.getCoefRows(), op.getCoefCols()))
      accumulate(coef, t, &reads[col], updates[row].data());
    // Z = the states, then lefts_m[t] * y_m
    std::vector<Vector> mixed = states;
    for (auto [leftValue, update] : llvm::zip(op.getLefts(), updates)) {
      const Vector &y = update;
      const double *left = atToken(leftValue, t);
      Shape strides = stridesAlong(stateAxes, leftValue);
      Vector &product = mixed.emplace_back(states.front().size());
      forEachElement<3>(stateShape, {alongState.data(), strides.data(), freeAlongState.data()},
                        [&](auto at) { product[at[0]] = left[at[1]] * y[at[2]]; });
    }
    if (op.getNumStates() > 1) {
      // S_i' = sum over c of mix_(i,c)[t] * Z_c
      for (Vector &state : states)
        llvm::fill(state, 0.0);
      for (auto [mix, row, col] : llvm::zip(op.getMixes(), op.getMixRows(), op.getMixCols()))
        add(states[row], scale(mix, t, mixed[col]));
    } else {
      // S' = decay[t] * S + sum over m of lefts_m[t] * y_m
      if (op.getDecay())
        states[0] = scale(op.getDecay(), t, states[0]);
      for (const Vector &product : llvm::drop_begin(mixed))
        add(states[0], product);
    }
    query(/*after=*/true);
  }
  Tensors results;
  for (Vector &state : states)
    results.push_back(Tensor::make(stateShape, std::move(state)));
  llvm::append_range(results, outputs);
  return results;
}
