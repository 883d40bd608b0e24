//===- InlineAssembly.h - PTX within LLVM IR --------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_INLINEASSEMBLY_H
#define MIXWRIGHT_CODEGEN_EMULATOR_INLINEASSEMBLY_H

#include "codegen/emulator/Operations.h"

namespace mix::emu {

/// An operation that inline assembly stands for.
struct AssemblyOperation {
  Operation operation;
  std::string name; ///< The instruction.
  /// The operation's arguments, as numbers of the assembly's inputs.
  std::vector<unsigned> arguments;
  int predicate = -1; ///< The input that says whether it is executed at all, or -1.
};

/// Reads the inline PTX that MLIR's NVVM dialect writes: one instruction, possibly under a
/// predicate, with the set-up of its predicates around it; or a loop around one `try_wait`.
/// `numOutputs`: how many operands ($0, $1, ...) are outputs.
std::optional<AssemblyOperation> readAssembly(std::string_view text, unsigned numOutputs);

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_INLINEASSEMBLY_H
