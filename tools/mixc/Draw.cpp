//===- Draw.cpp - mixc draw -------------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Draw.h"
#include "tools/mixc/Commands.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;

static Expected<int> draw(const Arguments &arguments) {
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  const Signature &signature = (*spec)->getSignature();
  Expected<CallShape> shape = parseShape(arguments, signature);
  if (!shape)
    return shape.takeError();
  Expected<ElementType> type = parseType(arguments);
  if (!type)
    return type.takeError();
  Expected<int64_t> seed = arguments.getNumber("seed", 1, 0);
  if (!seed)
    return seed.takeError();
  auto ranges = parseRanges(arguments, signature);
  if (!ranges)
    return ranges.takeError();
  Expected<DrawPlan> plan = planInputs(**spec, shortenTokens(signature, shape->sizes), *ranges);
  if (!plan)
    return plan.takeError();
  Call call = drawCall(signature, *shape, *plan, arguments.has("states"), *seed);

  llvm::StringRef directory = arguments.get("output", ".");
  if (std::error_code code =
          llvm::sys::fs::create_directories(directory, true, llvm::sys::fs::perms::all_all))
    return llvm::createStringError("cannot make '" + directory + "': " + code.message());
  auto write = [&](const TensorMap &tensors, llvm::StringRef suffix) -> Error {
    for (auto &entry : tensors) {
      llvm::SmallString<128> path(arguments.get("output"));
      llvm::sys::path::append(path, entry.getKey() + suffix + ".npy");
      ElementType own = entry.second.getType();
      if (Error error = writeNpy(path, entry.second.convertTo(isReal(own) ? *type : own)))
        return error;
      llvm::outs() << path << ' ' << formatShape(entry.second.getShape()) << '\n';
    }
    return Error::success();
  };
  if (Error error = write(call.inputs, ""))
    return std::move(error);
  if (Error error = write(call.states, ".state"))
    return std::move(error);
  std::string restricted = plan->describe();
  llvm::outs() << "drawn from N(0, 1)" << (restricted.empty() ? "" : " except " + restricted)
               << '\n';
  return 0;
}

Command mix::mixc::getDrawCommand() {
  return {"draw",
          {"FILE.mix"},
          "write random tensors for a mixer to .npy files",
          "One file NAME.npy per input and param, with batch and heads, such that the definition\n"
          "behaves: numbers are N(0, 1) unless it explodes on those.",
          "mixc draw examples/gated_delta_rule.mix --shape B=2,H=8,T=1024,K=64,V=64 --output data",
          {getShapeOption(),
           getPackingOption(),
           {"output", Option::Value, "DIR", "where to (default: here)"},
           getTypeOption(),
           {"seed", Option::Value, "N", "another seed gives other numbers (default: 1)"},
           {"states", Option::Flag, "", "initial states too, NAME.state.npy"},
           getRangeOption(),
           getSetOption(),
           getMixerOption()},
          draw};
}
