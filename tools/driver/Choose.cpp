//===- Choose.cpp - Which form of a mixer to run ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Choose.h"

using namespace mix::driver;
using llvm::Expected;
using llvm::StringRef;

/// Tokens from which a chunk is faster than its tokens one by one: rows of a chunk that do not
/// exist cost as much as those that do.
static constexpr int64_t kLeastChunkTokens = 12;

static bool hasFewTokens(const Signature &signature, const SizeMap &sizes) {
  return llvm::all_of(signature.tokenAxes.keys(), [&](StringRef axis) {
    auto size = sizes.find(axis);
    return size != sizes.end() && size->second < kLeastChunkTokens;
  });
}

Expected<FormChoice> mix::driver::parseForm(StringRef text) {
  if (text == "auto")
    return FormChoice();
  for (Form form : {Form::Chunked, Form::Recurrent, Form::Step, Form::Prefill, Form::Reference})
    if (text == getFormName(form))
      return FormChoice(form);
  return llvm::createStringError(
      "--form: expected auto, chunked, recurrent, step, prefill or reference, got '" + text + "'");
}

llvm::SmallVector<Form, 2> mix::driver::getCandidates(FormChoice wanted) {
  if (!wanted)
    return {Form::Chunked, Form::Recurrent};
  if (*wanted == Form::Reference)
    return {};
  return {*wanted};
}

Expected<ChosenKernel> mix::driver::chooseKernel(Spec &spec, const SizeMap &sizes,
                                                 FormChoice wanted, KernelOptions options) {
  ChosenKernel chosen;
  llvm::SmallVector<Form, 2> forms = getCandidates(wanted);
  if (!wanted && hasFewTokens(spec.getSignature(), sizes))
    std::swap(forms.front(), forms.back());
  for (Form form : forms) {
    options.form = form;
    Expected<CompiledKernel> kernel = compile(spec, sizes, options);
    if (kernel) {
      chosen.form = form;
      llvm::append_range(chosen.notes, kernel->getNotes());
      chosen.kernel = std::move(*kernel);
      return chosen;
    }
    std::string message =
        "no " + getFormName(form).str() + " form: " + toString(kernel.takeError());
    if (wanted)
      return llvm::createStringError(message);
    chosen.notes.push_back(message);
  }
  chosen.form = Form::Reference;
  return chosen;
}
