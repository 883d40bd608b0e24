// Products of bf16 on a chip that multiplies pairs of them.
//
// RUN: mix-opt %s --mix-cpu-pair-products=chip=avx512-bf16 | FileCheck %s
// RUN: mix-opt %s --mix-cpu-pair-products=chip=x86-64-v4 | FileCheck %s --check-prefix=OTHER
// OTHER-NOT: cpu.pairs
//
// Whatever this machine has, the kernel computes what the program says.
//
// RUN: mix-evaluate %s --against %s --cpu=native --round --tolerance 1e-6 --size T=20 --size T=3 | FileCheck %s --check-prefix=NUM
// NUM: 2 passed, 0 failed

#row = affine_map<(i, j, d) -> (i, d)>
#column = affine_map<(i, j, d) -> (j, d)>
#first = affine_map<(i, j, d) -> (d, i)>
#second = affine_map<(i, j, d) -> (d, j)>
#sum = affine_map<(i, j, d) -> (i, j)>

// A tile is loaded whole along an axis of five: the sixth position is zero.
//
// CHECK-DAG: #[[LOW:.*]] = affine_map<(d0, d1) -> (d0, d1 * 2)>
// CHECK-DAG: #[[HIGH:.*]] = affine_map<(d0, d1) -> (d0, d1 * 2 + 1)>
// CHECK-DAG: #[[ROWLOW:.*]] = affine_map<(d0, d1) -> (d0 * 2, d1)>
//
// CHECK: %[[X:.*]] = tile.load %{{.*}} -> tensor<20x6xbf16>
// CHECK: %[[XP:.*]] = linalg.generic {indexing_maps = [#[[LOW]], #[[HIGH]], {{.*}} ins(%[[X]], %[[X]] {{.*}} attrs = {cpu.pack = 1 : i64}
// CHECK: %[[YP:.*]] = linalg.generic {{.*}}cpu.pack = 1
// CHECK: linalg.generic {{.*}} ins(%[[XP]], %[[YP]] : tensor<20x3xi32>, tensor<20x3xi32>) outs(%{{.*}} : tensor<20x20xf32>) attrs = {cpu.pairs}
//
// Along twenty positions of a tile: rows are paired. What is only rounded for the product is
// rounded where it is packed.
//
// CHECK: linalg.generic {indexing_maps = [#[[ROWLOW]], {{.*}} ins(%{{.*}} : tensor<20x7xf32>, tensor<20x7xf32>)
// CHECK: arith.truncf %{{.*}} fastmath<afn> : f32 to bf16
// CHECK: linalg.generic {{.*}} : tensor<10x5xi32>, tensor<10x7xi32>) outs(%{{.*}} : tensor<5x7xf32>) attrs = {cpu.pairs}
//
// An odd number of positions that more may follow in memory is left as it is.
//
// CHECK: linalg.contract {{.*}} ins(%{{.*}} : tensor<19x5xbf16>, tensor<19x5xbf16>)

func.func @products_0(
    %x: memref<?x5xbf16, strided<[?, 1]>> {mix.name = "x", mix.kind = "input", mix.axes = ["T", "K"]},
    %y: memref<?x5xbf16, strided<[?, 1]>> {mix.name = "y", mix.kind = "input", mix.axes = ["T", "K"]},
    %z: memref<?x7xf32, strided<[?, 1]>> {mix.name = "z", mix.kind = "input", mix.axes = ["T", "V"]},
    %g: memref<20x20xf32, strided<[?, 1]>> {mix.name = "g", mix.kind = "output", mix.axes = ["A", "B"]},
    %s: memref<5x7xf32, strided<[?, 1]>> {mix.name = "s", mix.kind = "output", mix.axes = ["K", "V"]},
    %r: memref<5x5xf32, strided<[?, 1]>> {mix.name = "r", mix.kind = "output", mix.axes = ["K", "L"]})
    attributes {tile.phase = 0 : i64, tile.mixer = "products", tile.form = "chunked",
                tile.features = 1 : i64, mix.spaces = ["T"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %gram0 = arith.constant dense<0.0> : tensor<20x20xf32>
  %s0 = arith.constant dense<0.0> : tensor<5x7xf32>
  %r0 = arith.constant dense<0.0> : tensor<5x5xf32>
  scf.forall (%fb, %tb) in (1, 1) {
    %xt = tile.load %x[%c0, %c0] : memref<?x5xbf16, strided<[?, 1]>> -> tensor<20x5xbf16>
    %yt = tile.load %y[%c0, %c0] : memref<?x5xbf16, strided<[?, 1]>> -> tensor<20x5xbf16>
    %gram = linalg.contract indexing_maps = [#row, #column, #sum]
      ins(%xt, %yt : tensor<20x5xbf16>, tensor<20x5xbf16>) outs(%gram0 : tensor<20x20xf32>) -> tensor<20x20xf32>
    tile.store %gram, %g[%c0, %c0] : tensor<20x20xf32>, memref<20x20xf32, strided<[?, 1]>>

    %zt = tile.load %z[%c0, %c0] : memref<?x7xf32, strided<[?, 1]>> -> tensor<20x7xf32>
    %zr = arith.truncf %zt : tensor<20x7xf32> to tensor<20x7xbf16>
    %state = linalg.contract indexing_maps = [#first, #second, #sum]
      ins(%xt, %zr : tensor<20x5xbf16>, tensor<20x7xbf16>) outs(%s0 : tensor<5x7xf32>) -> tensor<5x7xf32>
    tile.store %state, %s[%c0, %c0] : tensor<5x7xf32>, memref<5x7xf32, strided<[?, 1]>>

    %x1 = tile.load %x[%c1, %c0] : memref<?x5xbf16, strided<[?, 1]>> -> tensor<19x5xbf16>
    %y1 = tile.load %y[%c1, %c0] : memref<?x5xbf16, strided<[?, 1]>> -> tensor<19x5xbf16>
    %odd = linalg.contract indexing_maps = [#first, #second, #sum]
      ins(%x1, %y1 : tensor<19x5xbf16>, tensor<19x5xbf16>) outs(%r0 : tensor<5x5xf32>) -> tensor<5x5xf32>
    tile.store %odd, %r[%c0, %c0] : tensor<5x5xf32>, memref<5x5xf32, strided<[?, 1]>>
  }
  return
}
