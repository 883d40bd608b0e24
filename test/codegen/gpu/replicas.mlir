// A product and a sum that are smaller than the layout of the block's threads: several threads have the
// same elements, and all of them read what the first of them overwrites in place.
//
// RUN: mix-evaluate %s --against %s --gpu=sm_80 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %s --against %s --gpu=sm_80 --schedule=3 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %s --against %s --gpu=gfx942 --schedule=reversed --tolerance 1e-5 | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#left = affine_map<(m, n, k) -> (m, k)>
#right = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
#element = affine_map<(m, n) -> (m, n)>
func.func @update_0(
    %a: memref<5x16xf32, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["M", "K"]},
    %b: memref<16x7xf32, strided<[?, 1]>> {mix.name = "b", mix.kind = "input", mix.axes = ["K", "N"]},
    %c: memref<5x7xf32, strided<[?, 1]>> {mix.name = "c", mix.kind = "input", mix.axes = ["M", "N"]},
    %o: memref<35xf32, strided<[1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["L"]},
    %p: memref<35xf32, strided<[1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["L"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "update", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<5x16xf32, strided<[?, 1]>> -> tensor<5x16xf32>
    %bt = tile.load %b[%c0, %c0] : memref<16x7xf32, strided<[?, 1]>> -> tensor<16x7xf32>
    %ct = tile.load %c[%c0, %c0] : memref<5x7xf32, strided<[?, 1]>> -> tensor<5x7xf32>
    // In place of what was loaded.
    %sum = linalg.contract indexing_maps = [#left, #right, #out]
        ins(%at, %bt : tensor<5x16xf32>, tensor<16x7xf32>) outs(%ct : tensor<5x7xf32>) -> tensor<5x7xf32>
    %flat = tensor.collapse_shape %sum [[0, 1]] : tensor<5x7xf32> into tensor<35xf32>
    tile.store %flat, %o[%c0] : tensor<35xf32>, memref<35xf32, strided<[1]>>

    // Elementwise, with a product in registers and the place of another tile for the result.
    %dt = tile.load %c[%c0, %c0] : memref<5x7xf32, strided<[?, 1]>> -> tensor<5x7xf32>
    %empty = tensor.empty() : tensor<5x7xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<5x7xf32>) -> tensor<5x7xf32>
    %product = linalg.contract indexing_maps = [#left, #right, #out]
        ins(%at, %bt : tensor<5x16xf32>, tensor<16x7xf32>) outs(%zeros : tensor<5x7xf32>) -> tensor<5x7xf32>
    %scaled = linalg.generic {indexing_maps = [#element, #element, #element], iterator_types = ["parallel", "parallel"]}
        ins(%product, %dt : tensor<5x7xf32>, tensor<5x7xf32>) outs(%empty : tensor<5x7xf32>) {
    ^bb0(%x: f32, %y: f32, %old: f32):
      %r = arith.mulf %x, %y : f32
      linalg.yield %r : f32
    } -> tensor<5x7xf32>
    %flat2 = tensor.collapse_shape %scaled [[0, 1]] : tensor<5x7xf32> into tensor<35xf32>
    tile.store %flat2, %p[%c0] : tensor<35xf32>, memref<35xf32, strided<[1]>>
  }
  return
}
