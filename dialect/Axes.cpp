//===- Axes.cpp - Named axes of tensor types -------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Axes.h"
#include "dialect/Mix.h"

using namespace mlir;
using llvm::StringRef;

namespace mix {

SmallVector<StringRef> getAxes(Type type) {
  SmallVector<StringRef> names;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    if (auto axes = dyn_cast_or_null<AxesAttr>(tensor.getEncoding()))
      for (StringAttr name : axes.getNames())
        names.push_back(name.getValue());
  return names;
}

bool isNamedTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (tensor.getRank() == 0 || isa_and_nonnull<AxesAttr>(tensor.getEncoding()));
}

RankedTensorType getTensorType(Type element, ArrayRef<StringRef> axes, ArrayRef<int64_t> sizes) {
  if (axes.empty())
    return RankedTensorType::get({}, element);
  MLIRContext *context = element.getContext();
  SmallVector<StringAttr> names;
  for (StringRef axis : axes)
    names.push_back(StringAttr::get(context, axis));
  return RankedTensorType::get(sizes, element, AxesAttr::get(context, names));
}

RankedTensorType withElement(Type type, Type element) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), element, tensor.getEncoding());
}

int64_t findAxis(Type type, StringRef axis) {
  SmallVector<StringRef> axes = getAxes(type);
  auto it = llvm::find(axes, axis);
  return it == axes.end() ? -1 : it - axes.begin();
}

int64_t getAxisSize(Type type, StringRef axis) {
  return cast<RankedTensorType>(type).getDimSize(findAxis(type, axis));
}

RankedTensorType dropAxes(Type type, ArrayRef<StringRef> axes) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<StringRef> names;
  SmallVector<int64_t> sizes;
  for (auto [name, size] : llvm::zip(getAxes(type), tensor.getShape()))
    if (!llvm::is_contained(axes, name)) {
      names.push_back(name);
      sizes.push_back(size);
    }
  return getTensorType(tensor.getElementType(), names, sizes);
}

RankedTensorType renameAxis(Type type, StringRef from, StringRef to) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<StringRef> names = getAxes(type);
  for (StringRef &name : names)
    if (name == from)
      name = to;
  return getTensorType(tensor.getElementType(), names, tensor.getShape());
}

RankedTensorType joinAxes(ArrayRef<Type> types) {
  SmallVector<StringRef> names;
  SmallVector<int64_t> sizes;
  for (Type type : types)
    for (auto [name, size] : llvm::zip(getAxes(type), cast<RankedTensorType>(type).getShape())) {
      auto it = llvm::find(names, name);
      if (it == names.end()) {
        names.push_back(name);
        sizes.push_back(size);
      } else if (ShapedType::isDynamic(sizes[it - names.begin()])) {
        sizes[it - names.begin()] = size;
      }
    }
  return getTensorType(cast<RankedTensorType>(types.front()).getElementType(), names, sizes);
}

bool isAxisSubset(Type inner, Type outer) {
  return llvm::all_of(getAxes(inner), [&](StringRef axis) { return hasAxis(outer, axis); });
}

std::string getHistorySpace(StringRef space) { return (space + ".all").str(); }

} // namespace mix
