// A state decays and is updated by a product: the micro-kernel scales the accumulators as it
// loads them, and there is no pass over the state before it, whatever is loaded in between.
//
// RUN: mix-opt %s --mix-cpu-assign-layouts=chip=x86-64-v4 --mix-cpu-assign-buffers=chip=x86-64-v4 \
// RUN:   --mix-cpu-emit=chip=x86-64-v4 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=native --range x=-0.1:0.1 --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=8 --size T=13 | FileCheck %s --check-prefix=NUM
//
// NUM: 8 passed, 0 failed
//
// CHECK-LABEL: llvm.func internal @fused_0_run
// CHECK:       arith.mulf {{.*}} : vector<16xf32>
// CHECK-NOT:   llvm.store
// CHECK:       scf.for {{.*}} iter_args
// CHECK:       vector.fma
//
// Not so if something else needs the decayed state too.
//
// CHECK-LABEL: llvm.func internal @kept_0_run
// CHECK:       arith.mulf {{.*}} : vector<16xf32>
// CHECK:       llvm.store
// CHECK:       vector.fma

func.func @fused_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %S_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "fused", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<35x35xf32>
    %S_end = scf.for %t = %c0 to %tokens step %c8 iter_args(%S = %S0) -> tensor<35x35xf32> {
      %e = tensor.empty() : tensor<35x35xf32>
      %D = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%S : tensor<35x35xf32>) outs(%e : tensor<35x35xf32>) {
        ^bb0(%s: f32, %w: f32):
          %d = arith.mulf %s, %half : f32
          linalg.yield %d : f32
      } -> tensor<35x35xf32>
      %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
      %next = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%D : tensor<35x35xf32>) -> tensor<35x35xf32>
      scf.yield %next : tensor<35x35xf32>
    }
    tile.store %S_end, %S_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
  }
  return
}

func.func @kept_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %S_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "K"]},
    %D_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "D", mix.kind = "output", mix.axes = ["K", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "kept", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<35x35xf32>
    %S_end, %D_end = scf.for %t = %c0 to %tokens step %c8 iter_args(%S = %S0, %old = %S0) -> (tensor<35x35xf32>, tensor<35x35xf32>) {
      %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
      %e = tensor.empty() : tensor<35x35xf32>
      %D = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%S : tensor<35x35xf32>) outs(%e : tensor<35x35xf32>) {
        ^bb0(%s: f32, %w: f32):
          %d = arith.mulf %s, %half : f32
          linalg.yield %d : f32
      } -> tensor<35x35xf32>
      %next = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%D : tensor<35x35xf32>) -> tensor<35x35xf32>
      scf.yield %next, %D : tensor<35x35xf32>, tensor<35x35xf32>
    }
    tile.store %S_end, %S_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
    tile.store %D_end, %D_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
  }
  return
}
