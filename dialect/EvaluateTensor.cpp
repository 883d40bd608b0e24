//===- EvaluateTensor.cpp - Strided tensors of the evaluators ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateTensor.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

int64_t mix::countElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

Shape mix::contiguousStrides(ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (size_t n = shape.size(); n-- > 1;)
    strides[n - 1] = strides[n] * shape[n];
  return strides;
}

std::string mix::formatShape(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(shape, os, "x");
  return text;
}

Error mix::errorAt(Operation *op, const Twine &message) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto place = op->getLoc()->findInstanceOf<FileLineColLoc>())
    os << place.getFilename().getValue() << ':' << place.getLine() << ':' << place.getColumn()
       << ": ";
  os << '\'' << op->getName() << "': " << message;
  return llvm::createStringError(text);
}

Tensor Tensor::make(ArrayRef<int64_t> shape, double fill) {
  return make(shape, std::vector<double>(countElements(shape), fill));
}

Tensor Tensor::make(ArrayRef<int64_t> shape, std::vector<double> elements) {
  return {Shape(shape), contiguousStrides(shape),
          std::make_shared<std::vector<double>>(std::move(elements))};
}

std::vector<double> Tensor::elements() const {
  std::vector<double> result;
  result.reserve(countElements(shape));
  forEachElement<1>(shape, {strides.data()},
                    [&](auto offsets) { result.push_back(data()[offsets[0]]); });
  return result;
}
