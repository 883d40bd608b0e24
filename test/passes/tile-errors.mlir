// What has no tile program stays as it is, with the reason where it arises; options that make no
// sense are refused.
//
// RUN: mix-opt %s --mix-tile -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: not mix-opt %s --mix-tile=form=fast 2>&1 | FileCheck %s --check-prefix=FORM
// RUN: not mix-opt %s --mix-tile=element=f8 2>&1 | FileCheck %s --check-prefix=ELEMENT
// RUN: not mix-opt %s --mix-tile="element=f64 state=bf16" 2>&1 | FileCheck %s --check-prefix=STATE
// RUN: not mix-opt %s --mix-tile=keys=0 2>&1 | FileCheck %s --check-prefix=KEYS
//
// FORM: error: option 'form' of mix-tile expects 'chunked', 'recurrent', 'step' or 'prefill', got 'fast'
// ELEMENT: error: option 'element' of mix-tile expects 'f32', 'f64', 'bf16' or 'f16', got 'f8'
// STATE: error: option 'state' of mix-tile expects '', or with tiles of f32 'bf16' or 'f16', got 'bf16'
// KEYS: error: option 'keys' of mix-tile expects a positive number, got '0'

!t = tensor<?xi64, #mix.axes<["t:T"]>>
!x = tensor<?x4xf64, #mix.axes<["T", "D"]>>
!xt = tensor<?x4xf64, #mix.axes<["t:T", "D"]>>

// CHECK: func.func @along_features({{.*}} attributes {mix.mixer, tile.not_tiled = "a prefix along a feature axis has no tile program yet"}
func.func @along_features(%x: !x {mix.name = "x"}) -> (!x {mix.name = "y", mix.kind = "output"})
    attributes {mix.mixer} {
  %t = mix.iota : !t
  %xt = mix.read %x["T" = %t] : !x, !t -> !xt
  // expected-remark @below {{'along_features' has no tile program: a prefix along a feature axis has no tile program yet}}
  %s = mix.prefix sum %xt along "D" : !xt
  %y = mix.bind %s along "t:T" : !xt to !x
  return %y : !x
}

// CHECK: func.func @selection
!b = tensor<?xi1, #mix.axes<["t:T"]>>
!r = tensor<?xf64, #mix.axes<["t:T"]>>
!y = tensor<?xf64, #mix.axes<["T"]>>
func.func @selection(%x: !y {mix.name = "x"}) -> (!y {mix.name = "y", mix.kind = "output"})
    attributes {mix.mixer} {
  %true = arith.constant dense<true> : tensor<i1>
  %all = mix.broadcast %true : tensor<i1> to !b
  %t = mix.iota : !t
  %xt = mix.read %x["T" = %t] : !y, !t -> !r
  // expected-remark @below {{'selection' has no tile program: a selection that was not brought to a list of positions has no tile program}}
  %top = mix.topk %xt where %all along "t:T" take 2 : !r, !b
  %kept = arith.uitofp %top : !b to !r
  %y = mix.bind %kept along "t:T" : !r to !y
  return %y : !y
}

// CHECK: func.func @pairs
!pairs = tensor<?x?xf64, #mix.axes<["t:T", "j:T"]>>
!triples = tensor<?x?x?xf64, #mix.axes<["t:T", "j:T", "n:T"]>>
func.func @pairs(%x: !y {mix.name = "x"}) -> (!y {mix.name = "y", mix.kind = "output"})
    attributes {mix.mixer} {
  %n = mix.iota : tensor<?xi64, #mix.axes<["n:T"]>>
  %xn = mix.read %x["T" = %n] : !y, tensor<?xi64, #mix.axes<["n:T"]>> -> tensor<?xf64, #mix.axes<["n:T"]>>
  %all = mix.broadcast %xn : tensor<?xf64, #mix.axes<["n:T"]>> to !triples
  // expected-remark @below {{'pairs' has no tile program: a reduction over tokens that has a result for every pair of positions would have to be stored}}
  %s = mix.reduce sum %all over ["n:T"] : !triples -> !pairs
  %r = mix.reduce max %s over ["j:T"] : !pairs -> !r
  %y = mix.bind %r along "t:T" : !r to !y
  return %y : !y
}

// CHECK: func.func @unknown_size
!u = tensor<?x?xf64, #mix.axes<["T", "D"]>>
!ut = tensor<?x?xf64, #mix.axes<["t:T", "D"]>>
func.func @unknown_size(%x: !u {mix.name = "x"}) -> (!u {mix.name = "y", mix.kind = "output"})
    attributes {mix.mixer} {
  %t = mix.iota : !t
  // expected-remark @below {{'unknown_size' has no tile program: a tile needs the whole axis 'D', whose size is not static}}
  %xt = mix.read %x["T" = %t] : !u, !t -> !ut
  %y = mix.bind %xt along "t:T" : !ut to !u
  return %y : !u
}

// A mixer beside them that has one is not held up.
// CHECK: func.func @copy_0({{.*}} attributes {{.*}}tile.mixer = "copy"
func.func @copy(%x: !x {mix.name = "x"}) -> (!x {mix.name = "y", mix.kind = "output"})
    attributes {mix.mixer} {
  %t = mix.iota : !t
  %xt = mix.read %x["T" = %t] : !x, !t -> !xt
  %y = mix.bind %xt along "t:T" : !xt to !x
  return %y : !x
}
