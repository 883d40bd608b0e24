//===- Target.h - From tile programs to object code -------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_TARGET_H
#define MIXWRIGHT_CODEGEN_CPU_TARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir {
class DialectRegistry;
class TimingScope;
} // namespace mlir

namespace mix::cpu {

/// A tile program and the row of the chip table that it is to be compiled for.
struct Variant {
  mlir::ModuleOp phases;
  std::string chip = "native";
};

struct CompileOptions {
  mlir::TimingScope *timing = nullptr; ///< If given, gets one timer per stage.
  /// Lets the code check every access of memory by the address sanitizer, whose runtime it
  /// then needs.
  bool checkAddresses = false;
  /// Kernels for devices, as modules of `gpu::describe`. In the lists they follow the variants.
  llvm::ArrayRef<mlir::ModuleOp> devices = {};
};

/// What the compiler can show of its output.
enum class TextKind { LLVMDialect, LLVMIR, Assembly };

using Object = llvm::SmallVector<char, 0>;

/// Registers what a context needs before any of the functions below is called with it.
void registerTargetDialects(mlir::DialectRegistry &registry);

/// Compiles all phases of a module to a relocatable object: position independent,
/// in the small code model. It exports one `mixwright_kernel` per mixer and form, and
/// needs the C library and its functions of <math.h>. Several variants, which are for
/// chips of one architecture, give one object whose kernels are lists in that order. Without any,
/// the object is for this machine's architecture and holds kernels for devices only.
/// The modules become LLVM dialect. What is wrong with a program is reported by diagnostics;
/// the error says that they were.
llvm::Expected<Object> compileToObject(llvm::ArrayRef<Variant> variants,
                                       const CompileOptions &options = {});

/// The same way, to a text.
llvm::Expected<std::string> compileToText(llvm::ArrayRef<Variant> variants, TextKind kind,
                                          const CompileOptions &options = {});

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_TARGET_H
