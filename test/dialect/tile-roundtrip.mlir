// Every op of the tile dialect is printed as it is parsed.
//
// RUN: mix-opt %s | mix-opt | FileCheck %s

// CHECK-LABEL: func.func @memory
func.func @memory(%k: memref<?x128xf32, strided<[?, 1]>>, %t: index, %z: index) {
  // CHECK: %[[K:.*]] = tile.load %{{.*}}[%{{.*}}, %{{.*}}] : memref<?x128xf32, strided<[?, 1]>> -> tensor<32x128xf32>
  %tile = tile.load %k[%t, %z] : memref<?x128xf32, strided<[?, 1]>> -> tensor<32x128xf32>
  // A tile of lower rank takes the last dimensions.
  // CHECK: tile.load %{{.*}} : memref<?x128xf32, strided<[?, 1]>> -> tensor<128xf32>
  %row = tile.load %k[%t, %z] : memref<?x128xf32, strided<[?, 1]>> -> tensor<128xf32>
  // CHECK: tile.store %[[K]], %{{.*}}[%{{.*}}, %{{.*}}] : tensor<32x128xf32>, memref<?x128xf32, strided<[?, 1]>>
  tile.store %tile, %k[%t, %z] : tensor<32x128xf32>, memref<?x128xf32, strided<[?, 1]>>
  return
}

// CHECK-LABEL: func.func @chunk
func.func @chunk(%i: index, %g: tensor<32xf32>, %x: tensor<32x128xf32>, %a: tensor<32x32xf32>, %b: tensor<32xf32>) {
  // CHECK: tile.band %{{.*}} rows 1 columns 0[%{{.*}}, %{{.*}}] : tensor<32x32xf32>
  tile.band %a rows 1 columns 0 [%i, %i] : tensor<32x32xf32>
  // CHECK: tile.scan sum %{{.*}} : tensor<32xf32>
  %c = tile.scan sum %g : tensor<32xf32>
  // CHECK: tile.scan prod %{{.*}} {exclusive, reverse} : tensor<32x128xf32>
  %p = tile.scan prod %x {reverse, exclusive} : tensor<32x128xf32>
  // CHECK: tile.largest %{{.*}} from %{{.*}} into %{{.*}}, %{{.*}} : tensor<32x128xf32>, tensor<4x128xf32>, tensor<4x128xi64>
  %first = arith.constant 64 : index
  %list = tensor.extract_slice %x[0, 0] [4, 128] [1, 1] : tensor<32x128xf32> to tensor<4x128xf32>
  %none = arith.constant dense<-1> : tensor<4x128xi64>
  %l:2 = tile.largest %x from %first into %list, %none : tensor<32x128xf32>, tensor<4x128xf32>, tensor<4x128xi64>
  // CHECK: tile.decay_ratio %{{.*}} : tensor<32xf32> -> tensor<32x32xf32>
  %d = tile.decay_ratio %g : tensor<32xf32> -> tensor<32x32xf32>
  // CHECK: tile.decayed_gram %{{.*}}, %{{.*}}, %{{.*}} {exclusive} : tensor<32x128xf32> -> tensor<32x32xf32>
  %m = tile.decayed_gram %x, %x, %x {exclusive} : tensor<32x128xf32> -> tensor<32x32xf32>
  // CHECK: tile.solve %{{.*}}, %{{.*}} scale(%{{.*}}) decay(%{{.*}}) {group = 2 : i64}
  // CHECK-SAME: : (tensor<32x32xf32>, tensor<32x128xf32>, tensor<32xf32>, tensor<16x128xf32>) -> tensor<32x128xf32>
  %half = tensor.extract_slice %x[0, 0] [16, 128] [1, 1] : tensor<32x128xf32> to tensor<16x128xf32>
  %y = tile.solve %a, %x scale(%b) decay(%half) {group = 2 : i64}
    : (tensor<32x32xf32>, tensor<32x128xf32>, tensor<32xf32>, tensor<16x128xf32>) -> tensor<32x128xf32>
  // CHECK: tile.solve %{{.*}}, %{{.*}} : (tensor<32x32xf32>, tensor<32xf32>) -> tensor<32xf32>
  %v = tile.solve %a, %b : (tensor<32x32xf32>, tensor<32xf32>) -> tensor<32xf32>
  // CHECK: tile.decayed_apply %{{.*}}, %{{.*}}, %{{.*}} {exclusive} : tensor<32x32xf32>, tensor<32x128xf32>, tensor<32x128xf32>
  %o = tile.decayed_apply %a, %y, %x {exclusive} : tensor<32x32xf32>, tensor<32x128xf32>, tensor<32x128xf32>
  return
}
