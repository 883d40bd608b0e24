//===- EmitLinalg.cpp - Elementwise work, reductions, transposes ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LinalgLoops.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/ProductFusion.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Vectors of one row whose reductions run side by side, to hide latency.
static constexpr int64_t kVectorsAtOnce = 4;

/// How far apart, in elements, neighbours along the loop are.
static Value getStride(KernelBuilder &k, const Tile &tile, const Access &access, int64_t loop) {
  int64_t known = tile.inMemory() ? access.getStride(loop, tile.strides) : 0;
  if (!ShapedType::isDynamic(known))
    return k.constant(known);
  Value stride = k.constant(0);
  for (auto [dim, row] : llvm::enumerate(access.coefficients))
    if (row[loop] != 0)
      stride = k.add(stride, k.scale(k.stride(tile, dim), row[loop]));
  return stride;
}

static Value getOffset(KernelBuilder &k, const Tile &tile, const Access &access,
                       ValueRange position) {
  if (!tile.inMemory())
    return k.constant(0);
  Value offset = k.constant(0);
  for (auto [dim, constant] : llvm::enumerate(access.constants))
    if (constant != 0)
      offset = k.add(offset, k.scale(k.stride(tile, dim), constant));
  for (auto [loop, iv] : llvm::enumerate(position))
    if (access.usesLoop(loop))
      offset = k.add(offset, k.scale(iv, getStride(k, tile, access, loop)));
  return offset;
}

Value PhaseEmitter::LinalgLoops::stride(KernelBuilder &k, unsigned operand, int64_t loop) {
  return getStride(k, operands[operand], accesses[operand], loop);
}

Value PhaseEmitter::LinalgLoops::offset(KernelBuilder &k, unsigned operand, ValueRange position) {
  return getOffset(k, operands[operand], accesses[operand], position);
}

Value PhaseEmitter::LinalgLoops::resultOffset(KernelBuilder &k, unsigned result,
                                              ValueRange position) {
  return getOffset(k, results[result], accesses[op.getNumDpsInputs() + result], position);
}

bool PhaseEmitter::LinalgLoops::isUniform(unsigned operand) const {
  return vector < 0 || !accesses[operand].usesLoop(vector) || operands[operand].splat;
}

void PhaseEmitter::LinalgLoops::hold(KernelBuilder &k, ValueRange position) {
  held.assign(operands.size(), Value());
  for (unsigned operand = 0, e = op.getNumDpsInputs(); operand < e; ++operand)
    if (isUniform(operand) && !op.getBlock()->getArgument(operand).use_empty())
      held[operand] = k.read(operands[operand], offset(k, operand, position), 1);
}

SmallVector<unsigned> PhaseEmitter::LinalgLoops::getReducedResults() {
  SmallVector<unsigned> reduced;
  for (unsigned result = 0, e = op.getNumDpsInits(); result < e; ++result)
    if (!isWrittenByElement(result))
      reduced.push_back(result);
  return reduced;
}

bool PhaseEmitter::LinalgLoops::isWrittenByElement(unsigned result) {
  const Access &access = accesses[op.getNumDpsInputs() + result];
  for (unsigned loop = 0; loop < kinds.size(); ++loop)
    if (kinds[loop] == utils::IteratorType::reduction && access.usesLoop(loop))
      return true;
  return false;
}

SmallVector<Value> PhaseEmitter::LinalgLoops::readInvariant(KernelBuilder &k,
                                                            ArrayRef<int64_t> inner,
                                                            ValueRange position) {
  SmallVector<Value> values(operands.size());
  for (unsigned operand = 0, e = op.getNumDpsInputs(); operand < e; ++operand) {
    bool isInvariant =
        llvm::none_of(inner, [&](int64_t loop) { return accesses[operand].usesLoop(loop); });
    if (isInvariant && !op.getBlock()->getArgument(operand).use_empty())
      values[operand] =
          k.read(operands[operand], offset(k, operand, position), isUniform(operand) ? 1 : width);
  }
  return values;
}

LogicalResult PhaseEmitter::LinalgLoops::analyze() {
  FailureOr<SmallVector<Access>> all = getAccesses(op);
  if (failed(all))
    return op->emitError("the CPU target needs indexing maps that are linear in the loops");
  accesses = std::move(*all);
  sizes = op.getStaticLoopRanges();
  if (llvm::any_of(sizes, ShapedType::isDynamic))
    return op->emitError("the CPU target needs tiles of static shape");
  kinds = op.getIteratorTypesArray();
  for (unsigned out = op.getNumDpsInputs(); out < accesses.size(); ++out) {
    bool isElement = isWrittenByElement(out - op.getNumDpsInputs());
    for (unsigned loop = 0; isElement && loop < sizes.size(); ++loop)
      if (!accesses[out].usesLoop(loop))
        return op->emitError("expects an output that varies along a reduction to vary along all "
                             "loops");
  }
  return success();
}

