// The gated delta rule, as the frontend writes it, becomes one affine scan of
// rank 1 whose read has the decay folded in, and still means the same.
//
// RUN: mix-opt --mix-normalize-recurrences %s | FileCheck %s
// RUN: mix-opt --mix-normalize-recurrences %s -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=33,K=5,V=7 --range g=-1:0 --range beta=0:1 --seed 3

#Q = #mix.axes<["T", "K"]>
#V = #mix.axes<["T", "V"]>
#T = #mix.axes<["T"]>
#k = #mix.axes<["K"]>
#v = #mix.axes<["V"]>
#S = #mix.axes<["K", "V"]>

// CHECK-LABEL: func.func @gated_delta_rule
// CHECK-DAG:   %[[T:.*]] = mix.iota : tensor<?xi64, #mix.axes<["t:T"]>>
// CHECK-DAG:   %[[K:.*]] = mix.read %{{.*}}["T" = %[[T]]] : {{.*}} -> tensor<?x?xf64, #mix.axes<["t:T", "K"]>>
// CHECK-DAG:   %[[A:.*]] = math.exp %{{.*}} : tensor<?xf64, #mix.axes<["t:T"]>>
// CHECK-NOT:   mix.for
// CHECK:       mix.affine_scan "t:T" contracting ["K"] init(%{{.*}}) decay(%[[A]]) lefts(%[[K]])
// CHECK-SAME:    reads(%[[K]]) coefs(%{{.*}}) at [0] [0] queries(%{{.*}}) after [true] {mix.states = ["S"]}
// CHECK:       mix.bind
func.func @gated_delta_rule(
    %q: tensor<?x?xf64, #Q> {mix.name = "q", mix.kind = "input"},
    %k: tensor<?x?xf64, #Q> {mix.name = "k", mix.kind = "input"},
    %v: tensor<?x?xf64, #V> {mix.name = "v", mix.kind = "input"},
    %g: tensor<?xf64, #T> {mix.name = "g", mix.kind = "input"},
    %beta: tensor<?xf64, #T> {mix.name = "beta", mix.kind = "input"})
    -> (tensor<?x?xf64, #V> {mix.name = "o", mix.kind = "output"},
        tensor<?x?xf64, #S> {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : tensor<f64>
  %z = mix.broadcast %zero : tensor<f64> to tensor<?x?xf64, #S>
  %s0 = mix.initial "S" %z : tensor<?x?xf64, #S>
  %sT, %o = mix.for "T" states ["S"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<?x?xf64, #S>):
    %gt = mix.read %g["T" = %t] : tensor<?xf64, #T>, tensor<i64> -> tensor<f64>
    %kt = mix.read %k["T" = %t] : tensor<?x?xf64, #Q>, tensor<i64> -> tensor<?xf64, #k>
    %vt = mix.read %v["T" = %t] : tensor<?x?xf64, #V>, tensor<i64> -> tensor<?xf64, #v>
    %bt = mix.read %beta["T" = %t] : tensor<?xf64, #T>, tensor<i64> -> tensor<f64>
    %qt = mix.read %q["T" = %t] : tensor<?x?xf64, #Q>, tensor<i64> -> tensor<?xf64, #k>
    // S = exp(g[t]) * S
    %a = math.exp %gt : tensor<f64>
    %ab = mix.broadcast %a : tensor<f64> to tensor<?x?xf64, #S>
    %s1 = arith.mulf %ab, %s : tensor<?x?xf64, #S>
    // S = S + beta[t] * k[t] * (v[t] - dot(k[t], S))
    %kb = mix.broadcast %kt : tensor<?xf64, #k> to tensor<?x?xf64, #S>
    %ks = arith.mulf %kb, %s1 : tensor<?x?xf64, #S>
    %r = mix.reduce sum %ks over ["K"] : tensor<?x?xf64, #S> -> tensor<?xf64, #v>
    %d = arith.subf %vt, %r : tensor<?xf64, #v>
    %bk = mix.broadcast %bt : tensor<f64> to tensor<?xf64, #k>
    %kk = arith.mulf %bk, %kt : tensor<?xf64, #k>
    %kkb = mix.broadcast %kk : tensor<?xf64, #k> to tensor<?x?xf64, #S>
    %db = mix.broadcast %d : tensor<?xf64, #v> to tensor<?x?xf64, #S>
    %w = arith.mulf %kkb, %db : tensor<?x?xf64, #S>
    %s2 = arith.addf %s1, %w : tensor<?x?xf64, #S>
    // o[t] = dot(q[t], S)
    %qb = mix.broadcast %qt : tensor<?xf64, #k> to tensor<?x?xf64, #S>
    %qs = arith.mulf %qb, %s2 : tensor<?x?xf64, #S>
    %ot = mix.reduce sum %qs over ["K"] : tensor<?x?xf64, #S> -> tensor<?xf64, #v>
    mix.yield %s2, %ot : tensor<?x?xf64, #S>, tensor<?xf64, #v>
  } : (tensor<?x?xf64, #S>) -> (tensor<?x?xf64, #S>, tensor<?x?xf64, #V>)
  return %o, %sT : tensor<?x?xf64, #V>, tensor<?x?xf64, #S>
}
