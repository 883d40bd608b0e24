//===- EvaluateTile.cpp - The reference evaluator of tile programs ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateTile.h"
#include "dialect/EvaluateElementwise.h"
#include "dialect/EvaluateSizes.h"
#include "dialect/EvaluateTileOps.h"
#include "dialect/Mix.h"
#include "dialect/NarrowReals.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

namespace {

/// A tensor in memory, and which task wrote each element (-1: none).
struct Memory {
  Shape shape;
  std::vector<double> data;
  std::vector<int64_t> writers;
};

/// The attributes of one argument of a phase.
struct Argument {
  StringRef name, kind;
  SmallVector<StringRef> axes;

  /// Whether the call has to give it.
  bool isInput() const {
    return kind == "input" || kind == "param" || kind == "position" || kind == "cache";
  }
  /// Whether the call may give it as a state.
  bool isState() const { return kind == "state_in" || kind == "state"; }
  /// Whether it is what the call leaves behind.
  bool isFinal() const { return kind == "state_out" || kind == "state" || kind == "cache"; }
};

using Tensors = SmallVector<Tensor>;

/// Runs phases over memories that stay from one phase to the next.
class TileInterpreter {
public:
  TileInterpreter(TileRounding rounding) : rounding(rounding) {}

  void set(Value value, Tensor tensor) {
    values[value] = roundTo(value.getType(), std::move(tensor), rounding);
  }
  void setMemory(Value value, Memory *memory) { memories[value] = memory; }

  /// Starts a phase: what later tasks write is no longer ordered with each other.
  void startPhase() { firstTask = task + 1; }

  /// Runs a block up to its terminator.
  Error run(Block &block);

  /// The sizes of the `scf.forall` loops that ran since the last call.
  SmallVector<SmallVector<int64_t>> takeGrids() { return std::move(grids); }

private:
  Error run(Operation *op);
  Expected<Tensors> evaluateOp(Operation *op);

  // Control flow.
  Error runForall(scf::ForallOp op);
  Expected<Tensors> evaluateFor(scf::ForOp op);
  Expected<Tensors> evaluateIf(scf::IfOp op);
  // Memory.
  Expected<Tensors> evaluateLoad(tile::LoadOp op);
  Error runStore(tile::StoreOp op);
  void runBand(tile::BandOp op);
  // Tiles.
  Expected<Tensors> evaluateExtractSlice(tensor::ExtractSliceOp op);
  Expected<Tensors> evaluateInsertSlice(tensor::InsertSliceOp op);
  template <typename Op> Expected<int64_t> getElement(Op op, const Tensor &tensor) const;
  Expected<Tensors> evaluateExtract(tensor::ExtractOp op);
  Expected<Tensors> evaluateInsert(tensor::InsertOp op);
  Tensor evaluateFromElements(tensor::FromElementsOp op);
  Tensor evaluateReshape(Operation *op);
  Expected<Tensors> evaluateElementwise(Operation *op);

  const Tensor &get(Value value) const { return values.find(value)->second; }
  const Tensor *getIfPresent(Value value) const { return value ? &get(value) : nullptr; }
  int64_t getIndex(Value value) const { return static_cast<int64_t>(get(value).value()); }
  int64_t getIndex(OpFoldResult value) const;
  Tensors getAll(ValueRange range) const {
    return llvm::map_to_vector(range, [&](Value value) { return get(value); });
  }
  template <typename Fn>
  void forEachInView(const Memory &memory, ArrayRef<int64_t> tile, ValueRange offsets, Fn fn) const;
  Expected<std::pair<int64_t, Shape>> getSlice(OffsetSizeAndStrideOpInterface op,
                                               const Tensor &tensor) const;

  TileRounding rounding;
  llvm::DenseMap<Value, Tensor> values;
  llvm::DenseMap<Value, Memory *> memories;
  SmallVector<SmallVector<int64_t>> grids;
  int64_t task = 0, firstTask = 0;
};

} // namespace

RoundFn mix::getRounding(Type type, TileRounding rounding) {
  Type element = getElementTypeOrSelf(type);
  if (rounding == TileRounding::Exact)
    return nullptr;
  if (element.isF32())
    return [](double x) { return double(static_cast<float>(x)); };
  if (element.isBF16())
    return [](double x) { return kBFloat16.round(x); };
  if (element.isF16())
    return [](double x) { return kFloat16.round(x); };
  return nullptr;
}

