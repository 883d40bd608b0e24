//===- Choose.h - Which form of a mixer to run ------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_CHOOSE_H
#define MIXWRIGHT_TOOLS_DRIVER_CHOOSE_H

#include "tools/driver/Compile.h"
#include <optional>

namespace mix::driver {

/// What a user asks for: one form, or none: the fastest that can be derived.
using FormChoice = std::optional<Form>;

/// "auto", "chunked", "recurrent", "step", "prefill", "reference". Error: none of these.
llvm::Expected<FormChoice> parseForm(llvm::StringRef text);

/// The forms to try, in order, that a kernel can have: the one that was asked for, or
/// those that take a whole sequence. None if the reference was asked for.
llvm::SmallVector<Form, 2> getCandidates(FormChoice wanted);

struct ChosenKernel {
  Form form = Form::Reference;
  std::optional<CompiledKernel> kernel; ///< none: the reference
  /// Whatever a user should hear: why a slower form was chosen, what runs token by
  /// token. Empty if the form is chunked and nothing is sequential.
  std::vector<std::string> notes;
};

/// Compiles the form that was asked for, whatever `options.form` is; without a wish chunked, else
/// recurrent, else none. A handful of tokens, if `sizes` says how many, fill no chunk: recurrent
/// then comes first. Error: there is no kernel of the form that was asked for.
llvm::Expected<ChosenKernel> chooseKernel(Spec &spec, const SizeMap &sizes, FormChoice wanted,
                                          KernelOptions options);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_CHOOSE_H
