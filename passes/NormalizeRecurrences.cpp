//===- NormalizeRecurrences.cpp - Recurrences in their normal forms ---------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `Strata.h` says what the loop is; this file makes the ops. Everything is made
// in front of the loop, stratum by stratum: a lifter holds, for every value of
// the body that is already available, its value for all tokens.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Blocks.h"
#include "passes/Build.h"
#include "passes/Lift.h"
#include "passes/Passes.h"
#include "passes/Strata.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using mix::algebra::Expr;
using mix::algebra::LinearForm;
using mix::algebra::LinearTerm;
using mix::algebra::QueryPlan;

namespace mix {

#define GEN_PASS_DEF_NORMALIZERECURRENCES
#include "passes/Passes.h.inc"

namespace {

/// A query of a scan of the stratum at hand.
struct Query {
  unsigned scan;
  unsigned state; ///< Its number in the stratum.
  Expr key;
  bool after;
  Value output; ///< Once the scan is made.
};

/// Replaces one recurrence by its strata.
class Normalizer {
public:
  Normalizer(ForOp loop)
      : loop(loop), builder(loop), strata(loop, coefficients),
        lifter(builder, loop, chooseWalkAxis(loop), getWalkSize(loop)) {}

  LogicalResult run();
  MutableArrayRef<Stratum> getStrata() { return strata.getStrata(); }

private:
  LogicalResult emitAffine(Stratum &stratum);
  LogicalResult emitScan(const Stratum &stratum, unsigned number, Location loc,
                         ExprEmitter &emitter);
  LogicalResult emitReading(Value value, const LinearForm &form, const Stratum &stratum,
                            ExprEmitter &emitter);
  LogicalResult emitLoop(Stratum &stratum, int level);
  /// The scan of the stratum that serves the term, and how.
  std::pair<unsigned, std::vector<QueryPlan>> getPlans(const LinearTerm &term,
                                                       const Stratum &stratum);
  Query &getQuery(unsigned scan, const LinearTerm &term, Expr key, const Stratum &stratum);
  /// The value for all tokens, along the axis of the space.
  Value bind(Value inside);
  RankedTensorType getOutputType(Value inside);
  SmallVector<Operation *> collectBody(ArrayRef<Value> roots, int level,
                                       llvm::SetVector<Value> &imports);

  ForOp loop;
  OpBuilder builder;
  Coefficients coefficients;
  Stratification strata;
  Lifter lifter;
  SmallVector<Query> queries;
  /// The results of new loops that are what the body exports.
  DenseMap<Value, Value> outputs;
};

} // namespace

RankedTensorType Normalizer::getOutputType(Value inside) {
  Type element = getElementTypeOrSelf(inside);
  return joinAxes({getTensorType(element, {loop.getSpace()}, {lifter.getSize()}),
                   cast<RankedTensorType>(inside.getType())});
}

Value Normalizer::bind(Value inside) {
  Value known = outputs.lookup(inside);
  if (known)
    return known;
  Value lifted = lifter.liftFully(inside);
  if (!lifted)
    return {};
  return BindOp::create(builder, inside.getLoc(), getOutputType(inside), lifted,
                        builder.getStringAttr(lifter.getAxis()));
}

//===----------------------------------------------------------------------===//
// Affine strata
//===----------------------------------------------------------------------===//

/// Whether the term reads the state after the update.
static bool isAfter(const LinearTerm &term) { return term.symbol.id % 2; }

std::pair<unsigned, std::vector<QueryPlan>> Normalizer::getPlans(const LinearTerm &term,
                                                                 const Stratum &stratum) {
  for (auto [n, scan] : llvm::enumerate(stratum.scans))
    if (auto plans = algebra::planQueries(coefficients.getPool(), term, scan.contracted))
      return {n, std::move(*plans)};
  return {0, {}}; // Not reached: classification has planned every term.
}

Query &Normalizer::getQuery(unsigned scan, const LinearTerm &term, Expr key,
                            const Stratum &stratum) {
  unsigned state = llvm::find(stratum.states, term.symbol.id / 2) - stratum.states.begin();
  bool after = isAfter(term);
  auto isSame = [&](const Query &query) {
    return query.scan == scan && query.state == state && query.key == key && query.after == after;
  };
  auto it = llvm::find_if(queries, isSame);
  if (it != queries.end())
    return *it;
  queries.push_back({scan, state, key, after, Value()});
  return queries.back();
}

LogicalResult Normalizer::emitAffine(Stratum &stratum) {
  Location loc = strata.getNext(stratum.states.front()).getLoc();
  ExprEmitter emitter(builder, loc, coefficients, [&](Value v) { return lifter.lift(v); });
  queries.clear();
  for (auto &[value, form] : stratum.readings)
    for (const LinearTerm &term : form.terms) {
      auto [scan, plans] = getPlans(term, stratum);
      for (const QueryPlan &plan : plans)
        getQuery(scan, term, plan.key, stratum);
    }
  for (unsigned n = 0; n < stratum.scans.size(); ++n)
    if (failed(emitScan(stratum, n, loc, emitter)))
      return failure();
  for (auto &[value, form] : stratum.readings)
    if (failed(emitReading(value, form, stratum, emitter)))
      return failure();
  return success();
}

namespace {
/// A list of per-token operands with their rows and columns.
struct SparseOperands {
  SmallVector<Value> values;
  SmallVector<int64_t> rows, cols;

