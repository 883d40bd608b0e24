//===- Emitter.h - Operations of level L1 -----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Creates the operations that a spec is made of. Knows MLIR and nothing of the
// text language; callers have checked what they pass.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_EMITTER_H
#define MIXWRIGHT_FRONTENDS_MIX_EMITTER_H

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace mix::frontend {

/// The axes with those of index variables first; the order otherwise stays.
llvm::SmallVector<llvm::StringRef> putIndexAxesFirst(llvm::ArrayRef<llvm::StringRef> axes);

class Emitter {
public:
  /// `sizes` are the axes of known size; the other ones are `?`. An index axis is as long as
  /// its space.
  Emitter(mlir::MLIRContext *context, const llvm::StringMap<int64_t> &sizes)
      : builder(context), loc(builder.getUnknownLoc()), sizes(sizes) {}

  mlir::OpBuilder builder;
  mlir::Location loc; // of the operations to come

  /// Starts a function: its constants, sizes and positions go to the top of `entry`.
  void enterFunction(mlir::Block *entry);

  mlir::Type getReal() { return builder.getF64Type(); }
  mlir::Type getInteger() { return builder.getI64Type(); }
  mlir::Type getBool() { return builder.getI1Type(); }
  mlir::RankedTensorType getType(mlir::Type element, llvm::ArrayRef<llvm::StringRef> axes);

  mlir::Value createReal(double value);
  mlir::Value createInteger(int64_t value);
  mlir::Value createBool(bool value);
  mlir::Value createSize(llvm::StringRef axis);
  /// The positions along an index axis.
  mlir::Value createIota(llvm::StringRef axis);

  /// Brings a value to the axes of `type`; its element type stays.
  mlir::Value broadcast(mlir::Value value, mlir::Type type);
  /// Brings values to their common axes, those of index variables first.
  void unify(llvm::MutableArrayRef<mlir::Value> values);
  /// The common axes of values, those of index variables first.
  llvm::SmallVector<llvm::StringRef> joinAxes(llvm::ArrayRef<mlir::Value> values);

  mlir::Value convertToReal(mlir::Value value);
  mlir::Value select(mlir::Value condition, mlir::Value ifTrue, mlir::Value ifFalse);
  mlir::Value read(mlir::Value source, llvm::ArrayRef<llvm::StringRef> axes,
                   llvm::ArrayRef<mlir::Value> indices);
  /// `mask` may be null.
  mlir::Value reduce(ReduceKind kind, mlir::Value source, mlir::Value mask,
                     llvm::ArrayRef<llvm::StringRef> axes);
  /// The conjunction of masks that may be null.
  mlir::Value conjoin(mlir::Value a, mlir::Value b);

  template <typename OpTy> mlir::Value create(mlir::Value operand) {
    return OpTy::create(builder, loc, operand);
  }
  template <typename OpTy> mlir::Value create(mlir::Value lhs, mlir::Value rhs) {
    mlir::Value operands[] = {lhs, rhs};
    unify(operands);
    return OpTy::create(builder, loc, operands[0], operands[1]);
  }
  template <typename OpTy, typename Predicate>
  mlir::Value compare(Predicate predicate, mlir::Value lhs, mlir::Value rhs) {
    mlir::Value operands[] = {lhs, rhs};
    unify(operands);
    return OpTy::create(builder, loc, predicate, operands[0], operands[1]);
  }

private:
  /// Creates an op at the top of the function, once per key.
  mlir::Value hoist(const std::string &key, llvm::function_ref<mlir::Value()> create);
  mlir::Value createConstant(const std::string &key, mlir::Type element, mlir::Attribute value);

  const llvm::StringMap<int64_t> &sizes;
  mlir::Block *entry = nullptr;
  mlir::Operation *lastHoisted = nullptr;
  llvm::StringMap<mlir::Value> hoisted;
};

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_EMITTER_H
