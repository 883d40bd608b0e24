// Every constraint of the tile dialect: `@op_cN` breaks constraint N of the op.
//
// RUN: mix-opt %s --split-input-file --verify-diagnostics

func.func @load_c1(%k: memref<?x128xf32>, %t: index) {
  // expected-error @below {{expects one offset per dimension of the view, got 1 for rank 2}}
  %x = tile.load %k[%t] : memref<?x128xf32> -> tensor<32x128xf32>
  return
}

// -----

func.func @load_c2(%k: memref<?xf32>, %t: index) {
  // expected-error @below {{expects a tile of at most the view's rank 1, got rank 2}}
  %x = tile.load %k[%t] : memref<?xf32> -> tensor<32x128xf32>
  return
}

// -----

func.func @load_c2_element(%k: memref<?xf32>, %t: index) {
  // expected-error @below {{expects tile and view of one element type, or a tile of a wider real type, got 'bf16' and 'f32'}}
  %x = tile.load %k[%t] : memref<?xf32> -> tensor<32xbf16>
  return
}

// -----

func.func @store_c2_element(%k: memref<?xi64>, %x: tensor<32xf64>, %t: index) {
  // expected-error @below {{expects tile and view of one element type, or a tile of a wider real type, got 'f64' and 'i64'}}
  tile.store %x, %k[%t] : tensor<32xf64>, memref<?xi64>
  return
}

// -----

func.func @load_dynamic(%k: memref<?xf32>, %t: index) {
  // expected-error @below {{must be statically shaped tensor}}
  %x = tile.load %k[%t] : memref<?xf32> -> tensor<?xf32>
  return
}

// -----

func.func @store_c1(%k: memref<?x128xf32>, %x: tensor<32x128xf32>, %t: index) {
  // expected-error @below {{expects one offset per dimension of the view, got 1 for rank 2}}
  tile.store %x, %k[%t] : tensor<32x128xf32>, memref<?x128xf32>
  return
}

// -----

func.func @store_c2(%k: memref<?xf32>, %x: tensor<32x128xf32>, %t: index) {
  // expected-error @below {{expects a tile of at most the view's rank 1, got rank 2}}
  tile.store %x, %k[%t] : tensor<32x128xf32>, memref<?xf32>
  return
}

// -----

func.func @scan_c1(%x: tensor<f32>) {
  // expected-error @below {{expects a tile with at least one axis}}
  %y = tile.scan sum %x : tensor<f32>
  return
}

// -----

func.func @decay_ratio_c1(%a: tensor<32x1xf32>) {
  // expected-error @below {{expects a decay of shape C and a result of shape C x C}}
  %p = tile.decay_ratio %a : tensor<32x1xf32> -> tensor<32x32xf32>
  return
}

// -----

func.func @decay_ratio_element(%a: tensor<32xf32>) {
  // expected-error @below {{requires the same element type for all operands and results}}
  %p = tile.decay_ratio %a : tensor<32xf32> -> tensor<32x32xf64>
  return
}

// -----

func.func @decayed_gram_c1(%x: tensor<32x128xf32>) {
  // expected-error @below {{expects operands of one shape C x K and a result of shape C x C}}
  %m = tile.decayed_gram %x, %x, %x : tensor<32x128xf32> -> tensor<128x128xf32>
  return
}

// -----

func.func @solve_c1(%a: tensor<32x16xf32>, %b: tensor<32xf32>) {
  // expected-error @below {{expects a matrix C x C and right-hand sides and result of shape C or C x V}}
  %y = tile.solve %a, %b : (tensor<32x16xf32>, tensor<32xf32>) -> tensor<32xf32>
  return
}

// -----

func.func @solve_c1_group(%a: tensor<32x32xf32>, %b: tensor<32xf32>) {
  // expected-error @below {{expects 'group' to divide the number of rows 32}}
  %y = tile.solve %a, %b {group = 3 : i64} : (tensor<32x32xf32>, tensor<32xf32>) -> tensor<32xf32>
  return
}

// -----

func.func @solve_c2(%a: tensor<32x32xf32>, %b: tensor<32xf32>, %s: tensor<16xf32>) {
  // expected-error @below {{expects a scale of shape C or of the right-hand side's shape}}
  %y = tile.solve %a, %b scale(%s) : (tensor<32x32xf32>, tensor<32xf32>, tensor<16xf32>) -> tensor<32xf32>
  return
}

// -----

func.func @solve_c2_decay(%a: tensor<32x32xf32>, %b: tensor<32x8xf32>, %d: tensor<32x8xf32>) {
  // expected-error @below {{expects a decay of shape (C / group) x V}}
  %y = tile.solve %a, %b decay(%d) {group = 2 : i64}
    : (tensor<32x32xf32>, tensor<32x8xf32>, tensor<32x8xf32>) -> tensor<32x8xf32>
  return
}

// -----

func.func @decayed_apply_c1(%a: tensor<32x32xf32>, %y: tensor<16x8xf32>, %d: tensor<32x8xf32>) {
  // expected-error @below {{expects A of shape C x (C group), Y of shape (C group) x V}}
  %o = tile.decayed_apply %a, %y, %d : tensor<32x32xf32>, tensor<16x8xf32>, tensor<32x8xf32>
  return
}

// -----

func.func @decayed_apply_c1_group(%a: tensor<2x0xf32>, %y: tensor<0x8xf32>, %d: tensor<2x8xf32>) {
  // expected-error @below {{expects A of shape C x (C group)}}
  %o = tile.decayed_apply %a, %y, %d {group = 0 : i64}
    : tensor<2x0xf32>, tensor<0x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @largest_c1(%s: tensor<64x32xf32>, %v: tensor<4x16xf32>, %p: tensor<4x16xi64>, %t: index) {
  // expected-error @below {{expects lists with the axes of the scores after the first}}
  %v1, %p1 = tile.largest %s from %t into %v, %p : tensor<64x32xf32>, tensor<4x16xf32>, tensor<4x16xi64>
  return
}

// -----

func.func @largest_c2(%s: tensor<64x32xf32>, %v: tensor<4x32xf32>, %p: tensor<4x32xi32>, %t: index) {
  // expected-error @below {{expects positions of the shape of the values and of type i64}}
  %v1, %p1 = tile.largest %s from %t into %v, %p : tensor<64x32xf32>, tensor<4x32xf32>, tensor<4x32xi32>
  return
}

// -----

func.func @band_c1(%s: tensor<32x64xf32>, %a: index, %b: index) {
  // expected-error @below {{expects 'rows' and 'columns' to be two dimensions of a tile of rank 2, got 1 and 1}}
  tile.band %s rows 1 columns 1 [%a, %b] : tensor<32x64xf32>
  return
}

// -----

func.func @band_c2(%s: tensor<32x64xf32>, %a: index, %b: index) {
  // expected-error @below {{expects two bounds for each of some groups that divide 32 rows, got 6 bounds}}
  tile.band %s rows 0 columns 1 [%a, %b, %a, %b, %a, %b] : tensor<32x64xf32>
  return
}
