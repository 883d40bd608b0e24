// Causal attention of blocks of RR queries over blocks of CC keys, written by hand.
//
// RUN: sed -e 's/KK/5/g; s/VV/19/g; s/RR/12/g; s/CC/7/g; s/real/f64/g' %s > %t.f64.mlir
// RUN: sed -e 's/KK/33/g; s/VV/64/g; s/RR/32/g; s/CC/48/g; s/real/f32/g' %s > %t.f32.mlir
// RUN: mix-evaluate %t.f64.mlir --against %t.f64.mlir --cpu=native --tolerance 1e-13 \
// RUN:   --size T=0 --size T=1 --size T=12 --size T=13 --size T=61 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.f32.mlir --against %t.f32.mlir --cpu=x86-64-v3 --tolerance 1e-5 \
// RUN:   --size T=0 --size T=1 --size T=32 --size T=33 --size T=97 | FileCheck %s --check-prefix=NUM
//
// NUM: 5 passed, 0 failed
//
// The accumulator of the loop over keys stays in one place: the product adds to it there.
//
// RUN: mix-opt %t.f64.mlir --mix-cpu-assign-buffers | FileCheck %s
//
// CHECK: scf.for
// CHECK: linalg.contract {{.*}}cpu.place = array<i64: [[ACC:[0-9]+]]>} ins({{.*}}tensor<7x19xf64>)
// CHECK: } {cpu.place = array<i64: {{[0-9]+}}, {{[0-9]+}}, [[ACC]]>}
//
// A task asks for its queries and for the first keys and values, and, after the loop over keys, for
// the rows that it stores.
//
// RUN: mix-opt %t.f32.mlir --mix-cpu-assign-layouts=chip=x86-64-v4 \
// RUN:   --mix-cpu-assign-buffers=chip=x86-64-v4 --mix-cpu-emit=chip=x86-64-v4 \
// RUN:   | FileCheck %s --check-prefix=ASK
//
// ASK-LABEL: llvm.func internal @causal_0_run
// ASK-NOT:   step %c48
// ASK-COUNT-10: "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 0 : i32
// ASK:       scf.for {{.*}} step %c48
// ASK-NOT:   rw = 1 : i32
// ASK:       scf.if
// ASK:         "llvm.intr.prefetch"(%{{.*}}) <{{.*}}rw = 1 : i32

#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>

