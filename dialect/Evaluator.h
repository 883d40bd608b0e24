//===- Evaluator.h - One function per op of the mix dialect -----*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_EVALUATOR_H
#define MIXWRIGHT_DIALECT_EVALUATOR_H

#include "dialect/EvaluateSizes.h"
#include "dialect/EvaluateTensor.h"
#include "dialect/Mix.h"
#include "llvm/ADT/DenseMap.h"

namespace mix {

using Axes = llvm::SmallVector<llvm::StringRef>;
using Tensors = llvm::SmallVector<Tensor, 1>;

inline Axes toAxes(mlir::ArrayAttr array) {
  return llvm::to_vector(array.getAsValueRange<mlir::StringAttr>());
}

/// The axes of `all` that are not in `dropped`.
inline Axes without(Axes all, llvm::ArrayRef<llvm::StringRef> dropped) {
  llvm::erase_if(all, [&](llvm::StringRef axis) { return llvm::is_contained(dropped, axis); });
  return all;
}

/// The strides along `axes` of a tensor over the axes `own`; 0 along an axis it lacks.
Shape stridesAlong(llvm::ArrayRef<llvm::StringRef> axes, llvm::ArrayRef<llvm::StringRef> own,
                   llvm::ArrayRef<int64_t> strides);

/// Evaluates the ops of one function, whose sizes are bound.
class Evaluator {
public:
  Evaluator(const AxisSizes &sizes, const llvm::StringMap<Array> &states)
      : sizes(sizes), givenStates(states) {}

  void set(mlir::Value value, Tensor tensor) { values[value] = std::move(tensor); }
  const Tensor &get(mlir::Value value) const { return values.find(value)->second; }

  /// Evaluates an op and keeps its results.
  llvm::Error run(mlir::Operation *op);

private:
  llvm::Expected<Tensors> evaluateOp(mlir::Operation *op);

  // Axes and positions.
  llvm::Expected<Tensors> evaluateSize(SizeOp op);
  llvm::Expected<Tensors> evaluateIota(IotaOp op);
  llvm::Expected<Tensors> evaluateRead(ReadOp op);
  llvm::Expected<Tensors> evaluateBind(BindOp op);
  llvm::Expected<Tensors> evaluateBroadcast(BroadcastOp op);
  // Reductions.
  llvm::Expected<Tensors> evaluateReduce(ReduceOp op);
  llvm::Expected<Tensors> evaluateSoftmax(SoftmaxOp op);
  llvm::Expected<Tensors> evaluatePrefix(PrefixOp op);
  llvm::Expected<Tensors> evaluateTopK(TopKOp op);
  llvm::Expected<Tensors> evaluateLargest(LargestOp op);
  template <typename Op>
  void forEachScoreRow(Op op, llvm::ArrayRef<int64_t> result,
                       llvm::function_ref<void(const struct ScoreRow &, int64_t)> fn);
  // Loops.
  llvm::Expected<Tensors> evaluateInitial(InitialOp op);
  llvm::Expected<Tensors> evaluateFor(ForOp op);
  llvm::Expected<Tensors> evaluateForBlocks(ForBlocksOp op);
  Tensors getAll(mlir::ValueRange values);
  /// A tensor for each value, to be filled.
  Tensors makeEmpty(mlir::ValueRange values);
  /// The positions of a space that a recurrence walks: all, or those of the block at hand.
  struct Range {
    int64_t begin, end;
  };
  Range getRange(llvm::StringRef axis) const;
  // Normal forms.
  llvm::Expected<Tensors> evaluateAffineScan(AffineScanOp op);
  llvm::Expected<Tensors> evaluateStreamedReduction(StreamedReductionOp op);
  // Step forms.
  llvm::Expected<Tensors> evaluateAppend(AppendOp op);
  // Everything else.
  llvm::Expected<Tensors> evaluateElementwise(mlir::Operation *op);

  Shape getShape(llvm::ArrayRef<llvm::StringRef> axes) const;
  Shape getShape(mlir::Value value) const { return getShape(getAxes(value)); }
  Shape stridesAlong(llvm::ArrayRef<llvm::StringRef> axes, mlir::Value value) const;
  Tensor maxOverSources(mlir::OperandRange logits, mlir::OperandRange masks,
                        llvm::ArrayRef<llvm::StringRef> common) const;

  const AxisSizes &sizes;
  const llvm::StringMap<Array> &givenStates;
  llvm::DenseMap<mlir::Value, Tensor> values;
  /// In the body of a loop over blocks: the block at hand.
  std::optional<Range> block;
};

} // namespace mix

#endif // MIXWRIGHT_DIALECT_EVALUATOR_H
