//===- EvaluateSizes.h - The sizes of the axes of one evaluation -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATESIZES_H
#define MIXWRIGHT_DIALECT_EVALUATESIZES_H

#include "dialect/Evaluate.h"

namespace mix {

/// The size of every feature axis and token space, and who bound it.
class AxisSizes {
public:
  /// Binds an axis (`"j:T"` binds its space). Error: another size was bound.
  llvm::Error bind(llvm::StringRef axis, int64_t size, const llvm::Twine &where);

  /// Binds the axes of an array, which must be the ones of `axes`.
  llvm::Error bindArray(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> axes,
                        const Array &array);

  /// Binds the axes that count blocks of another (`mix.blocks`), once the others
  /// are bound: `{B = ["T", 64]}` makes B = ceil(T / 64).
  llvm::Error bindBlocks(mlir::Operation *function);

  /// The size of an axis, or nothing if it is not bound.
  std::optional<int64_t> lookup(llvm::StringRef axis) const;

private:
  struct Binding {
    int64_t size;
    std::string where;
  };
  llvm::StringMap<Binding> bindings;
};

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATESIZES_H
