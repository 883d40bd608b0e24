// Every op of the mix dialect on numbers small enough to check by hand.
// The equations are those of docs/spec.md.
//
// RUN: mix-evaluate %s --print | FileCheck %s

// CHECK-LABEL: size_counts_an_axis
// CHECK: k[] = 2
func.func @size_counts_an_axis() -> (tensor<i64> {mix.name = "k"}) attributes {mix.mixer} {
  %x = arith.constant dense<0.0> : tensor<2xf64, #mix.axes<["K"]>>
  %k = mix.size "K" : tensor<i64>
  return %k : tensor<i64>
}

// CHECK-LABEL: iota_counts_positions
// CHECK: p[j:T=3] = 0 1 2
func.func @iota_counts_positions() -> (tensor<3xi64, #mix.axes<["j:T"]>> {mix.name = "p"})
    attributes {mix.mixer} {
  %j = mix.iota : tensor<3xi64, #mix.axes<["j:T"]>>
  return %j : tensor<3xi64, #mix.axes<["j:T"]>>
}

// A position outside the axis reads zero.
// CHECK-LABEL: read_shifts_with_zeros
// CHECK: y[j:T=3,K=2] = 0 0 1 2 3 4
func.func @read_shifts_with_zeros() -> (tensor<3x2xf64, #mix.axes<["j:T", "K"]>> {mix.name = "y"})
    attributes {mix.mixer} {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]>
    : tensor<3x2xf64, #mix.axes<["T", "K"]>>
  %j = mix.iota : tensor<3xi64, #mix.axes<["j:T"]>>
  %one = arith.constant dense<1> : tensor<3xi64, #mix.axes<["j:T"]>>
  %previous = arith.subi %j, %one : tensor<3xi64, #mix.axes<["j:T"]>>
  %y = mix.read %x["T" = %previous] : tensor<3x2xf64, #mix.axes<["T", "K"]>>,
    tensor<3xi64, #mix.axes<["j:T"]>> -> tensor<3x2xf64, #mix.axes<["j:T", "K"]>>
  return %y : tensor<3x2xf64, #mix.axes<["j:T", "K"]>>
}

// Two axes indexed together: the diagonal. The source's other axis comes first here.
// CHECK-LABEL: read_takes_a_diagonal
// CHECK: y[K=1,j:T=2] = 1 4
func.func @read_takes_a_diagonal() -> (tensor<1x2xf64, #mix.axes<["K", "j:T"]>> {mix.name = "y"})
    attributes {mix.mixer} {
  %x = arith.constant dense<[[[1.0], [2.0]], [[3.0], [4.0]]]>
    : tensor<2x2x1xf64, #mix.axes<["L", "M", "K"]>>
  %j = arith.constant dense<[0, 1]> : tensor<2xi64, #mix.axes<["j:T"]>>
  %y = mix.read %x["L" = %j, "M" = %j] : tensor<2x2x1xf64, #mix.axes<["L", "M", "K"]>>,
    tensor<2xi64, #mix.axes<["j:T"]>>, tensor<2xi64, #mix.axes<["j:T"]>>
    -> tensor<1x2xf64, #mix.axes<["K", "j:T"]>>
  return %y : tensor<1x2xf64, #mix.axes<["K", "j:T"]>>
}

// CHECK-LABEL: bind_renames
// CHECK: o[T=3] = 0 1 2
func.func @bind_renames() -> (tensor<3xi64, #mix.axes<["T"]>> {mix.name = "o"})
    attributes {mix.mixer} {
  %i = mix.iota : tensor<3xi64, #mix.axes<["i:T"]>>
  %o = mix.bind %i along "i:T" : tensor<3xi64, #mix.axes<["i:T"]>>
    to tensor<3xi64, #mix.axes<["T"]>>
  return %o : tensor<3xi64, #mix.axes<["T"]>>
}

// CHECK-LABEL: broadcast_repeats_and_permutes
// CHECK: y[V=2,N=2,K=2] = 1 3 1 3 2 4 2 4
func.func @broadcast_repeats_and_permutes()
    -> (tensor<2x2x2xf64, #mix.axes<["V", "N", "K"]>> {mix.name = "y"}) attributes {mix.mixer} {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64, #mix.axes<["K", "V"]>>
  %y = mix.broadcast %x : tensor<2x2xf64, #mix.axes<["K", "V"]>>
    to tensor<2x2x2xf64, #mix.axes<["V", "N", "K"]>>
  return %y : tensor<2x2x2xf64, #mix.axes<["V", "N", "K"]>>
}

// The mask drops 1 and both elements of the second row.
// CHECK-LABEL: reduce_where
// CHECK-DAG: sum[K=2] = 2 0
// CHECK-DAG: max[K=2] = 2 -inf
// CHECK-DAG: min[K=2] = 2 inf
// CHECK-DAG: prod[K=2] = 2 1
// CHECK-DAG: all[V=2] = 4 6
func.func @reduce_where() -> (
    tensor<2xf64, #mix.axes<["K"]>> {mix.name = "sum"}, tensor<2xf64, #mix.axes<["K"]>> {mix.name = "max"},
    tensor<2xf64, #mix.axes<["K"]>> {mix.name = "min"}, tensor<2xf64, #mix.axes<["K"]>> {mix.name = "prod"},
    tensor<2xf64, #mix.axes<["V"]>> {mix.name = "all"}) attributes {mix.mixer} {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64, #mix.axes<["K", "V"]>>
  %m = arith.constant dense<[[false, false], [true, false]]>
    : tensor<2x2xi1, #mix.axes<["V", "K"]>>
  %sum = mix.reduce sum %x where %m over ["V"] : tensor<2x2xf64, #mix.axes<["K", "V"]>>,
    tensor<2x2xi1, #mix.axes<["V", "K"]>> -> tensor<2xf64, #mix.axes<["K"]>>
  %max = mix.reduce max %x where %m over ["V"] : tensor<2x2xf64, #mix.axes<["K", "V"]>>,
    tensor<2x2xi1, #mix.axes<["V", "K"]>> -> tensor<2xf64, #mix.axes<["K"]>>
  %min = mix.reduce min %x where %m over ["V"] : tensor<2x2xf64, #mix.axes<["K", "V"]>>,
    tensor<2x2xi1, #mix.axes<["V", "K"]>> -> tensor<2xf64, #mix.axes<["K"]>>
  %prod = mix.reduce prod %x where %m over ["V"] : tensor<2x2xf64, #mix.axes<["K", "V"]>>,
    tensor<2x2xi1, #mix.axes<["V", "K"]>> -> tensor<2xf64, #mix.axes<["K"]>>
  %all = mix.reduce sum %x over ["K"] : tensor<2x2xf64, #mix.axes<["K", "V"]>>
    -> tensor<2xf64, #mix.axes<["V"]>>
  return %sum, %max, %min, %prod, %all : tensor<2xf64, #mix.axes<["K"]>>,
    tensor<2xf64, #mix.axes<["K"]>>, tensor<2xf64, #mix.axes<["K"]>>,
    tensor<2xf64, #mix.axes<["K"]>>, tensor<2xf64, #mix.axes<["V"]>>
}

// exp of 0, log 3, log 4 and the sink's 0: 1 : 3 : 4 : 2 with the third masked
// and the sink at log 4 gives 1/8, 3/8, 0, 4/8.
// CHECK-LABEL: softmax_over_two_sets
// CHECK-DAG: p[j:T=3] = 0.125 0.375 0
// CHECK-DAG: sink[] = 0.5
func.func @softmax_over_two_sets() -> (tensor<3xf64, #mix.axes<["j:T"]>> {mix.name = "p"},
    tensor<f64> {mix.name = "sink"}) attributes {mix.mixer} {
  %s = arith.constant dense<[0.0, 1.0986122886681098, 9.0]> : tensor<3xf64, #mix.axes<["j:T"]>>
  %sink = arith.constant dense<1.3862943611198906> : tensor<f64>
  %m = arith.constant dense<[true, true, false]> : tensor<3xi1, #mix.axes<["j:T"]>>
  %yes = arith.constant dense<true> : tensor<i1>
  %p, %r = mix.softmax (%s, %sink) where (%m, %yes) over [["j:T"], []] :
    (tensor<3xf64, #mix.axes<["j:T"]>>, tensor<f64>), (tensor<3xi1, #mix.axes<["j:T"]>>, tensor<i1>)
    -> (tensor<3xf64, #mix.axes<["j:T"]>>, tensor<f64>)
  return %p, %r : tensor<3xf64, #mix.axes<["j:T"]>>, tensor<f64>
}

// The first row has no element: its weights are 0, not 0 / 0.
// CHECK-LABEL: softmax_of_nothing
// CHECK: p[i:T=2,j:T.1=2] = 0 0 0.5 0.5
func.func @softmax_of_nothing() -> (tensor<2x2xf64, #mix.axes<["i:T", "j:T.1"]>> {mix.name = "p"})
    attributes {mix.mixer} {
  %s = arith.constant dense<5.0> : tensor<2x2xf64, #mix.axes<["i:T", "j:T.1"]>>
  %m = arith.constant dense<[[false, false], [true, true]]>
    : tensor<2x2xi1, #mix.axes<["i:T", "j:T.1"]>>
  %p = mix.softmax (%s) where (%m) over [["j:T.1"]] :
    (tensor<2x2xf64, #mix.axes<["i:T", "j:T.1"]>>), (tensor<2x2xi1, #mix.axes<["i:T", "j:T.1"]>>)
    -> (tensor<2x2xf64, #mix.axes<["i:T", "j:T.1"]>>)
  return %p : tensor<2x2xf64, #mix.axes<["i:T", "j:T.1"]>>
}

// CHECK-LABEL: prefix_along_each_axis
// CHECK-DAG: sum[t:T=2,K=2] = 1 2 4 6
// CHECK-DAG: max[t:T=2,K=2] = 1 2 3 4
// CHECK-DAG: prod[t:T=2,K=2] = 1 2 3 12
// CHECK-DAG: lse[t:T=2,K=2] = 1 2 3.126928011 4.126928011
func.func @prefix_along_each_axis() -> (tensor<2x2xf64, #mix.axes<["t:T", "K"]>> {mix.name = "sum"},
    tensor<2x2xf64, #mix.axes<["t:T", "K"]>> {mix.name = "max"},
    tensor<2x2xf64, #mix.axes<["t:T", "K"]>> {mix.name = "prod"},
    tensor<2x2xf64, #mix.axes<["t:T", "K"]>> {mix.name = "lse"}) attributes {mix.mixer} {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
  %sum = mix.prefix sum %x along "t:T" : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
  %max = mix.prefix max %x along "t:T" : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
  %prod = mix.prefix prod %x along "K" : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
  %lse = mix.prefix logsumexp %x along "t:T" : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
  return %sum, %max, %prod, %lse : tensor<2x2xf64, #mix.axes<["t:T", "K"]>>,
    tensor<2x2xf64, #mix.axes<["t:T", "K"]>>, tensor<2x2xf64, #mix.axes<["t:T", "K"]>>,
    tensor<2x2xf64, #mix.axes<["t:T", "K"]>>
}

// 7 is masked; of the three 5s the first two are taken after 6.
// CHECK-LABEL: topk_breaks_ties_low
// CHECK: sel[b:B=5] = 1 0 1 1 0
func.func @topk_breaks_ties_low() -> (tensor<5xi1, #mix.axes<["b:B"]>> {mix.name = "sel"})
    attributes {mix.mixer} {
  %s = arith.constant dense<[5.0, 7.0, 6.0, 5.0, 5.0]> : tensor<5xf64, #mix.axes<["b:B"]>>
  %m = arith.constant dense<[true, false, true, true, true]> : tensor<5xi1, #mix.axes<["b:B"]>>
  %sel = mix.topk %s where %m along "b:B" take 3 : tensor<5xf64, #mix.axes<["b:B"]>>,
    tensor<5xi1, #mix.axes<["b:B"]>>
  return %sel : tensor<5xi1, #mix.axes<["b:B"]>>
}

// The largest first; of equal scores the lower position; -inf is never chosen.
// CHECK-LABEL: largest_lists_positions
// CHECK: top[B=2,n=3] = 2 0 3 1 -1 -1
func.func @largest_lists_positions() -> (tensor<2x3xi64, #mix.axes<["B", "n"]>> {mix.name = "top"})
    attributes {mix.mixer} {
  %s = arith.constant dense<[[5.0, 7.0, 6.0, 5.0, 5.0], [0xFFF0000000000000, 1.0, 2.0, 3.0, 4.0]]>
    : tensor<2x5xf64, #mix.axes<["B", "j:T"]>>
  %m = arith.constant dense<[[true, false, true, true, true], [true, true, false, false, false]]>
    : tensor<2x5xi1, #mix.axes<["B", "j:T"]>>
  %top = mix.largest %s where %m along "j:T" take 3 into "n" : tensor<2x5xf64, #mix.axes<["B", "j:T"]>>,
    tensor<2x5xi1, #mix.axes<["B", "j:T"]>> -> tensor<2x3xi64, #mix.axes<["B", "n"]>>
  return %top : tensor<2x3xi64, #mix.axes<["B", "n"]>>
}

// s = 2 s + x[t] from s = 1, read before the update: 1, 2 + 1 = 3, 6 + 2 = 8; 16 + 3 = 19.
// CHECK-LABEL: for_runs_in_order
// CHECK-DAG: o[T=3] = 1 3 8
// CHECK-DAG: S[] = 19
func.func @for_runs_in_order() -> (tensor<f64> {mix.name = "S"},
    tensor<3xf64, #mix.axes<["T"]>> {mix.name = "o"}) attributes {mix.mixer} {
  %x = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf64, #mix.axes<["T"]>>
  %one = arith.constant dense<1.0> : tensor<f64>
  %two = arith.constant dense<2.0> : tensor<f64>
  %s0 = mix.initial "S" %one : tensor<f64>
  %sT, %o = mix.for "T" states ["S"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>):
    %xt = mix.read %x["T" = %t] : tensor<3xf64, #mix.axes<["T"]>>, tensor<i64> -> tensor<f64>
    %twice = arith.mulf %two, %s : tensor<f64>
    %next = arith.addf %twice, %xt : tensor<f64>
    mix.yield %next, %s : tensor<f64>, tensor<f64>
  } : (tensor<f64>) -> (tensor<f64>, tensor<3xf64, #mix.axes<["T"]>>)
  return %sT, %o : tensor<f64>, tensor<3xf64, #mix.axes<["T"]>>
}

// Blocks of 2: the frozen value is the state at positions 0, 0, 2.
// CHECK-LABEL: for_freezes_at_block_starts
// CHECK-DAG: o[T=3] = 10 10 12
// CHECK-DAG: S[] = 13
func.func @for_freezes_at_block_starts() -> (tensor<f64> {mix.name = "S"},
    tensor<3xf64, #mix.axes<["T"]>> {mix.name = "o"}) attributes {mix.mixer} {
  %one = arith.constant dense<1.0> : tensor<f64>
  %s0 = arith.constant dense<10.0> : tensor<f64>
  %sT, %o = mix.for "T" by 2 states ["S"] (%s0) {
  ^bb0(%t: tensor<i64>, %s: tensor<f64>, %frozen: tensor<f64>):
    %next = arith.addf %s, %one : tensor<f64>
    mix.yield %next, %frozen : tensor<f64>, tensor<f64>
  } : (tensor<f64>) -> (tensor<f64>, tensor<3xf64, #mix.axes<["T"]>>)
  return %sT, %o : tensor<f64>, tensor<3xf64, #mix.axes<["T"]>>
}

// A map: o[i] = sum of j <= i.
// CHECK-LABEL: for_without_states_is_a_map
// CHECK: o[T=3] = 0 1 3
func.func @for_without_states_is_a_map() -> (tensor<3xf64, #mix.axes<["T"]>> {mix.name = "o"})
    attributes {mix.mixer} {
  %o = mix.for "T" states [] () {
  ^bb0(%i: tensor<i64>):
    %j = mix.iota : tensor<3xi64, #mix.axes<["j:T"]>>
    %x = arith.sitofp %j : tensor<3xi64, #mix.axes<["j:T"]>> to tensor<3xf64, #mix.axes<["j:T"]>>
    %ib = mix.broadcast %i : tensor<i64> to tensor<3xi64, #mix.axes<["j:T"]>>
    %past = arith.cmpi sle, %j, %ib : tensor<3xi64, #mix.axes<["j:T"]>>
    %s = mix.reduce sum %x where %past over ["j:T"] : tensor<3xf64, #mix.axes<["j:T"]>>,
      tensor<3xi1, #mix.axes<["j:T"]>> -> tensor<f64>
    mix.yield %s : tensor<f64>
  } : () -> tensor<3xf64, #mix.axes<["T"]>>
  return %o : tensor<3xf64, #mix.axes<["T"]>>
}

// One token of a delta rule with K = 2, V = 1: S = [1, 2], decay 1/2, read w = [1, 1], so r = 3;
// y = 4 - 2 r = -2; S' = [0.5, 1] + [1, 0] y = [-1.5, 1]. The query [1, 1] sees 3, then -0.5.
// CHECK-LABEL: affine_scan_one_token
// CHECK-DAG: S[K=2,V=1] = -1.5 1
// CHECK-DAG: before[t:T=1,V=1] = 3
// CHECK-DAG: after[t:T=1,V=1] = -0.5
func.func @affine_scan_one_token() -> (tensor<2x1xf64, #mix.axes<["K", "V"]>> {mix.name = "S"},
    tensor<1x1xf64, #mix.axes<["t:T", "V"]>> {mix.name = "before"},
    tensor<1x1xf64, #mix.axes<["t:T", "V"]>> {mix.name = "after"}) attributes {mix.mixer} {
  %s0 = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf64, #mix.axes<["K", "V"]>>
  %a = arith.constant dense<0.5> : tensor<1xf64, #mix.axes<["t:T"]>>
  %k = arith.constant dense<[[1.0, 0.0]]> : tensor<1x2xf64, #mix.axes<["t:T", "K"]>>
  %v = arith.constant dense<4.0> : tensor<1x1xf64, #mix.axes<["t:T", "V"]>>
  %w = arith.constant dense<1.0> : tensor<1x2xf64, #mix.axes<["t:T", "K"]>>
  %c = arith.constant dense<-2.0> : tensor<1xf64, #mix.axes<["t:T"]>>
  %sT, %before, %after = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%a) lefts(%k)
    values(%v) reads(%w) coefs(%c) at [0][0] queries(%w, %w) after [false, true]
    : (tensor<2x1xf64, #mix.axes<["K", "V"]>>, tensor<1xf64, #mix.axes<["t:T"]>>,
       tensor<1x2xf64, #mix.axes<["t:T", "K"]>>, tensor<1x1xf64, #mix.axes<["t:T", "V"]>>,
       tensor<1x2xf64, #mix.axes<["t:T", "K"]>>, tensor<1xf64, #mix.axes<["t:T"]>>,
       tensor<1x2xf64, #mix.axes<["t:T", "K"]>>, tensor<1x2xf64, #mix.axes<["t:T", "K"]>>)
    -> (tensor<2x1xf64, #mix.axes<["K", "V"]>>, tensor<1x1xf64, #mix.axes<["t:T", "V"]>>,
        tensor<1x1xf64, #mix.axes<["t:T", "V"]>>)
  return %sT, %before, %after : tensor<2x1xf64, #mix.axes<["K", "V"]>>,
    tensor<1x1xf64, #mix.axes<["t:T", "V"]>>, tensor<1x1xf64, #mix.axes<["t:T", "V"]>>
}

// Logits 0 and log 2 with maximum log 2: weights 1/2 and 1; values [2, 4] and [1, 3].
// CHECK-LABEL: streamed_reduction_sums
// CHECK-DAG: max[] = 0.6931471806
// CHECK-DAG: l[] = 1.5
// CHECK-DAG: acc[V=2] = 2 5
func.func @streamed_reduction_sums() -> (tensor<f64> {mix.name = "max"},
    tensor<f64> {mix.name = "l"}, tensor<2xf64, #mix.axes<["V"]>> {mix.name = "acc"})
    attributes {mix.mixer} {
  %s = arith.constant dense<[0.0, 0.69314718055994529]> : tensor<2xf64, #mix.axes<["j:T"]>>
  %yes = arith.constant dense<true> : tensor<i1>
  %one = arith.constant dense<1.0> : tensor<f64>
  %v = arith.constant dense<[[2.0, 4.0], [1.0, 3.0]]> : tensor<2x2xf64, #mix.axes<["j:T", "V"]>>
  %m, %l, %acc = mix.streamed_reduction logits(%s) where(%yes) over [["j:T"]]
    values(%one, %v) of [0, 0]
    : (tensor<2xf64, #mix.axes<["j:T"]>>, tensor<i1>, tensor<f64>,
       tensor<2x2xf64, #mix.axes<["j:T", "V"]>>)
    -> (tensor<f64>, tensor<f64>, tensor<2xf64, #mix.axes<["V"]>>)
  return %m, %l, %acc : tensor<f64>, tensor<f64>, tensor<2xf64, #mix.axes<["V"]>>
}

// The axis that counts blocks of two of three positions has two elements.
// CHECK-LABEL: blocks_are_counted
// CHECK: o[C=2] = 0 1
func.func @blocks_are_counted() -> (tensor<?xi64, #mix.axes<["C"]>> {mix.name = "o"})
    attributes {mix.mixer, mix.blocks = {C = ["T", 2 : i64]}} {
  %j = mix.iota : tensor<3xi64, #mix.axes<["j:T"]>>
  %b = mix.iota : tensor<?xi64, #mix.axes<["b:C"]>>
  %o = mix.bind %b along "b:C" : tensor<?xi64, #mix.axes<["b:C"]>> to tensor<?xi64, #mix.axes<["C"]>>
  return %o : tensor<?xi64, #mix.axes<["C"]>>
}

// Rows of new tokens come behind those that the cache holds; what else the cache holds does not count.
// CHECK-LABEL: rows_are_appended
// CHECK: o[T.all=3] = 1 7 8
func.func @rows_are_appended() -> (tensor<3xf64, #mix.axes<["T.all"]>> {mix.name = "o"})
    attributes {mix.mixer} {
  %rows = arith.constant dense<[7.0, 8.0]> : tensor<2xf64, #mix.axes<["T"]>>
  %cache = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf64, #mix.axes<["T.all"]>>
  %position = arith.constant dense<1> : tensor<i64>
  %o = mix.append %rows to %cache at %position along "T" : tensor<2xf64, #mix.axes<["T"]>>,
    tensor<3xf64, #mix.axes<["T.all"]>>, tensor<i64>
  return %o : tensor<3xf64, #mix.axes<["T.all"]>>
}
