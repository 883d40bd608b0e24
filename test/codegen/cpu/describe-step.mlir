// The description of a step form: all tokens as a space, what a cache keeps and is made
// of, and which phase runs per head of a cache.
//
// RUN: mix-opt %s --mix-cpu-assign-buffers --mix-cpu-emit --split-input-file --verify-diagnostics | FileCheck %s

// The arguments of the program are numbered as tensors: k is 0, k.cache 2.
// CHECK: llvm.mlir.global private constant @".mixwright_kernel_m_step_sources2"() {{.*}} !llvm.array<1 x struct<(i32)>>
// CHECK: llvm.mlir.constant(0 : i32)
//
// All tokens have the base 0, T, and are no blocks of it.
// CHECK: llvm.mlir.global private constant @".mixwright_kernel_m_step_spaces"
// CHECK: llvm.mlir.addressof @".mixwright_kernel_m_step_string2"
// CHECK: llvm.mlir.constant(0 : i32)
// CHECK: llvm.mlir.constant(0 : i64)
//
// The window of the cache, 4, its one source, and the kinds 8 (position) and 7 (cache).
// CHECK: llvm.mlir.global private constant @".mixwright_kernel_m_step_args"
// CHECK: llvm.mlir.constant(8 : i32)
// CHECK: llvm.mlir.constant(7 : i32)
// CHECK: llvm.mlir.constant(4 : i64)
// CHECK: llvm.mlir.addressof @".mixwright_kernel_m_step_sources2"
//
// CHECK: llvm.mlir.global private constant @".mixwright_kernel_m_step_phases"
// CHECK: llvm.mlir.constant(2 : i32)
//
// The last field of the kernel is the cache block.
// CHECK: llvm.mlir.global external constant @mixwright_kernel_m_step
// CHECK: llvm.mlir.constant(16 : i64)
func.func @append(
    %k: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %position: memref<i64> {mix.name = "T.position", mix.kind = "position", mix.axes = []},
    %cache: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k.cache", mix.kind = "cache",
      mix.axes = ["T.all", "K"], mix.window = 4 : i64, mix.sources = ["k"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "step",
                tile.heads_of = "k.cache", tile.cache_block = 16 : i64,
                mix.spaces = ["T", "T.all"], mix.history = {T.all = "T"}} {
  return
}

// -----

// Caches that one phase stores have the same heads: the sources of either, and the other itself.
// CHECK: llvm.mlir.global private constant @".mixwright_kernel_both_step_sources2"() {{.*}} !llvm.array<3 x struct<(i32)>>
// CHECK: llvm.mlir.constant(0 : i32)
// CHECK: llvm.mlir.constant(1 : i32)
// CHECK: llvm.mlir.constant(3 : i32)
func.func @append_both(
    %k: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?x4xf32, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "K"]},
    %kc: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k.cache", mix.kind = "cache",
      mix.axes = ["T.all", "K"], mix.sources = ["k"]},
    %vc: memref<?x4xf32, strided<[?, 1]>> {mix.name = "v.cache", mix.kind = "cache",
      mix.axes = ["T.all", "K"], mix.sources = ["v"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "both", tile.form = "step",
                tile.heads_of = "k.cache", tile.cache_block = 16 : i64,
                mix.spaces = ["T", "T.all"], mix.history = {T.all = "T"}} {
  %zero = arith.constant 0 : index
  %keys = tile.load %k[%zero, %zero] : memref<?x4xf32, strided<[?, 1]>> -> tensor<1x4xf32>
  %values = tile.load %v[%zero, %zero] : memref<?x4xf32, strided<[?, 1]>> -> tensor<1x4xf32>
  tile.store %keys, %kc[%zero, %zero] : tensor<1x4xf32>, memref<?x4xf32, strided<[?, 1]>>
  tile.store %values, %vc[%zero, %zero] : tensor<1x4xf32>, memref<?x4xf32, strided<[?, 1]>>
  return
}

// -----

// expected-error @+1 {{expects 'mix.history' to give space 'T.all' a known space, got 'S'}}
func.func @history() attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "step",
    mix.spaces = ["T", "T.all"], mix.history = {T.all = "S"}} {
  return
}

// -----

// expected-error @+1 {{expects 'mix.sources' of argument 0 to name inputs, params or caches, got 'v'}}
func.func @sources(
    %cache: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k.cache", mix.kind = "cache",
      mix.axes = ["T.all", "K"], mix.sources = ["v"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "step",
    mix.spaces = ["T", "T.all"], mix.history = {T.all = "T"}} {
  return
}

// -----

// expected-error @+1 {{expects 'tile.heads_of' to name a cache, got 'k'}}
func.func @heads(
    %k: memref<?x4xf32, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "step", tile.heads_of = "k",
    mix.spaces = ["T"]} {
  return
}

// -----

func.func @block_16() attributes {tile.phase = 0 : i64, tile.mixer = "m", tile.form = "step",
    tile.cache_block = 16 : i64} {
  return
}
// expected-error @+1 {{expects all phases of a mixer to have the same positive 'tile.cache_block', got 8}}
func.func @block_8() attributes {tile.phase = 1 : i64, tile.mixer = "m", tile.form = "step",
    tile.cache_block = 8 : i64} {
  return
}
