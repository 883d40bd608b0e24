//===- Passes.td - From tile programs to LLVM on a CPU -----*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_PASSES_TD
#define MIXWRIGHT_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

class Cpu_ChipPass<string name, string op> : Pass<name, op> {
  let options = [
    Option<"chip", "chip", "std::string", "\"native\"", "row of the chip table to emit for">
  ];
}

def CpuPairProducts : Cpu_ChipPass<"mix-cpu-pair-products", "::mlir::func::FuncOp"> {
  let summary = "Let products of bf16 run two by two, where the chip has the instruction";
  let description = [{
    *Requires*: a phase (level L3).
    *Ensures*: a product of bf16 tiles with an f32 accumulator is a `linalg.generic` with the
    attribute `cpu.pairs` on tiles of pairs (i32, the first of the pair in the lower half): pairs
    of neighbours along a summed axis. Pairs are made by a `linalg.generic` with the attribute
    `cpu.pack` (the axis) right where the tile is made; a tile that is loaded whole along an axis
    of odd size is padded with zeros. On other chips, and where the summed axes are odd, products
    stay as they are.

    ```mlir
    // before
    %s = linalg.contract ... ins(%q, %k : tensor<64x128xbf16>, tensor<64x128xbf16>) outs(%z : tensor<64x64xf32>)
    // after
    %qp = linalg.generic ... ins(%q, %q) {cpu.pack = 1 : i64} -> tensor<64x64xi32>
    %kp = linalg.generic ... ins(%k, %k) {cpu.pack = 1 : i64} -> tensor<64x64xi32>
    %s = linalg.generic ... ins(%qp, %kp) outs(%z) {cpu.pairs} -> tensor<64x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mix::tile::TileDialect"];
}

def CpuFuseConversions : Cpu_ChipPass<"mix-cpu-fuse-conversions", "::mlir::func::FuncOp"> {
  let summary = "Let loads widen and stores round";
  let description = [{
    *Requires*: a phase (level L3).
    *Ensures*: the same phase, in which a tile of a 16-bit type that was only widened after its
    load (rounded before its store) is a tile of the wider type, and operands of products are of
    the type of the accumulator.

    ```mlir
    // before
    %n = tile.load %k[%t, %z] : memref<?x128xbf16> -> tensor<32x128xbf16>
    %x = arith.extf %n : tensor<32x128xbf16> to tensor<32x128xf32>
    // after
    %x = tile.load %k[%t, %z] : memref<?x128xbf16> -> tensor<32x128xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mix::tile::TileDialect"];
}

def CpuAssignLayouts : Cpu_ChipPass<"mix-cpu-assign-layouts", "::mlir::func::FuncOp"> {
  let summary = "Choose which axis of every tile lies along the lanes";
  let description = [{
    *Requires*: a phase (level L3).
    *Ensures*: the same phase in which the last axis of every tile is the one that
    is contiguous in memory. Where two users want different axes there is an
    explicit `linalg.transpose`, next to the definition of what it transposes.
    Minimises an estimate of cycles, in which loops weigh more than what is around them.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CpuFuseReductions : Pass<"mix-cpu-fuse-reductions", "::mlir::func::FuncOp"> {
  let summary = "Reduce and pack elements as they are made";
  let description = [{
    *Requires*: a phase whose tiles have their lanes last.
    *Ensures*: an elementwise `linalg.generic` and reductions of its tile are one op, in which an
    output that varies along reduced loops is one that is written element by element. If only
    pairs of the tile's elements are needed besides, they are what is written.

    ```mlir
    // before
    %p = linalg.generic ["parallel", "parallel"] ins(%s, %m) outs(%e) -> tensor<64x64xf32>
    %l = linalg.generic ["reduction", "parallel"] ins(%p) outs(%zero) -> tensor<64xf32>
    // after
    %p, %l = linalg.generic ["reduction", "parallel"] ins(%s, %m) outs(%e, %zero) -> (...)
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def CpuAssignBuffers : Cpu_ChipPass<"mix-cpu-assign-buffers", "::mlir::func::FuncOp"> {
  let summary = "Give every tile a place in the task's scratch memory";
  let description = [{
    *Requires*: a phase whose tiles have their lanes last.
    *Ensures*: every op with tile results has `cpu.place`, the byte offset of each
    result in scratch (-1: a view, a splat or no tile), every op that works on
    temporary memory has `cpu.temporary`, and the phase has `cpu.scratch`, the bytes in all.
    A loop's results name the place of what it carries. Tiles whose lives
    do not overlap may share memory; a result may take the place of an operand
    only where the op reads every element before it writes it.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CpuEmit : Cpu_ChipPass<"mix-cpu-emit", "::mlir::ModuleOp"> {
  let summary = "Emit vector code for phases, and the constant that describes the kernel";
  let description = [{
    *Requires*: phases with places (`mix-cpu-assign-buffers`).
    *Ensures*: one function per phase with the signature `mixwright_phase_fn` of
    `mixwright/abi.h`, made of `scf`, `arith`, `math`, `vector` and `llvm` memory ops on
    native vectors, and per mixer and form one exported `mixwright_kernel` constant.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"
  ];
}

def CpuLowerMath : Cpu_ChipPass<"mix-cpu-lower-math", "::mlir::ModuleOp"> {
  let summary = "Expand mathematical functions inline, or into calls of the C library";
  let description = [{
    *Ensures*: f32 functions are vector polynomials (relative error about 1e-7); f64
    functions, and what has no polynomial, are calls of the C library lane by lane.
    Functions that LLVM lowers to instructions stay as they are. Conversions from and to 16-bit
    types for which the chip has no instruction are integer arithmetic.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect"
  ];
}

def CpuToLLVM : Pass<"mix-cpu-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Convert emitted code to the LLVM dialect, in one conversion";
  let description = [{
    *Requires*: `scf.for` and `scf.if`, affine indices, and the dialects `arith`, `cf`,
    `func`, `index`, `llvm`, `math`, `ub` and `vector`, on types that LLVM has; anything
    else is an error.
    *Ensures*: nothing but the LLVM dialect.
  }];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

#endif // MIXWRIGHT_CODEGEN_CPU_PASSES_TD
