//===- MixDialect.cpp - The mix dialect and its attributes ------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;

#include "dialect/MixDialect.cpp.inc"
#include "dialect/MixEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/MixAttrs.cpp.inc"

void MixDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/MixAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/MixOps.cpp.inc"
      >();
}

LogicalResult AxesAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<StringAttr> names) {
  // axes_c1
  llvm::StringSet<> seen;
  for (StringAttr name : names) {
    if (name.getValue().empty())
      return emitError() << "an axis has an empty name";
    if (!seen.insert(name.getValue()).second)
      return emitError() << "axis '" << name.getValue() << "' is named twice";
  }
  return success();
}

LogicalResult AxesAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  // axes_c2
  if (shape.size() != getNames().size())
    return emitError() << "a tensor of rank " << shape.size() << " has " << getNames().size()
                       << " axis names";
  return success();
}
