// The comparison of mix-evaluate itself can fail: a map against the same map with
// another sign, and a recurrence against its normal form.
//
// RUN: split-file %s %t
// RUN: mix-evaluate %t/loop.mlir --against %t/scan.mlir --size T=0,K=3,V=2 --size T=5,K=3,V=2 \
// RUN:   --range a=-1:1 | FileCheck %s --check-prefix=SAME
// RUN: not mix-evaluate %t/loop.mlir --against %t/wrong.mlir --size T=5,K=3,V=2 \
// RUN:   | FileCheck %s --check-prefix=WRONG

// SAME: simple T=0,K=3,V=2: error
// SAME: simple T=0,K=3,V=2 with initial states: error
// SAME: simple T=5,K=3,V=2: error
// SAME: simple T=5,K=3,V=2 with initial states: error
// SAME: 4 passed, 0 failed
// WRONG: FAILED
// WRONG: 0 passed, 2 failed

//--- loop.mlir
func.func @simple(%k: tensor<?x?xf64, #mix.axes<["T", "K"]>> {mix.name = "k"},
                  %v: tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "v"},
                  %a: tensor<?xf64, #mix.axes<["T"]>> {mix.name = "a"})
    -> (tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "o", mix.kind = "output"},
        tensor<?x?xf64, #mix.axes<["K", "V"]>> {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : tensor<f64>
  %zeros = mix.broadcast %zero : tensor<f64> to tensor<?x?xf64, #mix.axes<["K", "V"]>>
  %s0 = mix.initial "S" %zeros : tensor<?x?xf64, #mix.axes<["K", "V"]>>
  %sT, %o = mix.for "T" states ["S"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<?x?xf64, #mix.axes<["K", "V"]>>):
    %at = mix.read %a["T" = %t] : tensor<?xf64, #mix.axes<["T"]>>, tensor<i64> -> tensor<f64>
    %kt = mix.read %k["T" = %t] : tensor<?x?xf64, #mix.axes<["T", "K"]>>, tensor<i64>
      -> tensor<?xf64, #mix.axes<["K"]>>
    %vt = mix.read %v["T" = %t] : tensor<?x?xf64, #mix.axes<["T", "V"]>>, tensor<i64>
      -> tensor<?xf64, #mix.axes<["V"]>>
    %ab = mix.broadcast %at : tensor<f64> to tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %kb = mix.broadcast %kt : tensor<?xf64, #mix.axes<["K"]>>
      to tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %vb = mix.broadcast %vt : tensor<?xf64, #mix.axes<["V"]>>
      to tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %decayed = arith.mulf %ab, %s : tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %kv = arith.mulf %kb, %vb : tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %next = arith.addf %decayed, %kv : tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %product = arith.mulf %kb, %next : tensor<?x?xf64, #mix.axes<["K", "V"]>>
    %ot = mix.reduce sum %product over ["K"] : tensor<?x?xf64, #mix.axes<["K", "V"]>>
      -> tensor<?xf64, #mix.axes<["V"]>>
    mix.yield %next, %ot : tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["V"]>>
  } : (tensor<?x?xf64, #mix.axes<["K", "V"]>>)
    -> (tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?x?xf64, #mix.axes<["T", "V"]>>)
  return %o, %sT : tensor<?x?xf64, #mix.axes<["T", "V"]>>, tensor<?x?xf64, #mix.axes<["K", "V"]>>
}

//--- scan.mlir
func.func @simple(%k: tensor<?x?xf64, #mix.axes<["T", "K"]>> {mix.name = "k"},
                  %v: tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "v"},
                  %a: tensor<?xf64, #mix.axes<["T"]>> {mix.name = "a"})
    -> (tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "o", mix.kind = "output"},
        tensor<?x?xf64, #mix.axes<["K", "V"]>> {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : tensor<f64>
  %zeros = mix.broadcast %zero : tensor<f64> to tensor<?x?xf64, #mix.axes<["K", "V"]>>
  %s0 = mix.initial "S" %zeros : tensor<?x?xf64, #mix.axes<["K", "V"]>>
  %t = mix.iota : tensor<?xi64, #mix.axes<["t:T"]>>
  %at = mix.read %a["T" = %t] : tensor<?xf64, #mix.axes<["T"]>>, tensor<?xi64, #mix.axes<["t:T"]>>
    -> tensor<?xf64, #mix.axes<["t:T"]>>
  %kt = mix.read %k["T" = %t] : tensor<?x?xf64, #mix.axes<["T", "K"]>>,
    tensor<?xi64, #mix.axes<["t:T"]>> -> tensor<?x?xf64, #mix.axes<["t:T", "K"]>>
  %vt = mix.read %v["T" = %t] : tensor<?x?xf64, #mix.axes<["T", "V"]>>,
    tensor<?xi64, #mix.axes<["t:T"]>> -> tensor<?x?xf64, #mix.axes<["t:T", "V"]>>
  %sT, %ot = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%at) lefts(%kt) values(%vt)
    at [] [] queries(%kt) after [true]
    : (tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x?xf64, #mix.axes<["t:T", "K"]>>, tensor<?x?xf64, #mix.axes<["t:T", "V"]>>,
       tensor<?x?xf64, #mix.axes<["t:T", "K"]>>)
    -> (tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?x?xf64, #mix.axes<["t:T", "V"]>>)
  %o = mix.bind %ot along "t:T" : tensor<?x?xf64, #mix.axes<["t:T", "V"]>>
    to tensor<?x?xf64, #mix.axes<["T", "V"]>>
  return %o, %sT : tensor<?x?xf64, #mix.axes<["T", "V"]>>, tensor<?x?xf64, #mix.axes<["K", "V"]>>
}

//--- wrong.mlir
func.func @simple(%k: tensor<?x?xf64, #mix.axes<["T", "K"]>> {mix.name = "k"},
                  %v: tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "v"},
                  %a: tensor<?xf64, #mix.axes<["T"]>> {mix.name = "a"})
    -> (tensor<?x?xf64, #mix.axes<["T", "V"]>> {mix.name = "o", mix.kind = "output"},
        tensor<?x?xf64, #mix.axes<["K", "V"]>> {mix.name = "S", mix.kind = "state"})
    attributes {mix.mixer} {
  %zero = arith.constant dense<0.0> : tensor<f64>
  %zeros = mix.broadcast %zero : tensor<f64> to tensor<?x?xf64, #mix.axes<["K", "V"]>>
  %s0 = mix.initial "S" %zeros : tensor<?x?xf64, #mix.axes<["K", "V"]>>
  return %v, %s0 : tensor<?x?xf64, #mix.axes<["T", "V"]>>, tensor<?x?xf64, #mix.axes<["K", "V"]>>
}
