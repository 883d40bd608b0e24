// Affine scans in their chunked form and token by token, against their definition.
//
// RUN: mix-opt %s --mix-tile-pipeline=element=f64 -o %t.chunked.mlir
// RUN: mix-evaluate %s --against %t.chunked.mlir --range a=-1:1 --range b=0:0.5 --range k=-0.5:0.5 \
// RUN:   --size T=0 --size T=1 --size T=2 --size T=15 --size T=16 --size T=17 --size T=65 | FileCheck %s
// RUN: mix-opt %s --mix-tile-pipeline="element=f64 form=recurrent chunk=4" -o %t.recurrent.mlir
// RUN: mix-evaluate %s --against %t.recurrent.mlir --range a=-1:1 --range b=0:0.5 --range k=-0.5:0.5 \
// RUN:   --size T=0 --size T=1 --size T=3 --size T=4 --size T=9 | FileCheck %s
// RUN: FileCheck %s --check-prefix=CHUNKED < %t.chunked.mlir
// RUN: FileCheck %s --check-prefix=RECURRENT < %t.recurrent.mlir
//
// CHECK: passed, 0 failed

!k = tensor<?x5xf64, #mix.axes<["T", "K"]>>
!v = tensor<?x3xf64, #mix.axes<["T", "V"]>>
!g = tensor<?xf64, #mix.axes<["T"]>>
!s = tensor<5x3xf64, #mix.axes<["K", "V"]>>
!n = tensor<5xf64, #mix.axes<["K"]>>
!t = tensor<?xi64, #mix.axes<["t:T"]>>
!tk = tensor<?x5xf64, #mix.axes<["t:T", "K"]>>
!tv = tensor<?x3xf64, #mix.axes<["t:T", "V"]>>
!tg = tensor<?xf64, #mix.axes<["t:T"]>>

// One loop over chunks carries the state. A key that is an argument is loaded once and used
// for every product; the update depends on the state, so there is a triangular system.
// CHUNKED-LABEL: func.func @gated_delta_0
// CHUNKED-SAME:    %arg8: i1 {tile.given = "S"}
// CHUNKED-SAME:    tile.form = "chunked"
// CHUNKED:         scf.forall
// CHUNKED:           %[[S:.*]] = scf.for {{.*}} iter_args(%[[CARRIED:.*]] = {{.*}}) -> (tensor<5x3xf64>)
// CHUNKED:             tile.decay_ratio
// CHUNKED:             tile.solve {{.*}} scale(
// CHUNKED-NOT:         scf.for
// CHUNKED:             scf.yield
// CHUNKED:           tile.store %[[S]]

// Token by token there is a loop over the rows of a chunk, and no such system.
// RECURRENT-LABEL: func.func @gated_delta_0
// RECURRENT:           scf.for
// RECURRENT:             scf.for
// RECURRENT-NOT:         tile.solve
func.func @gated_delta(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"},
                       %a: !g {mix.name = "a"}, %b: !g {mix.name = "b"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !s {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : !s
  %s0 = mix.initial "S" %zero : !s
  %t = mix.iota : !t
  %qt = mix.read %q["T" = %t] : !k, !t -> !tk
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %at = mix.read %a["T" = %t] : !g, !t -> !tg
  %bt = mix.read %b["T" = %t] : !g, !t -> !tg
  %nb = arith.negf %bt : !tg
  %bk = mix.broadcast %bt : !tg to !tv
  %bv = arith.mulf %bk, %vt : !tv
  %ak = mix.broadcast %at : !tg to !tk
  %w = arith.mulf %ak, %kt : !tk
  %sT, %ot = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%at) lefts(%kt) values(%bv)
    reads(%w) coefs(%nb) at [0][0] queries(%qt) after [true]
    : (!s, !tg, !tk, !tv, !tk, !tg, !tk) -> (!s, !tv)
  %o = mix.bind %ot along "t:T" : !tv to !v
  return %o, %sT : !v, !s
}

// No decay; two states share the products of queries and keys; the states have one and
// two axes; what is read before the update goes along.
// CHUNKED-LABEL: func.func @normalised_0
// CHUNKED-NOT:     tile.solve
// CHUNKED-NOT:     tile.decay_ratio
// CHUNKED-LABEL: func.func @channel_decay_0
func.func @normalised(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !s {mix.name = "S", mix.kind = "state"},
        !n {mix.name = "z", mix.kind = "state"}) attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : !s
  %zeros = arith.constant dense<0.0> : !n
  %one = arith.constant dense<1.0> : tensor<f64>
  %s0 = mix.initial "S" %zero : !s
  %z0 = mix.initial "z" %zeros : !n
  %t = mix.iota : !t
  %qt = mix.read %q["T" = %t] : !k, !t -> !tk
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %ones = mix.broadcast %one : tensor<f64> to !tg
  %eq = math.exp %qt : !tk
  %ek = math.exp %kt : !tk
  %sT, %num, %old = mix.affine_scan "t:T" contracting ["K"] init(%s0) lefts(%ek) values(%vt)
    at [] [] queries(%eq, %eq) after [true, false]
    : (!s, !tk, !tv, !tk, !tk) -> (!s, !tv, !tv)
  %zT, %den = mix.affine_scan "t:T" contracting ["K"] init(%z0) lefts(%ek) values(%ones)
    at [] [] queries(%eq) after [true] : (!n, !tk, !tg, !tk) -> (!n, !tg)
  %square = arith.mulf %den, %den : !tg
  %bound = arith.addf %square, %ones : !tg
  %den2 = mix.broadcast %bound : !tg to !tv
  %ratio = arith.divf %num, %den2 : !tv
  %sum = arith.addf %ratio, %old : !tv
  %o = mix.bind %sum along "t:T" : !tv to !v
  return %o, %sT, %zT : !v, !s, !n
}

