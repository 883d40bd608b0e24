//===- Cost.cpp - What a definition asks for --------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Cost.h"
#include "dialect/Axes.h"
#include "dialect/Mix.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <optional>

using namespace mlir;
using namespace mix;
using namespace mix::driver;

namespace {

/// A place in the product of index spaces: the position of every index axis and of
/// every enclosing loop.
struct Point {
  llvm::StringMap<int64_t> axes;
  llvm::DenseMap<Value, int64_t> loops;
};

/// The value of an integer or boolean at a point; none if it looks at data.
std::optional<int64_t> evaluateAt(Value value, const Point &point, const SizeMap &sizes);

std::optional<int64_t> evaluateBinary(Operation *op, int64_t a, int64_t b) {
  auto floorDiv = [](int64_t x, int64_t y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); };
  return llvm::TypeSwitch<Operation *, std::optional<int64_t>>(op)
      .Case([&](arith::AddIOp) { return a + b; })
      .Case([&](arith::SubIOp) { return a - b; })
      .Case([&](arith::MulIOp) { return a * b; })
      .Case([&](arith::AndIOp) { return a & b; })
      .Case([&](arith::OrIOp) { return a | b; })
      .Case([&](arith::XOrIOp) { return a ^ b; })
      .Case([&](arith::MinSIOp) { return std::min(a, b); })
      .Case([&](arith::MaxSIOp) { return std::max(a, b); })
      .Case<arith::FloorDivSIOp, arith::DivSIOp, arith::RemSIOp, arith::CeilDivSIOp>(
          [&](Operation *division) -> std::optional<int64_t> {
            if (b == 0)
              return std::nullopt;
            if (isa<arith::FloorDivSIOp>(division))
              return floorDiv(a, b);
            if (isa<arith::CeilDivSIOp>(division))
              return -floorDiv(-a, b);
            return isa<arith::DivSIOp>(division) ? a / b : a % b;
          })
      .Case([&](arith::CmpIOp compare) -> std::optional<int64_t> {
        switch (compare.getPredicate()) {
        case arith::CmpIPredicate::eq:
          return a == b;
        case arith::CmpIPredicate::ne:
          return a != b;
        case arith::CmpIPredicate::slt:
          return a < b;
        case arith::CmpIPredicate::sle:
          return a <= b;
        case arith::CmpIPredicate::sgt:
          return a > b;
        case arith::CmpIPredicate::sge:
          return a >= b;
        default:
          return std::nullopt;
        }
      })
      .Default(std::nullopt);
}

std::optional<int64_t> evaluateAt(Value value, const Point &point, const SizeMap &sizes) {
  if (auto loop = point.loops.find(value); loop != point.loops.end())
    return loop->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseIntElementsAttr>(constant.getValue());
    if (!elements || !elements.isSplat())
      return std::nullopt;
    APInt number = elements.getSplatValue<APInt>();
    return number.getBitWidth() == 1 ? number.getZExtValue() : number.getSExtValue();
  }
  if (auto size = dyn_cast<SizeOp>(op)) {
    auto known = sizes.find(getSpace(size.getAxis()));
    return known == sizes.end() ? std::nullopt : std::optional<int64_t>(known->second);
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    auto position = point.axes.find(getAxes(iota.getResult()).front());
    return position == point.axes.end() ? std::nullopt : std::optional<int64_t>(position->second);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return evaluateAt(broadcast.getSource(), point, sizes);
  if (auto absolute = dyn_cast<math::AbsIOp>(op)) {
    std::optional<int64_t> operand = evaluateAt(absolute.getOperand(), point, sizes);
    return operand ? std::optional<int64_t>(std::abs(*operand)) : std::nullopt;
  }
  if (op->getNumOperands() != 2 || !getElementTypeOrSelf(op->getOperand(0)).isInteger())
    return std::nullopt;
  std::optional<int64_t> a = evaluateAt(op->getOperand(0), point, sizes);
  std::optional<int64_t> b = evaluateAt(op->getOperand(1), point, sizes);
  // One side that looks at data leaves the other as a bound of a conjunction.
  if (isa<arith::AndIOp>(op) && a.has_value() != b.has_value())
    return a ? a : b;
  return a && b ? evaluateBinary(op, *a, *b) : std::nullopt;
}

