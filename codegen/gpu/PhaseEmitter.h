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
//   BindArguments.cpp    the task of a block, tensors of its instance
//   EmitMemory.cpp       tensors of the caller, slices, reshapes
//   EmitPrefetch.cpp     loads of the next round of a loop
//   EmitLinalg.cpp       elementwise work, reductions
//   TileAccess.cpp       elements of tiles, barriers
//   EmitContraction.cpp  products on matrix units
//   EmitJoint.cpp        products that all warps compute together
//   EmitDecay.cpp        scans, decays, triangular systems
//   EmitLargest.cpp      sorted lists of the largest scores
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H
#define MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H

#include "codegen/Accesses.h"
#include "codegen/gpu/CallLayout.h"
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

/// A tile at run time: in shared memory, in registers, or all elements one scalar.
struct Tile {
  mlir::Value pointer; ///< Of element (0, ..., 0) in shared memory.
  mlir::Value splat;
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<int64_t> strides; ///< In elements, of a tile in shared memory.
  Span span{0, 0, 0};                 ///< The bytes that an access may touch.
  mlir::Type element;
  Panels panels;                            ///< Of a tile in shared memory that lies in such.
  const Layout *layout = nullptr;           ///< Of a tile in registers.
  llvm::SmallVector<mlir::Value> registers; ///< Its elements, in the order of the layout's.

  bool inMemory() const { return (bool)pointer; }
  bool isSamePlace(const Tile &other) const {
    return inMemory() && other.inMemory() && span.begin == other.span.begin;
  }
};

/// Where the rows of a cache are (`mixwright_paging`).
struct Paging {
  mlir::Value table, isTable; ///< Of the sequence, in global memory; whether there is one.
  mlir::Value pages, rows;    ///< i32
  mlir::Value stride;         ///< i64
};

/// A tensor of the caller.
struct View {
  mlir::Value pointer; ///< Of this instance, in global memory.
  mlir::Type element;
  llvm::SmallVector<mlir::Value> strides, sizes; ///< i64
  int64_t number = 0;                            ///< Of the argument.
  mlir::Value isGiven;                           ///< Null: it always is.
  std::optional<Paging> paging = {};             ///< Of a cache.
  mlir::Value known;                             ///< Its only element, if nobody need load it.

  Span getSpan() const { return {1 + number, 0, 1}; }
};

/// The global that stands for the block's dynamic shared memory.
inline constexpr llvm::StringLiteral kSharedMemoryName = "mixwright_shared";

class PhaseEmitter {
public:
  /// Emits `kernel` (a function without a body, of one pointer to `mixwright_device_call`).
  PhaseEmitter(mlir::func::FuncOp phase, const CallLayout &layout, mlir::LLVM::LLVMFuncOp kernel,
               Homes &homes, mlir::ImplicitLocOpBuilder &b, Machine &machine);
  mlir::LogicalResult run();

private:
  // BindArguments.cpp
  void bindArguments();
  mlir::Value getByteStride(const View &view, size_t dim);
  mlir::Value getDistance(const View &view, size_t dim, mlir::Value position);

  // PhaseEmitter.cpp
  mlir::LogicalResult emitBlock(mlir::Block &block);
  mlir::LogicalResult emitOp(mlir::Operation &op);
  mlir::LogicalResult emitConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult emitScalar(mlir::Operation &op);
  mlir::LogicalResult emitForall(mlir::scf::ForallOp op);
  mlir::LogicalResult emitFor(mlir::scf::ForOp op);
  mlir::LogicalResult emitIf(mlir::scf::IfOp op);
  void handOn(mlir::Value value, mlir::Value target, llvm::SmallVectorImpl<mlir::Value> &handed);
  void receive(mlir::Value target, mlir::ValueRange &handed);
  mlir::LogicalResult emitDim(mlir::memref::DimOp op);
  mlir::LogicalResult emitExtract(mlir::tensor::ExtractOp op);
  mlir::Value getScalar(mlir::Value value) { return scalars.lookupOrDefault(value); }

