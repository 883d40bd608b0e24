// What is made element by element is reduced, and rounded to pairs, while it is in a register.
//
// RUN: mix-opt %s --convert-elementwise-to-linalg --mix-cpu-fuse-reductions | FileCheck %s
// RUN: mix-opt %s --mix-cpu-pair-products=chip=avx512-bf16 --convert-elementwise-to-linalg \
// RUN:   --mix-cpu-fuse-reductions | FileCheck %s --check-prefix=PAIRS
// RUN: mix-evaluate %s --against %s --cpu=native --round --tolerance 1e-2 \
// RUN:   --size T=5 --size T=24 --size T=40 | FileCheck %s --check-prefix=NUM
// NUM: 6 passed, 0 failed

#row = affine_map<(i, j, d) -> (i, d)>
#column = affine_map<(i, j, d) -> (d, j)>
#pair = affine_map<(i, j, d) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>
#per_row = affine_map<(i, j) -> (i)>
#per_column = affine_map<(i, j) -> (j)>

// The weights are summed along both axes: one op can do only one of them, since the elements of
// the other sum would have to be carried across it. The product reads the weights.
//
// CHECK-LABEL: func.func @weights_0
// CHECK: %[[W:.*]]:2 = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]
// CHECK-SAME: outs(%{{.*}}, %{{.*}} : tensor<24x16xf32>, tensor<16xf32>)
// CHECK: math.exp
// CHECK: linalg.yield %{{.*}}, %{{.*}} : f32, f32
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]{{.*}} ins(%[[W]]#0
// CHECK: linalg.contract {{.*}} ins(%{{.*}}, %{{.*}} : tensor<24x16xbf16>

// Pairs are made of the tile, since the other sum needs the tile too.
//
// PAIRS-LABEL: func.func @weights_0
// PAIRS: outs(%{{.*}}, %{{.*}} : tensor<24x16xf32>, tensor<16xf32>)
// PAIRS: cpu.pack = 1
func.func @weights_0(
    %x: memref<?x16xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<16x16xbf16, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["K", "V"]},
    %o: memref<?x16xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]},
    %r: memref<?xf32, strided<[1]>> {mix.name = "r", mix.kind = "output", mix.axes = ["T"]},
    %c: memref<16xf32, strided<[1]>> {mix.name = "c", mix.kind = "output", mix.axes = ["K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "weights", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %zeros = tensor.splat %zero : tensor<24x16xf32>
  %rows = tensor.splat %zero : tensor<24xf32>
  %columns = tensor.splat %zero : tensor<16xf32>
  scf.forall (%fb, %tb) in (1, 1) {
    %tile = tile.load %x[%c0, %c0] : memref<?x16xf32, strided<[?, 1]>> -> tensor<24x16xf32>
    %values = tile.load %v[%c0, %c0] : memref<16x16xbf16, strided<[?, 1]>> -> tensor<16x16xbf16>
    %empty = tensor.empty() : tensor<24x16xf32>
    %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%tile : tensor<24x16xf32>) outs(%empty : tensor<24x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %e = math.exp %in : f32
      linalg.yield %e : f32
    } -> tensor<24x16xf32>
    %row_sums = linalg.generic {indexing_maps = [#id, #per_row], iterator_types = ["parallel", "reduction"]}
        ins(%w : tensor<24x16xf32>) outs(%rows : tensor<24xf32>) {
    ^bb0(%in: f32, %out: f32):
      %s = arith.addf %out, %in : f32
      linalg.yield %s : f32
    } -> tensor<24xf32>
    %column_sums = linalg.generic {indexing_maps = [#id, #per_column], iterator_types = ["reduction", "parallel"]}
        ins(%w : tensor<24x16xf32>) outs(%columns : tensor<16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %s = arith.addf %out, %in : f32
      linalg.yield %s : f32
    } -> tensor<16xf32>
    %rounded = arith.truncf %w : tensor<24x16xf32> to tensor<24x16xbf16>
    %y = linalg.contract indexing_maps = [#row, #column, #pair]
      ins(%rounded, %values : tensor<24x16xbf16>, tensor<16x16xbf16>) outs(%zeros : tensor<24x16xf32>) -> tensor<24x16xf32>
    tile.store %y, %o[%c0, %c0] : tensor<24x16xf32>, memref<?x16xf32, strided<[?, 1]>>
    tile.store %row_sums, %r[%c0] : tensor<24xf32>, memref<?xf32, strided<[1]>>
    tile.store %column_sums, %c[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  }
  return
}

// Only pairs of the weights are needed, and sums of the weights along the pairs.
//
// PAIRS-LABEL: func.func @pairs_0
// PAIRS: %[[P:.*]]:2 = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]
// PAIRS-SAME: outs(%{{.*}}, %{{.*}} : tensor<8x16xi32>, tensor<16xf32>)
// PAIRS-COUNT-2: math.exp
// PAIRS: linalg.generic {{.*}} ins(%[[P]]#0, {{.*}}cpu.pairs
func.func @pairs_0(
    %x: memref<?x16xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?x16xbf16, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %o: memref<16x16xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["K", "V"]},
    %c: memref<16xf32, strided<[1]>> {mix.name = "c", mix.kind = "output", mix.axes = ["K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "pairs", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %zeros = tensor.splat %zero : tensor<16x16xf32>
  %columns = tensor.splat %zero : tensor<16xf32>
  scf.forall (%fb, %tb) in (1, 1) {
    %tile = tile.load %x[%c0, %c0] : memref<?x16xf32, strided<[?, 1]>> -> tensor<16x16xf32>
    %values = tile.load %v[%c0, %c0] : memref<?x16xbf16, strided<[?, 1]>> -> tensor<16x16xbf16>
    %empty = tensor.empty() : tensor<16x16xf32>
    %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%tile : tensor<16x16xf32>) outs(%empty : tensor<16x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %e = math.exp %in : f32
      linalg.yield %e : f32
    } -> tensor<16x16xf32>
    %rounded = arith.truncf %w : tensor<16x16xf32> to tensor<16x16xbf16>
    %sums = linalg.generic {indexing_maps = [#id, #per_column], iterator_types = ["reduction", "parallel"]}
        ins(%w : tensor<16x16xf32>) outs(%columns : tensor<16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %s = arith.addf %out, %in : f32
      linalg.yield %s : f32
    } -> tensor<16xf32>
    %y = linalg.contract indexing_maps = [affine_map<(i, j, d) -> (d, i)>, #column, #pair]
      ins(%rounded, %values : tensor<16x16xbf16>, tensor<16x16xbf16>) outs(%zeros : tensor<16x16xf32>) -> tensor<16x16xf32>
    tile.store %y, %o[%c0, %c0] : tensor<16x16xf32>, memref<16x16xf32, strided<[?, 1]>>
    tile.store %sums, %c[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  }
  return
}
