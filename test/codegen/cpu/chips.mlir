// What is emitted follows the row of the chip table, also for machines that are not here.
//
// RUN: mix-opt %s --mix-cpu-pipeline=chip=x86-64-v4 | FileCheck %s --check-prefix=V4
// RUN: mix-opt %s --mix-cpu-pipeline=chip=x86-64-v3 | FileCheck %s --check-prefix=V3
// RUN: mix-opt %s --mix-cpu-pipeline=chip=x86-64-v2 | FileCheck %s --check-prefix=V2
// RUN: mix-opt %s --mix-cpu-pipeline=chip=aarch64 | FileCheck %s --check-prefix=ARM
//
// 8 x 2 accumulators of 16 lanes: 16 fused multiply-adds per step of the reduction.
// V4-COUNT-16: llvm.intr.fmuladd({{.*}}) : (vector<16xf32>, vector<16xf32>, vector<16xf32>)
// V4-NOT: llvm.intr.fmuladd
//
// 4 x 3 of 8 lanes, and 4 x 2 for the rest of the columns.
// V3-COUNT-20: llvm.intr.fmuladd({{.*}}) : (vector<8xf32>, vector<8xf32>, vector<8xf32>)
// V3-NOT: llvm.intr.fmuladd
//
// No fused operation.
// V2-NOT: llvm.intr.fmuladd
// V2: llvm.fmul {{.*}} : vector<4xf32>
// V2-NEXT: llvm.fadd {{.*}} : vector<4xf32>
//
// ARM: llvm.intr.fmuladd({{.*}}) : (vector<4xf32>, vector<4xf32>, vector<4xf32>)

func.func @product_0(
    %a: memref<32x16xf32, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["M", "K"]},
    %b: memref<16x64xf32, strided<[?, 1]>> {mix.name = "b", mix.kind = "input", mix.axes = ["K", "N"]},
    %o: memref<32x64xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["M", "N"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "product", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<32x64xf32>
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<32x16xf32, strided<[?, 1]>> -> tensor<32x16xf32>
    %bt = tile.load %b[%c0, %c0] : memref<16x64xf32, strided<[?, 1]>> -> tensor<16x64xf32>
    %ot = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%at, %bt : tensor<32x16xf32>, tensor<16x64xf32>) outs(%zero : tensor<32x64xf32>) -> tensor<32x64xf32>
    tile.store %ot, %o[%c0, %c0] : tensor<32x64xf32>, memref<32x64xf32, strided<[?, 1]>>
  }
  return
}
