//===- Diagnostics.cpp - What passes report, as text ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mix::driver;

std::string mix::driver::formatLocation(Location location) {
  if (auto place = location->findInstanceOf<FileLineColLoc>())
    return (place.getFilename().getValue() + ":" + Twine(place.getLine()) + ":" +
            Twine(place.getColumn()) + ": ")
        .str();
  return "";
}

DiagnosticCollector::DiagnosticCollector(MLIRContext &context)
    : handler(&context, [this](Diagnostic &diagnostic) {
        std::string text = formatLocation(diagnostic.getLocation()) + diagnostic.str();
        (diagnostic.getSeverity() == DiagnosticSeverity::Error ? errors : remarks)
            .push_back(std::move(text));
        return success();
      }) {}

std::string DiagnosticCollector::getErrors() const { return llvm::join(errors, "; "); }

std::string DiagnosticCollector::getFirst() const {
  return !errors.empty() ? errors.front() : remarks.empty() ? "" : remarks.front();
}
