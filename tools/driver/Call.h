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
  int64_t batch = 1, heads = 1; ///< of a packed call: segments, heads
  SizeMap sizes;                ///< of every axis, token axes included
  /// Of a packed call: where the segments of every token axis begin, and its end.
  llvm::StringMap<std::vector<int64_t>> starts{};

  bool isPacked() const { return !starts.empty(); }
  /// Whether a tensor has an axis along which segments are packed.
  bool isPackedIn(const Argument &arg) const;
  /// The first position and the size of one batch entry or segment along an axis.
  std::pair<int64_t, int64_t> getRange(llvm::StringRef axis, int64_t entry) const;

  /// The shape of a tensor of this call with all its heads (a param: without).
  llvm::SmallVector<int64_t, 6> getShape(const Argument &arg) const;
};

/// The tensors that a caller gives: inputs, params, and some initial states.
struct Call {
  CallShape shape;
  TensorMap inputs, states;
  /// Of a step form: the number of earlier tokens of each sequence, and tables of the
  /// pages of caches (by name; "": of all). `states` then holds all that is kept between
  /// calls.
  std::optional<Tensor> position{};
  TensorMap blockTables{};
};

/// Checks the tensors against the declarations and fills `call.shape`. `layout` is
/// that of tensors with batch and heads; inputs that all have their declared rank
/// are one head of one sequence. `call.shape.sizes` may hold sizes already.
///
/// Errors, each one line with both numbers: a tensor is missing or not declared, has
/// the wrong rank or element type, disagrees in the size of an axis, of the batch,
/// or in heads; an axis that nothing gives a size.
llvm::Error bindCall(const Signature &signature, mixwright_layout layout, Call &call);

/// The token axes that a caller packs. Blocks follow from them; an axis that only
/// params have is a table that all segments share.
std::vector<std::string> getPackableAxes(const Signature &signature);

/// Makes `shape` that of a packed call. `offsets` are the cu_seqlens of each token
/// axis; a name that is empty stands for the only one. Fills `starts`, those of block
/// axes too, their sizes, and the batch. Errors, each one line with the numbers: an
/// axis is unknown, named by none, or given twice; offsets are no vector of integers,
/// do not start at 0 or decrease; numbers of segments differ; a param
/// varies with one of the axes.
llvm::Error packShape(const Signature &signature, const TensorMap &offsets, CallShape &shape);

/// Sizes of block axes from the axes that they count. Error: an axis of the
/// signature has no size; `option` is where the user can give it.
llvm::Error completeSizes(const Signature &signature, SizeMap &sizes,
                          llvm::StringRef option = "--size");

/// The dimension of a tensor of this shape that is an axis of the argument, no param.
int64_t getDimension(const Argument &arg, const CallShape &shape, llvm::StringRef axis);

/// The heads that a tensor has; 1 if it has no such dimension.
int64_t getHeads(const Argument &arg, const CallShape &shape, const Tensor &tensor);

/// One head of one batch entry (or segment) as the evaluator takes it. Head `head` of the call
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
                                        const Call &call, TensorTypes types);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_CALL_H
