// Places of tiles. Offsets are bytes; rows are whole vectors.
//
// RUN: mix-opt %s --mix-cpu-assign-buffers=chip=x86-64-v4 --split-input-file | FileCheck %s

// A chain of elementwise work stays where it starts, and its end frees the place.
// CHECK-LABEL: @chain
// CHECK-SAME: cpu.scratch = 128 : i64
// CHECK: tile.load {{.*}}cpu.place = array<i64: 0>
// CHECK: linalg.generic {{.*}}cpu.place = array<i64: 0>
// CHECK: tile.load {{.*}}cpu.place = array<i64: 0>
func.func @chain(%x: memref<16xf32, strided<[1]>>, %o: memref<16xf32, strided<[1]>>) attributes {tile.phase = 0 : i64} {
  %c0 = arith.constant 0 : index
  %e = tensor.empty() : tensor<16xf32>
  %a = tile.load %x[%c0] : memref<16xf32, strided<[1]>> -> tensor<16xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%y: f32, %w: f32):
      %z = arith.addf %y, %y : f32
      linalg.yield %z : f32
  } -> tensor<16xf32>
  tile.store %b, %o[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  %c = tile.load %x[%c0] : memref<16xf32, strided<[1]>> -> tensor<16xf32>
  tile.store %c, %o[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  return
}

// -----

// A tile that is still read later is not overwritten: the sum needs the old value.
// CHECK-LABEL: @kept
// CHECK: tile.load {{.*}}cpu.place = array<i64: [[X:[0-9]+]]>
// CHECK: linalg.generic
// CHECK-NOT: cpu.place = array<i64: [[X]]>
// CHECK: cpu.place = array<i64: [[Y:[0-9]+]]>
// CHECK: linalg.generic
// CHECK-SAME: cpu.place = array<i64: {{[0-9]+}}>
func.func @kept(%x: memref<16xf32, strided<[1]>>, %o: memref<16xf32, strided<[1]>>) attributes {tile.phase = 0 : i64} {
  %c0 = arith.constant 0 : index
  %e = tensor.empty() : tensor<16xf32>
  %a = tile.load %x[%c0] : memref<16xf32, strided<[1]>> -> tensor<16xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%y: f32, %w: f32):
      %z = math.exp %y : f32
      linalg.yield %z : f32
  } -> tensor<16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a, %b : tensor<16xf32>, tensor<16xf32>) outs(%e : tensor<16xf32>) {
    ^bb0(%y: f32, %v: f32, %w: f32):
      %z = arith.addf %y, %v : f32
      linalg.yield %z : f32
  } -> tensor<16xf32>
  tile.store %c, %o[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  return
}

// -----

// A loop updates what it carries in place. A loop that exchanges two tiles copies them first.
// CHECK-LABEL: @loops
// CHECK: scf.for
// CHECK: linalg.generic {{.*}}cpu.place = array<i64: [[S:[0-9]+]]>
// CHECK: } {cpu.place = array<i64: [[S]]>}
// CHECK: scf.for
// CHECK-DAG: linalg.copy {cpu.place = array<i64: [[P:[0-9]+]]>}
// CHECK-DAG: linalg.copy {cpu.place = array<i64: [[Q:[0-9]+]]>}
func.func @loops(%x: memref<16xf32, strided<[1]>>, %n: index) attributes {tile.phase = 0 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<16xf32>
  %a = tile.load %x[%c0] : memref<16xf32, strided<[1]>> -> tensor<16xf32>
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%t = %a) -> tensor<16xf32> {
    %u = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%t : tensor<16xf32>) outs(%e : tensor<16xf32>) {
      ^bb0(%y: f32, %w: f32):
        %z = arith.addf %y, %y : f32
        linalg.yield %z : f32
    } -> tensor<16xf32>
    scf.yield %u : tensor<16xf32>
  }
  %b = tile.load %x[%c0] : memref<16xf32, strided<[1]>> -> tensor<16xf32>
  %p, %q = scf.for %i = %c0 to %n step %c1 iter_args(%t = %s, %u = %b) -> (tensor<16xf32>, tensor<16xf32>) {
    scf.yield %u, %t : tensor<16xf32>, tensor<16xf32>
  }
  tile.store %p, %x[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  tile.store %q, %x[%c0] : tensor<16xf32>, memref<16xf32, strided<[1]>>
  return
}
