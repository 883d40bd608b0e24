//===- WarpGroup.cpp - wgmma ------------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The instructions run asynchronously, on registers that nobody may touch between a fence and
// a wait. LLVM knows nothing of that; so fence and wait are inline assembly that takes these
// registers and gives them back, and no use can move across.
//
//===----------------------------------------------------------------------===//

#include "codegen/cuda/WarpGroup.h"
#include "codegen/cuda/Pairs.h"
#include "codegen/gpu/Intrinsics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mix;
using namespace mix::cuda;
using gpu::callIntrinsic;
using gpu::SharedFactor;

WarpGroup::WarpGroup() {
  rows = 64;
  depth = 16;
  columnStep = 8;
  mostColumns = 256;
}

static Value constant32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
}

static Value constant64(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
}

/// PTX ISA, "Matrix Descriptor Format": address, two distances and the swizzle of panels. Distances
/// are in units of 16 bytes.
static Value buildDescriptor(ImplicitLocOpBuilder &b, const SharedFactor &factor) {
  // Eight rows are a unit. Along the sum, an instruction stays within a panel; across it, the
  // first distance leads to the next one.
  uint64_t leading = factor.isSumMajor ? 16 : factor.panels.panelBytes;
  uint64_t stride = 8 * factor.panels.rowBytes;
  uint64_t swizzle = factor.panels.rowBytes == 128 ? 1 : factor.panels.rowBytes == 64 ? 2 : 3;
  uint64_t fields = leading >> 4 << 16 | stride >> 4 << 32 | swizzle << 62;
  Value address = LLVM::PtrToIntOp::create(b, b.getI32Type(), factor.tile);
  address = arith::ShRUIOp::create(b, address, constant32(b, 4));
  address = arith::AndIOp::create(b, address, constant32(b, 0x3fff));
  Value wide = arith::ExtUIOp::create(b, b.getI64Type(), address);
  Value descriptor = arith::OrIOp::create(b, wide, constant64(b, fields));
  if (factor.offset == 0)
    return descriptor;
  return arith::AddIOp::create(b, descriptor, constant64(b, factor.offset >> 4));
}

/// Inline assembly that changes `registers` in place and reads `operands`, with their constraints.
static void buildAssembly(ImplicitLocOpBuilder &b, const std::string &text,
                          MutableArrayRef<Value> registers, ValueRange operands,
                          StringRef constraints) {
  std::string outputs, inputs;
  for (auto [index, value] : llvm::enumerate(registers)) {
    outputs += value.getType().isF32() ? "=f," : "=r,";
    inputs += std::to_string(index) + ",";
  }
  SmallVector<Value> all(registers);
  all.append(operands.begin(), operands.end());
  SmallVector<Type> types(ValueRange(registers).getTypes());
  Type result =
      types.size() == 1 ? types.front() : LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  std::string everything = outputs + inputs + constraints.str();
  auto assembly = LLVM::InlineAsmOp::create(
      b, TypeRange(result), all, b.getStringAttr(text),
      b.getStringAttr(StringRef(everything).rtrim(',')), /*has_side_effects=*/b.getUnitAttr(),
      /*is_align_stack=*/UnitAttr(),
      LLVM::TailCallKindAttr::get(b.getContext(), LLVM::TailCallKind::None),
      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
  if (types.size() == 1) {
    registers.front() = assembly.getResult(0);
    return;
  }
  for (auto [index, value] : llvm::enumerate(registers))
    value = LLVM::ExtractValueOp::create(b, assembly.getResult(0), (int64_t)index);
}

/// "{$first, ..., $(first + count - 1)}"
static std::string listRegisters(int64_t first, int64_t count) {
  std::string list = "{";
  for (int64_t n = 0; n < count; ++n)
    list += (n ? ", $" : "$") + std::to_string(first + n);
  return list + "}";
}

/// `wgmma.mma_async`. The left factor is in registers if there are any.
static void buildStep(ImplicitLocOpBuilder &b, Type element, const gpu::JointStep &step,
                      ArrayRef<Value> leftRegisters, MutableArrayRef<Value> sums) {
  SmallVector<Value> operands(leftRegisters);
  std::string constraints;
  for (size_t n = 0; n < leftRegisters.size(); ++n)
    constraints += "r,";
  if (leftRegisters.empty()) {
    operands.push_back(buildDescriptor(b, step.left));
    constraints += "l,";
  }
  operands.push_back(buildDescriptor(b, step.right));
  constraints += "l,";
  // Whether sums take part, signs of the factors, and which factors' rows lie across the sum.
  SmallVector<int64_t> flags = {1, 1, 1};
  if (leftRegisters.empty())
    flags.push_back(!step.left.isSumMajor);
  flags.push_back(!step.right.isSumMajor);
  // Sums are named twice, as they leave and as they come.
  int64_t next = 2 * sums.size(), numLeft = leftRegisters.size();
  std::string left = numLeft ? listRegisters(next, numLeft) : "$" + std::to_string(next);
  next += std::max<int64_t>(numLeft, 1);
  std::string right = "$" + std::to_string(next++);
  std::string type = element.isBF16() ? "bf16" : "f16";
  std::string text = "{\n.reg .pred p;\nsetp.ne.b32 p, $" + std::to_string(next++) +
                     ", 0;\nwgmma.mma_async.sync.aligned.m64n" + std::to_string(step.columns) +
                     "k16.f32." + type + "." + type + " " + listRegisters(0, sums.size()) + ", " +
                     left + ", " + right + ", p";
  for (auto [index, flag] : llvm::enumerate(flags)) {
    operands.push_back(constant32(b, flag));
    constraints += "n,";
    if (index > 0)
      text += ", $" + std::to_string(next++);
  }
  buildAssembly(b, text + "; }", sums, operands, constraints);
}

void WarpGroup::multiply(ImplicitLocOpBuilder &b, Type element, ArrayRef<gpu::JointStep> steps,
                         MutableArrayRef<Value> sums) {
  SmallVector<Value> registers(sums);
  for (const gpu::JointStep &step : steps)
    for (Value pair : packPairs(b, step.leftRegisters))
      registers.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
  buildAssembly(b, "wgmma.fence.sync.aligned;", registers, {}, "");
  MutableArrayRef<Value> fenced = MutableArrayRef(registers).take_front(sums.size());
  ArrayRef<Value> rest = ArrayRef(registers).drop_front(sums.size());
  for (const gpu::JointStep &step : steps) {
    size_t numLeft = step.leftRegisters.size() / 2, numSums = step.columns / 2;
    buildStep(b, element, step, rest.take_front(numLeft), fenced.slice(step.firstSum, numSums));
    rest = rest.drop_front(numLeft);
  }
  callIntrinsic(b, {}, "llvm.nvvm.wgmma.commit_group.sync.aligned", {});
  buildAssembly(b, "wgmma.wait_group.sync.aligned $" + std::to_string(2 * sums.size()) + ";",
                fenced, {constant64(b, 0)}, "n");
  llvm::copy(fenced, sums.begin());
}

void WarpGroup::releaseWrites(ImplicitLocOpBuilder &b) {
  callIntrinsic(b, {}, "llvm.nvvm.fence.proxy.async.shared_cta", {});
}
