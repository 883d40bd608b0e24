// Tiles that lie inside their tensor are read where they are, through a pointer and strides
// that are chosen when the kernel runs; others are copied to scratch, with zeros beyond the end.
//
// Vectors of x86-64-v3 have 8 elements: rows of 24 are whole vectors, rows of 20 are not.
//
// RUN: sed -e 's/KK/24/g' %s | mix-opt --mix-cpu-assign-buffers=chip=x86-64-v3 \
// RUN:   --mix-cpu-emit=chip=x86-64-v3 | FileCheck %s --check-prefixes=CHECK,WHOLE
// RUN: sed -e 's/KK/20/g' %s | mix-opt --mix-cpu-assign-buffers=chip=x86-64-v3 \
// RUN:   --mix-cpu-emit=chip=x86-64-v3 | FileCheck %s --check-prefixes=CHECK,PART
//
// CHECK-LABEL: llvm.func internal @scores_0_run
//
// The keys are read as scalars, whatever the length of their rows: a copy only where the tensor ends.
// CHECK: scf.if
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : !llvm.ptr
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : i64
//
// The values are read as vectors: in whole rows where they are, else always from a copy.
// WHOLE: scf.if
// WHOLE: arith.select %{{.*}}, %{{.*}}, %{{.*}} : !llvm.ptr
// PART-NOT: arith.select {{.*}} : !llvm.ptr
//
// What the next iteration needs is asked for by the first product, a few lines per block.
// CHECK: llvm.intr.prefetch
// CHECK: vector.fma
//
// RUN: sed -e 's/KK/24/g' %s > %t.whole.mlir
// RUN: sed -e 's/KK/20/g' %s > %t.part.mlir
// RUN: mix-evaluate %t.whole.mlir --against %t.whole.mlir --cpu=x86-64-v3 --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=16 --size T=17 --size T=50 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.part.mlir --against %t.part.mlir --cpu=native --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=16 --size T=17 --size T=50 | FileCheck %s --check-prefix=NUM
//
// NUM: 5 passed, 0 failed

func.func @scores_0(
    %k: memref<?xKKxf32, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?xKKxf32, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "K"]},
    %m: memref<KKxKKxf32, strided<[?, 1]>> {mix.name = "m", mix.kind = "output", mix.axes = ["K", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "scores", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %k, %c0 : memref<?xKKxf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %empty = tensor.empty() : tensor<KKxKKxf32>
    %none = linalg.fill ins(%zero : f32) outs(%empty : tensor<KKxKKxf32>) -> tensor<KKxKKxf32>
    %sum = scf.for %t = %c0 to %tokens step %c16 iter_args(%acc = %none) -> (tensor<KKxKKxf32>) {
      %kt = tile.load %k[%t, %c0] : memref<?xKKxf32, strided<[?, 1]>> -> tensor<16xKKxf32>
      %vt = tile.load %v[%t, %c0] : memref<?xKKxf32, strided<[?, 1]>> -> tensor<16xKKxf32>
      %next = linalg.contract
          indexing_maps = [affine_map<(a, b, t) -> (t, a)>, affine_map<(a, b, t) -> (t, b)>,
                           affine_map<(a, b, t) -> (a, b)>]
          ins(%kt, %vt : tensor<16xKKxf32>, tensor<16xKKxf32>)
          outs(%acc : tensor<KKxKKxf32>) -> tensor<KKxKKxf32>
      scf.yield %next : tensor<KKxKKxf32>
    }
    tile.store %sum, %m[%c0, %c0] : tensor<KKxKKxf32>, memref<KKxKKxf32, strided<[?, 1]>>
  }
  return
}
