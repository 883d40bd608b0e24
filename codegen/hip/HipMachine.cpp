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

bool HipMachine::copiesAsynchronously() const { return false; }

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
static gpu::MatrixOp getMfma() {
  gpu::MatrixOp op;
  op.m = op.n = op.k = 16;
  op.left = {{{16, 0, 1}, {4, 1, 4}}, {{0, 0}, {0, 1}, {0, 2}, {0, 3}}};
  op.right = {{{16, 1, 1}, {4, 0, 4}}, {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};
  op.accumulator = {{{16, 1, 1}, {4, 0, 4}}, {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};
  return op;
}

/// Lanes l and l + 16 hold row (column) l of the factors. RDNA4 ISA 7.12: elements 8 h to 8 h + 7
/// of the sum, and accumulators [8 h + r, l], which are the right factor of the next product. RDNA3
/// ISA 7.9: all of the sum, and accumulators [2 r + h, l].
static gpu::MatrixOp getWmma(bool isGfx11) {
  gpu::MatrixOp op;
  op.m = op.n = op.k = 16;
  gpu::Digit halves = isGfx11 ? gpu::Digit{2, -1, 0} : gpu::Digit{2, 1, 8};
  op.left.lanes = {{16, 0, 1}, halves};
  halves.dim = isGfx11 ? -1 : 0;
  op.right.lanes = {{16, 1, 1}, halves};
  for (int64_t k = 0; k < (isGfx11 ? 16 : 8); ++k) {
    op.left.registers.push_back({0, k});
    op.right.registers.push_back({k, 0});
  }
  op.accumulator.lanes = {{16, 1, 1}, {2, 0, isGfx11 ? 1 : 8}};
  for (int64_t r = 0; r < 8; ++r)
    op.accumulator.registers.push_back({isGfx11 ? 2 * r : r, 0});
  return op;
}

std::optional<gpu::MatrixOp> HipMachine::getMatrixOp(Type element) const {
  bool isMfma = chip.narrowMatrix == NarrowMatrixUnit::Mfma16;
  if (element.isF32())
    return chip.matrix == MatrixUnit::MfmaF32 ? std::optional(getMfma()) : std::nullopt;
  if (!element.isBF16() && !element.isF16())
    return std::nullopt;
  return isMfma ? getMfma() : getWmma(chip.narrowMatrix == NarrowMatrixUnit::Wmma11);
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

/// Elements of a factor as the intrinsics of 16-bit types take them: f16, or the bits of bf16.
static Value packNarrow(ImplicitLocOpBuilder &b, ValueRange values) {
  Value packed = pack(b, values);
  if (values.front().getType().isF16())
    return packed;
  return LLVM::BitcastOp::create(b, VectorType::get(values.size(), b.getI16Type()), packed);
}

SmallVector<Value> HipMachine::multiply(ImplicitLocOpBuilder &b, ValueRange left, ValueRange right,
                                        ValueRange accumulators) {
  Value sums = pack(b, accumulators), none = number(b, 0);
  Type type = sums.getType();
  bool isHalf = left.front().getType().isF16();
  if (left.front().getType().isF32()) {
    for (auto [x, y] : llvm::zip_equal(left, right))
      sums =
          callIntrinsic(b, type, "llvm.amdgcn.mfma.f32.16x16x4f32", {x, y, sums, none, none, none});
  } else if (chip.narrowMatrix == NarrowMatrixUnit::Mfma16) {
    sums = callIntrinsic(b, type,
                         isHalf ? "llvm.amdgcn.mfma.f32.16x16x16f16"
                                : "llvm.amdgcn.mfma.f32.16x16x16bf16.1k",
                         {packNarrow(b, left), packNarrow(b, right), sums, none, none, none});
  } else {
    std::string name = isHalf ? "llvm.amdgcn.wmma.f32.16x16x16.f16.v8f32.v"
                              : "llvm.amdgcn.wmma.f32.16x16x16.bf16.v8f32.v";
    name += std::to_string(left.size()) + (isHalf ? "f16" : "i16");
    sums = callIntrinsic(b, type, name, {packNarrow(b, left), packNarrow(b, right), sums});
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
