// A round of a loop starts the copies of the next one before it works on its own tiles.
//
// RUN: mix-opt %s --convert-elementwise-to-linalg --mix-gpu-emit=chip=sm_80 | FileCheck %s
// RUN: mix-opt %s --convert-elementwise-to-linalg --mix-gpu-emit=chip=gfx942 | FileCheck %s --check-prefix=AMD
// RUN: mix-evaluate %s --against %s --gpu=sm_80 --row-gap=4 --schedule=reversed --tolerance 1e-5 --size T=0 --size T=31 --size T=100 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %s --against %s --gpu=sm_90 --row-gap=5 --schedule=2 --tolerance 1e-5 --size T=65 | FileCheck %s --check-prefix=NUM
// NUM: 0 failed
//
// The first tiles are there before the loop. In it, nothing waits for copies but its end.
//
// CHECK-LABEL: llvm.func @gram_0_sm_80
// CHECK: cp.async.cg.shared.global.16
// CHECK: cp.async.wait.all
// CHECK-NEXT: llvm.mlir.constant
// CHECK-NEXT: barrier.cta.sync
// CHECK: scf.for {{.*}}%[[WHICH:[a-z0-9]+]] = %c0_i32{{.*}} -> ({{.*}}, i32)
// CHECK: %[[OTHER:.*]] = arith.subi %c1_i32{{.*}}, %[[WHICH]] : i32
// CHECK: %[[ISROUND:.*]] = arith.cmpi slt
// CHECK: scf.if %[[ISROUND]]
// CHECK: cp.async.cg.shared.global.16
// CHECK-NOT: cp.async.wait.all
// CHECK: nvvm.mma
// CHECK: cp.async.wait.all
// CHECK-NEXT: llvm.mlir.constant
// CHECK-NEXT: barrier.cta.sync
// CHECK-NEXT: scf.yield {{.*}}%[[OTHER]] :
//
// A tensor that the phase writes is read when its turn comes.
//
// CHECK-LABEL: llvm.func @written_0_sm_80
// CHECK: scf.for %{{[^ ]+}} = %c1 to %{{[^ ]+}} step %c1{{(_[0-9]+)?}} {
// CHECK: cp.async.cg.shared.global.16
//
// AMD-LABEL: llvm.func @gram_0_gfx942
// AMD-NOT: ptr<3>, vector<4xf32>
// AMD: scf.for

#ki = affine_map<(i, j, k) -> (k, i)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>

func.func @gram_0(
    %x: memref<?x64xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<?x48xf32, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["T", "V"]},
    %s: memref<64x48xf32, strided<[?, 1]>> {mix.name = "s", mix.kind = "output", mix.axes = ["K", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "gram", tile.form = "chunked", tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %n = memref.dim %x, %c0 : memref<?x64xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant dense<0.0> : tensor<64x48xf32>
    %sum = scf.for %t = %c0 to %n step %c32 iter_args(%acc = %zero) -> tensor<64x48xf32> {
      %xt = tile.load %x[%t, %c0] : memref<?x64xf32, strided<[?, 1]>> -> tensor<32x64xf32>
      %yt = tile.load %y[%t, %c0] : memref<?x48xf32, strided<[?, 1]>> -> tensor<32x48xf32>
      %next = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%xt, %yt : tensor<32x64xf32>, tensor<32x48xf32>)
          outs(%acc : tensor<64x48xf32>) -> tensor<64x48xf32>
      scf.yield %next : tensor<64x48xf32>
    }
    tile.store %sum, %s[%c0, %c0] : tensor<64x48xf32>, memref<64x48xf32, strided<[?, 1]>>
  }
  return
}

// Every row is the sum of the input and the row of the output before.
func.func @written_0(
    %x: memref<?x64xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x64xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "written", tile.form = "chunked", tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?x64xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %first = tile.load %x[%c0, %c0] : memref<?x64xf32, strided<[?, 1]>> -> tensor<1x64xf32>
    tile.store %first, %o[%c0, %c0] : tensor<1x64xf32>, memref<?x64xf32, strided<[?, 1]>>
    scf.for %t = %c1 to %n step %c1 {
      %before = arith.subi %t, %c1 : index
      %old = tile.load %o[%before, %c0] : memref<?x64xf32, strided<[?, 1]>> -> tensor<1x64xf32>
      %twice = arith.addf %old, %old : tensor<1x64xf32>
      tile.store %twice, %o[%t, %c0] : tensor<1x64xf32>, memref<?x64xf32, strided<[?, 1]>>
    }
  }
  return
}
