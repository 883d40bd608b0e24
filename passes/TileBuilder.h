//===- TileBuilder.h - Tiles with named axes --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds tile code (level L3) from operations on tiles whose dimensions have
// names, so that callers write equations and not indexing maps. Knows nothing of
// mixers.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILEBUILDER_H
#define MIXWRIGHT_PASSES_TILEBUILDER_H

#include "dialect/Mix.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace mix {

/// A tile and the names of its dimensions. A tile without dimensions is a scalar
/// (`f32`, not `tensor<f32>`). Along an axis that it lacks, a tile is constant.
struct Tile {
  mlir::Value value;
  llvm::SmallVector<llvm::StringRef, 3> axes;
  /// Whether a product may round the tile to the type of its other operand: weights of a
  /// softmax, whose relative errors average out.
  bool mayBeRounded = false;

  bool has(llvm::StringRef axis) const { return llvm::is_contained(axes, axis); }
  bool isScalar() const { return axes.empty(); }
  mlir::Type getElementType() const { return mlir::getElementTypeOrSelf(value.getType()); }
};

/// The names of some axes, in the order of a tile's dimensions.
using AxisList = llvm::ArrayRef<llvm::StringRef>;

/// The union of axes, in order of first appearance.
llvm::SmallVector<llvm::StringRef, 3> uniteAxes(AxisList a, AxisList b);
/// The axes of `a` that are not in `b`.
llvm::SmallVector<llvm::StringRef, 3> subtractAxes(AxisList a, AxisList b);

/// What the body of an elementwise operation sees of one element.
class ElementBuilder {
public:
  ElementBuilder(mlir::OpBuilder &builder, mlir::Location loc, AxisList domain,
                 llvm::ArrayRef<mlir::Value> elements)
      : builder(builder), loc(loc), domain(domain), elements(elements) {}

  /// The position of the element along an axis of the domain, as `index`. Zero if
  /// the domain lacks the axis.
  mlir::Value index(llvm::StringRef axis);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  AxisList domain;
  /// The element of each input tile.
  llvm::ArrayRef<mlir::Value> elements;
};
using ElementFn = llvm::function_ref<mlir::Value(ElementBuilder &)>;

/// `sum` plus the products of the elements from number `first` on, taken by twos. A null `sum` is
/// nothing.
mlir::Value addProducts(ElementBuilder &body, mlir::Value sum, size_t first, size_t end);

class TileBuilder {
public:
  TileBuilder(mlir::MLIRContext *context, mlir::Type element)
      : builder(context), loc(mlir::UnknownLoc::get(context)), element(element) {}

  /// Sizes of axes. An axis keeps its size in a whole phase.
  void setSize(llvm::StringRef axis, int64_t size) { sizes[axis] = size; }
  int64_t getSize(llvm::StringRef axis) const;
  int64_t getNumElements(AxisList axes) const;
  mlir::Type getType(AxisList axes, mlir::Type elementType) const;
  mlir::Type getType(AxisList axes) const { return getType(axes, element); }

  mlir::Value index(int64_t value);
  mlir::Value real(double value);
  /// `a op b` on scalars of type `index`.
  template <typename Op> mlir::Value indexOp(mlir::Value a, mlir::Value b) {
    return Op::create(builder, loc, a, b);
  }

  /// A tile whose elements are not set yet.
  Tile empty(AxisList axes, mlir::Type elementType);
  /// A tile that holds one value.
  Tile fill(mlir::Value value, AxisList axes);
  Tile zeros(AxisList axes) { return fill(real(0), axes); }

  /// The elementwise function `fn` of the inputs, over `axes`, which must include
  /// all axes of the inputs.
  Tile map(llvm::ArrayRef<Tile> inputs, AxisList axes, ElementFn fn, mlir::Type resultElement);
  Tile map(llvm::ArrayRef<Tile> inputs, AxisList axes, ElementFn fn) {
    return map(inputs, axes, fn, element);
  }
  /// `a * b`, `a + b` over the union of their axes.
  Tile mul(const Tile &a, const Tile &b);
  Tile add(const Tile &a, const Tile &b);

  /// A tile as it was loaded, in the type of reals.
  Tile widen(const Tile &tile);
  /// The tile rounded to a type that it is stored in, if that is narrower.
  Tile narrow(const Tile &tile, mlir::Type elementType);

  /// Reduces the elementwise function `fn` of the inputs over the axes `reduced`.
  Tile reduce(ReduceKind kind, llvm::ArrayRef<Tile> inputs, AxisList axes, AxisList reduced,
              ElementFn fn, mlir::Type resultElement);
  Tile reduce(ReduceKind kind, const Tile &input, AxisList reduced);

  /// The neutral element of a reduction, and its binary function.
  mlir::Value identity(ReduceKind kind, mlir::Type type);
  static mlir::Value combine(mlir::OpBuilder &builder, mlir::Location loc, ReduceKind kind,
                             mlir::Value a, mlir::Value b);

  /// `acc + sum of a * b` over the axes that `axes` lacks; without `acc`, 0 + ...
  /// A product of matrices if both operands have an axis of their own, and
  /// otherwise what is left of it. Operands that were widened after their loads are
  /// taken as they were loaded, if both are, or the other one may be rounded.
  Tile contract(const Tile &a, const Tile &b, AxisList axes, const Tile *acc = nullptr);

  /// The tile with exactly these axes in this order, repeated along those it lacks.
  Tile spread(const Tile &tile, AxisList axes);
  /// The tile over `axes` (in this order) with these axes fused into `name`.
  Tile collapse(const Tile &tile, AxisList axes, AxisList fused, llvm::StringRef name);
  /// The inverse: splits `name` into `axes`.
  Tile expand(const Tile &tile, llvm::StringRef name, AxisList axes);
  Tile rename(Tile tile, llvm::StringRef from, llvm::StringRef to) const;

  /// Element `position` of the tile along an axis.
  Tile extract(const Tile &tile, llvm::StringRef axis, mlir::OpFoldResult position);
  /// `into` with `tile` at `position` along the first axis of `into`.
  Tile insert(const Tile &tile, const Tile &into, mlir::OpFoldResult position);

  /// Prefix (or suffix) reduction along the first axis of the tile.
  Tile scan(tile::ScanKind kind, const Tile &tile, bool reverse, bool exclusive);

  mlir::OpBuilder builder;
  mlir::Location loc;
  /// The type of reals: `f32` or `f64`.
  mlir::Type element;

private:
  llvm::SmallVector<mlir::Value> getProductOperands(const Tile &a, const Tile &b);

  llvm::StringMap<int64_t> sizes;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILEBUILDER_H
