//===- PhaseEmitter.cpp - Dispatch, scalars and control flow ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/PhaseEmitter.h"
#include "codegen/TileStorage.h"
#include "mixwright/abi.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

PhaseEmitter::PhaseEmitter(func::FuncOp phase, LLVM::LLVMFuncOp kernel, Homes &homes,
                           ImplicitLocOpBuilder &b, Machine &machine)
    : phase(phase), kernel(kernel), homes(homes), k(b, machine) {}

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
// Arguments and the task of the block
//===----------------------------------------------------------------------===//

namespace {

/// Reads fields of `mixwright_device_call`.
class CallReader {
public:
  CallReader(KernelBuilder &k, Value call) : k(k), call(call) {}

  Value number(int64_t byte) { return read(byte, k.b.getI64Type()); }
  Value number32(int64_t byte) {
    return arith::TruncIOp::create(k.b, k.b.getI32Type(), number(byte));
  }
  Value pointer(int64_t byte) { return read(byte, LLVM::LLVMPointerType::get(k.b.getContext())); }

private:
  Value read(int64_t byte, Type type) {
    Value at =
        LLVM::GEPOp::create(k.b, call.getType(), k.b.getI8Type(), call,
                            ArrayRef<LLVM::GEPArg>{(int32_t)byte}, LLVM::GEPNoWrapFlags::inbounds);
    return LLVM::LoadOp::create(k.b, type, at, /*alignment=*/8);
  }

  KernelBuilder &k;
  Value call;
};

} // namespace

/// Finds the block's task, and the part of every tensor that belongs to its instance. Blocks
/// are numbered (token block, instance, feature block), the last the fastest.
void PhaseEmitter::bindArguments() {
  CallReader call(k, kernel.getArgument(0));
  auto features = phase->getAttrOfType<IntegerAttr>("tile.features");
  int64_t numFeatures = features ? features.getInt() : 1;
  Value block = k.machine.getBlock(k.b);
  Value heads = call.number32(offsetof(mixwright_device_call, heads));
  Value instances = call.number32(offsetof(mixwright_device_call, instances));
  Value task = k.divide(block, numFeatures);
  featureBlock = k.remainder(block, numFeatures);
  tokenBlock = arith::DivUIOp::create(k.b, task, instances);
  Value instance = arith::RemUIOp::create(k.b, task, instances);
  if (phase->hasAttr("tile.last_first")) {
    Value blocks = call.number32(offsetof(mixwright_device_call, token_blocks));
    tokenBlock = k.sub(k.sub(blocks, tokenBlock), k.constant(1));
  }
  Value head = arith::RemUIOp::create(k.b, instance, heads);
  Value batch = arith::DivUIOp::create(k.b, instance, heads);

  llvm::StringMap<Value> initial;
  Value null = LLVM::ZeroOp::create(k.b, LLVM::LLVMPointerType::get(k.b.getContext()));
  for (auto [index, argument] : llvm::enumerate(phase.getArguments())) {
    if (auto given = phase.getArgAttrOfType<StringAttr>(index, "tile.given")) {
      Value state = initial.lookup(given.getValue());
      scalars.map(argument,
                  LLVM::ICmpOp::create(k.b, LLVM::ICmpPredicate::ne, state ? state : null, null));
      continue;
    }
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      continue;
    int64_t base =
        offsetof(mixwright_device_call, tensors) + index * sizeof(mixwright_device_tensor);
    Value data = call.pointer(base + offsetof(mixwright_device_tensor, data));
    auto kind = phase.getArgAttrOfType<StringAttr>(index, "mix.kind");
    auto name = phase.getArgAttrOfType<StringAttr>(index, "mix.name");
    if (kind && name && kind.getValue() == "state_in")
      initial[name.getValue()] = data;

    View view;
    view.number = index;
    view.element = type.getElementType();
    if (kind && kind.getValue() == "state_out")
      view.isGiven = LLVM::ICmpOp::create(k.b, LLVM::ICmpPredicate::ne, data, null);
    Value group = call.number32(base + offsetof(mixwright_device_tensor, head_group));
    Value part = arith::DivUIOp::create(k.b, head, group);
    Value start =
        k.add(k.multiply(k.toInt64(batch),
                         call.number(base + offsetof(mixwright_device_tensor, batch_stride))),
              k.multiply(k.toInt64(part),
                         call.number(base + offsetof(mixwright_device_tensor, head_stride))));
    Value global = LLVM::AddrSpaceCastOp::create(
        k.b, LLVM::LLVMPointerType::get(k.b.getContext(), kGlobalSpace), data);
    view.pointer =
        LLVM::GEPOp::create(k.b, global.getType(), getStorageType(view.element), global, start);
    SmallVector<int64_t> strides;
    int64_t offset;
    bool lastIsUnit = type.getRank() > 0 && succeeded(type.getStridesAndOffset(strides, offset)) &&
                      strides.back() == 1;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      bool isUnit = lastIsUnit && dim + 1 == type.getRank();
      view.strides.push_back(
          isUnit ? k.constant64(1)
                 : call.number(base + offsetof(mixwright_device_tensor, strides) + 8 * dim));
      view.sizes.push_back(
          type.isDynamicDim(dim)
              ? call.number(base + offsetof(mixwright_device_tensor, sizes) + 8 * dim)
              : k.constant64(type.getDimSize(dim)));
    }
    views[argument] = std::move(view);
  }
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
  // The grid has as many token blocks as the longest sequence of the call.
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
