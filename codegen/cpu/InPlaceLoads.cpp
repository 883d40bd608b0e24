//===- InPlaceLoads.cpp - Tiles that are read where the caller has them -----===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/InPlaceLoads.h"
#include "codegen/Accesses.h"
#include "codegen/cpu/InPlaceStores.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

/// Whether a structured op reads the operand as scalars only.
static bool isReadAsScalars(linalg::LinalgOp op, OpOperand &use) {
  FailureOr<SmallVector<Access>> accesses = getAccesses(op);
  if (failed(accesses) || !isContraction(op))
    return false;
  int64_t vector = chooseVectorLoop(op, *accesses);
  return vector >= 0 && !(*accesses)[use.getOperandNumber()].usesLoop(vector);
}

static bool areUsersContent(Value tile, int64_t lanes) {
  auto type = cast<RankedTensorType>(tile.getType());
  bool hasWholeVectors = type.getRank() == 0 || type.getShape().back() % lanes == 0;
  return llvm::all_of(tile.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(user))
      return areUsersContent(slice.getResult(), lanes);
    auto structured = dyn_cast<linalg::LinalgOp>(user);
    return structured && structured.isDpsInput(&use) &&
           (hasWholeVectors || isReadAsScalars(structured, use));
  });
}

bool cpu::isReadableInPlace(tile::LoadOp load, int64_t lanes) {
  auto type = cast<RankedTensorType>(load.getType());
  auto view = cast<MemRefType>(load.getView().getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  bool isContiguous = type.getRank() > 0 && succeeded(view.getStridesAndOffset(strides, offset)) &&
                      strides.back() == 1;
  bool isConverted = type.getElementType() != view.getElementType();
  return isContiguous && !isConverted && !isOverwritten(load) &&
         areUsersContent(load.getResult(), lanes);
}

bool cpu::arePairsReadableInPlace(tile::LoadOp load, Value pairs, int64_t lanes) {
  return isReadableInPlace(load, lanes) && areUsersContent(pairs, lanes) &&
         llvm::none_of(load.getView().getUsers(), llvm::IsaPred<tile::StoreOp>);
}