void PhaseEmitter::bind(LinalgLoops &loops) {
  for (Value operand : loops.op->getOperands()) {
    if (isa<RankedTensorType>(operand.getType())) {
      loops.operands.push_back(getTile(operand));
      continue;
    }
    Tile scalar;
    scalar.element = operand.getType();
    scalar.splat = getScalar(operand);
    loops.operands.push_back(scalar);
  }
  for (unsigned index = 0, e = loops.op->getNumResults(); index < e; ++index)
    loops.results.push_back(tiles[loops.op->getResult(index)] = getResultPlace(loops.op, index));
}

LogicalResult PhaseEmitter::emitLinalg(linalg::LinalgOp op) {
  LinalgLoops loops(op);
  if (failed(loops.analyze()))
    return failure();
  bind(loops);
  if (isProductStart(op) || productEnds.contains(op) || emitTranspose(loops) || emitPack(loops))
    return success();
  loops.chooseVector(k.lanes);
  if (op.getNumLoops() == op.getNumParallelLoops()) {
    emitParallel(loops);
    return success();
  }
  bool isLane = loops.vector >= 0 && loops.kinds[loops.vector] == utils::IteratorType::reduction;
  if (loops.vector >= 0 && !isLane && emitProduct(loops))
    return success();
  if (linalg::LinalgOp startOp = getProductStart(op)) {
    FailureOr<LinalgLoops> start = prepare(startOp);
    if (failed(start))
      return failure();
    emitParallel(*start);
  }
  if (isLane)
    emitLaneReduction(loops);
  else
    emitReduction(loops);
  return success();
}

FailureOr<PhaseEmitter::LinalgLoops> PhaseEmitter::prepare(linalg::LinalgOp op) {
  LinalgLoops loops(op);
  if (failed(loops.analyze()))
    return failure();
  bind(loops);
  loops.chooseVector(k.lanes);
  return loops;
}

bool PhaseEmitter::emitProduct(LinalgLoops &loops) {
  if (!isContraction(loops.op))
    return false;
  FailureOr<ContractionLoops> kernel = getContractionLoops(loops.op, loops.accesses, loops.vector);
  if (failed(kernel))
    return false;
  // What is done to accumulators has its lanes where they have them.
  auto fits = [](const LinalgLoops &elementwise) {
    return elementwise.vector == (int64_t)elementwise.sizes.size() - 1;
  };
  FailureOr<LinalgLoops> start = failure(), end = failure();
  if (linalg::LinalgOp op = getProductStart(loops.op)) {
    start = prepare(op);
    if (failed(start) || !fits(*start))
      return false;
  }
  if (linalg::LinalgOp op = getProductEnd(loops.op, k.lanes)) {
    end = prepare(op);
    if (succeeded(end) && !fits(*end))
      end = failure();
  }
  emitContraction(loops, *kernel, succeeded(start) ? &*start : nullptr,
                  succeeded(end) ? &*end : nullptr);
  if (succeeded(end))
    productEnds.insert(end->op);
  return true;
}

//===----------------------------------------------------------------------===//
// The body at one position
//===----------------------------------------------------------------------===//

SmallVector<Value> PhaseEmitter::emitBody(LinalgLoops &loops, ValueRange position,
                                          ValueRange accumulators) {
  Block *body = loops.op.getBlock();
  unsigned numInputs = loops.op.getNumDpsInputs();
  IRMapping values(scalars);
  for (BlockArgument arg : body->getArguments()) {
    unsigned operand = arg.getArgNumber();
    if (arg.use_empty())
      continue;
    if (operand >= numInputs && !accumulators.empty() && accumulators[operand - numInputs]) {
      values.map(arg, accumulators[operand - numInputs]);
      continue;
    }
    Value held = loops.held.empty() ? Value() : loops.held[operand];
    values.map(arg, held ? held
                         : k.read(loops.operands[operand], loops.offset(k, operand, position),
                                  loops.isUniform(operand) ? 1 : loops.width));
  }
  loops.position = llvm::to_vector(position);
  for (Operation &op : body->without_terminator())
    values.map(op.getResult(0), emitBodyOp(op, loops, values));
  SmallVector<Value> results;
  for (Value value : body->getTerminator()->getOperands())
    results.push_back(values.lookupOrDefault(value));
  return results;
}

