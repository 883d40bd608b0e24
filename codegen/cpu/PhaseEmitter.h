//===- PhaseEmitter.h - Vector code for one phase ---------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks a phase (tiles with lanes last and places assigned) and writes the function
// that runs one of its tasks. One file per kind of op:
//
//   PhaseEmitter.cpp     dispatch, scalars, control flow
//   EmitMemory.cpp       tensors of the caller, slices, reshapes
//   EmitPrefetches.cpp   what is asked for ahead of time
//   EmitLinalg.cpp       elementwise work, reductions, transposes
//   EmitLaneReduction.cpp  reductions along the lanes
//   EmitContraction.cpp  product micro-kernels
//   EmitDecay.cpp        scans, decays, triangular systems
//   EmitLargest.cpp      selections
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PHASEEMITTER_H
#define MIXWRIGHT_CODEGEN_CPU_PHASEEMITTER_H

#include "codegen/Accesses.h"
#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/Prefetches.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mix::cpu {

/// Where the rows of a cache are (`mixwright_paging`).
struct Paging {
  mlir::Value table, pages, pageRows, pageStride; ///< A pointer, and i64
};

/// A tensor of the caller: the argument's place in `mixwright_instance`.
struct View {
  mlir::Value pointer;
  mlir::Type element;
  llvm::SmallVector<mlir::Value> strides, sizes; ///< i64
  bool lastIsUnit = false;                       ///< The last dimension has stride 1.
  std::optional<Paging> paging = {};             ///< Of a cache.

  /// How far from the start, in elements, a position along a dimension lies. A block of rows
  /// of a cache lies in one page.
  mlir::Value getDistance(KernelBuilder &k, size_t dim, mlir::Value position) const;
};

class PhaseEmitter {
public:
  /// Emits `function` (a `mixwright_phase_fn`, without a body) from the phase.
  PhaseEmitter(mlir::func::FuncOp phase, mlir::LLVM::LLVMFuncOp function, const Chip &chip,
               mlir::OpBuilder &b);
  mlir::LogicalResult run();

  struct LinalgLoops;

private:
  // PhaseEmitter.cpp
  void bindArguments();
  mlir::LogicalResult emitBlock(mlir::Block &block);
  mlir::LogicalResult emitOp(mlir::Operation &op);
  mlir::LogicalResult emitConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult emitScalar(mlir::Operation &op);
  mlir::LogicalResult emitForall(mlir::scf::ForallOp op);
  mlir::LogicalResult emitFor(mlir::scf::ForOp op);
  mlir::LogicalResult emitIf(mlir::scf::IfOp op);
  mlir::LogicalResult emitDim(mlir::memref::DimOp op);
  mlir::LogicalResult emitExtract(mlir::tensor::ExtractOp op);
  Tile getTile(mlir::Value value);
  /// The tile in the place of result `index` of the op.
  Tile getPlace(mlir::Operation *op, unsigned index);
  /// A tile at a byte offset of scratch.
  Tile getScratch(int64_t offset, mlir::RankedTensorType type);
  mlir::Value getScalar(mlir::Value value) { return scalars.lookupOrDefault(value); }

  // EmitMemory.cpp
  mlir::LogicalResult emitLoad(tile::LoadOp op);
  mlir::LogicalResult emitStore(tile::StoreOp op);
  /// The place of a result, or the memory where it is stored.
  Tile getResultPlace(mlir::linalg::LinalgOp op, unsigned index);
  mlir::LogicalResult emitExtractSlice(mlir::tensor::ExtractSliceOp op);
  mlir::LogicalResult emitInsertSlice(mlir::tensor::InsertSliceOp op);
  mlir::LogicalResult emitInsert(mlir::tensor::InsertOp op);
  mlir::LogicalResult emitReshape(mlir::Operation *op);

  // EmitPrefetches.cpp
  /// The tile of a tensor that is loaded or stored at `offsets`, where the caller has it; none if
  /// it has no rows of neighbours.
  std::optional<Tile> findInView(mlir::Value tensor, mlir::RankedTensorType type,
                                 mlir::ValueRange offsets);
  void prefetchFirstLoads(mlir::scf::ForOp loop);
  void prefetchStoredRows(mlir::scf::ForOp loop);
  void prefetchLastStores(mlir::scf::ForOp loop);

  // EmitLinalg.cpp
  mlir::LogicalResult emitLinalg(mlir::linalg::LinalgOp op);
  /// Looks up the tiles of the operands and results.
  void bind(LinalgLoops &loops);
  llvm::SmallVector<mlir::Value> emitBody(LinalgLoops &loops, mlir::ValueRange position,
                                          mlir::ValueRange accumulators);
  mlir::Value emitBodyOp(mlir::Operation &op, LinalgLoops &loops, mlir::IRMapping &values);
  /// The body of a reduction: writes the results that vary along its loops, and returns the others.
  llvm::SmallVector<mlir::Value> emitReducingBody(LinalgLoops &loops,
                                                  llvm::ArrayRef<mlir::Value> position,
                                                  mlir::ValueRange carried);
  void emitParallel(LinalgLoops &loops);
  void emitReduction(LinalgLoops &loops);
  bool emitTranspose(LinalgLoops &loops);
  bool emitPack(LinalgLoops &loops);
  /// The loops of an op, analysed, bound to their tiles, and with a vector loop.
  mlir::FailureOr<LinalgLoops> prepare(mlir::linalg::LinalgOp op);
  /// A product with the elementwise work before and after it (`ProductFusion.h`), if a
  /// micro-kernel can walk it.
  bool emitProduct(LinalgLoops &loops);

  // EmitLaneReduction.cpp
  void emitLaneReduction(LinalgLoops &loops);

  // EmitContraction.cpp
  /// `start`, if not null, is the elementwise op that makes the accumulators, and `end` the one
  /// that takes them.
  void emitContraction(LinalgLoops &loops, ContractionLoops kernel, LinalgLoops *start,
                       LinalgLoops *end);

  // EmitDecay.cpp
  Tile getTemporary(mlir::Operation *op);
  mlir::LogicalResult emitScan(tile::ScanOp op);
  mlir::LogicalResult emitDecayRatio(tile::DecayRatioOp op);
  mlir::LogicalResult emitDecayedGram(tile::DecayedGramOp op);
  mlir::LogicalResult emitSolve(tile::SolveOp op);
  mlir::LogicalResult emitDecayedApply(tile::DecayedApplyOp op);

  // EmitLargest.cpp
  mlir::LogicalResult emitLargest(tile::LargestOp op);

  mlir::func::FuncOp phase;
  mlir::LLVM::LLVMFuncOp function;
  KernelBuilder k;
  mlir::Value scratch;
  llvm::DenseMap<int64_t, mlir::Value>
      places; ///< Addresses in scratch; equal places are equal values.
  mlir::IRMapping scalars;
  llvm::DenseMap<mlir::Value, Tile> tiles;
  llvm::DenseMap<mlir::Value, View> views;
  llvm::DenseSet<mlir::Operation *> productEnds; ///< Emitted with their products.
  /// Stores whose tile was made in place, and whether it was (null: always).
  llvm::DenseMap<mlir::Operation *, mlir::Value> storedInPlace;
  Prefetches prefetches;
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_PHASEEMITTER_H
