// What is read at computed positions is computed there.
//
// RUN: mix-opt %s --pass-pipeline='builtin.module(func.func(mix-sink-reads,cse))' -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=1,B=1 --size T=7,B=2 --size T=40,B=10 | FileCheck %s --check-prefix=SAME
// RUN: FileCheck %s < %t.mlir
//
// SAME: passed, 0 failed

!x = tensor<?xf64, #mix.axes<["T"]>>
!i = tensor<?xi64, #mix.axes<["i:T"]>>
!j = tensor<?xi64, #mix.axes<["j:T"]>>
!xi = tensor<?xf64, #mix.axes<["i:T"]>>
!xj = tensor<?xf64, #mix.axes<["j:T"]>>
!s = tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>

// s[i, j] = x[i] exp(x[j]) at j = 2 i + 1, which may lie behind the end: there it is 0.
// CHECK-LABEL: func.func @beyond
// CHECK:         %[[DOUBLE:.*]] = arith.addi %[[I:.*]], %[[I]]
// CHECK:         %[[E:.*]] = arith.addi %[[DOUBLE]]
// CHECK:         %[[X:.*]] = mix.read %arg0{{ ?}}["T" = %[[E]]] : {{.*}} -> tensor<?xf64, #mix.axes<["i:T"]>>
// CHECK:         math.exp %[[X]] : tensor<?xf64, #mix.axes<["i:T"]>>
// CHECK:         mix.size "T"
// CHECK:         arith.select
// CHECK-NOT:     mix.read
func.func @beyond(%x: !x {mix.name = "x"}) -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %i = mix.iota : !i
  %j = mix.iota : !j
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %xj = mix.read %x["T" = %j] : !x, !j -> !xj
  %e = math.exp %xj : !xj
  %xib = mix.broadcast %xi : !xi to !s
  %eb = mix.broadcast %e : !xj to !s
  %s = arith.mulf %xib, %eb : !s
  %one = arith.constant dense<1> : tensor<i64>
  %ones = mix.broadcast %one : tensor<i64> to !i
  %double = arith.addi %i, %i : !i
  %at = arith.addi %double, %ones : !i
  %r = mix.read %s["j:T" = %at] : !s, !i -> !xi
  %o = mix.bind %r along "i:T" : !xi to !x
  return %o : !x
}

// The block of a position always exists, so nothing is checked; a sum over features is
// formed again at the other position.
!w = tensor<?x3xf64, #mix.axes<["B", "D"]>>
!b = tensor<?xi64, #mix.axes<["b:B"]>>
!wb = tensor<?x3xf64, #mix.axes<["b:B", "D"]>>
!sb = tensor<?xf64, #mix.axes<["b:B"]>>
// CHECK-LABEL: func.func @block
// CHECK:         %[[E:.*]] = arith.floordivsi
// CHECK:         %[[W:.*]] = mix.read %arg1{{ ?}}["B" = %[[E]]]
// CHECK:         mix.reduce sum %[[W]] over ["D"] : {{.*}} -> tensor<?xf64, #mix.axes<["i:T"]>>
// CHECK-NOT:     arith.select
func.func @block(%x: !x {mix.name = "x"}, %w: !w {mix.name = "w"})
    -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer, mix.blocks = {B = ["T", 4 : i64]}} {
  %i = mix.iota : !i
  %b = mix.iota : !b
  %wb = mix.read %w["B" = %b] : !w, !b -> !wb
  %sum = mix.reduce sum %wb over ["D"] : !wb -> !sb
  %four = arith.constant dense<4> : tensor<i64>
  %fours = mix.broadcast %four : tensor<i64> to !i
  %at = arith.floordivsi %i, %fours : !i
  %r = mix.read %sum["b:B" = %at] : !sb, !i -> !xi
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %y = arith.addf %r, %xi : !xi
  %o = mix.bind %y along "i:T" : !xi to !x
  return %o : !x
}
