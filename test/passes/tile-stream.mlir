// Reductions over keys, block by block, against their definition.
//
// RUN: mix-opt %s --mix-tile-pipeline="element=f64 rows=8 keys=4" -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=0 --size T=1 --size T=3 --size T=4 \
// RUN:   --size T=8 --size T=9 --size T=31 | FileCheck %s
// RUN: FileCheck %s --check-prefix=TILE < %t.mlir
//
// CHECK: passed, 0 failed
//
// Larger blocks say for every 16 rows which keys matter, so that products leave out the others.
//
// RUN: mix-opt %s --mix-tile-pipeline="element=f64 rows=32 keys=16" -o %t.band.mlir
// RUN: mix-evaluate %s --against %t.band.mlir --size T=1 --size T=33 --size T=67 | FileCheck %s
// RUN: mix-evaluate %s --against %t.band.mlir --cpu=native --size T=1 --size T=33 --size T=67 \
// RUN:   | FileCheck %s
// RUN: mix-evaluate %s --against %t.band.mlir --cpu=x86-64-v2 --size T=1 --size T=33 --size T=67 \
// RUN:   | FileCheck %s
// RUN: FileCheck %s --check-prefix=BAND < %t.band.mlir
//
// BAND-LABEL: func.func @causal_0
// BAND:         scf.for
// BAND:           %[[S:.*]] = linalg.contract {{.*}} -> tensor<32x16xf64>
// BAND:           tile.band %[[S]] rows 0 columns 1[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}]
// BAND:           math.exp
// BAND:           linalg.contract {{.*}} ins(%[[P:[0-9]+]], {{.*}} -> tensor<32x3xf64>
// BAND:           tile.band %[[P]] rows 0 columns 1

!k = tensor<?x5xf64, #mix.axes<["T", "K"]>>
!v = tensor<?x3xf64, #mix.axes<["T", "V"]>>
!i = tensor<?xi64, #mix.axes<["i:T"]>>
!j = tensor<?xi64, #mix.axes<["j:T"]>>
!ik = tensor<?x5xf64, #mix.axes<["i:T", "K"]>>
!jk = tensor<?x5xf64, #mix.axes<["j:T", "K"]>>
!iv = tensor<?x3xf64, #mix.axes<["i:T", "V"]>>
!jv = tensor<?x3xf64, #mix.axes<["j:T", "V"]>>
!r = tensor<?xf64, #mix.axes<["i:T"]>>
!pk = tensor<?x?x5xf64, #mix.axes<["i:T", "j:T", "K"]>>
!p = tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>
!pi = tensor<?x?xi64, #mix.axes<["i:T", "j:T"]>>
!m = tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>

// Causal attention. Later blocks of queries see more keys; the queries are loaded before
// the loop. Scores and sums are products of matrices; the mask is applied in a branch, to
// blocks on the diagonal. The scale goes into the queries, outside of the loop.
// TILE-LABEL: func.func @causal_0
// TILE-SAME:    tile.last_first
// TILE-SAME:    tile.rows = 8 : i64, tile.space = "T"
// TILE:         scf.forall
// TILE:           tile.load %arg0
// TILE:           %[[Q:.*]] = linalg.generic
// TILE:             arith.mulf
// TILE:           scf.for {{.*}} -> (tensor<8xf64>, tensor<8xf64>, tensor<8x3xf64>)
// TILE:             linalg.contract {{.*}} ins(%[[Q]], {{.*}} outs({{.*}}) -> tensor<8x4xf64>
// TILE:             scf.if
// TILE:               scf.yield
// TILE:             else
// TILE:               arith.select
// TILE:             math.exp
// TILE:             linalg.contract {{.*}} -> tensor<8x3xf64>
// TILE-NOT:         scf.for
// TILE:           tile.store
func.func @causal(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"})
    -> (!v {mix.name = "o", mix.kind = "output"}) attributes {mix.mixer} {
  %one = arith.constant dense<1.0> : tensor<f64>
  %i = mix.iota : !i
  %j = mix.iota : !j
  %qi = mix.read %q["T" = %i] : !k, !i -> !ik
  %kj = mix.read %k["T" = %j] : !k, !j -> !jk
  %vj = mix.read %v["T" = %j] : !v, !j -> !jv
  %qb = mix.broadcast %qi : !ik to !pk
  %kb = mix.broadcast %kj : !jk to !pk
  %qk = arith.mulf %qb, %kb : !pk
  %qks = mix.reduce sum %qk over ["K"] : !pk -> !p
  %scale = arith.constant dense<0.3> : tensor<f64>
  %scales = mix.broadcast %scale : tensor<f64> to !p
  %s = arith.mulf %scales, %qks : !p
  %ib = mix.broadcast %i : !i to !pi
  %jb = mix.broadcast %j : !j to !pi
  %past = arith.cmpi sle, %jb, %ib : !pi
  %max, %l, %acc = mix.streamed_reduction logits(%s) where(%past) over [["j:T"]]
    values(%one, %vj) of [0, 0] : (!p, !m, tensor<f64>, !jv) -> (!r, !r, !iv)
  %lb = mix.broadcast %l : !r to !iv
  %oi = arith.divf %acc, %lb : !iv
  %o = mix.bind %oi along "i:T" : !iv to !v
  return %o : !v
}
