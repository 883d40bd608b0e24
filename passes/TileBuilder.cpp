//===- TileBuilder.cpp - Tiles with named axes ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TileBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;
using namespace mix;
using llvm::StringRef;

SmallVector<StringRef, 3> mix::uniteAxes(AxisList a, AxisList b) {
  SmallVector<StringRef, 3> result(a);
  for (StringRef axis : b)
    if (!llvm::is_contained(result, axis))
      result.push_back(axis);
  return result;
}

SmallVector<StringRef, 3> mix::subtractAxes(AxisList a, AxisList b) {
  SmallVector<StringRef, 3> result;
  for (StringRef axis : a)
    if (!llvm::is_contained(b, axis))
      result.push_back(axis);
  return result;
}

Value ElementBuilder::index(StringRef axis) {
  auto it = llvm::find(domain, axis);
  if (it == domain.end())
    return arith::ConstantIndexOp::create(builder, loc, 0);
  return linalg::IndexOp::create(builder, loc, it - domain.begin());
}

//===----------------------------------------------------------------------===//
// Sizes and constants
//===----------------------------------------------------------------------===//

int64_t TileBuilder::getSize(StringRef axis) const {
  auto it = sizes.find(axis);
  return it == sizes.end() ? 1 : it->second;
}

int64_t TileBuilder::getNumElements(AxisList axes) const {
  int64_t product = 1;
  for (StringRef axis : axes)
    product *= getSize(axis);
  return product;
}

Type TileBuilder::getType(AxisList axes, Type elementType) const {
  if (axes.empty())
    return elementType;
  SmallVector<int64_t> shape =
      llvm::map_to_vector(axes, [&](StringRef axis) { return getSize(axis); });
  return RankedTensorType::get(shape, elementType);
}

Value TileBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value TileBuilder::real(double value) {
  return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, value));
}

Tile TileBuilder::empty(AxisList axes, Type elementType) {
  SmallVector<int64_t> shape =
      llvm::map_to_vector(axes, [&](StringRef axis) { return getSize(axis); });
  return {tensor::EmptyOp::create(builder, loc, shape, elementType),
          SmallVector<StringRef, 3>(axes)};
}

Tile TileBuilder::fill(Value value, AxisList axes) {
  if (axes.empty())
    return {value, {}};
  Value init = empty(axes, value.getType()).value;
  return {linalg::FillOp::create(builder, loc, value, init).getResult(0),
          SmallVector<StringRef, 3>(axes)};
}

Value mix::addProducts(ElementBuilder &body, Value sum, size_t first, size_t end) {
  OpBuilder &b = body.builder;
  for (size_t n = first; n < end; n += 2) {
    Value product = arith::MulFOp::create(b, body.loc, body.elements[n], body.elements[n + 1]);
    sum = sum ? arith::AddFOp::create(b, body.loc, sum, product).getResult() : product;
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Elementwise work and reductions
//===----------------------------------------------------------------------===//

/// The map from the domain to the axes, which are all axes of the domain.
static AffineMap getMap(MLIRContext *context, AxisList domain, AxisList axes) {
  SmallVector<AffineExpr> results;
  for (StringRef axis : axes)
    results.push_back(getAffineDimExpr(llvm::find(domain, axis) - domain.begin(), context));
  return AffineMap::get(domain.size(), 0, results, context);
}

namespace {
/// The operands of a `linalg.generic`: scalars are captured by its body.
struct GenericInputs {
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;

  GenericInputs(ArrayRef<Tile> inputs, AxisList domain, MLIRContext *context) {
    for (const Tile &input : inputs) {
      if (input.isScalar())
        continue;
      operands.push_back(input.value);
      maps.push_back(getMap(context, domain, input.axes));
    }
  }
};
} // namespace

/// The element of every input, given the block arguments of the others than scalars.
static SmallVector<Value> getElements(ArrayRef<Tile> inputs, ValueRange arguments) {
  SmallVector<Value> elements;
  unsigned next = 0;
  for (const Tile &input : inputs)
    elements.push_back(input.isScalar() ? input.value : arguments[next++]);
  return elements;
}

Tile TileBuilder::map(ArrayRef<Tile> inputs, AxisList axes, ElementFn fn, Type resultElement) {
  if (axes.empty()) {
    SmallVector<Value> elements = getElements(inputs, {});
    ElementBuilder body(builder, loc, axes, elements);
    return {fn(body), {}};
  }
  GenericInputs operands(inputs, axes, builder.getContext());
  operands.maps.push_back(builder.getMultiDimIdentityMap(axes.size()));
  Value init = empty(axes, resultElement).value;
  SmallVector<utils::IteratorType> iterators(axes.size(), utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), operands.operands, init, operands.maps, iterators,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
        SmallVector<Value> elements = getElements(inputs, arguments);
        ElementBuilder body(nested, nestedLoc, axes, elements);
        linalg::YieldOp::create(nested, nestedLoc, fn(body));
      });
  return {generic.getResult(0), SmallVector<StringRef, 3>(axes)};
}

