// Loads widen and stores round; what a chip has no product of is multiplied in the type of the sum.
//
// RUN: mix-opt %s --mix-cpu-fuse-conversions | FileCheck %s

#row = affine_map<(i, j, d) -> (i, d)>
#column = affine_map<(i, j, d) -> (j, d)>
#pair = affine_map<(i, j, d) -> (i, j)>

// CHECK-LABEL: func.func @gram_0
// CHECK: %[[X:.*]] = tile.load %{{.*}} : memref<?x8xbf16, {{.*}}> -> tensor<4x8xf32>
// CHECK: %[[G:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[X]] : tensor<4x8xf32>, tensor<4x8xf32>)
// CHECK: tile.store %[[G]], %{{.*}} : tensor<4x4xf32>, memref<4x4xf16
// CHECK-NOT: arith.extf
// CHECK-NOT: arith.truncf
func.func @gram_0(
    %x: memref<?x8xbf16, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<4x4xf16, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["A", "B"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "gram", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<4x4xf32>
  scf.forall (%fb, %tb) in (1, 1) {
    %tile = tile.load %x[%c0, %c0] : memref<?x8xbf16, strided<[?, 1]>> -> tensor<4x8xbf16>
    %gram = linalg.contract indexing_maps = [#row, #column, #pair]
      ins(%tile, %tile : tensor<4x8xbf16>, tensor<4x8xbf16>) outs(%zero : tensor<4x4xf32>) -> tensor<4x4xf32>
    %half = arith.truncf %gram : tensor<4x4xf32> to tensor<4x4xf16>
    tile.store %half, %o[%c0, %c0] : tensor<4x4xf16>, memref<4x4xf16, strided<[?, 1]>>
  }
  return
}

// A tile that is used in both types is loaded in both.
//
// CHECK-LABEL: func.func @both_0
// CHECK-DAG: tile.load %{{.*}} -> tensor<8xf32>
// CHECK-DAG: tile.load %{{.*}} -> tensor<8xbf16>
func.func @both_0(
    %x: memref<8xbf16, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["K"]},
    %o: memref<8xf32, strided<[1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["K"]},
    %y: memref<8xbf16, strided<[1]>> {mix.name = "y", mix.kind = "output", mix.axes = ["K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "both", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = []} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %tile = tile.load %x[%c0] : memref<8xbf16, strided<[1]>> -> tensor<8xbf16>
    %wide = arith.extf %tile : tensor<8xbf16> to tensor<8xf32>
    tile.store %wide, %o[%c0] : tensor<8xf32>, memref<8xf32, strided<[1]>>
    tile.store %tile, %y[%c0] : tensor<8xbf16>, memref<8xbf16, strided<[1]>>
  }
  return
}
