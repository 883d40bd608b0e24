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
  auto less = [](const Position &a, llvm::ArrayRef<int64_t> b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  };
  auto found = std::lower_bound(registers.begin(), registers.end(), position, less);
  if (found == registers.end() || llvm::ArrayRef<int64_t>(*found) != position)
    return -1;
  return found - registers.begin();
}

int64_t Layout::findRegister(const int64_t (&dims)[2], const Origin &origin,
                             const Position &at) const {
  Position position(2);
  position[dims[0]] = origin[0] + at[0];
  position[dims[1]] = origin[1] + at[1];
  return findRegister(position);
}

bool Layout::mayExceed(int64_t r, int64_t dim) const {
  int64_t last = registers[r][dim];
  for (const Digit &digit : threads)
    if (digit.dim == dim)
      last += (digit.size - 1) * digit.step;
  return last >= shape[dim];
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
  llvm::sort(registers);
  registers.erase(std::unique(registers.begin(), registers.end()), registers.end());
}

bool Layout::isSameAs(const Layout &other) const {
  return shape == other.shape && threads == other.threads && registers == other.registers;
}
