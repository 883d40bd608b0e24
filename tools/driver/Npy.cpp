//===- Npy.cpp - Read and write .npy files ----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format (numpy.lib.format): "\x93NUMPY", major, minor, the length of the
// header (2 bytes in version 1, 4 later), the header (the text of a Python dict
// with the keys descr, fortran_order and shape), the elements.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Tensor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <optional>

using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static constexpr StringRef magic("\x93NUMPY", 6);

namespace {

struct Header {
  std::string descr;
  bool fortranOrder = false;
  llvm::SmallVector<int64_t, 6> shape;
};

/// Parses the dict of a header; only what NumPy writes is accepted.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : text(text) {}

  std::optional<Header> parse() {
    Header header;
    if (!consume("{"))
      return std::nullopt;
    while (!consume("}")) {
      auto key = parseString();
      if (!key || !consume(":") || !parseValue(*key, header))
        return std::nullopt;
      if (!consume(",") && !text.ltrim().starts_with("}"))
        return std::nullopt;
    }
    if (header.descr.empty())
      return std::nullopt;
    return header;
  }

private:
  bool consume(StringRef token) {
    text = text.ltrim();
    return text.consume_front(token);
  }

  std::optional<std::string> parseString() {
    text = text.ltrim();
    if (text.empty() || (text[0] != '\'' && text[0] != '"'))
      return std::nullopt;
    size_t end = text.find(text[0], 1);
    if (end == StringRef::npos)
      return std::nullopt;
    std::string value = text.slice(1, end).str();
    text = text.drop_front(end + 1);
    return value;
  }

  bool parseShape(llvm::SmallVectorImpl<int64_t> &shape) {
    if (!consume("("))
      return false;
    while (!consume(")")) {
      int64_t size;
      text = text.ltrim();
      if (text.consumeInteger(10, size) || size < 0)
        return false;
      shape.push_back(size);
      if (!consume(",") && !text.ltrim().starts_with(")"))
        return false;
    }
    return true;
  }

  bool parseValue(StringRef key, Header &header) {
    if (key == "descr") {
      auto value = parseString();
      header.descr = value.value_or("");
      return value.has_value();
    }
    if (key == "fortran_order") {
      header.fortranOrder = consume("True");
      return header.fortranOrder || consume("False");
    }
    return key == "shape" && parseShape(header.shape);
  }

  StringRef text;
};

} // namespace

static std::optional<ElementType> getElementType(StringRef descr) {
  static constexpr std::pair<StringRef, ElementType> known[] = {
      {"<f4", ElementType::F32},  {"<f8", ElementType::F64},       {"<V2", ElementType::BF16},
      {"|V2", ElementType::BF16}, {"bfloat16", ElementType::BF16}, {"<f2", ElementType::F16},
      {"<i4", ElementType::I32},  {"<i8", ElementType::I64},       {"|b1", ElementType::Bool}};
  for (auto [name, type] : known)
    if (name == descr)
      return type;
  return std::nullopt;
}

/// Splits a file into its header and its elements.
static Expected<std::pair<Header, StringRef>> splitFile(StringRef path, StringRef bytes) {
  if (!bytes.consume_front(magic) || bytes.size() < 4)
    return createStringError("'" + path + "' is not a .npy file");
  unsigned major = static_cast<unsigned char>(bytes[0]);
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (major < 1 || major > 3)
    return createStringError("'" + path + "' is a .npy file of version " + std::to_string(major) +
                             "; expected 1, 2 or 3");
  if (bytes.size() < 2 + lengthBytes)
    return createStringError("'" + path + "' ends within its header");
  size_t length = major == 1 ? llvm::support::endian::read16le(bytes.data() + 2)
                             : llvm::support::endian::read32le(bytes.data() + 2);
  bytes = bytes.drop_front(2 + lengthBytes);
  if (bytes.size() < length)
    return createStringError("'" + path + "' ends within its header");
  std::optional<Header> header = HeaderParser(bytes.take_front(length)).parse();
  if (!header)
    return createStringError("'" + path + "' has a header that describes no plain array");
  return std::make_pair(*header, bytes.drop_front(length));
}

/// Copies elements in Fortran order to row-major order.
static void transpose(const char *from, Tensor &tensor) {
  int64_t bytes = getTypeBytes(tensor.getType());
  llvm::ArrayRef<int64_t> shape = tensor.getShape();
  llvm::SmallVector<int64_t, 6> index(shape.size(), 0);
  for (int64_t n = 0, count = tensor.getCount(); n < count; ++n) {
    int64_t to = 0;
    for (auto [position, size] : llvm::zip(index, shape))
      to = to * size + position;
    std::memcpy(tensor.getData() + to * bytes, from + n * bytes, bytes);
    for (size_t d = 0; d < shape.size() && ++index[d] == shape[d]; ++d)
      index[d] = 0;
  }
}

Expected<Tensor> mix::driver::readNpy(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError("cannot read '" + path + "': " + buffer.getError().message());
  auto parts = splitFile(path, (*buffer)->getBuffer());
  if (!parts)
    return parts.takeError();
  auto &[header, elements] = *parts;
  std::optional<ElementType> type = getElementType(header.descr);
  if (!type)
    return createStringError(
        "'" + path + "' has elements of type '" + header.descr +
        "'; expected float32, float64, bfloat16, float16, int32, int64 or bool, "
        "little-endian");
  // Sizes are checked before anything is allocated: a header may say anything.
  int64_t needed = getTypeBytes(*type);
  for (int64_t size : header.shape)
    if (llvm::MulOverflow(needed, size, needed))
      return createStringError("'" + path + "' has an impossible shape " +
                               formatShape(header.shape));
  if (static_cast<int64_t>(elements.size()) < needed)
    return createStringError("'" + path + "' ends early: its shape " + formatShape(header.shape) +
                             " needs " + std::to_string(needed) + " bytes, but it has " +
                             std::to_string(elements.size()));
  Tensor tensor(*type, header.shape);
  if (header.fortranOrder)
    transpose(elements.data(), tensor);
  else
    std::memcpy(tensor.getData(), elements.data(), needed);
  return tensor;
}

Error mix::driver::writeNpy(StringRef path, const Tensor &tensor) {
  static constexpr StringRef descr[] = {"<f4", "<f8", "<V2", "<f2", "<i4", "<i8", "|b1"};
  std::string header = "{'descr': '" + descr[static_cast<int>(tensor.getType())].str() +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t size : tensor.getShape())
    header += std::to_string(size) + ",";
  header += "), }";
  // The elements start at a multiple of 64 bytes.
  size_t prefix = magic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';

  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  if (code)
    return createStringError("cannot write '" + path + "': " + code.message());
  file << magic << '\x01' << '\0' << static_cast<char>(header.size() & 0xff)
       << static_cast<char>(header.size() >> 8) << header;
  file.write(tensor.getData(), tensor.getBytes());
  file.close();
  if (file.has_error()) {
    code = file.error();
    file.clear_error();
    return createStringError("cannot write '" + path + "': " + code.message());
  }
  return Error::success();
}
