// Folding of mix ops.
//
// RUN: mix-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @broadcast_to_the_same_type
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @broadcast_to_the_same_type(%x: tensor<4x?xf64, #mix.axes<["K", "V"]>>)
    -> tensor<4x?xf64, #mix.axes<["K", "V"]>> {
  %y = mix.broadcast %x : tensor<4x?xf64, #mix.axes<["K", "V"]>> to tensor<4x?xf64, #mix.axes<["K", "V"]>>
  return %y : tensor<4x?xf64, #mix.axes<["K", "V"]>>
}

// A permutation is not the identity.
// CHECK-LABEL: func.func @broadcast_permutes
// CHECK: mix.broadcast
func.func @broadcast_permutes(%x: tensor<4x4xf64, #mix.axes<["K", "V"]>>)
    -> tensor<4x4xf64, #mix.axes<["V", "K"]>> {
  %y = mix.broadcast %x : tensor<4x4xf64, #mix.axes<["K", "V"]>> to tensor<4x4xf64, #mix.axes<["V", "K"]>>
  return %y : tensor<4x4xf64, #mix.axes<["V", "K"]>>
}

// Pure ops without users go, whatever is inside.
// CHECK-LABEL: func.func @unused_ops_go
// CHECK-NEXT: return
func.func @unused_ops_go(%x: tensor<?xf64, #mix.axes<["K"]>>, %s0: tensor<f64>) {
  %n = mix.size "K" : tensor<i64>
  %sum = mix.reduce sum %x over ["K"] : tensor<?xf64, #mix.axes<["K"]>> -> tensor<f64>
  %f = mix.for "T" states ["S"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>):
    %next = arith.addf %s, %sum : tensor<f64>
    mix.yield %next : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