Tile TileBuilder::mul(const Tile &a, const Tile &b) {
  return map({a, b}, uniteAxes(a.axes, b.axes), [](ElementBuilder &body) -> Value {
    return arith::MulFOp::create(body.builder, body.loc, body.elements[0], body.elements[1]);
  });
}

Tile TileBuilder::add(const Tile &a, const Tile &b) {
  return map({a, b}, uniteAxes(a.axes, b.axes), [](ElementBuilder &body) -> Value {
    return arith::AddFOp::create(body.builder, body.loc, body.elements[0], body.elements[1]);
  });
}

/// The type of a tile, or of a scalar, with other elements.
static Type getConverted(Type type, Type element) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(tensor.clone(element)) : element;
}

static bool isNarrower(Type a, Type b) {
  return isa<FloatType>(a) && isa<FloatType>(b) &&
         a.getIntOrFloatBitWidth() < b.getIntOrFloatBitWidth();
}

Tile TileBuilder::widen(const Tile &tile) {
  if (!isNarrower(tile.getElementType(), element))
    return tile;
  Type type = getConverted(tile.value.getType(), element);
  return {arith::ExtFOp::create(builder, loc, type, tile.value), tile.axes};
}

Tile TileBuilder::narrow(const Tile &tile, Type elementType) {
  if (!isNarrower(elementType, tile.getElementType()))
    return tile;
  Type type = getConverted(tile.value.getType(), elementType);
  return {arith::TruncFOp::create(builder, loc, type, tile.value), tile.axes};
}

Value TileBuilder::identity(ReduceKind kind, Type type) {
  if (type.isInteger(1))
    return arith::ConstantOp::create(
        builder, loc, builder.getBoolAttr(kind == ReduceKind::Min || kind == ReduceKind::Prod));
  bool isReal = isa<FloatType>(type);
  auto constant = [&](double real, int64_t integer) -> Value {
    TypedAttr attr = isReal ? TypedAttr(builder.getFloatAttr(type, real))
                            : TypedAttr(builder.getIntegerAttr(type, integer));
    return arith::ConstantOp::create(builder, loc, attr);
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  switch (kind) {
  case ReduceKind::Sum:
    return constant(0, 0);
  case ReduceKind::Prod:
    return constant(1, 1);
  case ReduceKind::Max:
    return constant(-inf, std::numeric_limits<int64_t>::min());
  case ReduceKind::Min:
    return constant(inf, std::numeric_limits<int64_t>::max());
  }
  llvm_unreachable("covered switch");
}

Value TileBuilder::combine(OpBuilder &builder, Location loc, ReduceKind kind, Value a, Value b) {
  // As a signed number a true i1 is -1, so booleans have no order of integers.
  if (a.getType().isInteger(1))
    return kind == ReduceKind::Max ? arith::OrIOp::create(builder, loc, a, b).getResult()
                                   : arith::AndIOp::create(builder, loc, a, b).getResult();
  bool isReal = isa<FloatType>(a.getType());
  switch (kind) {
  case ReduceKind::Sum:
    return isReal ? arith::AddFOp::create(builder, loc, a, b).getResult()
                  : arith::AddIOp::create(builder, loc, a, b).getResult();
  case ReduceKind::Prod:
    return isReal ? arith::MulFOp::create(builder, loc, a, b).getResult()
                  : arith::MulIOp::create(builder, loc, a, b).getResult();
  case ReduceKind::Max:
    return isReal ? arith::MaximumFOp::create(builder, loc, a, b).getResult()
                  : arith::MaxSIOp::create(builder, loc, a, b).getResult();
  case ReduceKind::Min:
    return isReal ? arith::MinimumFOp::create(builder, loc, a, b).getResult()
                  : arith::MinSIOp::create(builder, loc, a, b).getResult();
  }
  llvm_unreachable("covered switch");
}

Tile TileBuilder::reduce(ReduceKind kind, ArrayRef<Tile> inputs, AxisList axes, AxisList reduced,
                         ElementFn fn, Type resultElement) {
  SmallVector<StringRef, 3> domain(axes);
  llvm::append_range(domain, reduced);
  GenericInputs operands(inputs, domain, builder.getContext());
  operands.maps.push_back(getMap(builder.getContext(), domain, axes));
  Value start = identity(kind, resultElement);
  Value init =
      linalg::FillOp::create(builder, loc, start, empty(axes, resultElement).value).getResult(0);
  SmallVector<utils::IteratorType> iterators(axes.size(), utils::IteratorType::parallel);
  iterators.append(reduced.size(), utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), operands.operands, init, operands.maps, iterators,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
        SmallVector<Value> elements = getElements(inputs, arguments);
        ElementBuilder body(nested, nestedLoc, domain, elements);
        Value next = combine(nested, nestedLoc, kind, arguments.back(), fn(body));
        linalg::YieldOp::create(nested, nestedLoc, next);
      });
  Value result = generic.getResult(0);
  if (axes.empty())
    result = tensor::ExtractOp::create(builder, loc, result, ValueRange());
  return {result, SmallVector<StringRef, 3>(axes)};
}

