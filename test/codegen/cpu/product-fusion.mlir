// A state decays and is updated by a product: the micro-kernel scales the accumulators as it
// loads them, and there is no pass over the state before it, whatever is loaded in between.
//
// RUN: mix-opt %s --mix-cpu-assign-layouts=chip=x86-64-v4 --mix-cpu-assign-buffers=chip=x86-64-v4 \
// RUN:   --mix-cpu-emit=chip=x86-64-v4 | FileCheck %s
// RUN: mix-evaluate %s --against %s --cpu=native --range x=-0.1:0.1 --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=8 --size T=13 | FileCheck %s --check-prefix=NUM
//
// NUM: 20 passed, 0 failed
//
// CHECK-LABEL: llvm.func internal @fused_0_run
// CHECK:       arith.mulf {{.*}} : vector<16xf32>
// CHECK-NOT:   llvm.store
// CHECK:       scf.for {{.*}} iter_args
// CHECK:       vector.fma
//
// Not so if something else needs the decayed state too.
//
// CHECK-LABEL: llvm.func internal @kept_0_run
// CHECK:       arith.mulf {{.*}} : vector<16xf32>
// CHECK:       llvm.store
// CHECK:       vector.fma
//
// What alone becomes of a product is made of the accumulators before they are stored, also if
// something else stands in between.
//
// CHECK-LABEL: llvm.func internal @bent_0_run
// CHECK:       scf.yield {{(%[0-9]+, ){15}.*}}
// CHECK-NOT:   llvm.store
// CHECK:       math.tanh
// CHECK:       arith.addf
// CHECK:       llvm.store
//
// Nor if it needs a slice that is taken after the product (late_0: the numbers say so).
//
// Not so if the product is read twice.
//
// CHECK-LABEL: llvm.func internal @twice_0_run
// CHECK:       scf.yield {{(%[0-9]+, ){15}.*}}
// CHECK:       llvm.store
// CHECK:       math.tanh

func.func @fused_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %S_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "fused", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<35x35xf32>
    %S_end = scf.for %t = %c0 to %tokens step %c8 iter_args(%S = %S0) -> tensor<35x35xf32> {
      %e = tensor.empty() : tensor<35x35xf32>
      %D = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%S : tensor<35x35xf32>) outs(%e : tensor<35x35xf32>) {
        ^bb0(%s: f32, %w: f32):
          %d = arith.mulf %s, %half : f32
          linalg.yield %d : f32
      } -> tensor<35x35xf32>
      %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
      %next = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%D : tensor<35x35xf32>) -> tensor<35x35xf32>
      scf.yield %next : tensor<35x35xf32>
    }
    tile.store %S_end, %S_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
  }
  return
}

func.func @kept_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %S_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "output", mix.axes = ["K", "K"]},
    %D_out: memref<35x35xf32, strided<[?, 1]>> {mix.name = "D", mix.kind = "output", mix.axes = ["K", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "kept", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = tensor.splat %zero : tensor<35x35xf32>
    %S_end, %D_end = scf.for %t = %c0 to %tokens step %c8 iter_args(%S = %S0, %old = %S0) -> (tensor<35x35xf32>, tensor<35x35xf32>) {
      %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
      %e = tensor.empty() : tensor<35x35xf32>
      %D = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%S : tensor<35x35xf32>) outs(%e : tensor<35x35xf32>) {
        ^bb0(%s: f32, %w: f32):
          %d = arith.mulf %s, %half : f32
          linalg.yield %d : f32
      } -> tensor<35x35xf32>
      %next = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%D : tensor<35x35xf32>) -> tensor<35x35xf32>
      scf.yield %next, %D : tensor<35x35xf32>, tensor<35x35xf32>
    }
    tile.store %S_end, %S_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
    tile.store %D_end, %D_out[%c0, %c0] : tensor<35x35xf32>, memref<35x35xf32, strided<[?, 1]>>
  }
  return
}

func.func @bent_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x35xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "bent", tile.form = "chunked",
                tile.features = 1 : i64, tile.space = "T", tile.rows = 8 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %c8 : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %t = arith.muli %tb, %c8 : index
    %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
    %eg = tensor.empty() : tensor<8x8xf32>
    %e = tensor.empty() : tensor<8x35xf32>
    %zg = linalg.fill ins(%zero : f32) outs(%eg : tensor<8x8xf32>) -> tensor<8x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x35xf32>) -> tensor<8x35xf32>
    %gram = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%zg : tensor<8x8xf32>) -> tensor<8x8xf32>
    %y = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%gram, %xt : tensor<8x8xf32>, tensor<8x35xf32>) outs(%z : tensor<8x35xf32>) -> tensor<8x35xf32>
    %again = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
    %b = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%y, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%e : tensor<8x35xf32>) {
      ^bb0(%p: f32, %q: f32, %w: f32):
        %h = math.tanh %p : f32
        %a = arith.addf %h, %q : f32
        linalg.yield %a : f32
    } -> tensor<8x35xf32>
    %r = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%gram, %b : tensor<8x8xf32>, tensor<8x35xf32>) outs(%again : tensor<8x35xf32>) -> tensor<8x35xf32>
    tile.store %r, %o[%t, %c0] : tensor<8x35xf32>, memref<?x35xf32, strided<[?, 1]>>
  }
  return
}

