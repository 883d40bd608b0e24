// Pairs of bf16 along the rows of a tensor are read where they are, if rows are a whole number of
// pairs apart and the tile lies inside; else rows are copied.
//
// RUN: mix-opt %s --mix-cpu-pair-products=chip=avx512-bf16 --mix-cpu-assign-layouts=chip=avx512-bf16 \
// RUN:   --mix-cpu-assign-buffers=chip=avx512-bf16 --mix-cpu-emit=chip=avx512-bf16 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=native --round --tolerance 1e-6 \
// RUN:   --size T=1 --size T=16 --size T=37 | FileCheck %s --check-prefix=NUM
// NUM: 3 passed, 0 failed
//
// CHECK-LABEL: llvm.func internal @gram_0_run
// CHECK:       %[[REST:.*]] = arith.andi %[[STRIDE:.*]], %c1
// CHECK:       %[[EVEN:.*]] = arith.cmpi eq, %[[REST]], %c0
// CHECK:       arith.shrsi %[[STRIDE]], %c1
// CHECK:       scf.if
// CHECK:         llvm.store {{.*}} : vector<16xi16>
// CHECK:       }
// CHECK:       %[[AT:.*]] = arith.select %{{.*}} : !llvm.ptr
// CHECK:       arith.select %{{.*}} : i64

func.func @gram_0(
    %x: memref<?x64xbf16, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<?x64xbf16, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x16xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "J"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "gram", tile.form = "chunked",
                tile.features = 1 : i64, tile.space = "T", tile.rows = 16 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %x, %c0 : memref<?x64xbf16, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %c16 : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %t = arith.muli %tb, %c16 : index
    %xt = tile.load %x[%t, %c0] : memref<?x64xbf16, strided<[?, 1]>> -> tensor<16x64xbf16>
    %yt = tile.load %y[%t, %c0] : memref<?x64xbf16, strided<[?, 1]>> -> tensor<16x64xbf16>
    %e = tensor.empty() : tensor<16x16xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<16x16xf32>) -> tensor<16x16xf32>
    %g = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%xt, %yt : tensor<16x64xbf16>, tensor<16x64xbf16>) outs(%z : tensor<16x16xf32>) -> tensor<16x16xf32>
    tile.store %g, %o[%t, %c0] : tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>
  }
  return
}
