//===- Passes.td - From tile programs to LLVM on a GPU -----*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_GPU_PASSES_TD
#define MIXWRIGHT_CODEGEN_GPU_PASSES_TD

include "mlir/Pass/PassBase.td"

class Gpu_ChipPass<string name, string op> : Pass<name, op> {
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_80\"", "row of the table of GPUs to emit for">
  ];
}

def GpuFoldConversions : Pass<"mix-gpu-fold-conversions", "::mlir::func::FuncOp"> {
  let summary = "Convert between 16-bit and wider reals where elements are used";
  let description = [{
    *Ensures*: a tile that was loaded in 16 bits is widened by its users, element by element. It is
    widened by its load if that leaves no use of it in 16 bits, and by an op of its own only
    if there are both kinds of uses. Stores round. A rounding that serves a product only (the flag
    `contract`) is left, as every chip multiplies 16-bit types faster.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mix::tile::TileDialect"];
}

def GpuEmit : Gpu_ChipPass<"mix-gpu-emit", "::mlir::ModuleOp"> {
  let summary = "Emit a kernel for every phase";
  let description = [{
    *Requires*: phases (level L3) whose reals are f32, bf16 and f16.
    *Ensures*: per phase one function of a pointer to `mixwright_device_call` (see
    `mixwright/abi.h`), made of `scf`, `arith`, `math`, `llvm` memory ops and the
    vendor's intrinsics, with the attributes `mix_gpu.shared` (bytes of shared memory),
    `mix_gpu.threads` and `mix_gpu.parameter` (its bytes). Barriers stand exactly where threads may touch bytes that another one wrote,
    or write what another one read, since the last barrier.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def GpuLowerMath : Gpu_ChipPass<"mix-gpu-lower-math", "::mlir::ModuleOp"> {
  let summary = "Expand mathematical functions into instructions";
  let description = [{
    *Ensures*: what the chip has an instruction for is that intrinsic; other functions of f32
    are polynomials. A function that has neither is an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def GpuToLLVM : Pass<"mix-gpu-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert emitted code to the LLVM dialect, in one conversion";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // MIXWRIGHT_CODEGEN_GPU_PASSES_TD
