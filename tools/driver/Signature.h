//===- Signature.h - What a mixer takes and gives ---------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_SIGNATURE_H
#define MIXWRIGHT_TOOLS_DRIVER_SIGNATURE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <string>

namespace mix::driver {

enum class ArgumentKind { Input, Param, Output, State };

/// "input", "param", "output", "state".
llvm::StringRef getKindName(ArgumentKind kind);

/// A tensor that a mixer declares for one head of one sequence.
struct Argument {
  std::string name;
  ArgumentKind kind;
  bool isInteger;
  llvm::SmallVector<std::string, 4> axes;
  bool tokensFirst = false; ///< the first axis is a token axis

  /// Whether tensors of it have something for each token of the axis.
  bool walksAlong(llvm::StringRef axis) const {
    return kind != ArgumentKind::Param && llvm::is_contained(axes, axis);
  }
};

/// The declarations of a mixer (level L1), in the order of the spec.
struct Signature {
  std::string mixer;
  llvm::SmallVector<Argument, 8> inputs; ///< inputs and params
  llvm::SmallVector<Argument, 2> outputs;
  llvm::SmallVector<Argument, 2> states;
  /// The axes that an index variable walks or an index reads: their sizes are bound
  /// by every call anew. All other axes are features.
  llvm::StringSet<> tokenAxes;
  /// Axes that count the blocks of another: {"B", {"T", 64}}.
  llvm::StringMap<std::pair<std::string, int64_t>> blocks;

  const Argument *findInput(llvm::StringRef name) const;
  const Argument *findOutput(llvm::StringRef name) const;
  const Argument *findState(llvm::StringRef name) const;
  bool isTokenAxis(llvm::StringRef axis) const { return tokenAxes.contains(axis); }
  /// The token axes of an argument, in its order.
  llvm::SmallVector<llvm::StringRef, 2> getTokenAxes(const Argument &arg) const;
  /// The feature axes, in order of first appearance.
  llvm::SmallVector<std::string, 4> getFeatureAxes() const;
};

Signature getSignature(mlir::func::FuncOp mixer);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_SIGNATURE_H
