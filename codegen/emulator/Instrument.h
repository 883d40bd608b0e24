//===- Instrument.h - Calls of the emulator in kernels ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_INSTRUMENT_H
#define MIXWRIGHT_CODEGEN_EMULATOR_INSTRUMENT_H

#include "codegen/emulator/Retarget.h"

namespace mix::emu {

/// Replaces the operations of a module by calls of the emulator's hooks, and announces its
/// accesses to memory. Fills in the sites and the granule. What the emulator does not know
/// is an error that names all of it.
llvm::Error instrument(HostModule &module);

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_INSTRUMENT_H
