// The gated delta rule by chunks of CC tokens, written by hand as the passes derive it:
//
//   S <- a_t S;  S <- S + b_t k_t (v_t - k_t S);  o_t = q_t S
//
// at sizes that are no multiple of anything. The reference is the interpreter of tile programs.
//
// RUN: sed -e 's/KK/5/g; s/VV/19/g; s/CC/8/g; s/real/f64/g' %s > %t.f64.mlir
// RUN: sed -e 's/KK/35/g; s/VV/63/g; s/CC/16/g; s/real/f32/g' %s > %t.f32.mlir
// RUN: mix-evaluate %t.f64.mlir --against %t.f64.mlir --cpu=native --range a=0:1 --range b=0:0.1 --tolerance 1e-13 \
// RUN:   --size T=0 --size T=1 --size T=7 --size T=8 --size T=9 --size T=65 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.f32.mlir --against %t.f32.mlir --cpu=native --range a=0:1 --range b=0:0.03 --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=15 --size T=16 --size T=17 --size T=65 | FileCheck %s --check-prefix=NUM
// RUN: not mix-evaluate %t.f32.mlir --against %t.f32.mlir --cpu=pdp-11 --size T=1 2>&1 | FileCheck %s --check-prefix=CHIP
//
// NUM: 12 passed, 0 failed
// CHIP: unknown CPU target 'pdp-11'; known are native, avx512-bf16, x86-64-v4, x86-64-v3
//
// The state stays in one place; keys are transposed once per chunk, and nothing else is.
//
// RUN: mix-opt %t.f32.mlir --mix-cpu-assign-layouts --mix-cpu-assign-buffers | FileCheck %s --check-prefix=PLACE
//
// PLACE: scf.for
// PLACE-COUNT-1: linalg.transpose
// PLACE-NOT: linalg.transpose
// PLACE: linalg.contract {{.*}}cpu.place = array<i64: [[STATE:[0-9]+]]>{{.*}} -> tensor<35x63xf32>
// PLACE: } {cpu.place = array<i64: [[STATE]]>}
//
// RUN: mix-opt %t.f32.mlir --mix-cpu-pipeline | FileCheck %s
//
// CHECK: llvm.func internal @gated_delta_0_run(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: !llvm.ptr)
// CHECK-NOT: tile.
// CHECK: llvm.mlir.global external constant @mixwright_kernel_gated_delta_chunked()

