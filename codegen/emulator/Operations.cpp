//===- Operations.cpp - Instructions that the emulator knows ----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Operations.h"

using namespace mix::emu;

FoundOperation mix::emu::findOperation(std::string_view name) {
  if (!consume(name, "llvm."))
    return std::nullopt;
  for (auto find :
       {findThreads, findArithmetic, findShuffles, findMatrices, findCopies, findAsyncBarriers,
        findBulkCopies, findWarpGroups, findAmdLanes, findAmdMatrices})
    if (FoundOperation operation = find(name))
      return operation;
  return std::nullopt;
}
