// What the evaluator of tile programs refuses.
//
// RUN: split-file %s %t
// RUN: not mix-evaluate %t/race.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=RACE
// RUN: not mix-evaluate %t/overwrite.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=OVERWRITE
// RUN: not mix-evaluate %t/slice.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=SLICE
// RUN: not mix-evaluate %t/grid.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=GRID
// RUN: not mix-evaluate %t/step.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=STEP
// RUN: not mix-evaluate %t/axis.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not mix-evaluate %t/arguments.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=ARGUMENTS
// RUN: not mix-evaluate %t/unknown-op.mlir --size T=4 2>&1 | FileCheck %s --check-prefix=UNKNOWN-OP

//--- race.mlir
// Every task after the first reads what its neighbour has written.
// RACE: 'tile.load': reads an element that another task of the phase has written
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]},
               %o: memref<?xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64,
                tile.space = "T", tile.rows = 2 : i64} {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  scf.forall (%fb, %tb) in (1, 2) {
    %t = arith.muli %tb, %c2 : index
    %before = arith.subi %t, %c1 : index
    %y = tile.load %o[%before] : memref<?xf64> -> tensor<2xf64>
    tile.store %y, %o[%t] : tensor<2xf64>, memref<?xf64>
  }
  return
}

//--- overwrite.mlir
// OVERWRITE: 'tile.store': overwrites an element that another task of the phase has written
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]},
               %o: memref<?xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64,
                tile.space = "T", tile.rows = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  scf.forall (%fb, %tb) in (1, 2) {
    %t = arith.muli %tb, %c2 : index
    %y = tile.load %x[%t] : memref<?xf64> -> tensor<2xf64>
    tile.store %y, %o[%c0] : tensor<2xf64>, memref<?xf64>
  }
  return
}

//--- slice.mlir
// SLICE: 'tensor.extract_slice': takes 2 elements from 1 of a dimension of 2
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %y = tile.load %x[%c0] : memref<?xf64> -> tensor<2xf64>
    %z = tensor.extract_slice %y[%c1] [2] [1] : tensor<2xf64> to tensor<2xf64>
  }
  return
}

//--- grid.mlir
// GRID: runs a grid of 1x1, its attributes say 1x2
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64,
                tile.space = "T", tile.rows = 2 : i64} {
  scf.forall (%fb, %tb) in (1, 1) {
  }
  return
}

//--- step.mlir
// STEP: 'scf.for': expects a positive step, got 0
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.for %i = %c0 to %c0 step %c0 {
  }
  return
}

//--- axis.mlir
// AXIS: axis 'T' has size 3 in the type of 'y' but size 4 in 'x'
func.func @f_0(%y: memref<3xf64> {mix.name = "y", mix.kind = "workspace", mix.axes = ["T"]},
               %x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  return
}

//--- arguments.mlir
// ARGUMENTS: expects the arguments of the first phase
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  return
}
func.func @f_1(%y: memref<?xf64> {mix.name = "y", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 1 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  return
}

//--- unknown-op.mlir
// UNKNOWN-OP: 'math.cbrt': the evaluator does not know this op
func.func @f_0(%x: memref<?xf64> {mix.name = "x", mix.kind = "input", mix.axes = ["T"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "f", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %y = tile.load %x[%c0] : memref<?xf64> -> tensor<2xf64>
  %z = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%y : tensor<2xf64>) {
  ^bb0(%e: f64):
    %root = math.cbrt %e : f64
    linalg.yield %root : f64
  } -> tensor<2xf64>
  return
}
