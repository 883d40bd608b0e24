// A loop over tokens asks for memory ahead of time, here rows of 128 elements, which are 8 cache
// lines, 16 rows at a time.
//
// RUN: mix-opt %s --mix-cpu-assign-layouts=chip=x86-64-v4 --mix-cpu-assign-buffers=chip=x86-64-v4 \
// RUN:   --mix-cpu-emit=chip=x86-64-v4 | FileCheck %s
//
// Before the loop, a task asks for what the first iteration loads, if rows lie apart.
//
// CHECK-LABEL: llvm.func internal @linear_0_run
// CHECK:       %[[APART:.*]] = arith.cmpi sgt, %{{.*}}, %c128_i64
// CHECK:       scf.if %[[APART]] {
// CHECK:         "llvm.intr.prefetch"
// CHECK:       scf.if
// CHECK:         "llvm.intr.prefetch"
//
// An iteration begins with the first line of every row that it stores, for writing. Every load
// asks for the first line of every row that the next iteration loads; a row of `a` is one element.
//
// CHECK:       scf.for {{.*}} step %c16 {
// CHECK:         scf.for
// CHECK-NOT:       scf.for
// CHECK:           "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 1 : i32
// CHECK-COUNT-3: "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 0 : i32
//
// A block of the first product asks for all lines of two rows of each tensor; what the iteration
// itself needs comes first.
//
// CHECK-COUNT-16: "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 1 : i32
// CHECK-COUNT-32: "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 0 : i32
// CHECK-NOT:      llvm.intr.prefetch
// CHECK:          vector.fma

func.func @linear_0(
    %x: memref<?x128xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?x128xf32, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %a: memref<?xf32, strided<[?]>> {mix.name = "a", mix.kind = "input", mix.axes = ["T"]},
    %o: memref<?x128xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "linear", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %x, %c0 : memref<?x128xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<128x128xf32>
    %S_end = scf.for %t = %c0 to %tokens step %c16 iter_args(%S = %S0) -> tensor<128x128xf32> {
      %xt = tile.load %x[%t, %c0] : memref<?x128xf32, strided<[?, 1]>> -> tensor<16x128xf32>
      %vt = tile.load %v[%t, %c0] : memref<?x128xf32, strided<[?, 1]>> -> tensor<16x128xf32>
      %at = tile.load %a[%t] : memref<?xf32, strided<[?]>> -> tensor<16xf32>
      %rows = tensor.empty() : tensor<16x128xf32>
      %scaled = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%vt, %at : tensor<16x128xf32>, tensor<16xf32>) outs(%rows : tensor<16x128xf32>) {
        ^bb0(%e: f32, %f: f32, %w: f32):
          %p = arith.mulf %e, %f : f32
          linalg.yield %p : f32
      } -> tensor<16x128xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%rows : tensor<16x128xf32>) -> tensor<16x128xf32>
      %y = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %S : tensor<16x128xf32>, tensor<128x128xf32>) outs(%zeros : tensor<16x128xf32>) -> tensor<16x128xf32>
      tile.store %y, %o[%t, %c0] : tensor<16x128xf32>, memref<?x128xf32, strided<[?, 1]>>
      %next = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %scaled : tensor<16x128xf32>, tensor<16x128xf32>) outs(%S : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %next : tensor<128x128xf32>
    }
  }
  return
}
