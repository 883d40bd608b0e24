//===- Steps.cpp - A sequence, a few tokens at a time ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Steps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

using namespace mix;
using namespace mix::driver;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static llvm::ArrayRef<mixwright_arg> getArgs(const mixwright_kernel &kernel) {
  return {kernel.args, static_cast<size_t>(kernel.num_args)};
}

int64_t mix::driver::getLargestWindow(const mixwright_kernel &kernel) {
  int64_t window = 0;
  for (const mixwright_arg &arg : getArgs(kernel))
    window = std::max(window, arg.window);
  return window;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static std::string getElementName(mlir::Type type) {
  return (type.isInteger() ? "int"
          : type.isBF16()  ? "bfloat"
                           : "float") +
         std::to_string(type.getIntOrFloatBitWidth());
}

std::vector<StepArgument> mix::driver::getStepArguments(mlir::ModuleOp programs) {
  std::vector<StepArgument> arguments;
  auto phases = programs.getOps<mlir::func::FuncOp>();
  if (phases.empty())
    return arguments;
  mlir::func::FuncOp phase = *phases.begin();
  auto getStrings = [&](unsigned n, StringRef attribute) {
    llvm::SmallVector<std::string, 4> strings;
    if (auto array = phase.getArgAttrOfType<mlir::ArrayAttr>(n, attribute))
      for (StringRef text : array.getAsValueRange<mlir::StringAttr>())
        strings.push_back(text.str());
    return strings;
  };
  for (unsigned n = 0; n < phase.getNumArguments(); ++n) {
    auto view = mlir::dyn_cast<mlir::MemRefType>(phase.getArgumentTypes()[n]);
    auto name = phase.getArgAttrOfType<mlir::StringAttr>(n, "mix.name");
    auto kind = phase.getArgAttrOfType<mlir::StringAttr>(n, "mix.kind");
    if (!view || !name || !kind || kind == "workspace")
      continue;
    StepArgument argument;
    argument.name = name.str();
    argument.kind = kind.str();
    argument.elementType = getElementName(view.getElementType());
    argument.axes = getStrings(n, "mix.axes");
    argument.bytes = llvm::divideCeil(view.getElementType().getIntOrFloatBitWidth(), 8);
    for (int64_t size : view.getShape()) {
      argument.sizes.push_back(mlir::ShapedType::isDynamic(size) ? -1 : size);
      argument.bytes *= mlir::ShapedType::isDynamic(size) ? 1 : size;
    }
    if (auto window = phase.getArgAttrOfType<mlir::IntegerAttr>(n, "mix.window"))
      argument.window = window.getInt();
    llvm::append_range(argument.sources, getStrings(n, "mix.sources"));
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The fewest heads that a cache may have.
static int64_t countCacheHeads(const mixwright_kernel &kernel, const mixwright_arg &arg,
                               const Signature &signature, const Call &call) {
  if (arg.num_sources == 0)
    return call.shape.heads;
  int64_t heads = 1;
  for (int32_t source : llvm::ArrayRef(arg.sources, arg.num_sources)) {
    const Argument *declared = signature.findInput(kernel.args[source].name);
    auto tensor = declared ? call.inputs.find(declared->name) : call.inputs.end();
    if (tensor != call.inputs.end())
      heads = std::lcm(heads, getHeads(*declared, call.shape, tensor->second));
  }
  return heads;
}

/// Pages of all sequences in an order that is no order.
static Tensor shufflePages(int64_t sequences, int64_t pages) {
  std::vector<int32_t> order(sequences * pages);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  Tensor table(ElementType::I32, {sequences, pages});
  for (auto [n, page] : llvm::enumerate(order))
    table.set(static_cast<int64_t>(n), page);
  return table;
}

/// Inserts batch and heads, as the layout has them, into `declared`, whose first size is
/// rows if `hasRows`.
static llvm::SmallVector<int64_t, 6> addBatchAndHeads(llvm::ArrayRef<int64_t> declared,
                                                      bool hasRows, mixwright_layout layout,
                                                      int64_t batch, int64_t heads) {
  llvm::SmallVector<int64_t, 6> shape(declared);
  if (layout != MIXWRIGHT_SINGLE)
    shape.insert(shape.begin() + (hasRows && layout == MIXWRIGHT_BTHD ? 1 : 0), heads);
  if (batch >= 0)
    shape.insert(shape.begin(), batch);
  return shape;
}

/// What is read before it is written shows.
static void poison(Tensor &tensor) {
  tensor.fill(isReal(tensor.getType()) ? NAN : std::numeric_limits<int32_t>::min());
}

static void makeCache(const mixwright_kernel &kernel, const mixwright_arg &arg,
                      const Signature &signature, const CacheLayout &layout, Call &call) {
  int64_t rows = layout.rows;
  int64_t wrapped = llvm::alignTo(arg.window + layout.newTokens - 1, layout.block);
  if (layout.wrapsWindows && arg.window > 0)
    rows = std::min(rows, wrapped);
  bool hasBatch = call.shape.layout != MIXWRIGHT_SINGLE || call.shape.isPacked();
  int64_t batch = hasBatch ? call.shape.batch : -1;
  if (layout.pageRows > 0) {
    int64_t pages = llvm::divideCeil(rows, layout.pageRows);
    call.blockTables[arg.name] = shufflePages(call.shape.batch, pages);
    batch = call.shape.batch * pages;
    rows = layout.pageRows;
  }
  llvm::SmallVector<int64_t> declared = {rows};
  for (const mixwright_dim &dim : llvm::ArrayRef(arg.dims, arg.rank).drop_front())
    declared.push_back(dim.size);
  Tensor cache(getElementType(arg.dtype),
               addBatchAndHeads(declared, /*hasRows=*/true, call.shape.layout, batch,
                                countCacheHeads(kernel, arg, signature, call)));
  poison(cache);
  call.states[arg.name] = std::move(cache);
}

static void makeState(const mixwright_arg &arg, Call &call) {
  llvm::SmallVector<int64_t> declared;
  for (const mixwright_dim &dim : llvm::ArrayRef(arg.dims, arg.rank))
    declared.push_back(dim.size);
  bool hasBatch = call.shape.layout != MIXWRIGHT_SINGLE || call.shape.isPacked();
  Tensor state(getElementType(arg.dtype),
               addBatchAndHeads(declared, /*hasRows=*/false, call.shape.layout,
                                hasBatch ? call.shape.batch : -1, call.shape.heads));
  poison(state);
  call.states[arg.name] = std::move(state);
}

void mix::driver::makeStepMemory(const mixwright_kernel &kernel, const Signature &signature,
                                 const CacheLayout &layout, Call &call) {
  for (const mixwright_arg &arg : getArgs(kernel)) {
    if (call.states.contains(arg.name))
      continue;
    if (arg.kind == MIXWRIGHT_CACHE)
      makeCache(kernel, arg, signature, layout, call);
    else if (arg.kind == MIXWRIGHT_STATE)
      makeState(arg, call);
  }
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

namespace {

/// The tokens of one call within those of the whole.
struct Range {
  llvm::ArrayRef<int64_t> positions, counts; ///< of each sequence

  int64_t getTotal() const { return std::accumulate(counts.begin(), counts.end(), int64_t(0)); }
};

} // namespace

/// Visits the pieces of a tensor [B, .., T, ..] that are the tokens of a call, in which the
/// tensor is [B, .., t, ..], or [.., t, ..] if sequences are packed:
/// copy(byte in the whole, byte in the call, bytes).
template <typename Copy>
static void visitTokens(const Tensor &whole, int64_t dimension, const Range &range, bool isPacked,
                        Copy copy) {
  int64_t outer = 1, inner = getTypeBytes(whole.getType());
  for (int64_t size : whole.getShape().slice(1, dimension - 1))
    outer *= size;
  for (int64_t size : whole.getShape().drop_front(dimension + 1))
    inner *= size;
  int64_t pieceBytes = (isPacked ? range.getTotal() : range.counts.front()) * inner;
  int64_t start = 0;
  for (auto [b, position, count] : llvm::enumerate(range.positions, range.counts)) {
    for (int64_t n = 0; n < outer; ++n) {
      int64_t piece = static_cast<int64_t>(b) * outer + n;
      copy((piece * whole.getShape()[dimension] + position) * inner,
           isPacked ? n * pieceBytes + start : piece * pieceBytes, count * inner);
    }
    start += count * inner;
  }
}

/// The shape of a call. If sequences are packed, they are along all token axes.
static Error shapeCall(const Signature &signature, StringRef axis, const Call &whole,
                       const Range &range, bool isPacked, CallShape &shape) {
  shape = whole.shape;
  for (auto &entry : signature.blocks)
    shape.sizes.erase(entry.getKey());
  shape.sizes[axis] = range.counts.front();
  if (isPacked) {
    TensorMap offsets;
    for (const std::string &packable : getPackableAxes(signature)) {
      Tensor starts(ElementType::I64, {whole.shape.batch + 1});
      for (int64_t b = 0; b < whole.shape.batch; ++b)
        starts.set(b + 1,
                   starts.get(b) + static_cast<double>(packable == axis ? range.counts[b]
                                                                        : shape.sizes[packable]));
      offsets.try_emplace(packable, std::move(starts));
    }
    if (Error error = packShape(signature, offsets, shape))
      return error;
  }
  return completeSizes(signature, shape.sizes);
}

/// The shape that a tensor of the whole has in a call.
static llvm::SmallVector<int64_t, 6> getCallShape(const Argument &arg, const Tensor &whole,
                                                  const CallShape &wholeShape, StringRef axis,
                                                  const Range &range, const CallShape &call) {
  llvm::SmallVector<int64_t, 6> shape(whole.getShape());
  bool walks = arg.walksAlong(axis);
  if (walks)
    shape[getDimension(arg, wholeShape, axis)] = range.counts.front();
  if (arg.kind == ArgumentKind::Param || !call.isPackedIn(arg))
    return shape;
  if (walks)
    shape[getDimension(arg, wholeShape, axis)] = range.getTotal();
  else
    shape[1] *= shape[0];
  shape.erase(shape.begin());
  return shape;
}

static Expected<Call> takeCall(const Signature &signature, StringRef axis, const Call &whole,
                               const Range &range, bool isPacked) {
  Call call;
  if (Error error = shapeCall(signature, axis, whole, range, isPacked, call.shape))
    return std::move(error);
  for (const Argument &arg : signature.inputs) {
    const Tensor &given = whole.inputs.find(arg.name)->second;
    Tensor tensor(given.getType(), getCallShape(arg, given, whole.shape, axis, range, call.shape));
    if (arg.walksAlong(axis))
      visitTokens(given, getDimension(arg, whole.shape, axis), range, isPacked,
                  [&](int64_t from, int64_t to, int64_t bytes) {
                    std::memcpy(tensor.getData() + to, given.getData() + from, bytes);
                  });
    else
      std::memcpy(tensor.getData(), given.getData(), given.getBytes());
    call.inputs[arg.name] = std::move(tensor);
  }
  Tensor position(ElementType::I64, {whole.shape.batch});
  for (auto [b, own] : llvm::enumerate(range.positions))
    position.set(static_cast<int64_t>(b), static_cast<double>(own));
  call.position = std::move(position);
  return call;
}

static void joinOutputs(const Signature &signature, StringRef axis, const CallShape &wholeShape,
                        const Range &range, bool isPacked, TensorMap &parts, TensorMap &wholes) {
  for (const Argument &arg : signature.outputs) {
    const Tensor &part = parts[arg.name];
    Tensor &whole = wholes[arg.name];
    if (arg.walksAlong(axis))
      visitTokens(whole, getDimension(arg, wholeShape, axis), range, isPacked,
                  [&](int64_t to, int64_t from, int64_t bytes) {
                    std::memcpy(whole.getData() + to, part.getData() + from, bytes);
                  });
    else
      std::memcpy(whole.getData(), part.getData(), whole.getBytes());
  }
}

Expected<CallResult> mix::driver::runInSteps(StepKernels kernels, const Signature &signature,
                                             StringRef axis, const Call &whole,
                                             const StepPlan &plan, StepRunner run) {
  CallResult joined;
  std::vector<int64_t> positions(whole.shape.batch, 0);
  TensorMap memory, tables;
  for (auto [number, counts] : llvm::enumerate(plan.counts)) {
    const mixwright_kernel &kernel = *kernels[number % kernels.size()];
    Range range{positions, counts};
    Expected<Call> call = takeCall(signature, axis, whole, range, plan.isPacked);
    if (!call)
      return call.takeError();
    call->states = std::move(memory);
    call->blockTables = std::move(tables);
    makeStepMemory(kernel, signature, plan.caches, *call);
    Expected<CallResult> result = run(kernel, *call);
    if (!result)
      return result.takeError();
    for (const Argument &arg : signature.outputs)
      joined.outputs.try_emplace(arg.name, result->outputs[arg.name].getType(),
                                 whole.shape.getShape(arg));
    joinOutputs(signature, axis, whole.shape, range, plan.isPacked, result->outputs,
                joined.outputs);
    memory = std::move(result->states);
    tables = std::move(call->blockTables);
    for (auto [position, count] : llvm::zip(positions, counts))
      position += count;
  }
  for (const Argument &arg : signature.states)
    if (auto state = memory.find(arg.name); state != memory.end())
      joined.states[arg.name] = std::move(state->second);
  return joined;
}
