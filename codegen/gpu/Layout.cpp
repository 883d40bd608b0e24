//===- Layout.cpp - Elements of a tile in the registers of a block ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Layout.h"
#include "llvm/ADT/STLExtras.h"

using namespace mix::gpu;

int64_t Layout::findRegister(llvm::ArrayRef<int64_t> position) const {
  for (auto [index, at] : llvm::enumerate(registers))
    if (llvm::ArrayRef<int64_t>(at) == position)
      return index;
  return -1;
}

bool Layout::mayExceed(int64_t r) const {
  for (int64_t dim = 0, rank = shape.size(); dim < rank; ++dim) {
    int64_t last = registers[r][dim];
    for (const Digit &digit : threads)
      if (digit.dim == dim)
        last += (digit.size - 1) * digit.step;
    if (last >= shape[dim])
      return true;
  }
  return false;
}

Layout Layout::project(llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> newShape) const {
  Layout result;
  result.shape.assign(newShape.begin(), newShape.end());
  for (Digit digit : threads) {
    auto at = digit.dim < 0 ? dims.end() : llvm::find(dims, digit.dim);
    if (at == dims.end())
      digit = {digit.size, -1, 0};
    else
      digit.dim = at - dims.begin();
    result.threads.push_back(digit);
  }
  for (const Position &position : registers) {
    Position projected;
    for (int64_t dim : dims)
      projected.push_back(dim < 0 ? 0 : position[dim]);
    if (result.findRegister(projected) < 0)
      result.registers.push_back(std::move(projected));
  }
  result.normalize();
  return result;
}

void Layout::normalize() {
  llvm::SmallVector<Digit, 6> merged;
  for (const Digit &digit : threads) {
    if (digit.size == 1)
      continue;
    if (!merged.empty()) {
      Digit &last = merged.back();
      bool continues = digit.dim < 0 ? last.dim < 0
                                     : last.dim == digit.dim && last.step * last.size == digit.step;
      if (continues) {
        last.size *= digit.size;
        continue;
      }
    }
    merged.push_back(digit);
  }
  threads = std::move(merged);
}

bool Layout::isSameAs(const Layout &other) const {
  return shape == other.shape && threads == other.threads &&
         registers.size() == other.registers.size() &&
         llvm::all_of(registers, [&](const Position &at) { return other.findRegister(at) >= 0; });
}
