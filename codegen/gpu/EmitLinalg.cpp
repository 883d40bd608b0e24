//===- EmitLinalg.cpp - Elementwise work and reductions ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/LinalgLoops.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

SmallVector<Value> PhaseEmitter::LinalgLoops::getPosition(KernelBuilder &k, unsigned operand,
                                                          ArrayRef<Value> position) const {
  const Access &access = accesses[operand];
  SmallVector<Value> at;
  for (auto [constant, row] : llvm::zip_equal(access.constants, access.coefficients)) {
    Value sum = k.constant(constant);
    for (auto [loop, coefficient] : llvm::enumerate(row))
      if (coefficient)
        sum = k.add(sum, k.scale(position[loop], coefficient));
    at.push_back(sum);
  }
  return at;
}

LogicalResult PhaseEmitter::emitLinalg(linalg::LinalgOp op) {
  LinalgLoops loops(op);
  FailureOr<SmallVector<Access>> accesses = getAccesses(op);
  if (failed(accesses))
    return op->emitError("the GPU targets need indexing maps that are linear in the loops");
  loops.accesses = std::move(*accesses);
  loops.sizes = op.getStaticLoopRanges();
  if (llvm::any_of(loops.sizes, ShapedType::isDynamic))
    return op->emitError("the GPU targets need tiles of static shape");
  loops.kinds = op.getIteratorTypesArray();
  SmallVector<Span> reads, writes;
  for (Value operand : op->getOperands()) {
    Tile tile;
    if (isa<RankedTensorType>(operand.getType()))
      tile = getTile(operand);
    else
      tile.splat = getScalar(operand);
    reads.push_back(tile.span);
    loops.operands.push_back(std::move(tile));
  }
  op.getBlock()->walk(
      [&](tensor::ExtractOp gather) { reads.push_back(getTile(gather.getTensor()).span); });
  for (Value result : op->getResults()) {
    loops.results.push_back(tiles[result] = getHome(result));
    writes.push_back(loops.results.back().span);
  }
  for (unsigned loop = 0; loop < loops.sizes.size(); ++loop)
    if (loops.kinds[loop] == utils::IteratorType::reduction)
      for (unsigned out = op.getNumDpsInputs(); out < loops.accesses.size(); ++out)
        if (loops.accesses[out].usesLoop(loop))
          return op->emitError("expects no output that varies along a reduction");
  access(reads, writes);
  if (op.getNumLoops() == op.getNumParallelLoops())
    emitParallel(loops);
  else
    emitReduction(loops);
  return success();
}

/// The body at one position of the loops. `outs` are the values of outputs so far; without
/// any, they are read.
SmallVector<Value> PhaseEmitter::emitBody(LinalgLoops &loops, ArrayRef<Value> position,
                                          ValueRange outs) {
  Block *body = loops.op.getBlock();
  unsigned numInputs = loops.op.getNumDpsInputs();
  IRMapping values(scalars);
  for (BlockArgument arg : body->getArguments()) {
    unsigned operand = arg.getArgNumber();
    if (arg.use_empty())
      continue;
    if (operand >= numInputs && !outs.empty())
      values.map(arg, outs[operand - numInputs]);
    else
      values.map(arg, read(loops.operands[operand], loops.getPosition(k, operand, position)));
  }
  for (Operation &op : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      values.map(index.getResult(), k.toIndex(position[index.getDim()]));
      continue;
    }
    auto gather = dyn_cast<tensor::ExtractOp>(op);
    if (!gather) {
      k.b.clone(op, values);
      continue;
    }
    SmallVector<Value> at;
    for (Value index : gather.getIndices())
      at.push_back(k.toInt(values.lookupOrDefault(index)));
    values.map(gather.getResult(), read(getTile(gather.getTensor()), at));
  }
  SmallVector<Value> results;
  for (Value value : body->getTerminator()->getOperands())
    results.push_back(values.lookupOrDefault(value));
  return results;
}

void PhaseEmitter::emitParallel(LinalgLoops &loops) {
  unsigned numInputs = loops.op.getNumDpsInputs();
  k.forEachElement(loops.sizes, [&](ArrayRef<Value> position) {
    for (auto [index, value] : llvm::enumerate(emitBody(loops, position, {})))
      write(value, loops.results[index], loops.getPosition(k, numInputs + index, position));
  });
}

/// Carries outputs through the reduction loops.
static SmallVector<Value> reduceLoops(KernelBuilder &k, ArrayRef<int64_t> sizes,
                                      ArrayRef<int64_t> order, SmallVector<Value> &position,
                                      ValueRange carried,
                                      llvm::function_ref<SmallVector<Value>(ValueRange)> body) {
  if (order.empty())
    return body(carried);
  return k.loopCarrying(k.constant(0), k.constant(sizes[order.front()]), 1, carried,
                        [&](Value iv, ValueRange inner) {
                          position[order.front()] = iv;
                          return reduceLoops(k, sizes, order.drop_front(), position, inner, body);
                        });
}

/// One thread per element of the outputs.
void PhaseEmitter::emitReduction(LinalgLoops &loops) {
  unsigned numInputs = loops.op.getNumDpsInputs(), numOuts = loops.results.size();
  SmallVector<int64_t> outer = loops.getLoops(utils::IteratorType::parallel);
  SmallVector<int64_t> inner = loops.getLoops(utils::IteratorType::reduction);
  SmallVector<int64_t> shape;
  for (int64_t loop : outer)
    shape.push_back(loops.sizes[loop]);
  k.forEachElement(shape, [&](ArrayRef<Value> at) {
    SmallVector<Value> position(loops.sizes.size(), k.constant(0)), inits;
    for (auto [loop, value] : llvm::zip_equal(outer, at))
      position[loop] = value;
    for (unsigned out = 0; out < numOuts; ++out)
      inits.push_back(
          read(loops.operands[numInputs + out], loops.getPosition(k, numInputs + out, position)));
    SmallVector<Value> results =
        reduceLoops(k, loops.sizes, inner, position, inits,
                    [&](ValueRange carried) { return emitBody(loops, position, carried); });
    for (unsigned out = 0; out < numOuts; ++out)
      write(results[out], loops.results[out], loops.getPosition(k, numInputs + out, position));
  });
}
