//===- PackedCheck.cpp - Packed sequences are as good as alone ------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/PackedCheck.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <cstring>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// Empty, one token, within one tile, over several; the longest is the one that
/// becomes NaN, and has neighbours on both sides.
static constexpr int64_t lengths[] = {33, 0, 70, 1, 5};
static constexpr int64_t longest = 2;

bool mix::mixc::canPack(const Signature &signature) {
  std::vector<std::string> packable = getPackableAxes(signature);
  return llvm::none_of(signature.inputs, [&](const Argument &arg) {
    return arg.kind == ArgumentKind::Param && llvm::any_of(arg.axes, [&](const std::string &axis) {
             return llvm::is_contained(packable, axis);
           });
  });
}

bool mix::mixc::canStagger(const Signature &signature) {
  std::vector<std::string> packable = getPackableAxes(signature);
  return canPack(signature) && llvm::all_of(signature.inputs, [&](const Argument &arg) {
           return llvm::count_if(arg.axes, [&](const std::string &axis) {
                    return llvm::is_contained(packable, axis);
                  }) <= 1;
         });
}

Error mix::mixc::packSequences(const Signature &signature, StringRef first, CallShape &shape) {
  TensorMap offsets;
  for (StringRef axis : getPackableAxes(signature)) {
    Tensor starts(ElementType::I64, {static_cast<int64_t>(std::size(lengths)) + 1});
    for (auto [n, length] : llvm::enumerate(lengths))
      starts.set(n + 1, starts.get(n) + length + (axis == first ? 0 : 5));
    offsets.try_emplace(axis, std::move(starts));
  }
  return packShape(signature, offsets, shape);
}

/// One sequence of a packed call, as a call of its own.
static Call takeAlone(const Signature &signature, const Call &pack, int64_t segment) {
  Call alone;
  alone.shape.layout = pack.shape.layout;
  alone.shape.heads = pack.shape.heads;
  for (auto &entry : pack.shape.sizes)
    alone.shape.sizes[entry.getKey()] = pack.shape.getRange(entry.getKey(), segment).second;
  auto take = [&](const Argument &arg, const TensorMap &from, TensorMap &to) {
    auto tensor = from.find(arg.name);
    if (tensor == from.end())
      return;
    Tensor own(tensor->second.getType(), alone.shape.getShape(arg));
    for (int64_t h = 0; h < pack.shape.heads; ++h)
      setInstance(arg, alone.shape, own, 0, h,
                  getInstance(arg, pack.shape, tensor->second, segment, h));
    to.try_emplace(arg.name, std::move(own));
  };
  for (const Argument &arg : signature.inputs) {
    if (arg.kind == ArgumentKind::Param)
      alone.inputs.try_emplace(arg.name, pack.inputs.find(arg.name)->second);
    else
      take(arg, pack.inputs, alone.inputs);
  }
  for (const Argument &arg : signature.states)
    take(arg, pack.states, alone.states);
  return alone;
}

/// The same call with one sequence NaN, its initial states too.
static Call poison(const Signature &signature, const Call &pack, int64_t segment) {
  Call poisoned = pack;
  auto fill = [&](const Argument &arg, TensorMap &tensors) {
    auto tensor = tensors.find(arg.name);
    if (tensor == tensors.end() || arg.isInteger || arg.kind == ArgumentKind::Param)
      return;
    for (int64_t h = 0; h < pack.shape.heads; ++h) {
      Array array = getInstance(arg, pack.shape, tensor->second, segment, h);
      llvm::fill(array.data, NAN);
      setInstance(arg, pack.shape, tensor->second, segment, h, array);
    }
  };
  for (const Argument &arg : signature.inputs)
    fill(arg, poisoned.inputs);
  for (const Argument &arg : signature.states)
    fill(arg, poisoned.states);
  return poisoned;
}

std::string mix::mixc::findDifference(const Signature &signature, const SequenceResults &a,
                                      const SequenceResults &b) {
  auto differs = [&](const Argument &arg, const TensorMap &left, const TensorMap &right) {
    if (!left.contains(arg.name) && !right.contains(arg.name))
      return false;
    for (int64_t h = 0; h < a.shape.heads; ++h) {
      Array mine = getInstance(arg, a.shape, left.find(arg.name)->second, a.entry, h);
      Array other = getInstance(arg, b.shape, right.find(arg.name)->second, b.entry, h);
      if (mine.data.size() != other.data.size() ||
          (!mine.data.empty() && std::memcmp(mine.data.data(), other.data.data(),
                                             mine.data.size() * sizeof(mine.data[0])) != 0))
        return true;
    }
    return false;
  };
  for (const Argument &arg : signature.outputs)
    if (differs(arg, a.result.outputs, b.result.outputs))
      return "output '" + arg.name + "'";
  for (const Argument &arg : signature.states)
    if (differs(arg, a.result.states, b.result.states))
      return "final state '" + arg.name + "'";
  return "";
}

Expected<std::string> mix::mixc::findInfluence(const Signature &signature, const Call &call,
                                               const CallResult &result, const Runner &run) {
  Expected<CallResult> poisoned = run(poison(signature, call, longest));
  if (!poisoned)
    return poisoned.takeError();
  for (int64_t n = 0; n < call.shape.batch; ++n) {
    SequenceResults packed{call.shape, result, n};
    std::string sequence = "sequence " + std::to_string(n) + ": the bits of ";
    if (n != longest)
      if (std::string what = findDifference(signature, packed, {call.shape, *poisoned, n});
          !what.empty())
        return sequence + what + " change when sequence " + std::to_string(longest) + " is NaN";
    Call alone = takeAlone(signature, call, n);
    Expected<CallResult> own = run(alone);
    if (!own)
      return own.takeError();
    if (std::string what = findDifference(signature, packed, {alone.shape, *own, 0}); !what.empty())
      return sequence + what + " differ from those of a call of its own";
  }
  return std::string();
}
