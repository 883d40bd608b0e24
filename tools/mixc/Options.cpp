//===- Options.cpp - Options that several commands have ---------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/Commands.h"
#include "llvm/ADT/STLExtras.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Option mix::mixc::getMixerOption() {
  return {"mixer", Option::Value, "NAME", "which mixer of the file (default: the last)"};
}

Option mix::mixc::getSetOption() {
  return {"set", Option::Assignments, "name=value ...",
          "settings of the mixer: window=256, scale=0.125"};
}

Expected<std::unique_ptr<Spec>> mix::mixc::loadSpec(const Arguments &arguments) {
  llvm::StringMap<std::string> settings;
  for (const auto &[name, value] : arguments.getAssignments("set"))
    settings[name] = value;
  return Spec::load(arguments.getFile(), arguments.get("mixer"), std::move(settings));
}

Option mix::mixc::getThreadsOption() {
  return {"threads", Option::Value, "N", "threads to run on (default: all processors)"};
}

Expected<int64_t> mix::mixc::parseThreads(const Arguments &arguments) {
  return arguments.getNumber("threads", 0, 1);
}

Option mix::mixc::getTargetOption() {
  return {"target", Option::Value, "DEVICE", "native (default), cuda or hip: a GPU; cuda:1, ..."};
}

Expected<std::unique_ptr<Gpu>> mix::mixc::openTarget(const Arguments &arguments,
                                                     FormChoice wanted) {
  StringRef target = arguments.get("target", "native");
  if (target == "native")
    return nullptr;
  if (!Gpu::isTarget(target))
    return llvm::createStringError(
        "--target: expected native, or a GPU of this machine: cuda, hip, cuda:1, got '" + target +
        "'");
  if (wanted == Form::Reference)
    return llvm::createStringError("--target: no GPU runs the " + getFormName(*wanted) + " form");
  return Gpu::open(target);
}

KernelOptions mix::mixc::makeKernelOptions(const Gpu *gpu, TensorTypes types) {
  KernelOptions options;
  options.types = types;
  if (gpu) {
    options.chip = gpu->getChip().str();
    options.isEmulated = gpu->isEmulated();
  }
  return options;
}

Option mix::mixc::getTypeOption() {
  return {"dtype", Option::Value, "TYPE", "f32 (default), f64, bf16 or f16"};
}

Expected<ElementType> mix::mixc::parseType(const Arguments &arguments, ElementType otherwise) {
  if (!arguments.has("dtype"))
    return otherwise;
  Expected<std::string> name = arguments.getChoice("dtype", {"f32", "f64", "bf16", "f16"});
  if (!name)
    return name.takeError();
  for (ElementType type : {ElementType::F64, ElementType::BF16, ElementType::F16})
    if (*name == getShortTypeName(type))
      return type;
  return ElementType::F32;
}

Option mix::mixc::getStateTypeOption() {
  return {"state-dtype", Option::Value, "TYPE",
          "store states in bf16 or f16 (default: as computed, f32 or f64)"};
}

Expected<TensorTypes> mix::mixc::parseTypes(const Arguments &arguments, ElementType otherwise) {
  Expected<ElementType> type = parseType(arguments, otherwise);
  if (!type)
    return type.takeError();
  TensorTypes types(*type);
  if (!arguments.has("state-dtype"))
    return types;
  Expected<std::string> state = arguments.getChoice("state-dtype", {"bf16", "f16"});
  if (!state)
    return state.takeError();
  if (getComputeType(*type) == ElementType::F64)
    return llvm::createStringError("--state-dtype: states of 16 bits go with --dtype f32, bf16 or "
                                   "f16, not with f64");
  types.state = *state == "bf16" ? ElementType::BF16 : ElementType::F16;
  return types;
}

Option mix::mixc::getShapeOption() {
  return {"shape", Option::AssignmentCommas, "B=1,H=2,AXIS=N,...",
          "batch, heads (default: 1) and the size of every axis"};
}

Option mix::mixc::getPackingOption() {
  return {"cu-seqlens", Option::Value, "FILE",
          "where each packed sequence begins, and the end: 0, ...,\n"
          "sum T (int32 or int64); T=FILE,S=FILE if several axes are\n"
          "token axes"};
}

Expected<TensorMap> mix::mixc::readOffsets(StringRef text) {
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',');
  TensorMap offsets;
  for (StringRef part : parts) {
    auto [axis, path] = part.contains('=') ? part.split('=') : std::pair(StringRef(), part);
    Expected<Tensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    if (!offsets.try_emplace(axis, std::move(*tensor)).second)
      return createStringError("--cu-seqlens gives " +
                               (axis.empty() ? "two files without an axis" : axis + " twice"));
  }
  return offsets;
}

Expected<CallShape> mix::mixc::parseShape(const Arguments &arguments, const Signature &signature) {
  Expected<SizeMap> sizes = arguments.getNumbers("shape");
  if (!sizes)
    return sizes.takeError();
  CallShape shape;
  shape.layout = MIXWRIGHT_BTHD;
  if (arguments.has("cu-seqlens")) {
    Expected<TensorMap> offsets = readOffsets(arguments.get("cu-seqlens"));
    if (!offsets)
      return offsets.takeError();
    if (Error error = packShape(signature, *offsets, shape))
      return std::move(error);
  }
  for (auto &entry : *sizes) {
    // Block axes follow from others, so that a block axis B leaves B to the batch.
    bool isAxis =
        (signature.isTokenAxis(entry.getKey()) && !signature.blocks.contains(entry.getKey())) ||
        llvm::is_contained(signature.getFeatureAxes(), entry.getKey());
    bool isGiven =
        shape.starts.contains(entry.getKey()) || (entry.getKey() == "B" && shape.isPacked());
    if (isGiven)
      return llvm::createStringError("--shape: --cu-seqlens gives " + entry.getKey() + " already");
    if (isAxis)
      shape.sizes[entry.getKey()] = entry.second;
    else if (entry.getKey() == "B")
      shape.batch = entry.second;
    else if (entry.getKey() == "H")
      shape.heads = entry.second;
    else
      return llvm::createStringError("--shape: '" + signature.mixer + "' has no axis " +
                                     entry.getKey());
  }
  if (Error error = completeSizes(signature, shape.sizes, "--shape"))
    return std::move(error);
  return shape;
}

Option mix::mixc::getRangeOption() {
  return {"range", Option::Assignments, "name=LOW:HIGH ...", "draw an input uniformly"};
}

Expected<llvm::StringMap<Distribution>> mix::mixc::parseRanges(const Arguments &arguments,
                                                               const Signature &signature) {
  llvm::StringMap<Distribution> ranges;
  for (const auto &[name, text] : arguments.getAssignments("range")) {
    if (!signature.findInput(name))
      return llvm::createStringError("--range: '" + signature.mixer + "' has no input '" + name +
                                     "'");
    Expected<Distribution> range = parseRange(name, text);
    if (!range)
      return range.takeError();
    ranges[name] = *range;
  }
  return ranges;
}
