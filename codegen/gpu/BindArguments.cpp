//===- BindArguments.cpp - The task of a block and its tensors --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the CPU's runtime works out for every task, a kernel does for itself: which sequence and
// which of its tokens the block is for, where that sequence begins if it is packed, how many tokens
// it has had, and where its pages are. The host has read none of it.
//
//===----------------------------------------------------------------------===//

#include "codegen/TileStorage.h"
#include "codegen/gpu/PhaseEmitter.h"
#include "mixwright/abi.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

using arith::CmpIPredicate;

#define CALL_FIELD(name) offsetof(mixwright_device_call, name)
#define SPACE_FIELD(name) offsetof(mixwright_device_space, name)
#define TENSOR_FIELD(name) offsetof(mixwright_device_tensor, name)
#define CACHE_FIELD(name) offsetof(mixwright_device_cache, name)
#define VECTOR_FIELD(name) offsetof(mixwright_device_vector, name)

namespace {

/// Numbers of a sequence along a token space, i32.
struct Extent {
  Value start; ///< Its first position in a packed tensor of the caller,
  Value place; ///< and in a workspace. Both null: nothing is packed along the space.
  Value size;
};

/// What a block is for: the number of its sequence, and of the head of the call, i32.
struct Instance {
  Value sequence, head;
};

/// Reads the parameter of a kernel.
class CallReader {
public:
  CallReader(KernelBuilder &k, const CallLayout &layout, Value call)
      : k(k), layout(layout), call(call) {}

  Value number(int64_t byte) { return read(byte, k.b.getI64Type()); }
  Value number32(int64_t byte) {
    return arith::TruncIOp::create(k.b, k.b.getI32Type(), number(byte));
  }
  Value pointer(int64_t byte) { return read(byte, LLVM::LLVMPointerType::get(k.b.getContext())); }
  Value isGiven(Value pointer) {
    return LLVM::ICmpOp::create(k.b, LLVM::ICmpPredicate::ne, pointer,
                                LLVM::ZeroOp::create(k.b, pointer.getType()));
  }
  Value toGlobal(Value pointer) {
    auto type = LLVM::LLVMPointerType::get(k.b.getContext(), kGlobalSpace);
    return LLVM::AddrSpaceCastOp::create(k.b, type, pointer);
  }

  /// Element `at` of the `mixwright_device_vector` at a byte of the parameter.
  Value element(int64_t vector, Value at) {
    Value stride = number(vector + VECTOR_FIELD(stride));
    Value data = toGlobal(pointer(vector + VECTOR_FIELD(data)));
    Value address = LLVM::GEPOp::create(k.b, data.getType(), k.b.getI8Type(), data,
                                        k.multiply(k.toInt64(at), stride));
    return LLVM::LoadOp::create(k.b, k.b.getI32Type(), address, /*alignment=*/4);
  }

  int64_t startsOf(int64_t space) { return layout.getSpaceOffset(space) + SPACE_FIELD(starts); }
  Value isPacked(int64_t space) {
    return isGiven(pointer(startsOf(layout.getSpaces()[space].root) + VECTOR_FIELD(data)));
  }
  /// Where the `block`s of a sequence begin in a list of those of all: none meets another.
  Value getPlace(int64_t root, int64_t block, Value sequence) {
    Value start = k.divide(element(startsOf(root), sequence), block);
    return block == 1 ? start : k.add(start, sequence);
  }
  std::pair<Value, Value> findSequence(int64_t space, int64_t rows, Value place);
  llvm::SmallVector<Extent> getExtents(Value sequence, Value position);

private:
  Value read(int64_t byte, Type type) {
    Value at =
        LLVM::GEPOp::create(k.b, call.getType(), k.b.getI8Type(), call,
                            ArrayRef<LLVM::GEPArg>{(int32_t)byte}, LLVM::GEPNoWrapFlags::inbounds);
    return LLVM::LoadOp::create(k.b, type, at, /*alignment=*/8);
  }
  Extent getRootExtent(int64_t space, Value sequence);
  Value countBlocksBefore(int64_t root, int64_t block, Value sequence);
  Value ceilDivide(Value x, int64_t divisor) {
    return divisor == 1 ? x : k.divide(k.add(x, k.constant(divisor - 1)), divisor);
  }

  KernelBuilder &k;
  const CallLayout &layout;
  Value call;
};

} // namespace

