// Products run on matrix units, and what they make stays in registers.
//
// RUN: mix-opt %s --mix-gpu-emit=chip=sm_80 | FileCheck %s --check-prefix=CUDA
// RUN: mix-opt %s --mix-gpu-emit=chip=gfx942 | FileCheck %s --check-prefix=HIP
// RUN: mix-opt %s --mix-gpu-emit=chip=gfx1100 | FileCheck %s --check-prefix=FMA
// RUN: mix-evaluate %s --against %s --gpu=sm_80 --row-gap=4 --schedule=reversed --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %s --against %s --gpu=gfx90a --schedule=reversed --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %s --against %s --gpu=gfx1201 --schedule=1 --tolerance 1e-5 | FileCheck %s
//
// CHECK: 2 passed, 0 failed
//
// Between the two products nothing is stored: accumulators of the first are an operand of
// the second.
//
// CUDA-LABEL: @chain_0_sm_80
// CUDA: nvvm.mma.m16n8k8.row.col.tf32
// CUDA: math.exp
// CUDA-NOT: llvm.store {{.*}}ptr<3>
// CUDA: nvvm.mma.m16n8k8.row.col.tf32
// CUDA-NOT: llvm.store {{.*}}ptr<3>
// CUDA: llvm.store {{.*}}ptr<1>
//
// HIP-LABEL: @chain_0_gfx942
// HIP: amdgcn.mfma.f32.16x16x4f32
// HIP-NOT: llvm.store {{.*}}ptr<3>
// HIP: amdgcn.mfma.f32.16x16x4f32
// HIP-NOT: llvm.store {{.*}}ptr<3>
// HIP: llvm.store {{.*}}ptr<1>
//
// FMA-LABEL: @chain_0_gfx1100
// FMA-NOT: mfma
// FMA: llvm.return

#ik = affine_map<(i, j, k) -> (i, k)>
#jk = affine_map<(i, j, k) -> (j, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij3 = affine_map<(i, j, k) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>

// o = exp(q k^T) v, and the sums of its rows.
func.func @chain_0(
    %q: memref<64x32xf32, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %k: memref<64x32xf32, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["S", "K"]},
    %v: memref<64x48xf32, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["S", "V"]},
    %o: memref<64x48xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]},
    %s: memref<64xf32, strided<[1]>> {mix.name = "s", mix.kind = "output", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "chain", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<64x64xf32>
    %ez = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
    %eo = tensor.empty() : tensor<64x48xf32>
    %oz = linalg.fill ins(%zero : f32) outs(%eo : tensor<64x48xf32>) -> tensor<64x48xf32>
    %es = tensor.empty() : tensor<64xf32>
    %sz = linalg.fill ins(%zero : f32) outs(%es : tensor<64xf32>) -> tensor<64xf32>
    %qt = tile.load %q[%c0, %c0] : memref<64x32xf32, strided<[?, 1]>> -> tensor<64x32xf32>
    %kt = tile.load %k[%c0, %c0] : memref<64x32xf32, strided<[?, 1]>> -> tensor<64x32xf32>
    %vt = tile.load %v[%c0, %c0] : memref<64x48xf32, strided<[?, 1]>> -> tensor<64x48xf32>
    %a = linalg.contract indexing_maps = [#ik, #jk, #ij3] ins(%qt, %kt : tensor<64x32xf32>, tensor<64x32xf32>)
        outs(%ez : tensor<64x64xf32>) -> tensor<64x64xf32>
    %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%a : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %0 = math.exp %in : f32
      linalg.yield %0 : f32
    } -> tensor<64x64xf32>
    %sums = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%p : tensor<64x64xf32>) outs(%sz : tensor<64xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %0 = arith.addf %in, %sum : f32
      linalg.yield %0 : f32
    } -> tensor<64xf32>
    %ot = linalg.contract indexing_maps = [#ik, #kj, #ij3] ins(%p, %vt : tensor<64x64xf32>, tensor<64x48xf32>)
        outs(%oz : tensor<64x48xf32>) -> tensor<64x48xf32>
    tile.store %ot, %o[%c0, %c0] : tensor<64x48xf32>, memref<64x48xf32, strided<[?, 1]>>
    tile.store %sums, %s[%c0] : tensor<64xf32>, memref<64xf32, strided<[1]>>
  }
  return
}

// Factors that fill no fragment, in both storage orders.
func.func @ragged_0(
    %x: memref<21x19xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["K", "M"]},
    %y: memref<21x35xf32, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["K", "N"]},
    %o: memref<19x35xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["M", "N"]},
    %p: memref<21x35xf32, strided<[?, 1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["K", "N"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "ragged", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<19x35xf32>
    %ez = linalg.fill ins(%zero : f32) outs(%e : tensor<19x35xf32>) -> tensor<19x35xf32>
    %xt = tile.load %x[%c0, %c0] : memref<21x19xf32, strided<[?, 1]>> -> tensor<21x19xf32>
    %yt = tile.load %y[%c0, %c0] : memref<21x35xf32, strided<[?, 1]>> -> tensor<21x35xf32>
    %a = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (k, i)>, #kj, #ij3]
        ins(%xt, %yt : tensor<21x19xf32>, tensor<21x35xf32>) outs(%ez : tensor<19x35xf32>) -> tensor<19x35xf32>
    // The product of a product: a factor in registers with padding.
    %b = linalg.contract indexing_maps = [#ik, #kj, #ij3]
        ins(%xt, %a : tensor<21x19xf32>, tensor<19x35xf32>) outs(%yt : tensor<21x35xf32>) -> tensor<21x35xf32>
    tile.store %a, %o[%c0, %c0] : tensor<19x35xf32>, memref<19x35xf32, strided<[?, 1]>>
    tile.store %b, %p[%c0, %c0] : tensor<21x35xf32>, memref<21x35xf32, strided<[?, 1]>>
  }
  return
}
