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
#include <optional>
#include <string>
#include <vector>

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

struct ArgumentDescription {
  enum Kind { Input, Param, Setting } kind;
  std::string name;
  bool isInteger;
  std::vector<std::string> axes;
  std::string defaultText; // of a setting, as written; may be empty
};

struct TensorDescription {
  std::string name;
  std::vector<std::string> axes;
};

/// What a mixer declares.
struct MixerDescription {
  std::string name;
  std::vector<ArgumentDescription> arguments;
  std::vector<TensorDescription> outputs;
  std::vector<TensorDescription> states;
  std::vector<std::string> featureAxes; // those that `sizes` can bind
  std::vector<std::string> tokenAxes;   // their sizes are those of each call
};

/// The mixers that the file itself declares, in order. Only the syntax is checked;
/// empty after an error.
std::vector<MixerDescription> describe(llvm::StringRef fileName, llvm::StringRef text,
                                       Diagnostics &diagnostics);

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_FRONTEND_H
