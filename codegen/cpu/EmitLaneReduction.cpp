//===- EmitLaneReduction.cpp - Reductions along the lanes -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every result has a vector of partial results, one per lane. The vectors of neighbouring
// results are combined together: of 16 vectors 8 are made, of those 4, ..., and each lane of
// the last one holds a result. A single result comes to be in all lanes in the same way.
//
// Vectors are stored, not elements: a processor that reads a vector waits until elements
// that were stored one by one have left for the cache.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LinalgLoops.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Loops of at most so many vectors are unrolled.
static constexpr int64_t kMostUnrolled = 8;
/// Bodies of more operations are not repeated for neighbouring results.
static constexpr int64_t kMostOps = 8;

/// What changes nothing when it is combined with a value.
static TypedAttr getNeutral(OpBuilder &b, Operation *combiner, Type element) {
  auto real = [&](double value) -> TypedAttr { return b.getFloatAttr(element, value); };
  auto integer = [&](const APInt &value) -> TypedAttr { return b.getIntegerAttr(element, value); };
  double infinity = std::numeric_limits<double>::infinity();
  unsigned bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  return llvm::TypeSwitch<Operation *, TypedAttr>(combiner)
      .Case([&](arith::AddFOp) { return real(0); })
      .Case([&](arith::MulFOp) { return real(1); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](Operation *) { return real(-infinity); })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([&](Operation *) { return real(infinity); })
      .Case([&](arith::MulIOp) { return integer(APInt(bits, 1)); })
      .Case([&](arith::MaxSIOp) { return integer(APInt::getSignedMinValue(bits)); })
      .Case([&](arith::MinSIOp) { return integer(APInt::getSignedMaxValue(bits)); })
      .Case([&](arith::AndIOp) { return integer(APInt::getAllOnes(bits)); })
      .Default([&](Operation *) { return integer(APInt(bits, 0)); });
}

namespace {

class LaneReduction {
public:
  using Body = llvm::function_ref<SmallVector<Value>(ValueRange position, ValueRange carried)>;

  LaneReduction(KernelBuilder &k, PhaseEmitter::LinalgLoops &loops, Body body);
  void emit();

private:
  void findRow();
  void emitOuter(ArrayRef<int64_t> order);
  void emitGroup(int64_t results);
  SmallVector<Value> reduce(ArrayRef<int64_t> order, ValueRange carried);
  SmallVector<Value> reduceLanes(ValueRange carried);
  Value combine(unsigned sum, Value a, Value b);
  Value combineLanes(unsigned sum, SmallVector<Value> partial);

  KernelBuilder &k;
  PhaseEmitter::LinalgLoops &loops;
  Body body;
  SmallVector<unsigned> sums; ///< The results that are reduced.
  SmallVector<int64_t> inner;
  SmallVector<Operation *> combiners; ///< Per sum.
  SmallVector<Value> neutral, position;
  /// The loop over neighbouring results, how many are combined together, and whether
  /// their vector may be stored as a whole.
  int64_t row = -1, group = 1;
  bool isWhole = true;
};

} // namespace

LaneReduction::LaneReduction(KernelBuilder &k, PhaseEmitter::LinalgLoops &loops, Body body)
    : k(k), loops(loops), body(body), sums(loops.getReducedResults()),
      inner(loops.getLoops(utils::IteratorType::reduction)), position(loops.sizes.size()) {
  llvm::erase(inner, loops.vector);
  for (unsigned out : sums) {
    combiners.push_back(getCombiner(loops.op, out));
    Value one = arith::ConstantOp::create(
        k.b, k.loc, getNeutral(k.b, combiners.back(), loops.results[out].element));
    neutral.push_back(k.broadcast(one, k.lanes));
  }
  findRow();
}

/// Rows of tiles are whole vectors, so that what starts at a multiple of the lanes may be stored
/// with all of them.
void LaneReduction::findRow() {
  unsigned numInputs = loops.op.getNumDpsInputs();
  auto isRow = [&](int64_t loop) {
    return llvm::all_of(sums, [&](unsigned out) {
      return loops.accesses[numInputs + out].getStride(loop, loops.results[out].strides) == 1;
    });
  };
  for (int64_t loop : loops.getLoops(utils::IteratorType::parallel))
    if (loops.sizes[loop] > 1 && isRow(loop))
      row = loop;
  isWhole = row >= 0 || llvm::all_of(sums, [&](unsigned out) {
              ArrayRef<int64_t> shape = loops.results[out].shape;
              return shape.empty() || shape.back() == 1;
            });
  bool startsInMemory =
      llvm::any_of(sums, [&](unsigned out) { return loops.operands[numInputs + out].inMemory(); });
  int64_t ops = llvm::range_size(loops.op.getBlock()->without_terminator());
  if (row >= 0 && !startsInMemory && ops <= kMostOps)
    group = k.lanes;
  else if (row >= 0)
    isWhole = false;
}