  // TileAccess.cpp
  Tile getTile(mlir::Value value);
  /// The tile in the home of the value.
  Tile getHome(mlir::Value value);
  /// A tile at a byte offset of shared memory.
  Tile getShared(int64_t offset, mlir::RankedTensorType type, Panels panels = {});
  /// Announces what comes next, and waits for other threads if it must.
  void access(llvm::ArrayRef<Span> reads, llvm::ArrayRef<Span> writes);
  /// A barrier, after what the thread copies asynchronously.
  void wait();
  mlir::Value getOffset(const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  mlir::Value read(const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  void write(mlir::Value value, const Tile &tile, llvm::ArrayRef<mlir::Value> position);
  mlir::Value readInside(const Tile &tile, llvm::ArrayRef<mlir::Value> position,
                         mlir::Value isInside);
  void forEachDigit(const Layout &layout, mlir::Value thread,
                    llvm::function_ref<void(const Digit &, mlir::Value)> body);
  /// The position of the thread's element in register r; or another thread's.
  llvm::SmallVector<mlir::Value> getPosition(const Layout &layout, int64_t r);
  llvm::SmallVector<mlir::Value> getPosition(const Layout &layout, int64_t r, mlir::Value thread);
  /// Whether that is inside the tile; null: always.
  mlir::Value isInside(const Layout &layout, int64_t r);
  /// Whether the thread is the first of those with the same elements; null: there is one.
  mlir::Value isFirstReplica(const Layout &layout);
  /// The thread's element in register r of the layout, of a tile that lives anywhere.
  mlir::Value readRegister(const Tile &tile, const Layout &layout, int64_t r);
  void writeRegister(mlir::Value value, Tile &tile, const Layout &layout, int64_t r);
  llvm::SmallVector<mlir::Value> toRegisters(const Tile &tile, const Layout &layout);
  void copy(const Tile &source, Tile &destination);

  // EmitMemory.cpp
  mlir::LogicalResult emitLoad(tile::LoadOp op);
  mlir::LogicalResult loadTile(tile::LoadOp op, const Tile &tile);
  mlir::LogicalResult emitStore(tile::StoreOp op);
  mlir::LogicalResult emitExtractSlice(mlir::tensor::ExtractSliceOp op);
  mlir::LogicalResult emitInsertSlice(mlir::tensor::InsertSliceOp op);
  mlir::LogicalResult emitInsert(mlir::tensor::InsertOp op);
  mlir::LogicalResult emitReshape(mlir::Operation *op);
  struct Window;
  Window getWindow(const View &view, mlir::ValueRange offsets, llvm::ArrayRef<int64_t> shape);
  mlir::Value isWide(const View &view, const Window &window, const Tile &tile);
  void loadWide(const Window &window, const Tile &tile);
  std::pair<mlir::Value, mlir::Value> locate(const Window &window,
                                             llvm::ArrayRef<mlir::Value> position);
  Tile getSlice(const Tile &tile, mlir::OffsetSizeAndStrideOpInterface slice,
                mlir::RankedTensorType type, const llvm::SmallBitVector &dropped);

  // EmitPrefetch.cpp
  Tile getBuffer(mlir::Value value, mlir::Value which);
  mlir::LogicalResult prefetch(mlir::scf::ForOp loop, mlir::Value position, mlir::Value which);
  mlir::LogicalResult startPrefetches(mlir::scf::ForOp loop);
  mlir::LogicalResult continuePrefetches(mlir::scf::ForOp loop, mlir::Value which,
                                         mlir::Value other);

  // EmitLinalg.cpp
  mlir::LogicalResult emitLinalg(mlir::linalg::LinalgOp op);
  struct LinalgLoops;
  using OperandReader = llvm::function_ref<mlir::Value(unsigned)>;
  llvm::SmallVector<mlir::Value> emitBody(LinalgLoops &loops, llvm::ArrayRef<mlir::Value> position,
                                          OperandReader read);
  void emitParallel(LinalgLoops &loops);
  void emitReduction(LinalgLoops &loops);
  mlir::Value readOperand(LinalgLoops &loops, unsigned operand, const Layout &work, int64_t r);
  void writeResult(LinalgLoops &loops, unsigned result, mlir::Value value, const Layout &work,
                   int64_t r, mlir::Value condition);
  void waitForReaders(LinalgLoops &loops, const Layout &layout);
  bool mayOverwriteForOthers(const LinalgLoops &loops, const Layout &layout) const;
  void emitParallelInRegisters(LinalgLoops &loops, const Layout &work);
  void emitReductionInRegisters(LinalgLoops &loops, const Layout &work);

  // EmitContraction.cpp
  void emitProduct(LinalgLoops &loops, const Product &product);
  struct Factor;
  bool canLoadMatrices(const Factor &factor, const Origin &origin) const;
  llvm::SmallVector<mlir::Value> loadMatrices(const Factor &factor, const Origin &origin,
                                              llvm::ArrayRef<Digit> matrices, mlir::Value shift);
  llvm::SmallVector<mlir::Value> readFragment(const Factor &factor, const Origin &origin,
                                              mlir::Value shift);
  llvm::SmallVector<llvm::SmallVector<mlir::Value>>
  readFragments(const Factor &factor, Origin origin, const Digit &step, mlir::Value shift);
  void addProduct(LinalgLoops &loops, const Product &product, llvm::SmallVector<mlir::Value> &sums);

  // EmitJoint.cpp
  void addJointProduct(LinalgLoops &loops, const Product &product,
                       llvm::MutableArrayRef<mlir::Value> sums);

  // EmitDecay.cpp
  mlir::LogicalResult emitScan(tile::ScanOp op);
  mlir::LogicalResult emitDecayRatio(tile::DecayRatioOp op);
  mlir::LogicalResult emitDecayedGram(tile::DecayedGramOp op);
  mlir::LogicalResult emitSolve(tile::SolveOp op);
  mlir::LogicalResult emitDecayedSolve(tile::SolveOp op);
  mlir::LogicalResult emitDecayedApply(tile::DecayedApplyOp op);

  // EmitLargest.cpp
  mlir::LogicalResult emitLargest(tile::LargestOp op);

  mlir::func::FuncOp phase;
  const CallLayout &layout;
  mlir::LLVM::LLVMFuncOp kernel;
  Homes &homes;
  KernelBuilder k;
  Hazards hazards;
  bool copiesInFlight = false; ///< Whether this thread has any that nobody waited for.
  mlir::Value shared;          ///< Start of the block's shared memory.
  mlir::Value featureBlock, tokenBlock;
  mlir::IRMapping scalars;
  llvm::DenseMap<mlir::Value, Tile> tiles;
  llvm::DenseMap<mlir::Value, View> views;
};

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_PHASEEMITTER_H
