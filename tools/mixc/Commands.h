//===- Commands.h - The subcommands of mixc ---------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_COMMANDS_H
#define MIXWRIGHT_TOOLS_MIXC_COMMANDS_H

#include "tools/driver/Choose.h"
#include "tools/driver/Draw.h"
#include "tools/driver/Gpu.h"
#include "tools/driver/Spec.h"
#include "tools/mixc/CommandLine.h"

namespace mix::mixc {

Command getBenchCommand();
Command getCheckCommand();
Command getCompareCommand();
Command getCompileCommand();
Command getDrawCommand();
Command getExplainCommand();
Command getRunCommand();

// Options that several commands have, and their values.

Option getMixerOption();
Option getSetOption();
/// Loads the file of the command with --mixer and --set.
llvm::Expected<std::unique_ptr<driver::Spec>> loadSpec(const Arguments &arguments);

Option getThreadsOption();
/// 0: all processors.
llvm::Expected<int64_t> parseThreads(const Arguments &arguments);

Option getPackingOption();
/// The cu_seqlens in a file, or one file for each of several token axes.
llvm::Expected<driver::TensorMap> readOffsets(llvm::StringRef text);

Option getTargetOption();
/// The GPU of --target, or null for the CPU. Errors: no such target or device; `wanted` is a form
/// that no GPU runs.
llvm::Expected<std::unique_ptr<driver::Gpu>> openTarget(const Arguments &arguments,
                                                        driver::FormChoice wanted);
/// For a GPU, or for the CPU if it is null.
driver::KernelOptions makeKernelOptions(const driver::Gpu *gpu, driver::TensorTypes types);

Option getTypeOption();
/// The element type of --dtype, else the default.
llvm::Expected<driver::ElementType>
parseType(const Arguments &arguments, driver::ElementType otherwise = driver::ElementType::F32);

Option getStateTypeOption();
/// The types of tensors: --dtype, and --state-dtype. Error: a state of 16 bits in float64.
llvm::Expected<driver::TensorTypes> parseTypes(const Arguments &arguments,
                                               driver::ElementType otherwise);

Option getShapeOption();
/// Batch, heads and the sizes of all axes; with --cu-seqlens of a packed call. Errors: not
/// an axis; an axis without size.
llvm::Expected<driver::CallShape> parseShape(const Arguments &arguments,
                                             const driver::Signature &signature);

Option getRangeOption();
/// The inputs that the user draws from a range.
llvm::Expected<llvm::StringMap<driver::Distribution>>
parseRanges(const Arguments &arguments, const driver::Signature &signature);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_COMMANDS_H
