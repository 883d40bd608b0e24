//===- Passes.td - How a computation is rearranged ---------*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every description states Requires and Ensures.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_PASSES_TD
#define MIXWRIGHT_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// L1 -> L2
//===----------------------------------------------------------------------===//

def IndexTokens : Pass<"mix-index-tokens", "::mlir::func::FuncOp"> {
  let summary = "Give expressions of whole sequences an index variable";
  let description = [{
    An axis that some index variable walks is a token axis. Where an operation computes with
    such an axis as a whole (`dot(q[t], k)`, `softmax[T](s)`, `2 * q`), its operands are read
    at a variable `"T:T"` and its result is bound to `"T"`. An attention written with whole
    sequences so becomes the one written with `j`, which is never stored.

    *Requires*: L1.
    *Ensures*: plain token axes are only on arguments, `mix.bind`, and outputs of `mix.for`.

    ```mlir
    // before
    %y = math.exp %x : tensor<?xf64, #mix.axes<["T"]>>
    // after
    %i = mix.iota : tensor<?xi64, #mix.axes<["T:T"]>>
    %xi = mix.read %x["T" = %i] : tensor<?xf64, #mix.axes<["T"]>>,
      tensor<?xi64, #mix.axes<["T:T"]>> -> tensor<?xf64, #mix.axes<["T:T"]>>
    %yi = math.exp %xi : tensor<?xf64, #mix.axes<["T:T"]>>
    %y = mix.bind %yi along "T:T" : tensor<?xf64, #mix.axes<["T:T"]>>
      to tensor<?xf64, #mix.axes<["T"]>>
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numIndexed", "num-indexed", "Operations on whole sequences">];
}

def LiftMaps : Pass<"mix-lift-maps", "::mlir::func::FuncOp"> {
  let summary = "Turn maps over a token space into straight-line code";
  let description = [{
    Every `mix.for` without states is replaced by its body, computed for all
    positions at once: the position becomes a `mix.iota` along a new axis
    `"t:T"`, and every value that depends on it gains that axis. Operands whose
    axes then differ are broadcast. Outputs go back to the axis `"T"` by
    `mix.bind`. A recurrence inside of a map gets the axis in its states.

    Walks at the top of a function share the axis `"t:T"` of their space, so that
    a value made by one and read by the next at its own position needs no storage.

    *Requires*: L1.
    *Ensures*: every `mix.for` has a state.

    ```mlir
    // before
    %o = mix.for "T" states [] () {
    ^bb0(%i: tensor<i64>):
      %qi = mix.read %q["T" = %i] : tensor<?x8xf64, #mix.axes<["T", "K"]>>, tensor<i64>
        -> tensor<8xf64, #mix.axes<["K"]>>
      mix.yield %qi : tensor<8xf64, #mix.axes<["K"]>>
    } : () -> tensor<?x8xf64, #mix.axes<["T", "K"]>>
    // after
    %i = mix.iota : tensor<?xi64, #mix.axes<["t:T"]>>
    %qi = mix.read %q["T" = %i] : tensor<?x8xf64, #mix.axes<["T", "K"]>>,
      tensor<?xi64, #mix.axes<["t:T"]>> -> tensor<?x8xf64, #mix.axes<["t:T", "K"]>>
    %o = mix.bind %qi along "t:T" : tensor<?x8xf64, #mix.axes<["t:T", "K"]>>
      to tensor<?x8xf64, #mix.axes<["T", "K"]>>
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numLifted", "num-lifted", "Maps that became straight-line code">];
}

def MergeVariables : Pass<"mix-merge-variables", "::mlir::func::FuncOp"> {
  let summary = "Give index variables that walk together one name";
  let description = [{
    Where a value with the axis `"j:T"` is read exactly at the positions of another
    index variable `"j.1:T"`, and no value has both axes, the two are the same walk:
    `"j.1:T"` is renamed to `"j:T"` in the whole function, and the read is its source.
    This is how `sum[j](p[j] * r[j])` meets when `p` and `r` were declared over index
    sets of their own. After it, common subexpressions of both are shared.

    *Requires*: maps lifted (`mix-lift-maps`).
    *Ensures*: an index axis is read only where two walks meet in one value, or at other
    positions than exactly its own.

    ```mlir
    // before
    %j = mix.iota : tensor<?xi64, #mix.axes<["j.1:T"]>>
    %pj = mix.read %p["j:T" = %j] : tensor<?xf64, #mix.axes<["j:T"]>>,
      tensor<?xi64, #mix.axes<["j.1:T"]>> -> tensor<?xf64, #mix.axes<["j.1:T"]>>
    %x = arith.mulf %pj, %r : tensor<?xf64, #mix.axes<["j.1:T"]>>
    // after
    %x = arith.mulf %p, %r : tensor<?xf64, #mix.axes<["j:T"]>>
    ```
  }];
  let dependentDialects = ["::mix::MixDialect"];
  let statistics = [Statistic<"numMerged", "num-merged", "Index variables that got the name of another">];
}

def NormalizeRecurrences : Pass<"mix-normalize-recurrences", "::mlir::func::FuncOp"> {
  let summary = "Split recurrences into strata and bring each to its normal form";
  let description = [{
    The states of a recurrence are split into *strata*: states that depend on
    each other, in an order in which no stratum needs a later one. The update of
    each is brought to polynomial normal form (`dialect/algebra`), and its class is
    derived from that:

    * *affine*, with contractions over one set X of the state's axes, writes that
      are outer products, and a decay over one side: a `mix.affine_scan`. What
      does not depend on the state is computed in front of it, along the axis
      `"t:T"`; what later strata and outputs read of the state becomes queries,
      before or after the update.
    * *elementwise*: every element has its own recurrence (no contraction in the
      update), but it is not affine as above, e.g. because the decay is over all
      axes or the state itself is an output. *max_stabilised*: the state enters
      only through `max`, and `+` with values that do not depend on it. Neighbours
      of both classes share one `mix.for`.
    * *blocked*: a recurrence `by n` whose states are affine or elementwise if what they were at the
      start of a block is taken as given: a `mix.for`, which `mix-split-blocks` makes scans of.
    * *sequential*: anything else: a `mix.for` with the reason, which names the
      state and the place in the source.

    *Requires*: L1, maps lifted (`mix-lift-maps`).
    *Ensures*: every `mix.for` has a class, and if it is sequential a reason.

    ```mlir
    // before: S = a S + k (v - k^T S); o = q^T S
    %sT, %o = mix.for "T" states ["S"] (%s0) { ... }
    // after
    %sT, %ot = mix.affine_scan "t:T" contracting ["K"] init(%s0) decay(%a) lefts(%k)
      values(%v) reads(%k) coefs(%na) at [0][0] queries(%q) after [true] {mix.states = ["S"]} : ...
    %o = mix.bind %ot along "t:T" : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [
    Statistic<"numAffine", "num-affine", "Strata that became affine scans">,
    Statistic<"numElementwise", "num-elementwise", "Strata that run element by element">,
    Statistic<"numBlocked", "num-blocked", "Recurrences by blocks that can be split">,
    Statistic<"numSequential", "num-sequential", "Strata that stayed sequential">];
}

def SplitBlocks : Pass<"mix-split-blocks", "::mlir::func::FuncOp"> {
  let summary = "Turn recurrences by blocks into loops over blocks";
  let description = [{
    A `mix.for` of class *blocked* becomes a `mix.for_blocks`: the states at the start of a block
    are its arguments, and the recurrence over the positions of the block is in its
    body, brought to normal form like any other. What it reads of frozen states is a
    coefficient there, computed for all positions of the block at once, so an update
    through nothing but frozen states needs no triangular system. Where a frozen state enters the next
    value of a state as a whole (`S = frozen(S) - step * sum`), it is one more state of the scan, which stays
    what it is.

    Chunks of tokens are then blocks, or parts of one. A step form starts and ends anywhere
    in a block, and is derived of the `mix.for`.

    *Requires*: recurrences classified (`mix-normalize-recurrences`).
    *Ensures*: no `mix.for` has the class *blocked*.

    ```mlir
    // before: S = S + k (v - k^T frozen(S)); o = q^T S
    %sT, %o = mix.for "T" by 16 states ["S"] (%s0) class blocked { ... }
    // after
    %sT, %o = mix.for_blocks "T" by 16 states ["S"] (%s0) {
    ^bb0(%start: ...):
      %r = mix.reduce sum %ks over ["K"] : ...
      %y = arith.subf %v, %r : ...
      %s, %ot = mix.affine_scan "t:T" contracting ["K"] init(%start) lefts(%k) values(%y)
        queries(%q) after [true] : ...
      %ob = mix.bind %ot along "t:T" : ...
      mix.yield %s, %ob : ...
    }
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numSplit", "num-split", "Recurrences that became loops over blocks">];
}

def StreamSoftmax : Pass<"mix-stream-softmax", "::mlir::func::FuncOp"> {
  let summary = "Turn softmax over tokens into sums under a running maximum";
  let description = [{
    A `mix.softmax` whose sets include an index axis becomes a
    `mix.streamed_reduction`: each sum that is linear in its weights is one value
    of the stream, divided by the sum of the weights after the reduction (whatever
    does not depend on the summed token is moved out of the sum by the algebra).
    Several sums and several sources share one stream; a source without axes is an
    extra term of the denominator. Weights that are used otherwise are recomputed
    element by element from the maximum and the denominator.

    The same written by hand is recognised by algebra: a sum of `exp(s + d) x` over
    the set of `m = max(s)`, where `d` does not depend on the summed token and is
    made from `m` (`-m`, `-max(m, sink)`, ...), is `exp(M + d)` times a sum of the
    stream with the maximum `M`. A softmax over feature axes only becomes its
    definition: maximum, exponential, sum, quotient.

    *Requires*: maps lifted (`mix-lift-maps`), recurrences in normal form.
    *Ensures*: no `mix.softmax` is left.

    ```mlir
    // before
    %p = mix.softmax(%s) where(%causal) over [["j:T"]] : ...
    %pv = arith.mulf %pb, %vb : ...
    %o = mix.reduce sum %pv over ["j:T"] : ...
    // after
    %max, %sums:2 = mix.streamed_reduction logits(%s) where(%causal) over [["j:T"]]
      values(%one, %v) of [0, 0] : ...
    %o = arith.divf %sums#1, %lb : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numStreamed", "num-streamed", "Stabilised sums that are streamed">];
}

def PrefixReductions : Pass<"mix-prefix-reductions", "::mlir::func::FuncOp"> {
  let summary = "Turn causal reductions of what does not depend on the query into prefixes";
  let description = [{
    A reduction over all `j <= i` (or `j < i`) whose summand depends on the query
    position `i` only by factors that can be moved out of the sum becomes a
    `mix.prefix` along `j`, read at `i`: linear in the tokens. Conditions that do not
    depend on `i` stay with the summand. A maximum, minimum or product qualifies if its
    operand does not depend on `i` at all.

    *Requires*: maps lifted (`mix-lift-maps`).
    *Ensures*: nothing more; values mean the same.

    ```mlir
    // before: sum over i <= t of x_i
    %y = mix.reduce sum %xb where %causal over ["i:T"] : ...
    // after
    %p = mix.prefix sum %x along "i:T" : ...
    %b = mix.bind %p along "i:T" : ...
    %y = mix.read %b["T" = %t] : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numPrefixes", "num-prefixes", "Reductions that became prefixes">];
}

def SeparateSums : Pass<"mix-separate-sums", "::mlir::func::FuncOp"> {
  let summary = "Turn sums with separable weights into recurrences";
  let description = [{
    A sum over all `j <= i` (or `j < i`) whose summand is a sum of products

    ```
    outer[i] * decay(i, j) * (sum over X of query[i] * key[j]) * value[j]
    ```

    is read from a running state `sum of key * value` (axes X and those of the value): a
    `mix.affine_scan`, linear in the tokens, with a step form that keeps the state and no keys. A decay is
    a power of a difference of prefix sums or of positions, like `exp(c[i] - c[j])` or `a^(i - j)`;
    it becomes a factor per token, never a quotient of large numbers. Sines and cosines of such
    differences are separated by the addition formulas. Products without a contraction become prefixes. Over all
    tokens, instead of the earlier ones, the sum of `key * value` is made once.

    *Requires*: maps lifted (`mix-lift-maps`), prefixes derived (`mix-prefix-reductions`).
    *Ensures*: nothing more; values mean the same.

    ```mlir
    // before: sum over j <= t of dot(q[t], k[j]) * v[j]
    %y = mix.reduce sum %qk_v where %causal over ["j:T"] : ...
    // after
    %zero = mix.broadcast %cst to tensor<8x8xf64, #mix.axes<["K", "V"]>>
    %S, %y = mix.affine_scan "t:T" contracting ["K"] init(%zero) lefts(%k) values(%v) at [] []
      queries(%q) after [true] : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numSeparated", "num-separated", "Sums that became recurrences">];
}

def SelectPositions : Pass<"mix-select-positions", "::mlir::func::FuncOp"> {
  let summary = "Turn selections along tokens into lists of positions";
  let description = [{
    A `mix.topk` along an index axis becomes a `mix.largest`: `n` positions per query
    instead of a predicate per pair. Whether a position was chosen is whether the list
    holds it.

    *Requires*: maps lifted (`mix-lift-maps`).
    *Ensures*: no `mix.topk` runs along an index axis.

    ```mlir
    // before
    %c = mix.topk %score where %past along "b:B" take 2 : ...
    // after
    %list = mix.largest %score where %past along "b:B" take 2 into "chosen" : ...
    %is = arith.cmpi eq, %list_b, %b_b : tensor<?x?x2xi64, #mix.axes<["i:T", "b:B", "chosen"]>>
    %c = mix.reduce max %is over ["chosen"] : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numSelections", "num-selections", "Selections that became lists">];
}

def SinkReads : Pass<"mix-sink-reads", "::mlir::func::FuncOp"> {
  let summary = "Compute a value again where it is read at computed positions";
  let description = [{
    A read along an index axis of a value that is computed at that position (elementwise,
    by reductions over feature axes, from reads of what is stored) becomes the computation
    with the position in place of the variable: a value of pairs is never stored, but
    `chosen[block(j)]` can be asked. Where the position may lie outside the axis the result is
    zero there, as a read gives.

    *Requires*: maps lifted (`mix-lift-maps`), variables merged (`mix-merge-variables`).
    *Ensures*: what is read along an index axis at computed positions was made by an
    operation that moves information between tokens.

    ```mlir
    // before
    %y = arith.addf %x, %b : tensor<?x?xf64, #mix.axes<["i:T", "b:B"]>>
    %yj = mix.read %y["b:B" = %e] : ...
    // after
    %be = mix.read %b0["B" = %e] : ...
    %yj = arith.addf %xe, %be : tensor<?x?xf64, #mix.axes<["i:T", "j:T"]>>
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numSunk", "num-sunk", "Reads that became computations">];
}

def BindKeys : Pass<"mix-bind-keys", "::mlir::func::FuncOp"> {
  let summary = "Name what reductions compute from their keys alone";
  let description = [{
    A reduction over tokens runs block by block of its rows, and would compute again in each what
    depends on a key only: keys that are normalised, rotated, or projected. A factor of
    that kind that is worth storing is bound to the tokens and read back, so that a phase of
    its own can store it.

    *Requires*: level L2 of a form that is no step: the caches of a step say what it stores.
    *Ensures*: level L2; no factor of keys alone in a reduction over them needs functions, divisions or
    reductions over features, unless it is one number per key.

    ```mlir
    // before
    %kj = mix.reduce sum %product over ["L"] : ... -> tensor<?x8xf64, #mix.axes<["j:T", "K"]>>
    // after
    %k = mix.bind %kj along "j:T" : ... to tensor<?x8xf64, #mix.axes<["T", "K"]>>
    %kr = mix.read %k["T" = %j] : ... -> tensor<?x8xf64, #mix.axes<["j:T", "K"]>>
    ```
  }];
  let dependentDialects = ["::mix::MixDialect"];
  let statistics = [Statistic<"numBound", "num-bound", "Values bound">];
}

def VerifyLevel : Pass<"mix-verify-level", "::mlir::ModuleOp"> {
  let summary = "Check the contract of a level";
  let description = [{
    Fails, with one error per violation, if a mixer does not keep the contract of the
    level (docs/architecture.md). Level 1: the ops of the spec only, no class on a loop.
    Level 2: no map, every recurrence is an affine scan or has a class (and, if it is
    sequential, a reason), no softmax; values along two or more index axes are only used
    elementwise, by reductions and by prefixes, and never returned. Level 3: a phase holds only the ops
    of tile programs, on tiles of static shape.

    *Requires*: nothing. *Ensures*: the contract of the level.

    ```mlir
    // mix-verify-level{level=2} refuses a map.
    %o = mix.for "T" states [] () { ... }
    ```
  }];
  let options = [Option<"level", "level", "unsigned", "2", "The level: 1, 2 or 3.">];
  let dependentDialects = ["::mix::MixDialect"];
}

//===----------------------------------------------------------------------===//
// L2 -> L2
//===----------------------------------------------------------------------===//

def DeriveStep : Pass<"mix-derive-step", "::mlir::ModuleOp"> {
  let summary = "Derive the step form of mixers";
  let description = [{
    The step form of a mixer computes the outputs of a few new tokens, from them and from
    what the tokens before them left behind. Its token space `"T"` holds the new tokens
    only; `"T.all"` holds all of the sequence, `position` more. Results of kind `state` and
    arguments and results of kind `cache` are what is left behind.

    A variable that a reduction runs over walks all tokens, and all others the new ones.
    What the reduction needs of earlier tokens is computed from *kept* values, each with a
    row per token in a cache: the cheapest set of values that suffices, and of several the
    latest. `mix.window` on a cache says how many rows, its own included, a token ever
    reads, if the masks bound it. Prefixes become running totals, which are states, and
    what a recurrence with blocks has frozen becomes a state too.

    *Requires*: L2. *Ensures*: L2, with `mix.step`. A mixer that needs tokens that have not
    come yet is an error at the place that needs them.

    ```mlir
    // before: a causal reduction over "j:T" of what is made from %k
    // after
    %all = mix.append %k to %cache at %position along "T" : ...
    %j = mix.iota : tensor<?xi64, #mix.axes<["j:T.all"]>>
    %kj = mix.read %all["T.all" = %j] : ...
    ```
  }];
  let dependentDialects = ["::mix::MixDialect", "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect", "::mlir::math::MathDialect"];
  let statistics = [Statistic<"numCaches", "num-caches", "Values that are kept for every token">];
}

//===----------------------------------------------------------------------===//
// L2 -> L3
//===----------------------------------------------------------------------===//

def TileMixers : Pass<"mix-tile", "::mlir::ModuleOp"> {
  let summary = "Turn mixers in normal form into tile programs";
  let description = [{
    Requires: level 2; feature axes have static sizes.

    Ensures: level 3. Every mixer that has a tile program is replaced by its phases. A
    mixer that has none stays as it is, with a remark at the operation that has no place
    in a tile program and the reason in the attribute `tile.not_tiled`; the reference
    evaluator still runs it.

    An operation that moves information between tokens (a scan, a recurrence, a prefix
    along results, a reduction over an index axis) is an anchor; anchors are put into
    phases. A scan becomes a loop over chunks of `chunk` tokens that carries its state, in
    its chunked form (`form=chunked`) or token by token (`form=recurrent`, and every
    recurrence that is not affine). A reduction over tokens becomes a loop over blocks of
    `keys` tokens, for each block of `rows` results; it carries the totals of the prefixes
    along the same tokens that its terms need. Everything else is computed where it is
    used, elementwise expressions as one operation each.

    With `element=bf16` or `f16`, inputs, params and outputs are stored in that type. Tiles,
    states and workspaces are `f32`: a tile is widened by `arith.extf` after its load, and
    rounded by `arith.truncf` before its store. A product of two tiles just as they were loaded
    takes them as they are, with an `f32` accumulator: the result is the same.

    ```mlir
    // Before: o = the prefix sums of x.
    %o = mix.prefix sum %x along "t:T" : tensor<?x8xf64, #mix.axes<["t:T", "V"]>>
    // After, in a loop over chunks that carries the sums of all chunks before:
    %x = tile.load %x_arg[%t, %zero] : memref<?x8xf32, strided<[?, 1]>> -> tensor<32x8xf32>
    %in = tile.scan sum %x : tensor<32x8xf32>
    %o = linalg.generic ... ins(%carry, %in : tensor<8xf32>, tensor<32x8xf32>) ...
    ```
  }];
  let options = [
    Option<"form", "form", "std::string", "\"chunked\"",
           "How affine scans run: 'chunked' or 'recurrent'. Of step forms: 'step', for few tokens, "
           "which chooses chunk, rows and keys itself, or 'prefill', in chunks.">,
    Option<"element", "element", "std::string", "\"f32\"",
           "The type of real tensors: 'f32', 'f64', 'bf16' or 'f16'.">,
    Option<"state", "state", "std::string", "\"\"",
           "The type in which states are stored: '' (that of tiles), 'bf16' or 'f16'.">,
    Option<"chunk", "chunk", "int64_t", "0", "Tokens in a chunk of a scan; 0 to choose it.">,
    Option<"rows", "rows", "int64_t", "64", "Positions that one task of a grid computes.">,
    Option<"keys", "keys", "int64_t", "64", "Tokens in a block of a reduction.">,
    Option<"featureBlock", "feature-block", "int64_t", "64",
           "Features that one task of an elementwise recurrence computes.">,
    Option<"stateElements", "state-elements", "int64_t", "0",
           "The most elements of the states of a task, where a recurrence can be cut along a "
           "feature axis; 0 for any number.">
  ];
  let statistics = [
    Statistic<"numTiled", "num-tiled", "Mixers with a tile program">,
    Statistic<"numNotTiled", "num-not-tiled", "Mixers without one">,
    Statistic<"numPhases", "num-phases", "Phases emitted">
  ];
  let dependentDialects = [
    "::mix::tile::TileDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // MIXWRIGHT_PASSES_PASSES_TD
