// Every constraint of the mix dialect: `@op_cN` breaks constraint N of the op, and the
// message says what was expected. `@any_c0` is the constraint of all ops.
//
// RUN: mix-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{axis 'K' is named twice}}
func.func private @axes_c1(tensor<?x?xf64, #mix.axes<["K", "K"]>>)

// -----

// expected-error @below {{an axis has an empty name}}
func.func private @axes_c1_empty(tensor<?xf64, #mix.axes<[""]>>)

// -----

// expected-error @below {{a tensor of rank 1 has 2 axis names}}
func.func private @axes_c2(tensor<?xf64, #mix.axes<["K", "V"]>>)

// -----

func.func @any_c0(%x: tensor<4xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{has two sizes of axis 'K', 4 and 5}}
  %y = mix.broadcast %x : tensor<4xf64, #mix.axes<["K"]>> to tensor<5x?xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

// Axes over one token space have one size.
func.func @any_c0_space(%x: tensor<4xf64, #mix.axes<["T"]>>, %j: tensor<5xi64, #mix.axes<["j:T"]>>) {
  // expected-error @below {{has two sizes of axis 'j:T', 4 and 5}}
  %y = mix.read %x["T" = %j] : tensor<4xf64, #mix.axes<["T"]>>, tensor<5xi64, #mix.axes<["j:T"]>>
    -> tensor<?xf64, #mix.axes<["j:T"]>>
  return
}

// -----

func.func @any_unnamed(%x: tensor<?xf64>) {
  // expected-error @below {{must be tensor over named axes}}
  %y = mix.reduce sum %x over [] : tensor<?xf64> -> tensor<?xf64>
  return
}

// -----

func.func @iota_c1() {
  // expected-error @below {{expects one axis of the form "j:T", got [T]}}
  %j = mix.iota : tensor<?xi64, #mix.axes<["T"]>>
  return
}

// -----

func.func @iota_c1_rank() {
  // expected-error @below {{expects one axis of the form "j:T", got []}}
  %j = mix.iota : tensor<i64>
  return
}

// -----

func.func @read_c1(%x: tensor<?xf64, #mix.axes<["K"]>>, %i: tensor<i64>) {
  // expected-error @below {{indexes axis 'T' that the source does not have}}
  %y = mix.read %x["T" = %i] : tensor<?xf64, #mix.axes<["K"]>>, tensor<i64> -> tensor<f64>
  return
}

// -----

func.func @read_c1_twice(%x: tensor<?xf64, #mix.axes<["K"]>>, %i: tensor<i64>) {
  // expected-error @below {{indexes axis 'K' twice}}
  %y = mix.read %x["K" = %i, "K" = %i] : tensor<?xf64, #mix.axes<["K"]>>, tensor<i64>, tensor<i64> -> tensor<f64>
  return
}

// -----

func.func @read_c1_count(%x: tensor<?xf64, #mix.axes<["K"]>>, %i: tensor<i64>) {
  // expected-error @below {{expects one index per named axis, got 1 axes and 2 indices}}
  %y = "mix.read"(%x, %i, %i) <{axes = ["K"]}> : (tensor<?xf64, #mix.axes<["K"]>>, tensor<i64>, tensor<i64>) -> tensor<f64>
  return
}

// -----

func.func @read_c2(%x: tensor<?xf64, #mix.axes<["K"]>>, %j: tensor<?xi64, #mix.axes<["j:T"]>>) {
  // expected-error @below {{expects a result with the axes [j:T]}}
  %y = mix.read %x["K" = %j] : tensor<?xf64, #mix.axes<["K"]>>, tensor<?xi64, #mix.axes<["j:T"]>>
    -> tensor<?xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @read_c2_element(%x: tensor<?xf64, #mix.axes<["K"]>>, %i: tensor<i64>) {
  // expected-error @below {{expects a result with the axes [], got 'tensor<i64>'}}
  %y = mix.read %x["K" = %i] : tensor<?xf64, #mix.axes<["K"]>>, tensor<i64> -> tensor<i64>
  return
}

// -----

func.func @bind_c1(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{expects an index axis of the source, got 'K'}}
  %y = mix.bind %x along "K" : tensor<?xf64, #mix.axes<["K"]>> to tensor<?xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @bind_c1_space(%x: tensor<?x?xf64, #mix.axes<["T", "j:T"]>>) {
  // expected-error @below {{expects a source without the axis 'T'}}
  %y = mix.bind %x along "j:T" : tensor<?x?xf64, #mix.axes<["T", "j:T"]>>
    to tensor<?x?xf64, #mix.axes<["T", "j:T"]>>
  return
}

// -----

func.func @bind_c2(%x: tensor<?xf64, #mix.axes<["j:T"]>>) {
  // expected-error @below {{expects a result of type 'tensor<?xf64, #mix.axes<["T"]>>'}}
  %y = mix.bind %x along "j:T" : tensor<?xf64, #mix.axes<["j:T"]>> to tensor<?xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @broadcast_c1(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{drops axis 'K'}}
  %y = mix.broadcast %x : tensor<?xf64, #mix.axes<["K"]>> to tensor<?xf64, #mix.axes<["V"]>>
  return
}

// -----

func.func @broadcast_c2(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{changes the element type}}
  %y = mix.broadcast %x : tensor<?xf64, #mix.axes<["K"]>> to tensor<?xi64, #mix.axes<["K"]>>
  return
}

// -----

func.func @reduce_c1(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{reduces axis 'V' that the source does not have}}
  %y = mix.reduce sum %x over ["V"] : tensor<?xf64, #mix.axes<["K"]>> -> tensor<f64>
  return
}

// -----

func.func @reduce_c1_twice(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{names axis 'K' twice}}
  %y = mix.reduce sum %x over ["K", "K"] : tensor<?xf64, #mix.axes<["K"]>> -> tensor<f64>
  return
}

// -----

func.func @reduce_c2(%x: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["V"]>>) {
  // expected-error @below {{expects the axes of the mask among those of the source}}
  %y = mix.reduce sum %x where %m over ["K"] : tensor<?xf64, #mix.axes<["K"]>>, tensor<?xi1, #mix.axes<["V"]>> -> tensor<f64>
  return
}

// -----

func.func @reduce_c3(%x: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{expects a result of type 'tensor<8xf64, #mix.axes<["V"]>>'}}
  %y = mix.reduce sum %x over ["K"] : tensor<4x8xf64, #mix.axes<["K", "V"]>> -> tensor<4xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @reduce_c4(%x: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects numbers: booleans have no sum}}
  %y = mix.reduce sum %x over ["K"] : tensor<?xi1, #mix.axes<["K"]>> -> tensor<i1>
  return
}

