// What attention does to every weight is few instructions.
//
// RUN: mix-opt %s --mix-gpu-lower-math=chip=gfx942 | FileCheck %s --check-prefixes=CHECK,AMD
// RUN: mix-opt %s --mix-gpu-lower-math=chip=sm_80 | FileCheck %s --check-prefixes=CHECK,NVIDIA

// The exponent of a difference is a fused operation, where the error may grow.
//
// CHECK-LABEL: @weight
// CHECK-SAME: %[[X:.*]]: f32, %[[MAX:.*]]: f32
// CHECK: %[[SHIFT:.*]] = arith.mulf %[[MAX]], %{{.*}} : f32
// CHECK: math.fma %[[X]], %{{.*}}, %[[SHIFT]] : f32
// AMD: amdgcn.exp2
// NVIDIA: nvvm.ex2.approx
func.func @weight(%x: f32, %max: f32) -> f32 {
  %difference = arith.subf %x, %max : f32
  %weight = math.exp %difference fastmath<afn> : f32
  return %weight : f32
}

// A factor that the target may round is rounded in two instructions where the chip has none for it.
//
// CHECK-LABEL: @factor
// NVIDIA: arith.truncf
// AMD-NOT: arith.truncf
// AMD: %[[BITS:.*]] = arith.addi %{{.*}}, %{{.*}} : i32
// AMD: arith.shrui %[[BITS]], %{{.*}} : i32
func.func @factor(%x: f32) -> bf16 {
  %rounded = arith.truncf %x fastmath<contract> : f32 to bf16
  return %rounded : bf16
}

// A result is rounded to nearest, ties to even.
//
// CHECK-LABEL: @result
// CHECK: arith.truncf
func.func @result(%x: f32) -> bf16 {
  %rounded = arith.truncf %x : f32 to bf16
  return %rounded : bf16
}