Tensor mix::roundTo(Type type, Tensor tensor, TileRounding rounding) {
  RoundFn round = getRounding(type, rounding);
  if (!round)
    return tensor;
  std::vector<double> elements = tensor.elements();
  for (double &element : elements)
    element = round(element);
  return Tensor::make(tensor.shape, std::move(elements));
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

Error TileInterpreter::run(Block &block) {
  for (Operation &op : block.without_terminator())
    if (Error error = run(&op))
      return error;
  return Error::success();
}

Error TileInterpreter::run(Operation *op) {
  if (auto forall = dyn_cast<scf::ForallOp>(op))
    return runForall(forall);
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return runStore(store);
  if (auto band = dyn_cast<tile::BandOp>(op)) {
    runBand(band);
    return Error::success();
  }
  Expected<Tensors> results = evaluateOp(op);
  if (!results)
    return results.takeError();
  for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
    set(value, std::move(tensor));
  return Error::success();
}

Expected<Tensors> TileInterpreter::evaluateOp(Operation *op) {
  using Result = Expected<Tensors>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](scf::ForOp op) { return evaluateFor(op); })
      .Case([&](scf::IfOp op) { return evaluateIf(op); })
      .Case([&](memref::DimOp op) -> Result {
        const Memory &memory = *memories.find(op.getSource())->second;
        int64_t dim = getIndex(op.getIndex());
        if (dim < 0 || dim >= (int64_t)memory.shape.size())
          return errorAt(op, "asks for dimension " + Twine(dim) + " of rank " +
                                 Twine(memory.shape.size()));
        return Tensors{Tensor::scalar(memory.shape[dim])};
      })
      .Case([&](linalg::LinalgOp op) -> Result {
        return evaluateStructured(
            op, [&](Value value) -> const Tensor & { return get(value); }, rounding);
      })
      .Case([&](tensor::EmptyOp op) -> Result {
        return Tensors{Tensor::make(op.getType().getShape(), NAN)};
      })
      .Case([&](tensor::SplatOp op) -> Result {
        return Tensors{Tensor::make(op.getType().getShape(), get(op.getInput()).value())};
      })
      .Case([&](tensor::FromElementsOp op) -> Result { return Tensors{evaluateFromElements(op)}; })
      .Case([&](tensor::ExtractOp op) { return evaluateExtract(op); })
      .Case([&](tensor::InsertOp op) { return evaluateInsert(op); })
      .Case([&](tensor::ExtractSliceOp op) { return evaluateExtractSlice(op); })
      .Case([&](tensor::InsertSliceOp op) { return evaluateInsertSlice(op); })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
          [&](Operation *op) -> Result { return Tensors{evaluateReshape(op)}; })
      .Case([&](tile::LoadOp op) { return evaluateLoad(op); })
      .Case([&](tile::ScanOp op) -> Result {
        return Tensors{evaluateTileOp(op, get(op.getSource()))};
      })
      .Case([&](tile::LargestOp op) -> Result {
        auto [values, positions] = evaluateTileOp(op, get(op.getScores()), getIndex(op.getFirst()),
                                                  get(op.getValues()), get(op.getPositions()));
        return Tensors{values, positions};
      })
      .Case([&](tile::DecayRatioOp op) -> Result {
        return Tensors{evaluateTileOp(op, get(op.getDecay()))};
      })
      .Case([&](tile::DecayedGramOp op) -> Result {
        return Tensors{evaluateTileOp(op, get(op.getX()), get(op.getY()), get(op.getDecay()))};
      })
      .Case([&](tile::SolveOp op) -> Result {
        return Tensors{evaluateTileOp(op, get(op.getA()), get(op.getRhs()),
                                      getIfPresent(op.getScale()), getIfPresent(op.getDecay()))};
      })
      .Case([&](tile::DecayedApplyOp op) -> Result {
        return Tensors{evaluateTileOp(op, get(op.getA()), get(op.getY()), get(op.getDecay()))};
      })
      .Default([&](Operation *op) { return evaluateElementwise(op); });
}