func.func @causal_0(
    %q: memref<?xKKxreal, strided<[?, 1]>> {mix.name = "q", mix.kind = "input", mix.axes = ["T", "K"]},
    %k: memref<?xKKxreal, strided<[?, 1]>> {mix.name = "k", mix.kind = "input", mix.axes = ["T", "K"]},
    %v: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "v", mix.kind = "input", mix.axes = ["T", "V"]},
    %o: memref<?xVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["T", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "causal", tile.form = "chunked", tile.last_first,
                tile.features = 1 : i64, tile.space = "T", tile.rows = RR : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %R = arith.constant RR : index
  %C = arith.constant CC : index
  %zero = arith.constant 0.0 : real
  %low = arith.constant -1.0e30 : real
  %tokens = memref.dim %q, %c0 : memref<?xKKxreal, strided<[?, 1]>>
  %blocks = arith.ceildivsi %tokens, %R : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %i0 = arith.muli %tb, %R : index
    %end = arith.addi %i0, %R : index
    %qb = tile.load %q[%i0, %c0] : memref<?xKKxreal, strided<[?, 1]>> -> tensor<RRxKKxreal>
    %m0 = tensor.splat %low : tensor<RRxreal>
    %l0 = tensor.splat %zero : tensor<RRxreal>
    %a0 = tensor.splat %zero : tensor<RRxVVxreal>
    %er = tensor.empty() : tensor<RRxreal>
    %es = tensor.empty() : tensor<RRxCCxreal>
    %ea = tensor.empty() : tensor<RRxVVxreal>
    %last = arith.minsi %end, %tokens : index
    %m1, %l1, %a1 = scf.for %j0 = %c0 to %last step %C iter_args(%m = %m0, %l = %l0, %a = %a0)
        -> (tensor<RRxreal>, tensor<RRxreal>, tensor<RRxVVxreal>) {
      %kb = tile.load %k[%j0, %c0] : memref<?xKKxreal, strided<[?, 1]>> -> tensor<CCxKKxreal>
      %vb = tile.load %v[%j0, %c0] : memref<?xVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
      %sz = linalg.fill ins(%zero : real) outs(%es : tensor<RRxCCxreal>) -> tensor<RRxCCxreal>
      %qk = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (n, d)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%qb, %kb : tensor<RRxKKxreal>, tensor<CCxKKxreal>) outs(%sz : tensor<RRxCCxreal>) -> tensor<RRxCCxreal>
      %s = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%qk : tensor<RRxCCxreal>) outs(%es : tensor<RRxCCxreal>) {
        ^bb0(%x: real, %w: real):
          %ii = linalg.index 0 : index
          %jj = linalg.index 1 : index
          %i = arith.addi %ii, %i0 : index
          %j = arith.addi %jj, %j0 : index
          %seen = arith.cmpi sle, %j, %i : index
          %y = arith.select %seen, %x, %low : real
          linalg.yield %y : real
      } -> tensor<RRxCCxreal>
      %mn = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
          ins(%s : tensor<RRxCCxreal>) outs(%m : tensor<RRxreal>) {
        ^bb0(%x: real, %w: real):
          %y = arith.maximumf %x, %w : real
          linalg.yield %y : real
      } -> tensor<RRxreal>
      %alpha = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          ins(%m, %mn : tensor<RRxreal>, tensor<RRxreal>) outs(%er : tensor<RRxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %d = arith.subf %x, %y : real
          %e = math.exp %d : real
          linalg.yield %e : real
      } -> tensor<RRxreal>
      %p = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%s, %mn : tensor<RRxCCxreal>, tensor<RRxreal>) outs(%es : tensor<RRxCCxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %d = arith.subf %x, %y : real
          %e = math.exp %d : real
          linalg.yield %e : real
      } -> tensor<RRxCCxreal>
      %ls = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          ins(%l, %alpha : tensor<RRxreal>, tensor<RRxreal>) outs(%er : tensor<RRxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %d = arith.mulf %x, %y : real
          linalg.yield %d : real
      } -> tensor<RRxreal>
      %ln = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
          ins(%p : tensor<RRxCCxreal>) outs(%ls : tensor<RRxreal>) {
        ^bb0(%x: real, %w: real):
          %y = arith.addf %x, %w : real
          linalg.yield %y : real
      } -> tensor<RRxreal>
      %as = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%a, %alpha : tensor<RRxVVxreal>, tensor<RRxreal>) outs(%ea : tensor<RRxVVxreal>) {
        ^bb0(%x: real, %y: real, %w: real):
          %d = arith.mulf %x, %y : real
          linalg.yield %d : real
      } -> tensor<RRxVVxreal>
      %an = linalg.contract indexing_maps = [affine_map<(m, n, d) -> (m, d)>, affine_map<(m, n, d) -> (d, n)>, affine_map<(m, n, d) -> (m, n)>]
          ins(%p, %vb : tensor<RRxCCxreal>, tensor<CCxVVxreal>) outs(%as : tensor<RRxVVxreal>) -> tensor<RRxVVxreal>
      scf.yield %mn, %ln, %an : tensor<RRxreal>, tensor<RRxreal>, tensor<RRxVVxreal>
    }
    %ob = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%a1, %l1 : tensor<RRxVVxreal>, tensor<RRxreal>) outs(%ea : tensor<RRxVVxreal>) {
      ^bb0(%x: real, %y: real, %w: real):
        %d = arith.divf %x, %y : real
        linalg.yield %d : real
    } -> tensor<RRxVVxreal>
    tile.store %ob, %o[%i0, %c0] : tensor<RRxVVxreal>, memref<?xVVxreal, strided<[?, 1]>>
  }
  return
}
