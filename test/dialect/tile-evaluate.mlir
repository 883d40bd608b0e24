// Every op of the tile dialect on numbers small enough to check by hand. Each
// phase stores its tile to the output `o`.
//
// RUN: mix-evaluate %s --size T=3 --print | FileCheck %s

// Rows beyond the tokens read as zero; the leading dimension is fixed at its offset.
// CHECK-LABEL: load
// CHECK: o[C=4] = 0 2 0 0
func.func @load_0(%z: memref<2x?xf64> {mix.name = "z", mix.kind = "workspace", mix.axes = ["N", "T"]},
                  %k: memref<?xf64> {mix.name = "k", mix.kind = "input", mix.axes = ["T"]},
                  %o: memref<4xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "load", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %ramp = arith.constant dense<[[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]> : tensor<2x3xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    tile.store %ramp, %z[%c0, %c0] : tensor<2x3xf64>, memref<2x?xf64>
    %x = tile.load %z[%c1, %c1] : memref<2x?xf64> -> tensor<4xf64>
    tile.store %x, %o[%c0] : tensor<4xf64>, memref<4xf64>
  }
  return
}

// Only the elements inside the view are written: the last is left as it was.
// CHECK-LABEL: store
// CHECK: o[C=3] = nan 1 1
func.func @store_0(%o: memref<3xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "store", tile.features = 1 : i64} {
  %c1 = arith.constant 1 : index
  %x = arith.constant dense<1.0> : tensor<4xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    tile.store %x, %o[%c1] : tensor<4xf64>, memref<3xf64>
  }
  return
}

// What a promise says is of no importance is zero from there on: the first row matters at 1, the
// second at 1 and 2.
// CHECK-LABEL: band
// CHECK: o[C=2,D=3] = 0 2 0 0 5 6
func.func @band_0(%o: memref<2x3xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "D"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "band", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %x = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    tile.band %x rows 0 columns 1 [%c1, %c2, %c1, %c3] : tensor<2x3xf64>
    tile.store %x, %o[%c0, %c0] : tensor<2x3xf64>, memref<2x3xf64>
  }
  return
}

// CHECK-LABEL: scan
// CHECK: forward[C=3,V=2] = 1 2 4 6 9 12
// CHECK: reverse_exclusive[C=3,V=2] = 15 24 5 6 1 1
func.func @scan_0(%f: memref<3x2xf64> {mix.name = "forward", mix.kind = "output", mix.axes = ["C", "V"]},
                  %r: memref<3x2xf64> {mix.name = "reverse_exclusive", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "scan", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %sum = tile.scan sum %x : tensor<3x2xf64>
    %prod = tile.scan prod %x {reverse, exclusive} : tensor<3x2xf64>
    tile.store %sum, %f[%c0, %c0] : tensor<3x2xf64>, memref<3x2xf64>
    tile.store %prod, %r[%c0, %c0] : tensor<3x2xf64>, memref<3x2xf64>
  }
  return
}