Tile TileBuilder::reduce(ReduceKind kind, const Tile &input, AxisList reduced) {
  return reduce(
      kind, input, subtractAxes(input.axes, reduced), reduced,
      [](ElementBuilder &body) { return body.elements[0]; }, input.getElementType());
}

/// A tile as it was loaded, if it was widened after that.
static Value getLoaded(const Tile &tile) {
  auto widened = tile.value.getDefiningOp<arith::ExtFOp>();
  return widened ? widened.getIn() : Value();
}

/// The operands of a product: in a type of 16 bits if that is the type of both, or of one while
/// the other may be rounded to it. A target without such products need not round.
SmallVector<Value> TileBuilder::getProductOperands(const Tile &a, const Tile &b) {
  Value loadedA = getLoaded(a), loadedB = getLoaded(b);
  auto round = [&](const Tile &tile, Value other) -> Value {
    Type type = getConverted(tile.value.getType(), getElementTypeOrSelf(other));
    auto flags =
        arith::FastMathFlagsAttr::get(builder.getContext(), arith::FastMathFlags::contract);
    return arith::TruncFOp::create(builder, loc, type, tile.value, arith::RoundingModeAttr(),
                                   flags);
  };
  if (loadedA && loadedB && getElementTypeOrSelf(loadedA) == getElementTypeOrSelf(loadedB))
    return {loadedA, loadedB};
  if (loadedA && b.mayBeRounded)
    return {loadedA, round(b, loadedA)};
  if (loadedB && a.mayBeRounded)
    return {round(a, loadedB), loadedB};
  return {a.value, b.value};
}

