// RUN: sed -e 's/real/f32/g; s/QQ/64/g; s/NN/64/g; s/DD/128/g; s/VV/32/g' %s > %t.mlir
// RUN: mix-opt %t.mlir --mix-cpu-assign-layouts=chip=x86-64-v4 -o %t.out.mlir
// RUN: FileCheck %s < %t.out.mlir
//
// The choice does not change what is computed, at sizes that are no multiple of anything either.
// RUN: sed -e 's/real/f64/g; s/QQ/7/g; s/NN/5/g; s/DD/19/g; s/VV/9/g' %s > %t.odd.mlir
// RUN: mix-opt %t.odd.mlir --mix-cpu-assign-layouts=chip=x86-64-v4 -o %t.odd.out.mlir
// RUN: mix-evaluate %t.odd.mlir --against %t.odd.out.mlir --size T=1 --size T=23 | FileCheck %s --check-prefix=SAME
// SAME: 4 passed, 0 failed

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Attention: the lanes of scores and probabilities are queries, those of the result are values. Keys
// stay as they were loaded and are read as scalars, the sum of a row needs no combination of
// lanes, and what is transposed, the queries, is outside of the loop over keys.
// CHECK-LABEL: func.func @attention_0
// CHECK:         %[[Q:.*]] = tile.load %arg0{{.*}} -> tensor<64x128xf32>
// CHECK:         %[[QT:.*]] = linalg.transpose ins(%[[Q]] : tensor<64x128xf32>) outs({{.*}} : tensor<128x64xf32>)
// CHECK:         scf.for {{.*}} -> (tensor<64xf32>, tensor<64x32xf32>)
// CHECK:           %[[K:.*]] = tile.load %arg1{{.*}} -> tensor<64x128xf32>
// CHECK-NOT:       linalg.transpose
// CHECK:           linalg.contract {{.*}} ins(%[[QT]], %[[K]] :
// CHECK-NOT:       linalg.transpose
// CHECK:           return
func.func @attention_0(
    %q: memref<?xDDxreal, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %k: memref<?xDDxreal, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %o: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "attention", tile.form = "chunked",
                tile.features = 1 : i64, tile.space = "T", tile.rows = QQ : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %rows = arith.constant QQ : index
  %keys = arith.constant NN : index
  %zero = arith.constant 0.0 : real
  %tokens = memref.dim %q, %c0 : memref<?xDDxreal, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %rows : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %first = arith.muli %tb, %rows : index
    %l0 = tensor.splat %zero : tensor<QQxreal>
    %o0 = tensor.splat %zero : tensor<QQxVVxreal>
    %e = tensor.empty() : tensor<QQxNNxreal>
    %s0 = linalg.fill ins(%zero : real) outs(%e : tensor<QQxNNxreal>) -> tensor<QQxNNxreal>
    %qb = tile.load %q[%first, %c0] : memref<?xDDxreal, strided<[?, 1]>> -> tensor<QQxDDxreal>
    %sums:2 = scf.for %t = %c0 to %tokens step %keys iter_args(%l = %l0, %acc = %o0)
        -> (tensor<QQxreal>, tensor<QQxVVxreal>) {
      %kb = tile.load %k[%t, %c0] : memref<?xDDxreal, strided<[?, 1]>> -> tensor<NNxDDxreal>
      %vb = tile.load %v[%t, %c0] : memref<?xVVxreal, strided<[?, 1]>> -> tensor<NNxVVxreal>
      %s = linalg.contract indexing_maps = [#mk, #nk, #mn]
          ins(%qb, %kb : tensor<QQxDDxreal>, tensor<NNxDDxreal>) outs(%s0 : tensor<QQxNNxreal>) -> tensor<QQxNNxreal>
      %left = arith.subi %tokens, %t : index
      %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s : tensor<QQxNNxreal>) outs(%e : tensor<QQxNNxreal>) {
        ^bb0(%x: real, %y: real):
          %w = math.exp %x : real
          %j = linalg.index 1 : index
          %inside = arith.cmpi slt, %j, %left : index
          %z = arith.select %inside, %w, %zero : real
          linalg.yield %z : real
      } -> tensor<QQxNNxreal>
      %lnext = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
          ins(%p : tensor<QQxNNxreal>) outs(%l : tensor<QQxreal>) {
        ^bb0(%x: real, %y: real):
          %w = arith.addf %y, %x : real
          linalg.yield %w : real
      } -> tensor<QQxreal>
      %next = linalg.contract indexing_maps = [#mk, #kn, #mn]
          ins(%p, %vb : tensor<QQxNNxreal>, tensor<NNxVVxreal>) outs(%acc : tensor<QQxVVxreal>) -> tensor<QQxVVxreal>
      scf.yield %lnext, %next : tensor<QQxreal>, tensor<QQxVVxreal>
    }
    %eo = tensor.empty() : tensor<QQxVVxreal>
    %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%sums#1, %sums#0 : tensor<QQxVVxreal>, tensor<QQxreal>) outs(%eo : tensor<QQxVVxreal>) {
      ^bb0(%x: real, %y: real, %z: real):
        %w = arith.divf %x, %y : real
        linalg.yield %w : real
    } -> tensor<QQxVVxreal>
    tile.store %r, %o[%first, %c0] : tensor<QQxVVxreal>, memref<?xVVxreal, strided<[?, 1]>>
  }
  return
}

