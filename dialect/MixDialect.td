//===- MixDialect.td - The mix dialect: a mixer as mathematics -*- tablegen -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_MIXDIALECT_TD
#define MIXWRIGHT_DIALECT_MIXDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"

def Mix_Dialect : Dialect {
  let name = "mix";
  let cppNamespace = "::mix";
  let summary = "Token mixers as mathematics over named axes (levels L1 and L2)";
  let description = [{
    A value is a real, integer or boolean tensor over *named axes*: an upstream
    `tensor` type whose encoding is `#mix.axes<[...]>`. Elementwise arithmetic
    is the upstream `arith` and `math` dialects on such tensors; a value is
    brought to the axes of its user by an explicit `mix.broadcast`. A rank-0
    tensor has no encoding.

    Two kinds of axis names exist:

    * a plain name (`"K"`, `"T"`) is an axis of an argument or result;
    * `"j:T"` is the axis of the index variable `j` that runs over the positions
      of `T`. `mix.read` moves a value from `"T"` to `"j:T"`.

    A mixer is a `func.func` with the unit attribute `mix.mixer`. Its arguments
    and results carry `mix.name` and `mix.kind` (`input`, `param`, `output`;
    a result of kind `state` is the final value of a state). Sizes are `?` until
    they are bound; reals are `f64` on these levels: the meaning is the reference
    evaluator. The attribute `mix.blocks = {B = ["T", 64 : i64]}` says that the
    axis `B` counts the blocks of 64 positions of `T` (the last may be short).

    *L1* is the spec as written: recurrences are `mix.for` regions whose body is
    the definition, statement by statement.

    *L2* is the normal form: every map is lifted (its index variable is an axis
    `"i:T"`), every recurrence is a `mix.affine_scan` or a `mix.for` with a
    `class` (and, when sequential, a `reason`), and every softmax is a
    `mix.streamed_reduction`. A value with two token axes is *virtual*: it may only
    be used elementwise and by reductions, and is never stored.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect"];
}

class Mix_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Mix_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Mix_AxesAttr : Mix_Attr<"Axes", "axes",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "The axis names of a tensor, one per dimension";
  let description = [{
    The encoding of a tensor over named axes.

    * C1: names are distinct and not empty.
    * C2: a tensor has one name per dimension.

    ```mlir
    tensor<?x128xf64, #mix.axes<["T", "K"]>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names);
  let assemblyFormat = "`<` `[` $names `]` `>`";
  let genVerifyDecl = 1;
}

def Mix_ReduceKind : I32EnumAttr<"ReduceKind", "how a reduction combines elements", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Prod", 3, "prod">]> {
  let cppNamespace = "::mix";
}

def Mix_PrefixKind : I32EnumAttr<"PrefixKind", "how a prefix operator combines elements", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Prod", 3, "prod">,
    I32EnumAttrCase<"LogSumExp", 4, "logsumexp">]> {
  let cppNamespace = "::mix";
}

def Mix_ScanClass : I32EnumAttr<"ScanClass", "the derived class of a recurrence", [
    I32EnumAttrCase<"Elementwise", 0, "elementwise">,
    I32EnumAttrCase<"MaxStabilised", 1, "max_stabilised">,
    I32EnumAttrCase<"Sequential", 2, "sequential">,
    I32EnumAttrCase<"Blocked", 3, "blocked">]> {
  let cppNamespace = "::mix";
  let genSpecializedAttr = 0;
}

#endif // MIXWRIGHT_DIALECT_MIXDIALECT_TD