// -----

func.func @softmax_c1(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects one axes list and one mask per source, got 2 lists, 1 masks, 1 sources}}
  %p = mix.softmax (%s) where (%m) over [["K"], []] :
    (tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>) -> (tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c1_results(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects one result per source}}
  %p:2 = mix.softmax (%s) where (%m) over [["K"]] :
    (tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>) -> (tensor<?xf64, #mix.axes<["K"]>>, tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c1_lists(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects 'axes' to be a list of lists of axis names}}
  %p = mix.softmax (%s) where (%m) over ["K"] :
    (tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>) -> (tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c2(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{reduces axis 'V' that source 0 does not have}}
  %p = mix.softmax (%s) where (%m) over [["V"]] :
    (tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>) -> (tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c2_twice(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{names axis 'K' twice}}
  %p = mix.softmax (%s) where (%m) over [["K", "K"]] :
    (tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>) -> (tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c2_rest(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects the same remaining axes for all sources, got [] and [K]}}
  %p:2 = mix.softmax (%s, %s) where (%m, %m) over [["K"], []] :
    (tensor<?xf64, #mix.axes<["K"]>>, tensor<?xf64, #mix.axes<["K"]>>), (tensor<?xi1, #mix.axes<["K"]>>, tensor<?xi1, #mix.axes<["K"]>>)
    -> (tensor<?xf64, #mix.axes<["K"]>>, tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @softmax_c3(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<i1>) {
  // expected-error @below {{expects mask and result with the axes of the logits}}
  %p = mix.softmax (%s) where (%m) over [["K"]] : (tensor<?xf64, #mix.axes<["K"]>>), (tensor<i1>) -> (tensor<?xf64, #mix.axes<["K"]>>)
  return
}

// -----

func.func @prefix_c1(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{runs along axis 'V' that the source does not have}}
  %y = mix.prefix sum %x along "V" : tensor<?xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @prefix_c2(%x: tensor<?xf64, #mix.axes<["K"]>>) {
  // expected-error @below {{failed to verify that all of {source, result} have same type}}
  %y = "mix.prefix"(%x) <{kind = 0 : i32, axis = "K"}> : (tensor<?xf64, #mix.axes<["K"]>>) -> tensor<f64>
  return
}

// -----

func.func @prefix_c3(%x: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects numbers: booleans have no sum}}
  %y = mix.prefix sum %x along "K" : tensor<?xi1, #mix.axes<["K"]>>
  return
}

// -----

func.func @prefix_c3_logsumexp(%x: tensor<?xi64, #mix.axes<["K"]>>) {
  // expected-error @below {{expects reals: only they have a logsumexp, got 'i64'}}
  %y = mix.prefix logsumexp %x along "K" : tensor<?xi64, #mix.axes<["K"]>>
  return
}

// -----

func.func @topk_c1(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{runs along axis 'V' that the score does not have}}
  %p = mix.topk %s where %m along "V" take 2 : tensor<?xf64, #mix.axes<["K"]>>, tensor<?xi1, #mix.axes<["K"]>>
  return
}

// -----

func.func @topk_c1_count(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<?xi1, #mix.axes<["K"]>>) {
  // expected-error @below {{expects a positive count, got 0}}
  %p = mix.topk %s where %m along "K" take 0 : tensor<?xf64, #mix.axes<["K"]>>, tensor<?xi1, #mix.axes<["K"]>>
  return
}

// -----

func.func @topk_c2(%s: tensor<?xf64, #mix.axes<["K"]>>, %m: tensor<i1>) {
  // expected-error @below {{expects mask and result with the axes of the score}}
  %p = mix.topk %s where %m along "K" take 2 : tensor<?xf64, #mix.axes<["K"]>>, tensor<i1>
  return
}

// -----

func.func @largest_c1(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<?xi1, #mix.axes<["j:T"]>>) {
  // expected-error @below {{runs along axis 'i:T' that the score does not have}}
  %p = mix.largest %s where %m along "i:T" take 2 into "n" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<?xi1, #mix.axes<["j:T"]>> -> tensor<2xi64, #mix.axes<["n"]>>
  return
}

// -----

func.func @largest_c1_count(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<?xi1, #mix.axes<["j:T"]>>) {
  // expected-error @below {{expects a positive count, got 0}}
  %p = mix.largest %s where %m along "j:T" take 0 into "n" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<?xi1, #mix.axes<["j:T"]>> -> tensor<0xi64, #mix.axes<["n"]>>
  return
}

// -----

func.func @largest_c2(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<i1>) {
  // expected-error @below {{expects a mask with the axes of the score}}
  %p = mix.largest %s where %m along "j:T" take 2 into "n" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<i1> -> tensor<2xi64, #mix.axes<["n"]>>
  return
}

// -----

func.func @largest_c3_axis(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<?xi1, #mix.axes<["j:T"]>>) {
  // expected-error @below {{expects a feature axis for the result that the score does not have, got 'n:T'}}
  %p = mix.largest %s where %m along "j:T" take 2 into "n:T" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<?xi1, #mix.axes<["j:T"]>> -> tensor<2xi64, #mix.axes<["n:T"]>>
  return
}

// -----

func.func @largest_c3_size(%s: tensor<?xf64, #mix.axes<["j:T"]>>, %m: tensor<?xi1, #mix.axes<["j:T"]>>) {
  // expected-error @below {{expects a result over the axes of the score without 'j:T', then 'n' of size 2}}
  %p = mix.largest %s where %m along "j:T" take 2 into "n" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<?xi1, #mix.axes<["j:T"]>> -> tensor<3xi64, #mix.axes<["n"]>>
  return
}

// -----

func.func @for_c1(%s: tensor<f64>) {
  // expected-error @below {{expects the block arguments: position, states}}
  %f = mix.for "T" states ["S"] (%s) {
  ^bb0(%t: tensor<i64>):
    mix.yield %s : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_c1_frozen(%s: tensor<f64>) {
  // expected-error @below {{expects the block arguments: position, states, frozen states}}
  %f = mix.for "T" by 4 states ["S"] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_c1_none(%s: tensor<f64>) {
  // expected-error @below {{expects the block arguments: position, states}}
  "mix.for"(%s) <{space = "T", states = ["S"]}> ({
    "mix.yield"(%s) : (tensor<f64>) -> ()
  }) : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_c2(%s: tensor<f64>) {
  // expected-error @below {{expects its body to yield the next states, then one value per output}}
  %f = mix.for "T" states ["S"] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield %t : tensor<i64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_c2_count(%s: tensor<f64>) {
  // expected-error @below {{expects its body to yield the next states, then one value per output}}
  mix.for "T" states ["S"] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield
  } : (tensor<f64>) -> ()
  return
}

// -----

func.func @for_c3() {
  // expected-error @below {{expects an output with the axes [T]}}
  %o = mix.for "T" states [] () {
  ^bb0(%t: tensor<i64>):
    mix.yield %t : tensor<i64>
  } : () -> tensor<i64>
  return
}

// -----

func.func @for_c3_state(%s: tensor<f64>) {
  // expected-error @below {{expects the final state to have the type of the initial one}}
  %f = mix.for "T" states ["S"] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> tensor<?xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @for_c4(%s: tensor<f64>) {
  // expected-error @below {{names state 'S' twice}}
  %f:2 = mix.for "T" states ["S", "S"] (%s, %s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>, %y: tensor<f64>):
    mix.yield %x, %y : tensor<f64>, tensor<f64>
  } : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  return
}

// -----

func.func @for_c4_count(%s: tensor<f64>) {
  // expected-error @below {{expects one name per state, got 0 names for 1 states}}
  %f = mix.for "T" states [] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_c5() {
  // expected-error @below {{expects a positive block, got 0}}
  %o = mix.for "T" by 0 states [] () {
  ^bb0(%t: tensor<i64>):
    mix.yield %t : tensor<i64>
  } : () -> tensor<?xi64, #mix.axes<["T"]>>
  return
}

// -----

func.func @for_blocks_c1(%s: tensor<f64>) {
  // expected-error @below {{expects the states as block arguments}}
  %f = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%t: tensor<i64>, %x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_blocks_c2(%s: tensor<f64>) {
  // expected-error @below {{expects its body to yield the states after the block, then the outputs}}
  %f:2 = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> (tensor<f64>, tensor<?xf64, #mix.axes<["T"]>>)
  return
}

// -----

func.func @for_blocks_c2_output(%s: tensor<f64>) {
  // expected-error @below {{expects outputs with the axis 'T' in front}}
  %f:2 = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    mix.yield %x, %x : tensor<f64>, tensor<f64>
  } : (tensor<f64>) -> (tensor<f64>, tensor<f64>)
  return
}

// -----

func.func @for_blocks_c3(%s: tensor<f64>) {
  // expected-error @below {{expects a positive block, got 0}}
  %f = mix.for_blocks "T" by 0 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    mix.yield %x : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_blocks_c4_space(%s: tensor<f64>) {
  // expected-error @below {{expects recurrences of its body over 'T', got 'L'}}
  %f = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    %y = mix.for "L" states ["S"] (%x) {
    ^bb0(%t: tensor<i64>, %z: tensor<f64>):
      mix.yield %z : tensor<f64>
    } : (tensor<f64>) -> tensor<f64>
    mix.yield %y : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_blocks_c4_start(%s: tensor<f64>) {
  // expected-error @below {{expects recurrences of its body to start from its states}}
  %f = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    %y = mix.for "T" states ["S"] (%s) {
    ^bb0(%t: tensor<i64>, %z: tensor<f64>):
      mix.yield %z : tensor<f64>
    } : (tensor<f64>) -> tensor<f64>
    mix.yield %y : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @for_blocks_c4_walk(%s: tensor<f64>, %v: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // expected-error @below {{expects no 'mix.reduce' over tokens in its body}}
  %f = mix.for_blocks "T" by 4 states ["S"] (%s) {
  ^bb0(%x: tensor<f64>):
    %y = mix.reduce sum %v over ["t:T"] : tensor<?xf64, #mix.axes<["t:T"]>> -> tensor<f64>
    mix.yield %y : tensor<f64>
  } : (tensor<f64>) -> tensor<f64>
  return
}

// -----

func.func @affine_scan_c1(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{contracts axis 'N' that the state does not have}}
  %f = mix.affine_scan "t:T" contracting ["N"] init(%s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c1_empty(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{expects at least one contracted axis}}
  %f = mix.affine_scan "t:T" contracting [] init(%s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c1_twice(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{names axis 'K' twice}}
  %f = mix.affine_scan "t:T" contracting ["K", "K"] init(%s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c1_axis(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{expects to run along an index axis that the state does not have, got 'T'}}
  %f = mix.affine_scan "T" contracting ["K"] init(%s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c2(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %a: tensor<?x?xf64, #mix.axes<["t:T", "N"]>>) {
  // expected-error @below {{expects the decay over a subset of [K, V], got axis 'N'}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) decay(%a) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x?xf64, #mix.axes<["t:T", "N"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c2_axis(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %a: tensor<f64>) {
  // expected-error @below {{expects the decay to have the axis 't:T'}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) decay(%a) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<f64>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c3(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, %v: tensor<?x8xf64, #mix.axes<["t:T", "V"]>>) {
  // expected-error @below {{expects a left over a subset of [K], got axis 'V'}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) lefts(%v) values(%v) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c3_value(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, %v: tensor<?x8xf64, #mix.axes<["t:T", "V"]>>) {
  // expected-error @below {{expects a value over a subset of [V], got axis 'K'}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) lefts(%k) values(%k) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c4(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) {
  // expected-error @below {{expects one value per left, got 1 lefts and 0 values}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) lefts(%k) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c4_count(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %b: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // expected-error @below {{expects a row and a column per coefficient}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) coefs(%b) at [0][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c4_range(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %b: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // expected-error @below {{has a coefficient out of range at row 0, column 0}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) coefs(%b) at [0][0] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c5(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) {
  // expected-error @below {{expects an output with the axes [t:T, V]}}
  %f, %o = mix.affine_scan "t:T" contracting ["K"] init(%s) at [][] queries(%k) after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
  return
}

// -----

func.func @affine_scan_c5_count(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) {
  // expected-error @below {{expects one 'after' flag and one output per query}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) at [][] queries(%k) after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @affine_scan_c5_final(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{expects the final state to have the type of the initial one}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> tensor<4xf64, #mix.axes<["K"]>>
  return
}

// -----

func.func @affine_scan_c1_types(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %r: tensor<8x4xf64, #mix.axes<["V", "K"]>>) {
  // expected-error @below {{expects states of one type, got 'tensor<4x8xf64, #mix.axes<["K", "V"]>>' and 'tensor<8x4xf64, #mix.axes<["V", "K"]>>'}}
  %f:2 = mix.affine_scan "t:T" contracting ["K"] init(%s, %r) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<8x4xf64, #mix.axes<["V", "K"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<8x4xf64, #mix.axes<["V", "K"]>>)
  return
}

// -----

func.func @affine_scan_c6(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // expected-error @below {{expects a decay of one state, or mixes of several, got 2 states and 0 mixes}}
  %f:2 = mix.affine_scan "t:T" contracting ["K"] init(%s, %s) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>)
  return
}

// -----

func.func @affine_scan_c6_range(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %a: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // expected-error @below {{has a mix out of range at row 1, column 2}}
  %f:2 = mix.affine_scan "t:T" contracting ["K"] init(%s, %s) mixes(%a, %a) at [0, 1][0, 2] at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>)
  return
}

// -----

func.func @affine_scan_c6_own(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %a: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // expected-error @below {{expects a mix of every state with itself, missing for state 1}}
  %f:2 = mix.affine_scan "t:T" contracting ["K"] init(%s, %s) mixes(%a, %a) at [0, 1][0, 0] at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>)
  return
}

// -----

func.func @affine_scan_c6_update(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %a: tensor<?xf64, #mix.axes<["t:T"]>>, %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, %v: tensor<?x8xf64, #mix.axes<["t:T", "V"]>>) {
  // expected-error @below {{expects a mix over a subset of [], got axis 'K'}}
  %f:2 = mix.affine_scan "t:T" contracting ["K"] init(%s, %s) mixes(%a, %a, %k) at [0, 1, 1][0, 1, 2]
    lefts(%k) values(%v) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>)
  return
}

// -----

func.func @affine_scan_c7(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %q: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) {
  // expected-error @below {{has a query of state 1 of 1}}
  %f, %o = mix.affine_scan "t:T" contracting ["K"] init(%s) at [][] queries(%q) of [1] after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)
  return
}

// -----

func.func @affine_scan_c7_count(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %q: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) {
  // expected-error @below {{expects a state per read}}
  %f = mix.affine_scan "t:T" contracting ["K"] init(%s) reads(%q) of [0, 0] at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4xf64, #mix.axes<["t:T", "K"]>>) -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  return
}

// -----

func.func @streamed_reduction_c1(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) {
  // expected-error @below {{expects one axes list and one mask per source, got 2 lists, 1 masks, 1 sources}}
  %x = mix.streamed_reduction logits(%s) where(%m) over [["j:T"], []] values() of []
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) -> tensor<?xf64, #mix.axes<["i:T"]>>
  return
}

// -----

func.func @streamed_reduction_c1_axis(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) {
  // expected-error @below {{reduces axis 'k:T' that source 0 does not have}}
  %x = mix.streamed_reduction logits(%s) where(%m) over [["k:T"]] values() of []
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) -> tensor<?xf64, #mix.axes<["i:T"]>>
  return
}

// -----

func.func @streamed_reduction_c2(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?xi1, #mix.axes<["k:T"]>>) {
  // expected-error @below {{expects the axes of a mask among those of its logits}}
  %x = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values() of []
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?xi1, #mix.axes<["k:T"]>>) -> tensor<?xf64, #mix.axes<["i:T"]>>
  return
}

// -----

func.func @streamed_reduction_c3(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, %v: tensor<?xf64, #mix.axes<["k:T"]>>) {
  // expected-error @below {{has a value with the axis 'k:T' that its source lacks}}
  %x, %y = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values(%v) of [0]
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, tensor<?xf64, #mix.axes<["k:T"]>>) -> (tensor<?xf64, #mix.axes<["i:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>)
  return
}

// -----

func.func @streamed_reduction_c3_source(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, %v: tensor<f64>) {
  // expected-error @below {{has a value of source 1 of 1}}
  %x, %y = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values(%v) of [1]
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, tensor<f64>) -> (tensor<?xf64, #mix.axes<["i:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>)
  return
}

// -----

func.func @streamed_reduction_c4(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) {
  // expected-error @below {{expects the maximum over the axes [i:T]}}
  %x = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values() of []
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>) -> tensor<f64>
  return
}

// -----

func.func @streamed_reduction_c4_sum(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, %v: tensor<?x?xf64, #mix.axes<["j:T", "V"]>>) {
  // expected-error @below {{expects a sum over the axes [i:T, V]}}
  %x, %y = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values(%v) of [0]
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xf64, #mix.axes<["j:T", "V"]>>) -> (tensor<?xf64, #mix.axes<["i:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>)
  return
}

// -----

func.func @streamed_reduction_c4_count(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, %m: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, %v: tensor<f64>) {
  // expected-error @below {{expects a source and a sum per value}}
  %x = mix.streamed_reduction logits(%s) where(%m) over [["j:T"]] values(%v) of [0]
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, tensor<f64>) -> tensor<?xf64, #mix.axes<["i:T"]>>
  return
}

// -----

func.func @append_c1(%k: tensor<?xf64, #mix.axes<["j:T"]>>, %cache: tensor<?xf64, #mix.axes<["T.all"]>>,
                     %position: tensor<i64>) {
  // expected-error @below {{expects a plain axis of the rows, got 'j:T'}}
  %all = mix.append %k to %cache at %position along "j:T" : tensor<?xf64, #mix.axes<["j:T"]>>,
    tensor<?xf64, #mix.axes<["T.all"]>>, tensor<i64>
  return
}

// -----

func.func @append_c1_cache(%k: tensor<?x2xf64, #mix.axes<["T", "K"]>>,
                           %cache: tensor<?x2xf64, #mix.axes<["T", "K"]>>, %position: tensor<i64>) {
  // expected-error @below {{expects a cache of type 'tensor<?x2xf64, #mix.axes<["T.all", "K"]>>'}}
  %all = mix.append %k to %cache at %position along "T" : tensor<?x2xf64, #mix.axes<["T", "K"]>>,
    tensor<?x2xf64, #mix.axes<["T", "K"]>>, tensor<i64>
  return
}
