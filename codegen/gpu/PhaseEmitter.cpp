//===- PhaseEmitter.cpp - Dispatch, scalars and control flow ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/PhaseEmitter.h"
#include "codegen/TileStorage.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

PhaseEmitter::PhaseEmitter(func::FuncOp phase, const CallLayout &layout, LLVM::LLVMFuncOp kernel,
                           Homes &homes, ImplicitLocOpBuilder &b, Machine &machine)
    : phase(phase), layout(layout), kernel(kernel), homes(homes), k(b, machine) {}

LogicalResult PhaseEmitter::run() {
  if (!phase.getBody().hasOneBlock())
    return phase.emitError("expects a phase of one block");
  k.b.setInsertionPointToStart(kernel.addEntryBlock(k.b));
  k.thread = k.machine.getThread(k.b);
  auto pointer = LLVM::LLVMPointerType::get(k.b.getContext(), kSharedSpace);
  shared = LLVM::AddressOfOp::create(k.b, pointer, kSharedMemoryName);
  bindArguments();
  if (failed(emitBlock(phase.getBody().front())))
    return failure();
  // Of tiles that nothing reads.
  if (copiesInFlight)
    k.machine.waitForCopies(k.b);
  LLVM::ReturnOp::create(k.b, ValueRange());
  return success();
}

//===----------------------------------------------------------------------===//
// Dispatch and scalars
//===----------------------------------------------------------------------===//

LogicalResult PhaseEmitter::emitBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    k.b.setLoc(op.getLoc());
    if (failed(emitOp(op)))
      return failure();
  }
  return success();
}

LogicalResult PhaseEmitter::emitOp(Operation &op) {
  // Splats and undefined tiles are only ever looked at by their users.
  if (op.getNumResults() == 1 && isa<RankedTensorType>(op.getResult(0).getType()) &&
      (getSplatScalar(op.getResult(0)) || isUndefined(op.getResult(0))))
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](tile::LoadOp op) { return emitLoad(op); })
      .Case([&](tile::StoreOp op) { return emitStore(op); })
      .Case([&](tile::ScanOp op) { return emitScan(op); })
      .Case([&](tile::DecayRatioOp op) { return emitDecayRatio(op); })
      .Case([&](tile::DecayedGramOp op) { return emitDecayedGram(op); })
      .Case([&](tile::SolveOp op) { return emitSolve(op); })
      .Case([&](tile::DecayedApplyOp op) { return emitDecayedApply(op); })
      .Case([&](tile::LargestOp op) { return emitLargest(op); })
      .Case([&](linalg::LinalgOp op) { return emitLinalg(op); })
      .Case([&](tensor::ExtractSliceOp op) { return emitExtractSlice(op); })
      .Case([&](tensor::InsertSliceOp op) { return emitInsertSlice(op); })
      .Case([&](tensor::InsertOp op) { return emitInsert(op); })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
          [&](Operation *op) { return emitReshape(op); })
      .Case([&](tensor::ExtractOp op) { return emitExtract(op); })
      .Case([&](scf::ForallOp op) { return emitForall(op); })
      .Case([&](scf::ForOp op) { return emitFor(op); })
      .Case([&](scf::IfOp op) { return emitIf(op); })
      .Case([&](memref::DimOp op) { return emitDim(op); })
      .Case([&](arith::ConstantOp op) { return emitConstant(op); })
      .Default([&](Operation *op) { return emitScalar(*op); });
}

/// A tile of given elements is stored element by element.
LogicalResult PhaseEmitter::emitConstant(arith::ConstantOp op) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return emitScalar(*op);
  Tile tile = tiles[op.getResult()] = getHome(op.getResult());
  access({}, {tile.span});
  k.ifThen(k.isLess(k.thread, 1), [&] {
    for (auto [linear, value] : llvm::enumerate(elements.getValues<Attribute>())) {
      SmallVector<Value> position(tile.shape.size());
      int64_t rest = linear;
      for (size_t dim = position.size(); dim-- > 0; rest /= tile.shape[dim])
        position[dim] = k.constant(rest % tile.shape[dim]);
      write(arith::ConstantOp::create(k.b, cast<TypedAttr>(value)), tile, position);
    }
  });
  return success();
}

/// Scalar work is the same in all threads, and kept as it is.
LogicalResult PhaseEmitter::emitScalar(Operation &op) {
  bool known = isa<arith::ArithDialect, math::MathDialect, affine::AffineDialect>(op.getDialect());
  auto isScalar = [](Type type) { return type.isIntOrIndexOrFloat(); };
  if (!known || op.getNumRegions() || !llvm::all_of(op.getOperandTypes(), isScalar) ||
      !llvm::all_of(op.getResultTypes(), isScalar))
    return op.emitError("the GPU targets cannot emit '") << op.getName() << "' in a tile program";
  k.b.clone(op, scalars);
  return success();
}

/// A block of threads is one point of the grid.
LogicalResult PhaseEmitter::emitForall(scf::ForallOp op) {
  if (op.getRank() != 2 || op.getNumResults() != 0)
    return op.emitError("expects a grid of feature blocks and token blocks, got rank ")
           << op.getRank();
  scalars.map(op.getInductionVars()[0], k.toIndex(featureBlock));
  scalars.map(op.getInductionVars()[1], k.toIndex(tokenBlock));
  // The grid may have more token blocks than the sequence.
  Value bound =
      getScalar(getValueOrCreateConstantIndexOp(k.b, op.getLoc(), op.getMixedUpperBound()[1]));
  Value isTask = k.compare(arith::CmpIPredicate::slt, k.toIndex(tokenBlock), bound);
  auto branch = scf::IfOp::create(k.b, isTask, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.thenBlock());
  return emitBlock(*op.getBody());
}

