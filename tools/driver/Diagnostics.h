//===- Diagnostics.h - What passes report, as text --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_DIAGNOSTICS_H
#define MIXWRIGHT_TOOLS_DRIVER_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include <string>
#include <vector>

namespace mix::driver {

/// "file.mix:3:5: ", or nothing if the place is unknown.
std::string formatLocation(mlir::Location location);

/// Keeps what passes report while it lives, errors apart from the rest.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext &context);

  /// All errors, one after the other.
  std::string getErrors() const;
  /// The first error, or else the first remark.
  std::string getFirst() const;

private:
  std::vector<std::string> errors, remarks;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_DIAGNOSTICS_H
