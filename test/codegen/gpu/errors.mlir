// What the GPU targets refuse, before LLVM sees it.
//
// RUN: not mix-opt %s --split-input-file --mix-gpu-pipeline=chip=gfx1100 2>&1 | FileCheck %s
// RUN: not mix-opt %s --split-input-file --mix-gpu-pipeline=chip=voodoo2 2>&1 | FileCheck %s --check-prefix=CHIP
//
// CHIP: unknown GPU 'voodoo2'; known are sm_80, {{.*}}gfx1201

func.func @double_0(%x: memref<8xf64, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "double", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    // CHECK: [[@LINE+1]]:10: error: the GPU targets compute in f32, got 'f64'
    %t = tile.load %x[%c0] : memref<8xf64, strided<[1]>> -> tensor<8xf64>
  }
  return
}

// -----

// CHECK: [[@LINE+1]]:1: error: the tiles of this phase take 135168 bytes of shared memory, and a block of gfx1100 has 65536
func.func @large_0(%x: memref<256x128xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
                   %y: memref<256x128xf32, strided<[?, 1]>> {mix.name = "y", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "large", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %t = tile.load %x[%c0, %c0] : memref<256x128xf32, strided<[?, 1]>> -> tensor<256x128xf32>
    tile.store %t, %y[%c0, %c0] : tensor<256x128xf32>, memref<256x128xf32, strided<[?, 1]>>
  }
  return
}

// -----

func.func @sine_0(%x: memref<8xf32, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C"]},
                  %y: memref<8xf32, strided<[1]>> {mix.name = "y", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "sine", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %t = tile.load %x[%c0] : memref<8xf32, strided<[1]>> -> tensor<8xf32>
    // CHECK: error: the GPU targets have no function 'math.sinh'
    %s = math.sinh %t : tensor<8xf32>
    tile.store %s, %y[%c0] : tensor<8xf32>, memref<8xf32, strided<[1]>>
  }
  return
}

// -----

// CHECK: [[@LINE+1]]:1: error: the GPU targets do not run the step form: argument 0 is a state
func.func @step_0(%x: memref<8xf32, strided<[1]>> {mix.name = "x", mix.kind = "state", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "step", tile.form = "step"} {
  return
}
