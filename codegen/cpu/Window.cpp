//===- Window.cpp - Tiles of the caller's tensors ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Window.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Whether an index is known not to be negative.
static bool isNonNegative(Value value, int depth = 8) {
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return !constant.getValue().isNegative();
  if (depth == 0)
    return false;
  if (auto arg = dyn_cast<BlockArgument>(value)) {
    Operation *parent = arg.getOwner()->getParentOp();
    if (isa<scf::ForallOp>(parent))
      return true;
    auto loop = dyn_cast<scf::ForOp>(parent);
    return loop && arg == loop.getInductionVar() && isNonNegative(loop.getLowerBound(), depth - 1);
  }
  Operation *op = value.getDefiningOp();
  if (isa<memref::DimOp>(op))
    return true;
  if (isa<arith::AddIOp, arith::MulIOp, arith::DivSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
          arith::MinSIOp>(op))
    return isNonNegative(op->getOperand(0), depth - 1) &&
           isNonNegative(op->getOperand(1), depth - 1);
  if (isa<arith::MaxSIOp>(op))
    return isNonNegative(op->getOperand(0), depth - 1) ||
           isNonNegative(op->getOperand(1), depth - 1);
  return false;
}

/// The part of `shape` elements from `offset` that lies in [0, size).
static Extent getExtent(KernelBuilder &k, Value offset, bool nonNegative, int64_t shape,
                        Value size) {
  Extent extent;
  extent.low = nonNegative ? k.constant(0) : k.clamp(k.sub(k.constant(0), offset), 0, shape);
  extent.high = k.clamp(k.sub(size, offset), 0, shape);
  IntegerAttr high;
  extent.full =
      nonNegative && matchPattern(extent.high, m_Constant(&high)) && high.getInt() == shape;
  return extent;
}

Value View::getDistance(KernelBuilder &k, size_t dim, Value position) const {
  IntegerAttr step;
  Value direct = matchPattern(strides[dim], m_Constant(&step))
                     ? k.scale(position, step.getInt())
                     : arith::MulIOp::create(k.b, k.loc, position, strides[dim]).getResult();
  if (dim > 0 || !paging)
    return direct;
  // Most caches are one page in order, and the page of a window is used again.
  auto pointerType = paging->table.getType();
  Value null = LLVM::ZeroOp::create(k.b, k.loc, pointerType);
  Value hasTable = LLVM::ICmpOp::create(k.b, k.loc, LLVM::ICmpPredicate::ne, paging->table, null);
  Value isFurther = k.compare(arith::CmpIPredicate::uge, position, paging->pageRows);
  Value isPaged = arith::OrIOp::create(k.b, k.loc, hasTable, isFurther);
  auto branch = scf::IfOp::create(k.b, k.loc, direct.getType(), isPaged, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(branch.thenBlock());
  Value quotient = arith::DivUIOp::create(k.b, k.loc, position, paging->pageRows);
  Value row = arith::RemUIOp::create(k.b, k.loc, position, paging->pageRows);
  Value page = arith::RemUIOp::create(k.b, k.loc, quotient, paging->pages);
  auto lookup = scf::IfOp::create(k.b, k.loc, page.getType(), hasTable, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard inner(k.b);
    k.b.setInsertionPointToStart(lookup.thenBlock());
    Value entry = k.load(paging->table, k.b.getI32Type(), page, 1);
    Value number = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), entry);
    scf::YieldOp::create(k.b, k.loc, number);
    k.b.setInsertionPointToStart(lookup.elseBlock());
    scf::YieldOp::create(k.b, k.loc, page);
  }
  Value start = arith::MulIOp::create(k.b, k.loc, lookup.getResult(0), paging->pageStride);
  Value inPage = arith::MulIOp::create(k.b, k.loc, row, strides[dim]);
  scf::YieldOp::create(k.b, k.loc, k.add(start, inPage));
  k.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(k.b, k.loc, direct);
  return branch.getResult(0);
}

