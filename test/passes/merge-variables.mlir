// Index variables that walk together get one name, unless their walks meet in a value.
//
// RUN: mix-opt %s --pass-pipeline='builtin.module(func.func(mix-merge-variables,cse))' -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=1 --size T=7 | FileCheck %s --check-prefix=SAME
// RUN: FileCheck %s < %t.mlir
//
// SAME: passed, 0 failed

!x = tensor<?xf64, #mix.axes<["T"]>>
!j = tensor<?xi64, #mix.axes<["j:T"]>>
!jx = tensor<?xf64, #mix.axes<["j:T"]>>
!l = tensor<?xi64, #mix.axes<["j.1:T"]>>
!lx = tensor<?xf64, #mix.axes<["j.1:T"]>>
!p = tensor<?x?xf64, #mix.axes<["j:T", "j.1:T"]>>

// The value over j is read at j.1: both are one walk, and load the argument once.
// CHECK-LABEL: func.func @together
// CHECK:         %[[J:.*]] = mix.iota : tensor<?xi64, #mix.axes<["j:T"]>>
// CHECK-NOT:     mix.iota
// CHECK:         %[[X:.*]] = mix.read %arg0{{ ?}}["T" = %[[J]]]
// CHECK-NOT:     mix.read
// CHECK:         %[[P:.*]] = arith.mulf %[[X]], %[[X]]
// CHECK-NOT:     j.1
// CHECK:         mix.reduce sum {{.*}} over ["j:T"]
func.func @together(%x: !x {mix.name = "x"})
    -> (tensor<f64> {mix.name = "y", mix.kind = "output"}) attributes {mix.mixer} {
  %j = mix.iota : !j
  %l = mix.iota : !l
  %xj = mix.read %x["T" = %j] : !x, !j -> !jx
  %p = arith.mulf %xj, %xj : !jx
  %pl = mix.read %p["j:T" = %l] : !jx, !l -> !lx
  %xl = mix.read %x["T" = %l] : !x, !l -> !lx
  %product = arith.addf %pl, %xl : !lx
  %y = mix.reduce sum %product over ["j.1:T"] : !lx -> tensor<f64>
  return %y : tensor<f64>
}

// Here a value has both axes: every pair counts, so the variables stay two.
// CHECK-LABEL: func.func @meeting
// CHECK:         mix.reduce sum {{.*}} over ["j:T"]
// CHECK:         mix.reduce sum {{.*}} over ["j.1:T"]
func.func @meeting(%x: !x {mix.name = "x"})
    -> (tensor<f64> {mix.name = "y", mix.kind = "output"}) attributes {mix.mixer} {
  %j = mix.iota : !j
  %l = mix.iota : !l
  %xj = mix.read %x["T" = %j] : !x, !j -> !jx
  %xl = mix.read %xj["j:T" = %l] : !jx, !l -> !lx
  %a = mix.broadcast %xj : !jx to !p
  %b = mix.broadcast %xl : !lx to !p
  %ab = arith.addf %a, %b : !p
  %sq = arith.mulf %ab, %ab : !p
  %inner = mix.reduce sum %sq over ["j:T"] : !p -> !lx
  %y = mix.reduce sum %inner over ["j.1:T"] : !lx -> tensor<f64>
  return %y : tensor<f64>
}
