//===- PhaseEmitter.cpp - Dispatch, scalars and control flow ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/PhaseEmitter.h"
#include "codegen/cpu/Memory.h"
#include "mixwright/abi.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

PhaseEmitter::PhaseEmitter(func::FuncOp phase, LLVM::LLVMFuncOp function, const Chip &chip,
                           OpBuilder &b)
    : phase(phase), function(function), k(b, phase.getLoc(), chip, getPhaseLanes(phase, chip)) {}

LogicalResult PhaseEmitter::run() {
  if (!phase.getBody().hasOneBlock())
    return phase.emitError("expects a phase of one block");
  k.b.setInsertionPointToStart(function.addEntryBlock(k.b));
  scratch = function.getArgument(3);
  bindArguments();
  if (failed(emitBlock(phase.getBody().front())))
    return failure();
  LLVM::ReturnOp::create(k.b, phase.getLoc(), ValueRange());
  return success();
}

/// Reads pointers, strides and sizes of the arguments from the instance
/// (`mixwright_instance`: data, strides, sizes, paging).
void PhaseEmitter::bindArguments() {
  auto pointer = LLVM::LLVMPointerType::get(k.b.getContext());
  Type i64 = k.b.getI64Type();
  auto loadPointer = [&](Value base, int64_t index) -> Value {
    Value at = LLVM::GEPOp::create(k.b, k.loc, pointer, pointer, base, k.constant(index));
    return LLVM::LoadOp::create(k.b, k.loc, pointer, at);
  };
  Value data = loadPointer(function.getArgument(0), 0);
  Value strides = loadPointer(function.getArgument(0), 1);
  Value sizes = loadPointer(function.getArgument(0), 2);
  // table, pages, page_rows, page_stride
  auto loadPaging = [&](int64_t index) -> Paging {
    Value base = loadPointer(function.getArgument(0), 3);
    auto field = [&](int64_t n) { return k.load(base, i64, k.constant(4 * index + n), 1); };
    return {loadPointer(base, 4 * index), field(1), field(2), field(3)};
  };
  Value null = LLVM::ZeroOp::create(k.b, k.loc, pointer);
  llvm::StringMap<Value> initial;
  for (auto [index, argument] : llvm::enumerate(phase.getArguments())) {
    if (auto given = phase.getArgAttrOfType<StringAttr>(index, "tile.given")) {
      Value state = initial.lookup(given.getValue());
      scalars.map(argument, LLVM::ICmpOp::create(k.b, k.loc, LLVM::ICmpPredicate::ne,
                                                 state ? state : null, null));
      continue;
    }
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      continue;
    View view;
    view.pointer = loadPointer(data, index);
    view.element = type.getElementType();
    SmallVector<int64_t> staticStrides;
    int64_t base;
    // Whatever the type says, the caller gives all strides but a last one of 1.
    view.lastIsUnit = type.getRank() > 0 &&
                      succeeded(type.getStridesAndOffset(staticStrides, base)) &&
                      staticStrides.back() == 1;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      Value at = k.constant(index * MIXWRIGHT_MAX_RANK + dim);
      bool isUnit = view.lastIsUnit && dim + 1 == type.getRank();
      view.strides.push_back(isUnit ? k.constant(1) : k.load(strides, i64, at, 1));
      view.sizes.push_back(type.isDynamicDim(dim) ? k.load(sizes, i64, at, 1)
                                                  : k.constant(type.getDimSize(dim)));
    }
    auto kind = phase.getArgAttrOfType<StringAttr>(index, "mix.kind");
    if (kind && kind.getValue() == "cache")
      view.paging = loadPaging(index);
    if (kind && kind.getValue() == "state_in")
      if (auto name = phase.getArgAttrOfType<StringAttr>(index, "mix.name"))
        initial[name.getValue()] = view.pointer;
    views[argument] = std::move(view);
  }
}

