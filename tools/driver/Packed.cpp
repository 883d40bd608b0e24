//===- Packed.cpp - The shape of a packed call ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Call.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// Whether params have the axis, or blocks of it, and nothing else has.
static bool isTable(const Signature &signature, StringRef axis) {
  auto hasAxis = [&](const Argument &arg) {
    return llvm::any_of(arg.axes, [&](StringRef own) {
      auto block = signature.blocks.find(own);
      return own == axis || (block != signature.blocks.end() && block->second.first == axis);
    });
  };
  bool isInParams = false;
  for (llvm::ArrayRef<Argument> group :
       {llvm::ArrayRef<Argument>(signature.inputs), llvm::ArrayRef<Argument>(signature.outputs),
        llvm::ArrayRef<Argument>(signature.states)})
    for (const Argument &arg : group) {
      if (!hasAxis(arg))
        continue;
      if (arg.kind != ArgumentKind::Param)
        return false;
      isInParams = true;
    }
  return isInParams;
}

std::vector<std::string> mix::driver::getPackableAxes(const Signature &signature) {
  std::vector<std::string> axes;
  for (StringRef axis : signature.tokenAxes.keys())
    if (!signature.blocks.contains(axis) && !isTable(signature, axis))
      axes.push_back(axis.str());
  llvm::sort(axes);
  return axes;
}

static Expected<std::vector<int64_t>> readStarts(StringRef axis, const Tensor &offsets) {
  std::string label = "cu_seqlens of " + axis.str();
  if (offsets.getType() != ElementType::I32 && offsets.getType() != ElementType::I64)
    return createStringError(label + ": expected int32 or int64, got " +
                             getTypeName(offsets.getType()));
  if (offsets.getRank() != 1 || offsets.getCount() < 1)
    return createStringError(label +
                             ": expected a vector of one element more than there are "
                             "segments, got the shape " +
                             formatShape(offsets.getShape()));
  std::vector<int64_t> starts;
  for (int64_t n = 0; n < offsets.getCount(); ++n) {
    int64_t start = static_cast<int64_t>(offsets.get(n));
    if (n == 0 && start != 0)
      return createStringError(label + ": expected 0 at the start, got " + std::to_string(start));
    if (n > 0 && start < starts.back())
      return createStringError(label + ": element " + std::to_string(n) + " is " +
                               std::to_string(start) + ", less than " +
                               std::to_string(starts.back()) + " before it");
    starts.push_back(start);
  }
  return starts;
}

/// Blocks are counted from the start of each segment.
static std::vector<int64_t> countBlocks(llvm::ArrayRef<int64_t> base, int64_t block) {
  std::vector<int64_t> starts{0};
  for (size_t n = 1; n < base.size(); ++n)
    starts.push_back(starts.back() +
                     static_cast<int64_t>(llvm::divideCeil(base[n] - base[n - 1], block)));
  return starts;
}

static Error packAxis(const std::string &axis, const Tensor &offsets, CallShape &shape) {
  Expected<std::vector<int64_t>> starts = readStarts(axis, offsets);
  if (!starts)
    return starts.takeError();
  int64_t segments = static_cast<int64_t>(starts->size()) - 1;
  if (shape.isPacked() && segments != shape.batch)
    return createStringError("cu_seqlens of " + axis + ": " + std::to_string(segments) +
                             " segments, but " + std::to_string(shape.batch) +
                             " along another axis");
  shape.batch = segments;
  shape.starts[axis] = std::move(*starts);
  return Error::success();
}

Error mix::driver::packShape(const Signature &signature, const TensorMap &offsets,
                             CallShape &shape) {
  std::vector<std::string> axes = getPackableAxes(signature);
  std::string list = llvm::join(axes, ", ");
  for (auto &entry : offsets) {
    if (entry.getKey().empty() && axes.size() != 1)
      return createStringError("cu_seqlens: '" + signature.mixer + "' has " +
                               (axes.empty() ? "no token axis" : "the token axes " + list) +
                               (axes.empty() ? "" : "; name them: T=FILE,..."));
    if (!entry.getKey().empty() && !llvm::is_contained(axes, entry.getKey()))
      return createStringError("cu_seqlens: '" + signature.mixer + "' has no token axis " +
                               entry.getKey() + "; it has " + list);
  }
  if (offsets.size() > axes.size())
    return createStringError("cu_seqlens: " + std::to_string(offsets.size()) +
                             " are given, but the token axes are " + list);
  for (const Argument &arg : signature.inputs)
    if (arg.kind == ArgumentKind::Param)
      for (const std::string &axis : arg.axes)
        if (llvm::is_contained(axes, axis))
          return createStringError("param '" + arg.name + "' has the token axis " + axis +
                                   ", so packed sequences cannot share it");
  for (const std::string &axis : axes) {
    auto own = offsets.find(axis);
    if (own == offsets.end() && axes.size() == 1)
      own = offsets.find("");
    if (own == offsets.end())
      return createStringError("cu_seqlens of " + axis +
                               " is missing: every token axis must be packed");
    if (Error error = packAxis(axis, own->second, shape))
      return error;
  }
  for (auto &entry : signature.blocks) {
    auto [base, block] = entry.second;
    if (auto own = shape.starts.find(base); own != shape.starts.end())
      shape.starts[entry.getKey()] = countBlocks(own->second, block);
  }
  for (auto &entry : shape.starts)
    shape.sizes[entry.getKey()] = entry.second.back();
  return Error::success();
}
