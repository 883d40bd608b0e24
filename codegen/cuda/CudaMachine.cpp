//===- CudaMachine.cpp - Operations of NVIDIA GPUs --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/CudaMachine.h"
#include "codegen/cuda/Pairs.h"
#include "codegen/gpu/Intrinsics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

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

bool CudaMachine::copiesAsynchronously() const { return true; }

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
static gpu::MatrixOp getTf32Op() {
  gpu::MatrixOp op;
  op.m = 16;
  op.n = 8;
  op.k = 8;
  op.left = {{{4, 1, 2}, {8, 0, 1}}, {{0, 0}, {8, 0}, {0, 1}, {8, 1}}};
  op.right = {{{4, 0, 2}, {8, 1, 1}}, {{0, 0}, {1, 0}}};
  op.accumulator = {{{4, 1, 2}, {8, 0, 1}}, {{0, 0}, {0, 1}, {8, 0}, {8, 1}}};
  return op;
}

/// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type" (.f16, .bf16). Two
/// neighbours along the sum share a 32-bit register, as ldmatrix loads them.
static gpu::MatrixOp getNarrowOp() {
  gpu::MatrixOp op;
  op.m = 16;
  op.n = 8;
  op.k = 16;
  op.left = {{{4, 1, 2}, {8, 0, 1}},
             {{0, 0}, {0, 1}, {8, 0}, {8, 1}, {0, 8}, {0, 9}, {8, 8}, {8, 9}},
             {{2, 0, 8}, {2, 1, 8}}};
  op.right = {{{4, 0, 2}, {8, 1, 1}}, {{0, 0}, {1, 0}, {8, 0}, {9, 0}}, {{2, 0, 8}}};
  op.accumulator = {{{4, 1, 2}, {8, 0, 1}}, {{0, 0}, {0, 1}, {8, 0}, {8, 1}}};
  return op;
}

std::optional<gpu::MatrixOp> CudaMachine::getMatrixOp(Type element) const {
  if (element.isF32() && chip.matrix == MatrixUnit::MmaTf32)
    return getTf32Op();
  if (element.isBF16() || element.isF16())
    return getNarrowOp();
  return std::nullopt;
}

gpu::JointUnit *CudaMachine::getJointUnit(Type element) {
  bool has =
      chip.narrowMatrix == NarrowMatrixUnit::Wgmma16 && (element.isBF16() || element.isF16());
  return has ? &warpGroup : nullptr;
}

bool CudaMachine::chainsRight() const { return false; }

//===----------------------------------------------------------------------===//
// Products of f32
//===----------------------------------------------------------------------===//

/// Calls an instruction that adds a product to accumulators.
static void multiplyInto(ImplicitLocOpBuilder &b, StringRef name, ArrayRef<Value> left,
                         ArrayRef<Value> right, MutableArrayRef<Value> sums) {
  SmallVector<Value> operands = llvm::to_vector(left);
  operands.append(right.begin(), right.end());
  operands.append(sums.begin(), sums.end());
  SmallVector<Type> types(sums.size(), b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  Value result = callIntrinsic(b, type, name, operands);
  for (auto [index, sum] : llvm::enumerate(sums))
    sum = LLVM::ExtractValueOp::create(b, result, (int64_t)index);
}

namespace {

/// f32 as two tf32 whose sum has 22 bits of its 24.
struct SplitFragment {
  SmallVector<Value> high, low;
  bool isExact = true; ///< The low parts are all zero, and not there.
};

} // namespace

static SplitFragment split(ImplicitLocOpBuilder &b, ValueRange values) {
  SplitFragment parts;
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  // A widened 16-bit number has at most 11 bits, as tf32 has.
  parts.isExact =
      llvm::all_of(values, [](Value value) { return value.getDefiningOp<arith::ExtFOp>(); });
  for (Value value : values) {
    if (parts.isExact) {
      parts.high.push_back(arith::BitcastOp::create(b, i32, value));
      continue;
    }
    parts.high.push_back(callIntrinsic(b, i32, "llvm.nvvm.f2tf32.rna", {value}));
    Value rest =
        arith::SubFOp::create(b, value, arith::BitcastOp::create(b, f32, parts.high.back()));
    parts.low.push_back(callIntrinsic(b, i32, "llvm.nvvm.f2tf32.rna", {rest}));
  }
  return parts;
}

/// Up to three products on tf32, small parts first. What is left out is below 2^-22.
static void multiplyF32(ImplicitLocOpBuilder &b, ValueRange left, ValueRange right,
                        MutableArrayRef<Value> sums) {
  constexpr StringLiteral name = "llvm.nvvm.mma.m16n8k8.row.col.tf32";
  SplitFragment x = split(b, left), y = split(b, right);
  if (!x.isExact)
    multiplyInto(b, name, x.low, y.high, sums);
  if (!y.isExact)
    multiplyInto(b, name, x.high, y.low, sums);
  multiplyInto(b, name, x.high, y.high, sums);
}

//===----------------------------------------------------------------------===//
// Products of bf16 and f16
//===----------------------------------------------------------------------===//

/// The operands of mma.sync: bf16 as bits, f16 as vectors.
static SmallVector<Value> packFactor(ImplicitLocOpBuilder &b, ValueRange values) {
  SmallVector<Value> pairs = packPairs(b, values);
  if (values.front().getType().isBF16())
    for (Value &pair : pairs)
      pair = LLVM::BitcastOp::create(b, b.getI32Type(), pair);
  return pairs;
}

SmallVector<Value> CudaMachine::multiply(ImplicitLocOpBuilder &b, ValueRange left, ValueRange right,
                                         ValueRange accumulators) {
  SmallVector<Value> sums = llvm::to_vector(accumulators);
  Type element = left.front().getType();
  if (element.isF32())
    multiplyF32(b, left, right, sums);
  else
    multiplyInto(b,
                 element.isBF16() ? "llvm.nvvm.mma.m16n8k16.row.col.bf16"
                                  : "llvm.nvvm.mma.m16n8k16.row.col.f32.f32",
                 packFactor(b, left), packFactor(b, right), sums);
  return sums;
}

/// PTX ISA, "ldmatrix". Every matrix is one register of each lane.
SmallVector<Value> CudaMachine::loadMatrices(ImplicitLocOpBuilder &b, Value address, Type element,
                                             int64_t count, bool isTransposed) {
  std::string name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                     (isTransposed ? ".trans.b16" : ".b16");
  SmallVector<Type> types(count, b.getI32Type());
  Type type = count == 1 ? types[0] : LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  Value loaded = callIntrinsic(b, type, name, {address});
  SmallVector<Value> elements;
  for (int64_t n = 0; n < count; ++n) {
    Value bits = count == 1 ? loaded : LLVM::ExtractValueOp::create(b, loaded, n).getResult();
    Value pair = LLVM::BitcastOp::create(b, VectorType::get(2, element), bits);
    for (int64_t half : {0, 1})
      elements.push_back(LLVM::ExtractElementOp::create(b, pair, constant(b, half)));
  }
  return elements;
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
  // Inline assembly is of whole warps.
  for (llvm::Instruction &instruction : llvm::instructions(kernel))
    if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->isInlineAsm())
      call->setConvergent();
}
