// Threads wait for each other where one needs what another wrote, and nowhere else.
//
// RUN: mix-opt %s --mix-gpu-emit=chip=sm_80 | FileCheck %s
// RUN: mix-opt %s --mix-gpu-emit=chip=gfx942 | FileCheck %s --check-prefix=AMD

// The sums need what all threads loaded. The second one takes the place of the first tile, which
// others may still read; the first store reads what is there already, the second does not.
//
// CHECK-LABEL: llvm.func @sums_0_sm_80
// CHECK-NOT: barrier
// CHECK: cp.async.wait.all
// CHECK: barrier.cta.sync
// CHECK: arith.addf
// CHECK: barrier.cta.sync
// CHECK: arith.addf
// CHECK-NOT: barrier
// CHECK: llvm.store {{.*}} : f32, !llvm.ptr<1>
// CHECK: barrier.cta.sync
// CHECK: llvm.store {{.*}} : f32, !llvm.ptr<1>
// CHECK-NOT: barrier
// CHECK: llvm.return
//
// AMD: llvm.fence syncscope("workgroup") release
// AMD-NEXT: llvm.call_intrinsic "llvm.amdgcn.s.barrier"
// AMD-NEXT: llvm.fence syncscope("workgroup") acquire
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
func.func @sums_0(%x: memref<32x64xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
                  %y: memref<32x64xf32, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["C", "V"]},
                  %a: memref<32xf32, strided<[1]>> {mix.name = "a", mix.kind = "output", mix.axes = ["C"]},
                  %b: memref<32xf32, strided<[1]>> {mix.name = "b", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "sums", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant dense<0.0> : tensor<32xf32>
    %xt = tile.load %x[%c0, %c0] : memref<32x64xf32, strided<[?, 1]>> -> tensor<32x64xf32>
    %yt = tile.load %y[%c0, %c0] : memref<32x64xf32, strided<[?, 1]>> -> tensor<32x64xf32>
    %xs = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%xt : tensor<32x64xf32>) outs(%zero : tensor<32xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %0 = arith.addf %in, %sum : f32
      linalg.yield %0 : f32
    } -> tensor<32xf32>
    %ys = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%yt : tensor<32x64xf32>) outs(%zero : tensor<32xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %0 = arith.addf %in, %sum : f32
      linalg.yield %0 : f32
    } -> tensor<32xf32>
    tile.store %xs, %a[%c0] : tensor<32xf32>, memref<32xf32, strided<[1]>>
    tile.store %ys, %b[%c0] : tensor<32xf32>, memref<32xf32, strided<[1]>>
  }
  return
}
