//===- StepDeriver.h - Builds the step form of a mixer ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function is built anew from its results. A value is asked for together with the
// index variables that walk all tokens in it (passes/StepForm.h):
//
//  * a walk over the new tokens stays what it is, at positions `position + i`;
//  * a reduction makes its variable walk all tokens, `"j:T.all"`; what it needs of them
//    is computed from kept values, which are read from caches;
//  * recurrences start from the states of the call before; prefixes become recurrences of
//    a running total, and blocks of a recurrence carry what they froze;
//  * a read at another position than its own is a read of a cache.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_STEPDERIVER_H
#define MIXWRIGHT_PASSES_STEPDERIVER_H

#include "mlir/IR/Builders.h"
#include "passes/StepForm.h"
#include "passes/TileMask.h"
#include "llvm/ADT/MapVector.h"

namespace mix {

/// Reports what a step cannot do, and fails.
mlir::LogicalResult refuseStep(mlir::Location loc, const llvm::Twine &what);

/// The rows that a token reads of a cache: `window` up to its own; all if there is no value.
using Window = std::optional<int64_t>;

class StepDeriver {
public:
  StepDeriver(mlir::func::FuncOp mixer, llvm::StringRef space, const BlockSizes &blocks)
      : mixer(mixer), space(space), all(getHistorySpace(space)), blocks(blocks),
        analysis(mixer, space, this->blocks), builder(mixer.getContext()),
        masks(builder, mixer.getLoc(), [](mlir::Value) { return mlir::Value(); }) {}

  /// The step form, before the mixer in its module; null, with an error at the place, if it
  /// has none.
  mlir::func::FuncOp run();

private:
  struct Cache {
    AppendOp append;
    /// The index variables by which reductions read it.
    llvm::SmallVector<llvm::StringRef> variables;
    /// What reads at other positions need; absent: nothing.
    std::optional<Window> direct;
  };

  /// The value in the step form; null after an error.
  mlir::Value get(mlir::Value value, AllWalks walks);
  mlir::Value derive(mlir::Value value, AllWalks walks);
  mlir::LogicalResult cloneOp(mlir::Operation *op, AllWalks walks);

  // Positions.
  mlir::Value getRawPositions(llvm::StringRef variable, int64_t size);
  mlir::Value addPosition(mlir::Value raw);
  mlir::Value deriveIota(IotaOp op, AllWalks walks);
  /// The tokens of a position of a variable: 1, or those of a block.
  int64_t getTokens(llvm::StringRef variable) const;

  // Reads and caches.
  mlir::Value deriveRead(ReadOp op, AllWalks walks);
  mlir::FailureOr<Window> checkIndex(ReadOp op, mlir::Value index, AllWalks walks);
  mlir::Value getHistory(ReadOp op, mlir::Value index, AllWalks walks);
  mlir::Value readKept(mlir::Value value, llvm::StringRef variable);
  llvm::StringRef getArgumentName(mlir::Value value);
  mlir::Value putTokensFirst(mlir::Value rows, mlir::Location loc);
  Cache &getCache(mlir::Value rows, mlir::Location loc, llvm::StringRef name);

  // Reductions and prefixes.
  mlir::LogicalResult checkReduction(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> reduced,
                                     mlir::Value mask, AllWalks walks);
  mlir::LogicalResult checkReductions(mlir::Operation *op, AllWalks walks);
  void addWindow(llvm::StringRef variable, Window window);
  mlir::Value deriveTotal(PrefixOp op);
  void keepTotal(AffineScanOp scan);
  std::string getTotalName();

  // Recurrences.
  mlir::LogicalResult deriveLoop(ForOp op);
  mlir::LogicalResult prepareBody(ForOp op);
  void fillBody(ForOp op, ForOp result);

  // The function.
  std::string getHistoryAxis(llvm::StringRef axis) const;
  mlir::Type convert(mlir::Type type, AllWalks walks) const;
  void begin();
  mlir::DictionaryAttr getHistoryBlocks();
  void finish(llvm::SmallVector<mlir::Value> results);
  Window getWindow(const Cache &cache) const;
  mlir::ArrayAttr getSources(mlir::Value rows);

  mlir::func::FuncOp mixer, step;
  llvm::StringRef space;
  std::string all;
  BlockSizes blocks;
  StepAnalysis analysis;
  mlir::OpBuilder builder;
  MaskAnalysis masks;
  mlir::Block *entry = nullptr;
  mlir::Value position;
  llvm::DenseMap<std::pair<mlir::Value, AllWalks>, mlir::Value> values;
  llvm::StringMap<mlir::Value> positions;
  /// By the value that is kept, for all new tokens.
  llvm::MapVector<mlir::Value, Cache> caches;
  llvm::StringMap<Window> windows;
  /// States that the step form adds: their final values.
  llvm::SmallVector<std::pair<std::string, mlir::Value>> states;
  unsigned numTotals = 0;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_STEPDERIVER_H
