//===- Frontend.h - The text language ---------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text in, level L1 of the `mix` dialect out. The language is docs/language.md,
// its errors are docs/errors.md.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_FRONTEND_H
#define MIXWRIGHT_FRONTENDS_MIX_FRONTEND_H

#include "frontends/mix/Diagnostics.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include <string>

namespace mix::frontend {

struct BuildOptions {
  std::string mixer;                     // empty: the last mixer of the file
  llvm::StringMap<int64_t> sizes;        // of feature axes, {"K": 128}; others stay `?`
  llvm::StringMap<std::string> settings; // overrides of settings, {"window": "256"}
};

/// Builds one mixer: a module with one `func.func` of level L1, whose attributes
/// are described in dialect/MixDialect.td. Settings are folded into it. Operation
/// locations are places of the spec. All mixers of the file are checked. Imports
/// are read relative to the file that names them. Null, after messages, if there
/// was any error.
mlir::OwningOpRef<mlir::ModuleOp> buildModule(mlir::MLIRContext &context, llvm::StringRef fileName,
                                              llvm::StringRef text, const BuildOptions &options,
                                              Diagnostics &diagnostics);

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_FRONTEND_H
