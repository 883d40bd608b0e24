//===- TileOps.td - The tile dialect: level L3 -------------*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_TILEOPS_TD
#define MIXWRIGHT_DIALECT_TILEOPS_TD

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::mix::tile";
  let summary = "What upstream lacks for tile programs (level L3)";
  let description = [{
    A tile program is a `func.func` with the attribute `tile.phase`. Its arguments are the tensors of
    one instance (one head of one batch entry) as `memref`s with strides, then for
    each of the mixer's states an `i1` that says whether the caller gave an initial value. Its body is an
    `scf.forall` over independent instances (feature blocks, token blocks); in it
    `scf.for` / `scf.if` carry tiles: statically shaped `tensor` values of `f32` or
    `f64` (`bf16` and `f16` are types of tensors, of tiles just loaded or about to be stored,
    and of operands of products), computed by `linalg.generic`, `linalg.contract`, `arith` and the ops of this
    dialect. The first axis of a tile that came from tokens is the token axis.

    Nothing here names a target or a mixer.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect"];
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Tile : StaticShapeTensorOf<[F32, F64, BF16, F16, I64, I32, I1, Index]>;
def Tile_RealTile : StaticShapeTensorOf<[F32, F64]>;
def Tile_View : MemRefOf<[F32, F64, BF16, F16, I64, I32]>;

def Tile_ScanKind : I32EnumAttr<"ScanKind", "how a scan combines elements", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Prod", 1, "prod">,
    I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">]> {
  let cppNamespace = "::mix::tile";
}

def Tile_LoadOp : Tile_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "Load a tile of a tensor; elements outside it are zero";
  let description = [{
    `result[i..] = view[offsets[n] + i_n ..]`, and zero where a position is not
    inside the view. Leading dimensions of the view that the tile lacks are fixed
    at their offset (a tile of rank r takes the last r dimensions).

    * C1: one offset per dimension of the view.
    * C2: the rank of the tile is at most that of the view; element types are equal,
      or both are real and the tile's is wider: the load is exact.

    ```mlir
    func.func @f(%k: memref<?x128xf32, strided<[?, 1]>>, %t: index, %z: index) {
      %tile = tile.load %k[%t, %z] : memref<?x128xf32, strided<[?, 1]>> -> tensor<32x128xf32>
      return
    }
    ```
  }];
  let arguments = (ins Arg<Tile_View, "", [MemRead]>:$view, Variadic<Index>:$offsets);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$view `[` $offsets `]` attr-dict `:` type($view) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Store a tile; elements outside the tensor are not written";
  let description = [{
    The mirror of `tile.load`, with the same constraints C1 and C2. Where the tile's type
    is wider, elements are rounded to the nearest value of the view's type, ties to even.

    ```mlir
    func.func @f(%o: memref<?x128xf32, strided<[?, 1]>>, %tile: tensor<32x128xf32>, %t: index, %z: index) {
      tile.store %tile, %o[%t, %z] : tensor<32x128xf32>, memref<?x128xf32, strided<[?, 1]>>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, Arg<Tile_View, "", [MemWrite]>:$view, Variadic<Index>:$offsets);
  let assemblyFormat = "$tile `,` $view `[` $offsets `]` attr-dict `:` type($tile) `,` type($view)";
  let hasVerifier = 1;
}

def Tile_Promises : Resource<"::mix::tile::Promises">;

def Tile_BandOp : Tile_Op<"band", [MemoryEffects<[MemWrite<Tile_Promises>]>]> {
  let summary = "Promise that a tile matters only in a band";
  let description = [{
    `bounds` holds a pair of positions `[first, end)` of the dimension `columns` for each of
    n equal groups of positions of the dimension `rows`. Elements of a group of rows outside of its
    columns are zero, or nothing that the program computes depends on them. So a target
    need not compute such an element, nor multiply by it, but it must be zero if it is read.
    The op may stand after what uses the tile.

    * C1: `rows` and `columns` are two dimensions of the tile.
    * C2: there are two bounds per group, and the groups divide the rows.

    ```mlir
    func.func @f(%s: tensor<32x64xf32>, %a: index, %b: index, %c: index, %d: index) {
      tile.band %s rows 0 columns 1 [%a, %b, %c, %d] : tensor<32x64xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, I64Attr:$rows, I64Attr:$columns, Variadic<Index>:$bounds);
  let assemblyFormat = "$tile `rows` $rows `columns` $columns `[` $bounds `]` attr-dict `:` type($tile)";
  let extraClassDeclaration = [{
    /// Rows that share their bounds.
    int64_t getGroupSize() {
      return getTile().getType().getDimSize(getRows()) / (int64_t)(getBounds().size() / 2);
    }
  }];
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure, AllTypesMatch<["source", "result"]>]> {
  let summary = "Prefix or suffix reduction along the first axis of a tile";
  let description = [{
    Along axis 0: `result[t] = kind over s <= t of source[s]`; `exclusive` takes
    `s < t` (the identity at the end it starts from); `reverse` runs from the last
    row: `s >= t`, or `s > t` if exclusive.

    * C1: the tile has at least one axis.

    ```mlir
    %p = tile.scan prod %a {reverse, exclusive} : tensor<32x128xf32>
    ```
  }];
  let arguments = (ins EnumProp<Tile_ScanKind>:$kind, Tile_RealTile:$source,
                   UnitAttr:$reverse, UnitAttr:$exclusive);
  let results = (outs Tile_RealTile:$result);
  let assemblyFormat = "$kind $source attr-dict `:` type($source)";
  let hasVerifier = 1;
}

def Tile_LargestOp : Tile_Op<"largest", [Pure, AllTypesMatch<["values", "new_values"]>,
                                          AllTypesMatch<["positions", "new_positions"]>]> {
  let summary = "Insert a block of scores into sorted lists of the largest";
  let description = [{
    `values` and `positions` hold, along their first axis, the `n` largest scores so far and
    where they stood, the largest first. The rows of `scores` (its first axis) are inserted in
    order, row `k` as position `first + k`, where they are larger than what the list holds: of
    equal scores the first stays in front. -inf and what is not a number are never inserted.

    * C1: all tiles have a first axis, and the same axes after it.
    * C2: `positions` has the shape of `values`, and elements `i64`.

    ```mlir
    %v, %p = tile.largest %scores from %first into %values, %positions
      : tensor<64x32xf32>, tensor<4x32xf32>, tensor<4x32xi64>
    ```
  }];
  let arguments = (ins Tile_RealTile:$scores, Index:$first, Tile_RealTile:$values,
                   Tile_Tile:$positions);
  let results = (outs Tile_RealTile:$new_values, Tile_Tile:$new_positions);
  let assemblyFormat = [{
    $scores `from` $first `into` $values `,` $positions attr-dict `:`
    type($scores) `,` type($values) `,` type($positions)
  }];
  let hasVerifier = 1;
}

def Tile_DecayRatioOp : Tile_Op<"decay_ratio", [Pure, SameOperandsAndResultElementType]> {
  let summary = "The decay between every pair of rows of a chunk";
  let description = [{
    `result[t, i] = product of decay[s] over i < s <= t` for `i <= t` (1 on the
    diagonal) and 0 for `i > t`. With `exclusive` the product is over `i < s < t`,
    for `i < t`, and the diagonal is 0 too. Products are formed progressively, so no
    quotient and no exponential of a positive number occurs, and a decay of 0 is exact.

    * C1: `decay` is a tile `C`, the result `C x C`.

    ```mlir
    %p = tile.decay_ratio %a : tensor<32xf32> -> tensor<32x32xf32>
    ```
  }];
  let arguments = (ins Tile_RealTile:$decay, UnitAttr:$exclusive);
  let results = (outs Tile_RealTile:$result);
  let assemblyFormat = "$decay attr-dict `:` type($decay) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_DecayedGramOp : Tile_Op<"decayed_gram",
    [Pure, AllTypesMatch<["x", "y", "decay"]>, SameOperandsAndResultElementType]> {
  let summary = "Pairwise products of rows with a decay per channel between them";
  let description = [{
    `result[t, i] = sum over d of x[t, d] y[i, d] prod over i < s <= t of decay[s, d]` for
    `i <= t`, 0 for `i > t`. With `exclusive` the product is over `i < s < t`, for
    `i < t`, and the diagonal is 0 too. The op owns the choice of sub-blocks
    (mixed: a product of two matrices off the diagonal, progressive products on it).

    * C1: `x`, `y`, `decay` are tiles `C x K`; the result is `C x C`.

    ```mlir
    %m = tile.decayed_gram %x, %y, %a {exclusive} : tensor<32x128xf32> -> tensor<32x32xf32>
    ```
  }];
  let arguments = (ins Tile_RealTile:$x, Tile_RealTile:$y, Tile_RealTile:$decay, UnitAttr:$exclusive);
  let results = (outs Tile_RealTile:$result);
  let assemblyFormat = "$x `,` $y `,` $decay attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_SolveOp : Tile_Op<"solve", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["rhs", "result"]>, SameOperandsAndResultElementType]> {
  let summary = "Solve a unit lower triangular system row by row";
  let description = [{
    For rows `t = 0, 1, ...`:
    `Y[t, :] = rhs[t, :] + scale[t] * sum over i < t of A[t, i] * D(t, i) * Y[i, :]`,
    where `D(t, i)` is the product of `decay[s, :]` over `i < s < t` if `decay` is given
    (a decay per column of the right-hand side), else 1. `scale` is a tile `C` or `C x V`; absent means 1.
    With `group = g`, rows `t` and `i` interact only if `i / g < t / g` (the virtual
    rows of one token do not see each other); `decay` then has `C / g` rows.
    Elements of `A` on and above the diagonal are not read.

    * C1: `A` is `C x C`, `rhs` and the result `C` or `C x V`; `C` is a multiple of `group`.
    * C2: `scale` is `C` or has the shape of `rhs`; `decay` is `(C / group) x V`.

    ```mlir
    %y = tile.solve %a, %rhs scale(%b) {group = 1 : i64}
      : (tensor<32x32xf32>, tensor<32x128xf32>, tensor<32xf32>) -> tensor<32x128xf32>
    ```
  }];
  let arguments = (ins Tile_RealTile:$a, Tile_RealTile:$rhs, Optional<Tile_RealTile>:$scale,
                   Optional<Tile_RealTile>:$decay, DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs Tile_RealTile:$result);
  let assemblyFormat = [{
    $a `,` $rhs (`scale` `(` $scale^ `)`)? (`decay` `(` $decay^ `)`)? attr-dict `:`
    functional-type(operands, $result)
  }];
  let hasVerifier = 1;
}

def Tile_DecayedApplyOp : Tile_Op<"decayed_apply",
    [Pure, AllTypesMatch<["decay", "result"]>, SameOperandsAndResultElementType]> {
  let summary = "Apply a lower triangular matrix with a decay per column of the operand";
  let description = [{
    `result[t, v] = sum over i <= t of A[t, i] Y[i, v] prod over i < s <= t of decay[s, v]`;
    with `exclusive`, over `i < t` with the product over `i < s < t`. With `group = g`
    the rows of `Y` and the columns of `A` are virtual rows, `g` to a token.

    * C1: `A` is `C x (C g)`, `Y` is `(C g) x V`, `decay` and the result are `C x V`;
      `g` is positive.

    ```mlir
    %o = tile.decayed_apply %a, %y, %d : tensor<32x32xf32>, tensor<32x128xf32>, tensor<32x128xf32>
    ```
  }];
  let arguments = (ins Tile_RealTile:$a, Tile_RealTile:$y, Tile_RealTile:$decay,
                   UnitAttr:$exclusive, DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs Tile_RealTile:$result);
  let assemblyFormat = "$a `,` $y `,` $decay attr-dict `:` type($a) `,` type($y) `,` type($result)";
  let hasVerifier = 1;
}

#endif // MIXWRIGHT_DIALECT_TILEOPS_TD
