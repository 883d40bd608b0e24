// Whole sequences get an index variable, so that they are never stored.
//
// RUN: mix-opt %s --mix-index-tokens -cse | FileCheck %s
// RUN: mix-opt %s --mix-index-tokens -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=0,K=3 --size T=7,K=3 | FileCheck %s --check-prefix=SAME
// SAME: 4 passed, 0 failed

!x = tensor<?x?xf64, #mix.axes<["T", "K"]>>
!r = tensor<?xf64, #mix.axes<["T"]>>
!k = tensor<?xf64, #mix.axes<["K"]>>
!m = tensor<?xi1, #mix.axes<["T"]>>

// The score of a position with all others, as the recurrence that lifts the map will see it. The
// values between are used as they are, without going through their space.
// CHECK-LABEL: func.func @attention
// CHECK:       %[[ALL:.*]] = mix.iota : tensor<?xi64, #mix.axes<["T:T"]>>
// CHECK:       mix.for "T"
// CHECK:         %[[KEYS:.*]] = mix.read %arg1 ["T" = %[[ALL]]]
// CHECK:         arith.mulf %{{.*}}, %[[KEYS]] : tensor<?x?xf64, #mix.axes<["T:T", "K"]>>
// CHECK:         %[[S:.*]] = mix.reduce sum {{.*}} over ["K"]
// CHECK:         mix.softmax(%[[S]]) where({{.*}}) over {{\[\[}}"T:T"]]
// CHECK:         mix.reduce sum {{.*}} over ["T:T"]
func.func @attention(%q: !x {mix.name = "q"}, %k: !x {mix.name = "k"})
    -> (!x {mix.name = "o", mix.kind = "output"}) attributes {mix.mixer} {
  %true = arith.constant dense<true> : tensor<i1>
  %o = mix.for "T" states [] () {
  ^bb0(%t: tensor<i64>):
    %qt = mix.read %q["T" = %t] : !x, tensor<i64> -> !k
    %b = mix.broadcast %qt : !k to !x
    %product = arith.mulf %b, %k : !x
    %s = mix.reduce sum %product over ["K"] : !x -> !r
    %all = mix.broadcast %true : tensor<i1> to !m
    %p = mix.softmax (%s) where (%all) over [["T"]] : (!r), (!m) -> (!r)
    %pb = mix.broadcast %p : !r to !x
    %weighted = arith.mulf %pb, %k : !x
    %sum = mix.reduce sum %weighted over ["T"] : !x -> !k
    mix.yield %sum : !k
  } : () -> !x
  return %o : !x
}

// A result is bound to its space again. An axis that nothing walks is a feature axis.
// CHECK-LABEL: func.func @elementwise
// CHECK:       %[[E:.*]] = math.exp %{{.*}} : tensor<?x?xf64, #mix.axes<["T:T", "K"]>>
// CHECK:       %[[O:.*]] = mix.bind %[[E]] along "T:T"
// CHECK:       %[[F:.*]] = math.exp %arg1 : tensor<?xf64, #mix.axes<["K"]>>
// CHECK:       return %[[O]], %[[F]]
func.func @elementwise(%x: !x {mix.name = "x"}, %w: !k {mix.name = "w"})
    -> (!x {mix.name = "o", mix.kind = "output"}, !k {mix.name = "f", mix.kind = "output"})
    attributes {mix.mixer} {
  %t = mix.iota : tensor<?xi64, #mix.axes<["t:T"]>>
  %e = math.exp %x : !x
  %f = math.exp %w : !k
  return %e, %f : !x, !k
}
