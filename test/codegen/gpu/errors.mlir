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

// CHECK: [[@LINE+1]]:1: error: the 63 tensors of this phase take 4104 bytes of parameters, and a kernel of gfx1100 has at most 4096
func.func @many_0(%x0: memref<8xf32, strided<[1]>>, %x1: memref<8xf32, strided<[1]>>, %x2: memref<8xf32, strided<[1]>>,
                  %x3: memref<8xf32, strided<[1]>>, %x4: memref<8xf32, strided<[1]>>, %x5: memref<8xf32, strided<[1]>>,
                  %x6: memref<8xf32, strided<[1]>>, %x7: memref<8xf32, strided<[1]>>, %x8: memref<8xf32, strided<[1]>>,
                  %x9: memref<8xf32, strided<[1]>>, %x10: memref<8xf32, strided<[1]>>, %x11: memref<8xf32, strided<[1]>>,
                  %x12: memref<8xf32, strided<[1]>>, %x13: memref<8xf32, strided<[1]>>, %x14: memref<8xf32, strided<[1]>>,
                  %x15: memref<8xf32, strided<[1]>>, %x16: memref<8xf32, strided<[1]>>, %x17: memref<8xf32, strided<[1]>>,
                  %x18: memref<8xf32, strided<[1]>>, %x19: memref<8xf32, strided<[1]>>, %x20: memref<8xf32, strided<[1]>>,
                  %x21: memref<8xf32, strided<[1]>>, %x22: memref<8xf32, strided<[1]>>, %x23: memref<8xf32, strided<[1]>>,
                  %x24: memref<8xf32, strided<[1]>>, %x25: memref<8xf32, strided<[1]>>, %x26: memref<8xf32, strided<[1]>>,
                  %x27: memref<8xf32, strided<[1]>>, %x28: memref<8xf32, strided<[1]>>, %x29: memref<8xf32, strided<[1]>>,
                  %x30: memref<8xf32, strided<[1]>>, %x31: memref<8xf32, strided<[1]>>, %x32: memref<8xf32, strided<[1]>>,
                  %x33: memref<8xf32, strided<[1]>>, %x34: memref<8xf32, strided<[1]>>, %x35: memref<8xf32, strided<[1]>>,
                  %x36: memref<8xf32, strided<[1]>>, %x37: memref<8xf32, strided<[1]>>, %x38: memref<8xf32, strided<[1]>>,
                  %x39: memref<8xf32, strided<[1]>>, %x40: memref<8xf32, strided<[1]>>, %x41: memref<8xf32, strided<[1]>>,
                  %x42: memref<8xf32, strided<[1]>>, %x43: memref<8xf32, strided<[1]>>, %x44: memref<8xf32, strided<[1]>>,
                  %x45: memref<8xf32, strided<[1]>>, %x46: memref<8xf32, strided<[1]>>, %x47: memref<8xf32, strided<[1]>>,
                  %x48: memref<8xf32, strided<[1]>>, %x49: memref<8xf32, strided<[1]>>, %x50: memref<8xf32, strided<[1]>>,
                  %x51: memref<8xf32, strided<[1]>>, %x52: memref<8xf32, strided<[1]>>, %x53: memref<8xf32, strided<[1]>>,
                  %x54: memref<8xf32, strided<[1]>>, %x55: memref<8xf32, strided<[1]>>, %x56: memref<8xf32, strided<[1]>>,
                  %x57: memref<8xf32, strided<[1]>>, %x58: memref<8xf32, strided<[1]>>, %x59: memref<8xf32, strided<[1]>>,
                  %x60: memref<8xf32, strided<[1]>>, %x61: memref<8xf32, strided<[1]>>, %x62: memref<8xf32, strided<[1]>>)
    attributes {tile.phase = 0 : i64, tile.mixer = "many", tile.form = "chunked"} {
  return
}

// -----

// CHECK: [[@LINE+1]]:1: error: expects dimension 0 of argument 0 to have a size or to be one of 'mix.spaces'
func.func @tokens_0(%x: memref<?xf32, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "tokens", tile.form = "chunked"} {
  return
}

// -----

// CHECK: [[@LINE+1]]:1: error: expects space 'B' to follow from one before it, got 'T'
func.func @blocks_0(%x: memref<?xf32, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["B"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "blocks", tile.form = "chunked",
                mix.spaces = ["B", "T"], mix.blocks = {B = ["T", 4 : i64]}} {
  return
}
