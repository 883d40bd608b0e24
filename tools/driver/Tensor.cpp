//===- Tensor.cpp - Tensors in memory ---------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Tensor.h"
#include "dialect/NarrowReals.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cstdlib>
#include <cstring>
#include <new>

using namespace mix::driver;

llvm::StringRef mix::driver::getTypeName(ElementType type) {
  static constexpr llvm::StringRef names[] = {"float32", "float64", "bfloat16", "float16",
                                              "int32",   "int64",   "bool"};
  return names[static_cast<int>(type)];
}

llvm::StringRef mix::driver::getShortTypeName(ElementType type) {
  static constexpr llvm::StringRef names[] = {"f32", "f64", "bf16", "f16", "i32", "i64"};
  return names[static_cast<int>(type)];
}

int64_t mix::driver::getTypeBytes(ElementType type) {
  static constexpr int64_t bytes[] = {4, 8, 2, 2, 4, 8, 1};
  return bytes[static_cast<int>(type)];
}

std::string mix::driver::formatShape(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [index, size] : llvm::enumerate(shape))
    text += (index ? ", " : "") + std::to_string(size);
  return text + "]";
}

void Tensor::Free::operator()(char *pointer) const { std::free(pointer); }

Tensor::Tensor(ElementType type, llvm::ArrayRef<int64_t> shape)
    : type(type), shape(shape.begin(), shape.end()) {
  size_t bytes = llvm::alignTo(static_cast<size_t>(getBytes()) + 1, 64);
  memory.reset(static_cast<char *>(std::aligned_alloc(64, bytes)));
  if (!memory)
    llvm::report_bad_alloc_error("no memory for a tensor");
  std::memset(memory.get(), 0, bytes);
}

Tensor::Tensor(const Tensor &other) : Tensor(other.type, other.shape) {
  std::memcpy(memory.get(), other.memory.get(), getBytes());
}

Tensor &Tensor::operator=(Tensor other) {
  std::swap(type, other.type);
  std::swap(shape, other.shape);
  std::swap(memory, other.memory);
  return *this;
}

int64_t Tensor::getCount() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

namespace {

/// An element of a type that C++ lacks: its bits, converted from and to double.
template <const mix::NarrowReal &format> struct Narrow {
  Narrow(double value) : bits(format.encode(value)) {}
  operator double() const { return format.decode(bits); }
  uint16_t bits;
};

} // namespace

/// Calls `visit` with a null pointer of the C++ type of `type`.
template <typename Visitor> static auto withType(ElementType type, Visitor visit) {
  switch (type) {
  case ElementType::F32:
    return visit(static_cast<float *>(nullptr));
  case ElementType::F64:
    return visit(static_cast<double *>(nullptr));
  case ElementType::BF16:
    return visit(static_cast<Narrow<mix::kBFloat16> *>(nullptr));
  case ElementType::F16:
    return visit(static_cast<Narrow<mix::kFloat16> *>(nullptr));
  case ElementType::I32:
    return visit(static_cast<int32_t *>(nullptr));
  case ElementType::I64:
    return visit(static_cast<int64_t *>(nullptr));
  case ElementType::Bool:
    return visit(static_cast<bool *>(nullptr));
  }
  llvm_unreachable("all types are covered");
}

double Tensor::get(int64_t index) const {
  return withType(type, [&](auto *null) {
    return static_cast<double>(reinterpret_cast<const decltype(null)>(memory.get())[index]);
  });
}

void Tensor::set(int64_t index, double value) {
  withType(type, [&](auto *null) {
    reinterpret_cast<decltype(null)>(memory.get())[index] =
        static_cast<std::remove_pointer_t<decltype(null)>>(value);
  });
}

Tensor Tensor::convertTo(ElementType other) const {
  if (other == type)
    return *this;
  Tensor result(other, shape);
  for (int64_t index = 0, count = getCount(); index < count; ++index)
    result.set(index, get(index));
  return result;
}

Tensor Tensor::transpose(llvm::ArrayRef<int64_t> order) const {
  llvm::SmallVector<int64_t> moved, strides(order.size(), 1), stepOf(order.size());
  for (int64_t axis = getRank() - 1; axis > 0; --axis)
    strides[axis - 1] = strides[axis] * shape[axis];
  for (auto [n, axis] : llvm::enumerate(order)) {
    moved.push_back(shape[axis]);
    stepOf[n] = strides[axis];
  }
  Tensor result(type, moved);
  int64_t bytes = getTypeBytes(type);
  llvm::SmallVector<int64_t> position(order.size());
  for (int64_t to = 0, from = 0, count = getCount(); to < count; ++to) {
    std::memcpy(result.getData() + to * bytes, getData() + from * bytes, bytes);
    // On to the next position of the result, in row-major order.
    for (size_t n = order.size(); n-- > 0;) {
      from += stepOf[n];
      if (++position[n] < moved[n])
        break;
      from -= moved[n] * stepOf[n];
      position[n] = 0;
    }
  }
  return result;
}

Tensor Tensor::takePart(int64_t index, llvm::ArrayRef<int64_t> shape) const {
  Tensor part(type, shape);
  if (part.getBytes() > 0)
    std::memcpy(part.getData(), getData() + index * part.getBytes(), part.getBytes());
  return part;
}

void Tensor::copyAlong(int64_t dimension, const Tensor &source, int64_t from, int64_t to,
                       int64_t count) {
  int64_t outer = 1, inner = getTypeBytes(type);
  for (int64_t size : getShape().take_front(dimension))
    outer *= size;
  for (int64_t size : getShape().drop_front(dimension + 1))
    inner *= size;
  for (int64_t n = 0; n < outer; ++n)
    std::memcpy(getData() + (n * shape[dimension] + to) * inner,
                source.getData() + (n * source.shape[dimension] + from) * inner, count * inner);
}

void Tensor::fill(double value) {
  for (int64_t index = 0, count = getCount(); index < count; ++index)
    set(index, value);
}
