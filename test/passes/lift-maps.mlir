// Maps become straight-line code along the axis of their walk; what does not
// depend on the position is not copied.
//
// RUN: mix-opt --mix-lift-maps %s | FileCheck %s
// RUN: mix-opt --mix-lift-maps %s -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=0,L=3,K=3,B=2 --size T=9,L=5,K=4,B=3

#TK = #mix.axes<["T", "K"]>
#LK = #mix.axes<["L", "K"]>

// CHECK-LABEL: func.func @scores
// CHECK-SAME:    (%[[Q:.*]]: {{.*}}mix.name = "q"}, %[[K:.*]]: {{.*}}mix.name = "k"})
// CHECK-NOT:   mix.for
// CHECK-DAG:   %[[I:.*]] = mix.iota : tensor<?xi64, #mix.axes<["t:T"]>>
// CHECK-DAG:   %[[QI:.*]] = mix.read %[[Q]] ["T" = %[[I]]]
// CHECK-DAG:   %[[KJ:.*]] = mix.read %[[K]] {{.*}} -> tensor<?x?xf64, #mix.axes<["j:L", "K"]>>
// CHECK-DAG:   mix.broadcast %[[QI]] : {{.*}} to tensor<?x?x?xf64, #mix.axes<["t:T", "j:L", "K"]>>
// CHECK:       %[[S:.*]] = mix.reduce sum %{{.*}} over ["K"] : {{.*}} -> tensor<?x?xf64, #mix.axes<["t:T", "j:L"]>>
// CHECK:       %[[M:.*]] = mix.reduce max %[[S]] where %{{.*}} over ["j:L"]
// CHECK:       mix.bind %[[M]] along "t:T" : {{.*}} to tensor<?xf64, #mix.axes<["T"]>>
func.func @scores(%q: tensor<?x?xf64, #TK> {mix.name = "q", mix.kind = "input"},
                  %k: tensor<?x?xf64, #LK> {mix.name = "k", mix.kind = "input"})
    -> (tensor<?xf64, #mix.axes<["T"]>> {mix.name = "m", mix.kind = "output"})
    attributes {mix.mixer} {
  %m = mix.for "T" states [] () {
  ^bb0(%i: tensor<i64>):
    %j = mix.iota : tensor<?xi64, #mix.axes<["j:L"]>>
    %qi = mix.read %q["T" = %i] : tensor<?x?xf64, #TK>, tensor<i64>
      -> tensor<?xf64, #mix.axes<["K"]>>
    %kj = mix.read %k["L" = %j] : tensor<?x?xf64, #LK>, tensor<?xi64, #mix.axes<["j:L"]>>
      -> tensor<?x?xf64, #mix.axes<["j:L", "K"]>>
    %qb = mix.broadcast %qi : tensor<?xf64, #mix.axes<["K"]>>
      to tensor<?x?xf64, #mix.axes<["j:L", "K"]>>
    %qk = arith.mulf %qb, %kj : tensor<?x?xf64, #mix.axes<["j:L", "K"]>>
    %s = mix.reduce sum %qk over ["K"] : tensor<?x?xf64, #mix.axes<["j:L", "K"]>>
      -> tensor<?xf64, #mix.axes<["j:L"]>>
    %ib = mix.broadcast %i : tensor<i64> to tensor<?xi64, #mix.axes<["j:L"]>>
    %causal = arith.cmpi sle, %j, %ib : tensor<?xi64, #mix.axes<["j:L"]>>
    %mi = mix.reduce max %s where %causal over ["j:L"] : tensor<?xf64, #mix.axes<["j:L"]>>,
      tensor<?xi1, #mix.axes<["j:L"]>> -> tensor<f64>
    mix.yield %mi : tensor<f64>
  } : () -> tensor<?xf64, #mix.axes<["T"]>>
  return %m : tensor<?xf64, #mix.axes<["T"]>>
}

// A map whose output does not depend on the position still has one per position.
// CHECK-LABEL: func.func @constant
// CHECK:       mix.broadcast %{{.*}} to tensor<?xf64, #mix.axes<["t:T"]>>
func.func @constant(%q: tensor<?xf64, #mix.axes<["T"]>> {mix.name = "q", mix.kind = "input"},
                    %c: tensor<f64> {mix.name = "c", mix.kind = "param"})
    -> (tensor<?xf64, #mix.axes<["T"]>> {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %o = mix.for "T" states [] () {
  ^bb0(%i: tensor<i64>):
    mix.yield %c : tensor<f64>
  } : () -> tensor<?xf64, #mix.axes<["T"]>>
  return %o : tensor<?xf64, #mix.axes<["T"]>>
}

// A recurrence inside of a map runs for all its positions at once.
// CHECK-LABEL: func.func @nested
// CHECK:       mix.for "T" states ["h"](%{{.*}}) {
// CHECK-NEXT:  ^bb0(%{{.*}}: tensor<i64>, %{{.*}}: tensor<?xf64, #mix.axes<["t:B"]>>):
func.func @nested(%x: tensor<?x?xf64, #mix.axes<["B", "T"]>> {mix.name = "x", mix.kind = "input"})
    -> (tensor<?x?xf64, #mix.axes<["B", "T"]>> {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : tensor<f64>
  %o = mix.for "B" states [] () {
  ^bb0(%b: tensor<i64>):
    %xb = mix.read %x["B" = %b] : tensor<?x?xf64, #mix.axes<["B", "T"]>>, tensor<i64>
      -> tensor<?xf64, #mix.axes<["T"]>>
    %last, %all = mix.for "T" states ["h"] (%zero) {
    ^bb0(%t: tensor<i64>, %h: tensor<f64>):
      %xt = mix.read %xb["T" = %t] : tensor<?xf64, #mix.axes<["T"]>>, tensor<i64> -> tensor<f64>
      %sum = arith.addf %h, %xt : tensor<f64>
      %next = math.tanh %sum : tensor<f64>
      mix.yield %next, %next : tensor<f64>, tensor<f64>
    } : (tensor<f64>) -> (tensor<f64>, tensor<?xf64, #mix.axes<["T"]>>)
    mix.yield %all : tensor<?xf64, #mix.axes<["T"]>>
  } : () -> tensor<?x?xf64, #mix.axes<["B", "T"]>>
  return %o : tensor<?x?xf64, #mix.axes<["B", "T"]>>
}
