// A selection is a list of positions per query, wherever it is asked about.
//
// RUN: mix-opt %s --pass-pipeline='builtin.module(func.func(mix-select-positions))' -o %t.mlir
// RUN: mix-evaluate %s --against %t.mlir --size T=1 --size T=7 --size T=40 | FileCheck %s --check-prefix=SAME
// RUN: FileCheck %s < %t.mlir
//
// SAME: passed, 0 failed

!x = tensor<?xf64, #mix.axes<["T"]>>
!i = tensor<?xi64, #mix.axes<["i:T"]>>
!j = tensor<?xi64, #mix.axes<["j:T"]>>
!xi = tensor<?xf64, #mix.axes<["i:T"]>>
!xj = tensor<?xf64, #mix.axes<["j:T"]>>
!s = tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>
!p = tensor<?x?xi64, #mix.axes<["i:T", "j:T"]>>
!b = tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>

// CHECK-LABEL: func.func @selection
    -> (!x {mix.name = "o", mix.kind = "output"})
    attributes {mix.mixer} {
  %i = mix.iota : !i
  %j = mix.iota : !j
  %xi = mix.read %x["T" = %i] : !x, !i -> !xi
  %xj = mix.read %x["T" = %j] : !x, !j -> !xj
  %xib = mix.broadcast %xi : !xi to !s
  %xjb = mix.broadcast %xj : !xj to !s
  %score = arith.mulf %xib, %xjb : !s
  %ib = mix.broadcast %i : !i to !p
  %jb = mix.broadcast %j : !j to !p
  %past = arith.cmpi sle, %jb, %ib : !p
  %top = mix.topk %score where %past along "j:T" take 3 : !s, !b
  %sum = mix.reduce sum %xjb where %top over ["j:T"] : !s, !b -> !xi
  %o = mix.bind %sum along "i:T" : !xi to !x
  return %o : !x
}
