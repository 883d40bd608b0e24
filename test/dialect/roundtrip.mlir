// RUN: mix-opt %s | mix-opt | FileCheck %s

// CHECK-LABEL: func.func @delta
func.func @delta(%s0: tensor<4x8xf64, #mix.axes<["K", "V"]>>,
                 %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>,
                 %bv: tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
                 %nb: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // CHECK: mix.affine_scan "t:T" contracting ["K"]
  %sT, %o = mix.affine_scan "t:T" contracting ["K"] init(%s0) lefts(%k) values(%bv)
    reads(%k) coefs(%nb) at [0][0] queries(%k) after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
    -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)
  return
}
