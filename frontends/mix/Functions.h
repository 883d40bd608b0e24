//===- Functions.h - The elementwise functions of the language --*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_FRONTENDS_MIX_FUNCTIONS_H
#define MIXWRIGHT_FRONTENDS_MIX_FUNCTIONS_H

#include "frontends/mix/Emitter.h"

namespace mix::frontend {

/// A function of reals that is applied element by element.
struct ElementwiseFunction {
  llvm::StringRef name;
  double (*fold)(double);                      // its value at a constant
  mlir::Value (*emit)(Emitter &, mlir::Value); // its value at a real tensor
};

/// Null if there is none of that name.
const ElementwiseFunction *findElementwise(llvm::StringRef name);
llvm::ArrayRef<ElementwiseFunction> getElementwiseFunctions();

} // namespace mix::frontend

#endif // MIXWRIGHT_FRONTENDS_MIX_FUNCTIONS_H
