// The ops of the tile dialect on random tiles, at a size with a part of a vector left over and
// at one of whole vectors, against their interpreter.
//
// RUN: sed -e 's/CC/12/g; s/GG/24/g; s/VV/19/g; s/real/f64/g' %s > %t.odd.mlir
// RUN: sed -e 's/CC/32/g; s/GG/64/g; s/VV/64/g; s/real/f32/g' %s > %t.even.mlir
// RUN: mix-evaluate %t.odd.mlir --against %t.odd.mlir --cpu=native --range d=0:1 --tolerance 1e-13 | FileCheck %s
// RUN: mix-evaluate %t.odd.mlir --against %t.odd.mlir --cpu=x86-64-v2 --range d=0:1 --tolerance 1e-13 | FileCheck %s
// RUN: mix-evaluate %t.even.mlir --against %t.even.mlir --cpu=native --range d=0:1 --range a=-0.1:0.1 --tolerance 1e-5 | FileCheck %s
// RUN: mix-evaluate %t.even.mlir --against %t.even.mlir --cpu=x86-64-v3 --range d=0:1 --range a=-0.1:0.1 --tolerance 1e-5 | FileCheck %s
//
// CHECK: {{^}}12 passed, 0 failed

// Prefixes and suffixes; the second reads and writes in place.
func.func @scan_0(
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %d: memref<CCxreal, strided<[1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]},
    %p: memref<CCxreal, strided<[1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "scan", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %dt = tile.load %d[%c0] : memref<CCxreal, strided<[1]>> -> tensor<CCxreal>
    %s = tile.scan sum %xt : tensor<CCxVVxreal>
    %ot = tile.scan max %s {reverse} : tensor<CCxVVxreal>
    %pt = tile.scan prod %dt {exclusive} : tensor<CCxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
    tile.store %pt, %p[%c0] : tensor<CCxreal>, memref<CCxreal, strided<[1]>>
  }
  return
}

func.func @ratio_0(
    %d: memref<CCxreal, strided<[1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C"]},
    %o: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "D"]},
    %p: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["C", "D"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "ratio", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %dt = tile.load %d[%c0] : memref<CCxreal, strided<[1]>> -> tensor<CCxreal>
    %ot = tile.decay_ratio %dt : tensor<CCxreal> -> tensor<CCxCCxreal>
    %pt = tile.decay_ratio %dt {exclusive} : tensor<CCxreal> -> tensor<CCxCCxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxCCxreal>, memref<CCxCCxreal, strided<[?, 1]>>
    tile.store %pt, %p[%c0, %c0] : tensor<CCxCCxreal>, memref<CCxCCxreal, strided<[?, 1]>>
  }
  return
}

func.func @gram_0(
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %y: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["C", "V"]},
    %d: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "D"]},
    %p: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["C", "D"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "gram", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %yt = tile.load %y[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %dt = tile.load %d[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.decayed_gram %xt, %yt, %dt : tensor<CCxVVxreal> -> tensor<CCxCCxreal>
    %pt = tile.decayed_gram %xt, %yt, %dt {exclusive} : tensor<CCxVVxreal> -> tensor<CCxCCxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxCCxreal>, memref<CCxCCxreal, strided<[?, 1]>>
    tile.store %pt, %p[%c0, %c0] : tensor<CCxCCxreal>, memref<CCxCCxreal, strided<[?, 1]>>
  }
  return
}

func.func @solve_0(
    %a: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["C", "D"]},
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<CCxCCxreal, strided<[?, 1]>> -> tensor<CCxCCxreal>
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.solve %at, %xt : (tensor<CCxCCxreal>, tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
  }
  return
}

