// What the CPU target cannot emit is an error at the op.
//
// RUN: mix-opt %s --mix-cpu-assign-buffers --mix-cpu-emit --split-input-file --verify-diagnostics

func.func @unknown_op(%x: memref<4xf32, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  %a = tile.load %x[%c0] : memref<4xf32, strided<[1]>> -> tensor<4xf32>
  // expected-error @+1 {{the CPU target cannot emit 'tensor.pad' in a tile program}}
  %p = tensor.pad %a low[1] high[1] {
    ^bb0(%i: index):
      %z = arith.constant 0.0 : f32
      tensor.yield %z : f32
  } : tensor<4xf32> to tensor<6xf32>
  return
}

// -----

func.func @strided_slice(%x: memref<4xf32, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked"} {
  %c0 = arith.constant 0 : index
  %a = tile.load %x[%c0] : memref<4xf32, strided<[1]>> -> tensor<4xf32>
  // expected-error @+1 {{expects a slice with unit strides}}
  %s = tensor.extract_slice %a[0] [2] [2] : tensor<4xf32> to tensor<2xf32>
  return
}

// -----

func.func @grid(%n: index) attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked"} {
  // expected-error @+1 {{expects a grid of feature blocks and token blocks, got rank 1}}
  scf.forall (%i) in (1) {
  }
  return
}

// -----

// expected-error @+1 {{expects argument 0 to have 'mix.name', a known 'mix.kind', and 'mix.axes' with one name for each of at most 4 dimensions}}
func.func @unnamed(%x: memref<4xf32, strided<[1]>>)
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked"} {
  return
}

// -----

// expected-error @+1 {{expects axis 'T' of argument 'x' to have a size or to be one of 'mix.spaces'}}
func.func @no_space(%x: memref<?xf32, strided<[?]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked"} {
  return
}

// -----

// expected-error @+1 {{expects a phase to have 'tile.mixer' and 'tile.form'}}
func.func @anonymous() attributes {tile.phase = 0 : i64} {
  return
}

// -----

// expected-error @+1 {{expects 'tile.space' to be one of 'mix.spaces', with 'tile.rows'}}
func.func @no_rows(%x: memref<?xf32, strided<[?]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "chunked", tile.space = "T", mix.spaces = ["T"]} {
  return
}