Window::Window(KernelBuilder &k, const View &view, ValueRange offsets, const IRMapping &scalars,
               ArrayRef<int64_t> shape, Value absent)
    : k(k), shape(shape), start(k.constant(0)), outside(absent) {
  size_t leading = offsets.size() - shape.size();
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    Value at = k.toInt(scalars.lookupOrDefault(offset));
    start = k.add(start, view.getDistance(k, dim, at));
    if (dim >= leading) {
      extents.push_back(
          getExtent(k, at, isNonNegative(offset), shape[dim - leading], view.sizes[dim]));
      strides.push_back(view.strides[dim]);
      continue;
    }
    // A dimension that the tile lacks: one position.
    Extent one = getExtent(k, at, isNonNegative(offset), 1, view.sizes[dim]);
    if (one.full)
      continue;
    Value empty = k.compare(arith::CmpIPredicate::sge, one.low, one.high);
    outside = outside ? arith::OrIOp::create(k.b, k.loc, outside, empty).getResult() : empty;
  }
  if (!outside || extents.empty())
    return;
  extents.front().high =
      arith::SelectOp::create(k.b, k.loc, outside, k.constant(0), extents.front().high);
  extents.front().full = false;
}

Value Window::isInside() const {
  Value inside;
  auto require = [&](Value condition) {
    inside = inside ? arith::AndIOp::create(k.b, k.loc, inside, condition).getResult() : condition;
  };
  for (auto [extent, size] : llvm::zip_equal(extents, shape)) {
    if (extent.full)
      continue;
    if (!matchPattern(extent.low, m_Zero()))
      require(k.compare(arith::CmpIPredicate::eq, extent.low, k.constant(0)));
    require(k.compare(arith::CmpIPredicate::eq, extent.high, k.constant(size)));
  }
  return inside;
}

void Window::forEachRow(llvm::function_ref<void(Value, ValueRange)> inside,
                        llvm::function_ref<void(ValueRange)> outside) {
  position.clear();
  walk(start, inside, outside);
}

void Window::walkOutside(llvm::function_ref<void(ValueRange)> outside) {
  if (position.size() + 1 >= shape.size())
    return outside(position);
  k.loop(0, shape[position.size()], 1, [&](Value iv) {
    position.push_back(iv);
    walkOutside(outside);
    position.pop_back();
  });
}

void Window::walk(Value offset, llvm::function_ref<void(Value, ValueRange)> inside,
                  llvm::function_ref<void(ValueRange)> outside) {
  size_t dim = position.size();
  if (dim + 1 >= shape.size())
    return inside(offset, position);
  const Extent &extent = extents[dim];
  auto skip = [&](Value iv) {
    position.push_back(iv);
    walkOutside(outside);
    position.pop_back();
  };
  if (outside && !extent.full)
    k.loop(k.constant(0), extent.low, 1, skip);
  k.loop(extent.low, extent.high, 1, [&](Value iv) {
    position.push_back(iv);
    Value distance = arith::MulIOp::create(k.b, k.loc, iv, strides[dim]);
    walk(k.add(offset, distance), inside, outside);
    position.pop_back();
  });
  if (outside && !extent.full)
    k.loop(extent.high, k.constant(shape[dim]), 1, skip);
}

bool cpu::isRowByRow(Operation *op, ValueRange offsets, ArrayRef<int64_t> shape) {
  auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
  APInt step;
  if (!loop || shape.empty() || !matchPattern(loop.getStep(), m_ConstantInt(&step)) ||
      step != shape.front())
    return false;
  size_t rowDim = offsets.size() - shape.size();
  for (auto [dim, offset] : llvm::enumerate(offsets))
    if (dim == rowDim ? offset != loop.getInductionVar() : !loop.isDefinedOutsideOfLoop(offset))
      return false;
  return true;
}

Tile cpu::getInView(KernelBuilder &k, const Tile &tile, const View &view, Value origin) {
  Tile result = tile;
  result.element = view.element;
  result.pointer = k.address(view.pointer, view.element, origin);
  result.strides.assign(tile.rank(), ShapedType::kDynamic);
  llvm::append_range(result.runtimeStrides, ArrayRef(view.strides).take_back(tile.rank()));
  if (view.lastIsUnit && tile.rank() > 0)
    result.strides.back() = 1;
  return result;
}

Tile cpu::choose(KernelBuilder &k, Value condition, const Tile &yes, const Tile &no) {
  auto select = [&](Value x, Value y) -> Value {
    return arith::SelectOp::create(k.b, k.loc, condition, x, y);
  };
  Tile result = yes;
  result.pointer = select(yes.pointer, no.pointer);
  for (int64_t dim = 0; dim + 1 < yes.rank(); ++dim)
    result.runtimeStrides[dim] = select(k.stride(yes, dim), k.stride(no, dim));
  return result;
}
