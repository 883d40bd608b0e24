// Tiles of 16-bit reals stay as they are until their elements are used.
//
// RUN: sed -e 's/half/bf16/g' %s > %t.bf16.mlir
// RUN: sed -e 's/half/f16/g' %s > %t.f16.mlir
// RUN: mix-opt %t.bf16.mlir --mix-gpu-fold-conversions | FileCheck %s --check-prefix=FOLD
// RUN: mix-opt %t.bf16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=sm_80 | FileCheck %s --check-prefix=CUDA
// RUN: mix-opt %t.f16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=gfx942 | FileCheck %s --check-prefix=HIP
// RUN: mix-opt %t.bf16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=gfx1100 | FileCheck %s --check-prefix=RDNA3
// RUN: mix-opt %t.f16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=gfx1201 | FileCheck %s --check-prefix=RDNA4
//
// RUN: mix-evaluate %t.bf16.mlir --against %t.bf16.mlir --round --gpu=sm_80 --row-gap=8 --schedule=reversed --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.f16.mlir --against %t.f16.mlir --round --gpu=sm_90 --schedule=5 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.bf16.mlir --against %t.bf16.mlir --round --gpu=gfx90a --schedule=reversed --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.f16.mlir --against %t.f16.mlir --round --gpu=gfx942 --row-gap=8 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.bf16.mlir --against %t.bf16.mlir --round --gpu=gfx1100 --row-gap=8 --schedule=3 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.f16.mlir --against %t.f16.mlir --round --gpu=gfx1201 --schedule=reversed --tolerance 1e-5 | FileCheck %s
//
// CHECK: 2 passed, 0 failed
//
// FOLD-LABEL: @chain_0
// FOLD: %[[P:.*]] = arith.truncf %{{.*}} fastmath<contract>
// FOLD: linalg.contract {{.*}} ins(%[[P]], %{{.*}} : tensor<64x64xbf16>, tensor<64x48xbf16>)
// FOLD: tile.store %{{.*}} : tensor<64x48xf32>, memref<64x48xbf16
//
// A row of a matrix that is summed along it is loaded as it is, one that is summed across
// transposed, two fragments of a right factor at a time. The weights are rounded in pairs, where they are.
//
// CUDA-LABEL: @chain_0_sm_80
// CUDA-NOT: ldmatrix.sync.aligned.m8n8.x2
// CUDA: ldmatrix.sync.aligned.m8n8.x4.b16
// CUDA: nvvm.mma.m16n8k16.row.col.bf16
// CUDA: math.exp
// CUDA-NOT: llvm.store {{.*}}ptr<3>
// CUDA: ldmatrix.sync.aligned.m8n8.x4.trans.b16
// CUDA: nvvm.ff2bf16x2.rn
// CUDA: nvvm.mma.m16n8k16.row.col.bf16
// CUDA-NOT: llvm.store {{.*}}ptr<3>
// CUDA: llvm.store {{.*}} : i16, !llvm.ptr<1>
//
// HIP-LABEL: @chain_0_gfx942
// HIP: amdgcn.mfma.f32.16x16x16f16
// HIP: math.exp
// HIP-NOT: llvm.store {{.*}}ptr<3>
// HIP: amdgcn.mfma.f32.16x16x16f16
//
// Accumulators of gfx12 are a factor of the next product; those of gfx11 hold half of what one
// needs, so they take the way through shared memory.
//
// RDNA4-LABEL: @chain_0_gfx1201
// RDNA4: amdgcn.wmma.f32.16x16x16.f16.v8f32.v8f16
// RDNA4: math.exp
// RDNA4-NOT: llvm.store {{.*}}ptr<3>
// RDNA4: amdgcn.wmma.f32.16x16x16.f16.v8f32.v8f16
//
// RDNA3-LABEL: @chain_0_gfx1100
// RDNA3: amdgcn.wmma.f32.16x16x16.bf16.v8f32.v16i16
// RDNA3: math.exp
// RDNA3: llvm.store {{.*}} : i16, !llvm.ptr<3>
// RDNA3: amdgcn.wmma.f32.16x16x16.bf16.v8f32.v16i16
//
// The sums of rows widen elements, the scan gets a tile of f32 from its load, and a product of
// factors of two types is one of f32. Widened elements have no low part, so each of its nine steps takes two
// tf32 products, not three.
//
// FOLD-LABEL: @mixed_0
// FOLD-DAG: tile.load %arg0{{.*}} -> tensor<21x19xbf16>
// FOLD-DAG: tile.load %arg1{{.*}} -> tensor<21x35xf32>
// FOLD: linalg.generic {{.*}} ins(%{{.*}} : tensor<21x19xbf16>)
// FOLD-NEXT: ^bb0(%[[IN:.*]]: bf16
// FOLD-NEXT: arith.extf %[[IN]] : bf16 to f32
// FOLD: linalg.contract {{.*}} : tensor<21x19xbf16>, tensor<21x35xf32>)
// CUDA-LABEL: @mixed_0_sm_80
// CUDA-NOT: ldmatrix
// CUDA-COUNT-18: nvvm.mma.m16n8k8.row.col.tf32
// CUDA-NOT: nvvm.mma.m16n8k8.row.col.tf32

