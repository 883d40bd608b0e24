//===- Call.cpp - The tensors of one call -----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Call.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Where batch and heads stand
//===----------------------------------------------------------------------===//

namespace {

/// The dimension of a tensor that is the batch, the head (-1: it has none), and each
/// declared axis.
struct Places {
  int batch = -1, head = -1;
  llvm::SmallVector<int, 4> declared;

  int64_t getRank() const {
    return static_cast<int64_t>(declared.size()) + (batch >= 0) + (head >= 0);
  }
};

} // namespace

/// `headed` says whether a param has a head axis; of other kinds the layout does.
static Places getPlaces(const Argument &arg, const CallShape &shape, bool headed) {
  Places places;
  int leading = 0;
  bool isParam = arg.kind == ArgumentKind::Param, isSingle = shape.layout == MIXWRIGHT_SINGLE;
  if (!isParam && (shape.isPacked() ? !shape.isPackedIn(arg) : !isSingle))
    places.batch = leading++;
  if (isParam ? headed : !isSingle)
    places.head = leading++;
  for (size_t d = 0; d < arg.axes.size(); ++d)
    places.declared.push_back(static_cast<int>(d) + leading);
  if (shape.layout == MIXWRIGHT_BTHD && arg.tokensFirst && !isParam &&
      arg.kind != ArgumentKind::State)
    places.declared[0] = places.head++;
  return places;
}

static Places getPlaces(const Argument &arg, const CallShape &shape, const Tensor &tensor) {
  bool headed = shape.layout != MIXWRIGHT_SINGLE &&
                tensor.getRank() == static_cast<int64_t>(arg.axes.size()) + 1;
  return getPlaces(arg, shape, headed);
}

/// "4 dimensions [B, T, H, K]".
static std::string describe(const Argument &arg, const CallShape &shape, const Places &places) {
  llvm::SmallVector<StringRef, 6> names(places.getRank());
  for (auto [axis, dim] : llvm::zip(arg.axes, places.declared))
    names[dim] = axis;
  if (places.batch >= 0)
    names[places.batch] = shape.isPacked() ? "N" : "B";
  if (places.head >= 0)
    names[places.head] = "H";
  return std::to_string(names.size()) + " dimensions [" + llvm::join(names, ", ") + "]";
}

bool CallShape::isPackedIn(const Argument &arg) const {
  return llvm::any_of(arg.axes, [&](StringRef axis) { return starts.contains(axis); });
}

std::pair<int64_t, int64_t> CallShape::getRange(StringRef axis, int64_t entry) const {
  auto packed = starts.find(axis);
  if (packed == starts.end())
    return {0, sizes.lookup(axis)};
  const std::vector<int64_t> &begins = packed->second;
  return {begins[entry], begins[entry + 1] - begins[entry]};
}

llvm::SmallVector<int64_t, 6> CallShape::getShape(const Argument &arg) const {
  Places places = getPlaces(arg, *this, /*headed=*/false);
  llvm::SmallVector<int64_t, 6> result(places.getRank());
  for (auto [axis, dim] : llvm::zip(arg.axes, places.declared))
    result[dim] = sizes.lookup(axis);
  if (places.batch >= 0)
    result[places.batch] = batch;
  if (places.head >= 0)
    result[places.head] = heads;
  return result;
}

int64_t mix::driver::getDimension(const Argument &arg, const CallShape &shape, StringRef axis) {
  return getPlaces(arg, shape, /*headed=*/false)
      .declared[llvm::find(arg.axes, axis) - arg.axes.begin()];
}

int64_t mix::driver::getHeads(const Argument &arg, const CallShape &shape, const Tensor &tensor) {
  Places places = getPlaces(arg, shape, tensor);
  return places.head < 0 ? 1 : tensor.getShape()[places.head];
}

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

static std::string label(const Argument &arg) {
  return (getKindName(arg.kind) + " '" + arg.name + "'").str();
}

namespace {

/// Binds the tensors of a call one by one and remembers who bound what.
class Binder {
public:
  Binder(const Signature &signature, Call &call) : signature(signature), call(call) {
    for (auto &entry : call.shape.sizes)
      boundBy[entry.getKey()] = "the options";
    for (auto &entry : call.shape.starts)
      boundBy[entry.getKey()] = "cu_seqlens";
    if (call.shape.isPacked()) {
      batch = call.shape.batch;
      batchBy = "cu_seqlens";
    }
  }