// A state that is updated with a product of all pairs of keys: its lanes are the columns, for which
// nothing has to move. The products of keys with keys want one transposed copy of the keys.
// CHECK-LABEL: func.func @update_0
// CHECK:         scf.for {{.*}} -> (tensor<128x32xf32>)
// CHECK:           %[[K:.*]] = tile.load %arg0
// CHECK:           %[[KT:.*]] = linalg.transpose ins(%[[K]] : tensor<64x128xf32>)
// CHECK-NOT:       linalg.transpose
// CHECK:           %[[G:.*]] = linalg.contract {{.*}} ins(%{{.*}}, %[[KT]] :
// CHECK:           tensor.extract_slice %[[G]][3, 0] [1, 64] [1, 1]
// CHECK-NOT:       linalg.transpose
// CHECK:           return
func.func @update_0(
    %k: memref<?xDDxreal, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %S: memref<DDxVVxreal, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "update", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %chunk = arith.constant QQ : index
  %zero = arith.constant 0.0 : real
  %tokens = memref.dim %k, %c0 : memref<?xDDxreal, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<DDxVVxreal>
    %g0 = tensor.splat %zero : tensor<QQxQQxreal>
    %y0 = tensor.splat %zero : tensor<QQxVVxreal>
    %end = scf.for %t = %c0 to %tokens step %chunk iter_args(%s = %S0) -> (tensor<DDxVVxreal>) {
      %kb = tile.load %k[%t, %c0] : memref<?xDDxreal, strided<[?, 1]>> -> tensor<QQxDDxreal>
      %vb = tile.load %v[%t, %c0] : memref<?xVVxreal, strided<[?, 1]>> -> tensor<QQxVVxreal>
      %g = linalg.contract indexing_maps = [#mk, #nk, #mn]
          ins(%kb, %kb : tensor<QQxDDxreal>, tensor<QQxDDxreal>) outs(%g0 : tensor<QQxQQxreal>) -> tensor<QQxQQxreal>
      %y = linalg.contract indexing_maps = [#mk, #kn, #mn]
          ins(%g, %vb : tensor<QQxQQxreal>, tensor<QQxVVxreal>) outs(%y0 : tensor<QQxVVxreal>) -> tensor<QQxVVxreal>
      %row = tensor.extract_slice %g[3, 0] [1, QQ] [1, 1] : tensor<QQxQQxreal> to tensor<QQxreal>
      %x = tensor.extract %row[%c0] : tensor<QQxreal>
      %ye = tensor.empty() : tensor<QQxVVxreal>
      %ys = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%y : tensor<QQxVVxreal>) outs(%ye : tensor<QQxVVxreal>) {
        ^bb0(%a: real, %b: real):
          %w = arith.addf %a, %x : real
          linalg.yield %w : real
      } -> tensor<QQxVVxreal>
      %next = linalg.contract indexing_maps = [#km, #kn, #mn]
          ins(%kb, %ys : tensor<QQxDDxreal>, tensor<QQxVVxreal>) outs(%s : tensor<DDxVVxreal>) -> tensor<DDxVVxreal>
      scf.yield %next : tensor<DDxVVxreal>
    }
    tile.store %end, %S[%c0, %c0] : tensor<DDxVVxreal>, memref<DDxVVxreal, strided<[?, 1]>>
  }
  return
}