class FlopCounter {
public:
  explicit FlopCounter(const SizeMap &sizes) : sizes(sizes) {}

  double count(Block &block) {
    double total = 0;
    for (Operation &op : block) {
      auto loop = dyn_cast<ForOp>(op);
      if (!loop) {
        total += countOp(op);
        continue;
      }
      loops.push_back(loop);
      total += static_cast<double>(getSize(loop.getSpace())) * count(loop.getBody().front());
      loops.pop_back();
    }
    return total;
  }

  /// The share of the points of its space where a mask holds.
  double getDensity(Value mask);

private:
  int64_t getSize(StringRef axis) const {
    auto size = sizes.find(getSpace(axis));
    return size == sizes.end() ? 0 : size->second;
  }

  double getElements(Type type) const {
    double elements = 1;
    for (auto [axis, size] : llvm::zip(getAxes(type), cast<RankedTensorType>(type).getShape()))
      elements *= ShapedType::isDynamic(size) ? getSize(axis) : size;
    return elements;
  }

  double countOp(Operation &op) {
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      bool adds = reduce.getKind() == ReduceKind::Sum || reduce.getKind() == ReduceKind::Prod;
      if (!adds || !isa<FloatType>(getElementTypeOrSelf(reduce.getSource())))
        return 0;
      double density = reduce.getMask() ? getDensity(reduce.getMask()) : 1;
      density = std::min(density, getUsedDensity(reduce.getResult()));
      return getElements(reduce.getSource().getType()) * density;
    }
    if (auto softmax = dyn_cast<SoftmaxOp>(op)) { // the sum of the denominator
      double total = 0;
      for (auto [logits, mask] : llvm::zip(softmax.getLogits(), softmax.getMasks()))
        total += getElements(logits.getType()) * getDensity(mask);
      return total;
    }
    bool counts = isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, PrefixOp>(op);
    if (!counts)
      return 0;
    return getElements(op.getResult(0).getType()) * getUsedDensity(op.getResult(0));
  }

  /// The part of a value's elements that its users look at. Elementwise users pass
  /// the question on; a reduction answers with its mask.
  double getUsedDensity(Value value) {
    bool hasIndex = llvm::any_of(getAxes(value), [](StringRef axis) { return isIndexAxis(axis); });
    if (!hasIndex)
      return 1;
    if (auto known = used.find(value); known != used.end())
      return known->second;
    double most = 0;
    for (Operation *user : value.getUsers())
      most = std::max(most, getUsedDensity(user, value));
    return used[value] = most;
  }

  double getUsedDensity(Operation *user, Value value) {
    if (auto reduce = dyn_cast<ReduceOp>(user)) {
      if (reduce.getMask())
        return getDensity(reduce.getMask());
      return getUsedDensity(reduce.getResult());
    }
    if (auto softmax = dyn_cast<SoftmaxOp>(user)) {
      for (auto [logits, mask] : llvm::zip(softmax.getLogits(), softmax.getMasks()))
        if (logits == value)
          return getDensity(mask);
      return 1;
    }
    bool isElementwise =
        user->getNumResults() == 1 && user->getNumRegions() == 0 &&
        (isa<BroadcastOp>(user) || isa<arith::ArithDialect, math::MathDialect>(user->getDialect()));
    return isElementwise ? getUsedDensity(user->getResult(0)) : 1;
  }

  /// A dimension of the space on which a mask is defined: an index axis or a loop.
  struct Dimension {
    StringRef axis;
    Value position;
    int64_t size, samples;

    /// Sample `n` is the middle of the n-th of `samples` equal parts.
    void place(Point &point, int64_t n) const {
      int64_t at = (2 * n + 1) * size / (2 * samples);
      if (position)
        point.loops[position] = at;
      else
        point.axes[axis] = at;
    }
  };

  llvm::SmallVector<Dimension> getDimensions(Value mask) {
    llvm::SmallVector<Dimension> dimensions;
    for (StringRef axis : getAxes(mask))
      if (isIndexAxis(axis))
        dimensions.push_back({axis, Value(), getSize(axis), 0});
    for (ForOp loop : loops)
      dimensions.push_back({"", loop.getPosition(), getSize(loop.getSpace()), 0});
    constexpr double maxPoints = 1 << 18;
    double each = std::pow(maxPoints, 1.0 / std::max<size_t>(dimensions.size(), 1));
    for (Dimension &dimension : dimensions)
      dimension.samples = std::min(dimension.size, static_cast<int64_t>(each));
    return dimensions;
  }

  const SizeMap &sizes;
  llvm::SmallVector<ForOp> loops;
  llvm::DenseMap<Value, double> used, densities;
};

