// RUN: mix-opt %s -split-input-file -verify-diagnostics --mix-lift-maps

// A scan is a recurrence in normal form: it has no form with one more axis.
func.func @scan_in_a_map(%s0: tensor<?xf64, #mix.axes<["K"]>>,
                         %q: tensor<?x?xf64, #mix.axes<["t:T", "K"]>>) attributes {mix.mixer} {
  %o = mix.for "B" states [] () {
  ^bb0(%b: tensor<i64>):
    %x = arith.sitofp %b : tensor<i64> to tensor<f64>
    %xk = mix.broadcast %x : tensor<f64> to tensor<?xf64, #mix.axes<["K"]>>
    %init = arith.addf %s0, %xk : tensor<?xf64, #mix.axes<["K"]>>
    // expected-error@+1 {{'mix.affine_scan' cannot be lifted out of its loop}}
    %sT = mix.affine_scan "t:T" contracting ["K"] init(%init) at [][] after []
      : (tensor<?xf64, #mix.axes<["K"]>>) -> tensor<?xf64, #mix.axes<["K"]>>
    mix.yield %sT : tensor<?xf64, #mix.axes<["K"]>>
  } : () -> tensor<?x?xf64, #mix.axes<["B", "K"]>>
  return
}