LogicalResult PhaseEmitter::emitDim(memref::DimOp op) {
  auto view = views.find(op.getSource());
  std::optional<int64_t> dim = op.getConstantIndex();
  if (view == views.end() || !dim || *dim >= (int64_t)view->second.sizes.size())
    return op.emitError("expects a constant dimension of an argument");
  scalars.map(op.getResult(), k.toIndex(view->second.sizes[*dim]));
  return success();
}

LogicalResult PhaseEmitter::emitExtract(tensor::ExtractOp op) {
  Tile tile = getTile(op.getTensor());
  SmallVector<Value> position;
  for (Value index : op.getIndices())
    position.push_back(k.toInt(getScalar(index)));
  access({tile.span}, {});
  scalars.map(op.getResult(), read(tile, position));
  return success();
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// What a loop or a branch hands on: scalars and the registers of tiles. A tile in shared memory
/// is moved to its home and adds nothing.
void PhaseEmitter::handOn(Value value, Value target, SmallVectorImpl<Value> &handed) {
  if (!isa<RankedTensorType>(value.getType())) {
    handed.push_back(getScalar(value));
    return;
  }
  Tile source = getTile(value), home = getHome(target);
  if (home.layout)
    handed.append(toRegisters(source, *home.layout));
  else if (!source.isSamePlace(home))
    copy(source, home);
}

/// The other end: takes the values of `target` from the front of `handed`.
void PhaseEmitter::receive(Value target, ValueRange &handed) {
  if (!isa<RankedTensorType>(target.getType())) {
    scalars.map(target, handed.front());
    handed = handed.drop_front();
    return;
  }
  Tile home = getHome(target);
  size_t count = home.registers.size();
  home.registers = llvm::to_vector(handed.take_front(count));
  handed = handed.drop_front(count);
  tiles[target] = std::move(home);
}

LogicalResult PhaseEmitter::emitFor(scf::ForOp op) {
  SmallVector<Value> inits;
  for (auto [init, result] : llvm::zip_equal(op.getInitArgs(), op.getResults()))
    handOn(init, result, inits);
  // The number of the buffers of this round is carried last.
  bool loadsAhead = !homes.getPrefetches(op).empty();
  if (loadsAhead && failed(startPrefetches(op)))
    return failure();
  if (loadsAhead)
    inits.push_back(k.constant(0));
  auto loop = scf::ForOp::create(k.b, getScalar(op.getLowerBound()), getScalar(op.getUpperBound()),
                                 getScalar(op.getStep()), inits);
  // Accesses before the loop may meet those of the first round and, if there is none,
  // what comes after it; rounds are kept apart by a barrier at their end.
  Hazards before = hazards;
  bool copiesBefore = copiesInFlight;
  {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(loop.getBody());
    scalars.map(op.getInductionVar(), loop.getInductionVar());
    ValueRange carried = loop.getRegionIterArgs();
    for (Value arg : op.getRegionIterArgs())
      receive(arg, carried);
    Value other;
    if (loadsAhead) {
      other = k.sub(k.constant(1), carried.front());
      if (failed(continuePrefetches(op, carried.front(), other)))
        return failure();
    }
    if (failed(emitBlock(*op.getBody())))
      return failure();
    SmallVector<Value> yielded;
    for (auto [value, result] : llvm::zip_equal(op.getYieldedValues(), op.getResults()))
      handOn(value, result, yielded);
    if (other)
      yielded.push_back(other);
    copiesInFlight |= loadsAhead;
    if (loadsAhead || !hazards.isEmpty())
      wait();
    if (!yielded.empty())
      scf::YieldOp::create(k.b, yielded);
  }
  hazards = before;
  copiesInFlight = copiesBefore;
  ValueRange results = loop.getResults();
  for (Value result : op.getResults())
    receive(result, results);
  return success();
}

LogicalResult PhaseEmitter::emitIf(scf::IfOp op) {
  SmallVector<Type> types;
  for (Value result : op.getResults()) {
    if (!isa<RankedTensorType>(result.getType()))
      types.push_back(result.getType());
    else if (const Layout *layout = homes.getLayout(result))
      types.append(layout->registers.size(), getElementTypeOrSelf(result.getType()));
  }
  bool withElse = op.elseBlock() != nullptr;
  auto branch = scf::IfOp::create(k.b, types, getScalar(op.getCondition()), withElse);
  Hazards before = hazards, after = withElse ? Hazards() : hazards;
  bool copiesBefore = copiesInFlight, copiesAfter = copiesInFlight && !withElse;
  auto emitBranch = [&](Block *from, Block *to) -> LogicalResult {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(to);
    hazards = before;
    copiesInFlight = copiesBefore;
    if (failed(emitBlock(*from)))
      return failure();
    SmallVector<Value> yielded;
    for (auto [value, result] :
         llvm::zip_equal(from->getTerminator()->getOperands(), op.getResults()))
      handOn(value, result, yielded);
    if (!types.empty())
      scf::YieldOp::create(k.b, yielded);
    after.merge(hazards);
    copiesAfter |= copiesInFlight;
    return success();
  };
  if (failed(emitBranch(op.thenBlock(), branch.thenBlock())) ||
      (withElse && failed(emitBranch(op.elseBlock(), branch.elseBlock()))))
    return failure();
  hazards = after;
  copiesInFlight = copiesAfter;
  ValueRange results = branch.getResults();
  for (Value result : op.getResults())
    receive(result, results);
  return success();
}