/// One op of a body: a scalar op if all it reads is the same in all lanes, else the
/// same op on vectors.
Value PhaseEmitter::emitBodyOp(Operation &op, LinalgLoops &loops, IRMapping &values) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    int64_t loop = index.getDim();
    Value at = arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), loops.position[loop]);
    if (loop != loops.vector)
      return at;
    return arith::AddIOp::create(k.b, k.loc, k.broadcast(at, k.lanes), k.step(k.b.getIndexType()));
  }
  bool uniform = llvm::none_of(op.getOperands(), [&](Value operand) {
    return isa<VectorType>(values.lookupOrDefault(operand).getType());
  });
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    Tile tile = getTile(extract.getTensor());
    auto readAt = [&](int64_t lane) {
      SmallVector<Value> at;
      for (Value index : extract.getIndices()) {
        Value value = values.lookupOrDefault(index);
        if (isa<VectorType>(value.getType()))
          value = vector::ExtractOp::create(k.b, k.loc, value, lane);
        at.push_back(k.toInt(value));
      }
      return k.read(tile, k.offset(tile, at), 1);
    };
    if (uniform)
      return readAt(0);
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < k.lanes; ++lane)
      lanes.push_back(readAt(lane));
    return vector::FromElementsOp::create(k.b, k.loc, k.getVectorType(tile.element, k.lanes),
                                          lanes);
  }
  if (uniform) {
    Operation *clone = k.b.clone(op, values);
    return clone->getResult(0);
  }
  OperationState state(op.getLoc(), op.getName());
  for (Value operand : op.getOperands())
    state.operands.push_back(k.broadcast(values.lookupOrDefault(operand), k.lanes));
  state.addTypes(k.getVectorType(op.getResult(0).getType(), k.lanes));
  state.addAttributes(op.getAttrs());
  return k.b.create(state)->getResult(0);
}

//===----------------------------------------------------------------------===//
// Loop nests
//===----------------------------------------------------------------------===//

/// How many of a row's vectors, a power of two, fit into it without a rest.
static int64_t getVectorsAtOnce(const PhaseEmitter::LinalgLoops &loops, int64_t most) {
  if (loops.vector < 0)
    return 1;
  int64_t vectors = llvm::divideCeil(loops.sizes[loops.vector], loops.width), together = 1;
  while (together < most && vectors % (2 * together) == 0)
    together *= 2;
  return together;
}

/// Calls `body` at every position of the loops of the list; lanes are stepped over
/// `vectors` vectors at a time.
static void forEach(KernelBuilder &k, ArrayRef<int64_t> sizes, ArrayRef<int64_t> order,
                    int64_t vectorLoop, int64_t step, SmallVector<Value> &position,
                    llvm::function_ref<void()> body) {
  if (order.empty())
    return body();
  int64_t loop = order.front();
  k.loop(0, sizes[loop], loop == vectorLoop ? step : 1, [&](Value iv) {
    position[loop] = iv;
    forEach(k, sizes, order.drop_front(), vectorLoop, step, position, body);
  });
}

/// Vectors of a row that are computed side by side: more than one where the work is as simple
/// and as much as an update of a state, which is bound by memory.
static int64_t chooseVectorsAtOnce(PhaseEmitter::LinalgLoops &loops) {
  constexpr int64_t least = 1 << 12, mostOps = 8;
  int64_t elements = 1;
  for (int64_t size : loops.sizes)
    elements *= size;
  if (loops.vector < 0 || elements < least ||
      llvm::range_size(loops.op.getBlock()->without_terminator()) > mostOps)
    return 1;
  return getVectorsAtOnce(loops, 2 * kVectorsAtOnce);
}

/// Reads what `vectors` neighbouring vectors take from operands that are the same all along `loop`,
/// per vector and operand; null for other operands.
static SmallVector<SmallVector<Value>> holdVectors(KernelBuilder &k,
                                                   PhaseEmitter::LinalgLoops &loops, int64_t loop,
                                                   SmallVector<Value> position, int64_t vectors) {
  SmallVector<SmallVector<Value>> held(vectors, SmallVector<Value>(loops.operands.size()));
  for (unsigned operand = 0, e = loops.op.getNumDpsInputs(); operand < e; ++operand) {
    if (loops.isUniform(operand) || loops.accesses[operand].usesLoop(loop) ||
        loops.op.getBlock()->getArgument(operand).use_empty())
      continue;
    for (int64_t vector = 0; vector < vectors; ++vector) {
      position[loops.vector] = k.constant(vector * loops.width);
      held[vector][operand] =
          k.read(loops.operands[operand], loops.offset(k, operand, position), loops.width);
    }
  }
  return held;
}

