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

struct TargetOptions {
  std::string chip = "native";         ///< Row of the chip table.
  mlir::TimingScope *timing = nullptr; ///< If given, gets one timer per stage.
};

/// What the compiler can show of its output.
enum class TextKind { LLVMDialect, LLVMIR, Assembly };

using Object = llvm::SmallVector<char, 0>;

/// Registers what a context needs before any of the functions below is called with it.
void registerTargetDialects(mlir::DialectRegistry &registry);

/// Compiles all phases of a module to a relocatable object: position independent,
/// in the small code model. It exports one `mixwright_kernel` per mixer and form, and
/// needs the C library and its functions of <math.h>. The module becomes LLVM dialect.
/// What is wrong with the program is reported by diagnostics; the error says that they were.
llvm::Expected<Object> compileToObject(mlir::ModuleOp phases, const TargetOptions &options);

/// The same way, to a text.
llvm::Expected<std::string> compileToText(mlir::ModuleOp phases, TextKind kind,
                                          const TargetOptions &options);

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_TARGET_H
