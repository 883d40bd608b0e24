// A state that every token updates is read and written where it is: the operation that makes the new
// state stores it while it computes it, and the store does nothing. Not so where something reads the
// old state later, or where rows are no whole vectors, which have 8 elements for x86-64-v3.
//
// RUN: sed -e 's/VV/16/g; s/LATE/%new/' %s > %t.inplace.mlir
// RUN: sed -e 's/VV/16/g; s/LATE/%old/' %s > %t.late.mlir
// RUN: sed -e 's/VV/12/g; s/LATE/%new/' %s > %t.part.mlir
//
// RUN: mix-opt %t.inplace.mlir --mix-cpu-assign-buffers=chip=x86-64-v3 --mix-cpu-emit=chip=x86-64-v3 | FileCheck %s
// RUN: mix-opt %t.late.mlir --mix-cpu-assign-buffers=chip=x86-64-v3 --mix-cpu-emit=chip=x86-64-v3 | FileCheck %s --check-prefix=COPY
//
// The update, two vectors of sums, and the loop that stores the sums.
// CHECK-LABEL: llvm.func internal @update_0_run
// CHECK:         llvm.load {{.*}} -> vector<8xf32>
// CHECK:         arith.mulf
// CHECK-COUNT-4: llvm.store {{.*}} : vector<8xf32>
// CHECK-NOT:     llvm.store
// CHECK:         llvm.return
//
// One more loop that copies the new state.
// COPY-LABEL: llvm.func internal @update_0_run
// COPY-COUNT-5: llvm.store {{.*}} : vector<8xf32>
//
// RUN: mix-evaluate %t.inplace.mlir --against %t.inplace.mlir --cpu=native --tolerance 1e-6 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.late.mlir --against %t.late.mlir --cpu=native --tolerance 1e-6 | FileCheck %s --check-prefix=NUM
// RUN: mix-evaluate %t.part.mlir --against %t.part.mlir --cpu=native --tolerance 1e-6 | FileCheck %s --check-prefix=NUM
// NUM: passed, 0 failed

#map = affine_map<(k, v) -> (k, v)>
func.func @update_0(
    %rate: memref<f32> {mix.name = "rate", mix.kind = "input", mix.axes = []},
    %s: memref<5xVVxf32, strided<[?, 1]>> {mix.name = "S", mix.kind = "state", mix.axes = ["K", "V"]},
    %o: memref<VVxf32, strided<[1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "update", tile.form = "step",
                tile.features = 1 : i64, mix.spaces = []} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%fb, %tb) in (1, 1) {
    %rt = tile.load %rate[] : memref<f32> -> tensor<f32>
    %r = tensor.extract %rt[] : tensor<f32>
    %old = tile.load %s[%c0, %c0] : memref<5xVVxf32, strided<[?, 1]>> -> tensor<5xVVxf32>
    %empty = tensor.empty() : tensor<5xVVxf32>
    %new = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
        ins(%old : tensor<5xVVxf32>) outs(%empty : tensor<5xVVxf32>) {
    ^bb0(%x: f32, %out: f32):
      %y = arith.mulf %x, %r : f32
      linalg.yield %y : f32
    } -> tensor<5xVVxf32>
    %row = tensor.empty() : tensor<VVxf32>
    %none = linalg.fill ins(%zero : f32) outs(%row : tensor<VVxf32>) -> tensor<VVxf32>
    %sum = linalg.generic {indexing_maps = [affine_map<(v, k) -> (k, v)>, affine_map<(v, k) -> (v)>],
                           iterator_types = ["parallel", "reduction"]}
        ins(LATE : tensor<5xVVxf32>) outs(%none : tensor<VVxf32>) {
    ^bb0(%x: f32, %out: f32):
      %y = arith.addf %x, %out : f32
      linalg.yield %y : f32
    } -> tensor<VVxf32>
    tile.store %new, %s[%c0, %c0] : tensor<5xVVxf32>, memref<5xVVxf32, strided<[?, 1]>>
    tile.store %sum, %o[%c0] : tensor<VVxf32>, memref<VVxf32, strided<[1]>>
  }
  return
}
