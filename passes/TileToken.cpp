//===- TileToken.cpp - One token of an affine scan --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Token by token, the state is the memory that counts. It is read twice and written once: by
// one product with all reads and queries as rows, and by the update. What a query finds after
// the update follows from what it finds before, because the update has low rank:
//
//   q . S' = q . (a S) + sum over m of (q . l_m) y_m
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/TileScan.h"

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// The rows of the product with the state.
static constexpr llvm::StringLiteral kVector = "vector";

/// The products of vectors over the contracted axes with the state, over its free axes.
static SmallVector<Tile> readState(TileBuilder &tb, const ChunkScan &token,
                                   ArrayRef<Tile> vectors) {
  if (vectors.size() < 2)
    return llvm::map_to_vector(
        vectors, [&](const Tile &vector) { return tb.contract(vector, token.state, token.free); });
  tb.setSize(kVector, vectors.size());
  Tile rows = tb.empty(uniteAxes({kVector}, token.contracted), tb.element);
  for (auto [n, vector] : llvm::enumerate(vectors))
    rows = tb.insert(tb.spread(vector, token.contracted), rows, tb.builder.getIndexAttr(n));
  Tile found = tb.contract(rows, token.state, uniteAxes({kVector}, token.free));
  SmallVector<Tile> results;
  for (size_t n = 0; n < vectors.size(); ++n)
    results.push_back(tb.extract(found, kVector, tb.builder.getIndexAttr(n)));
  return results;
}

/// `decay * S + sum over m of left_m * row_m`
static Tile updateState(TileBuilder &tb, const ChunkScan &token, ArrayRef<Tile> rows) {
  SmallVector<Tile> inputs = {token.state};
  if (token.decay)
    inputs.push_back(*token.decay);
  size_t first = inputs.size();
  for (auto [left, row] : llvm::zip(token.lefts, rows)) {
    inputs.push_back(left);
    inputs.push_back(row);
  }
  return tb.map(inputs, token.state.axes, [&](ElementBuilder &body) {
    OpBuilder &b = body.builder;
    Value sum = body.elements[0];
    if (token.decay)
      sum = arith::MulFOp::create(b, body.loc, body.elements[1], sum);
    for (size_t n = first; n < body.elements.size(); n += 2) {
      Value product = arith::MulFOp::create(b, body.loc, body.elements[n], body.elements[n + 1]);
      sum = arith::AddFOp::create(b, body.loc, sum, product);
    }
    return sum;
  });
}

/// What a query finds after the update, from what it finds in the decayed state.
static Tile addUpdates(TileBuilder &tb, const ChunkScan &token, const Tile &query,
                       ArrayRef<Tile> rows, Tile found) {
  Tile whole = tb.spread(query, token.contracted);
  for (auto [left, row] : llvm::zip(token.lefts, rows)) {
    Tile weight = tb.contract(whole, tb.spread(left, token.contracted), {});
    found = tb.add(found, tb.mul(weight, row));
  }
  return found;
}

ChunkScanResult mix::emitTokenScan(TileBuilder &tb, const ChunkScan &token) {
  auto hasDecay = [&](AxisList axes) {
    return token.decay &&
           llvm::any_of(axes, [&](StringRef axis) { return token.decay->has(axis); });
  };
  bool isAlong = hasDecay(token.contracted), isAcross = hasDecay(token.free);
  // With a decay of its own for every element, a query has to read the new state.
  bool isSeparable = !(isAlong && isAcross);
  SmallVector<Tile> vectors = token.reads;
  SmallVector<int> vectorOf(token.queries.size(), -1);
  for (auto [n, query] : llvm::enumerate(token.queries)) {
    if (token.after[n] && !isSeparable)
      continue;
    vectorOf[n] = vectors.size();
    vectors.push_back(token.after[n] && isAlong ? tb.mul(query, *token.decay) : query);
  }
  SmallVector<Tile> found = readState(tb, token, vectors);

  SmallVector<Tile> rows = token.values;
  for (const ChunkScan::Coef &coef : token.coefs)
    rows[coef.row] = tb.add(rows[coef.row], tb.mul(coef.tile, found[coef.column]));
  ChunkScanResult result{updateState(tb, token, rows), {}};
  for (auto [n, query] : llvm::enumerate(token.queries)) {
    if (vectorOf[n] < 0) {
      result.outputs.push_back(tb.contract(query, result.state, token.free));
      continue;
    }
    Tile output = found[vectorOf[n]];
    if (token.after[n] && token.decay && !isAlong)
      output = tb.mul(output, *token.decay);
    if (token.after[n])
      output = addUpdates(tb, token, query, rows, output);
    result.outputs.push_back(tb.spread(output, token.free));
  }
  return result;
}