// Two rows per token, which do not see each other.
func.func @solve_grouped_0(
    %a: memref<GGxGGxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["G", "H"]},
    %x: memref<GGxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["G", "V"]},
    %o: memref<GGxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["G", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve_grouped", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<GGxGGxreal, strided<[?, 1]>> -> tensor<GGxGGxreal>
    %xt = tile.load %x[%c0, %c0] : memref<GGxVVxreal, strided<[?, 1]>> -> tensor<GGxVVxreal>
    %ot = tile.solve %at, %xt {group = 2 : i64} : (tensor<GGxGGxreal>, tensor<GGxVVxreal>) -> tensor<GGxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<GGxVVxreal>, memref<GGxVVxreal, strided<[?, 1]>>
  }
  return
}

func.func @solve_vector_0(
    %a: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["C", "D"]},
    %x: memref<CCxreal, strided<[1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C"]},
    %b: memref<CCxreal, strided<[1]>> {mix.name = "b", mix.kind = "input", mix.axes = ["C"]},
    %o: memref<CCxreal, strided<[1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve_vector", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<CCxCCxreal, strided<[?, 1]>> -> tensor<CCxCCxreal>
    %xt = tile.load %x[%c0] : memref<CCxreal, strided<[1]>> -> tensor<CCxreal>
    %bt = tile.load %b[%c0] : memref<CCxreal, strided<[1]>> -> tensor<CCxreal>
    %ot = tile.solve %at, %xt scale(%bt) : (tensor<CCxCCxreal>, tensor<CCxreal>, tensor<CCxreal>) -> tensor<CCxreal>
    tile.store %ot, %o[%c0] : tensor<CCxreal>, memref<CCxreal, strided<[1]>>
  }
  return
}

func.func @solve_scaled_0(
    %a: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["C", "D"]},
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %b: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "b", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve_scaled", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<CCxCCxreal, strided<[?, 1]>> -> tensor<CCxCCxreal>
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %bt = tile.load %b[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.solve %at, %xt scale(%bt) : (tensor<CCxCCxreal>, tensor<CCxVVxreal>, tensor<CCxVVxreal>) -> tensor<CCxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
  }
  return
}

// Two virtual rows to a token, which do not see each other.
func.func @solve_decayed_0(
    %a: memref<GGxGGxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["G", "H"]},
    %x: memref<GGxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["G", "V"]},
    %b: memref<GGxreal, strided<[1]>> {mix.name = "b", mix.kind = "input", mix.axes = ["G"]},
    %d: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<GGxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["G", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve_decayed", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<GGxGGxreal, strided<[?, 1]>> -> tensor<GGxGGxreal>
    %xt = tile.load %x[%c0, %c0] : memref<GGxVVxreal, strided<[?, 1]>> -> tensor<GGxVVxreal>
    %bt = tile.load %b[%c0] : memref<GGxreal, strided<[1]>> -> tensor<GGxreal>
    %dt = tile.load %d[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.solve %at, %xt scale(%bt) decay(%dt) {group = 2 : i64} : (tensor<GGxGGxreal>, tensor<GGxVVxreal>, tensor<GGxreal>, tensor<CCxVVxreal>) -> tensor<GGxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<GGxVVxreal>, memref<GGxVVxreal, strided<[?, 1]>>
  }
  return
}

func.func @apply_0(
    %a: memref<CCxCCxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["C", "D"]},
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %d: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "apply", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<CCxCCxreal, strided<[?, 1]>> -> tensor<CCxCCxreal>
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %dt = tile.load %d[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.decayed_apply %at, %xt, %dt : tensor<CCxCCxreal>, tensor<CCxVVxreal>, tensor<CCxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
  }
  return
}

func.func @apply_grouped_0(
    %a: memref<CCxGGxreal, strided<[?, 1]>> {mix.name = "a", mix.kind = "input", mix.axes = ["C", "G"]},
    %x: memref<GGxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["G", "V"]},
    %d: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "apply_grouped", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %at = tile.load %a[%c0, %c0] : memref<CCxGGxreal, strided<[?, 1]>> -> tensor<CCxGGxreal>
    %xt = tile.load %x[%c0, %c0] : memref<GGxVVxreal, strided<[?, 1]>> -> tensor<GGxVVxreal>
    %dt = tile.load %d[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %ot = tile.decayed_apply %at, %xt, %dt {exclusive, group = 2 : i64} : tensor<CCxGGxreal>, tensor<GGxVVxreal>, tensor<CCxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
  }
  return
}