/// The sequence that has the token block at a place of the list of all (`mixwright_device_call`),
/// and which of its blocks that is.
std::pair<Value, Value> CallReader::findSequence(int64_t space, int64_t rows, Value place) {
  int64_t root = layout.getSpaces()[space].root;
  int64_t tokens = rows * layout.getSpaces()[space].rootBlock;
  auto getBegin = [&](Value sequence) {
    return k.add(k.divide(element(startsOf(root), sequence), tokens), sequence);
  };
  // The last that begins at or before the place: low always does, high never.
  Type i32 = k.b.getI32Type();
  auto search = scf::WhileOp::create(
      k.b, TypeRange{i32, i32}, ValueRange{k.constant(0), number32(CALL_FIELD(sequences))},
      [&](OpBuilder &, Location, ValueRange bounds) {
        Value gap = k.sub(bounds[1], bounds[0]);
        scf::ConditionOp::create(k.b, k.compare(CmpIPredicate::sgt, gap, k.constant(1)), bounds);
      },
      [&](OpBuilder &, Location, ValueRange bounds) {
        Value middle = k.divide(k.add(bounds[0], bounds[1]), 2);
        Value begins = k.compare(CmpIPredicate::sle, getBegin(middle), place);
        Value low = arith::SelectOp::create(k.b, begins, middle, bounds[0]);
        Value high = arith::SelectOp::create(k.b, begins, bounds[1], middle);
        scf::YieldOp::create(k.b, ValueRange{low, high});
      });
  Value sequence = search.getResult(0);
  return {sequence, k.sub(place, getBegin(sequence))};
}

Extent CallReader::getRootExtent(int64_t space, Value sequence) {
  Type i32 = k.b.getI32Type();
  auto branch = scf::IfOp::create(k.b, TypeRange{i32, i32}, isPacked(space),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.thenBlock());
  Value start = element(startsOf(space), sequence);
  Value end = element(startsOf(space), k.add(sequence, k.constant(1)));
  scf::YieldOp::create(k.b, ValueRange{start, k.sub(end, start)});
  k.b.setInsertionPointToStart(branch.elseBlock());
  Value size = number32(layout.getSpaceOffset(space) + SPACE_FIELD(size));
  scf::YieldOp::create(k.b, ValueRange{k.constant(0), size});
  return {branch.getResult(0), branch.getResult(0), branch.getResult(1)};
}

/// The blocks of all sequences before one; of a call that is packed.
Value CallReader::countBlocksBefore(int64_t root, int64_t block, Value sequence) {
  return k.loopCarrying(k.constant(0), sequence, 1, {k.constant(0), k.constant(0)},
                        [&](Value n, ValueRange carried) -> SmallVector<Value> {
                          Value end = element(startsOf(root), k.add(n, k.constant(1)));
                          Value own = ceilDivide(k.sub(end, carried[1]), block);
                          return {k.add(carried[0], own), end};
                        })[0];
}

