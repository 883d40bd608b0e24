//===- Spec.h - A mixer of a .mix file --------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_SPEC_H
#define MIXWRIGHT_TOOLS_DRIVER_SPEC_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tools/driver/Call.h"
#include "tools/driver/Signature.h"

namespace mix::driver {

/// An error whose messages are on stderr already.
class ReportedError : public llvm::ErrorInfo<ReportedError> {
public:
  static char ID;
  void log(llvm::raw_ostream &os) const override {}
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }
};

/// A mixer of level L1 in a module of its own.
struct Program {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp getMixer();
};

/// One mixer of one file, and its settings.
class Spec {
public:
  /// Reads a file; an empty `mixer` names its last. Errors: no such file; what the
  /// frontend finds wrong goes to stderr.
  static llvm::Expected<std::unique_ptr<Spec>> load(llvm::StringRef path, llvm::StringRef mixer,
                                                    llvm::StringMap<std::string> settings);

  const Signature &getSignature() const { return signature; }
  mlir::MLIRContext &getContext() { return context; }
  llvm::StringRef getPath() const { return path; }

  /// Level L1 with the feature axes of `sizes` bound (token axes are left alone).
  llvm::Expected<Program> build(const SizeMap &sizes);

private:
  Spec();
  mlir::MLIRContext context;
  std::string path, text, mixer;
  llvm::StringMap<std::string> settings;
  Signature signature;
};

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_SPEC_H
