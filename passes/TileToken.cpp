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

/// The products of vectors over the contracted axes with a state, over its free axes.
static SmallVector<Tile> readState(TileBuilder &tb, const ChunkScan &token, const Tile &state,
                                   ArrayRef<Tile> vectors) {
  if (vectors.size() < 2)
    return llvm::map_to_vector(
        vectors, [&](const Tile &vector) { return tb.contract(vector, state, token.free); });
  tb.setSize(kVector, vectors.size());
  Tile rows = tb.empty(uniteAxes({kVector}, token.contracted), tb.element);
  for (auto [n, vector] : llvm::enumerate(vectors))
    rows = tb.insert(tb.spread(vector, token.contracted), rows, tb.builder.getIndexAttr(n));
  Tile found = tb.contract(rows, state, uniteAxes({kVector}, token.free));
  SmallVector<Tile> results;
  for (size_t n = 0; n < vectors.size(); ++n)
    results.push_back(tb.extract(found, kVector, tb.builder.getIndexAttr(n)));
  return results;
}

namespace {
/// Emits one token. What the next value of a state takes of a state or an update is its mix;
/// of a state alone the decay, or 1.
class TokenEmitter {
public:
  TokenEmitter(TileBuilder &tb, const ChunkScan &token) : tb(tb), token(token) {}
  ChunkScanResult emit();

private:
  /// A factor in the next value of a state; no tile: 1.
  struct Part {
    unsigned column;
    std::optional<Tile> factor;
  };
  /// A product of a vector with a state.
  struct Reading {
    unsigned state;
    Tile vector, found;
  };
  SmallVector<Part> getParts(unsigned state) const;
  bool has(const std::optional<Tile> &factor, AxisList axes) const {
    return factor && llvm::any_of(axes, [&](StringRef axis) { return factor->has(axis); });
  }
  bool isSeparable(unsigned state) const;
  unsigned addReading(unsigned state, Tile vector);
  void findReadings();
  void read();
  Tile updateState(unsigned state) const;
  Tile answer(unsigned query, ArrayRef<Tile> next) const;
  unsigned getNumStates() const { return token.states.size(); }

  TileBuilder &tb;
  const ChunkScan &token;
  SmallVector<Reading> readings;
  /// Numbers of the readings of reads, and of those that a query is made of.
  SmallVector<unsigned> readingOf;
  SmallVector<SmallVector<unsigned, 2>> readingsOfQuery;
  SmallVector<Tile> rows;
};
} // namespace

SmallVector<TokenEmitter::Part> TokenEmitter::getParts(unsigned state) const {
  SmallVector<Part> parts;
  if (getNumStates() == 1) {
    parts.push_back({0, token.decay});
    for (unsigned m = 0; m < token.lefts.size(); ++m)
      parts.push_back({1 + m, std::nullopt});
    return parts;
  }
  for (const ChunkScan::Coef &mix : token.mixes)
    if (mix.row == state)
      parts.push_back({mix.column, mix.tile});
  return parts;
}

/// Whether what a query finds after the update follows from what it finds before. With
/// a factor of its own for every element, it has to read the new state.
bool TokenEmitter::isSeparable(unsigned state) const {
  return llvm::none_of(getParts(state), [&](const Part &part) {
    return has(part.factor, token.contracted) && has(part.factor, token.free);
  });
}

unsigned TokenEmitter::addReading(unsigned state, Tile vector) {
  readings.push_back({state, std::move(vector), {}});
  return readings.size() - 1;
}

void TokenEmitter::findReadings() {
  for (auto [read, state] : llvm::zip(token.reads, token.readOf))
    readingOf.push_back(addReading(state, read));
  for (auto [n, query] : llvm::enumerate(token.queries)) {
    auto &own = readingsOfQuery.emplace_back();
    unsigned state = token.queryOf[n];
    if (!token.after[n]) {
      own.push_back(addReading(state, query));
      continue;
    }
    if (!isSeparable(state))
      continue;
    for (const Part &part : getParts(state))
      if (part.column < getNumStates())
        own.push_back(addReading(
            part.column, has(part.factor, token.contracted) ? tb.mul(query, *part.factor) : query));
  }
}

/// Every state is read once, by one product with all its vectors as rows.
void TokenEmitter::read() {
  for (auto [n, state] : llvm::enumerate(token.states)) {
    SmallVector<Tile> vectors;
    for (const Reading &reading : readings)
      if (reading.state == n)
        vectors.push_back(reading.vector);
    SmallVector<Tile> found = readState(tb, token, state, vectors);
    auto next = found.begin();
    for (Reading &reading : readings)
      if (reading.state == n)
        reading.found = *next++;
  }
}

/// The sum of the parts: factors times states, and times products of lefts and rows.
Tile TokenEmitter::updateState(unsigned state) const {
  SmallVector<Part> parts = getParts(state);
  SmallVector<Tile> inputs;
  for (const Part &part : parts) {
    if (part.column < getNumStates()) {
      inputs.push_back(token.states[part.column]);
    } else {
      inputs.push_back(token.lefts[part.column - getNumStates()]);
      inputs.push_back(rows[part.column - getNumStates()]);
    }
    if (part.factor)
      inputs.push_back(*part.factor);
  }
  return tb.map(inputs, token.states[state].axes, [&](ElementBuilder &body) {
    OpBuilder &b = body.builder;
    const Value *next = body.elements.begin();
    Value sum;
    for (const Part &part : parts) {
      Value product = *next++;
      unsigned numFactors = (part.column >= getNumStates()) + part.factor.has_value();
      for (unsigned n = 0; n < numFactors; ++n)
        product = arith::MulFOp::create(b, body.loc, *next++, product);
      sum = sum ? arith::AddFOp::create(b, body.loc, sum, product).getResult() : product;
    }
    return sum;
  });
}

Tile TokenEmitter::answer(unsigned n, ArrayRef<Tile> next) const {
  const Tile &query = token.queries[n];
  unsigned state = token.queryOf[n];
  ArrayRef<unsigned> own = readingsOfQuery[n];
  if (own.empty())
    return tb.contract(query, next[state], token.free);
  if (!token.after[n])
    return readings[own.front()].found;
  Tile whole = tb.spread(query, token.contracted);
  std::optional<Tile> sum;
  for (const Part &part : getParts(state)) {
    Tile addend;
    bool isScaled = part.factor.has_value();
    if (part.column < getNumStates()) {
      addend = readings[own.front()].found;
      own = own.drop_front();
      isScaled &= !has(part.factor, token.contracted);
    } else {
      unsigned m = part.column - getNumStates();
      Tile weight = tb.contract(whole, tb.spread(token.lefts[m], token.contracted), {});
      addend = tb.mul(weight, rows[m]);
    }
    if (isScaled)
      addend = tb.mul(addend, *part.factor);
    sum = sum ? tb.add(*sum, addend) : addend;
  }
  return *sum;
}

ChunkScanResult TokenEmitter::emit() {
  findReadings();
  read();
  rows = token.values;
  for (const ChunkScan::Coef &coef : token.coefs)
    rows[coef.row] =
        tb.add(rows[coef.row], tb.mul(coef.tile, readings[readingOf[coef.column]].found));
  ChunkScanResult result;
  for (unsigned n = 0; n < getNumStates(); ++n)
    result.states.push_back(updateState(n));
  for (unsigned n = 0; n < token.queries.size(); ++n)
    result.outputs.push_back(tb.spread(answer(n, result.states), token.free));
  return result;
}

ChunkScanResult mix::emitTokenScan(TileBuilder &tb, const ChunkScan &token) {
  return TokenEmitter(tb, token).emit();
}
