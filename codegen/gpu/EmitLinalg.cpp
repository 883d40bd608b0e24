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

Position PhaseEmitter::LinalgLoops::getConstantPosition(unsigned operand,
                                                        const Position &position) const {
  const Access &access = accesses[operand];
  Position at(access.constants.begin(), access.constants.end());
  for (auto [sum, row] : llvm::zip_equal(at, access.coefficients))
    for (auto [loop, coefficient] : llvm::enumerate(row))
      sum += coefficient * position[loop];
  return at;
}

Layout PhaseEmitter::LinalgLoops::getOuterLayout(const Layout &work) const {
  Layout outer = work;
  for (Digit &digit : outer.threads)
    if (digit.dim >= 0 && kinds[digit.dim] == utils::IteratorType::reduction)
      digit = {digit.size, -1, 0};
  return outer;
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
    loops.results.push_back(getHome(result));
    writes.push_back(loops.results.back().span);
  }
  for (unsigned loop = 0; loop < loops.sizes.size(); ++loop)
    if (loops.kinds[loop] == utils::IteratorType::reduction)
      for (unsigned out = op.getNumDpsInputs(); out < loops.accesses.size(); ++out)
        if (loops.accesses[out].usesLoop(loop))
          return op->emitError("expects no output that varies along a reduction");
  access(reads, writes);
  bool isParallel = op.getNumLoops() == op.getNumParallelLoops();
  const Layout *work = homes.getWork(op);
  if (isa<linalg::CopyOp>(op) && loops.operands[0].layout)
    work = loops.operands[0].layout;
  if (const Product *product = homes.getProduct(op))
    emitProduct(loops, *product);
  else if (work && isParallel)
    emitParallelInRegisters(loops, *work);
  else if (work)
    emitReductionInRegisters(loops, *work);
  else if (isParallel)
    emitParallel(loops);
  else
    emitReduction(loops);
  for (auto [result, tile] : llvm::zip_equal(op->getResults(), loops.results))
    tiles[result] = std::move(tile);
  return success();
}

/// The body at one position of the loops; `get` gives the values of operands.
SmallVector<Value> PhaseEmitter::emitBody(LinalgLoops &loops, ArrayRef<Value> position,
                                          OperandReader get) {
  Block *body = loops.op.getBlock();
  IRMapping values(scalars);
  for (BlockArgument arg : body->getArguments())
    if (!arg.use_empty())
      values.map(arg, get(arg.getArgNumber()));
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

//===----------------------------------------------------------------------===//
// Elements of shared memory
//===----------------------------------------------------------------------===//

void PhaseEmitter::emitParallel(LinalgLoops &loops) {
  unsigned numInputs = loops.op.getNumDpsInputs();
  k.forEachElement(loops.sizes, [&](ArrayRef<Value> position) {
    SmallVector<Value> values = emitBody(loops, position, [&](unsigned operand) {
      return read(loops.operands[operand], loops.getPosition(k, operand, position));
    });
    for (auto [index, value] : llvm::enumerate(values))
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
    for (unsigned out = numInputs; out < numInputs + numOuts; ++out)
      inits.push_back(read(loops.operands[out], loops.getPosition(k, out, position)));
    SmallVector<Value> results =
        reduceLoops(k, loops.sizes, inner, position, inits, [&](ValueRange carried) {
          return emitBody(loops, position, [&](unsigned operand) {
            if (operand >= numInputs)
              return carried[operand - numInputs];
            return read(loops.operands[operand], loops.getPosition(k, operand, position));
          });
        });
    for (unsigned out = 0; out < numOuts; ++out)
      write(results[out], loops.results[out], loops.getPosition(k, numInputs + out, position));
  });
}

//===----------------------------------------------------------------------===//
// Elements of registers
//===----------------------------------------------------------------------===//

/// What an op that works along a layout needs of an operand in register r.
Value PhaseEmitter::readOperand(LinalgLoops &loops, unsigned operand, const Layout &work,
                                int64_t r) {
  const Tile &tile = loops.operands[operand];
  if (tile.layout)
    return tile.registers[tile.layout->findRegister(
        loops.getConstantPosition(operand, work.registers[r]))];
  if (!tile.inMemory())
    return read(tile, {});
  return readInside(tile, loops.getPosition(k, operand, getPosition(work, r)), isInside(work, r));
}

/// Puts a result at the position that register r of `layout`, over the loops, has in it.
void PhaseEmitter::writeResult(LinalgLoops &loops, unsigned result, Value value, const Layout &work,
                               int64_t r, Value condition) {
  unsigned operand = loops.op.getNumDpsInputs() + result;
  Tile &tile = loops.results[result];
  if (tile.layout) {
    tile.registers[tile.layout->findRegister(
        loops.getConstantPosition(operand, work.registers[r]))] = value;
    return;
  }
  k.ifThen(condition,
           [&] { write(value, tile, loops.getPosition(k, operand, getPosition(work, r))); });
}

/// Where a result takes the place of an operand, other threads may still read what this one
/// overwrites: those with the same elements, and those beyond the tile, who read its first.
void PhaseEmitter::waitForReaders(LinalgLoops &loops, const Layout &layout) {
  if (mayOverwriteForOthers(loops, layout)) {
    wait();
    for (const Tile &result : loops.results)
      hazards.add({}, {result.span});
  }
}

bool PhaseEmitter::mayOverwriteForOthers(const LinalgLoops &loops, const Layout &layout) const {
  bool isInPlace = llvm::any_of(loops.results, [&](const Tile &result) {
    return llvm::any_of(loops.operands,
                        [&](const Tile &operand) { return operand.isSamePlace(result); });
  });
  bool hasReplicas = llvm::any_of(layout.threads, [](const Digit &digit) { return digit.dim < 0; });
  bool mayExceed = llvm::any_of(llvm::seq(layout.registers.size()), [&](size_t r) {
    return llvm::any_of(llvm::seq(layout.shape.size()),
                        [&](size_t dim) { return layout.mayExceed(r, dim); });
  });
  return isInPlace && (hasReplicas || mayExceed);
}

void PhaseEmitter::emitParallelInRegisters(LinalgLoops &loops, const Layout &work) {
  Value isFirst = isFirstReplica(work);
  auto compute = [&](size_t r) {
    return emitBody(loops, getPosition(work, r),
                    [&](unsigned operand) { return readOperand(loops, operand, work, r); });
  };
  auto write = [&](size_t r, ArrayRef<Value> values) {
    for (auto [index, value] : llvm::enumerate(values))
      writeResult(loops, index, value, work, r, k.both(isInside(work, r), isFirst));
  };
  size_t count = work.registers.size();
  if (!mayOverwriteForOthers(loops, work)) {
    for (size_t r = 0; r < count; ++r)
      write(r, compute(r));
    return;
  }
  SmallVector<SmallVector<Value>> values;
  for (size_t r = 0; r < count; ++r)
    values.push_back(compute(r));
  waitForReaders(loops, work);
  for (size_t r = 0; r < count; ++r)
    write(r, values[r]);
}

/// The value that changes nothing in a combination by the op.
static TypedAttr getNeutral(OpBuilder &b, Operation *combiner) {
  double infinity = std::numeric_limits<double>::infinity();
  double value =
      TypeSwitch<Operation *, double>(combiner)
          .Case([](arith::MulFOp) { return 1; })
          .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](Operation *) { return -infinity; })
          .Case<arith::MinimumFOp, arith::MinNumFOp>([&](Operation *) { return infinity; })
          .Default([](Operation *) { return -0.0; }); // 0 changes the sign of -0
  return b.getF32FloatAttr(value);
}

