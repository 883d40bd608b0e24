//===- MixOps.td - Operations of levels L1 and L2 ----------*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constraints are labelled C1, C2, ...; the verifier (MixOps.cpp) and the tests
// (test/dialect/invalid.mlir) name them by `op_cN`. Equations are in docs/spec.md.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_MIXOPS_TD
#define MIXWRIGHT_DIALECT_MIXOPS_TD

include "dialect/MixDialect.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"

// Of every op: two static sizes of one axis, or of two axes over one token space,
// are equal (constraint C0, checked over operands and results).
def Mix_AxisSizesAgree : NativeOpTrait<"AxisSizesAgree"> {
  let cppNamespace = "::mix";
}

class Mix_Op<string mnemonic, list<Trait> traits = []>
    : Op<Mix_Dialect, mnemonic, !listconcat([Mix_AxisSizesAgree], traits)>;

class Mix_TensorOf<list<Type> elements>
    : RankedTensorOf<elements, [CPred<"::mix::isNamedTensor($_self)">], "tensor over named axes">;

def Mix_Real : Mix_TensorOf<[F64]>;
def Mix_Int : Mix_TensorOf<[I64]>;
def Mix_Bool : Mix_TensorOf<[I1]>;
def Mix_Value : Mix_TensorOf<[F64, I64, I1]>;

//===----------------------------------------------------------------------===//
// Axes and positions
//===----------------------------------------------------------------------===//

def Mix_SizeOp : Mix_Op<"size", [Pure]> {
  let summary = "The number of elements of an axis";
  let description = [{
    The size of a feature axis or of a token space, as an integer.

    ```mlir
    %k = mix.size "K" : tensor<i64>
    ```
  }];
  let arguments = (ins StrAttr:$axis);
  let results = (outs 0DTensorOf<[I64]>:$result);
  let assemblyFormat = "$axis attr-dict `:` type($result)";
}

