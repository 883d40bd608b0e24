// Every op of the mix dialect is printed as it is parsed.
//
// RUN: mix-opt %s | mix-opt | FileCheck %s

// CHECK-LABEL: func.func @positions
func.func @positions(%k: tensor<?x128xf64, #mix.axes<["T", "K"]>>) -> tensor<i64> {
  // CHECK: mix.size "K" : tensor<i64>
  %n = mix.size "K" : tensor<i64>
  // CHECK: %[[J:.*]] = mix.iota : tensor<?xi64, #mix.axes<["j:T"]>>
  %j = mix.iota : tensor<?xi64, #mix.axes<["j:T"]>>
  // CHECK: %[[KJ:.*]] = mix.read %{{.*}}["T" = %[[J]]] : tensor<?x128xf64, #mix.axes<["T", "K"]>>,
  // CHECK-SAME: tensor<?xi64, #mix.axes<["j:T"]>> -> tensor<?x128xf64, #mix.axes<["j:T", "K"]>>
  %kj = mix.read %k["T" = %j] : tensor<?x128xf64, #mix.axes<["T", "K"]>>,
    tensor<?xi64, #mix.axes<["j:T"]>> -> tensor<?x128xf64, #mix.axes<["j:T", "K"]>>
  // CHECK: mix.read %{{.*}}["T" = %{{.*}}, "K" = %{{.*}}]
  %x = mix.read %k["T" = %j, "K" = %n] : tensor<?x128xf64, #mix.axes<["T", "K"]>>,
    tensor<?xi64, #mix.axes<["j:T"]>>, tensor<i64> -> tensor<?xf64, #mix.axes<["j:T"]>>
  // CHECK: mix.bind %[[KJ]] along "j:T" : tensor<?x128xf64, #mix.axes<["j:T", "K"]>>
  // CHECK-SAME: to tensor<?x128xf64, #mix.axes<["T", "K"]>>
  %o = mix.bind %kj along "j:T" : tensor<?x128xf64, #mix.axes<["j:T", "K"]>>
    to tensor<?x128xf64, #mix.axes<["T", "K"]>>
  // CHECK: mix.broadcast %{{.*}} : tensor<?xf64, #mix.axes<["j:T"]>>
  // CHECK-SAME: to tensor<?x?xf64, #mix.axes<["V", "j:T"]>>
  %b = mix.broadcast %x : tensor<?xf64, #mix.axes<["j:T"]>> to tensor<?x?xf64, #mix.axes<["V", "j:T"]>>
  return %n : tensor<i64>
}

