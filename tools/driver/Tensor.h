//===- Tensor.h - Tensors of the tools --------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor in memory, row-major, and its form on disk: NumPy's .npy files of
// versions 1 to 3, little-endian, of the element types below. Debian has no
// library for them.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_TENSOR_H
#define MIXWRIGHT_TOOLS_DRIVER_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace mix::driver {

enum class ElementType { F32, F64, BF16, F16, I32, I64, Bool };

/// "float32", "bfloat16", "int64", "bool", as NumPy and its extension ml_dtypes say.
llvm::StringRef getTypeName(ElementType type);
/// "f32", "bf16", "i64", as options and tile programs say; of reals and integers only.
llvm::StringRef getShortTypeName(ElementType type);
int64_t getTypeBytes(ElementType type);
inline bool isReal(ElementType type) { return type <= ElementType::F16; }
/// The real type that a kernel computes in whose tensors are of such a type: float32 for the
/// types of 16 bits.
inline ElementType getComputeType(ElementType type) {
  return type == ElementType::BF16 || type == ElementType::F16 ? ElementType::F32 : type;
}

/// The types of the real tensors of a call.
struct TensorTypes {
  TensorTypes(ElementType type = ElementType::F32) : type(type), state(getComputeType(type)) {}
  ElementType type;  ///< Of inputs, params and outputs.
  ElementType state; ///< Of initial and final states: as a rule that of the arithmetic.
};

/// "[2, 64, 128]".
std::string formatShape(llvm::ArrayRef<int64_t> shape);

class Tensor {
public:
  Tensor() : Tensor(ElementType::F64, {}) {}
  /// Elements are zero. The memory is aligned to 64 bytes.
  Tensor(ElementType type, llvm::ArrayRef<int64_t> shape);
  Tensor(const Tensor &other);
  Tensor(Tensor &&) = default;
  Tensor &operator=(Tensor other);

  ElementType getType() const { return type; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getRank() const { return static_cast<int64_t>(shape.size()); }
  int64_t getCount() const;
  int64_t getBytes() const { return getCount() * getTypeBytes(type); }
  char *getData() { return memory.get(); }
  const char *getData() const { return memory.get(); }

  /// Element `index` in row-major order, as a double.
  double get(int64_t index) const;
  void set(int64_t index, double value);

  /// The same numbers in another type, rounded where need be.
  Tensor convertTo(ElementType other) const;
  void fill(double value);
  /// The same numbers with the axes in another order: axis n of the result is `order[n]`.
  Tensor transpose(llvm::ArrayRef<int64_t> order) const;
  /// Elements from `index` times their number on, in a shape of that many.
  Tensor takePart(int64_t index, llvm::ArrayRef<int64_t> shape) const;
  /// Copies positions [from, from + count) along a dimension of `source` to those from `to` on.
  /// Type and other sizes are equal.
  void copyAlong(int64_t dimension, const Tensor &source, int64_t from, int64_t to, int64_t count);

private:
  struct Free {
    void operator()(char *pointer) const;
  };
  ElementType type;
  llvm::SmallVector<int64_t, 6> shape;
  std::unique_ptr<char, Free> memory;
};

/// NumPy has no type for bfloat16: ml_dtypes writes it as untyped elements of two bytes, and
/// so does `writeNpy`; such files are read as bfloat16.
/// Errors: the file is missing or ends early, is no .npy file, holds another type, or is
/// big-endian. Arrays in Fortran order are transposed.
llvm::Expected<Tensor> readNpy(llvm::StringRef path);

/// Writes version 1.0.
llvm::Error writeNpy(llvm::StringRef path, const Tensor &tensor);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_TENSOR_H
