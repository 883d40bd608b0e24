// Products that the four warps compute together (wgmma), on a chip that has it.
//
// RUN: sed -e 's/half/bf16/g' %s > %t.bf16.mlir
// RUN: sed -e 's/half/f16/g' %s > %t.f16.mlir
// RUN: mix-opt %t.bf16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=sm_90a | FileCheck %s
// RUN: mix-opt %t.f16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=sm_90a | FileCheck %s --check-prefix=HALF
// RUN: mix-opt %t.bf16.mlir --mix-gpu-fold-conversions --convert-elementwise-to-linalg --mix-gpu-emit=chip=sm_90 | FileCheck %s --check-prefix=OTHER
// RUN: mix-evaluate %t.bf16.mlir --against %t.bf16.mlir --round --gpu=sm_90a --row-gap=8 --schedule=reversed --tolerance 1e-5 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.f16.mlir --against %t.f16.mlir --round --gpu=sm_90a --row-gap=3 --schedule=5 --tolerance 1e-5 | FileCheck %s --check-prefix=NUM
// NUM: 4 passed, 0 failed
// HALF: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16
// OTHER-NOT: wgmma
// OTHER-NOT: fence.proxy
//
// What was copied to shared memory is made known to the unit before the barrier. One fence and one wait hold
// all steps of a product; the weights, which are in registers, are its left factor.
//
// CHECK-LABEL: llvm.func @chain_0_sm_90a
// CHECK: nvvm.cp.async.wait.all
// CHECK-NEXT: nvvm.fence.proxy.async.shared_cta
// CHECK: nvvm.barrier
// CHECK: "wgmma.fence.sync.aligned;"
// CHECK-COUNT-2: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, {{.*}}, $31}, $64, $65, p, $67, $68, $69, $70;
// CHECK: nvvm.wgmma.commit_group
// CHECK: "wgmma.wait_group.sync.aligned $64;"
// CHECK: math.exp
// CHECK-NOT: llvm.store {{.*}}ptr<3>
// CHECK: "wgmma.fence.sync.aligned;"
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n48k16.f32.bf16.bf16 {$0, {{.*}}, $23}, {$48, $49, $50, $51}, $52, p, $54, $55, $56;
// CHECK-NOT: wgmma.mma_async
// CHECK: "wgmma.wait_group.sync.aligned $48;"
//
// Both factors lie across the sum: panels of 128 bytes on the left, of 64 on the right. 128 rows are two groups
// of steps, and all run before the wait.
//
// CHECK-LABEL: llvm.func @turned_0_sm_90a
// CHECK: "wgmma.fence.sync.aligned;"
// CHECK-COUNT-10: wgmma.mma_async.sync.aligned.m64n96k16
// CHECK-NOT: wgmma.mma_async
// CHECK: "wgmma.wait_group.sync.aligned $192;"
//
// A left factor that was computed in shared memory lies there in rows, and its fragments are loaded.
//
// CHECK-LABEL: llvm.func @computed_0_sm_90a
// CHECK-COUNT-10: ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK: "wgmma.fence.sync.aligned;"
// CHECK-COUNT-10: wgmma.mma_async.sync.aligned.m64n24k16
//
// Other products and other work read panels like any tile. 48 rows leave a warp without work, so that product is
// one of single warps.
//
// CHECK-LABEL: llvm.func @shared_0_sm_90a
// CHECK-DAG: wgmma.mma_async.sync.aligned.m64n40k16
// CHECK-DAG: ldmatrix
// CHECK-DAG: nvvm.mma.m16n8k16.row.col.bf16
// CHECK: llvm.return

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

func.func @turned_0(
    %x: memref<80x128xhalf, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<80x96xhalf, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["T", "V"]},
    %o: memref<128x96xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["K", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "turned", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant dense<0.0> : tensor<128x96xf32>
    %xt = tile.load %x[%c0, %c0] : memref<80x128xhalf, strided<[?, 1]>> -> tensor<80x128xhalf>
    %yt = tile.load %y[%c0, %c0] : memref<80x96xhalf, strided<[?, 1]>> -> tensor<80x96xhalf>
    %ot = linalg.contract indexing_maps = [#ki, #kj, #ij3] ins(%xt, %yt : tensor<80x128xhalf>, tensor<80x96xhalf>)
        outs(%zero : tensor<128x96xf32>) -> tensor<128x96xf32>
    tile.store %ot, %o[%c0, %c0] : tensor<128x96xf32>, memref<128x96xf32, strided<[?, 1]>>
  }
  return
}

