//===- PhaseEmitter.h - A kernel for one phase ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks a phase and writes the kernel whose blocks run its tasks. One file per kind of op:
//
//   PhaseEmitter.cpp     dispatch, scalars, control flow
//   EmitMemory.cpp       tensors of the caller, slices, reshapes
//   EmitLinalg.cpp       elementwise work, reductions
//   TileAccess.cpp       elements of tiles, barriers
//   EmitDecay.cpp        scans, decays, triangular systems
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H
#define MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H

#include "codegen/Accesses.h"
#include "codegen/gpu/Hazards.h"
#include "codegen/gpu/Homes.h"
#include "codegen/gpu/KernelBuilder.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mix::gpu {

/// A tile at run time: in shared memory, or all elements one scalar.
struct Tile {
  mlir::Value pointer; ///< Of element (0, ..., 0) in shared memory.
  mlir::Value splat;
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<int64_t> strides; ///< In elements, of a tile in shared memory.
  Span span{0, 0, 0};                 ///< The bytes that an access may touch.
  mlir::Type element;

  bool inMemory() const { return (bool)pointer; }
  bool isSamePlace(const Tile &other) const {
    return inMemory() && other.inMemory() && span.begin == other.span.begin;
  }
};

/// A tensor of the caller.
struct View {
  mlir::Value pointer;                           ///< Of this instance, in global memory.
  llvm::SmallVector<mlir::Value> strides, sizes; ///< i64
  int64_t number = 0;                            ///< Of the argument.
  mlir::Value isGiven;                           ///< Null: it always is.

  Span getSpan() const { return {1 + number, 0, 1}; }
};

/// The global that stands for the block's dynamic shared memory.
inline constexpr llvm::StringLiteral kSharedMemoryName = "mixwright_shared";

class PhaseEmitter {
public:
  /// Emits `kernel` (a function without a body, of one pointer to `mixwright_device_call`).
  PhaseEmitter(mlir::func::FuncOp phase, mlir::LLVM::LLVMFuncOp kernel, Homes &homes,
               mlir::ImplicitLocOpBuilder &b, Machine &machine);
  mlir::LogicalResult run();

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
  mlir::Value getScalar(mlir::Value value) { return scalars.lookupOrDefault(value); }

  // TileAccess.cpp
  Tile getTile(mlir::Value value);
  /// The tile in the home of the value.
  Tile getHome(mlir::Value value);
  /// A tile at a byte offset of shared memory.
  Tile getShared(int64_t offset, mlir::RankedTensorType type);
  /// Announces what comes next, and waits for other threads if it must.
  void access(llvm::ArrayRef<Span> reads, llvm::ArrayRef<Span> writes);
  mlir::Value getOffset(const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  mlir::Value read(const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  void write(mlir::Value value, const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  void copy(const Tile &source, const Tile &destination);

  // EmitMemory.cpp
  mlir::LogicalResult emitLoad(tile::LoadOp op);
  mlir::LogicalResult emitStore(tile::StoreOp op);
  mlir::LogicalResult emitExtractSlice(mlir::tensor::ExtractSliceOp op);
  mlir::LogicalResult emitInsertSlice(mlir::tensor::InsertSliceOp op);
  mlir::LogicalResult emitInsert(mlir::tensor::InsertOp op);
  mlir::LogicalResult emitReshape(mlir::Operation *op);
  struct Window;
  Window getWindow(const View &view, mlir::ValueRange offsets, llvm::ArrayRef<int64_t> shape,
                   mlir::Type element);
  std::pair<mlir::Value, mlir::Value> locate(const Window &window,
                                             llvm::ArrayRef<mlir::Value> position);
  Tile getSlice(const Tile &tile, mlir::OffsetSizeAndStrideOpInterface slice,
                mlir::RankedTensorType type, const llvm::SmallBitVector &dropped);

  // EmitLinalg.cpp
  mlir::LogicalResult emitLinalg(mlir::linalg::LinalgOp op);
  struct LinalgLoops;
  llvm::SmallVector<mlir::Value> emitBody(LinalgLoops &loops, llvm::ArrayRef<mlir::Value> position,
                                          mlir::ValueRange outs);
  void emitParallel(LinalgLoops &loops);
  void emitReduction(LinalgLoops &loops);

  // EmitDecay.cpp
  mlir::LogicalResult emitScan(tile::ScanOp op);
  mlir::LogicalResult emitDecayRatio(tile::DecayRatioOp op);
  mlir::LogicalResult emitDecayedGram(tile::DecayedGramOp op);
  mlir::LogicalResult emitSolve(tile::SolveOp op);
  mlir::LogicalResult emitDecayedApply(tile::DecayedApplyOp op);

  mlir::func::FuncOp phase;
  mlir::LLVM::LLVMFuncOp kernel;
  Homes &homes;
  KernelBuilder k;
  Hazards hazards;
  mlir::Value shared; ///< Start of the block's shared memory.
  mlir::Value featureBlock, tokenBlock;
  mlir::IRMapping scalars;
  llvm::DenseMap<mlir::Value, Tile> tiles;
  llvm::DenseMap<mlir::Value, View> views;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H
