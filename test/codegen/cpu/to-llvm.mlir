// RUN: mix-opt %s -mix-cpu-to-llvm | FileCheck %s

// Everything that kernels are emitted in becomes LLVM dialect in one conversion: loops,
// scalars, affine indices, vectors and masks.
// CHECK-NOT: unrealized_conversion_cast
// CHECK-LABEL: llvm.func @kernel(
// CHECK: llvm.cond_br
// CHECK: llvm.intr.fmuladd
// CHECK: llvm.br
// CHECK: llvm.intr.masked.store
// CHECK: llvm.return
func.func @kernel(%p: !llvm.ptr, %n: index, %s: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (vector<16xf32>) {
    %x = llvm.load %p {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
    %b = vector.broadcast %s : f32 to vector<16xf32>
    %next = vector.fma %b, %x, %acc : vector<16xf32>
    scf.yield %next : vector<16xf32>
  }
  %mask = arith.cmpf ogt, %sum, %zero : vector<16xf32>
  %m = affine.apply affine_map<(d0) -> (d0 ceildiv 16)>(%n)
  %at = arith.index_cast %m : index to i64
  %q = llvm.getelementptr %p[%at] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  llvm.intr.masked.store %sum, %q, %mask {alignment = 4 : i32}
    : vector<16xf32>, vector<16xi1> into !llvm.ptr
  return
}