// A decay per contracted channel needs its own pair products.
// CHUNKED:         tile.decayed_gram {{.*}} {exclusive}
// CHUNKED:         tile.solve
func.func @channel_decay(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"},
                         %a: !k {mix.name = "a"}, %b: !g {mix.name = "b"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !s {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : !s
  %s0 = mix.initial "S" %zero : !s
  %t = mix.iota : !t
  %qt = mix.read %q["T" = %t] : !k, !t -> !tk
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %at = mix.read %a["T" = %t] : !k, !t -> !tk
  %bt = mix.read %b["T" = %t] : !g, !t -> !tg
  %sT, %ot, %ob = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%at) lefts(%kt)
    values(%vt) reads(%kt) coefs(%bt) at [0][0] queries(%qt, %kt) after [true, false]
    : (!s, !tk, !tk, !tv, !tk, !tg, !tk, !tk) -> (!s, !tv, !tv)
  %sum = arith.addf %ot, %ob : !tv
  %o = mix.bind %sum along "t:T" : !tv to !v
  return %o, %sT : !v, !s
}

// A decay per free channel, and a write strength per free channel: `scale` is a matrix.
// CHUNKED-LABEL: func.func @value_decay_0
// CHUNKED:         tile.solve {{.*}} scale({{.*}}) decay(
// CHUNKED:         tile.decayed_apply
func.func @value_decay(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"},
                       %a: !v {mix.name = "a"}, %b: !v {mix.name = "b"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !s {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.5> : !s
  %s0 = mix.initial "S" %zero : !s
  %t = mix.iota : !t
  %qt = mix.read %q["T" = %t] : !k, !t -> !tk
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %at = mix.read %a["T" = %t] : !v, !t -> !tv
  %bt = mix.read %b["T" = %t] : !v, !t -> !tv
  %sT, %ot, %ob = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%at) lefts(%kt, %qt)
    values(%vt, %bt) reads(%kt) coefs(%bt) at [0][0] queries(%qt, %kt) after [true, false]
    : (!s, !tv, !tk, !tk, !tv, !tv, !tk, !tv, !tk, !tk) -> (!s, !tv, !tv)
  %sum = arith.addf %ot, %ob : !tv
  %o = mix.bind %sum along "t:T" : !tv to !v
  return %o, %sT : !v, !s
}

// Two updates that both read the state: virtual rows, two to a token.
// CHUNKED-LABEL: func.func @two_updates_0
// CHUNKED:         tile.solve {{.*}} {group = 2 : i64} : (tensor<32x32xf64>, tensor<32x3xf64>)
func.func @two_updates(%q: !k {mix.name = "q"}, %k: !k {mix.name = "k"}, %v: !v {mix.name = "v"},
                       %a: !g {mix.name = "a"}, %b: !g {mix.name = "b"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !s {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : !s
  %s0 = mix.initial "S" %zero : !s
  %tenth = arith.constant dense<0.1> : tensor<f64>
  %half = mix.broadcast %tenth : tensor<f64> to !tk
  %t = mix.iota : !t
  %q0 = mix.read %q["T" = %t] : !k, !t -> !tk
  %qt = arith.mulf %q0, %half : !tk
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %at = mix.read %a["T" = %t] : !g, !t -> !tg
  %bt = mix.read %b["T" = %t] : !g, !t -> !tg
  %sT, %ot = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%at) lefts(%kt, %qt, %kt)
    values(%vt, %vt, %vt) reads(%kt, %qt) coefs(%bt, %at, %bt) at [0, 1, 1] [0, 0, 1]
    queries(%qt) after [true]
    : (!s, !tg, !tk, !tk, !tk, !tv, !tv, !tv, !tk, !tk, !tg, !tg, !tg, !tk) -> (!s, !tv)
  %o = mix.bind %ot along "t:T" : !tv to !v
  return %o, %sT : !v, !s
}

// The decay of a state of four axes is constant; two axes are contracted, the left has only
// one of them.
!w = tensor<2x3x5xf64, #mix.axes<["H", "V", "K"]>>
!th = tensor<?x2x5xf64, #mix.axes<["t:T", "H", "K"]>>
func.func @two_axes(%k: !k {mix.name = "k"}, %v: !v {mix.name = "v"})
    -> (!v {mix.name = "o", mix.kind = "output"}, !w {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : !w
  %s0 = mix.initial "S" %zero : !w
  %scalar = arith.constant dense<0.75> : tensor<f64>
  %gamma = mix.broadcast %scalar : tensor<f64> to !tg
  %t = mix.iota : !t
  %kt = mix.read %k["T" = %t] : !k, !t -> !tk
  %kh = mix.broadcast %kt : !tk to !th
  %vt = mix.read %v["T" = %t] : !v, !t -> !tv
  %sT, %ot = mix.affine_scan "t:T" contracting ["H", "K"] init(%s0) decay(%gamma) lefts(%kt)
    values(%vt) reads(%kt) coefs(%gamma) at [0][0] queries(%kh) after [true]
    : (!w, !tg, !tk, !tv, !tk, !tg, !th) -> (!w, !tv)
  %o = mix.bind %ot along "t:T" : !tv to !v
  return %o, %sT : !v, !w
}