def Mix_IotaOp : Mix_Op<"iota", [Pure]> {
  let summary = "The positions of an index variable";
  let description = [{
    The tensor `0, 1, 2, ...` along the axis of an index variable.

    * C1: the result has rank 1 and its axis has the form `"j:T"`.

    ```mlir
    %j = mix.iota : tensor<?xi64, #mix.axes<["j:T"]>>
    ```
  }];
  let results = (outs Mix_Int:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Mix_ReadOp : Mix_Op<"read", [Pure]> {
  let summary = "Elements of a tensor at computed positions of some axes";
  let description = [{
    `result[i.., rest..] = source[.., indices(i..), .., rest..]`: axis
    `axes[n]` of the source is indexed by `indices[n]`. The axes of the result
    are those of the source that are not indexed together with those of the
    indices (in any order). A position outside the axis reads zero (`false`).

    * C1: as many axes as indices; each names an axis of the source, once.
    * C2: the result has the axes described, with the source's element type.

    ```mlir
    // k[j] inside a map over i: the axis T is walked by j.
    %kj = mix.read %k["T" = %j] : tensor<?x128xf64, #mix.axes<["T", "K"]>>,
      tensor<?xi64, #mix.axes<["j:T"]>> -> tensor<?x128xf64, #mix.axes<["j:T", "K"]>>
    ```
  }];
  let arguments = (ins Mix_Value:$source, StrArrayAttr:$axes, Variadic<Mix_Int>:$indices);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = [{
    $source custom<NamedIndices>($axes, $indices) attr-dict `:`
    type($source) `,` type($indices) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Mix_BindOp : Mix_Op<"bind", [Pure]> {
  let summary = "Turn the axis of an index variable into the axis of its space";
  let description = [{
    The inverse of reading with the positions of an index variable: the axis
    `"i:T"` of the source becomes the axis `"T"` of the result; values and
    order of the other axes stay.

    * C1: `axis` is an index axis of the source, which does not have its space as an
      axis yet.
    * C2: the result is the source with `axis` renamed to its space.

    ```mlir
    // The output of a lifted map over i.
    %o = mix.bind %oi along "i:T" : tensor<?x8xf64, #mix.axes<["i:T", "V"]>>
      to tensor<?x8xf64, #mix.axes<["T", "V"]>>
    ```
  }];
  let arguments = (ins Mix_Value:$source, StrAttr:$axis);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = "$source `along` $axis attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
}

def Mix_BroadcastOp : Mix_Op<"broadcast", [Pure]> {
  let summary = "Repeat a value along more named axes";
  let description = [{
    `result[a..] = source[the axes of a.. that the source has]`. The axes of the
    result are a superset of the source's, in any order: the op also permutes.

    * C1: every axis of the source is an axis of the result.
    * C2: element types are equal.

    ```mlir
    %b = mix.broadcast %a : tensor<?xf64, #mix.axes<["K"]>> to tensor<?x?xf64, #mix.axes<["K", "V"]>>
    ```
  }];
  let arguments = (ins Mix_Value:$source);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

def Mix_ReduceOp : Mix_Op<"reduce", [Pure]> {
  let summary = "Combine the elements along some axes, where a predicate holds";
  let description = [{
    `result[rest..] = kind over axes of source[.., rest..]`, over the elements
    where `mask` is true. An empty set gives the identity: 0, -inf, +inf, 1.

    * C1: every reduced axis is an axis of the source, named once.
    * C2: the axes of the mask are axes of the source.
    * C3: the axes of the result are those that are left, in the source's order.
    * C4: booleans have no sum.

    ```mlir
    %m = mix.reduce max %s where %causal over ["j:T"] : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>,
      tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>> -> tensor<?xf64, #mix.axes<["i:T"]>>
    ```
  }];
  let arguments = (ins EnumProp<Mix_ReduceKind>:$kind, Mix_Value:$source,
                   Optional<Mix_Bool>:$mask, StrArrayAttr:$axes);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = [{
    $kind $source (`where` $mask^)? `over` $axes attr-dict `:`
    type($source) (`,` type($mask)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Mix_SoftmaxOp : Mix_Op<"softmax", [Pure, AttrSizedOperandSegments]> {
  let summary = "Softmax over the union of one or more index sets";
  let description = [{
    One source per index set. With `l = sum over all sources n and their axes of
    mask_n exp(logits_n)`, `result_n = mask_n exp(logits_n) / l`. `axes[n]` lists
    the reduced axes of source `n`; a source with none is one extra term of the
    denominator (an attention sink). Where every mask is false the result is 0.

    * C1: one axes list, one mask and one result per source.
    * C2: `axes[n]` are axes of `logits[n]`, named once; the axes that remain are the
      same for all sources.
    * C3: `mask[n]` and `result[n]` have the axes of `logits[n]`.

    ```mlir
    %p = mix.softmax (%s) where (%causal) over [["j:T"]] :
      (tensor<?xf64, #mix.axes<["j:T"]>>), (tensor<?xi1, #mix.axes<["j:T"]>>)
      -> (tensor<?xf64, #mix.axes<["j:T"]>>)
    ```
  }];
  let arguments = (ins Variadic<Mix_Real>:$logits, Variadic<Mix_Bool>:$masks, ArrayAttr:$axes);
  let results = (outs Variadic<Mix_Real>:$results);
  let assemblyFormat = [{
    `(` $logits `)` `where` `(` $masks `)` `over` $axes attr-dict `:`
    `(` type($logits) `)` `,` `(` type($masks) `)` `->` `(` type($results) `)`
  }];
  let hasVerifier = 1;
}

def Mix_PrefixOp : Mix_Op<"prefix", [Pure, AllTypesMatch<["source", "result"]>]> {
  let summary = "Inclusive prefix reduction along an axis";
  let description = [{
    `result[t] = kind over s <= t of source[s]` along `axis`.

    * C1: `axis` is an axis of the source.
    * C2: the result has the type of the source.
    * C3: booleans have no sum, and only reals a logsumexp.

    ```mlir
    %c = mix.prefix sum %g along "t:T" : tensor<?xf64, #mix.axes<["t:T"]>>
    ```
  }];
  let arguments = (ins EnumProp<Mix_PrefixKind>:$kind, Mix_Value:$source, StrAttr:$axis);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = "$kind $source `along` $axis attr-dict `:` type($source)";
  let hasVerifier = 1;
}

def Mix_TopKOp : Mix_Op<"topk", [Pure, AllTypesMatch<["mask", "result"]>]> {
  let summary = "The positions of the n largest scores along an axis, as a predicate";
  let description = [{
    True at the `n` largest scores along `axis` among those where the mask is
    true; ties go to the lower position. A score that is -inf or not a number is never chosen.

    * C1: `axis` is an axis of the score, `n` is positive.
    * C2: mask and result have the axes of the score.

    ```mlir
    %sel = mix.topk %score where %past along "b:B" take 4 : tensor<?xf64, #mix.axes<["b:B"]>>,
      tensor<?xi1, #mix.axes<["b:B"]>>
    ```
  }];
  let arguments = (ins Mix_Real:$score, Mix_Bool:$mask, StrAttr:$axis, I64Attr:$n);
  let results = (outs Mix_Bool:$result);
  let assemblyFormat = [{
    $score `where` $mask `along` $axis `take` $n attr-dict `:` type($score) `,` type($mask)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Loops over tokens (L1; L2 keeps those that carry a class)
//===----------------------------------------------------------------------===//

def Mix_InitialOp : Mix_Op<"initial", [Pure, AllTypesMatch<["source", "result"]>]> {
  let summary = "The initial value of a state: the caller's, or else the spec's";
  let description = [{
    Yields what the caller passed as the initial state `name`, and `source`, the
    value that the spec declares, if the caller passed none.

    ```mlir
    %s0 = mix.initial "S" %zero : tensor<?x?xf64, #mix.axes<["K", "V"]>>
    ```
  }];
  let arguments = (ins StrAttr:$name, Mix_Real:$source);
  let results = (outs Mix_Real:$result);
  let assemblyFormat = "$name $source attr-dict `:` type($result)";
}

def Mix_ForOp : Mix_Op<"for", [RecursiveMemoryEffects, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "A map or a recurrence over the positions of a token space";
  let description = [{
    The body is run for position 0, 1, 2, ... of `space`, in order. Its block
    arguments are the position (`tensor<i64>`), then the current value of each
    state, then, if `block` is given, the value that each state had at the start
    of the current block of `block` positions (`frozen`). It yields the next value of each state and
    then the outputs of this position. The results are the final states, then the
    outputs with the axis `space` in front. Without states the loop is a map.
    The body may use values from outside.

    At L2, `class` says what was derived of the body and `reason` why no faster
    form was (with the source line of the term).

    * C1: the block arguments are as described.
    * C2: the terminator yields the states' types, then the outputs'.
    * C3: each output result has the yielded type with the axis `space` in front.
    * C4: `states` names each state, once.
    * C5: `block` is positive.

    ```mlir
    %sT, %o = mix.for "T" states ["S"] (%s0) {
    ^bb0(%t: tensor<i64>, %s: tensor<?x?xf64, #mix.axes<["K", "V"]>>):
      %r = mix.reduce sum %s over ["K"] : tensor<?x?xf64, #mix.axes<["K", "V"]>> -> tensor<?xf64, #mix.axes<["V"]>>
      mix.yield %s, %r : tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["V"]>>
    } : (tensor<?x?xf64, #mix.axes<["K", "V"]>>)
        -> (tensor<?x?xf64, #mix.axes<["K", "V"]>>, tensor<?x?xf64, #mix.axes<["T", "V"]>>)
    ```
  }];
  let arguments = (ins StrAttr:$space, StrArrayAttr:$states, Variadic<Mix_Real>:$inits,
                   OptionalAttr<I64Attr>:$block,
                   OptionalAttr<EnumAttr<Mix_Dialect, Mix_ScanClass, "class">>:$class_,
                   OptionalAttr<StrAttr>:$reason);
  let results = (outs Variadic<Mix_Value>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $space (`by` $block^)? `states` $states `(` $inits `)` (`class` $class_^)? (`reason` $reason^)?
    $body attr-dict `:` functional-type($inits, $results)
  }];
  let extraClassDeclaration = [{
    unsigned getNumStates() { return getInits().size(); }
    ::mlir::BlockArgument getPosition() { return getBody().getArgument(0); }
    ::mlir::BlockArgument getState(unsigned n) { return getBody().getArgument(1 + n); }
    /// The value of state `n` at the start of the block; only with `block`.
    ::mlir::BlockArgument getFrozen(unsigned n) {
      return getBody().getArgument(1 + getNumStates() + n);
    }
    ::mlir::ResultRange getFinalStates() { return getResults().take_front(getNumStates()); }
    ::mlir::ResultRange getOutputs() { return getResults().drop_front(getNumStates()); }
  }];
  let hasVerifier = 1;
}

def Mix_ForBlocksOp : Mix_Op<"for_blocks", [RecursiveMemoryEffects, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "A recurrence over blocks of positions, whose body is of all positions of a block";
  let description = [{
    The body is run for one block of `block` positions of `space` after the other, the last
    of which may be short. Its block arguments are the states at the start of the block. Inside, an
    index axis `"t:T"` holds all positions, of which those of the block count, and
    recurrences over `space` run over the positions of the block. It yields the states after the block and the
    outputs with the axis `space` in front, of which the rows of the block become rows of the results.

    What a `mix.for .. by n` reads of its frozen states is a coefficient here, however it enters:
    a state that is updated through nothing else is affine in itself.

    * C1: the block arguments are the states.
    * C2: the terminator yields the types of the results: the states', then outputs that have the
      axis `space` in front.
    * C3: `states` names each state, once, and `block` is positive.
    * C4: recurrences of the body are over `space`, and start from states of the block; there are
      no prefixes in it, nor reductions over an index axis.

    ```mlir
    %sT, %o = mix.for_blocks "T" by 16 states ["S"] (%s0) {
    ^bb0(%s: tensor<4x8xf64, #mix.axes<["K", "V"]>>):
      %r = mix.reduce sum %s over ["K"] : tensor<4x8xf64, #mix.axes<["K", "V"]>> -> tensor<8xf64, #mix.axes<["V"]>>
      %o = mix.broadcast %r : tensor<8xf64, #mix.axes<["V"]>> to tensor<?x8xf64, #mix.axes<["T", "V"]>>
      mix.yield %s, %o : tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["T", "V"]>>
    } : (tensor<4x8xf64, #mix.axes<["K", "V"]>>)
        -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["T", "V"]>>)
    ```
  }];
  let arguments = (ins StrAttr:$space, I64Attr:$block, StrArrayAttr:$states,
                   Variadic<Mix_Real>:$inits);
  let results = (outs Variadic<Mix_Value>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $space `by` $block `states` $states `(` $inits `)` $body attr-dict `:`
    functional-type($inits, $results)
  }];
  let extraClassDeclaration = [{
    unsigned getNumStates() { return getInits().size(); }
    ::mlir::ResultRange getFinalStates() { return getResults().take_front(getNumStates()); }
    ::mlir::ResultRange getOutputs() { return getResults().drop_front(getNumStates()); }
  }];
  let hasVerifier = 1;
}

def Mix_YieldOp : Mix_Op<"yield", [Pure, Terminator, ParentOneOf<["ForOp", "ForBlocksOp"]>]> {
  let summary = "The next states and the outputs of one position";
  let description = [{
    Ends the body of a `mix.for`: the next value of each state, then the outputs; and that of a
    `mix.for_blocks`, with those of a block.

    ```mlir
    %o = mix.for "T" states [] () {
    ^bb0(%t: tensor<i64>):
      %q = arith.sitofp %t : tensor<i64> to tensor<f64>
      mix.yield %q : tensor<f64>
    } : () -> tensor<?xf64, #mix.axes<["T"]>>
    ```
  }];
  let arguments = (ins Variadic<Mix_Value>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===----------------------------------------------------------------------===//
// Normal forms (L2)
//===----------------------------------------------------------------------===//

def Mix_AffineScanOp : Mix_Op<"affine_scan", [Pure, AttrSizedOperandSegments]> {
  let summary = "A recurrence that is affine in its states, with low-rank updates";
  let description = [{
    For each position `t` of the axis `axis` (form `"t:T"`), with `X` the axes of the states that every
    read and query contracts (`contracted`), `Y` their other axes. One state `S`:

    ```
    r_p  = sum over X of reads_p[t] * S                           (axes Y)
    y_m  = values_m[t] + sum over p of coef_(m,p)[t] * r_p        (axes Y)
    S'   = decay[t] * S + sum over m of lefts_m[t] * y_m          (axes X, Y)
    out_n = sum over X of queries_n[t] * (after_n ? S' : S)       (axes Y)
    ```

    Coefficients are listed sparsely: `coefs[c]` stands at row `coef_rows[c]`
    (an update `m`), column `coef_cols[c]` (a read `p`). A missing decay is 1.
    Every per-token operand has the axis `axis`.

    Several states of one type that need each other: read `p` reads the state
    `read_of[p]`, query `n` the state `query_of[n]` (the first one if the lists are absent), and

    ```
    Z    = S_0, .., S_(s-1), lefts_0[t] y_0, lefts_1[t] y_1, ..
    S_i' = sum over c of mix_(i,c)[t] * Z_c                       (axes X, Y)
    ```

    where `mixes` are listed sparsely too, at row `mix_rows[c]` (a state) and column
    `mix_cols[c]` (an element of `Z`). What is not listed is 0.

    * C1: there is an init, and all have one type, with the axes X and Y; X is not empty and names
      each axis once; `axis` is an index axis that the states do not have.
    * C2: `decay` has `axis` and a subset of X and Y.
    * C3: `lefts`, `reads`, `queries` have `axis` and a subset of X (missing axes broadcast);
      `values` and `coefs` have `axis` and a subset of Y.
    * C4: one value per left; rows and columns of coefs are in range.
    * C5: the results are the final states (types of `inits`) and, per query, a tensor
      with `axis` and Y.
    * C6: there are mixes if and only if there are several states, and then no decay. Rows and columns
      are in range, every state has a mix with itself, and mixes of updates have no axis but `axis`;
      others have `axis` and a subset of X and Y.
    * C7: `read_of` and `query_of` name a state per read and query, or are absent.

    ```mlir
    // The gated delta rule with decay %a, keys %k, %w = %a %k, %bv = beta v, %nb = -beta.
    %sT, %o = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%a) lefts(%k) values(%bv)
      reads(%w) coefs(%nb) at [0][0] queries(%q) after [true]
      : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
      -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)

    // With momentum: M' = eta M + k y, S' = a S + eta M + k y.
    %s1, %m1, %p = mix.affine_scan "t:T" contracting ["K"] init(%s0, %m0)
      mixes(%a, %eta, %one, %eta, %one) at [0, 0, 0, 1, 1][0, 1, 2, 1, 2] lefts(%k) values(%bv)
      reads(%k) of [0] coefs(%nb) at [0][0] queries(%q) of [0] after [true]
      : (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>,
         tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
         tensor<?xf64, #mix.axes<["t:T"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?x8xf64, #mix.axes<["t:T", "V"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>, tensor<?xf64, #mix.axes<["t:T"]>>,
         tensor<?x4xf64, #mix.axes<["t:T", "K"]>>)
      -> (tensor<4x8xf64, #mix.axes<["K", "V"]>>, tensor<4x8xf64, #mix.axes<["K", "V"]>>,
          tensor<?x8xf64, #mix.axes<["t:T", "V"]>>)
    ```
  }];
  let arguments = (ins StrAttr:$axis, StrArrayAttr:$contracted, Variadic<Mix_Real>:$inits,
                   Optional<Mix_Real>:$decay, Variadic<Mix_Real>:$mixes,
                   DefaultValuedOptionalAttr<DenseI64ArrayAttr, "{}">:$mix_rows,
                   DefaultValuedOptionalAttr<DenseI64ArrayAttr, "{}">:$mix_cols,
                   Variadic<Mix_Real>:$lefts, Variadic<Mix_Real>:$values,
                   Variadic<Mix_Real>:$reads,
                   DefaultValuedOptionalAttr<DenseI64ArrayAttr, "{}">:$read_of,
                   Variadic<Mix_Real>:$coefs, DenseI64ArrayAttr:$coef_rows,
                   DenseI64ArrayAttr:$coef_cols, Variadic<Mix_Real>:$queries,
                   DefaultValuedOptionalAttr<DenseI64ArrayAttr, "{}">:$query_of,
                   DenseBoolArrayAttr:$after);
  let results = (outs Variadic<Mix_Real>:$results);
  let assemblyFormat = [{
    $axis `contracting` $contracted `init` `(` $inits `)` (`decay` `(` $decay^ `)`)?
    (`mixes` `(` $mixes^ `)` `at` $mix_rows $mix_cols)?
    (`lefts` `(` $lefts^ `)`)? (`values` `(` $values^ `)`)?
    (`reads` `(` $reads^ `)`)? (`of` $read_of^)? (`coefs` `(` $coefs^ `)`)? `at` $coef_rows $coef_cols
    (`queries` `(` $queries^ `)`)? (`of` $query_of^)? `after` $after attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    unsigned getNumStates() { return getInits().size(); }
    ::mlir::ResultRange getFinals() { return getResults().take_front(getNumStates()); }
    ::mlir::ResultRange getOutputs() { return getResults().drop_front(getNumStates()); }
    /// The state that a read or a query is of.
    unsigned getStateOfRead(unsigned n) { return getReadOf().empty() ? 0 : getReadOf()[n]; }
    unsigned getStateOfQuery(unsigned n) { return getQueryOf().empty() ? 0 : getQueryOf()[n]; }
  }];
  let hasVerifier = 1;
}

def Mix_LargestOp : Mix_Op<"largest", [Pure]> {
  let summary = "The positions of the n largest scores along an axis, as numbers";
  let description = [{
    The positions along `axis` of the `n` largest scores where the mask is true, the largest
    first; ties go to the lower position. A score that is -inf or not a number is never
    chosen. Where fewer than `n` are left the position is -1. The result has the feature axis `into`
    of size `n` in place of `axis`: what a selection leaves behind is linear in the tokens.

    * C1: `axis` is an axis of the score, `n` is positive.
    * C2: the mask has the axes of the score.
    * C3: the axes of the result are those of the score without `axis`, then `into`, which
      is a feature axis that the score does not have.

    ```mlir
    %p = mix.largest %score where %past along "b:B" take 4 into "top"
      : tensor<?x?xf64, #mix.axes<["i:T", "b:B"]>>, tensor<?x?xi1, #mix.axes<["i:T", "b:B"]>>
      -> tensor<?x4xi64, #mix.axes<["i:T", "top"]>>
    ```
  }];
  let arguments = (ins Mix_Real:$score, Mix_Bool:$mask, StrAttr:$axis, I64Attr:$n, StrAttr:$into);
  let results = (outs Mix_Int:$result);
  let assemblyFormat = [{
    $score `where` $mask `along` $axis `take` $n `into` $into attr-dict `:`
    type($score) `,` type($mask) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Mix_StreamedReductionOp : Mix_Op<"streamed_reduction", [Pure, AttrSizedOperandSegments]> {
  let summary = "Sums weighted by exponentials of logits, stabilised by their maximum";
  let description = [{
    One or more sources under one stabiliser. With
    `M = max over all sources n, their axes and masks of logits_n`:

    ```
    max   = M
    sum_k = sum over axes[n] of mask_n exp(logits_n - M) values_k,   n = source_of[k]
    ```

    Softmax attention is `sum_1 / sum_0` with values `1` and `v`. A source with no
    reduced axes is one extra term. Where all masks are false, `M` is -inf and every
    sum is 0. The op has an online form: it may be computed block by block of the
    reduced axes, rescaling by `exp(M_old - M_new)`.

    * C1: one axes list, one mask per source; `axes[n]` are axes of `logits[n]`, named
      once; the axes that remain (common axes) are the same for all sources.
    * C2: `masks[n]` has a subset of the axes of `logits[n]`.
    * C3: `values[k]` has a subset of `axes[n]` and the common axes, and possibly feature axes of its own.
    * C4: the results are `max` over the common axes, then per value a tensor with the
      common axes and the value's feature axes.

    ```mlir
    %m, %l, %acc = mix.streamed_reduction logits(%s) where(%causal) over [["j:T"]]
      values(%one, %v) of [0, 0]
      : (tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>, tensor<?x?xi1, #mix.axes<["i:T", "j:T"]>>,
         tensor<f64>, tensor<?x8xf64, #mix.axes<["j:T", "V"]>>)
      -> (tensor<?xf64, #mix.axes<["i:T"]>>, tensor<?xf64, #mix.axes<["i:T"]>>,
          tensor<?x8xf64, #mix.axes<["i:T", "V"]>>)
    ```
  }];
  let arguments = (ins Variadic<Mix_Real>:$logits, Variadic<Mix_Bool>:$masks, ArrayAttr:$axes,
                   Variadic<Mix_Real>:$values, DenseI64ArrayAttr:$source_of);
  let results = (outs Mix_Real:$max, Variadic<Mix_Real>:$sums);
  let assemblyFormat = [{
    `logits` `(` $logits `)` `where` `(` $masks `)` `over` $axes
    `values` `(` $values `)` `of` $source_of attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Step forms (L2)
//===----------------------------------------------------------------------===//

def Mix_AppendOp : Mix_Op<"append", [Pure, AllTypesMatch<["cache", "result"]>]> {
  let summary = "A cache of all tokens with the rows of the new ones behind those of earlier calls";
  let description = [{
    `result[p, rest..] = rows[p - position, rest..]` for `p >= position`, else
    `cache[p, rest..]`, along the axis of all tokens `"T.all"`, of `position + |T|` rows.

    * C1: `axis` is a plain axis of `rows`, and `cache` has the type of `rows` with `axis`
      renamed to `"T.all"` (for the axis `"T"`).

    ```mlir
    %all = mix.append %k to %cache at %position along "T" : tensor<?x8xf64, #mix.axes<["T", "K"]>>,
      tensor<?x8xf64, #mix.axes<["T.all", "K"]>>, tensor<i64>
    ```
  }];
  let arguments = (ins Mix_Value:$rows, Mix_Value:$cache, 0DTensorOf<[I64]>:$position,
                   StrAttr:$axis);
  let results = (outs Mix_Value:$result);
  let assemblyFormat = [{
    $rows `to` $cache `at` $position `along` $axis attr-dict `:`
    type($rows) `,` type($cache) `,` type($position)
  }];
  let hasVerifier = 1;
}

#endif // MIXWRIGHT_DIALECT_MIXOPS_TD
