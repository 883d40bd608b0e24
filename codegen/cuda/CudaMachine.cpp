//===- CudaMachine.cpp - Operations of NVIDIA GPUs --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/CudaMachine.h"
#include "codegen/gpu/Intrinsics.h"
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

Value CudaMachine::exp2(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.nvvm.ex2.approx.ftz.f32", {x});
}

Value CudaMachine::rsqrt(ImplicitLocOpBuilder &b, Value x) {
  return callIntrinsic(b, x.getType(), "llvm.nvvm.rsqrt.approx.f", {x});
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
