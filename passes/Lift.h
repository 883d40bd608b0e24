//===- Lift.h - The body of a loop for all positions at once ----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_LIFT_H
#define MIXWRIGHT_PASSES_LIFT_H

#include "dialect/Mix.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace mix {

/// Rebuilds values of a loop's body in front of the loop, for all positions at
/// once: what depends on the position gains the axis of the walk (`"t:T"`).
class Lifter {
public:
  /// New ops are made at the builder's insertion point. `size` is the number of
  /// positions, or `ShapedType::kDynamic`.
  Lifter(mlir::OpBuilder &builder, ForOp loop, llvm::StringRef axis, int64_t size);

  /// Lets `lifted` stand for `inside`.
  void map(mlir::Value inside, mlir::Value lifted) { values[inside] = lifted; }

  /// What stands for the value: itself if it is from outside of the loop, or
  /// else the value for all positions, made on demand from its definition. Null,
  /// with an error at the op, if it depends on a block argument that is not
  /// mapped or on an op that has no lifted form.
  mlir::Value lift(mlir::Value inside);

  /// `lift`, then brought to the axis of the walk and the axes of `inside`.
  mlir::Value liftFully(mlir::Value inside);

  llvm::StringRef getAxis() const { return axis; }
  int64_t getSize() const { return size; }

private:
  mlir::LogicalResult liftOp(mlir::Operation *op);
  mlir::LogicalResult liftElementwise(mlir::Operation *op);
  mlir::LogicalResult liftMixOp(mlir::Operation *op);
  mlir::LogicalResult liftLoop(ForOp loop);
  bool isLifted(mlir::Value value) const { return hasAxis(value.getType(), axis); }
  mlir::Value withWalkAxis(mlir::Location loc, mlir::Value value);
  llvm::SmallVector<mlir::Value> liftedOperands(mlir::Operation *op);

  mlir::OpBuilder &builder;
  ForOp loop;
  std::string axis;
  int64_t size;
  llvm::DenseMap<mlir::Value, mlir::Value> values;
};

/// An axis `"t:T"` for the walk of a loop: no value that the body uses has it,
/// nor any value of a loop around.
std::string chooseWalkAxis(ForOp loop);

/// The number of positions of the loop as its results tell it.
int64_t getWalkSize(ForOp loop);

} // namespace mix

#endif // MIXWRIGHT_PASSES_LIFT_H
