//===- EvaluateTileOps.cpp - Tile ops on doubles ----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateTileOps.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mix;

//===----------------------------------------------------------------------===//
// tile.scan
//===----------------------------------------------------------------------===//

static double getIdentity(tile::ScanKind kind) {
  switch (kind) {
  case tile::ScanKind::Sum:
    return 0.0;
  case tile::ScanKind::Prod:
    return 1.0;
  case tile::ScanKind::Max:
    return -std::numeric_limits<double>::infinity();
  case tile::ScanKind::Min:
    return std::numeric_limits<double>::infinity();
  }
  return NAN;
}

static double combine(tile::ScanKind kind, double x, double y) {
  switch (kind) {
  case tile::ScanKind::Sum:
    return x + y;
  case tile::ScanKind::Prod:
    return x * y;
  case tile::ScanKind::Max:
    return std::isnan(x) || std::isnan(y) ? NAN : std::fmax(x, y);
  case tile::ScanKind::Min:
    return std::isnan(x) || std::isnan(y) ? NAN : std::fmin(x, y);
  }
  return NAN;
}

// result[t] = kind over s <= t (s < t if exclusive; from the last row if reverse).
Tensor mix::evaluateTileOp(tile::ScanOp op, const Tensor &source) {
  Tensor result = Tensor::make(source.shape);
  int64_t rows = source.shape[0], row = source.strides[0];
  for (int64_t column = 0; column < row; ++column) {
    double total = getIdentity(op.getKind());
    for (int64_t n = 0; n < rows; ++n) {
      int64_t at = (op.getReverse() ? rows - 1 - n : n) * row + column;
      double next = combine(op.getKind(), total, source.data()[at]);
      result.data()[at] = op.getExclusive() ? total : next;
      total = next;
    }
  }
  return result;
}

// Rows of scores, in order, go in front of the first smaller value of the sorted list.
std::pair<Tensor, Tensor> mix::evaluateTileOp(tile::LargestOp op, const Tensor &scores,
                                              int64_t first, const Tensor &values,
                                              const Tensor &positions) {
  Tensor newValues = Tensor::make(values.shape, values.elements());
  Tensor newPositions = Tensor::make(positions.shape, positions.elements());
  int64_t columns = scores.strides[0];
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t k = 0; k < scores.shape[0]; ++k) {
      double score = scores.data()[k * columns + column], position = first + k;
      bool isInserted = false;
      for (int64_t at = column; at < values.shape[0] * columns; at += columns) {
        isInserted |= score > newValues.data()[at];
        if (!isInserted)
          continue;
        std::swap(score, newValues.data()[at]);
        std::swap(position, newPositions.data()[at]);
      }
    }
  return {newValues, newPositions};
}

//===----------------------------------------------------------------------===//
// Decays between rows
//===----------------------------------------------------------------------===//

namespace {

/// Walks back from token `t` through the tokens `i <= t` (`i < t` if exclusive) and
/// holds, per column, the product of decay[s] over i < s <= t (i < s < t).
class DecayWalk {
public:
  DecayWalk(const Tensor *decay, int64_t columns, int64_t t, bool exclusive)
      : decay(decay), token(exclusive ? t - 1 : t), product(columns, 1.0) {}

  /// The current token `i`; negative at the end.
  int64_t getToken() const { return token; }
  double getProduct(int64_t column) const { return product[column]; }

  void stepBack() {
    int64_t columns = product.size();
    if (decay)
      for (int64_t column = 0; column < columns; ++column)
        product[column] *= decay->data()[token * columns + column];
    --token;
  }

private:
  const Tensor *decay;
  int64_t token;
  std::vector<double> product;
};

} // namespace

Tensor mix::evaluateTileOp(tile::DecayRatioOp op, const Tensor &decay) {
  int64_t rows = decay.shape[0];
  Tensor result = Tensor::make({rows, rows});
  for (int64_t t = 0; t < rows; ++t)
    for (DecayWalk walk(&decay, 1, t, op.getExclusive()); walk.getToken() >= 0; walk.stepBack())
      result.data()[t * rows + walk.getToken()] = walk.getProduct(0);
  return result;
}

// result[t, i] = sum over d of x[t, d] y[i, d] product of decay[s, d].
Tensor mix::evaluateTileOp(tile::DecayedGramOp op, const Tensor &x, const Tensor &y,
                           const Tensor &decay) {
  int64_t rows = x.shape[0], columns = x.shape[1];
  Tensor result = Tensor::make({rows, rows});
  for (int64_t t = 0; t < rows; ++t)
    for (DecayWalk walk(&decay, columns, t, op.getExclusive()); walk.getToken() >= 0;
         walk.stepBack()) {
      int64_t i = walk.getToken();
      for (int64_t d = 0; d < columns; ++d)
        result.data()[t * rows + i] +=
            x.data()[t * columns + d] * y.data()[i * columns + d] * walk.getProduct(d);
    }
  return result;
}

// Y[t, :] = rhs[t, :] + scale[t] * sum over i < t of A[t, i] * D(t, i) * Y[i, :],
// over the rows i of earlier tokens.
Tensor mix::evaluateTileOp(tile::SolveOp op, const Tensor &a, const Tensor &rhs,
                           const Tensor *scale, const Tensor *decay) {
  int64_t rows = rhs.shape[0], columns = rhs.strides[0];
  int64_t group = op.getGroup();
  Tensor result = Tensor::make(rhs.shape);
  for (int64_t t = 0; t < rows; ++t) {
    std::vector<double> sum(columns, 0.0);
    for (DecayWalk walk(decay, columns, t / group, /*exclusive=*/true); walk.getToken() >= 0;
         walk.stepBack())
      for (int64_t i = walk.getToken() * group; i < (walk.getToken() + 1) * group; ++i)
        for (int64_t v = 0; v < columns; ++v)
          sum[v] += a.data()[t * rows + i] * walk.getProduct(v) * result.data()[i * columns + v];
    for (int64_t v = 0; v < columns; ++v) {
      double factor = !scale               ? 1.0
                      : scale->rank() == 1 ? scale->data()[t]
                                           : scale->data()[t * columns + v];
      result.data()[t * columns + v] = rhs.data()[t * columns + v] + factor * sum[v];
    }
  }
  return result;
}

// result[t, v] = sum over i <= t of A[t, i] Y[i, v] product of decay[s, v].
Tensor mix::evaluateTileOp(tile::DecayedApplyOp op, const Tensor &a, const Tensor &y,
                           const Tensor &decay) {
  int64_t rows = decay.shape[0], columns = decay.shape[1], group = op.getGroup();
  Tensor result = Tensor::make(decay.shape);
  for (int64_t t = 0; t < rows; ++t)
    for (DecayWalk walk(&decay, columns, t, op.getExclusive()); walk.getToken() >= 0;
         walk.stepBack())
      for (int64_t i = walk.getToken() * group; i < (walk.getToken() + 1) * group; ++i)
        for (int64_t v = 0; v < columns; ++v)
          result.data()[t * columns + v] +=
              a.data()[t * rows * group + i] * y.data()[i * columns + v] * walk.getProduct(v);
  return result;
}
