//===- Compare.cpp - mixc compare -------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compare.h"
#include "tools/mixc/Commands.h"
#include "llvm/Support/Format.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Expected;

/// What rounding explains: that of the arithmetic, and that of storing in the tensor's type.
static double getTolerance(const Tensor &tensor) {
  switch (tensor.getType()) {
  case ElementType::BF16:
    return 0x1p-8;
  case ElementType::F16:
    return 0x1p-11;
  default:
    return driver::getTolerance(tensor.getType());
  }
}

static Expected<int> compareFiles(const Arguments &arguments) {
  Expected<Tensor> first = readNpy(arguments.getFile(0));
  if (!first)
    return first.takeError();
  Expected<Tensor> second = readNpy(arguments.getFile(1));
  if (!second)
    return second.takeError();
  if (first->getShape() != second->getShape())
    return llvm::createStringError(
        "'" + arguments.getFile(0) + "' has shape " + formatShape(first->getShape()) + ", but '" +
        arguments.getFile(1) + "' has " + formatShape(second->getShape()));
  double allowed = std::max(getTolerance(*first), getTolerance(*second));
  if (arguments.has("tolerance") && arguments.get("tolerance").getAsDouble(allowed))
    return llvm::createStringError("--tolerance: expected a number, got '" +
                                   arguments.get("tolerance") + "'");
  double error = getError(*first, *second);
  bool passed = error <= allowed;
  llvm::outs() << "relative error " << llvm::format("%.2e", error) << ", allowed "
               << llvm::format("%.2e", allowed) << (passed ? ": equal\n" : ": DIFFERENT\n");
  return passed ? 0 : 1;
}

Command mix::mixc::getCompareCommand() {
  return {
      "compare",
      {"RESULT.npy", "EXPECTED.npy"},
      "compare two tensors",
      "Prints the norm of the difference over the norm of the expected tensor. The exit status is\n"
      "1 if that is more than what rounding explains: 1e-10 between float64 tensors, 3.2e-4 (a\n"
      "normalised mean square error of 1e-7) if one is float32, 2^-8 and 2^-11 (the largest\n"
      "rounding of one element) if one is bfloat16 or float16.",
      "mixc compare o.npy reference.npy",
      {{"tolerance", Option::Value, "X", "the largest error that is allowed"}},
      compareFiles};
}
