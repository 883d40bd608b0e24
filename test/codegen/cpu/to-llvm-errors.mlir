// What has no conversion is an error and never more than that: not a crash, and no half-converted program.
//
// RUN: mix-opt %s --mix-cpu-to-llvm --split-input-file --verify-diagnostics

func.func @parallel_loop() {
  // expected-error @+1 {{'scf.forall' is not among what kernels are emitted in}}
  scf.forall (%i) in (4) {
  }
  return
}

// -----

func.func @affine_loop() {
  // expected-error @+1 {{'affine.for' is not among what kernels are emitted in}}
  affine.for %i = 0 to 4 {
  }
  return
}

// -----

func.func @view(%x: memref<4xf32>, %i: index) -> f32 {
  // expected-error @+1 {{'memref.load' is not among what kernels are emitted in}}
  %0 = memref.load %x[%i] : memref<4xf32>
  return %0 : f32
}

// -----

// expected-error @+1 {{failed to legalize operation 'func.func'}}
func.func @tile(%x: tensor<4xf32>) {
  return
}

// -----

func.func @matrix(%x: vector<4x8xf32>) -> vector<8x4xf32> {
  // expected-error @+1 {{failed to legalize operation 'vector.transpose'}}
  %0 = vector.transpose %x, [1, 0] : vector<4x8xf32> to vector<8x4xf32>
  return %0 : vector<8x4xf32>
}
