//===- Mix.h - The mix dialect ----------------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_MIX_H
#define MIXWRIGHT_DIALECT_MIX_H

#include "dialect/Axes.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mix {
/// The sizes of equal axes, and of axes over one token space, agree (C0).
mlir::LogicalResult verifyAxisSizes(mlir::Operation *op);

template <typename ConcreteType>
class AxisSizesAgree : public mlir::OpTrait::TraitBase<ConcreteType, AxisSizesAgree> {
public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) { return verifyAxisSizes(op); }
};
} // namespace mix

#include "dialect/MixDialect.h.inc"
#include "dialect/MixEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/MixAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialect/MixOps.h.inc"

namespace mix {
/// Attribute names on a mixer (`func.func`), its arguments and its results.
inline constexpr llvm::StringLiteral kMixerAttr = "mix.mixer";
inline constexpr llvm::StringLiteral kNameAttr = "mix.name";
inline constexpr llvm::StringLiteral kKindAttr = "mix.kind";
inline constexpr llvm::StringLiteral kBlocksAttr = "mix.blocks";
/// On a `mix.affine_scan`: the names of its states in the spec.
inline constexpr llvm::StringLiteral kStatesAttr = "mix.states";
/// On a step form: the token space that it steps over.
inline constexpr llvm::StringLiteral kStepAttr = "mix.step";
/// On a cache of a step form: token `i` reads rows `j` with `i - j < window` only.
inline constexpr llvm::StringLiteral kWindowAttr = "mix.window";
/// On a cache of a step form: the arguments that its rows are made of.
inline constexpr llvm::StringLiteral kSourcesAttr = "mix.sources";
} // namespace mix

#endif // MIXWRIGHT_DIALECT_MIX_H
