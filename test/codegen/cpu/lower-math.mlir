// RUN: mix-opt %s -mix-cpu-lower-math=chip=x86-64-v4 | FileCheck %s --check-prefixes=CHECK,FMA
// RUN: mix-opt %s -mix-cpu-lower-math=chip=x86-64-v2 | FileCheck %s --check-prefixes=CHECK,NOFMA

// An exponential in single precision is straight-line arithmetic.
// CHECK-LABEL: func.func @single
// CHECK-NOT: math.exp
// CHECK-NOT: call
// FMA: math.fma {{.*}} : vector<16xf32>
// NOFMA-NOT: math.fma
// CHECK: return
func.func @single(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// An exponential whose error may grow with its argument is a power of 2, for which AVX-512 has
// instructions.
// CHECK-LABEL: func.func @weight
// FMA: %[[Y:.*]] = arith.mulf %{{.*}}, %{{.*}} : vector<16xf32>
// FMA: %[[F:.*]] = llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"(%[[Y]],
// FMA-COUNT-5: math.fma
// FMA: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%{{.*}}, %[[Y]],
// NOFMA-NOT: llvm.call_intrinsic
// CHECK: return
func.func @weight(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x fastmath<afn> : vector<16xf32>
  return %y : vector<16xf32>
}

// In double precision, a function that calls the C library lane by lane, shared by all uses.
// CHECK-LABEL: func.func @double
// CHECK-COUNT-2: call @mixwright_exp_x2
// CHECK: return
func.func @double(%x: vector<2xf64>) -> vector<2xf64> {
  %y = math.exp %x : vector<2xf64>
  %z = math.exp %y : vector<2xf64>
  return %z : vector<2xf64>
}

// A scalar has no lanes.
// CHECK-LABEL: func.func @scalar
// CHECK: call @sinf(%{{.*}}) : (f32) -> f32
func.func @scalar(%x: f32) -> f32 {
  %y = math.sin %x : f32
  return %y : f32
}

// What the machine has instructions for stays; so do fused operations where there are any.
// CHECK-LABEL: func.func @native
// CHECK: math.sqrt
// CHECK: math.floor
// FMA: math.fma
// NOFMA: arith.mulf
// NOFMA: arith.addf
func.func @native(%x: vector<4xf32>) -> vector<4xf32> {
  %y = math.sqrt %x : vector<4xf32>
  %z = math.floor %y : vector<4xf32>
  %w = math.fma %z, %z, %y : vector<4xf32>
  return %w : vector<4xf32>
}

// A maximum keeps NaN, but need not tell the zeros apart.
// CHECK-LABEL: func.func @maximum
// CHECK: arith.maximumf {{.*}} fastmath<nsz>
func.func @maximum(%x: vector<4xf32>, %y: vector<4xf32>) -> vector<4xf32> {
  %z = arith.maximumf %x, %y : vector<4xf32>
  return %z : vector<4xf32>
}

// One that need not keep NaN is a single instruction of x86.
// CHECK-LABEL: func.func @largest
// CHECK: %[[C:.*]] = arith.cmpf ogt, %[[S:.*]], %[[M:.*]] : vector<4xf32>
// CHECK: arith.select %[[C]], %[[S]], %[[M]]
func.func @largest(%m: vector<4xf32>, %s: vector<4xf32>) -> vector<4xf32> {
  %z = arith.maximumf %m, %s fastmath<nnan> : vector<4xf32>
  return %z : vector<4xf32>
}

// A quotient by a constant is a product, if the reciprocal is a normal number.
// CHECK-LABEL: func.func @quotients
// CHECK: %[[R:.*]] = arith.constant dense<2.000000e-02> : vector<4xf32>
// CHECK: arith.mulf %{{.*}}, %[[R]]
// CHECK: arith.divf
// CHECK: return
func.func @quotients(%x: vector<4xf32>) -> vector<4xf32> {
  %n = arith.constant dense<50.0> : vector<4xf32>
  %tiny = arith.constant dense<1.0e-45> : vector<4xf32>
  %y = arith.divf %x, %n : vector<4xf32>
  %z = arith.divf %y, %tiny : vector<4xf32>
  return %z : vector<4xf32>
}

// A small constant power is a product.
// CHECK-LABEL: func.func @square
// CHECK: %[[Y:.*]] = arith.mulf %[[X:.*]], %[[X]] : vector<2xf64>
// CHECK: return %[[Y]]
func.func @square(%x: vector<2xf64>) -> vector<2xf64> {
  %two = arith.constant 2.0 : f64
  %n = vector.broadcast %two : f64 to vector<2xf64>
  %y = math.powf %x, %n : vector<2xf64>
  return %y : vector<2xf64>
}

// CHECK: func.func private @exp(f64) -> f64
// CHECK: func.func private @mixwright_exp_x2
// CHECK-COUNT-2: call @exp
// CHECK-NOT: call
// CHECK: return
