//===- RunStep.h - mixc run --form step -------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_RUNSTEP_H
#define MIXWRIGHT_TOOLS_MIXC_RUNSTEP_H

#include "tools/driver/Steps.h"
#include "tools/mixc/CommandLine.h"

namespace mix::mixc {

/// --position, --block-table and --cache-rows.
std::vector<Option> getStepOptions();

/// Error: one of these options is given, but another form was asked for.
llvm::Error refuseStepOptions(const Arguments &arguments);

/// Runs a call of the step form, by `run`, and prints what is kept for the next: the position, and
/// the shapes of states and caches. `call` has no states yet: they are read from --state-in, and
/// where all positions are 0 made. Errors: a state or cache is missing or unknown; what the
/// runtime refuses.
llvm::Expected<driver::CallResult> runStep(const Arguments &arguments,
                                           const driver::Signature &signature, driver::Call call,
                                           const mixwright_kernel &kernel, driver::StepRunner run);

/// The tensors of .npy files.
llvm::Expected<driver::TensorMap> readTensors(llvm::ArrayRef<Assignment> files);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_RUNSTEP_H