func.func @gated_delta_0(
    %q: memref<?xKKxreal, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %k: memref<?xKKxreal, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %a: memref<?xreal, strided<[?]>> {mix.name = "a", mix.kind = "input", mix.axes = ["T"]},
    %b: memref<?xreal, strided<[?]>> {mix.name = "b", mix.kind = "input", mix.axes = ["T"]},
    %S_in: memref<KKxVVxreal, strided<[?, 1]>> {mix.name = "S", mix.kind = "state_in", mix.axes = ["K", "V"]},
    %o: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]},
    %S_out: memref<KKxVVxreal, strided<[?, 1]>> {mix.name = "S", mix.kind = "state_out", mix.axes = ["K", "V"]},
    %given: i1 {tile.given = "S"})
    attributes {tile.phase = 0 : i64, tile.mixer = "gated_delta", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %C = arith.constant CC : index
  %c1 = arith.constant 1 : index
  %last = arith.subi %C, %c1 : index
  %zero = arith.constant 0.0 : real
  %one = arith.constant 1.0 : real
  %tokens = memref.dim %q, %c0 : memref<?xKKxreal, strided<[?, 1]>>
  scf.forall (%fb, %tb) in (1, 1) {
    %S0 = scf.if %given -> tensor<KKxVVxreal> {
      %loaded = tile.load %S_in[%c0, %c0] : memref<KKxVVxreal, strided<[?, 1]>> -> tensor<KKxVVxreal>
      scf.yield %loaded : tensor<KKxVVxreal>
    } else {
      %fresh = tensor.splat %zero : tensor<KKxVVxreal>
      scf.yield %fresh : tensor<KKxVVxreal>
    }
    %Send = scf.for %t = %c0 to %tokens step %C iter_args(%S = %S0) -> tensor<KKxVVxreal> {
      %qc = tile.load %q[%t, %c0] : memref<?xKKxreal, strided<[?, 1]>> -> tensor<CCxKKxreal>
      %kc = tile.load %k[%t, %c0] : memref<?xKKxreal, strided<[?, 1]>> -> tensor<CCxKKxreal>
      %vc = tile.load %v[%t, %c0] : memref<?xVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
      %araw = tile.load %a[%t] : memref<?xreal, strided<[?]>> -> tensor<CCxreal>
      %bc = tile.load %b[%t] : memref<?xreal, strided<[?]>> -> tensor<CCxreal>
      // Rows beyond the tokens have decay 1.
      %e1 = tensor.empty() : tensor<CCxreal>
      %left = arith.subi %tokens, %t : index
      %ac = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          ins(%araw : tensor<CCxreal>) outs(%e1 : tensor<CCxreal>) {
        ^bb0(%x: real, %y: real):
          %i = linalg.index 0 : index
          %inside = arith.cmpi slt, %i, %left : index
          %kept = arith.select %inside, %x, %one : real
          linalg.yield %kept : real
      } -> tensor<CCxreal>
      %P = tile.decay_ratio %ac : tensor<CCxreal> -> tensor<CCxCCxreal>
      %p = tile.scan prod %ac : tensor<CCxreal>
      %z = tile.scan prod %ac {reverse, exclusive} : tensor<CCxreal>
      %e2 = tensor.empty() : tensor<CCxCCxreal>
      %z2 = linalg.fill ins(%zero : real) outs(%e2 : tensor<CCxCCxreal>) -> tensor<CCxCCxreal>
      %kk = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%kc, %kc : tensor<CCxKKxreal>, tensor<CCxKKxreal>) outs(%z2 : tensor<CCxCCxreal>) -> tensor<CCxCCxreal>
      %qk = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%qc, %kc : tensor<CCxKKxreal>, tensor<CCxKKxreal>) outs(%z2 : tensor<CCxCCxreal>) -> tensor<CCxCCxreal>
      %A = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%kk, %P : tensor<CCxCCxreal>, tensor<CCxCCxreal>) outs(%e2 : tensor<CCxCCxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %m = arith.mulf %x, %y : real
          %n = arith.negf %m : real
          linalg.yield %n : real
      } -> tensor<CCxCCxreal>
      %M = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%qk, %P : tensor<CCxCCxreal>, tensor<CCxCCxreal>) outs(%e2 : tensor<CCxCCxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %m = arith.mulf %x, %y : real
          linalg.yield %m : real
      } -> tensor<CCxCCxreal>
      %ev = tensor.empty() : tensor<CCxVVxreal>
      %zv = linalg.fill ins(%zero : real) outs(%ev : tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
      %kS = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%kc, %S : tensor<CCxKKxreal>, tensor<KKxVVxreal>) outs(%zv : tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
      %qS = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%qc, %S : tensor<CCxKKxreal>, tensor<KKxVVxreal>) outs(%zv : tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
      %rhs = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%vc, %kS, %p, %bc : tensor<CCxVVxreal>, tensor<CCxVVxreal>, tensor<CCxreal>, tensor<CCxreal>) outs(%ev : tensor<CCxVVxreal>) {
        ^bb0(%x: real, %y: real, %pt: real, %bt: real, %w: real):
          %m = arith.mulf %pt, %y : real
          %n = arith.subf %x, %m : real
          %r = arith.mulf %bt, %n : real
          linalg.yield %r : real
      } -> tensor<CCxVVxreal>
      %y = tile.solve %A, %rhs scale(%bc) : (tensor<CCxCCxreal>, tensor<CCxVVxreal>, tensor<CCxreal>) -> tensor<CCxVVxreal>
      %base = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%qS, %p : tensor<CCxVVxreal>, tensor<CCxreal>) outs(%ev : tensor<CCxVVxreal>) {
        ^bb0(%x: real, %pt: real, %w: real):
          %m = arith.mulf %pt, %x : real
          linalg.yield %m : real
      } -> tensor<CCxVVxreal>
      %oc = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%M, %y : tensor<CCxCCxreal>, tensor<CCxVVxreal>) outs(%base : tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
      tile.store %oc, %o[%t, %c0] : tensor<CCxVVxreal>, memref<?xVVxreal, strided<[?, 1]>>
      %yz = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%y, %z : tensor<CCxVVxreal>, tensor<CCxreal>) outs(%ev : tensor<CCxVVxreal>) {
        ^bb0(%x: real, %zt: real, %w: real):
          %m = arith.mulf %zt, %x : real
          linalg.yield %m : real
      } -> tensor<CCxVVxreal>
      %end = tensor.extract %p[%last] : tensor<CCxreal>
      %es = tensor.empty() : tensor<KKxVVxreal>
      %aS = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
          ins(%S : tensor<KKxVVxreal>) outs(%es : tensor<KKxVVxreal>) {
        ^bb0(%x: real, %w: real):
          %m = arith.mulf %end, %x : real
          linalg.yield %m : real
      } -> tensor<KKxVVxreal>
      %Snext = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (d, m)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%kc, %yz : tensor<CCxKKxreal>, tensor<CCxVVxreal>) outs(%aS : tensor<KKxVVxreal>) -> tensor<KKxVVxreal>
      scf.yield %Snext : tensor<KKxVVxreal>
    }
    tile.store %Send, %S_out[%c0, %c0] : tensor<KKxVVxreal>, memref<KKxVVxreal, strided<[?, 1]>>
  }
  return
}
