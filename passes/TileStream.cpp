//===- TileStream.cpp - Reductions over keys, block by block ---------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/TilePhase.h"

using namespace mlir;
using namespace mix;

void PhaseEmitter::emitStream(Operation *op) {
  fail(op->getLoc(), "reductions over tokens have no tile program yet", op->getResult(0).getType());
}