static Value combine(KernelBuilder &k, Operation *combiner, Value x, Value y) {
  IRMapping values;
  values.map(combiner->getOperand(0), x);
  values.map(combiner->getOperand(1), y);
  return k.b.clone(*combiner, values)->getResult(0);
}

/// Every thread reduces its own elements, then lanes exchange what they have. All of them get
/// the result.
void PhaseEmitter::emitReductionInRegisters(LinalgLoops &loops, const Layout &work) {
  unsigned numInputs = loops.op.getNumDpsInputs(), numOuts = loops.results.size();
  // Registers that differ only along reductions have one partial result.
  SmallVector<int64_t> outer = loops.getLoops(utils::IteratorType::parallel);
  std::map<Position, SmallVector<Value>> partial;
  std::map<Position, int64_t> first;
  for (size_t r = 0; r < work.registers.size(); ++r) {
    Position key;
    for (int64_t loop : outer)
      key.push_back(work.registers[r][loop]);
    first.try_emplace(key, r);
    SmallVector<Value> &sums = partial[key];
    if (sums.empty())
      for (unsigned out = 0; out < numOuts; ++out)
        sums.push_back(arith::ConstantOp::create(k.b, getNeutral(k.b, getCombiner(loops.op, out))));
    SmallVector<Value> next = emitBody(loops, getPosition(work, r), [&](unsigned operand) {
      return operand < numInputs ? readOperand(loops, operand, work, r) : sums[operand - numInputs];
    });
    if (Value isInside = this->isInside(work, r))
      for (auto [sum, value] : llvm::zip_equal(sums, next))
        value = arith::SelectOp::create(k.b, isInside, value, sum);
    sums = std::move(next);
  }
  for (auto &[key, sums] : partial)
    for (unsigned out = 0; out < numOuts; ++out) {
      Operation *combiner = getCombiner(loops.op, out);
      int64_t before = 1;
      for (const Digit &digit : work.threads) {
        bool isReduced = digit.dim >= 0 && loops.kinds[digit.dim] == utils::IteratorType::reduction;
        for (int64_t reach = 1; isReduced && reach < digit.size; reach *= 2)
          sums[out] =
              combine(k, combiner, sums[out], k.machine.shuffleXor(k.b, sums[out], before * reach));
        before *= digit.size;
      }
      Value initial = readOperand(loops, numInputs + out, work, first[key]);
      if (!matchPattern(initial, m_AnyZeroFloat()) || !isa<arith::AddFOp>(combiner))
        sums[out] = combine(k, combiner, initial, sums[out]);
    }
  Layout layout = loops.getOuterLayout(work);
  waitForReaders(loops, layout);
  Value isFirst = isFirstReplica(layout);
  for (auto &[key, sums] : partial)
    for (auto [out, sum] : llvm::enumerate(sums))
      writeResult(loops, out, sum, work, first[key], k.both(isInside(layout, first[key]), isFirst));
}