// Decays 2, 3, 5: row 2 is 15, 5, 1; exclusive 3, 1, 0.
// CHECK-LABEL: decay_ratio
// CHECK: exclusive[C=3,D=3] = 0 0 0 1 0 0 3 1 0
// CHECK: inclusive[C=3,D=3] = 1 0 0 3 1 0 15 5 1
func.func @decay_ratio_0(%f: memref<3x3xf64> {mix.name = "inclusive", mix.kind = "output", mix.axes = ["C", "D"]},
                         %r: memref<3x3xf64> {mix.name = "exclusive", mix.kind = "output", mix.axes = ["C", "D"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "decay_ratio", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %a = arith.constant dense<[2.0, 3.0, 5.0]> : tensor<3xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %p = tile.decay_ratio %a : tensor<3xf64> -> tensor<3x3xf64>
    %e = tile.decay_ratio %a {exclusive} : tensor<3xf64> -> tensor<3x3xf64>
    tile.store %p, %f[%c0, %c0] : tensor<3x3xf64>, memref<3x3xf64>
    tile.store %e, %r[%c0, %c0] : tensor<3x3xf64>, memref<3x3xf64>
  }
  return
}

// x = y = 1 and decays (2, 1), (3, 1), (5, 1): the ratios above plus 1 per channel.
// CHECK-LABEL: decayed_gram
// CHECK: exclusive[C=3,D=3] = 0 0 0 2 0 0 4 2 0
// CHECK: inclusive[C=3,D=3] = 2 0 0 4 2 0 16 6 2
func.func @decayed_gram_0(%f: memref<3x3xf64> {mix.name = "inclusive", mix.kind = "output", mix.axes = ["C", "D"]},
                          %r: memref<3x3xf64> {mix.name = "exclusive", mix.kind = "output", mix.axes = ["C", "D"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "decayed_gram", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %one = arith.constant dense<1.0> : tensor<3x2xf64>
  %a = arith.constant dense<[[2.0, 1.0], [3.0, 1.0], [5.0, 1.0]]> : tensor<3x2xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %p = tile.decayed_gram %one, %one, %a : tensor<3x2xf64> -> tensor<3x3xf64>
    %e = tile.decayed_gram %one, %one, %a {exclusive} : tensor<3x2xf64> -> tensor<3x3xf64>
    tile.store %p, %f[%c0, %c0] : tensor<3x3xf64>, memref<3x3xf64>
    tile.store %e, %r[%c0, %c0] : tensor<3x3xf64>, memref<3x3xf64>
  }
  return
}

// Elements on and above the diagonal (7) are not read. With rows [2] and [1, 3]: y0 = 1,
// y1 = 1 + 2 y0 = 3, y2 = 1 + y0 + 3 y1 = 11; with scale 1/2: 1, 2, 4.5. Of the decays 2, 3, 5
// only that of row 1 lies between two rows: y2 = 1 + 3 y0 + 3 y1 = 13.
// CHECK-LABEL: solve
// CHECK: decayed[C=3,V=1] = 1 3 13
// CHECK: plain[C=3] = 1 3 11
// CHECK: scaled[C=3] = 1 2 4.5
func.func @solve_0(%p: memref<3xf64> {mix.name = "plain", mix.kind = "output", mix.axes = ["C"]},
                   %s: memref<3xf64> {mix.name = "scaled", mix.kind = "output", mix.axes = ["C"]},
                   %d: memref<3x1xf64> {mix.name = "decayed", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "solve", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %a = arith.constant dense<[[7.0, 7.0, 7.0], [2.0, 7.0, 7.0], [1.0, 3.0, 7.0]]> : tensor<3x3xf64>
  %one = arith.constant dense<1.0> : tensor<3xf64>
  %column = arith.constant dense<1.0> : tensor<3x1xf64>
  %half = arith.constant dense<0.5> : tensor<3xf64>
  %decay = arith.constant dense<[[2.0], [3.0], [5.0]]> : tensor<3x1xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %plain = tile.solve %a, %one : (tensor<3x3xf64>, tensor<3xf64>) -> tensor<3xf64>
    %scaled = tile.solve %a, %one scale(%half)
      : (tensor<3x3xf64>, tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
    %decayed = tile.solve %a, %column decay(%decay)
      : (tensor<3x3xf64>, tensor<3x1xf64>, tensor<3x1xf64>) -> tensor<3x1xf64>
    tile.store %plain, %p[%c0] : tensor<3xf64>, memref<3xf64>
    tile.store %scaled, %s[%c0] : tensor<3xf64>, memref<3xf64>
    tile.store %decayed, %d[%c0, %c0] : tensor<3x1xf64>, memref<3x1xf64>
  }
  return
}

// Two virtual rows per token: rows 0 and 1 do not see each other, rows 2 and 3 see both.
// CHECK-LABEL: grouped_solve
// CHECK: o[C=4] = 1 1 3 3
func.func @grouped_solve_0(%o: memref<4xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["C"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "grouped_solve", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %a = arith.constant dense<1.0> : tensor<4x4xf64>
  %one = arith.constant dense<1.0> : tensor<4xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %y = tile.solve %a, %one {group = 2 : i64} : (tensor<4x4xf64>, tensor<4xf64>) -> tensor<4xf64>
    tile.store %y, %o[%c0] : tensor<4xf64>, memref<4xf64>
  }
  return
}

// Decays 2 and 3, A = [[1, 9], [1, 1]], y = [1, 10]: row 1 is 3 + 10, exclusive 1.
// With two virtual rows per token, row 1 is (1 + 2) 3 + 3 + 4.
// CHECK-LABEL: decayed_apply
// CHECK: exclusive[C=2,V=1] = 0 1
// CHECK: grouped[C=2,V=1] = 3 16
// CHECK: inclusive[C=2,V=1] = 1 13
func.func @decayed_apply_0(%f: memref<2x1xf64> {mix.name = "inclusive", mix.kind = "output", mix.axes = ["C", "V"]},
                           %r: memref<2x1xf64> {mix.name = "exclusive", mix.kind = "output", mix.axes = ["C", "V"]},
                           %g: memref<2x1xf64> {mix.name = "grouped", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "decayed_apply", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %a = arith.constant dense<[[1.0, 9.0], [1.0, 1.0]]> : tensor<2x2xf64>
  %wide = arith.constant dense<1.0> : tensor<2x4xf64>
  %y = arith.constant dense<[[1.0], [10.0]]> : tensor<2x1xf64>
  %tall = arith.constant dense<[[1.0], [2.0], [3.0], [4.0]]> : tensor<4x1xf64>
  %d = arith.constant dense<[[2.0], [3.0]]> : tensor<2x1xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %p = tile.decayed_apply %a, %y, %d : tensor<2x2xf64>, tensor<2x1xf64>, tensor<2x1xf64>
    %e = tile.decayed_apply %a, %y, %d {exclusive}
      : tensor<2x2xf64>, tensor<2x1xf64>, tensor<2x1xf64>
    %w = tile.decayed_apply %wide, %tall, %d {group = 2 : i64}
      : tensor<2x4xf64>, tensor<4x1xf64>, tensor<2x1xf64>
    tile.store %p, %f[%c0, %c0] : tensor<2x1xf64>, memref<2x1xf64>
    tile.store %e, %r[%c0, %c0] : tensor<2x1xf64>, memref<2x1xf64>
    tile.store %w, %g[%c0, %c0] : tensor<2x1xf64>, memref<2x1xf64>
  }
  return
}

// Slices of rows, reshapes, a product, and elementwise code with captured scalars and loop indices.
// CHECK-LABEL: tiles
// CHECK: o[C=2,V=2] = 4 7 10 13
func.func @tiles_0(%o: memref<2x2xf64> {mix.name = "o", mix.kind = "output", mix.axes = ["C", "V"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "tiles", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %two = arith.constant 2.0 : f64
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %empty = tensor.empty() : tensor<2x2xf64>
    // swapped = [[3, 4], [1, 2]]
    %row0 = tensor.extract_slice %a[%c0, 0] [1, 2] [1, 1] : tensor<2x2xf64> to tensor<2xf64>
    %row1 = tensor.extract_slice %a[%c1, 0] [1, 2] [1, 1] : tensor<2x2xf64> to tensor<1x2xf64>
    %half = tensor.insert_slice %row0 into %empty[%c1, 0] [1, 2] [1, 1] : tensor<2xf64> into tensor<2x2xf64>
    %swapped = tensor.insert_slice %row1 into %half[0, 0] [1, 2] [1, 1] : tensor<1x2xf64> into tensor<2x2xf64>
    // gram = swapped a^T = [[11, 25], [5, 11]]
    %init = tensor.splat %two : tensor<2x2xf64>
    %zero = arith.constant 0.0 : f64
    %zeros = linalg.fill ins(%zero : f64) outs(%init : tensor<2x2xf64>) -> tensor<2x2xf64>
    %gram = linalg.contract indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>,
                                            affine_map<(d0, d1, d2) -> (d1, d2)>,
                                            affine_map<(d0, d1, d2) -> (d0, d1)>]
      ins(%swapped, %a : tensor<2x2xf64>, tensor<2x2xf64>) outs(%zeros : tensor<2x2xf64>)
      -> tensor<2x2xf64>
    // o[i, j] = (gram[1, 0] - 2) (2 i + j) + 4
    %flat = tensor.collapse_shape %gram [[0, 1]] : tensor<2x2xf64> into tensor<4xf64>
    %back = tensor.expand_shape %flat [[0, 1]] output_shape [2, 2] : tensor<4xf64> into tensor<2x2xf64>
    %corner = tensor.extract %back[%c1, %c0] : tensor<2x2xf64>
    %result = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>],
                              iterator_types = ["parallel", "parallel"]}
        outs(%zeros : tensor<2x2xf64>) {
    ^bb0(%x: f64):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %ii = arith.addi %i, %i : index
      %n = arith.addi %ii, %j : index
      %ni = arith.index_cast %n : index to i64
      %nf = arith.sitofp %ni : i64 to f64
      %three = arith.subf %corner, %two : f64
      %scaled = arith.mulf %three, %nf : f64
      %four = arith.addf %two, %two : f64
      %sum = arith.addf %scaled, %four : f64
      linalg.yield %sum : f64
    } -> tensor<2x2xf64>
    tile.store %result, %o[%c0, %c0] : tensor<2x2xf64>, memref<2x2xf64>
  }
  return
}

// Two phases and a workspace: the first writes a 2 per token, in blocks of 2 tokens; the second adds
// them up, token by token, from 1 if the caller gave a state and from 100 if not.
// CHECK-LABEL: phases T=3
// CHECK: S[] = 106
// CHECK-LABEL: phases T=3 with initial states
// CHECK: S[] = 7
func.func @phases_0(%one: memref<?xf64> {mix.name = "one", mix.kind = "input", mix.axes = ["T"]},
                    %s: memref<f64> {mix.name = "S", mix.kind = "state_in", mix.axes = []},
                    %st: memref<f64> {mix.name = "S", mix.kind = "state_out", mix.axes = []},
                    %w: memref<?xf64> {mix.name = "w0", mix.kind = "workspace", mix.axes = ["T"]},
                    %given: i1 {tile.given = "S"})
    attributes {tile.phase = 0 : i64, tile.mixer = "phases", tile.features = 1 : i64,
                tile.space = "T", tile.rows = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %tokens = memref.dim %one, %c0 : memref<?xf64>
  %blocks = arith.ceildivui %tokens, %c2 : index
  scf.forall (%fb, %tb) in (1, %blocks) {
    %t = arith.muli %tb, %c2 : index
    %x = tile.load %one[%t] : memref<?xf64> -> tensor<2xf64>
    %zero = arith.subf %x, %x : tensor<2xf64>
    %ones = math.exp %zero : tensor<2xf64>
    %y = arith.addf %ones, %ones : tensor<2xf64>
    tile.store %y, %w[%t] : tensor<2xf64>, memref<?xf64>
  }
  return
}
func.func @phases_1(%one: memref<?xf64> {mix.name = "one", mix.kind = "input", mix.axes = ["T"]},
                    %s: memref<f64> {mix.name = "S", mix.kind = "state_in", mix.axes = []},
                    %st: memref<f64> {mix.name = "S", mix.kind = "state_out", mix.axes = []},
                    %w: memref<?xf64> {mix.name = "w0", mix.kind = "workspace", mix.axes = ["T"]},
                    %given: i1 {tile.given = "S"})
    attributes {tile.phase = 1 : i64, tile.mixer = "phases", tile.features = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %hundred = arith.constant dense<100.0> : tensor<f64>
  %tokens = memref.dim %one, %c0 : memref<?xf64>
  scf.forall (%fb, %tb) in (1, 1) {
    %start = scf.if %given -> tensor<f64> {
      // exp(S - S): the caller's state is random.
      %loaded = tile.load %s[] : memref<f64> -> tensor<f64>
      %zero = arith.subf %loaded, %loaded : tensor<f64>
      %unit = math.exp %zero : tensor<f64>
      scf.yield %unit : tensor<f64>
    } else {
      scf.yield %hundred : tensor<f64>
    }
    %sum = scf.for %t = %c0 to %tokens step %c1 iter_args(%acc = %start) -> tensor<f64> {
      %x = tile.load %w[%t] : memref<?xf64> -> tensor<f64>
      %next = arith.addf %acc, %x : tensor<f64>
      scf.yield %next : tensor<f64>
    }
    tile.store %sum, %st[] : tensor<f64>, memref<f64>
  }
  return
}
