//===- HipMachine.cpp - Operations of AMD GPUs ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/hip/HipMachine.h"
#include "codegen/gpu/Intrinsics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/IR/Function.h"

using namespace mlir;
using namespace mix;
using namespace mix::hip;
using gpu::callIntrinsic;

/// Where the AMDGPU back end keeps the parameters of a kernel.
static constexpr unsigned kConstantSpace = 4;

Value HipMachine::getThread(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, b.getI32Type(), "llvm.amdgcn.workitem.id.x", {});
}

Value HipMachine::getBlock(ImplicitLocOpBuilder &b) {
  return callIntrinsic(b, b.getI32Type(), "llvm.amdgcn.workgroup.id.x", {});
}

/// s_barrier alone does not wait for memory; the fences do.
void HipMachine::barrier(ImplicitLocOpBuilder &b) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, "workgroup");
  callIntrinsic(b, {}, "llvm.amdgcn.s.barrier", {});
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acquire, "workgroup");
}

/// ds_bpermute addresses lanes in bytes.
Value HipMachine::shuffleXor(ImplicitLocOpBuilder &b, Value value, int64_t distance) {
  Type i32 = b.getI32Type();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(number));
  };
  Value thread = getThread(b);
  Value lane = arith::AndIOp::create(b, thread, constant(chip.warp - 1));
  Value from = arith::XOrIOp::create(b, lane, constant(distance));
  Value bits = value.getType().isF32() ? arith::BitcastOp::create(b, i32, value) : value;
  Value moved = callIntrinsic(b, i32, "llvm.amdgcn.ds.bpermute",
                              {arith::MulIOp::create(b, from, constant(4)), bits});
  return value.getType().isF32() ? arith::BitcastOp::create(b, value.getType(), moved) : moved;
}

bool HipMachine::copyAsync(ImplicitLocOpBuilder &, Value, Value, Value) { return false; }

void HipMachine::waitForCopies(ImplicitLocOpBuilder &) {}

Value HipMachine::exp2(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.amdgcn.exp2", {x});
}

Value HipMachine::rsqrt(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.amdgcn.rsq", {x});
}

/// AMD matrix instruction calculator, v_mfma_f32_16x16x4_f32: lane = 16 h + l holds A[l, h] and
/// B[h, l], and accumulators [4 h + r, l]. Four of them make one operation with k = 16; the
/// one of number s takes element 4 h + s of the sum, as the accumulators do. That is also
/// what v_mfma_f32_16x16x16_bf16 and _f16 do, with four elements of a lane in two registers.
std::optional<gpu::MatrixOp> HipMachine::getMatrixOp(Type element) const {
  bool isKnown = element.isF32() ? chip.matrix == MatrixUnit::MfmaF32
                                 : (element.isBF16() || element.isF16()) &&
                                       chip.narrowMatrix == NarrowMatrixUnit::Mfma16;
  if (!isKnown)
    return std::nullopt;
  gpu::MatrixOp op;
  op.m = op.n = op.k = 16;
  op.left = {{{16, 0, 1}, {4, 1, 4}}, {{0, 0}, {0, 1}, {0, 2}, {0, 3}}};
  op.right = {{{16, 1, 1}, {4, 0, 4}}, {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};
  op.accumulator = {{{16, 1, 1}, {4, 0, 4}}, {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};
  return op;
}

bool HipMachine::chainsRight() const { return true; }

SmallVector<Value> HipMachine::loadMatrices(ImplicitLocOpBuilder &, Value, Type, int64_t, bool) {
  return {};
}

static Value number(ImplicitLocOpBuilder &b, int64_t value) {
  return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(value));
}

static Value pack(ImplicitLocOpBuilder &b, ValueRange values) {
  Type type = VectorType::get(values.size(), values.front().getType());
  Value packed = LLVM::UndefOp::create(b, type);
  for (auto [index, value] : llvm::enumerate(values))
    packed = LLVM::InsertElementOp::create(b, packed, value, number(b, index));
  return packed;
}

SmallVector<Value> HipMachine::multiply(ImplicitLocOpBuilder &b, ValueRange left, ValueRange right,
                                        ValueRange accumulators) {
  Value sums = pack(b, accumulators), none = number(b, 0);
  auto add = [&](StringRef name, Value x, Value y) {
    sums = callIntrinsic(b, sums.getType(), name, {x, y, sums, none, none, none});
  };
  Type element = left.front().getType();
  if (element.isF32()) {
    for (auto [x, y] : llvm::zip_equal(left, right))
      add("llvm.amdgcn.mfma.f32.16x16x4f32", x, y);
  } else if (element.isF16()) {
    add("llvm.amdgcn.mfma.f32.16x16x16f16", pack(b, left), pack(b, right));
  } else {
    Type bits = VectorType::get(left.size(), b.getI16Type());
    add("llvm.amdgcn.mfma.f32.16x16x16bf16.1k", LLVM::BitcastOp::create(b, bits, pack(b, left)),
        LLVM::BitcastOp::create(b, bits, pack(b, right)));
  }
  SmallVector<Value> results;
  for (size_t index = 0; index < accumulators.size(); ++index)
    results.push_back(LLVM::ExtractElementOp::create(b, sums, number(b, index)));
  return results;
}

unsigned HipMachine::getParameterSpace() const { return kConstantSpace; }

StringRef HipMachine::getTriple() const { return "amdgcn-amd-amdhsa"; }

void HipMachine::finishKernel(llvm::Function &kernel, llvm::Type *parameters) const {
  kernel.setCallingConv(llvm::CallingConv::AMDGPU_KERNEL);
  std::string threads = std::to_string(chip.threads);
  kernel.addFnAttr("amdgpu-flat-work-group-size", threads + "," + threads);
  kernel.addFnAttr("uniform-work-group-size", "true");
  llvm::AttrBuilder attributes(kernel.getContext());
  attributes.addByRefAttr(parameters);
  attributes.addAlignmentAttr(8);
  kernel.addParamAttrs(0, attributes);
}
