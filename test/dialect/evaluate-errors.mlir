// What the evaluator refuses: one function per file part, one message each.
//
// RUN: split-file %s %t
// RUN: not mix-evaluate %t/two-sizes.mlir 2>&1 | FileCheck %s --check-prefix=TWO-SIZES
// RUN: not mix-evaluate %t/unbound.mlir 2>&1 | FileCheck %s --check-prefix=UNBOUND
// RUN: not mix-evaluate %t/unknown-op.mlir 2>&1 | FileCheck %s --check-prefix=UNKNOWN-OP
// RUN: not mix-evaluate %t/zero-divisor.mlir 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not mix-evaluate %t/unnamed.mlir 2>&1 | FileCheck %s --check-prefix=UNNAMED
// RUN: not mix-evaluate %t/not-given.mlir 2>&1 | FileCheck %s --check-prefix=NOT-GIVEN
// RUN: not mix-evaluate %t/unnamed.mlir --size T 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not mix-evaluate %t/unnamed.mlir --range g=1 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not mix-evaluate %t/empty.mlir 2>&1 | FileCheck %s --check-prefix=EMPTY

//--- two-sizes.mlir
// TWO-SIZES: axis 'K' has size 2 in 'x' but size 3 in the type of a value
func.func @f(%x: tensor<2xf64, #mix.axes<["K"]>> {mix.name = "x"}) attributes {mix.mixer} {
  %y = arith.constant dense<0.0> : tensor<3xf64, #mix.axes<["K"]>>
  return
}

//--- unbound.mlir
// UNBOUND: 'mix.iota': no input has the axis 'j:T'
func.func @f() attributes {mix.mixer} {
  %j = mix.iota : tensor<?xi64, #mix.axes<["j:T"]>>
  return
}

//--- unknown-op.mlir
// UNKNOWN-OP: unknown-op.mlir:3:8: 'math.cbrt': the evaluator does not know this op
func.func @f(%x: tensor<f64> {mix.name = "x"}) attributes {mix.mixer} {
  %y = math.cbrt %x : tensor<f64>
  return
}

//--- zero-divisor.mlir
// ZERO: 'arith.remsi': divides an integer by zero
func.func @f(%x: tensor<i64> {mix.name = "x"}) attributes {mix.mixer} {
  %zero = arith.constant dense<0> : tensor<i64>
  %y = arith.remsi %x, %zero : tensor<i64>
  return
}

//--- unnamed.mlir
// UNNAMED: an argument or result has no name or no axes
// SIZE: expected AXIS=SIZE in --size, got 'T'
// RANGE: expected NAME=LOW:HIGH in --range, got 'g=1'
func.func @f(%x: tensor<f64>) attributes {mix.mixer} {
  return
}

//--- not-given.mlir
// NOT-GIVEN: the size of axis 'T' of 'x' is not given (--size)
func.func @f(%x: tensor<?xf64, #mix.axes<["T"]>> {mix.name = "x"}) attributes {mix.mixer} {
  return
}

//--- empty.mlir
// EMPTY: the file has no mixer
func.func @f() {
  return
}
