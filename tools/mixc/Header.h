//===- Header.h - The C header of a compiled mixer --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_HEADER_H
#define MIXWRIGHT_TOOLS_MIXC_HEADER_H

#include "tools/driver/Compile.h"
#include "tools/driver/Steps.h"

namespace mix::mixc {

/// A C header that declares the kernel and documents every tensor of a call: its place
/// in the array that `mixwright_run` takes, shape and type. It names the targets, of which GPUs
/// are `hasDevices`. `step` are the arguments of a step form, and empty for others.
std::string makeHeader(const driver::Signature &signature, const driver::SizeMap &sizes,
                       driver::Form form, driver::TensorTypes types, llvm::StringRef targets,
                       bool hasDevices, llvm::ArrayRef<driver::StepArgument> step);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_HEADER_H