LogicalResult PhaseEmitter::emitBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    k.loc = op.getLoc();
    if (failed(emitOp(op)))
      return failure();
  }
  prefetches.finish(k, &block);
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
      .Case([&](tile::BandOp) { return success(); }) // The products look for it.
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
      .Case([&](scf::ForOp op) {
        prefetchFirstLoads(op);
        LogicalResult result = emitFor(op);
        prefetchLastStores(op);
        return result;
      })
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
  Tile tile = tiles[op.getResult()] = getPlace(op, 0);
  SmallVector<int64_t> dense(tile.shape.size(), 1);
  for (int64_t dim = tile.rank() - 1; dim > 0; --dim)
    dense[dim - 1] = dense[dim] * tile.shape[dim];
  for (auto [linear, value] : llvm::enumerate(elements.getValues<Attribute>())) {
    int64_t offset = 0;
    for (int64_t dim = 0; dim < tile.rank(); ++dim)
      offset += (int64_t)linear / dense[dim] % tile.shape[dim] * tile.strides[dim];
    k.write(arith::ConstantOp::create(k.b, k.loc, cast<TypedAttr>(value)), tile,
            k.constant(offset));
  }
  return success();
}

/// Scalar work is kept as it is.
LogicalResult PhaseEmitter::emitScalar(Operation &op) {
  bool known = isa<arith::ArithDialect, math::MathDialect, affine::AffineDialect>(op.getDialect());
  auto isScalar = [](Type type) { return type.isIntOrIndexOrFloat(); };
  if (!known || op.getNumRegions() || !llvm::all_of(op.getOperandTypes(), isScalar) ||
      !llvm::all_of(op.getResultTypes(), isScalar))
    return op.emitError("the CPU target cannot emit '") << op.getName() << "' in a tile program";
  k.b.clone(op, scalars);
  return success();
}

/// The grid is the runtime's: a task is one point of it.
LogicalResult PhaseEmitter::emitForall(scf::ForallOp op) {
  if (op.getRank() != 2 || op.getNumResults() != 0)
    return op.emitError("expects a grid of feature blocks and token blocks, got rank ")
           << op.getRank();
  for (auto [index, iv] : llvm::enumerate(op.getInductionVars())) {
    Value task = function.getArgument(1 + index);
    scalars.map(iv, arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), task));
  }
  return emitBlock(*op.getBody());
}

/// Scalars stay values; carried tiles live in the place of the loop's result.
LogicalResult PhaseEmitter::emitFor(scf::ForOp op) {
  SmallVector<Value> inits;
  for (auto [index, init] : llvm::enumerate(op.getInitArgs())) {
    if (!isa<RankedTensorType>(init.getType())) {
      inits.push_back(getScalar(init));
      continue;
    }
    Tile place = getPlace(op, index), source = getTile(init);
    if (source.pointer != place.pointer)
      k.copy(source, place);
    tiles[op.getRegionIterArg(index)] = place;
    tiles[op.getResult(index)] = place;
  }
  auto loop = scf::ForOp::create(k.b, op.getLoc(), getScalar(op.getLowerBound()),
                                 getScalar(op.getUpperBound()), getScalar(op.getStep()), inits);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(loop.getBody());
  scalars.map(op.getInductionVar(), loop.getInductionVar());
  unsigned next = 0;
  for (auto [arg, result] : llvm::zip_equal(op.getRegionIterArgs(), op.getResults()))
    if (!isa<RankedTensorType>(arg.getType())) {
      scalars.map(arg, loop.getRegionIterArg(next));
      scalars.map(result, loop.getResult(next++));
    }
  prefetchStoredRows(op);
  if (failed(emitBlock(*op.getBody())))
    return failure();
  SmallVector<Value> yielded;
  for (auto [index, value] : llvm::enumerate(op.getYieldedValues())) {
    if (!isa<RankedTensorType>(value.getType())) {
      yielded.push_back(getScalar(value));
      continue;
    }
    Tile source = getTile(value);
    const Tile &place = tiles[op.getResult(index)];
    if (source.pointer != place.pointer)
      k.copy(source, place);
  }
  if (!yielded.empty())
    scf::YieldOp::create(k.b, op.getLoc(), yielded);
  return success();
}