  Error bind(mixwright_layout layout) {
    if (Error error = checkNames())
      return error;
    call.shape.layout = chooseLayout(layout);
    for (const Argument &arg : signature.inputs)
      if (Error error = bindTensor(arg, call.inputs.find(arg.name)->second))
        return error;
    for (const Argument &arg : signature.states)
      if (auto state = call.states.find(arg.name); state != call.states.end())
        if (Error error = bindTensor(arg, state->second))
          return error;
    call.shape.batch = batch.value_or(1);
    if (Error error = checkHeads())
      return error;
    return completeSizes(signature, call.shape.sizes);
  }

private:
  Error checkNames() {
    auto list = [](llvm::ArrayRef<Argument> arguments) {
      return llvm::join(llvm::map_range(arguments, [](const Argument &a) { return a.name; }), ", ");
    };
    for (auto &entry : call.inputs)
      if (!signature.findInput(entry.getKey()))
        return createStringError("'" + signature.mixer + "' has no input '" + entry.getKey() +
                                 "'; it takes " + list(signature.inputs));
    for (auto &entry : call.states)
      if (!signature.findState(entry.getKey()))
        return createStringError("'" + signature.mixer + "' has no state '" + entry.getKey() +
                                 (signature.states.empty()
                                      ? std::string("'; it has none")
                                      : "'; it has " + list(signature.states)));
    for (const Argument &arg : signature.inputs)
      if (!call.inputs.contains(arg.name))
        return createStringError(label(arg) + " is missing");
    return Error::success();
  }

  /// The first input that is no param says whether there are batch and heads.
  mixwright_layout chooseLayout(mixwright_layout layout) {
    for (const Argument &arg : signature.inputs)
      if (arg.kind == ArgumentKind::Input) {
        int64_t rank = call.inputs.find(arg.name)->second.getRank();
        bool hasSegments = call.shape.isPacked() && !call.shape.isPackedIn(arg);
        return rank == static_cast<int64_t>(arg.axes.size()) + hasSegments ? MIXWRIGHT_SINGLE
                                                                           : layout;
      }
    return MIXWRIGHT_SINGLE;
  }

  Error bindTensor(const Argument &arg, const Tensor &tensor) {
    if (isReal(tensor.getType()) == arg.isInteger)
      return createStringError(label(arg) + " is declared " + (arg.isInteger ? "int" : "real") +
                               ", but holds " + getTypeName(tensor.getType()));
    Places places = getPlaces(arg, call.shape, tensor);
    if (tensor.getRank() != places.getRank())
      return createStringError(label(arg) + ": expected " + describe(arg, call.shape, places) +
                               ", got " + std::to_string(tensor.getRank()) + " dimensions " +
                               formatShape(tensor.getShape()));
    for (auto [axis, dim] : llvm::zip(arg.axes, places.declared))
      if (Error error = bindSize(arg, axis, tensor.getShape()[dim]))
        return error;
    if (places.batch >= 0) {
      int64_t size = tensor.getShape()[places.batch];
      if (batch.value_or(size) != size)
        return createStringError(
            label(arg) +
            (call.shape.isPacked() ? ": the number of segments is " : ": the batch has size ") +
            std::to_string(size) + ", but " + std::to_string(*batch) + " in '" + batchBy + "'");
      batch = size;
      batchBy = arg.name;
    }
    if (places.head >= 0)
      heads.push_back({&arg, tensor.getShape()[places.head]});
    return Error::success();
  }

  Error bindSize(const Argument &arg, StringRef axis, int64_t size) {
    auto [entry, isNew] = call.shape.sizes.try_emplace(axis, size);
    if (isNew)
      boundBy[axis] = "'" + arg.name + "'";
    if (entry->second == size)
      return Error::success();
    return createStringError(label(arg) + ": axis " + axis + " has size " + std::to_string(size) +
                             ", but " + std::to_string(entry->second) + " in " + boundBy[axis]);
  }

  Error checkHeads() {
    if (heads.empty())
      return Error::success();
    auto most = *llvm::max_element(heads, [](auto &a, auto &b) { return a.second < b.second; });
    call.shape.heads = most.second;
    for (auto [arg, own] : heads) {
      bool isState = arg->kind == ArgumentKind::State;
      if (own == most.second || (own > 0 && most.second % own == 0 && !isState))
        continue;
      return createStringError(label(*arg) + " has " + std::to_string(own) + " heads, but '" +
                               most.first->name + "' has " + std::to_string(most.second) +
                               (isState ? "" : ", which is no multiple"));
    }
    return Error::success();
  }

  const Signature &signature;
  Call &call;
  llvm::StringMap<std::string> boundBy;
  std::optional<int64_t> batch;
  std::string batchBy;
  llvm::SmallVector<std::pair<const Argument *, int64_t>, 8> heads;
};

} // namespace

Error mix::driver::bindCall(const Signature &signature, mixwright_layout layout, Call &call) {
  return Binder(signature, call).bind(layout);
}

