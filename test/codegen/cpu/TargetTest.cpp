//===- TargetTest.cpp - Objects, texts and loading --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Target.h"
#include "codegen/cpu/Jit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mix;

namespace {

/// x * y + z on vectors of 16 bytes, which every chip has.
constexpr const char *kMultiplyAdd = R"(
  func.func @f(%x: vector<4xf32>, %y: vector<4xf32>, %z: vector<4xf32>) -> vector<4xf32> {
    %r = math.fma %x, %y, %z : vector<4xf32>
    return %r : vector<4xf32>
  })";

class Target : public testing::Test {
protected:
  Target() {
    mlir::DialectRegistry registry;
    cpu::registerTargetDialects(registry);
    registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect,
                    mlir::LLVM::LLVMDialect>();
    context.appendDialectRegistry(registry);
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &source) {
    return mlir::parseSourceString<mlir::ModuleOp>(source, &context);
  }

  std::string getText(const std::string &source, cpu::TextKind kind, const char *chip) {
    auto module = parse(source);
    auto text = cpu::compileToText(*module, kind, {chip});
    if (text)
      return *text;
    ADD_FAILURE() << llvm::toString(text.takeError());
    return "";
  }

  /// The error of loading an object that has nothing but this global.
  std::string load(const std::string &global, size_t &numKernels) {
    auto module = parse(global);
    auto object = cpu::compileToObject(*module, {});
    if (!object)
      return llvm::toString(object.takeError());
    auto loaded = cpu::load(*object);
    if (!loaded)
      return llvm::toString(loaded.takeError());
    numKernels = (*loaded)->getKernels().size();
    return "";
  }

  mlir::MLIRContext context;
};

} // namespace

TEST_F(Target, TextsOfEveryStage) {
  EXPECT_NE(getText(kMultiplyAdd, cpu::TextKind::LLVMDialect, "x86-64-v3").find("llvm.intr.fma"),
            std::string::npos);
  EXPECT_NE(getText(kMultiplyAdd, cpu::TextKind::LLVMIR, "x86-64-v3").find("@llvm.fma.v4f32"),
            std::string::npos);
  EXPECT_NE(getText(kMultiplyAdd, cpu::TextKind::Assembly, "x86-64-v3").find("vfmadd"),
            std::string::npos);
}

TEST_F(Target, ChipsDecideWhatIsEmitted) {
  // No fused operation, and none is called.
  std::string v2 = getText(kMultiplyAdd, cpu::TextKind::Assembly, "x86-64-v2");
  EXPECT_NE(v2.find("mulps"), std::string::npos);
  EXPECT_EQ(v2.find("fmaf"), std::string::npos);
  // Another architecture than the one that compiles.
  std::string arm = getText(kMultiplyAdd, cpu::TextKind::Assembly, "armv8-a");
  EXPECT_NE(arm.find("fmla"), std::string::npos);
}

TEST_F(Target, UnknownChipIsAnError) {
  auto module = parse(kMultiplyAdd);
  auto object = cpu::compileToObject(*module, {"pdp-11"});
  ASSERT_FALSE(object);
  EXPECT_NE(llvm::toString(object.takeError()).find("unknown CPU target 'pdp-11'"),
            std::string::npos);
}

TEST_F(Target, KernelsOfAnotherVersionAreRefused) {
  size_t numKernels = 0;
  std::string version = std::to_string(MIXWRIGHT_ABI_VERSION);
  EXPECT_EQ(load("llvm.mlir.global external constant @mixwright_kernel_m_chunked(" + version +
                     " : i32) : i32",
                 numKernels),
            "");
  EXPECT_EQ(numKernels, 1u);
  EXPECT_EQ(load("llvm.mlir.global external constant @mixwright_kernel_m_chunked(99 : i32) : i32",
                 numKernels),
            "kernel 'mixwright_kernel_m_chunked' has ABI version 99, expected " + version);
}

TEST_F(Target, WhatIsNoObjectIsAnError) {
  std::string text = "not an object file";
  auto loaded = cpu::load({text.data(), text.size()});
  ASSERT_FALSE(loaded);
  llvm::consumeError(loaded.takeError());
}
