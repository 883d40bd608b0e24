//===- Build.h - Making ops over named axes ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builders that broadcast by axis name, for the passes of levels L1 and L2. The
// axis of a walk (`"t:T"`) comes first in everything that they make.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_BUILD_H
#define MIXWRIGHT_PASSES_BUILD_H

#include "dialect/Mix.h"
#include "mlir/IR/Builders.h"

namespace mix {

/// The value below its broadcasts.
mlir::Value stripBroadcasts(mlir::Value value);

/// The value over the axes of `type` (its element type stays): itself, or a broadcast.
mlir::Value broadcastTo(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                        mlir::Type type);

/// The type with the axis in front, or as it is if it has the axis.
mlir::RankedTensorType withAxis(mlir::Type type, llvm::StringRef axis, int64_t size);

/// The value, broadcast if it lacks the axis.
mlir::Value ensureAxis(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                       llvm::StringRef axis, int64_t size);

/// `a OpTy b` over the union of the axes, index axes first.
template <typename OpTy>
mlir::Value createBinary(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a,
                         mlir::Value b);

/// The union of the axes, index axes first, with the element type of the first.
mlir::RankedTensorType joinIndexFirst(llvm::ArrayRef<mlir::Type> types);

/// A real number as a value without axes.
mlir::Value createNumber(mlir::OpBuilder &builder, mlir::Location loc, double value);

/// The reduction over the axes that the source has among `axes`.
mlir::Value createReduce(mlir::OpBuilder &builder, mlir::Location loc, ReduceKind kind,
                         mlir::Value source, mlir::Value mask,
                         llvm::ArrayRef<llvm::StringRef> axes);

/// The positions along an index axis.
mlir::Value createIota(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef axis,
                       int64_t size);

/// The constant that fills a tensor, if the value is one.
std::optional<double> getSplat(mlir::Value value);

/// The integer that fills a tensor, if the value is one, perhaps a broadcast one.
std::optional<int64_t> getConstantInteger(mlir::Value value);

/// A recurrence of one elementwise state along `space`, of `size` tokens. `step` makes the
/// state's next value and the output of a token from its position and the state.
ForOp createElementwiseLoop(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef space,
                            int64_t size, llvm::StringRef state, mlir::Value init,
                            llvm::function_ref<std::pair<mlir::Value, mlir::Value>(
                                mlir::OpBuilder &, mlir::Value position, mlir::Value state)>
                                step);

/// What a prefix of nothing is.
double getIdentity(PrefixKind kind);

/// `log(exp(x) + exp(y))` of scalars or tensors, where `lowest` is -inf; -inf if both are.
mlir::Value createLogAddExp(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x,
                            mlir::Value y, mlir::Value lowest);

/// A predicate that holds everywhere.
mlir::Value createTrue(mlir::OpBuilder &builder, mlir::Location loc);

/// Whether the value is the constant that holds everywhere.
bool isTrue(mlir::Value predicate);

/// `file:line:col` of a location, or "unknown location".
std::string describeLocation(mlir::Location loc);

template <typename OpTy>
mlir::Value createBinary(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a,
                         mlir::Value b) {
  mlir::RankedTensorType type = joinIndexFirst({a.getType(), b.getType()});
  return OpTy::create(builder, loc, broadcastTo(builder, loc, a, type),
                      broadcastTo(builder, loc, b, type));
}

} // namespace mix

#endif // MIXWRIGHT_PASSES_BUILD_H
