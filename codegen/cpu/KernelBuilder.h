//===- KernelBuilder.h - Loops, vectors and memory of a kernel --*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a kernel author would write by hand: counted loops over i64, element
// addresses, loads and stores of native vectors. Knows nothing of tile programs
// but how a tile lies in memory.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_KERNELBUILDER_H
#define MIXWRIGHT_CODEGEN_CPU_KERNELBUILDER_H

#include "codegen/Chips.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace mix::cpu {

/// A tile at run time: in memory, or all elements one scalar.
struct Tile {
  mlir::Value pointer; ///< Of element (0, ..., 0); null for a splat and for an undefined tile.
  mlir::Value splat;   ///< The scalar; null for a tile in memory.
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<int64_t> strides; ///< In elements; dynamic ones are in `runtimeStrides`.
  llvm::SmallVector<mlir::Value> runtimeStrides; ///< Per dimension, if some stride is dynamic.
  mlir::Type element;

  bool inMemory() const { return (bool)pointer; }
  int64_t rank() const { return shape.size(); }
};

class KernelBuilder {
public:
  /// `lanes` is the number of elements of every vector.
  KernelBuilder(mlir::OpBuilder &b, mlir::Location loc, const Chip &chip, int64_t lanes)
      : b(b), loc(loc), chip(chip), lanes(lanes) {}

  mlir::OpBuilder &b;
  mlir::Location loc;
  const Chip &chip;
  const int64_t lanes;

  // Integers. Everything is i64; constants fold.
  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value scale(mlir::Value a, int64_t factor);
  mlir::Value scale(mlir::Value a, mlir::Value factor);
  /// Of a number that is not negative.
  mlir::Value divide(mlir::Value a, int64_t divisor);
  mlir::Value clamp(mlir::Value a, int64_t low, int64_t high);
  /// An index as i64.
  mlir::Value toInt(mlir::Value index);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b);

  mlir::Value negate(mlir::Value condition);

  // Loops.
  using Body = llvm::function_ref<void(mlir::Value iv)>;
  using CarryingBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value iv, mlir::ValueRange carried)>;
  /// for (iv = lower; iv < upper; iv += step). No loop if the bounds say once or never.
  void loop(mlir::Value lower, mlir::Value upper, int64_t step, Body body);
  void loop(int64_t lower, int64_t upper, int64_t step, Body body) {
    loop(constant(lower), constant(upper), step, body);
  }
  llvm::SmallVector<mlir::Value> loopCarrying(mlir::Value lower, mlir::Value upper, int64_t step,
                                              mlir::ValueRange inits, CarryingBody body);
  llvm::SmallVector<mlir::Value> loopCarrying(int64_t lower, int64_t upper, int64_t step,
                                              mlir::ValueRange inits, CarryingBody body) {
    return loopCarrying(constant(lower), constant(upper), step, inits, body);
  }
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  void ifThenElse(mlir::Value condition, llvm::function_ref<void()> body,
                  llvm::function_ref<void()> otherwise);

  // Vectors. `width` is 1 for a scalar, or `lanes`.
  mlir::Type getVectorType(mlir::Type element, int64_t width);
  mlir::Value broadcast(mlir::Value value, int64_t width);
  /// 0, 1, 2, ... of an integer or index type.
  mlir::Value step(mlir::Type element);
  /// The lanes [0, count) of a vector.
  mlir::Value mask(mlir::Value count);
  mlir::Value zero(mlir::Type element, int64_t width);
  mlir::Value real(mlir::Type element, double value, int64_t width);
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  /// a * b + c, fused where the chip fuses.
  mlir::Value multiplyAdd(mlir::Value a, mlir::Value b, mlir::Value c);
  /// c + a.low * b.low + a.high * b.high on lanes of pairs of bf16, for chips that have it.
  mlir::Value multiplyAddPairs(mlir::Value a, mlir::Value b, mlir::Value c);

  /// The same number in another real type, rounded to nearest if that is narrower.
  mlir::Value convert(mlir::Value value, mlir::Type element);

  // Memory. Offsets are in elements of `element`, which is the element type of values.
  mlir::Value address(mlir::Value pointer, mlir::Type element, mlir::Value offset);
  mlir::Value load(mlir::Value pointer, mlir::Type element, mlir::Value offset, int64_t width);
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value offset);
  /// Lanes outside the mask are zero, and are not read.
  mlir::Value loadMasked(mlir::Value pointer, mlir::Type element, mlir::Value offset,
                         mlir::Value mask);
  void storeMasked(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value offset,
                   mlir::Value mask);

  /// Asks for memory that will be read soon; any address is allowed.
  void prefetch(mlir::Value pointer, mlir::Type element, mlir::Value offset,
                bool isWritten = false);

  // Tiles.
  /// How far apart, in elements, neighbours along a dimension are.
  mlir::Value stride(const Tile &tile, int64_t dim);
  mlir::Value offset(const Tile &tile, mlir::ValueRange position);
  /// Elements from `offset` on, along the lanes; the scalar of a splat.
  mlir::Value read(const Tile &tile, mlir::Value offset, int64_t width);
  void write(mlir::Value value, const Tile &tile, mlir::Value offset);
  /// dst = src, for tiles of one shape, converted if the types differ. Rows are copied in whole
  /// vectors, so the destination must be a tile of its own.
  void copy(const Tile &source, const Tile &destination);

private:
  mlir::Value toStorage(mlir::Value value);
  mlir::Value fromStorage(mlir::Value value, mlir::Type element);
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_KERNELBUILDER_H
