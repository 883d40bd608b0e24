//===- Call.h - The tensors of one call -------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call gives a mixer tensors with batch and heads. Here their shapes are checked
// against the declarations, and single heads are taken out of them and put back.
// Where batch and heads stand is what mixwright/runtime.h says of layouts.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_CALL_H
#define MIXWRIGHT_TOOLS_DRIVER_CALL_H

#include "dialect/Evaluate.h"
#include "mixwright/runtime.h"
#include "tools/driver/Signature.h"
#include "tools/driver/Tensor.h"

namespace mix::driver {

using TensorMap = llvm::StringMap<Tensor>;
using SizeMap = llvm::StringMap<int64_t>;

/// What the tensors of a call agree on.
struct CallShape {
  mixwright_layout layout = MIXWRIGHT_SINGLE;
  int64_t batch = 1, heads = 1;
  SizeMap sizes; ///< of every axis, token axes included

  /// The shape of a tensor of this call with all its heads (a param: without).
  llvm::SmallVector<int64_t, 6> getShape(const Argument &arg) const;
};

/// The tensors that a caller gives: inputs, params, and some initial states.
struct Call {
  CallShape shape;
  TensorMap inputs, states;
};

/// Checks the tensors against the declarations and fills `call.shape`. `layout` is
/// that of tensors with batch and heads; inputs that all have their declared rank
/// are one head of one sequence. `call.shape.sizes` may hold sizes already.
///
/// Errors, each one line with both numbers: a tensor is missing or not declared, has
/// the wrong rank or element type, disagrees in the size of an axis, of the batch,
/// or in heads; an axis that nothing gives a size.
llvm::Error bindCall(const Signature &signature, mixwright_layout layout, Call &call);

/// Sizes of block axes from the axes that they count. Error: an axis of the
/// signature has no size; `option` is where the user can give it.
llvm::Error completeSizes(const Signature &signature, SizeMap &sizes,
                          llvm::StringRef option = "--size");

/// One head of one batch entry as the evaluator takes it. Head `head` of the call
/// reads head `head / (heads / own heads)` of a tensor with fewer.
Array getInstance(const Argument &arg, const CallShape &shape, const Tensor &tensor, int64_t batch,
                  int64_t head);
void setInstance(const Argument &arg, const CallShape &shape, Tensor &tensor, int64_t batch,
                 int64_t head, const Array &array);

/// The outputs and final states of a call.
struct CallResult {
  TensorMap outputs, states;
};

/// Runs the definition, head by head, in float64; results are rounded to `type`.
llvm::Expected<CallResult> evaluateCall(mlir::func::FuncOp mixer, const Signature &signature,
                                        const Call &call, ElementType type);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_CALL_H