// CHECK-LABEL: func.func @reductions
func.func @reductions(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
                      %past: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>,
                      %sink: tensor<?xf64, #mix.axes<["i:T"]>>,
                      %yes: tensor<?xi1, #mix.axes<["i:T"]>>) {
  // CHECK: mix.reduce max %{{.*}} where %{{.*}} over ["j:T"] : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
  // CHECK-SAME: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>> -> tensor<?xf64, #mix.axes<["i:T"]>>
  %m = mix.reduce max %s where %past over ["j:T"] : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
    tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>> -> tensor<?xf64, #mix.axes<["i:T"]>>
  // CHECK: mix.reduce prod %{{.*}} over ["i:T", "j:T"] : {{.*}} -> tensor<f64>
  %all = mix.reduce prod %s over ["i:T", "j:T"] : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>> -> tensor<f64>
  // CHECK: mix.softmax(%{{.*}}, %{{.*}}) where(%{{.*}}, %{{.*}}) over {{\[}}["j:T"], []] :
  %p:2 = mix.softmax (%s, %sink) where (%past, %yes) over [["j:T"], []] :
    (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>),
    (tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>, tensor<?xi1, #mix.axes<["i:T"]>>)
    -> (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>)
  // CHECK: mix.prefix logsumexp %{{.*}} along "i:T" : tensor<?xf64, #mix.axes<["i:T"]>>
  %c = mix.prefix logsumexp %sink along "i:T" : tensor<?xf64, #mix.axes<["i:T"]>>
  // CHECK: mix.topk %{{.*}} where %{{.*}} along "i:T" take 4 : tensor<?xf64, #mix.axes<["i:T"]>>,
  %t = mix.topk %sink where %yes along "i:T" take 4 : tensor<?xf64, #mix.axes<["i:T"]>>,
    tensor<?xi1, #mix.axes<["i:T"]>>
  // CHECK: mix.largest %{{.*}} where %{{.*}} along "j:T" take 4 into "top" : {{.*}} -> tensor<?x4xi64, #mix.axes<["i:T", "top"]>>
  %l = mix.largest %s where %past along "j:T" take 4 into "top" : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
    tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>> -> tensor<?x4xi64, #mix.axes<["i:T", "top"]>>
  return
}

// CHECK-LABEL: func.func @loops
func.func @loops(%zero: tensor<4x8xf64, #mix.axes<["K", "V"]>>) {
  // CHECK: %[[S0:.*]] = mix.initial "S" %{{.*}} : tensor<4x8xf64, #mix.axes<["K", "V"]>>
  %s0 = mix.initial "S" %zero : tensor<4x8xf64, #mix.axes<["K", "V"]>>
  // CHECK: mix.for "T" by 16 states ["S"](%[[S0]]) class sequential reason "spec.mix:7: tanh(S)"
  // CHECK-NEXT: ^bb0(%t: tensor<i64>, %S: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %{{.*}}: tensor<4x8xf64
  // CHECK-NEXT: mix.yield %{{.*}}, %t : tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<i64>
  %sT, %o = mix.for "T" by 16 states ["S"] (%s0) class sequential reason "spec.mix:7: tanh(S)" {
  ^bb0(%t: tensor<i64>, %s: tensor<4x8xf64, #mix.axes<["K", "V"]>>, %f: tensor<4x8xf64, #mix.axes<["K", "V"]>>):
    mix.yield %f, %t : tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<i64>
  } : (tensor<4x8xf64, #mix.axes<["K", "V"]>>)
    -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xi64, #mix.axes<["T"]>>)
  // CHECK: mix.for_blocks "T" by 16 states ["S"](%[[S0]]) {
  // CHECK-NEXT: ^bb0(%S: tensor<4x8xf64, #mix.axes<["K", "V"]>>):
  %sB, %ob = mix.for_blocks "T" by 16 states ["S"] (%s0) {
  ^bb0(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>):
    %rows = mix.broadcast %s : tensor<4x8xf64, #mix.axes<["K", "V"]>> to tensor<?x4x8xf64, #mix.axes<["T", "K", "V"]>>
    mix.yield %s, %rows : tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4x8xf64, #mix.axes<["T", "K", "V"]>>
  } : (tensor<4x8xf64, #mix.axes<["K", "V"]>>)
    -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x4x8xf64, #mix.axes<["T", "K", "V"]>>)
  // A map has no states.
  // CHECK: mix.for "T" states []()
  %map = mix.for "T" states [] () {
  ^bb0(%i: tensor<i64>):
    mix.yield %i : tensor<i64>
  } : () -> tensor<?xi64, #mix.axes<["T"]>>
  return
}

// CHECK-LABEL: func.func @delta
func.func @delta(%s0: tensor<4x8xf64, #mix.axes<["K", "V"]>>,
                 %a: tensor<?xf64, #mix.axes<["t:T"]>>,
                 %k: tensor<?x4xf64, #mix.axes<["t:T", "K"]>>,
                 %bv: tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
                 %nb: tensor<?xf64, #mix.axes<["t:T"]>>) {
  // CHECK: mix.affine_scan "t:T" contracting ["K"] init(%{{[^)]*}}) decay(%{{[^)]*}}) lefts(%{{[^)]*}}) values(%{{[^)]*}})
  // CHECK-SAME: reads(%{{[^)]*}}) coefs(%{{[^)]*}}) at [0] [0] queries(%{{.*}}) after [true]
  %sT, %o = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%a) lefts(%k) values(%bv)
    reads(%k) coefs(%nb) at [0][0] queries(%k) after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
    -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)
  // Only the state and its decay: no write, no read, no query.
  // CHECK: mix.affine_scan "t:T" contracting ["K"] init(%{{.*}}) decay(%{{.*}}) at [] [] after [] :
  %fT = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%a) at [][] after []
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>)
    -> tensor<4x8xf64, #mix.axes<["K", "V"]>>
  // Two states: which ones are read, and what becomes of them and of the update.
  // CHECK: mix.affine_scan "t:T" contracting ["K"] init(%{{[^)]*}}) mixes(%{{[^)]*}}) at [0, 1, 1] [0, 1, 2] lefts(%{{[^)]*}})
  // CHECK-SAME: reads(%{{[^)]*}}) of [1] coefs(%{{[^)]*}}) at [0] [0] queries(%{{[^)]*}}) of [1] after [true] :
  %s:3 = mix.affine_scan "t:T" contracting ["K"] init(%s0, %s0) mixes(%a, %a, %a) at [0, 1, 1][0, 1, 2] lefts(%k) values(%bv)
    reads(%k) of [1] coefs(%nb) at [0][0] queries(%k) of [1] after [true]
    : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
       tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
    -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)
  return
}

// CHECK-LABEL: func.func @attention
func.func @attention(%s: tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
                     %past: tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>,
                     %v: tensor<?x8xf64, #mix.axes<["j:T", "V"]>>, %one: tensor<f64>) {
  // CHECK: mix.streamed_reduction logits(%{{.*}}) where(%{{.*}}) over {{\[}}["j:T"]]
  // CHECK-SAME: values(%{{.*}}, %{{.*}}) of [0, 0]
  %m, %l, %acc = mix.streamed_reduction logits(%s) where(%past) over [["j:T"]]
    values(%one, %v) of [0, 0]
    : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>,
       tensor<f64>, tensor<?x8xf64, #mix.axes<["j:T", "V"]>>)
    -> (tensor<?xf64, #mix.axes<["i:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>,
        tensor<?x8xf64, #mix.axes<["i:T", "V"]>>)
  return
}

// CHECK-LABEL: func.func @steps
func.func @steps(%k: tensor<?x8xf64, #mix.axes<["T", "K"]>>,
                 %cache: tensor<?x8xf64, #mix.axes<["T.all", "K"]>>, %position: tensor<i64>) {
  // CHECK: mix.append %{{.*}} to %{{.*}} at %{{.*}} along "T" : tensor<?x8xf64, #mix.axes<["T", "K"]>>,
  // CHECK-SAME: tensor<?x8xf64, #mix.axes<["T.all", "K"]>>, tensor<i64>
  %all = mix.append %k to %cache at %position along "T" : tensor<?x8xf64, #mix.axes<["T", "K"]>>,
    tensor<?x8xf64, #mix.axes<["T.all", "K"]>>, tensor<i64>
  return
}