double FlopCounter::getDensity(Value mask) {
  if (auto known = densities.find(mask); known != densities.end())
    return known->second;
  llvm::SmallVector<Dimension> dimensions = getDimensions(mask);
  int64_t total = 1, holds = 0;
  for (const Dimension &dimension : dimensions)
    total *= dimension.samples;
  Point point;
  for (int64_t n = 0; n < total; ++n) {
    int64_t rest = n;
    for (const Dimension &dimension : dimensions) {
      dimension.place(point, rest % dimension.samples);
      rest /= dimension.samples;
    }
    holds += evaluateAt(mask, point, sizes).value_or(1) != 0;
  }
  double share = total ? static_cast<double>(holds) / static_cast<double>(total) : 0;
  return densities[mask] = share;
}

} // namespace

double mix::driver::countDefinitionFlops(func::FuncOp mixer, const SizeMap &sizes) {
  return FlopCounter(sizes).count(mixer.getBody().front());
}

/// Whether a predicate depends on anything but positions and sizes.
static bool looksAtData(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<ReadOp>(op))
    return true;
  return llvm::any_of(op->getOperands(), looksAtData);
}

/// The positions of a tile that are looked at: both ends and some between.
static llvm::SmallVector<int64_t> pickPositions(int64_t begin, int64_t end) {
  constexpr int64_t most = 9;
  int64_t count = std::min(end - begin, most);
  llvm::SmallVector<int64_t> positions;
  for (int64_t n = 0; n < count; ++n)
    positions.push_back(begin + (count == 1 ? 0 : n * (end - begin - 1) / (count - 1)));
  return positions;
}

MaskShape mix::driver::measureMask(Value mask, const SizeMap &sizes, int64_t tile) {
  MaskShape shape{FlopCounter(sizes).getDensity(mask), looksAtData(mask), std::nullopt,
                  std::nullopt};
  llvm::SmallVector<StringRef> axes;
  for (StringRef axis : getAxes(mask))
    if (isIndexAxis(axis))
      axes.push_back(axis);
  if (axes.size() != 2 || shape.looksAtData)
    return shape;
  int64_t rows = sizes.lookup(getSpace(axes[0])), columns = sizes.lookup(getSpace(axes[1]));
  int64_t tiles = 0, empty = 0, full = 0;
  Point point;
  for (int64_t row = 0; row < rows; row += tile)
    for (int64_t column = 0; column < columns; column += tile) {
      bool anyHolds = false, allHold = true;
      for (int64_t i : pickPositions(row, std::min(rows, row + tile)))
        for (int64_t j : pickPositions(column, std::min(columns, column + tile))) {
          point.axes[axes[0]] = i;
          point.axes[axes[1]] = j;
          std::optional<int64_t> value = evaluateAt(mask, point, sizes);
          anyHolds |= value.value_or(1) != 0;
          allHold &= value.value_or(0) != 0;
        }
      ++tiles;
      empty += !anyHolds;
      full += allHold;
    }
  if (tiles > 0) {
    shape.emptyTiles = static_cast<double>(empty) / static_cast<double>(tiles);
    shape.fullTiles = static_cast<double>(full) / static_cast<double>(tiles);
  }
  return shape;
}

int64_t mix::driver::countTensorBytes(const Signature &signature, const CallShape &shape,
                                      TensorTypes types, const TensorMap &inputs) {
  int64_t bytes = 0;
  for (const Argument &arg : signature.inputs)
    if (auto tensor = inputs.find(arg.name); tensor != inputs.end())
      bytes +=
          tensor->second.getCount() * getTypeBytes(arg.isInteger ? ElementType::I64 : types.type);
  auto count = [&](const Argument &arg, ElementType type) {
    int64_t result = getTypeBytes(type);
    for (int64_t size : shape.getShape(arg))
      result *= size;
    return result;
  };
  for (const Argument &arg : signature.outputs)
    bytes += count(arg, types.type);
  for (const Argument &arg : signature.states)
    bytes += 2 * count(arg, types.state);
  return bytes;
}
