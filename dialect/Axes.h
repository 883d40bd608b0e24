//===- Axes.h - Named axes of tensor types ----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A value of level L1 or L2 is a ranked tensor whose encoding names its axes.
// These helpers are the only place that looks into the encoding.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_AXES_H
#define MIXWRIGHT_DIALECT_AXES_H

#include "mlir/IR/BuiltinTypes.h"

namespace mix {

/// The names of the axes of a tensor type, in order; empty for rank 0.
llvm::SmallVector<llvm::StringRef> getAxes(mlir::Type type);
inline llvm::SmallVector<llvm::StringRef> getAxes(mlir::Value value) {
  return getAxes(value.getType());
}

/// Whether a type is a tensor with a name for each of its axes.
bool isNamedTensor(mlir::Type type);

/// A tensor type over the named axes. Sizes are static or
/// `mlir::ShapedType::kDynamic`. Rank 0 gets no encoding.
mlir::RankedTensorType getTensorType(mlir::Type element, llvm::ArrayRef<llvm::StringRef> axes,
                                     llvm::ArrayRef<int64_t> sizes);

/// The same tensor type with another element type.
mlir::RankedTensorType withElement(mlir::Type type, mlir::Type element);

/// The dimension of the axis in the type, or -1.
int64_t findAxis(mlir::Type type, llvm::StringRef axis);
inline bool hasAxis(mlir::Type type, llvm::StringRef axis) { return findAxis(type, axis) >= 0; }

/// The size of the axis in the type (`kDynamic` if unknown). The axis must exist.
int64_t getAxisSize(mlir::Type type, llvm::StringRef axis);

/// The type without the named axes.
mlir::RankedTensorType dropAxes(mlir::Type type, llvm::ArrayRef<llvm::StringRef> axes);

/// The type with the axis `from` renamed to `to`.
mlir::RankedTensorType renameAxis(mlir::Type type, llvm::StringRef from, llvm::StringRef to);

/// The smallest type over the union of the axes of `types`, in order of first
/// appearance, with the element type of the first.
mlir::RankedTensorType joinAxes(llvm::ArrayRef<mlir::Type> types);

/// Whether every axis of `inner` is an axis of `outer`.
bool isAxisSubset(mlir::Type inner, mlir::Type outer);

/// True for the axis of an index variable (`"j:T"`).
inline bool isIndexAxis(llvm::StringRef axis) { return axis.contains(':'); }

/// The token space of an axis: `"T"` for `"j:T"` and for `"T"`.
inline llvm::StringRef getSpace(llvm::StringRef axis) {
  return isIndexAxis(axis) ? axis.split(':').second : axis;
}

/// The space of all tokens of a sequence in a step form, whose space `space` holds the
/// new ones only. No name of the text language has a dot.
std::string getHistorySpace(llvm::StringRef space);

} // namespace mix

#endif // MIXWRIGHT_DIALECT_AXES_H
