//===- Checks.h - Every form against the definition -------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mixc check` does, apart from the command line: runs every form that can be
// derived, in several element types, on calls at the edges of what a kernel must take,
// and compares with the evaluator.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_CHECKS_H
#define MIXWRIGHT_TOOLS_MIXC_CHECKS_H

#include "tools/driver/Compare.h"
#include "tools/driver/Compile.h"
#include "tools/driver/Draw.h"
#include "tools/driver/Gpu.h"
#include <optional>

namespace mix::mixc {

struct CheckOptions {
  driver::SizeMap sizes; ///< of feature axes that the user chose
  llvm::StringMap<driver::Distribution> ranges;
  llvm::SmallVector<driver::TensorTypes> types; ///< to check
  int64_t threads = 0;
  std::string chip = "native";      ///< one that runs on this machine
  bool isEmulated = false;          ///< `chip` is a GPU, and its kernels run on the emulator
  int64_t schedules = 1;            ///< of the emulator, for each call
  std::unique_ptr<driver::Gpu> gpu; ///< runs the kernels, compiled for `chip`, if it is given

  bool isForGpu() const { return isEmulated || gpu; }
};

/// What became of one call in one form.
struct CheckedCase {
  std::string name;  ///< "T=64", "T=75, cut at 40"
  std::string sizes; ///< of the feature axes: "K=5, V=7"
  driver::Comparison comparison;
  std::string failure; ///< why the call could not run, or empty
  bool passed;
};

/// One form in one element type.
struct CheckedForm {
  driver::Form form;
  driver::TensorTypes types;
  std::string notDerived; ///< why there is no such form, or empty
  std::vector<std::string> notes;
  std::vector<CheckedCase> cases;

  int64_t countPassed() const;
  int64_t countFailed() const { return static_cast<int64_t>(cases.size()) - countPassed(); }
  /// The case whose error is the largest part of what is allowed.
  const CheckedCase *findWorst() const;
};

struct CheckReport {
  std::string mixer;
  driver::DrawPlan plan;
  /// Whether a sequence may be cut: the definition itself gives the same results
  /// when its final states are the initial states of the rest. None: no states.
  std::optional<bool> canBeCut;
  std::vector<CheckedForm> forms;

  int64_t countPassed() const;
  int64_t countFailed() const;
};

/// Errors: the spec cannot be evaluated at all.
llvm::Expected<CheckReport> runChecks(driver::Spec &spec, const CheckOptions &options);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_CHECKS_H