Expected<Tensors> TileInterpreter::evaluateElementwise(Operation *op) {
  Expected<Tensor> result = isa<arith::ConstantOp>(op)
                                ? getConstant(op)
                                : applyElementwise(op, getAll(op->getOperands()));
  if (!result)
    return result.takeError();
  return Tensors{*result};
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

int64_t TileInterpreter::getIndex(OpFoldResult value) const {
  if (auto attribute = dyn_cast<Attribute>(value))
    return cast<IntegerAttr>(attribute).getInt();
  return getIndex(cast<Value>(value));
}

Error TileInterpreter::runForall(scf::ForallOp op) {
  if (op.getNumResults() > 0)
    return errorAt(op, "expects no shared outputs: tasks talk through memory");
  SmallVector<int64_t> lower, step, grid, index(op.getRank(), 0);
  for (auto [low, high, by] :
       llvm::zip(op.getMixedLowerBound(), op.getMixedUpperBound(), op.getMixedStep())) {
    lower.push_back(getIndex(low));
    step.push_back(getIndex(by));
    grid.push_back(
        std::max<int64_t>(0, llvm::divideCeilSigned(getIndex(high) - lower.back(), step.back())));
  }
  grids.push_back(grid);
  for (int64_t remaining = countElements(grid); remaining > 0; --remaining) {
    ++task;
    for (auto [n, variable] : llvm::enumerate(op.getInductionVars()))
      set(variable, Tensor::scalar(lower[n] + index[n] * step[n]));
    if (Error error = run(*op.getBody()))
      return error;
    for (unsigned dim = grid.size(); dim-- > 0;) {
      if (++index[dim] < grid[dim])
        break;
      index[dim] = 0;
    }
  }
  return Error::success();
}

Expected<Tensors> TileInterpreter::evaluateFor(scf::ForOp op) {
  Tensors carried = getAll(op.getInitArgs());
  int64_t upper = getIndex(op.getUpperBound()), step = getIndex(op.getStep());
  if (step <= 0)
    return errorAt(op, "expects a positive step, got " + Twine(step));
  for (int64_t i = getIndex(op.getLowerBound()); i < upper; i += step) {
    set(op.getInductionVar(), Tensor::scalar(i));
    for (auto [argument, value] : llvm::zip(op.getRegionIterArgs(), carried))
      set(argument, value);
    if (Error error = run(*op.getBody()))
      return error;
    carried = getAll(op.getBody()->getTerminator()->getOperands());
  }
  return carried;
}

Expected<Tensors> TileInterpreter::evaluateIf(scf::IfOp op) {
  Region &region = get(op.getCondition()).value() != 0.0 ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return Tensors();
  if (Error error = run(region.front()))
    return error;
  return getAll(region.front().getTerminator()->getOperands());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Calls `fn(position in the tile, position in the memory or -1 if outside it)` for
/// every element of a tile that takes the last dimensions of a view at `offsets`.
template <typename Fn>
void TileInterpreter::forEachInView(const Memory &memory, ArrayRef<int64_t> tile,
                                    ValueRange offsets, Fn fn) const {
  int64_t leading = memory.shape.size() - tile.size();
  Shape strides = contiguousStrides(memory.shape), index(tile.size(), 0);
  for (int64_t n = 0, count = countElements(tile); n < count; ++n) {
    int64_t position = 0;
    bool inside = true;
    for (int64_t dim = 0; dim < (int64_t)memory.shape.size(); ++dim) {
      int64_t at = getIndex(offsets[dim]) + (dim < leading ? 0 : index[dim - leading]);
      inside &= at >= 0 && at < memory.shape[dim];
      position += at * strides[dim];
    }
    fn(n, inside ? position : -1);
    for (unsigned dim = tile.size(); dim-- > 0;) {
      if (++index[dim] < tile[dim])
        break;
      index[dim] = 0;
    }
  }
}

Expected<Tensors> TileInterpreter::evaluateLoad(tile::LoadOp op) {
  const Memory &memory = *memories.find(op.getView())->second;
  Tensor result = Tensor::make(cast<ShapedType>(op.getResult().getType()).getShape());
  bool races = false;
  forEachInView(memory, result.shape, op.getOffsets(), [&](int64_t n, int64_t position) {
    if (position < 0)
      return;
    int64_t writer = memory.writers[position];
    races |= writer >= firstTask && writer != task;
    result.data()[n] = memory.data[position];
  });
  if (races)
    return errorAt(op, "reads an element that another task of the phase has written");
  return Tensors{result};
}

Error TileInterpreter::runStore(tile::StoreOp op) {
  Memory &memory = *memories.find(op.getView())->second;
  std::vector<double> elements = get(op.getTile()).elements();
  Shape shape = get(op.getTile()).shape;
  bool races = false;
  forEachInView(memory, shape, op.getOffsets(), [&](int64_t n, int64_t position) {
    if (position < 0)
      return;
    int64_t &writer = memory.writers[position];
    races |= writer >= firstTask && writer != task && memory.data[position] != elements[n];
    writer = task;
    memory.data[position] = elements[n];
  });
  if (races)
    return errorAt(op, "overwrites an element that another task of the phase has written");
  return Error::success();
}

/// Makes use of the promise: what it says is of no importance becomes zero.
void TileInterpreter::runBand(tile::BandOp op) {
  Shape shape = get(op.getTile()).shape;
  std::vector<double> elements = get(op.getTile()).elements();
  for (auto [n, element] : llvm::enumerate(elements)) {
    int64_t position[2], rest = n;
    for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
      if (dim == (int64_t)op.getRows() || dim == (int64_t)op.getColumns())
        position[dim == (int64_t)op.getColumns()] = rest % shape[dim];
      rest /= shape[dim];
    }
    int64_t group = position[0] / op.getGroupSize();
    if (position[1] < getIndex(op.getBounds()[2 * group]) ||
        position[1] >= getIndex(op.getBounds()[2 * group + 1]))
      element = 0;
  }
  set(op.getTile(), Tensor::make(shape, std::move(elements)));
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The start and the strides of a slice of `tensor`, one stride per dimension.
Expected<std::pair<int64_t, Shape>> TileInterpreter::getSlice(OffsetSizeAndStrideOpInterface op,
                                                              const Tensor &tensor) const {
  std::pair<int64_t, Shape> slice = {0, {}};
  for (auto [dim, offsetValue, sizeValue, strideValue] :
       llvm::enumerate(op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    int64_t offset = getIndex(offsetValue), size = getIndex(sizeValue);
    int64_t stride = getIndex(strideValue);
    if (offset < 0 || size < 0 || stride < 1 ||
        (size > 0 && offset + (size - 1) * stride >= tensor.shape[dim]))
      return errorAt(op, "takes " + Twine(size) + " elements from " + Twine(offset) +
                             " of a dimension of " + Twine(tensor.shape[dim]));
    slice.first += offset * tensor.strides[dim];
    slice.second.push_back(stride * tensor.strides[dim]);
  }
  return slice;
}

Expected<Tensors> TileInterpreter::evaluateExtractSlice(tensor::ExtractSliceOp op) {
  const Tensor &source = get(op.getSource());
  Expected<std::pair<int64_t, Shape>> slice = getSlice(op, source);
  if (!slice)
    return slice.takeError();
  std::vector<double> elements;
  Shape sizes =
      llvm::map_to_vector<4>(op.getMixedSizes(), [&](OpFoldResult size) { return getIndex(size); });
  forEachElement<1>(sizes, {slice->second.data()},
                    [&](auto at) { elements.push_back(source.data()[at[0]]); }, {slice->first});
  return Tensors{Tensor::make(op.getType().getShape(), std::move(elements))};
}

Expected<Tensors> TileInterpreter::evaluateInsertSlice(tensor::InsertSliceOp op) {
  const Tensor &dest = get(op.getDest());
  Tensor result = Tensor::make(dest.shape, dest.elements());
  Expected<std::pair<int64_t, Shape>> slice = getSlice(op, result);
  if (!slice)
    return slice.takeError();
  std::vector<double> elements = get(op.getSource()).elements();
  Shape sizes =
      llvm::map_to_vector<4>(op.getMixedSizes(), [&](OpFoldResult size) { return getIndex(size); });
  auto next = elements.begin();
  forEachElement<1>(sizes, {slice->second.data()}, [&](auto at) { result.data()[at[0]] = *next++; },
                    {slice->first});
  return Tensors{result};
}

/// The place of the element that the op names.
template <typename Op>
Expected<int64_t> TileInterpreter::getElement(Op op, const Tensor &tensor) const {
  int64_t position = 0;
  for (auto [dim, value] : llvm::enumerate(op.getIndices())) {
    int64_t index = getIndex(value);
    if (index < 0 || index >= tensor.shape[dim])
      return errorAt(op, "takes element " + Twine(index) + " of a dimension of " +
                             Twine(tensor.shape[dim]));
    position += index * tensor.strides[dim];
  }
  return position;
}

Expected<Tensors> TileInterpreter::evaluateExtract(tensor::ExtractOp op) {
  const Tensor &source = get(op.getTensor());
  Expected<int64_t> position = getElement(op, source);
  if (!position)
    return position.takeError();
  return Tensors{Tensor::scalar(source.data()[*position])};
}

Expected<Tensors> TileInterpreter::evaluateInsert(tensor::InsertOp op) {
  const Tensor &dest = get(op.getDest());
  Tensor result = Tensor::make(dest.shape, dest.elements());
  Expected<int64_t> position = getElement(op, result);
  if (!position)
    return position.takeError();
  result.data()[*position] = get(op.getScalar()).value();
  return Tensors{result};
}

Tensor TileInterpreter::evaluateFromElements(tensor::FromElementsOp op) {
  std::vector<double> elements;
  for (Value element : op.getElements())
    elements.push_back(get(element).value());
  return Tensor::make(op.getType().getShape(), std::move(elements));
}

Tensor TileInterpreter::evaluateReshape(Operation *op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return Tensor::make(type.getShape(), get(op->getOperand(0)).elements());
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

SmallVector<func::FuncOp> mix::getPhases(ModuleOp module, StringRef mixer) {
  SmallVector<func::FuncOp> phases;
  for (auto function : module.getOps<func::FuncOp>()) {
    auto name = function->getAttrOfType<StringAttr>("tile.mixer");
    if (function->getAttrOfType<IntegerAttr>("tile.phase") && name && name.getValue() == mixer)
      phases.push_back(function);
  }
  llvm::sort(phases, [](func::FuncOp a, func::FuncOp b) {
    return a->getAttrOfType<IntegerAttr>("tile.phase").getInt() <
           b->getAttrOfType<IntegerAttr>("tile.phase").getInt();
  });
  return phases;
}

static StringRef getText(DictionaryAttr attributes, StringRef name) {
  auto text = attributes ? attributes.getAs<StringAttr>(name) : StringAttr();
  return text ? text.getValue() : StringRef();
}

static Argument getArgument(func::FuncOp phase, unsigned n) {
  DictionaryAttr attributes = phase.getArgAttrDict(n);
  Argument argument = {getText(attributes, kNameAttr), getText(attributes, kKindAttr), {}};
  if (auto axes = attributes ? attributes.getAs<ArrayAttr>("mix.axes") : ArrayAttr())
    for (StringRef axis : axes.getAsValueRange<StringAttr>())
      argument.axes.push_back(axis);
  return argument;
}

/// Binds the sizes that the arguments and the call give, and checks that nothing
/// is missing.
static Error bindSizes(func::FuncOp phase, const llvm::StringMap<Array> &inputs,
                       const llvm::StringMap<Array> &states, AxisSizes &sizes) {
  for (auto [n, type] : llvm::enumerate(phase.getArgumentTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    Argument argument = getArgument(phase, n);
    if (!memref)
      continue;
    if (argument.name.empty() || (int64_t)argument.axes.size() != memref.getRank())
      return errorAt(phase, "expects a name and the axes of argument " + Twine(n));
    for (auto [axis, size] : llvm::zip(argument.axes, memref.getShape()))
      if (!ShapedType::isDynamic(size))
        if (Error error = sizes.bind(axis, size, "the type of '" + argument.name + "'"))
          return error;
    bool isState = argument.isState(), isInput = argument.isInput();
    const llvm::StringMap<Array> &given = isState ? states : inputs;
    auto it = given.find(argument.name);
    if (isInput && it == given.end())
      return errorAt(phase, "the input '" + argument.name + "' is missing");
    if ((isInput || isState) && it != given.end())
      if (Error error = sizes.bindArray(argument.name, argument.axes, it->second))
        return error;
  }
  return sizes.bindBlocks(phase);
}

/// The grid that the attributes of a phase announce.
static Expected<SmallVector<int64_t>> getGrid(func::FuncOp phase, const AxisSizes &sizes) {
  auto features = phase->getAttrOfType<IntegerAttr>("tile.features");
  auto space = phase->getAttrOfType<StringAttr>("tile.space");
  auto rows = phase->getAttrOfType<IntegerAttr>("tile.rows");
  if (!features || !space != !rows)
    return errorAt(phase, "expects 'tile.features', and 'tile.space' together with 'tile.rows'");
  if (!space)
    return SmallVector<int64_t>{features.getInt(), 1};
  std::optional<int64_t> size = sizes.lookup(space.getValue());
  if (!size || rows.getInt() <= 0)
    return errorAt(phase, "expects a bound space and positive rows");
  return SmallVector<int64_t>{features.getInt(), llvm::divideCeilSigned(*size, rows.getInt())};
}

/// The memory of an argument at the start: what the call gives, or NaN.
static Expected<Memory> makeMemory(func::FuncOp phase, MemRefType type, const Argument &argument,
                                   const AxisSizes &sizes, const llvm::StringMap<Array> &inputs,
                                   const llvm::StringMap<Array> &states, TileRounding rounding) {
  Memory memory;
  for (StringRef axis : argument.axes) {
    std::optional<int64_t> size = sizes.lookup(axis);
    if (!size)
      return errorAt(phase, "no input has the axis '" + axis + "'");
    memory.shape.push_back(*size);
  }
  int64_t count = countElements(memory.shape);
  memory.writers.assign(count, -1);
  memory.data.assign(count, NAN);
  const llvm::StringMap<Array> &given = argument.isState() ? states : inputs;
  bool isGiven = argument.isState() || argument.isInput();
  if (auto it = given.find(argument.name); isGiven && it != given.end())
    memory.data = roundTo(type, Tensor::make(memory.shape, it->second.data), rounding).elements();
  return memory;
}

static Array toArray(const Argument &argument, Memory memory) {
  Array array;
  for (StringRef axis : argument.axes)
    array.axes.push_back(axis.str());
  array.shape.assign(memory.shape.begin(), memory.shape.end());
  array.data = std::move(memory.data);
  return array;
}

Expected<Evaluation> mix::evaluateTiles(ArrayRef<func::FuncOp> phases,
                                        const llvm::StringMap<Array> &inputs,
                                        const llvm::StringMap<Array> &states,
                                        TileRounding rounding) {
  if (phases.empty())
    return llvm::createStringError("there are no phases");
  func::FuncOp first = phases.front();
  AxisSizes sizes;
  if (Error error = bindSizes(first, inputs, states, sizes))
    return error;

  std::vector<Memory> memories(first.getNumArguments());
  for (auto [n, type] : llvm::enumerate(first.getArgumentTypes()))
    if (auto memref = dyn_cast<MemRefType>(type)) {
      Expected<Memory> memory =
          makeMemory(first, memref, getArgument(first, n), sizes, inputs, states, rounding);
      if (!memory)
        return memory.takeError();
      memories[n] = std::move(*memory);
    }

  TileInterpreter interpreter(rounding);
  for (func::FuncOp phase : phases) {
    if (phase.getFunctionType() != first.getFunctionType() ||
        phase.getArgAttrsAttr() != first.getArgAttrsAttr())
      return errorAt(phase, "expects the arguments of the first phase");
    if (!phase.getBody().hasOneBlock())
      return errorAt(phase, "expects a body of one block");
    for (BlockArgument argument : phase.getArguments()) {
      StringRef state = getText(phase.getArgAttrDict(argument.getArgNumber()), "tile.given");
      if (isa<MemRefType>(argument.getType()))
        interpreter.setMemory(argument, &memories[argument.getArgNumber()]);
      else if (argument.getType().isInteger(1) && !state.empty())
        interpreter.set(argument, Tensor::scalar(states.contains(state)));
      else
        return errorAt(phase, "expects memrefs, then flags with 'tile.given'");
    }
    Expected<SmallVector<int64_t>> grid = getGrid(phase, sizes);
    if (!grid)
      return grid.takeError();
    interpreter.startPhase();
    if (Error error = interpreter.run(phase.getBody().front()))
      return error;
    for (ArrayRef<int64_t> actual : interpreter.takeGrids())
      if (actual != ArrayRef<int64_t>(*grid))
        return errorAt(phase, "runs a grid of " + formatShape(actual) + ", its attributes say " +
                                  formatShape(*grid));
  }

  Evaluation result;
  for (auto [n, memory] : llvm::enumerate(memories)) {
    Argument argument = getArgument(first, n);
    if (argument.kind == "output")
      result.outputs[argument.name] = toArray(argument, std::move(memory));
    else if (argument.isFinal())
      result.states[argument.name] = toArray(argument, std::move(memory));
  }
  return result;
}
