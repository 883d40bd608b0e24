// The contracts between levels, one violation each.
// RUN: split-file %s %t
// RUN: mix-opt %t/level1.mlir -split-input-file -verify-diagnostics --mix-verify-level=level=1
// RUN: mix-opt %t/level2.mlir -split-input-file -verify-diagnostics --mix-verify-level=level=2
// RUN: mix-opt %t/level3.mlir -split-input-file -verify-diagnostics --mix-verify-level=level=3
// RUN: not mix-opt %t/level1.mlir --mix-verify-level=level=4 2>&1 | FileCheck %s --check-prefix=LEVEL

// LEVEL: mix-verify-level: expects the level 1, 2 or 3, got 4

//--- level1.mlir
func.func @derived(%x: tensor<?xf64, #mix.axes<["t:T"]>>) attributes {mix.mixer} {
  // expected-error@+1 {{is a normal form of level 2, but level 1 is the spec as written}}
  %b = mix.bind %x along "t:T" : tensor<?xf64, #mix.axes<["t:T"]>> to tensor<?xf64, #mix.axes<["T"]>>
  return
}

// -----

func.func @classified(%s0: tensor<f64>) attributes {mix.mixer} {
  // expected-error@+1 {{has the class 'elementwise', which is derived on the way to level 2}}
  %s = mix.for "T" states ["s"] (%s0) class elementwise {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>):
    mix.yield %s : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @foreign(%x: tensor<4xf64>) attributes {mix.mixer} {
  // expected-error@+1 {{'tensor.cast' has no place in a mixer of level 1}}
  %y = tensor.cast %x : tensor<4xf64> to tensor<?xf64>
  return
}

//--- level2.mlir
func.func @map(%c: tensor<f64>) attributes {mix.mixer} {
  // expected-error@+1 {{is a map; maps of level 2 are straight-line code}}
  %o = mix.for "T" states [] () {
  ^bb0(%t: tensor<i64>):
    mix.yield %c : tensor<f64>
  } : () -> tensor<?xf64, #mix.axes<["T"]>>
  return
}

// -----

func.func @unclassified(%s0: tensor<f64>) attributes {mix.mixer} {
  // expected-error@+1 {{has no class}}
  %s = mix.for "T" states ["s"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>):
    mix.yield %s : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @silent(%s0: tensor<f64>) attributes {mix.mixer} {
  // expected-error@+1 {{is sequential without a reason}}
  %s = mix.for "T" states ["s"] (%s0) class sequential {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>):
    mix.yield %s : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @softmax(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<?xi1, #mix.axes<["j:T"]>>)
    attributes {mix.mixer} {
  // expected-error@+1 {{is not in normal form}}
  %p = mix.softmax (%s) where (%m) over [["j:T"]] : (tensor<?xf64, #mix.axes<["j:T"]>>),
    (tensor<?xi1, #mix.axes<["j:T"]>>) -> (tensor<?xf64, #mix.axes<["j:T"]>>)
  return
}

// -----

#pairs = #mix.axes<["t:T", "j:T"]>
func.func @stored(%s: tensor<?x?xf64, #pairs>) -> tensor<?x?xf64, #pairs> attributes {mix.mixer} {
  %e = math.exp %s : tensor<?x?xf64, #pairs>
  // expected-error@+1 {{would store a value of type 'tensor<?x?xf64, #mix.axes<["t:T", "j:T"]>>'}}
  return %e : tensor<?x?xf64, #pairs>
}

//--- level3.mlir
func.func @not_tiled(%x: tensor<f64>) attributes {tile.phase = 0 : i64} {
  // expected-error@+1 {{'mix.broadcast' has no place in a tile program}}
  %y = mix.broadcast %x : tensor<f64> to tensor<4xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @dynamic(%n: index) attributes {tile.phase = 0 : i64} {
  // expected-error@+1 {{makes a tile whose shape is not static: 'tensor<?xf64>'}}
  %y = tensor.empty(%n) : tensor<?xf64>
  return
}
