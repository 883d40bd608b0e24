//===- Accesses.cpp - Where a structured op reads and writes ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Accesses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace mix;
using namespace mix;

bool Access::usesLoop(int64_t loop) const {
  return llvm::any_of(coefficients, [&](auto &row) { return row[loop] != 0; });
}

int64_t Access::getStride(int64_t loop, ArrayRef<int64_t> strides) const {
  int64_t stride = 0;
  for (auto [row, step] : llvm::zip_equal(coefficients, strides)) {
    if (row[loop] != 0 && ShapedType::isDynamic(step))
      return ShapedType::kDynamic;
    stride += row[loop] * step;
  }
  return stride;
}

int64_t Access::getDimension(int64_t loop) const {
  int64_t found = -1;
  for (auto [dim, row] : llvm::enumerate(coefficients)) {
    if (row[loop] == 0)
      continue;
    if (row[loop] != 1 || found != -1)
      return -2;
    found = dim;
  }
  return found;
}

/// Adds `scale * expr` to the row of coefficients and the constant.
static LogicalResult addLinear(AffineExpr expr, int64_t scale, MutableArrayRef<int64_t> row,
                               int64_t &constant) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    row[dim.getPosition()] += scale;
    return success();
  }
  if (auto value = dyn_cast<AffineConstantExpr>(expr)) {
    constant += scale * value.getValue();
    return success();
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return failure();
  if (binary.getKind() == AffineExprKind::Add)
    return success(succeeded(addLinear(binary.getLHS(), scale, row, constant)) &&
                   succeeded(addLinear(binary.getRHS(), scale, row, constant)));
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (binary.getKind() == AffineExprKind::Mul && factor)
    return addLinear(binary.getLHS(), scale * factor.getValue(), row, constant);
  return failure();
}

FailureOr<SmallVector<Access>> mix::getAccesses(linalg::LinalgOp op) {
  SmallVector<Access> accesses;
  for (AffineMap map : op.getIndexingMapsArray()) {
    Access access;
    for (AffineExpr expr : map.getResults()) {
      SmallVector<int64_t> row(map.getNumDims(), 0);
      int64_t constant = 0;
      if (failed(addLinear(expr, 1, row, constant)))
        return failure();
      access.coefficients.push_back(std::move(row));
      access.constants.push_back(constant);
    }
    accesses.push_back(std::move(access));
  }
  return accesses;
}

bool mix::isContraction(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumLoops() == op.getNumParallelLoops())
    return false;
  if (isa<linalg::ContractOp>(op) || op->hasAttr(kPairsAttr))
    return true;
  Block *body = op.getBlock();
  auto add = body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || std::distance(body->begin(), body->end()) != 3)
    return false;
  bool outFirst = add.getLhs() == body->getArgument(2);
  if (!outFirst && add.getRhs() != body->getArgument(2))
    return false;
  auto product = (outFirst ? add.getRhs() : add.getLhs()).getDefiningOp<arith::MulFOp>();
  if (!product)
    return false;
  Value a = body->getArgument(0), b = body->getArgument(1);
  return (product.getLhs() == a && product.getRhs() == b) ||
         (product.getLhs() == b && product.getRhs() == a);
}

FailureOr<ContractionLoops> mix::getContractionLoops(linalg::LinalgOp op, ArrayRef<Access> accesses,
                                                     int64_t vector) {
  if (!accesses[2].usesLoop(vector) || accesses[0].usesLoop(vector) == accesses[1].usesLoop(vector))
    return failure();
  ContractionLoops loops{vector, -1, 0, 1};
  if (accesses[0].usesLoop(vector))
    std::swap(loops.lhs, loops.rhs);
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (int64_t loop = 0, e = sizes.size(); loop < e; ++loop)
    if (accesses[2].usesLoop(loop) && accesses[loops.lhs].usesLoop(loop) &&
        !accesses[loops.rhs].usesLoop(loop) && (loops.row < 0 || sizes[loop] > sizes[loops.row]))
      loops.row = loop;
  return loops;
}

bool mix::isVectorLoop(linalg::LinalgOp op, ArrayRef<Access> accesses, int64_t loop) {
  for (auto [access, type] : llvm::zip_equal(accesses, op->getOperandTypes())) {
    int64_t dim = access.getDimension(loop);
    if (dim != -1 && dim != (int64_t)access.constants.size() - 1)
      return false;
  }
  if (op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel)
    return llvm::all_of(llvm::seq<int64_t>(op.getNumDpsInputs(), accesses.size()),
                        [&](int64_t out) { return accesses[out].usesLoop(loop); });
  // A result that varies along the loop is written element by element.
  return llvm::all_of(llvm::seq<int64_t>(0, op.getNumDpsInits()), [&](int64_t index) {
    return accesses[op.getNumDpsInputs() + index].usesLoop(loop) || getCombiner(op, index);
  });
}

int64_t mix::chooseVectorLoop(linalg::LinalgOp op, ArrayRef<Access> accesses) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  int64_t best = -1;
  auto rank = [&](int64_t loop) {
    return std::make_pair(sizes[loop] > 1 && kinds[loop] == utils::IteratorType::parallel,
                          sizes[loop]);
  };
  for (int64_t loop = 0, e = sizes.size(); loop < e; ++loop)
    if (isVectorLoop(op, accesses, loop) && (best < 0 || rank(loop) > rank(best)))
      best = loop;
  return best;
}

Operation *mix::getCombiner(linalg::LinalgOp op, unsigned index) {
  Block *body = op.getBlock();
  BlockArgument out = body->getArgument(op.getNumDpsInputs() + index);
  Operation *combiner = body->getTerminator()->getOperand(index).getDefiningOp();
  if (!combiner || !out.hasOneUse() || combiner->getNumOperands() != 2 ||
      *out.getUsers().begin() != combiner)
    return nullptr;
  bool known = isa<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp,
                   arith::MaxNumFOp, arith::MinNumFOp, arith::AddIOp, arith::MulIOp, arith::MaxSIOp,
                   arith::MinSIOp, arith::AndIOp, arith::OrIOp>(combiner);
  return known ? combiner : nullptr;
}
