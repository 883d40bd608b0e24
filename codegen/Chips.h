//===- Chips.h - The table of CPU instruction sets --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chip is a row of this table. Code generation asks the row and nothing else
// about the machine that it emits for.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CHIPS_H
#define MIXWRIGHT_CODEGEN_CHIPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mix {

/// The accumulators of a product micro-kernel: `rows` x `vectors` registers.
struct RegisterTile {
  int64_t rows;
  int64_t vectors;
};

struct Chip {
  std::string name;     ///< What users write and what kernels are labelled with.
  std::string triple;   ///< LLVM target triple.
  std::string cpu;      ///< LLVM's name of the processor.
  std::string features; ///< LLVM's feature string, e.g. "+avx2,+fma".
  uint64_t needs;       ///< `mixwright_kernel.needs` of code for it: follows from the above.
  int64_t vectorBytes;  ///< Width of a native vector register.
  RegisterTile tile;    ///< For products of two matrices.
  RegisterTile rowTile; ///< For products with one row.
  bool fusesMultiplyAdd;
  bool scalesExponents; ///< Of f32 vectors x 2^floor(y) and y - floor(y) are instructions.
  bool convertsHalves;  ///< Conversions between f16 and f32 are instructions.
  bool multipliesPairs; ///< So is adding the products of two pairs of bf16 to f32 lanes.

  /// Elements of a type of `elementBytes` in one vector.
  int64_t getLanes(int64_t elementBytes) const { return vectorBytes / elementBytes; }
};

/// All rows, best first within one architecture.
llvm::ArrayRef<Chip> getChips();

/// The row of that name. "native" is the best row that this machine runs, with
/// the processor's own name and features, so that LLVM schedules for it.
/// An unknown name is an error that lists the known ones.
llvm::Expected<Chip> findChip(llvm::StringRef name);

/// Whether code for a row runs on this machine.
bool runsOnHost(const Chip &chip);

/// The row of that name, which must be one that runs on this machine.
llvm::Expected<Chip> findHostChip(llvm::StringRef name);

/// The bits of `mixwright_kernel.needs` that code for a processor has, by LLVM's names
/// of its architecture, model and features.
uint64_t getNeeds(llvm::StringRef triple, llvm::StringRef cpu, llvm::StringRef features);

} // namespace mix

#endif // MIXWRIGHT_CODEGEN_CHIPS_H
