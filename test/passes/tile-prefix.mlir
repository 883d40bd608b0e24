// A prefix along keys counts what it is a prefix of, whatever the reduction counts.
//
// RUN: mix-opt %s --mix-tile-pipeline="element=f64 rows=8 keys=4" -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=0 --size T=1 --size T=3 --size T=4 \
// RUN:   --size T=8 --size T=9 --size T=31 | FileCheck %s --check-prefix=NUMBERS
//
// NUMBERS: passed, 0 failed

!x = tensor<?xf64, #mix.axes<["T"]>>
!i = tensor<?xi64, #mix.axes<["i:T"]>>
!j = tensor<?xi64, #mix.axes<["j:T"]>>
!xi = tensor<?xf64, #mix.axes<["i:T"]>>
!xj = tensor<?xf64, #mix.axes<["j:T"]>>
!p = tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>
!pi = tensor<?x?xi64, #mix.axes<["i:T", "j:T"]>>
!m = tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>

// The reduction sees a window of two keys, the prefix one of seven: the loop starts with the
// first of the seven.
// CHECK-LABEL: func.func @wider_0
// CHECK:         %[[TWO:.*]] = arith.constant -2 : index
// CHECK-NEXT:    %[[NEAR:.*]] = arith.addi %{{.*}}, %[[TWO]]
// CHECK-NEXT:    %[[SEVEN:.*]] = arith.constant -7 : index
// CHECK-NEXT:    %[[FAR:.*]] = arith.addi %{{.*}}, %[[SEVEN]]
// CHECK:         %[[EITHER:.*]] = arith.minsi %[[NEAR]], %[[FAR]]
// CHECK:         %[[FIRST:.*]] = arith.maxsi %[[EITHER]]
// CHECK:         scf.for %{{.*}} = %[[FIRST]] to
func.func @wider(%x: !x {mix.name = "x"}) -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %i = mix.iota : !i
  %j = mix.iota : !j
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %xj = mix.read %x["T" = %j] : !x, !j -> !xj
  %xib = mix.broadcast %xi : !xi to !p
  %xjb = mix.broadcast %xj : !xj to !p
  %xx = arith.mulf %xib, %xjb : !p
  %ib = mix.broadcast %i : !i to !pi
  %jb = mix.broadcast %j : !j to !pi
  %distance = arith.subi %ib, %jb : !pi
  %two = arith.constant dense<2> : tensor<i64>
  %seven = arith.constant dense<7> : tensor<i64>
  %twos = mix.broadcast %two : tensor<i64> to !pi
  %sevens = mix.broadcast %seven : tensor<i64> to !pi
  %past = arith.cmpi sle, %jb, %ib : !pi
  %isNear = arith.cmpi sle, %distance, %twos : !pi
  %isFar = arith.cmpi sle, %distance, %sevens : !pi
  %near = arith.andi %past, %isNear : !m
  %far = arith.andi %past, %isFar : !m
  %zero = arith.constant dense<0.0> : tensor<f64>
  %zeros = mix.broadcast %zero : tensor<f64> to !p
  %counted = arith.select %far, %xx, %zeros : !m, !p
  %prefix = mix.prefix sum %counted along "j:T" : !p
  %o = mix.reduce sum %prefix where %near over ["j:T"] : !p, !m -> !xi
  %r = mix.bind %o along "i:T" : !xi to !x
  return %r : !x
}

// What lies outside of the select counts, so the loop starts at the first key.
// CHECK-LABEL: func.func @whole_0
// CHECK:         %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:         scf.for %{{.*}} = %[[ZERO]] to
func.func @whole(%x: !x {mix.name = "x"}) -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %i = mix.iota : !i
  %j = mix.iota : !j
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %xj = mix.read %x["T" = %j] : !x, !j -> !xj
  %xib = mix.broadcast %xi : !xi to !p
  %xjb = mix.broadcast %xj : !xj to !p
  %xx = arith.mulf %xib, %xjb : !p
  %ib = mix.broadcast %i : !i to !pi
  %jb = mix.broadcast %j : !j to !pi
  %own = arith.cmpi eq, %jb, %ib : !pi
  %half = arith.constant dense<0.5> : tensor<f64>
  %halves = mix.broadcast %half : tensor<f64> to !p
  %counted = arith.select %own, %xx, %halves : !m, !p
  %prefix = mix.prefix sum %counted along "j:T" : !p
  %o = mix.reduce sum %prefix where %own over ["j:T"] : !p, !m -> !xi
  %r = mix.bind %o along "i:T" : !xi to !x
  return %r : !x
}

// Along the rows, every key would have a carry of its own.
// CHECK: func.func @along_rows({{.*}} attributes {mix.mixer, tile.not_tiled = "a prefix of a value with two index variables is known only to a reduction over the variable that it runs along, and over no other"}
func.func @along_rows(%x: !x {mix.name = "x"}) -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %i = mix.iota : !i
  %j = mix.iota : !j
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %xj = mix.read %x["T" = %j] : !x, !j -> !xj
  %xib = mix.broadcast %xi : !xi to !p
  %xjb = mix.broadcast %xj : !xj to !p
  %xx = arith.mulf %xib, %xjb : !p
  // expected-remark @below {{'along_rows' has no tile program: a prefix of a value with two index variables}}
  %prefix = mix.prefix sum %xx along "i:T" : !p
  %o = mix.reduce sum %prefix over ["j:T"] : !p -> !xi
  %r = mix.bind %o along "i:T" : !xi to !x
  return %r : !x
}
