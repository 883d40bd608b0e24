//===- NpyTest.cpp - .npy files, good and broken --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Tensor.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace mix::driver;

namespace {

/// A path that is removed at the end of the test.
class TemporaryFile {
public:
  TemporaryFile() { EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("mixwright", "npy", path)); }
  ~TemporaryFile() { llvm::sys::fs::remove(path); }
  llvm::StringRef get() const { return path; }
  void write(llvm::StringRef bytes) const {
    std::error_code code;
    llvm::raw_fd_ostream(path, code) << bytes;
    EXPECT_FALSE(code);
  }

private:
  llvm::SmallString<128> path;
};

/// A file of version 1.0 with the given header text.
std::string makeFile(llvm::StringRef header, llvm::StringRef elements) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header.str() + elements.str();
}

std::string readError(const TemporaryFile &file) {
  llvm::Expected<Tensor> tensor = readNpy(file.get());
  if (tensor)
    return "read";
  std::string message = toString(tensor.takeError());
  size_t at = message.find(file.get());
  return at == std::string::npos ? message : message.replace(at, file.get().size(), "FILE");
}

std::string readError(llvm::StringRef bytes) {
  TemporaryFile file;
  file.write(bytes);
  return readError(file);
}

TEST(Npy, RoundTrip) {
  std::mt19937 random(1);
  for (ElementType type : {ElementType::F32, ElementType::F64, ElementType::BF16, ElementType::F16,
                           ElementType::I32, ElementType::I64, ElementType::Bool})
    for (llvm::SmallVector<int64_t> shape :
         {llvm::SmallVector<int64_t>{}, {5}, {3, 0, 2}, {2, 3, 4, 5}}) {
      Tensor tensor(type, shape);
      for (int64_t n = 0; n < tensor.getCount(); ++n)
        tensor.set(n, type == ElementType::Bool ? random() % 2 : static_cast<int>(random() % 99));
      TemporaryFile file;
      ASSERT_FALSE(static_cast<bool>(writeNpy(file.get(), tensor)));
      llvm::Expected<Tensor> read = readNpy(file.get());
      ASSERT_TRUE(static_cast<bool>(read)) << toString(read.takeError());
      EXPECT_EQ(read->getType(), type);
      EXPECT_EQ(read->getShape(), tensor.getShape());
      EXPECT_EQ(std::memcmp(read->getData(), tensor.getData(), tensor.getBytes()), 0);
    }
}

TEST(Npy, FortranOrder) {
  // [[0, 1, 2], [3, 4, 5]] by columns.
  const int32_t elements[] = {0, 3, 1, 4, 2, 5};
  TemporaryFile file;
  file.write(makeFile("{'shape': (2, 3), 'fortran_order': True, 'descr': '<i4'}\n",
                      {reinterpret_cast<const char *>(elements), sizeof elements}));
  llvm::Expected<Tensor> tensor = readNpy(file.get());
  ASSERT_TRUE(static_cast<bool>(tensor)) << toString(tensor.takeError());
  for (int n = 0; n < 6; ++n)
    EXPECT_EQ(tensor->get(n), n);
}

TEST(Npy, HalfPrecision) {
  // The elements 1 and -2.5 as NumPy writes float16, and as ml_dtypes writes bfloat16: NumPy
  // itself knows no such type, so that it writes elements of two bytes that have none.
  struct {
    const char *descr;
    uint16_t elements[2];
    ElementType type;
  } files[] = {{"<f2", {0x3c00, 0xc100}, ElementType::F16},
               {"<V2", {0x3f80, 0xc020}, ElementType::BF16},
               {"|V2", {0x3f80, 0xc020}, ElementType::BF16},
               {"bfloat16", {0x3f80, 0xc020}, ElementType::BF16}};
  for (const auto &one : files) {
    TemporaryFile file;
    file.write(makeFile("{'descr': '" + std::string(one.descr) +
                            "', 'fortran_order': False, 'shape': (2,), }\n",
                        {reinterpret_cast<const char *>(one.elements), sizeof one.elements}));
    llvm::Expected<Tensor> tensor = readNpy(file.get());
    ASSERT_TRUE(static_cast<bool>(tensor)) << toString(tensor.takeError());
    EXPECT_EQ(tensor->getType(), one.type);
    EXPECT_EQ(tensor->get(0), 1);
    EXPECT_EQ(tensor->get(1), -2.5);
  }
}

TEST(Npy, Version2) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n";
  std::string bytes("\x93NUMPY\x02\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += std::string(3, '\0');
  double element = 2.5;
  TemporaryFile file;
  file.write(bytes + header + std::string(reinterpret_cast<char *>(&element), 8));
  llvm::Expected<Tensor> tensor = readNpy(file.get());
  ASSERT_TRUE(static_cast<bool>(tensor)) << toString(tensor.takeError());
  EXPECT_EQ(tensor->get(0), 2.5);
}

TEST(Npy, Errors) {
  EXPECT_EQ(readError("PK\x03\x04 something else"), "'FILE' is not a .npy file");
  EXPECT_EQ(readError(""), "'FILE' is not a .npy file");
  EXPECT_EQ(readError(llvm::StringRef("\x93NUMPY\x09\x00\x10\x00", 10)),
            "'FILE' is a .npy file of version 9; expected 1, 2 or 3");
  EXPECT_EQ(readError(llvm::StringRef("\x93NUMPY\x01\x00\x70\x00{'descr'", 18)),
            "'FILE' ends within its header");
  EXPECT_EQ(
      readError(makeFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "")),
      "'FILE' has a header that describes no plain array");
  EXPECT_EQ(readError(makeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "")),
            "'FILE' has a header that describes no plain array");
  EXPECT_EQ(
      readError(makeFile("{'descr': '>f4', 'fortran_order': False, 'shape': ()}", "1234")),
      "'FILE' has elements of type '>f4'; expected float32, float64, bfloat16, float16, int32, "
      "int64 or bool, little-endian");
  EXPECT_EQ(
      readError(makeFile("{'descr': '<u2', 'fortran_order': False, 'shape': ()}", "12")),
      "'FILE' has elements of type '<u2'; expected float32, float64, bfloat16, float16, int32, "
      "int64 or bool, little-endian");
  EXPECT_EQ(readError(makeFile("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}", "12")),
            "'FILE' ends early: its shape [2, 2] needs 32 bytes, but it has 2");
  EXPECT_EQ(readError(makeFile("{'descr': '<f8', 'fortran_order': False, "
                               "'shape': (4000000000, 4000000000)}",
                               "12")),
            "'FILE' has an impossible shape [4000000000, 4000000000]");
}

TEST(Npy, MissingFile) {
  llvm::Expected<Tensor> tensor = readNpy("no/such/file.npy");
  ASSERT_FALSE(static_cast<bool>(tensor));
  EXPECT_EQ(toString(tensor.takeError()),
            "cannot read 'no/such/file.npy': No such file or directory");
}

} // namespace