func.func @twice_0(
    %x: memref<?x35xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x35xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "twice", tile.form = "chunked",
                tile.features = 1 : i64, tile.space = "T", tile.rows = 8 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %x, %c0 : memref<?x35xf32, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %c8 : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %t = arith.muli %tb, %c8 : index
    %xt = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
    %eg = tensor.empty() : tensor<8x8xf32>
    %e = tensor.empty() : tensor<8x35xf32>
    %zg = linalg.fill ins(%zero : f32) outs(%eg : tensor<8x8xf32>) -> tensor<8x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x35xf32>) -> tensor<8x35xf32>
    %gram = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%xt, %xt : tensor<8x35xf32>, tensor<8x35xf32>) outs(%zg : tensor<8x8xf32>) -> tensor<8x8xf32>
    %y = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%gram, %xt : tensor<8x8xf32>, tensor<8x35xf32>) outs(%z : tensor<8x35xf32>) -> tensor<8x35xf32>
    %again = tile.load %x[%t, %c0] : memref<?x35xf32, strided<[?, 1]>> -> tensor<8x35xf32>
    %b = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%y, %y : tensor<8x35xf32>, tensor<8x35xf32>) outs(%e : tensor<8x35xf32>) {
      ^bb0(%p: f32, %q: f32, %w: f32):
        %h = math.tanh %p : f32
        %a = arith.addf %h, %q : f32
        linalg.yield %a : f32
    } -> tensor<8x35xf32>
    %r = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
        ins(%gram, %b : tensor<8x8xf32>, tensor<8x35xf32>) outs(%again : tensor<8x35xf32>) -> tensor<8x35xf32>
    tile.store %r, %o[%t, %c0] : tensor<8x35xf32>, memref<?x35xf32, strided<[?, 1]>>
  }
  return
}

func.func @late_0(
    %x: memref<?x32xf32, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %o: memref<?x32xf32, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "K"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "late", tile.form = "chunked",
                tile.features = 1 : i64, tile.space = "T", tile.rows = 8 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %tokens = memref.dim %x, %c0 : memref<?x32xf32, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %c8 : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %t = arith.muli %tb, %c8 : index
    %xt = tile.load %x[%t, %c0] : memref<?x32xf32, strided<[?, 1]>> -> tensor<8x32xf32>
    %e = tensor.empty() : tensor<32xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<32xf32>) -> tensor<32xf32>
    %l = tensor.extract_slice %xt[1, 0] [1, 8] [1, 1] : tensor<8x32xf32> to tensor<8xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, d) -> (d)>, affine_map<(n, d) -> (d, n)>, affine_map<(n, d) -> (n)>], iterator_types = ["parallel", "reduction"]}
        ins(%l, %xt : tensor<8xf32>, tensor<8x32xf32>) outs(%z : tensor<32xf32>) {
      ^bb0(%p: f32, %q: f32, %s: f32):
        %m = arith.mulf %p, %q : f32
        %a = arith.addf %s, %m : f32
        linalg.yield %a : f32
    } -> tensor<32xf32>
    %row = tensor.extract_slice %xt[2, 0] [1, 32] [1, 1] : tensor<8x32xf32> to tensor<32xf32>
    %b = linalg.generic {indexing_maps = [affine_map<(j) -> (j)>, affine_map<(j) -> (j)>, affine_map<(j) -> (j)>], iterator_types = ["parallel"]}
        ins(%y, %row : tensor<32xf32>, tensor<32xf32>) outs(%e : tensor<32xf32>) {
      ^bb0(%p: f32, %q: f32, %w: f32):
        %a = arith.addf %p, %q : f32
        linalg.yield %a : f32
    } -> tensor<32xf32>
    %into = tensor.insert_slice %b into %xt[0, 0] [1, 32] [1, 1] : tensor<32xf32> into tensor<8x32xf32>
    tile.store %into, %o[%t, %c0] : tensor<8x32xf32>, memref<?x32xf32, strided<[?, 1]>>
  }
  return
}