/// The extents of all token spaces. `position` is null if the kernel has none.
SmallVector<Extent> CallReader::getExtents(Value sequence, Value position) {
  SmallVector<Extent> extents;
  for (auto [index, space] : llvm::enumerate(layout.getSpaces())) {
    if (space.base < 0) {
      extents.push_back(getRootExtent(index, sequence));
      continue;
    }
    Extent extent;
    Value size = extents[space.base].size;
    extent.size = space.block > 0 ? ceilDivide(size, space.block)
                  : position      ? k.add(size, position)
                                  : size;
    if (!space.isHistory) {
      Type i32 = k.b.getI32Type();
      auto branch = scf::IfOp::create(k.b, TypeRange{i32, i32}, isPacked(index),
                                      /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPointToStart(branch.thenBlock());
      Value start = space.isOfCaller ? countBlocksBefore(space.root, space.rootBlock, sequence)
                                     : k.constant(0);
      Value place = getPlace(space.root, space.rootBlock, sequence);
      scf::YieldOp::create(k.b, ValueRange{start, place});
      k.b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(k.b, ValueRange{k.constant(0), k.constant(0)});
      extent.start = branch.getResult(0);
      extent.place = branch.getResult(1);
    }
    extents.push_back(extent);
  }
  return extents;
}

//===----------------------------------------------------------------------===//
// The task
//===----------------------------------------------------------------------===//

/// Finds the block's task: its feature block and token block, its sequence, and its head among
/// those of the call. Blocks are numbered (token block, instance, feature block), the last the
/// fastest.
static Instance findTask(KernelBuilder &k, CallReader &call, const CallLayout &layout,
                         func::FuncOp phase, Value &featureBlock, Value &tokenBlock) {
  auto getInt = [&](StringRef name, int64_t otherwise) {
    auto attr = phase->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : otherwise;
  };
  int64_t features = getInt("tile.features", 1);
  Value block = k.machine.getBlock(k.b);
  Value heads = call.number32(CALL_FIELD(heads));
  Value instances = call.number32(CALL_FIELD(instances));
  Value task = k.divide(block, features);
  featureBlock = k.remainder(block, features);
  tokenBlock = arith::DivUIOp::create(k.b, task, instances);
  Value instance = arith::RemUIOp::create(k.b, task, instances);
  if (phase->hasAttr("tile.last_first"))
    tokenBlock = k.sub(k.sub(call.number32(CALL_FIELD(token_blocks)), tokenBlock), k.constant(1));
  Value head = arith::RemUIOp::create(k.b, instance, heads);
  if (phase->hasAttr("tile.heads_of"))
    head = k.multiply(head, call.number32(CALL_FIELD(head_group)));
  Value sequence = arith::DivUIOp::create(k.b, instance, heads);

  auto name = phase->getAttrOfType<StringAttr>("tile.space");
  int64_t space = name ? layout.findSpace(name.getValue()) : -1;
  if (space < 0 || layout.getSpaces()[space].isHistory)
    return {sequence, head};
  Type i32 = k.b.getI32Type();
  auto branch =
      scf::IfOp::create(k.b, TypeRange{i32, i32}, call.isPacked(space), /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(branch.thenBlock());
    auto [own, ownBlock] = call.findSequence(space, getInt("tile.rows", 1), tokenBlock);
    scf::YieldOp::create(k.b, ValueRange{own, ownBlock});
    k.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(k.b, ValueRange{sequence, tokenBlock});
  }
  tokenBlock = branch.getResult(1);
  return {branch.getResult(0), head};
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static StringRef getKind(func::FuncOp phase, unsigned argument) {
  auto kind = phase.getArgAttrOfType<StringAttr>(argument, "mix.kind");
  return kind ? kind.getValue() : "";
}

static bool hasKind(func::FuncOp phase, StringRef kind) {
  return llvm::any_of(llvm::seq(phase.getNumArguments()),
                      [&](unsigned argument) { return getKind(phase, argument) == kind; });
}

/// The number of the state of a sequence.
static Value findSlot(KernelBuilder &k, CallReader &call, Value sequence) {
  Value slots = call.pointer(CALL_FIELD(slots) + VECTOR_FIELD(data));
  auto branch = scf::IfOp::create(k.b, TypeRange{k.b.getI32Type()}, call.isGiven(slots),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(k.b, call.element(CALL_FIELD(slots), sequence));
  k.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(k.b, sequence);
  return branch.getResult(0);
}

static Paging readPaging(KernelBuilder &k, CallReader &call, int64_t base, Value sequence) {
  Paging paging;
  Value table = call.pointer(base + CACHE_FIELD(table));
  paging.isTable = call.isGiven(table);
  Value stride = call.number(base + CACHE_FIELD(table_stride));
  Value global = call.toGlobal(table);
  paging.table = LLVM::GEPOp::create(k.b, global.getType(), k.b.getI32Type(), global,
                                     k.multiply(k.toInt64(sequence), stride));
  paging.pages = call.number32(base + CACHE_FIELD(pages));
  paging.rows = call.number32(base + CACHE_FIELD(page_rows));
  paging.stride = call.number(base + CACHE_FIELD(page_stride));
  return paging;
}

/// Finds the part of every tensor that belongs to the block's instance.
void PhaseEmitter::bindArguments() {
  CallReader call(k, layout, kernel.getArgument(0));
  Instance instance = findTask(k, call, layout, phase, featureBlock, tokenBlock);
  Value position, slot = instance.sequence;
  if (hasKind(phase, "position"))
    position = call.element(CALL_FIELD(positions), instance.sequence);
  if (hasKind(phase, "state"))
    slot = findSlot(k, call, instance.sequence);
  SmallVector<Extent> extents = call.getExtents(instance.sequence, position);

  llvm::StringMap<Value> initial;
  Value null = LLVM::ZeroOp::create(k.b, LLVM::LLVMPointerType::get(k.b.getContext()));
  for (auto [index, argument] : llvm::enumerate(phase.getArguments())) {
    if (auto given = phase.getArgAttrOfType<StringAttr>(index, "tile.given")) {
      Value state = initial.lookup(given.getValue());
      scalars.map(argument, call.isGiven(state ? state : null));
      continue;
    }
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      continue;
    int64_t base = layout.getTensorOffset(index);
    StringRef kind = getKind(phase, index);
    View view;
    view.number = index;
    view.element = type.getElementType();
    if (kind == "position") {
      view.known = k.toInt64(position);
      views[argument] = std::move(view);
      continue;
    }
    Value data = call.pointer(base + TENSOR_FIELD(data));
    auto name = phase.getArgAttrOfType<StringAttr>(index, "mix.name");
    if (kind == "state_in" && name)
      initial[name.getValue()] = data;
    if (kind == "state_out")
      view.isGiven = call.isGiven(data);
    if (kind == "cache")
      view.paging = readPaging(k, call, layout.getCacheOffset(index), instance.sequence);
    Value group = call.number32(base + TENSOR_FIELD(head_group));
    Value part = arith::DivUIOp::create(k.b, instance.head, group);
    Value batch = kind == "state" ? slot : instance.sequence;
    Value start =
        k.add(k.multiply(k.toInt64(batch), call.number(base + TENSOR_FIELD(batch_stride))),
              k.multiply(k.toInt64(part), call.number(base + TENSOR_FIELD(head_stride))));
    SmallVector<int64_t> strides;
    int64_t offset;
    bool lastIsUnit = type.getRank() > 0 && succeeded(type.getStridesAndOffset(strides, offset)) &&
                      strides.back() == 1;
    auto axes = phase.getArgAttrOfType<ArrayAttr>(index, "mix.axes");
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      bool isUnit = lastIsUnit && dim + 1 == type.getRank();
      view.strides.push_back(isUnit ? k.constant64(1)
                                    : call.number(base + TENSOR_FIELD(strides) + 8 * dim));
      if (!type.isDynamicDim(dim)) {
        view.sizes.push_back(k.constant64(type.getDimSize(dim)));
        continue;
      }
      const Extent &extent = extents[layout.findSpace(cast<StringAttr>(axes[dim]).getValue())];
      // Sizes are not negative: the upper half of what they are extended to costs no register.
      view.sizes.push_back(arith::ExtUIOp::create(k.b, k.b.getI64Type(), extent.size));
      Value first = kind == "workspace" ? extent.place : extent.start;
      if (first && !view.paging)
        start = k.add(start, k.multiply(k.toInt64(first), view.strides.back()));
    }
    Value global = call.toGlobal(data);
    view.pointer =
        LLVM::GEPOp::create(k.b, global.getType(), getStorageType(view.element), global, start);
    views[argument] = std::move(view);
  }
}

/// Byte strides stay what they are while a loop goes on, and cost nothing in it.
Value PhaseEmitter::getByteStride(const View &view, size_t dim) {
  return k.scale(view.strides[dim], getStorageBytes(view.element));
}

/// The distance of a position from the start of a view along a dimension, in bytes.
Value PhaseEmitter::getDistance(const View &view, size_t dim, Value position) {
  auto getDirect = [&] { return k.multiply(position, getByteStride(view, dim)); };
  if (dim > 0 || !view.paging)
    return getDirect();
  // Most caches are one page in order; the page of a window is used again.
  const Paging &paging = *view.paging;
  Value at = arith::TruncIOp::create(k.b, k.b.getI32Type(), position);
  Value isFurther = k.compare(CmpIPredicate::uge, at, paging.rows);
  Value isPaged = arith::OrIOp::create(k.b, paging.isTable, isFurther);
  Type i32 = k.b.getI32Type();
  auto branch =
      scf::IfOp::create(k.b, TypeRange{k.b.getI64Type()}, isPaged, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(k.b, getDirect());
  k.b.setInsertionPointToStart(branch.thenBlock());
  Value row = arith::RemUIOp::create(k.b, at, paging.rows);
  Value page = arith::RemUIOp::create(k.b, arith::DivUIOp::create(k.b, at, paging.rows).getResult(),
                                      paging.pages);
  auto lookup = scf::IfOp::create(k.b, TypeRange{i32}, paging.isTable, /*withElseRegion=*/true);
  k.b.setInsertionPointToStart(lookup.thenBlock());
  scf::YieldOp::create(k.b, k.load(paging.table, i32, page));
  k.b.setInsertionPointToStart(lookup.elseBlock());
  scf::YieldOp::create(k.b, page);
  k.b.setInsertionPointToEnd(branch.thenBlock());
  Value pageStride = k.scale(paging.stride, getStorageBytes(view.element));
  Value start = k.multiply(k.toInt64(lookup.getResult(0)), pageStride);
  Value inPage = k.multiply(k.toInt64(row), getByteStride(view, dim));
  scf::YieldOp::create(k.b, k.add(start, inPage));
  return branch.getResult(0);
}
