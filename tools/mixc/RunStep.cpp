//===- RunStep.cpp - mixc run --form step ---------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/RunStep.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

std::vector<Option> mix::mixc::getStepOptions() {
  return {{"position", Option::Value, "N|FILE",
           "with --form step or prefill: how many tokens each sequence had\n"
           "before (default: 0)"},
          {"cache-rows", Option::Value, "N",
           "with --form step or prefill: rows of caches that are made (default:\n"
           "as many as there are tokens)"},
          {"block-table", Option::Value, "FILE",
           "with --form step or prefill: the pages of each sequence (int32,\n"
           "[B, pages]); name=FILE,... for single caches"}};
}

Error mix::mixc::refuseStepOptions(const Arguments &arguments) {
  for (const Option &option : getStepOptions())
    if (arguments.has(option.name))
      return createStringError("--" + option.name +
                               ": only the forms step and prefill go on where other calls "
                               "ended; add --form step");
  return Error::success();
}

Expected<TensorMap> mix::mixc::readTensors(llvm::ArrayRef<Assignment> files) {
  TensorMap tensors;
  for (const auto &[name, path] : files) {
    Expected<Tensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    tensors.try_emplace(name, std::move(*tensor));
  }
  return tensors;
}

/// --position: one number for all sequences, or a file.
static Expected<Tensor> readPosition(const Arguments &arguments, const CallShape &shape) {
  bool isSingle = shape.layout == MIXWRIGHT_SINGLE && !shape.isPacked();
  Tensor positions(ElementType::I64, isSingle ? llvm::ArrayRef<int64_t>() : shape.batch);
  StringRef text = arguments.get("position", "0");
  if (text.ends_with(".npy"))
    return readNpy(text);
  Expected<int64_t> position = arguments.getNumber("position", 0, 0);
  if (!position)
    return position.takeError();
  positions.fill(static_cast<double>(*position));
  return positions;
}

static Expected<TensorMap> readBlockTables(StringRef text) {
  TensorMap tables;
  for (StringRef part : llvm::split(text, ',')) {
    auto [name, path] = part.contains('=') ? part.split('=') : std::pair(StringRef(), part);
    Expected<Tensor> table = readNpy(path);
    if (!table)
      return table.takeError();
    if (!tables.try_emplace(name, std::move(*table)).second)
      return createStringError("--block-table gives '" + name + "' twice");
  }
  return tables;
}

static bool isKept(const mixwright_arg &arg) {
  return arg.kind == MIXWRIGHT_STATE || arg.kind == MIXWRIGHT_CACHE;
}

/// Checks names of states and caches against the kernel.
static Error checkNames(llvm::ArrayRef<Assignment> files, StringRef option,
                        const mixwright_kernel &kernel) {
  llvm::SmallVector<StringRef> names;
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args))
    if (isKept(arg))
      names.push_back(arg.name);
  for (const auto &[name, path] : files)
    if (!llvm::is_contained(names, name))
      return createStringError("--" + option + ": a step of '" + kernel.mixer +
                               "' keeps no state or cache '" + name + "'" +
                               (names.empty() ? "" : "; it keeps " + llvm::join(names, ", ")));
  return Error::success();
}

static int64_t getLargest(const Tensor &tensor) {
  int64_t largest = 0;
  for (int64_t n = 0, count = tensor.getCount(); n < count; ++n)
    largest = std::max(largest, static_cast<int64_t>(tensor.get(n)));
  return largest;
}

/// The most new tokens of a sequence: the largest size that an axis of an output has.
static int64_t countNewTokens(const Signature &signature, const CallShape &shape) {
  int64_t tokens = 0;
  for (const Argument &arg : signature.outputs)
    for (StringRef axis : signature.getTokenAxes(arg))
      for (int64_t n = 0; n < shape.batch; ++n)
        tokens = std::max(tokens, shape.getRange(axis, n).second);
  return tokens;
}

/// Memory for a beginning, or an error if there has been one.
static Error makeMissing(const Arguments &arguments, const Signature &signature,
                         const mixwright_kernel &kernel, Call &call) {
  int64_t position = getLargest(*call.position);
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args)) {
    bool isPaged = call.blockTables.contains("") || call.blockTables.contains(arg.name);
    if (!isKept(arg) || call.states.contains(arg.name) ||
        (position == 0 && !(isPaged && arg.kind == MIXWRIGHT_CACHE)))
      continue;
    return createStringError(StringRef(arg.kind == MIXWRIGHT_CACHE ? "cache" : "state") + " '" +
                             arg.name + "' is missing" +
                             (position > 0 ? ", but there are earlier tokens" : "") +
                             "; add --state-in " + arg.name + "=FILE.npy");
  }
  CacheLayout layout;
  layout.newTokens = countNewTokens(signature, call.shape);
  Expected<int64_t> rows = arguments.getNumber("cache-rows", layout.newTokens, 0);
  if (!rows)
    return rows.takeError();
  layout.rows = *rows;
  makeStepMemory(kernel, signature, layout, call);
  return Error::success();
}

static void printKept(const mixwright_kernel &kernel, const CallResult &result) {
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args)) {
    if (!isKept(arg))
      continue;
    llvm::outs() << (arg.kind == MIXWRIGHT_CACHE ? "cache " : "state ") << arg.name << ' '
                 << formatShape(result.states.find(arg.name)->second.getShape());
    if (arg.window > 0)
      llvm::outs() << ", window of " << arg.window;
    llvm::outs() << '\n';
  }
}

Expected<CallResult> mix::mixc::runStep(const Arguments &arguments, const Signature &signature,
                                        Call call, const mixwright_kernel &kernel, StepRunner run) {
  for (StringRef option : {"state-in", "state-out"})
    if (Error error = checkNames(arguments.getAssignments(option), option, kernel))
      return std::move(error);
  Expected<TensorMap> states = readTensors(arguments.getAssignments("state-in"));
  if (!states)
    return states.takeError();
  call.states = std::move(*states);
  Expected<Tensor> position = readPosition(arguments, call.shape);
  if (!position)
    return position.takeError();
  call.position = std::move(*position);
  if (arguments.has("block-table")) {
    Expected<TensorMap> tables = readBlockTables(arguments.get("block-table"));
    if (!tables)
      return tables.takeError();
    call.blockTables = std::move(*tables);
  }
  if (Error error = makeMissing(arguments, signature, kernel, call))
    return std::move(error);
  Expected<CallResult> result = run(kernel, call);
  if (!result)
    return result.takeError();
  printKept(kernel, *result);
  return result;
}