func.func @computed_0(
    %x: memref<64x160xhalf, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<24x160xhalf, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["S", "K"]},
    %o: memref<64x24xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "S"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "computed", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %zero = arith.constant dense<0.0> : tensor<64x24xf32>
    %e = tensor.empty() : tensor<64x160xhalf>
    %xt = tile.load %x[%c0, %c0] : memref<64x160xhalf, strided<[?, 1]>> -> tensor<64x160xhalf>
    %yt = tile.load %y[%c0, %c0] : memref<24x160xhalf, strided<[?, 1]>> -> tensor<24x160xhalf>
    %twice = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%xt : tensor<64x160xhalf>) outs(%e : tensor<64x160xhalf>) {
    ^bb0(%in: half, %out: half):
      %0 = arith.extf %in : half to f32
      %1 = arith.addf %0, %0 : f32
      %2 = arith.truncf %1 : f32 to half
      linalg.yield %2 : half
    } -> tensor<64x160xhalf>
    %ot = linalg.contract indexing_maps = [#ik, #jk, #ij3] ins(%twice, %yt : tensor<64x160xhalf>, tensor<24x160xhalf>)
        outs(%zero : tensor<64x24xf32>) -> tensor<64x24xf32>
    tile.store %ot, %o[%c0, %c0] : tensor<64x24xf32>, memref<64x24xf32, strided<[?, 1]>>
  }
  return
}

func.func @shared_0(
    %x: memref<64x64xhalf, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<48x64xhalf, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["R", "K"]},
    %z: memref<40x64xhalf, strided<[?, 1]>> {mix.name = "z", mix.kind = "input", mix.axes = ["S", "K"]},
    %a: memref<64x40xf32, strided<[?, 1]>> {mix.name = "a", mix.kind = "output", mix.axes = ["T", "S"]},
    %b: memref<48x40xf32, strided<[?, 1]>> {mix.name = "b", mix.kind = "output", mix.axes = ["R", "S"]},
    %s: memref<40xf32, strided<[1]>> {mix.name = "s", mix.kind = "output", mix.axes = ["S"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "shared", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %az = arith.constant dense<0.0> : tensor<64x40xf32>
    %bz = arith.constant dense<0.0> : tensor<48x40xf32>
    %sz = arith.constant dense<0.0> : tensor<40xf32>
    %xt = tile.load %x[%c0, %c0] : memref<64x64xhalf, strided<[?, 1]>> -> tensor<64x64xhalf>
    %yt = tile.load %y[%c0, %c0] : memref<48x64xhalf, strided<[?, 1]>> -> tensor<48x64xhalf>
    %zt = tile.load %z[%c0, %c0] : memref<40x64xhalf, strided<[?, 1]>> -> tensor<40x64xhalf>
    %zw = arith.extf %zt : tensor<40x64xhalf> to tensor<40x64xf32>
    %at = linalg.contract indexing_maps = [#ik, #jk, #ij3] ins(%xt, %zt : tensor<64x64xhalf>, tensor<40x64xhalf>)
        outs(%az : tensor<64x40xf32>) -> tensor<64x40xf32>
    %bt = linalg.contract indexing_maps = [#ik, #jk, #ij3] ins(%yt, %zt : tensor<48x64xhalf>, tensor<40x64xhalf>)
        outs(%bz : tensor<48x40xf32>) -> tensor<48x40xf32>
    %st = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%zw : tensor<40x64xf32>) outs(%sz : tensor<40xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %0 = arith.addf %in, %sum : f32
      linalg.yield %0 : f32
    } -> tensor<40xf32>
    tile.store %at, %a[%c0, %c0] : tensor<64x40xf32>, memref<64x40xf32, strided<[?, 1]>>
    tile.store %bt, %b[%c0, %c0] : tensor<48x40xf32>, memref<48x40xf32, strided<[?, 1]>>
    tile.store %st, %s[%c0] : tensor<40xf32>, memref<40xf32, strided<[1]>>
  }
  return
}
