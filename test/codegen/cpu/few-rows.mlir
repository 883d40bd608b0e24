// A token meets a state: two rows times a matrix, then an update of the matrix in place. Both are
// bound by the memory of the matrix, so its rows are walked in one piece: all vectors of a row at
// once, and what is the same for a whole row is read once.
//
// RUN: mix-opt %s --mix-cpu-assign-layouts=chip=x86-64-v4 --mix-cpu-assign-buffers=chip=x86-64-v4 \
// RUN:   --mix-cpu-emit=chip=x86-64-v4 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=native --tolerance 1e-5 --size T=0 --size T=1 --size T=5 \
// RUN:   | FileCheck %s --check-prefix=NUM
//
// NUM: 3 passed, 0 failed
//
// Two rows of eight accumulators: one loop over the 128 rows of the matrix.
//
// CHECK-LABEL: llvm.func internal @token_0_run
// CHECK:       scf.for {{.*}} iter_args
// CHECK-COUNT-16: vector.fma
// CHECK-NOT:   vector.fma
//
// The update: a scalar per row, then eight vectors without a loop.
//
// CHECK:       scf.for
// CHECK:         llvm.load {{.*}} -> f32
// CHECK-NOT:     scf.for
// CHECK-COUNT-8: arith.addf {{.*}} : vector<16xf32>
// CHECK-NOT:     arith.addf

func.func @token_0(
    %x: memref<?x128xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x128xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "K"]},
    %S_in: memref<128x128xf32, strided<[?, 1]>> {mix.name = "W", mix.kind = "input", mix.axes = ["K", "K"]},
    %S_out: memref<128x128xf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "token", tile.form = "recurrent",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %tokens = memref.dim %x, %c0 : memref<?x128xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tile.load %S_in[%c0, %c0] : memref<128x128xf32, strided<[?, 1]>> -> tensor<128x128xf32>
    %S_end = scf.for %t = %c0 to %tokens step %c2 iter_args(%S = %S0) -> tensor<128x128xf32> {
      %xt = tile.load %x[%t, %c0] : memref<?x128xf32, strided<[?, 1]>> -> tensor<2x128xf32>
      %z = tensor.splat %zero : tensor<2x128xf32>
      %found = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %S : tensor<2x128xf32>, tensor<128x128xf32>) outs(%z : tensor<2x128xf32>) -> tensor<2x128xf32>
      tile.store %found, %o[%t, %c0] : tensor<2x128xf32>, memref<?x128xf32, strided<[?, 1]>>
      %l = tensor.extract_slice %xt[0, 0] [1, 128] [1, 1] : tensor<2x128xf32> to tensor<128xf32>
      %r = tensor.extract_slice %found[1, 0] [1, 128] [1, 1] : tensor<2x128xf32> to tensor<128xf32>
      %e = tensor.empty() : tensor<128x128xf32>
      %next = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                              iterator_types = ["parallel", "parallel"]}
          ins(%S, %l, %r : tensor<128x128xf32>, tensor<128xf32>, tensor<128xf32>) outs(%e : tensor<128x128xf32>) {
        ^bb0(%s: f32, %left: f32, %right: f32, %out: f32):
          %kept = arith.mulf %s, %half : f32
          %p = arith.mulf %left, %right : f32
          %q = arith.mulf %p, %half : f32
          %sum = arith.addf %kept, %q : f32
          linalg.yield %sum : f32
      } -> tensor<128x128xf32>
      scf.yield %next : tensor<128x128xf32>
    }
    tile.store %S_end, %S_out[%c0, %c0] : tensor<128x128xf32>, memref<128x128xf32, strided<[?, 1]>>
  }
  return
}