Value LaneReduction::combine(unsigned sum, Value a, Value b) {
  OperationState state(k.loc, combiners[sum]->getName(), {a, b}, {a.getType()},
                       combiners[sum]->getAttrs());
  return k.b.create(state)->getResult(0);
}

/// Partial results of at most as many results as there are lanes. Of results `x` without the bit
/// `distance` in their numbers and `y` with it, a vector is made that has in each lane what is
/// left of two: of `x` in lanes without that bit, of `y` in the others.
Value LaneReduction::combineLanes(unsigned sum, SmallVector<Value> partial) {
  for (int64_t distance = 1; distance < k.lanes; distance *= 2) {
    SmallVector<int64_t> own, other;
    for (int64_t lane = 0; lane < k.lanes; ++lane) {
      int64_t from = (lane & distance) ? k.lanes : 0;
      own.push_back(from + lane);
      other.push_back(from + (lane ^ distance));
    }
    SmallVector<Value> next;
    for (size_t n = 0; n < partial.size(); n += 2) {
      Value x = partial[n], y = n + 1 < partial.size() ? partial[n + 1] : x;
      Value kept = x == y ? x : vector::ShuffleOp::create(k.b, k.loc, x, y, own).getResult();
      Value moved = vector::ShuffleOp::create(k.b, k.loc, x, y, other);
      next.push_back(combine(sum, kept, moved));
    }
    partial = std::move(next);
  }
  return partial.front();
}

/// Walks the lanes' loop. The lanes of the last vector that lie beyond it keep what they have.
SmallVector<Value> LaneReduction::reduceLanes(ValueRange carried) {
  int64_t size = loops.sizes[loops.vector], whole = size / k.lanes * k.lanes;
  auto accumulate = [&](Value at, ValueRange before) {
    position[loops.vector] = at;
    return body(position, before);
  };
  SmallVector<Value> lanes(carried);
  if (whole / k.lanes <= kMostUnrolled)
    for (int64_t at = 0; at < whole; at += k.lanes)
      lanes = accumulate(k.constant(at), lanes);
  else
    lanes = k.loopCarrying(0, whole, k.lanes, carried, accumulate);
  if (whole == size)
    return lanes;
  SmallVector<Value> last = accumulate(k.constant(whole), lanes);
  Value mask = k.mask(k.constant(size - whole));
  for (auto [kept, value] : llvm::zip_equal(lanes, last))
    value = arith::SelectOp::create(k.b, k.loc, mask, value, kept);
  return last;
}

SmallVector<Value> LaneReduction::reduce(ArrayRef<int64_t> order, ValueRange carried) {
  if (order.empty())
    return reduceLanes(carried);
  return k.loopCarrying(0, loops.sizes[order.front()], 1, carried,
                        [&](Value iv, ValueRange inside) {
                          position[order.front()] = iv;
                          return reduce(order.drop_front(), inside);
                        });
}

/// Results from `position` on along the row.
void LaneReduction::emitGroup(int64_t results) {
  SmallVector<SmallVector<Value>> partial(sums.size());
  Value first = row >= 0 ? position[row] : Value();
  for (int64_t n = 0; n < results; ++n) {
    if (first)
      position[row] = k.add(first, k.constant(n));
    for (auto [sum, value] : llvm::enumerate(reduce(inner, neutral)))
      partial[sum].push_back(value);
  }
  if (first)
    position[row] = first;
  for (auto [sum, out] : llvm::enumerate(sums)) {
    unsigned operand = loops.op.getNumDpsInputs() + out;
    Value initial = k.read(loops.operands[operand], loops.offset(k, operand, position), 1);
    Value total = combine(sum, combineLanes(sum, partial[sum]), k.broadcast(initial, k.lanes));
    if (!isWhole)
      total = vector::ExtractOp::create(k.b, k.loc, total, 0);
    k.write(total, loops.results[out], loops.resultOffset(k, out, position));
  }
}

void LaneReduction::emitOuter(ArrayRef<int64_t> order) {
  if (!order.empty())
    return k.loop(0, loops.sizes[order.front()], 1, [&](Value iv) {
      position[order.front()] = iv;
      emitOuter(order.drop_front());
    });
  if (row < 0)
    return emitGroup(1);
  int64_t size = loops.sizes[row], whole = size / group * group;
  k.loop(0, whole, group, [&](Value iv) {
    position[row] = iv;
    emitGroup(group);
  });
  if (whole < size) {
    position[row] = k.constant(whole);
    emitGroup(size - whole);
  }
}

void LaneReduction::emit() {
  SmallVector<int64_t> outer = loops.getLoops(utils::IteratorType::parallel);
  llvm::erase(outer, row);
  emitOuter(outer);
}

void PhaseEmitter::emitLaneReduction(LinalgLoops &loops) {
  LaneReduction(k, loops, [&](ValueRange position, ValueRange carried) {
    return emitReducingBody(loops, llvm::to_vector(position), carried);
  }).emit();
}
