//===- TargetTest.cpp - Objects, texts and loading --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Target.h"
#include "codegen/Chips.h"
#include "codegen/cpu/Jit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include "gtest/gtest.h"
#include <set>

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
    auto text = cpu::compileToText({{*module, chip}}, kind);
    if (text)
      return *text;
    ADD_FAILURE() << llvm::toString(text.takeError());
    return "";
  }

  /// The error of loading an object that has nothing but this global.
  std::string load(const std::string &global, size_t &numKernels) {
    auto module = parse(global);
    auto object = cpu::compileToObject({{*module}});
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
  std::string arm = getText(kMultiplyAdd, cpu::TextKind::Assembly, "aarch64");
  EXPECT_NE(arm.find("fmla"), std::string::npos);
}

TEST_F(Target, NamesThatBothChipsExportCollide) {
  auto best = parse(kMultiplyAdd), least = parse(kMultiplyAdd);
  auto text =
      cpu::compileToText({{*best, "x86-64-v3"}, {*least, "x86-64-v2"}}, cpu::TextKind::LLVMIR);
  ASSERT_FALSE(text);
  EXPECT_EQ(llvm::toString(text.takeError()),
            "the code for x86-64-v2 could not be added to the "
            "object: Linking globals named 'f': symbol multiply defined!");
}

TEST_F(Target, ArchitecturesDoNotMix) {
  auto x86 = parse(kMultiplyAdd), arm = parse(kMultiplyAdd);
  auto object = cpu::compileToObject({{*x86, "x86-64-v3"}, {*arm, "aarch64"}});
  ASSERT_FALSE(object);
  EXPECT_EQ(llvm::toString(object.takeError()),
            "one object cannot hold code for x86_64 and for aarch64");
}

TEST(Chips, EveryFeatureOfALevelIsChecked) {
  // What every x86-64 processor has, and what comes with another feature.
  std::set<llvm::StringRef> unchecked = {"64bit", "cmov", "crc32", "cx8", "fxsr",
                                         "mmx",   "sse",  "sse2",  "x87"};
  for (const Chip &chip : getChips()) {
    if (llvm::Triple(chip.triple).getArch() != llvm::Triple::x86_64)
      continue;
    llvm::SmallVector<llvm::StringRef> names;
    llvm::X86::getFeaturesForCPU(chip.cpu, names);
    ASSERT_FALSE(names.empty());
    for (llvm::StringRef name : names)
      if (!unchecked.count(name))
        EXPECT_NE(getNeeds(chip.triple, "x86-64", ("+" + name).str()), 0u)
            << chip.name << " may use " << name.str() << ", which the runtime does not check";
  }
}

TEST(Chips, NeedsOfLevelsGrow) {
  uint64_t v4 = llvm::cantFail(findChip("x86-64-v4")).needs;
  uint64_t v3 = llvm::cantFail(findChip("x86-64-v3")).needs;
  uint64_t v2 = llvm::cantFail(findChip("x86-64-v2")).needs;
  EXPECT_EQ(v4 & v3, v3);
  EXPECT_EQ(v3 & v2, v2);
  EXPECT_NE(v4, v3);
  EXPECT_NE(v3, v2);
  EXPECT_NE(v2, 0u);
  // A feature implies those that it builds on.
  uint64_t foundation = getNeeds("x86_64-unknown-linux-gnu", "x86-64", "+avx512f");
  EXPECT_EQ(getNeeds("x86_64-unknown-linux-gnu", "x86-64-v3", "+avx512bf16") & foundation,
            foundation);
}

TEST_F(Target, UnknownChipIsAnError) {
  auto module = parse(kMultiplyAdd);
  auto object = cpu::compileToObject({{*module, "pdp-11"}});
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