#ik = affine_map<(i, j, k) -> (i, k)>
#ki = affine_map<(i, j, k) -> (k, i)>
#jk = affine_map<(i, j, k) -> (j, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij3 = affine_map<(i, j, k) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>

func.func @chain_0(
    %q: memref<64x32xhalf, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %k: memref<64x32xhalf, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["S", "K"]},
    %v: memref<64x48xhalf, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["S", "V"]},
    %o: memref<64x48xhalf, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "chain", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    %oz = arith.constant dense<0.0> : tensor<64x48xf32>
    %e = tensor.empty() : tensor<64x64xf32>
    %qt = tile.load %q[%c0, %c0] : memref<64x32xhalf, strided<[?, 1]>> -> tensor<64x32xhalf>
    %kt = tile.load %k[%c0, %c0] : memref<64x32xhalf, strided<[?, 1]>> -> tensor<64x32xhalf>
    %vt = tile.load %v[%c0, %c0] : memref<64x48xhalf, strided<[?, 1]>> -> tensor<64x48xhalf>
    %a = linalg.contract indexing_maps = [#ik, #jk, #ij3] ins(%qt, %kt : tensor<64x32xhalf>, tensor<64x32xhalf>)
        outs(%zero : tensor<64x64xf32>) -> tensor<64x64xf32>
    %p = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%a : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %scale = arith.constant 0.125 : f32
      %0 = arith.mulf %in, %scale : f32
      %1 = math.exp %0 : f32
      linalg.yield %1 : f32
    } -> tensor<64x64xf32>
    %ph = arith.truncf %p fastmath<contract> : tensor<64x64xf32> to tensor<64x64xhalf>
    %ot = linalg.contract indexing_maps = [#ik, #kj, #ij3] ins(%ph, %vt : tensor<64x64xhalf>, tensor<64x48xhalf>)
        outs(%oz : tensor<64x48xf32>) -> tensor<64x48xf32>
    %oh = arith.truncf %ot : tensor<64x48xf32> to tensor<64x48xhalf>
    tile.store %oh, %o[%c0, %c0] : tensor<64x48xhalf>, memref<64x48xhalf, strided<[?, 1]>>
  }
  return
}

func.func @mixed_0(
    %x: memref<21x19xhalf, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["K", "M"]},
    %y: memref<21x35xhalf, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["K", "N"]},
    %o: memref<19x35xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["M", "N"]},
    %s: memref<21xf32, strided<[1]>> {mix.name = "s", mix.kind = "output", mix.axes = ["K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "mixed", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %oz = arith.constant dense<0.0> : tensor<19x35xf32>
    %sz = arith.constant dense<0.0> : tensor<21xf32>
    %xt = tile.load %x[%c0, %c0] : memref<21x19xhalf, strided<[?, 1]>> -> tensor<21x19xhalf>
    %yt = tile.load %y[%c0, %c0] : memref<21x35xhalf, strided<[?, 1]>> -> tensor<21x35xhalf>
    %xw = arith.extf %xt : tensor<21x19xhalf> to tensor<21x19xf32>
    %yw = arith.extf %yt : tensor<21x35xhalf> to tensor<21x35xf32>
    %sums = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%xw : tensor<21x19xf32>) outs(%sz : tensor<21xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %0 = arith.addf %in, %sum : f32
      linalg.yield %0 : f32
    } -> tensor<21xf32>
    %scanned = tile.scan sum %yw : tensor<21x35xf32>
    %ot = linalg.contract indexing_maps = [#ki, #kj, #ij3] ins(%xw, %scanned : tensor<21x19xf32>, tensor<21x35xf32>)
        outs(%oz : tensor<19x35xf32>) -> tensor<19x35xf32>
    tile.store %ot, %o[%c0, %c0] : tensor<19x35xf32>, memref<19x35xf32, strided<[?, 1]>>
    tile.store %sums, %s[%c0] : tensor<21xf32>, memref<21xf32, strided<[1]>>
  }
  return
}