void PhaseEmitter::emitParallel(LinalgLoops &loops) {
  SmallVector<int64_t> order = loops.getLoops(utils::IteratorType::parallel);
  SmallVector<Value> position(loops.sizes.size());
  auto emitAt = [&](Value iv) {
    if (loops.vector >= 0)
      position[loops.vector] = iv;
    SmallVector<Value> values = emitBody(loops, position, {});
    for (auto [index, value] : llvm::enumerate(values))
      k.write(k.broadcast(value, loops.width), loops.results[index],
              loops.resultOffset(k, index, position));
  };
  if (loops.vector < 0)
    return forEach(k, loops.sizes, order, -1, 1, position, [&] { emitAt({}); });
  int64_t vectors = chooseVectorsAtOnce(loops), size = loops.sizes[loops.vector];
  ArrayRef<int64_t> outer = ArrayRef(order).drop_back();
  if (vectors > 1 && vectors * loops.width == size && !outer.empty()) {
    // What all rows need stays in registers.
    int64_t row = outer.back();
    return forEach(k, loops.sizes, outer.drop_back(), -1, 1, position, [&] {
      SmallVector<SmallVector<Value>> shared = holdVectors(k, loops, row, position, vectors);
      k.loop(0, loops.sizes[row], 1, [&](Value iv) {
        position[row] = iv;
        loops.hold(k, position);
        for (int64_t vector = 0; vector < vectors; ++vector) {
          for (auto [own, other] : llvm::zip_equal(loops.held, shared[vector]))
            if (other)
              own = other;
          emitAt(k.constant(vector * loops.width));
        }
      });
    });
  }
  forEach(k, loops.sizes, outer, -1, 1, position, [&] {
    loops.hold(k, position);
    k.loop(0, size, vectors * loops.width, [&](Value iv) {
      for (int64_t vector = 0; vector < vectors; ++vector)
        emitAt(k.add(iv, k.constant(vector * loops.width)));
    });
  });
}

/// Carries accumulators of `blocks` neighbouring vectors through the reduction loops.
static SmallVector<Value> reduceLoops(KernelBuilder &k, ArrayRef<int64_t> sizes,
                                      ArrayRef<int64_t> order, SmallVector<Value> &position,
                                      ValueRange carried,
                                      llvm::function_ref<SmallVector<Value>(ValueRange)> body) {
  if (order.empty())
    return body(carried);
  return k.loopCarrying(0, sizes[order.front()], 1, carried, [&](Value iv, ValueRange inner) {
    position[order.front()] = iv;
    return reduceLoops(k, sizes, order.drop_front(), position, inner, body);
  });
}

SmallVector<Value> PhaseEmitter::emitReducingBody(LinalgLoops &loops, ArrayRef<Value> position,
                                                  ValueRange carried) {
  SmallVector<Value> accumulators;
  for (unsigned out = 0, next = 0, e = loops.results.size(); out < e; ++out)
    accumulators.push_back(loops.isWrittenByElement(out) ? Value() : carried[next++]);
  SmallVector<Value> sums;
  for (auto [out, value] : llvm::enumerate(emitBody(loops, position, accumulators))) {
    Value spread = k.broadcast(value, loops.width);
    if (accumulators[out])
      sums.push_back(spread);
    else
      k.write(spread, loops.results[out], loops.resultOffset(k, out, position));
  }
  return sums;
}

void PhaseEmitter::emitReduction(LinalgLoops &loops) {
  SmallVector<int64_t> outer = loops.getLoops(utils::IteratorType::parallel);
  SmallVector<int64_t> inner = loops.getLoops(utils::IteratorType::reduction);
  unsigned numInputs = loops.op.getNumDpsInputs();
  SmallVector<unsigned> sums = loops.getReducedResults();
  int64_t blocks = getVectorsAtOnce(loops, kVectorsAtOnce);
  SmallVector<Value> position(loops.sizes.size());
  auto atBlock = [&](int64_t block) {
    SmallVector<Value> shifted(position);
    if (loops.vector >= 0)
      shifted[loops.vector] = k.add(shifted[loops.vector], k.constant(block * loops.width));
    return shifted;
  };
  forEach(k, loops.sizes, outer, loops.vector, loops.width * blocks, position, [&] {
    SmallVector<Value> inits;
    SmallVector<SmallVector<Value>> invariant;
    for (int64_t block = 0; block < blocks; ++block) {
      invariant.push_back(loops.readInvariant(k, inner, atBlock(block)));
      for (unsigned out : sums)
        inits.push_back(k.read(loops.operands[numInputs + out],
                               loops.offset(k, numInputs + out, atBlock(block)), loops.width));
    }
    SmallVector<Value> results =
        reduceLoops(k, loops.sizes, inner, position, inits, [&](ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t block = 0; block < blocks; ++block) {
            loops.held = invariant[block];
            llvm::append_range(next,
                               emitReducingBody(loops, atBlock(block),
                                                carried.slice(block * sums.size(), sums.size())));
          }
          return next;
        });
    for (int64_t block = 0; block < blocks; ++block)
      for (auto [n, out] : llvm::enumerate(sums))
        k.write(results[block * sums.size() + n], loops.results[out],
                loops.resultOffset(k, out, atBlock(block)));
  });
}
