// Scores of one query and a block of keys, their maximum and their sum: lanes run along what is
// reduced. Sixteen scores are combined together, from sixteen vectors to one, and single results
// come to be in all lanes, so that nothing is stored but whole vectors.
//
// RUN: mix-opt %s --mix-cpu-assign-layouts=chip=x86-64-v4 --mix-cpu-assign-buffers=chip=x86-64-v4 \
// RUN:   --mix-cpu-emit=chip=x86-64-v4 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=native --tolerance 1e-5 --size T=0 --size T=1 --size T=5 \
// RUN:   | FileCheck %s --check-prefix=NUM
//
// NUM: 3 passed, 0 failed
//
// CHECK-LABEL: llvm.func internal @score_0_run
//
// Sixteen of nineteen scores: 8 + 4 + 2 + 1 times two vectors become one.
//
// CHECK-COUNT-30: vector.shuffle
// CHECK-NOT:      vector.shuffle
// CHECK:          llvm.store {{.*}} : vector<16xf32>
//
// The others: 2 + 1 + 1 + 1 times; a vector that has no partner is combined with itself.
//
// CHECK-COUNT-6:  vector.shuffle
// CHECK:          llvm.store {{.*}} : vector<16xf32>
//
// The maximum and the sum.
//
// CHECK:          vector.shuffle {{.*}} [1, 16, 3, 18, 5,
// CHECK-NEXT:     arith.maximumf {{.*}} fastmath<nnan> : vector<16xf32>
// CHECK-NEXT:     vector.shuffle {{.*}} [2, 3, 16, 17,
// CHECK-NEXT:     arith.maximumf
// CHECK-NEXT:     vector.shuffle
// CHECK-NEXT:     arith.maximumf
// CHECK-NEXT:     vector.shuffle
// CHECK-NEXT:     arith.maximumf
// CHECK-NOT:      vector.reduction
// CHECK-NOT:      llvm.store {{.*}} : f32

func.func @score_0(
    %q: memref<?x37xf32, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %W: memref<19x37xf32, strided<[?, 1]>> {mix.name = "W", mix.kind = "input", mix.axes = ["J", "K"]},
    %o: memref<?x19xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "J"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "score", tile.form = "recurrent",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %n = memref.dim %q, %c0 : memref<?x37xf32, strided<[?, 1]>>
  scf.forall (%f, %b) in (1, 1) {
    scf.for %t = %c0 to %n step %c1 {
      %x = tile.load %q[%t, %c0] : memref<?x37xf32, strided<[?, 1]>> -> tensor<1x37xf32>
      %w = tile.load %W[%c0, %c0] : memref<19x37xf32, strided<[?, 1]>> -> tensor<19x37xf32>
      %e = tensor.empty() : tensor<1x19xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x19xf32>) -> tensor<1x19xf32>
      %s = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                                            affine_map<(i, j, k) -> (j, k)>,
                                            affine_map<(i, j, k) -> (i, j)>]
          ins(%x, %w : tensor<1x37xf32>, tensor<19x37xf32>) outs(%z : tensor<1x19xf32>)
          -> tensor<1x19xf32>
      %e1 = tensor.empty() : tensor<1xf32>
      %m0 = linalg.fill ins(%lowest : f32) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
      %m = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                           iterator_types = ["parallel", "reduction"]}
          ins(%s : tensor<1x19xf32>) outs(%m0 : tensor<1xf32>) {
      ^bb0(%in: f32, %out: f32):
        %r = arith.maximumf %out, %in fastmath<nnan> : f32
        linalg.yield %r : f32
      } -> tensor<1xf32>
      %l0 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
      %l = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                           iterator_types = ["parallel", "reduction"]}
          ins(%s : tensor<1x19xf32>) outs(%l0 : tensor<1xf32>) {
      ^bb0(%in: f32, %out: f32):
        %r = arith.addf %out, %in : f32
        linalg.yield %r : f32
      } -> tensor<1xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>,
                                            affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%s, %m, %l : tensor<1x19xf32>, tensor<1xf32>, tensor<1xf32>)
          outs(%e : tensor<1x19xf32>) {
      ^bb0(%in: f32, %max: f32, %sum: f32, %out: f32):
        %d = arith.subf %in, %max : f32
        %r = arith.mulf %d, %sum : f32
        linalg.yield %r : f32
      } -> tensor<1x19xf32>
      tile.store %y, %o[%t, %c0] : tensor<1x19xf32>, memref<?x19xf32, strided<[?, 1]>>
    }
  }
  return
}