Tile TileBuilder::contract(const Tile &a, const Tile &b, AxisList axes, const Tile *acc) {
  SmallVector<StringRef, 3> reduced = subtractAxes(uniteAxes(a.axes, b.axes), axes);
  bool isShared = !reduced.empty() &&
                  llvm::all_of(reduced, [&](StringRef axis) { return a.has(axis) && b.has(axis); });
  bool hasOwn = llvm::any_of(axes, [&](StringRef axis) { return a.has(axis) != b.has(axis); });
  bool isCovered = llvm::all_of(axes, [&](StringRef axis) { return a.has(axis) || b.has(axis); });
  if (isShared && hasOwn && isCovered) {
    SmallVector<StringRef, 3> domain(axes);
    llvm::append_range(domain, reduced);
    MLIRContext *context = builder.getContext();
    ArrayAttr maps = builder.getAffineMapArrayAttr({getMap(context, domain, a.axes),
                                                    getMap(context, domain, b.axes),
                                                    getMap(context, domain, axes)});
    Value init = acc ? spread(*acc, axes).value : zeros(axes).value;
    auto op = linalg::ContractOp::create(builder, loc, init.getType(), getProductOperands(a, b),
                                         init, maps);
    return {op.getResult(0), SmallVector<StringRef, 3>(axes)};
  }
  auto product = [](ElementBuilder &body) -> Value {
    return arith::MulFOp::create(body.builder, body.loc, body.elements[0], body.elements[1]);
  };
  Tile result = reduced.empty() ? map({a, b}, axes, product)
                                : reduce(ReduceKind::Sum, {a, b}, axes, reduced, product, element);
  return acc ? add(*acc, result) : result;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Tile TileBuilder::spread(const Tile &tile, AxisList axes) {
  if (AxisList(tile.axes) == axes)
    return tile;
  if (tile.isScalar())
    return fill(tile.value, axes);
  return map(
      tile, axes, [](ElementBuilder &body) { return body.elements[0]; }, tile.getElementType());
}

Tile TileBuilder::collapse(const Tile &tile, AxisList axes, AxisList fused, StringRef name) {
  Tile full = spread(tile, axes);
  if (fused.size() == 1)
    return rename(full, fused.front(), name);
  if (fused.empty())
    return full;
  SmallVector<ReassociationIndices> groups;
  SmallVector<StringRef, 3> names;
  for (auto [dim, axis] : llvm::enumerate(axes)) {
    bool isFused = llvm::is_contained(fused, axis);
    if (isFused && !names.empty() && names.back() == name) {
      groups.back().push_back(dim);
      continue;
    }
    groups.push_back({(int64_t)dim});
    names.push_back(isFused ? name : axis);
  }
  Value value = tensor::CollapseShapeOp::create(builder, loc, full.value, groups);
  return {value, names};
}

Tile TileBuilder::expand(const Tile &tile, StringRef name, AxisList axes) {
  if (axes.size() == 1)
    return rename(tile, name, axes.front());
  SmallVector<ReassociationIndices> groups;
  SmallVector<StringRef, 3> names;
  for (StringRef axis : tile.axes) {
    ReassociationIndices &group = groups.emplace_back();
    SmallVector<StringRef> parts =
        axis == name ? SmallVector<StringRef>(axes) : SmallVector<StringRef>{axis};
    for (StringRef part : parts) {
      group.push_back(names.size());
      names.push_back(part);
    }
  }
  Value value = tensor::ExpandShapeOp::create(builder, loc, getType(names, tile.getElementType()),
                                              tile.value, groups);
  return {value, names};
}

Tile TileBuilder::rename(Tile tile, StringRef from, StringRef to) const {
  for (StringRef &axis : tile.axes)
    if (axis == from)
      axis = to;
  return tile;
}

Tile TileBuilder::extract(const Tile &tile, StringRef axis, OpFoldResult position) {
  if (!tile.has(axis))
    return tile;
  SmallVector<StringRef, 3> axes = subtractAxes(tile.axes, axis);
  if (axes.empty()) {
    Value at = getValueOrCreateConstantIndexOp(builder, loc, position);
    return {tensor::ExtractOp::create(builder, loc, tile.value, at), {}};
  }
  SmallVector<OpFoldResult> offsets, sizes, strides(tile.axes.size(), builder.getIndexAttr(1));
  for (StringRef name : tile.axes) {
    offsets.push_back(name == axis ? position : builder.getIndexAttr(0));
    sizes.push_back(builder.getIndexAttr(name == axis ? 1 : getSize(name)));
  }
  auto type = cast<RankedTensorType>(getType(axes, tile.getElementType()));
  Value value =
      tensor::ExtractSliceOp::create(builder, loc, type, tile.value, offsets, sizes, strides);
  return {value, axes};
}

Tile TileBuilder::insert(const Tile &tile, const Tile &into, OpFoldResult position) {
  if (into.axes.size() == 1) {
    Value at = getValueOrCreateConstantIndexOp(builder, loc, position);
    return {tensor::InsertOp::create(builder, loc, tile.value, into.value, at), into.axes};
  }
  SmallVector<OpFoldResult> offsets(into.axes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> sizes, strides(into.axes.size(), builder.getIndexAttr(1));
  offsets.front() = position;
  for (auto [dim, name] : llvm::enumerate(into.axes))
    sizes.push_back(builder.getIndexAttr(dim == 0 ? 1 : getSize(name)));
  Tile row = spread(tile, AxisList(into.axes).drop_front());
  Value value =
      tensor::InsertSliceOp::create(builder, loc, row.value, into.value, offsets, sizes, strides);
  return {value, into.axes};
}

Tile TileBuilder::scan(tile::ScanKind kind, const Tile &tile, bool reverse, bool exclusive) {
  Value value = tile::ScanOp::create(builder, loc, tile.value.getType(), kind, tile.value, reverse,
                                     exclusive);
  return {value, tile.axes};
}
