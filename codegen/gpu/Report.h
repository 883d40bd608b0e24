//===- Report.h - What a GPU would make of phases ---------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_REPORT_H
#define MIXWRIGHT_CODEGEN_GPU_REPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mix::gpu {

/// The products of a phase that run on one instruction.
struct ProductReport {
  std::string instruction; ///< "mma.sync m16n8k16 on bf16"
  int64_t count = 0;
  int64_t rounded = 0; ///< Those with a factor that was computed, and rounded to 16 bits for this.
};

struct PhaseReport {
  std::string name;
  int64_t threads = 0;     ///< Of a block.
  int64_t sharedBytes = 0; ///< Shared memory (AMD: LDS) of a block.
  /// Registers of a thread that hold what a loop hands from round to round, of the loop with most.
  int64_t carriedRegisters = 0;
  std::vector<ProductReport> products;
  /// A round of the loop with the most arithmetic in products: bytes of the caller's tensors and of
  /// workspaces that its tiles have, and the operations of its products. 0: there is no such loop.
  int64_t roundBytes = 0, roundFlops = 0;
};

/// What kernels of the chip (a row of codegen/GpuChips.h) would be, phase by phase, in order. The
/// module stays as it is.
llvm::Expected<std::vector<PhaseReport>> report(mlir::ModuleOp phases, llvm::StringRef chip);

} // namespace mix::gpu

#endif // MIXWRIGHT_CODEGEN_GPU_REPORT_H
