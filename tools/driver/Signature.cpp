//===- Signature.cpp - What a mixer takes and gives -------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Signature.h"
#include "dialect/Axes.h"
#include "dialect/Mix.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mix;
using namespace mix::driver;

llvm::StringRef mix::driver::getKindName(ArgumentKind kind) {
  static constexpr llvm::StringRef names[] = {"input", "param", "output", "state"};
  return names[static_cast<int>(kind)];
}

static const Argument *findByName(llvm::ArrayRef<Argument> arguments, llvm::StringRef name) {
  auto found = llvm::find_if(arguments, [&](const Argument &arg) { return arg.name == name; });
  return found == arguments.end() ? nullptr : found;
}

const Argument *Signature::findInput(llvm::StringRef name) const {
  return findByName(inputs, name);
}
const Argument *Signature::findOutput(llvm::StringRef name) const {
  return findByName(outputs, name);
}
const Argument *Signature::findState(llvm::StringRef name) const {
  return findByName(states, name);
}

llvm::SmallVector<std::string, 4> Signature::getFeatureAxes() const {
  llvm::SmallVector<std::string, 4> axes;
  for (llvm::ArrayRef<Argument> group :
       {llvm::ArrayRef<Argument>(inputs), llvm::ArrayRef<Argument>(outputs),
        llvm::ArrayRef<Argument>(states)})
    for (const Argument &arg : group)
      for (const std::string &axis : arg.axes)
        if (!isTokenAxis(axis) && !llvm::is_contained(axes, axis))
          axes.push_back(axis);
  return axes;
}

llvm::SmallVector<llvm::StringRef, 2> Signature::getTokenAxes(const Argument &arg) const {
  llvm::SmallVector<llvm::StringRef, 2> axes;
  for (llvm::StringRef axis : arg.axes)
    if (isTokenAxis(axis))
      axes.push_back(axis);
  return axes;
}

static Argument getArgument(DictionaryAttr attributes, Type type) {
  auto getString = [&](llvm::StringRef name) {
    auto attribute = attributes ? attributes.getAs<StringAttr>(name) : StringAttr();
    return attribute ? attribute.getValue() : llvm::StringRef();
  };
  Argument result;
  result.name = getString("mix.name").str();
  llvm::StringRef kind = getString("mix.kind");
  result.kind = kind == "param"    ? ArgumentKind::Param
                : kind == "output" ? ArgumentKind::Output
                : kind == "state"  ? ArgumentKind::State
                                   : ArgumentKind::Input;
  result.isInteger = getElementTypeOrSelf(type).isInteger();
  for (llvm::StringRef axis : getAxes(type))
    result.axes.push_back(axis.str());
  return result;
}

static void collectTokenAxes(func::FuncOp mixer, Signature &signature) {
  mixer.walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](ForOp loop) { signature.tokenAxes.insert(loop.getSpace()); })
        .Case([&](IotaOp iota) {
          for (llvm::StringRef axis : getAxes(iota.getResult()))
            signature.tokenAxes.insert(getSpace(axis));
        })
        .Case([&](PrefixOp prefix) { signature.tokenAxes.insert(getSpace(prefix.getAxis())); })
        .Case([&](ReadOp read) {
          for (llvm::StringRef axis : read.getAxes().getAsValueRange<StringAttr>())
            signature.tokenAxes.insert(getSpace(axis));
        });
  });
}

Signature mix::driver::getSignature(func::FuncOp mixer) {
  Signature signature;
  signature.mixer = mixer.getName().str();
  for (unsigned n = 0; n < mixer.getNumArguments(); ++n)
    signature.inputs.push_back(getArgument(mixer.getArgAttrDict(n), mixer.getArgumentTypes()[n]));
  for (unsigned n = 0; n < mixer.getNumResults(); ++n) {
    Argument result = getArgument(mixer.getResultAttrDict(n), mixer.getResultTypes()[n]);
    bool isState = result.kind == ArgumentKind::State;
    (isState ? signature.states : signature.outputs).push_back(std::move(result));
  }
  collectTokenAxes(mixer, signature);
  // A state has a fixed size, so its axes are feature axes, however they are walked.
  for (const Argument &state : signature.states)
    for (llvm::StringRef axis : state.axes)
      signature.tokenAxes.erase(axis);
  if (auto blocks = mixer->getAttrOfType<DictionaryAttr>("mix.blocks"))
    for (NamedAttribute entry : blocks) {
      auto base = dyn_cast<ArrayAttr>(entry.getValue());
      if (!base || base.size() != 2)
        continue;
      auto space = dyn_cast<StringAttr>(base[0]);
      auto size = dyn_cast<IntegerAttr>(base[1]);
      if (!space || !size)
        continue;
      signature.blocks[entry.getName()] = {space.str(), size.getInt()};
      signature.tokenAxes.insert(entry.getName());
    }
  for (llvm::MutableArrayRef<Argument> group : {llvm::MutableArrayRef<Argument>(signature.inputs),
                                                llvm::MutableArrayRef<Argument>(signature.outputs),
                                                llvm::MutableArrayRef<Argument>(signature.states)})
    for (Argument &arg : group)
      arg.tokensFirst = !arg.axes.empty() && signature.isTokenAxis(arg.axes.front());
  return signature;
}
