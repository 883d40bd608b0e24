// Products leave out what `tile.band` says is of no importance.
//
// RUN: mix-opt %s --mix-cpu-assign-buffers=chip=x86-64-v3 --mix-cpu-emit=chip=x86-64-v3 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=x86-64-v3 --tolerance 1e-5 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %s --against %s --cpu=native --tolerance 1e-5 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %s --against %s --cpu=x86-64-v2 --tolerance 1e-5 | FileCheck %s --check-prefix=NUM
//
// NUM: 1 passed, 0 failed
//
// A lower triangular matrix p = x y^T, then o = p v. Of the first product, blocks of accumulators
// above the diagonal are zeros; the sums of the second end at the diagonal.
//
// CHECK-LABEL: llvm.func internal @triangle_0_run
// CHECK: scf.if
// CHECK:   vector.fma
// CHECK: else
// CHECK-NOT: vector.fma
// CHECK: llvm.store
//
// CHECK: %[[FIRST:.*]] = arith.maxsi %c0_i64
// CHECK: %[[END:.*]] = arith.minsi %c32_i64
// CHECK: scf.for %{{.*}} = %[[FIRST]] to %[[END]]
// CHECK:   vector.fma

#x = affine_map<(i, j, d) -> (i, d)>
#p = affine_map<(i, j, d) -> (i, j)>
#a = affine_map<(i, v, j) -> (i, j)>
#b = affine_map<(i, v, j) -> (j, v)>
#o = affine_map<(i, v, j) -> (i, v)>
#ij = affine_map<(i, j) -> (i, j)>

func.func @triangle_0(
    %x: memref<32x24xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["I", "D"]},
    %y: memref<24x32xf32, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["D", "J"]},
    %v: memref<32x24xf32, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["J", "V"]},
    %o: memref<32x24xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["I", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "triangle", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %c24 = arith.constant 24 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<32x24xf32, strided<[?, 1]>> -> tensor<32x24xf32>
    %yt = tile.load %y[%c0, %c0] : memref<24x32xf32, strided<[?, 1]>> -> tensor<24x32xf32>
    %vt = tile.load %v[%c0, %c0] : memref<32x24xf32, strided<[?, 1]>> -> tensor<32x24xf32>
    %square = tensor.empty() : tensor<32x32xf32>
    %none = linalg.fill ins(%zero : f32) outs(%square : tensor<32x32xf32>) -> tensor<32x32xf32>
    %s = linalg.contract indexing_maps = [#x, affine_map<(i, j, d) -> (d, j)>, #p]
        ins(%xt, %yt : tensor<32x24xf32>, tensor<24x32xf32>) outs(%none : tensor<32x32xf32>) -> tensor<32x32xf32>
    tile.band %s rows 0 columns 1 [%c0, %c8, %c0, %c16, %c0, %c24, %c0, %c32] : tensor<32x32xf32>
    %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%s : tensor<32x32xf32>) outs(%square : tensor<32x32xf32>) {
    ^bb0(%e: f32, %unused: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %past = arith.cmpi sle, %j, %i : index
      %masked = arith.select %past, %e, %zero : f32
      linalg.yield %masked : f32
    } -> tensor<32x32xf32>
    %wide = tensor.empty() : tensor<32x24xf32>
    %start = linalg.fill ins(%zero : f32) outs(%wide : tensor<32x24xf32>) -> tensor<32x24xf32>
    %r = linalg.contract indexing_maps = [#a, #b, #o]
        ins(%p, %vt : tensor<32x32xf32>, tensor<32x24xf32>) outs(%start : tensor<32x24xf32>) -> tensor<32x24xf32>
    tile.band %p rows 0 columns 1 [%c0, %c8, %c0, %c16, %c0, %c24, %c0, %c32] : tensor<32x32xf32>
    tile.store %r, %o[%c0, %c0] : tensor<32x24xf32>, memref<32x24xf32, strided<[?, 1]>>
  }
  return
}
