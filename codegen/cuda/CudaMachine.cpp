//===- CudaMachine.cpp - Operations of NVIDIA GPUs --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/CudaMachine.h"
#include "codegen/gpu/Intrinsics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/IR/Function.h"

using namespace mlir;
using namespace mix;
using namespace mix::cuda;
using gpu::callIntrinsic;

/// All lanes of a warp, and the clamp of a shuffle that reaches all of them.
static constexpr int64_t kAllLanes = 0xffffffff, kClamp = 31;

static Value constant(ImplicitLocOpBuilder &b, int64_t value) {
  return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr((int32_t)value));
}

Value CudaMachine::getThread(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, b.getI32Type(), "llvm.nvvm.read.ptx.sreg.tid.x", {});
}

Value CudaMachine::getBlock(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, b.getI32Type(), "llvm.nvvm.read.ptx.sreg.ctaid.x", {});
}

void CudaMachine::barrier(ImplicitLocOpBuilder &b) {
  callIntrinsic(b, {}, "llvm.nvvm.barrier.cta.sync.aligned.all", {constant(b, 0)});
}

Value CudaMachine::shuffleXor(ImplicitLocOpBuilder &b, Value value, int64_t distance) {
  StringRef name =
      value.getType().isF32() ? "llvm.nvvm.shfl.sync.bfly.f32" : "llvm.nvvm.shfl.sync.bfly.i32";
  return callIntrinsic(b, value.getType(), name,
                       {constant(b, kAllLanes), value, constant(b, distance), constant(b, kClamp)});
}

/// cp.async takes the number of bytes that it reads; the others become zero.
bool CudaMachine::copyAsync(ImplicitLocOpBuilder &b, Value from, Value to, Value condition) {
  if (!condition) {
    callIntrinsic(b, {}, "llvm.nvvm.cp.async.cg.shared.global.16", {to, from});
    return true;
  }
  Value bytes = arith::SelectOp::create(b, condition, constant(b, 16), constant(b, 0));
  callIntrinsic(b, {}, "llvm.nvvm.cp.async.cg.shared.global.16.s", {to, from, bytes});
  return true;
}

void CudaMachine::waitForCopies(ImplicitLocOpBuilder &b) {
  callIntrinsic(b, {}, "llvm.nvvm.cp.async.wait.all", {});
}

Value CudaMachine::exp2(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.nvvm.ex2.approx.ftz.f32", {x});
}

Value CudaMachine::rsqrt(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.nvvm.rsqrt.approx.f", {x});
}

/// PTX ISA, "Matrix fragments for mma.m16n8k8" (.tf32). With lane = 4 g + t, the left operand's
/// registers are at k = t and t + 4, and the right one's too; which element of the sum
/// that is, is ours to say: 2 t and 2 t + 1, as in the accumulators.
std::optional<gpu::MatrixOp> CudaMachine::getMatrixOp() const {
  if (chip.matrix != MatrixUnit::MmaTf32)
    return std::nullopt;
  gpu::MatrixOp op;
  op.m = 16;
  op.n = 8;
  op.k = 8;
  op.left = {{{4, 1, 2}, {8, 0, 1}}, {{0, 0}, {8, 0}, {0, 1}, {8, 1}}};
  op.right = {{{4, 0, 2}, {8, 1, 1}}, {{0, 0}, {1, 0}}};
  op.accumulator = {{{4, 1, 2}, {8, 0, 1}}, {{0, 0}, {0, 1}, {8, 0}, {8, 1}}};
  return op;
}

bool CudaMachine::chainsRight() const { return false; }

/// Splits f32 into two tf32 whose sum has 22 bits of its 24.
static std::pair<SmallVector<Value>, SmallVector<Value>> split(ImplicitLocOpBuilder &b,
                                                               ValueRange values) {
  SmallVector<Value> high, low;
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  for (Value value : values) {
    high.push_back(callIntrinsic(b, i32, "llvm.nvvm.f2tf32.rna", {value}));
    Value rest = arith::SubFOp::create(b, value, arith::BitcastOp::create(b, f32, high.back()));
    low.push_back(callIntrinsic(b, i32, "llvm.nvvm.f2tf32.rna", {rest}));
  }
  return {high, low};
}

/// Three products on tf32, small parts first. What is left out is below 2^-22.
SmallVector<Value> CudaMachine::multiply(ImplicitLocOpBuilder &b, ValueRange left, ValueRange right,
                                         ValueRange accumulators) {
  auto [leftHigh, leftLow] = split(b, left);
  auto [rightHigh, rightLow] = split(b, right);
  SmallVector<Value> sums = llvm::to_vector(accumulators);
  Type f32 = b.getF32Type();
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  auto add = [&](ArrayRef<Value> a, ArrayRef<Value> c) {
    SmallVector<Value> operands = llvm::to_vector(a);
    operands.append(c.begin(), c.end());
    operands.append(sums.begin(), sums.end());
    Value result = callIntrinsic(b, type, "llvm.nvvm.mma.m16n8k8.row.col.tf32", operands);
    for (auto [index, sum] : llvm::enumerate(sums))
      sum = LLVM::ExtractValueOp::create(b, result, (int64_t)index);
  };
  add(leftLow, rightHigh);
  add(leftHigh, rightLow);
  add(leftHigh, rightHigh);
  return sums;
}

unsigned CudaMachine::getParameterSpace() const { return 0; }

StringRef CudaMachine::getTriple() const { return "nvptx64-nvidia-cuda"; }

void CudaMachine::finishKernel(llvm::Function &kernel, llvm::Type *parameters) const {
  kernel.setCallingConv(llvm::CallingConv::PTX_Kernel);
  kernel.addFnAttr("nvvm.reqntid", std::to_string(chip.threads));
  llvm::AttrBuilder attributes(kernel.getContext());
  attributes.addByValAttr(parameters);
  attributes.addAlignmentAttr(8);
  kernel.addParamAttrs(0, attributes);
}