  void add(int64_t row, int64_t col, Value value) {
    values.push_back(value);
    rows.push_back(row);
    cols.push_back(col);
  }
};
} // namespace

LogicalResult Normalizer::emitScan(const Stratum &stratum, unsigned number, Location loc,
                                   ExprEmitter &emitter) {
  const algebra::AffineScan &scan = stratum.scans[number];
  bool isGood = true;
  auto emit = [&](Expr e) {
    Value value = emitter.emit(e);
    isGood &= bool(value);
    return value ? ensureAxis(builder, loc, value, lifter.getAxis(), lifter.getSize()) : value;
  };

  unsigned numStates = stratum.states.size();
  SmallVector<Value> lefts, values, reads, keys;
  SmallVector<int64_t> readOf, queryOf;
  SparseOperands coefs, mixes;
  Value decay;
  if (numStates == 1 && !algebra::isOne(scan.mixes[0][0]))
    decay = emit(scan.mixes[0][0]);
  // A state that does not keep itself still has a mix, which is 1 past the end of the tokens.
  for (unsigned row = 0; numStates > 1 && row < numStates; ++row) {
    for (auto [col, mix] : llvm::enumerate(scan.mixes[row]))
      if (col == row || !algebra::isZero(mix))
        mixes.add(row, col, emit(mix));
    for (auto [m, update] : llvm::enumerate(scan.updates))
      if (!algebra::isZero(update.weights[row]))
        mixes.add(row, numStates + m, emit(update.weights[row]));
  }
  for (auto [row, update] : llvm::enumerate(scan.updates)) {
    lefts.push_back(emit(update.left));
    values.push_back(emit(update.value));
    for (auto [col, coef] : update.coefs)
      coefs.add(row, col, emit(coef));
  }
  for (const algebra::AffineScan::Read &read : scan.reads) {
    reads.push_back(emit(read.key));
    readOf.push_back(read.state);
  }
  SmallVector<Query *> own;
  SmallVector<bool> after;
  for (Query &query : queries)
    if (query.scan == number) {
      own.push_back(&query);
      keys.push_back(emit(query.key));
      queryOf.push_back(query.state);
      after.push_back(query.after);
    }
  if (!isGood)
    return failure();

  SmallVector<Value> inits;
  SmallVector<Attribute> names;
  for (unsigned state : stratum.states) {
    inits.push_back(loop.getInits()[state]);
    names.push_back(loop.getStates()[state]);
  }
  if (numStates == 1) {
    readOf.clear();
    queryOf.clear();
  }
  SmallVector<StringRef> contracted(scan.contracted.begin(), scan.contracted.end());
  SmallVector<Type> types(ValueRange(inits).getTypes());
  types.append(keys.size(), withAxis(dropAxes(inits.front().getType(), contracted),
                                     lifter.getAxis(), lifter.getSize()));
  auto op = AffineScanOp::create(builder, loc, types, builder.getStringAttr(lifter.getAxis()),
                                 builder.getStrArrayAttr(contracted), inits, decay, mixes.values,
                                 mixes.rows, mixes.cols, lefts, values, reads, readOf, coefs.values,
                                 coefs.rows, coefs.cols, keys, queryOf, after);
  op->setAttr(kStatesAttr, builder.getArrayAttr(names));
  for (auto [query, output] : llvm::zip(own, op.getOutputs()))
    query->output = output;
  if (number == 0)
    for (auto [state, final] : llvm::zip(stratum.states, op.getFinals()))
      loop.getFinalStates()[state].replaceAllUsesWith(final);
  return success();
}

LogicalResult Normalizer::emitReading(Value value, const LinearForm &form, const Stratum &stratum,
                                      ExprEmitter &emitter) {
  Location loc = value.getLoc();
  Value total;
  auto add = [&](Value addend) {
    total = total ? createBinary<arith::AddFOp>(builder, loc, total, addend) : addend;
  };
  auto scale = [&](Value product, Expr factor) -> Value {
    if (algebra::isOne(factor))
      return product;
    Value coefficient = emitter.emit(factor);
    return coefficient ? createBinary<arith::MulFOp>(builder, loc, coefficient, product) : Value();
  };
  for (const LinearTerm &term : form.terms) {
    auto [scan, plans] = getPlans(term, stratum);
    for (const QueryPlan &plan : plans) {
      Value output = scale(getQuery(scan, term, plan.key, stratum).output, plan.weight);
      if (output && !plan.rest.empty())
        output = createReduce(builder, loc, ReduceKind::Sum, output, {},
                              SmallVector<StringRef>(plan.rest.begin(), plan.rest.end()));
      if (output)
        output = scale(output, plan.outer);
      if (!output)
        return failure();
      add(output);
    }
  }
  if (!total || !algebra::isZero(form.constant)) {
    Value constant = emitter.emit(form.constant);
    if (!constant)
      return failure();
    add(constant);
  }
  lifter.map(value, total);
  return success();
}

//===----------------------------------------------------------------------===//
// Strata that stay loops
//===----------------------------------------------------------------------===//

/// The ops of the body that make the roots from values of lower levels, which are
/// the imports. What depends on no state is recomputed in the loop, rather than
/// stored for every token. Within a block nothing is stored, and a product with a frozen state is
/// what other strata need as well.
SmallVector<Operation *> Normalizer::collectBody(ArrayRef<Value> roots, int level,
                                                 llvm::SetVector<Value> &imports) {
  llvm::DenseSet<Value> needed(roots.begin(), roots.end());
  SmallVector<Operation *> ops;
  bool isInBlocks = isa<ForBlocksOp>(loop->getParentOp());
  auto isImport = [&](Value value) {
    int itsLevel = strata.getLevel(value);
    if (itsLevel < 0 && isInBlocks && value.getDefiningOp<ReduceOp>())
      return true;
    return itsLevel >= 0 && itsLevel < level && !strata.isExpansion(value);
  };
  auto isNeeded = [&](Value value) { return needed.contains(value); };
  for (Operation &op : llvm::reverse(loop.getBody().front().without_terminator())) {
    if (llvm::none_of(op.getResults(), isNeeded))
      continue;
    if (llvm::any_of(op.getResults(), isImport)) {
      for (Value result : op.getResults())
        if (isNeeded(result))
          imports.insert(result);
      continue;
    }
    ops.push_back(&op);
    op.walk(
        [&](Operation *nested) { needed.insert(nested->operand_begin(), nested->operand_end()); });
  }
  for (BlockArgument argument : loop.getBody().getArguments())
    if (isNeeded(argument) && isImport(argument))
      imports.insert(argument);
  return llvm::to_vector(llvm::reverse(ops));
}

LogicalResult Normalizer::emitLoop(Stratum &stratum, int level) {
  Location loc = loop.getLoc();
  SmallVector<Value> inits, roots, exports = strata.getExports(level);
  SmallVector<Attribute> names;
  for (unsigned state : stratum.states) {
    inits.push_back(loop.getInits()[state]);
    names.push_back(loop.getStates()[state]);
    roots.push_back(strata.getNext(state));
  }
  SmallVector<Type> types = llvm::map_to_vector(inits, [](Value v) { return v.getType(); });
  for (Value value : exports)
    types.push_back(getOutputType(value));
  llvm::append_range(roots, exports);

  llvm::SetVector<Value> imports;
  SmallVector<Operation *> ops = collectBody(roots, level, imports);
  SmallVector<Value> imported;
  for (Value value : imports) {
    imported.push_back(bind(value));
    if (!imported.back())
      return failure();
  }

  auto reason = stratum.reason.empty() ? StringAttr() : builder.getStringAttr(stratum.reason);
  auto result = ForOp::create(builder, loc, types, loop.getSpace(), builder.getArrayAttr(names),
                              inits, loop.getBlockAttr(),
                              ScanClassAttr::get(builder.getContext(), stratum.scanClass), reason);
  IRMapping mapping;
  Block *body = &result.getBody().emplaceBlock();
  mapping.map(loop.getPosition(), body->addArgument(loop.getPosition().getType(), loc));
  for (unsigned state : stratum.states)
    mapping.map(loop.getState(state), body->addArgument(loop.getState(state).getType(), loc));
  if (loop.getBlock())
    for (unsigned state : stratum.states)
      mapping.map(loop.getFrozen(state), body->addArgument(loop.getFrozen(state).getType(), loc));
  OpBuilder inner = OpBuilder::atBlockEnd(body);
  for (auto [value, source] : llvm::zip(imports, imported)) {
    Value position = result.getPosition();
    mapping.map(value, ReadOp::create(inner, value.getLoc(), value.getType(), source,
                                      inner.getStrArrayAttr({loop.getSpace()}), position));
  }
  for (Operation *op : ops)
    inner.clone(*op, mapping);
  YieldOp::create(inner, loc, llvm::map_to_vector(roots, [&](Value root) {
                    return mapping.lookupOrDefault(root);
                  }));

  for (auto [state, value] : llvm::zip(stratum.states, result.getFinalStates()))
    loop.getFinalStates()[state].replaceAllUsesWith(value);
  Value positions = lifter.lift(loop.getPosition());
  for (auto [value, output] : llvm::zip(exports, result.getOutputs())) {
    outputs[value] = output;
    lifter.map(value,
               ReadOp::create(builder, value.getLoc(),
                              withAxis(value.getType(), lifter.getAxis(), lifter.getSize()), output,
                              builder.getStrArrayAttr({loop.getSpace()}), positions));
  }
  return success();
}

LogicalResult Normalizer::run() {
  for (auto [level, stratum] : llvm::enumerate(strata.getStrata())) {
    LogicalResult done = stratum.isAffine ? emitAffine(stratum) : emitLoop(stratum, level);
    if (failed(done))
      return failure();
  }
  Operation *yield = loop.getBody().front().getTerminator();
  for (auto [value, result] :
       llvm::zip(yield->getOperands().drop_front(loop.getNumStates()), loop.getOutputs())) {
    Value output = bind(value);
    if (!output)
      return failure();
    result.replaceAllUsesWith(broadcastTo(builder, loop.getLoc(), output, result.getType()));
  }
  loop.erase();
  return success();
}

LogicalResult normalizeRecurrence(ForOp loop) { return Normalizer(loop).run(); }

//===----------------------------------------------------------------------===//
// Recurrences by blocks
//===----------------------------------------------------------------------===//

/// A recurrence in which nothing is frozen is one without blocks.
static void dropUnusedBlock(ForOp loop) {
  unsigned numStates = loop.getNumStates();
  for (unsigned n = 0; n < numStates; ++n)
    if (!loop.getFrozen(n).use_empty())
      return;
  loop.getBody().front().eraseArguments(1 + numStates, numStates);
  loop.removeBlockAttr();
}

/// Reductions over other tokens that need no state are made in front of the loop, as those of other
/// recurrences are: a block knows its own tokens only.
static LogicalResult hoistWalks(ForOp loop) {
  Block &body = loop.getBody().front();
  SmallVector<std::pair<Value, unsigned>> roots;
  for (BlockArgument argument : body.getArguments().drop_front())
    roots.push_back({argument, 0});
  Dependence dependence(body, roots, /*numBits=*/1);
  OpBuilder builder(loop);
  Lifter lifter(builder, loop, chooseWalkAxis(loop), getWalkSize(loop));
  StringRef space = loop.getSpace();
  for (auto reduce : llvm::make_early_inc_range(body.getOps<ReduceOp>())) {
    Value result = reduce.getResult();
    bool isWalk = llvm::any_of(reduce.getAxes().getAsValueRange<StringAttr>(), isIndexAxis);
    if (!isWalk || dependence.get(result).any() || llvm::any_of(getAxes(result), isIndexAxis))
      continue;
    Value lifted = lifter.liftFully(result);
    if (!lifted)
      return failure();
    RankedTensorType bound = renameAxis(lifted.getType(), lifter.getAxis(), space);
    Value rows = BindOp::create(builder, result.getLoc(), bound, lifted,
                                builder.getStringAttr(lifter.getAxis()));
    OpBuilder inside(reduce);
    result.replaceAllUsesWith(ReadOp::create(inside, result.getLoc(), result.getType(), rows,
                                             builder.getStrArrayAttr({space}), loop.getPosition()));
  }
  SmallVector<Operation *> ops(llvm::make_pointer_range(body.without_terminator()));
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The first loop, outermost first, that has no class yet.
static ForOp findUnclassified(func::FuncOp function) {
  ForOp found;
  function.walk<WalkOrder::PreOrder>([&](ForOp loop) {
    if (loop.getNumStates() == 0 || loop.getClass_())
      return WalkResult::advance();
    found = loop;
    return WalkResult::interrupt();
  });
  return found;
}

namespace {
struct NormalizeRecurrences : impl::NormalizeRecurrencesBase<NormalizeRecurrences> {
  void runOnOperation() override {
    while (ForOp loop = findUnclassified(getOperation())) {
      if (loop.getBlock())
        dropUnusedBlock(loop);
      if (loop.getBlock() && failed(hoistWalks(loop)))
        return signalPassFailure();
      Normalizer normalizer(loop);
      for (const Stratum &stratum : normalizer.getStrata()) {
        numAffine += stratum.isAffine;
        numSequential += !stratum.isAffine && stratum.scanClass == ScanClass::Sequential;
        numBlocked += !stratum.isAffine && stratum.scanClass == ScanClass::Blocked;
        numElementwise += !stratum.isAffine && stratum.scanClass < ScanClass::Sequential;
      }
      if (failed(normalizer.run()))
        return signalPassFailure();
    }
  }
};
} // namespace

} // namespace mix
