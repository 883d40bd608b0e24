//===- EmitTranspose.cpp - Exchange of rows and lanes -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Square blocks of lanes x lanes elements, transposed in registers by log2(lanes)
// rounds of two-operand shuffles. The code of a block is large, so that it is one
// function per element type, and all transposes call it.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LinalgLoops.h"
#include "codegen/cpu/Memory.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Transposes a square block of vectors: in the round of distance d, rows i and i + d
/// exchange the lanes that differ from the row's number in bit d.
static void transposeBlock(KernelBuilder &k, SmallVectorImpl<Value> &rows) {
  int64_t lanes = k.lanes;
  for (int64_t distance = 1; distance < lanes; distance *= 2)
    for (int64_t row = 0; row < lanes; ++row) {
      if (row & distance)
        continue;
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool set = lane & distance;
        low.push_back(set ? lanes + lane - distance : lane);
        high.push_back(set ? lanes + lane : lane + distance);
      }
      Value a = rows[row], b = rows[row + distance];
      rows[row] = vector::ShuffleOp::create(k.b, k.loc, a, b, low);
      rows[row + distance] = vector::ShuffleOp::create(k.b, k.loc, a, b, high);
    }
}

/// `(source, source stride, destination, destination stride, rows, columns)`: the
/// destination's row j holds the source's column j. Both have rows of whole vectors.
/// Beyond the last row, a source row is read, and a destination row written, again.
static func::FuncOp getTransposeFunction(KernelBuilder &k, ModuleOp module, Type element) {
  std::string name = "transpose_" + std::to_string(k.lanes) + "x" +
                     std::to_string(element.getIntOrFloatBitWidth());
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(k.b.getContext()), i64 = k.b.getI64Type();
  auto function = func::FuncOp::create(
      k.b, k.loc, name, k.b.getFunctionType({pointer, i64, pointer, i64, i64, i64}, {}));
  function.setPrivate();
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(k.b.getContext(), LLVM::Linkage::Internal));
  function->setAttr("no_inline", k.b.getUnitAttr());
  k.b.setInsertionPointToStart(function.addEntryBlock());
  auto args = function.getArguments();
  Value lastRow = k.sub(args[4], k.constant(1)), lastColumn = k.sub(args[5], k.constant(1));
  auto rowOffset = [&](Value first, int64_t index, Value last, Value stride) -> Value {
    Value row = arith::MinSIOp::create(k.b, k.loc, k.add(first, k.constant(index)), last);
    return arith::MulIOp::create(k.b, k.loc, row, stride);
  };
  k.loop(k.constant(0), args[4], k.lanes, [&](Value row) {
    k.loop(k.constant(0), args[5], k.lanes, [&](Value column) {
      SmallVector<Value> block;
      for (int64_t lane = 0; lane < k.lanes; ++lane)
        block.push_back(k.load(args[0], element,
                               k.add(rowOffset(row, lane, lastRow, args[1]), column), k.lanes));
      transposeBlock(k, block);
      // Downwards, so that the last valid row is written after its repetitions.
      for (int64_t lane = k.lanes; lane-- > 0;)
        k.store(block[lane], args[2], element,
                k.add(rowOffset(column, lane, lastColumn, args[3]), row));
    });
  });
  func::ReturnOp::create(k.b, k.loc);
  return function;
}

/// Whether the body is nothing but a copy.
static bool isCopy(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  return op.getNumDpsInputs() == 1 && op.getNumDpsInits() == 1 &&
         op.getNumLoops() == op.getNumParallelLoops() &&
         body->getTerminator()->getOperand(0) == body->getArgument(0);
}

/// Whether blocks of the type are transposed in registers: reals, and pairs of them.
static bool isTransposed(Type element) { return isa<FloatType>(element) || element.isInteger(32); }

bool PhaseEmitter::emitTranspose(LinalgLoops &loops) {
  const Tile &source = loops.operands[0];
  if (!isCopy(loops.op) || !source.inMemory() || !isTransposed(source.element))
    return false;
  const Tile &target = loops.results[0];
  // The loops along the lanes of source and target.
  int64_t from = -1, to = -1;
  for (int64_t loop = 0, e = loops.sizes.size(); loop < e; ++loop) {
    if (loops.sizes[loop] > 1 && loops.accesses[0].getStride(loop, source.strides) == 1)
      from = loop;
    if (loops.sizes[loop] > 1 && loops.accesses[1].getStride(loop, target.strides) == 1)
      to = loop;
  }
  if (from < 0 || to < 0 || from == to || !loops.accesses[0].usesLoop(to))
    return false;
  func::FuncOp transpose = getTransposeFunction(k, function->getParentOfType<ModuleOp>(),
                                                getStorageType(source.element));
  SmallVector<Value> position(loops.sizes.size(), k.constant(0));
  std::function<void(int64_t)> walk = [&](int64_t loop) {
    if (loop == from || loop == to)
      return walk(loop + 1);
    if (loop < (int64_t)loops.sizes.size())
      return k.loop(0, loops.sizes[loop], 1, [&](Value iv) {
        position[loop] = iv;
        walk(loop + 1);
      });
    Value sourceStride = loops.stride(k, 0, to);
    Value targetStride = k.constant(loops.accesses[1].getStride(from, target.strides));
    func::CallOp::create(
        k.b, k.loc, transpose,
        ValueRange{k.address(source.pointer, source.element, loops.offset(k, 0, position)),
                   sourceStride,
                   k.address(target.pointer, target.element, loops.resultOffset(k, 0, position)),
                   targetStride, k.constant(loops.sizes[to]), k.constant(loops.sizes[from])});
  };
  walk(0);
  return true;
}