LogicalResult PhaseEmitter::emitIf(scf::IfOp op) {
  SmallVector<Type> types;
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    if (isa<RankedTensorType>(result.getType()))
      tiles[result] = getPlace(op, index);
    else
      types.push_back(result.getType());
  }
  bool withElse = op.elseBlock() != nullptr;
  auto branch = scf::IfOp::create(k.b, op.getLoc(), types, getScalar(op.getCondition()), withElse);
  unsigned next = 0;
  for (Value result : op.getResults())
    if (!isa<RankedTensorType>(result.getType()))
      scalars.map(result, branch.getResult(next++));
  auto emitBranch = [&](Block *from, Block *to) -> LogicalResult {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(to);
    if (failed(emitBlock(*from)))
      return failure();
    SmallVector<Value> yielded;
    for (auto [value, result] :
         llvm::zip_equal(from->getTerminator()->getOperands(), op.getResults())) {
      if (!isa<RankedTensorType>(value.getType())) {
        yielded.push_back(getScalar(value));
        continue;
      }
      Tile source = getTile(value);
      if (source.pointer != tiles[result].pointer)
        k.copy(source, tiles[result]);
    }
    if (!types.empty())
      scf::YieldOp::create(k.b, op.getLoc(), yielded);
    return success();
  };
  if (failed(emitBranch(op.thenBlock(), branch.thenBlock())))
    return failure();
  return withElse ? emitBranch(op.elseBlock(), branch.elseBlock()) : success();
}

LogicalResult PhaseEmitter::emitDim(memref::DimOp op) {
  auto view = views.find(op.getSource());
  std::optional<int64_t> dim = op.getConstantIndex();
  if (view == views.end() || !dim || *dim >= (int64_t)view->second.sizes.size())
    return op.emitError("expects a constant dimension of an argument");
  scalars.map(op.getResult(),
              arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), view->second.sizes[*dim]));
  return success();
}

LogicalResult PhaseEmitter::emitExtract(tensor::ExtractOp op) {
  Tile tile = getTile(op.getTensor());
  SmallVector<Value> position;
  for (Value index : op.getIndices())
    position.push_back(k.toInt(getScalar(index)));
  scalars.map(op.getResult(), k.read(tile, k.offset(tile, position), 1));
  return success();
}

Tile PhaseEmitter::getTile(Value value) {
  auto it = tiles.find(value);
  if (it != tiles.end())
    return it->second;
  Tile tile;
  auto type = cast<RankedTensorType>(value.getType());
  tile.shape = llvm::to_vector(type.getShape());
  tile.strides.assign(tile.shape.size(), 0);
  tile.element = type.getElementType();
  tile.splat = buildSplatScalar(k.b, k.loc, value, scalars);
  return tile;
}

Tile PhaseEmitter::getScratch(int64_t offset, RankedTensorType type) {
  Value &pointer = places[offset];
  if (!pointer) {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(&function.getBody().front());
    pointer = k.address(scratch, k.b.getI8Type(), k.constant(offset));
  }
  Tile tile;
  tile.pointer = pointer;
  tile.shape = llvm::to_vector(type.getShape());
  tile.element = type.getElementType();
  tile.strides = getTileStrides(tile.shape, tile.element, k.lanes);
  return tile;
}

Tile PhaseEmitter::getPlace(Operation *op, unsigned index) {
  auto offsets = op->getAttrOfType<DenseI64ArrayAttr>(kPlace);
  return getScratch(offsets[index], cast<RankedTensorType>(op->getResult(index).getType()));
}