// Rows in and out of a tile, an element, and a reshape that changes the rows.
func.func @slices_0(
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %d: memref<CCxreal, strided<[1]>> {mix.name = "d", mix.kind = "input", mix.axes = ["C"]},
    %o: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "slices", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %dt = tile.load %d[%c0] : memref<CCxreal, strided<[1]>> -> tensor<CCxreal>
    %c2 = arith.constant 2 : index
    %row = tensor.extract_slice %xt[%c2, 0] [1, VV] [1, 1] : tensor<CCxVVxreal> to tensor<VVxreal>
    %moved = tensor.insert_slice %row into %xt[3, 0] [1, VV] [1, 1] : tensor<VVxreal> into tensor<CCxVVxreal>
    %flat = tensor.expand_shape %dt [[0, 1]] output_shape [CC, 1] : tensor<CCxreal> into tensor<CCx1xreal>
    %back = tensor.collapse_shape %flat [[0, 1]] : tensor<CCx1xreal> into tensor<CCxreal>
    %one = tensor.extract %back[%c2] : tensor<CCxreal>
    %ot = tensor.insert %one into %moved[%c0, %c2] : tensor<CCxVVxreal>
    tile.store %ot, %o[%c0, %c0] : tensor<CCxVVxreal>, memref<CCxVVxreal, strided<[?, 1]>>
  }
  return
}

// Two blocks of scores, the first into empty lists; positions come out as reals.
#elementwise = affine_map<(n, v) -> (n, v)>
func.func @largest_0(
    %x: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["C", "V"]},
    %y: memref<CCxVVxreal, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["C", "V"]},
    %o: memref<3xVVxreal, strided<[?, 1]>> {mix.name = "o", mix.kind = "output", mix.axes = ["N", "V"]},
    %p: memref<3xVVxreal, strided<[?, 1]>> {mix.name = "p", mix.kind = "output", mix.axes = ["N", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "largest", tile.form = "chunked", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c100 = arith.constant 100 : index
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %yt = tile.load %y[%c0, %c0] : memref<CCxVVxreal, strided<[?, 1]>> -> tensor<CCxVVxreal>
    %least = arith.constant -1.0e+30 : real
    %empty = tensor.splat %least : tensor<3xVVxreal>
    %none = arith.constant dense<-1> : tensor<3xVVxi64>
    %first:2 = tile.largest %xt from %c0 into %empty, %none : tensor<CCxVVxreal>, tensor<3xVVxreal>, tensor<3xVVxi64>
    %both:2 = tile.largest %yt from %c100 into %first#0, %first#1 : tensor<CCxVVxreal>, tensor<3xVVxreal>, tensor<3xVVxi64>
    %undefined = tensor.empty() : tensor<3xVVxreal>
    %reals = linalg.generic {indexing_maps = [#elementwise, #elementwise], iterator_types = ["parallel", "parallel"]}
        ins(%both#1 : tensor<3xVVxi64>) outs(%undefined : tensor<3xVVxreal>) {
    ^bb0(%position: i64, %old: real):
      %real = arith.sitofp %position : i64 to real
      linalg.yield %real : real
    } -> tensor<3xVVxreal>
    tile.store %both#0, %o[%c0, %c0] : tensor<3xVVxreal>, memref<3xVVxreal, strided<[?, 1]>>
    tile.store %reals, %p[%c0, %c0] : tensor<3xVVxreal>, memref<3xVVxreal, strided<[?, 1]>>
  }
  return
}