Error mix::driver::completeSizes(const Signature &signature, SizeMap &sizes, StringRef option) {
  for (auto &entry : signature.blocks) {
    auto [base, block] = entry.second;
    auto size = sizes.find(base);
    if (size != sizes.end())
      sizes.try_emplace(entry.getKey(), llvm::divideCeil(size->second, block));
  }
  auto check = [&](llvm::ArrayRef<Argument> arguments) -> Error {
    for (const Argument &arg : arguments)
      for (const std::string &axis : arg.axes)
        if (!sizes.contains(axis))
          return createStringError("nothing gives axis " + axis + " of " + label(arg) +
                                   " a size; add " + option + " " + axis + "=...");
    return Error::success();
  };
  for (llvm::ArrayRef<Argument> group :
       {llvm::ArrayRef<Argument>(signature.inputs), llvm::ArrayRef<Argument>(signature.outputs),
        llvm::ArrayRef<Argument>(signature.states)})
    if (Error error = check(group))
      return error;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Single heads
//===----------------------------------------------------------------------===//

namespace {

/// Where the instances of a tensor are, in elements: head `h` of batch entry `b` starts at
/// `b * batchStride + h / headGroup * headStride`.
struct InstanceLayout {
  int64_t batchStride = 0, headStride = 0, headGroup = 1;
  llvm::SmallVector<int64_t, 4> strides; ///< of the declared axes
};

} // namespace

static InstanceLayout getInstanceLayout(const Argument &arg, const CallShape &shape,
                                        const Tensor &tensor) {
  Places places = getPlaces(arg, shape, tensor);
  llvm::SmallVector<int64_t, 6> strides(tensor.getRank());
  int64_t stride = 1;
  for (int64_t d = tensor.getRank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= tensor.getShape()[d];
  }
  InstanceLayout layout;
  if (places.batch >= 0)
    layout.batchStride = strides[places.batch];
  if (places.head >= 0) {
    layout.headStride = strides[places.head];
    layout.headGroup = shape.heads / tensor.getShape()[places.head];
  }
  for (int dim : places.declared)
    layout.strides.push_back(strides[dim]);
  return layout;
}

/// Calls `visit(element of the tensor, element of the instance)` for all elements
/// of one head of one batch entry.
template <typename Visitor>
static void visitInstance(const Argument &arg, const CallShape &shape, const Tensor &tensor,
                          int64_t batch, int64_t head, Visitor visit) {
  InstanceLayout layout = getInstanceLayout(arg, shape, tensor);
  int64_t start = batch * layout.batchStride + head / layout.headGroup * layout.headStride;

  int64_t count = 1;
  llvm::SmallVector<int64_t, 6> sizes;
  for (auto [axis, stride] : llvm::zip(arg.axes, layout.strides)) {
    auto [begin, size] = shape.getRange(axis, batch);
    start += begin * stride;
    sizes.push_back(size);
    count *= size;
  }
  llvm::SmallVector<int64_t, 6> index(arg.axes.size(), 0);
  int64_t offset = start;
  for (int64_t n = 0; n < count; ++n) {
    visit(offset, n);
    for (size_t d = arg.axes.size(); d-- > 0;) {
      offset += layout.strides[d];
      if (++index[d] < sizes[d])
        break;
      offset -= layout.strides[d] * sizes[d];
      index[d] = 0;
    }
  }
}

Array mix::driver::getInstance(const Argument &arg, const CallShape &shape, const Tensor &tensor,
                               int64_t batch, int64_t head) {
  Array array;
  int64_t count = 1;
  for (const std::string &axis : arg.axes) {
    array.axes.push_back(axis);
    array.shape.push_back(shape.getRange(axis, batch).second);
    count *= array.shape.back();
  }
  array.data.resize(count);
  visitInstance(arg, shape, tensor, batch, head,
                [&](int64_t from, int64_t to) { array.data[to] = tensor.get(from); });
  return array;
}

void mix::driver::setInstance(const Argument &arg, const CallShape &shape, Tensor &tensor,
                              int64_t batch, int64_t head, const Array &array) {
  visitInstance(arg, shape, tensor, batch, head,
                [&](int64_t to, int64_t from) { tensor.set(to, array.data[from]); });
}

Expected<CallResult> mix::driver::evaluateCall(mlir::func::FuncOp mixer, const Signature &signature,
                                               const Call &call, TensorTypes types) {
  CallResult result;
  auto allocate = [&](llvm::ArrayRef<Argument> arguments, ElementType type, TensorMap &tensors) {
    for (const Argument &arg : arguments)
      tensors.try_emplace(arg.name, arg.isInteger ? ElementType::I64 : type,
                          call.shape.getShape(arg));
  };
  allocate(signature.outputs, types.type, result.outputs);
  allocate(signature.states, types.state, result.states);

  for (int64_t b = 0; b < call.shape.batch; ++b)
    for (int64_t h = 0; h < call.shape.heads; ++h) {
      llvm::StringMap<Array> inputs, states;
      for (const Argument &arg : signature.inputs)
        inputs[arg.name] = getInstance(arg, call.shape, call.inputs.find(arg.name)->second, b, h);
      for (const Argument &arg : signature.states)
        if (auto state = call.states.find(arg.name); state != call.states.end())
          states[arg.name] = getInstance(arg, call.shape, state->second, b, h);
      Expected<Evaluation> evaluation = evaluate(mixer, inputs, states);
      if (!evaluation)
        return evaluation.takeError();
      for (const Argument &arg : signature.outputs)
        setInstance(arg, call.shape, result.outputs[arg.name], b, h, evaluation->outputs[arg.name]);
      for (const Argument &arg : signature.states)
        setInstance(arg, call.shape, result.states[arg.name], b, h, evaluation->states[arg.name]);
    }
  return result;
}
