//===- EvaluateSizes.cpp - The sizes of the axes of one evaluation ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateSizes.h"
#include "dialect/EvaluateTensor.h"
#include "dialect/Mix.h"

using namespace mlir;
using namespace mix;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

Error AxisSizes::bind(StringRef axis, int64_t size, const Twine &where) {
  StringRef space = getSpace(axis);
  auto [it, inserted] = bindings.try_emplace(space, Binding{size, where.str()});
  if (inserted || it->second.size == size)
    return Error::success();
  return createStringError("axis '" + space + "' has size " + Twine(it->second.size) + " in " +
                           it->second.where + " but size " + Twine(size) + " in " + where);
}

Error AxisSizes::bindArray(StringRef name, ArrayRef<StringRef> axes, const Array &array) {
  if (array.shape.size() != axes.size())
    return createStringError("'" + name + "' has rank " + Twine(axes.size()) +
                             ", but an array of rank " + Twine(array.shape.size()) + " was given");
  for (auto [declared, given] : llvm::zip(axes, array.axes))
    if (declared != given)
      return createStringError("'" + name + "' has the axis '" + declared +
                               "' where an array with the axis '" + given + "' was given");
  if ((int64_t)array.data.size() != countElements(array.shape))
    return createStringError("'" + name + "' is an array of " + formatShape(array.shape) +
                             " with " + Twine(array.data.size()) + " elements");
  for (auto [axis, size] : llvm::zip(axes, array.shape))
    if (Error error = bind(axis, size, "'" + name + "'"))
      return error;
  return Error::success();
}

Error AxisSizes::bindBlocks(Operation *function) {
  auto blocks = function->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  if (!blocks)
    return Error::success();
  for (NamedAttribute entry : blocks) {
    auto pair = dyn_cast<ArrayAttr>(entry.getValue());
    auto space = pair && pair.size() == 2 ? dyn_cast<StringAttr>(pair[0]) : StringAttr();
    auto block = pair && pair.size() == 2 ? dyn_cast<IntegerAttr>(pair[1]) : IntegerAttr();
    if (!space || !block || block.getInt() <= 0)
      return errorAt(function, "expects an entry [space, positive size] in '" + kBlocksAttr + "'");
    std::optional<int64_t> size = lookup(space.getValue());
    if (!size)
      return errorAt(function, "no input has the axis '" + space.getValue() + "'");
    int64_t count = (*size + block.getInt() - 1) / block.getInt();
    if (Error error = bind(entry.getName(), count, "'" + Twine(kBlocksAttr) + "'"))
      return error;
  }
  return Error::success();
}

std::optional<int64_t> AxisSizes::lookup(StringRef axis) const {
  auto it = bindings.find(getSpace(axis));
  return it == bindings.end() ? std::nullopt : std::optional<int64_t>(it->second.size);
}
