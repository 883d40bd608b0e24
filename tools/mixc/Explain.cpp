//===- Explain.cpp - mixc explain -------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/GpuChips.h"
#include "tools/driver/MachinePeak.h"
#include "tools/mixc/Commands.h"
#include "tools/mixc/Explanation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <thread>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace json = llvm::json;

/// What this machine can do per byte that it moves.
static double measureBalance(ElementType type) {
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return measureFmaPeak(type, threads) / StreamBandwidth(threads).measure();
}

static std::string formatSizes(const SizeMap &sizes) {
  llvm::SmallVector<std::string> parts;
  for (auto &entry : sizes)
    parts.push_back((entry.getKey() + "=" + llvm::Twine(entry.second)).str());
  llvm::sort(parts);
  return llvm::join(parts, ", ");
}

//===----------------------------------------------------------------------===//
// As text
//===----------------------------------------------------------------------===//

static void printState(const StateExplanation &state, llvm::raw_ostream &os) {
  // A sum over tokens with separable weights has no name.
  os << (state.names.empty() ? "running sum" : "state " + state.names) << ": " << state.className;
  if (state.className == "affine") {
    os << ", decay " << state.decay << ", " << state.writes
       << (state.writes == 1 ? " write" : " writes") << ", ";
    if (state.rank == 0)
      os << "no reads (writes do not depend on the state)";
    else
      os << "rank " << state.rank << " (writes read the state)";
    os << ", read by contracting " << state.contracted;
  }
  os << " [" << state.place << "]\n";
  if (!state.reason.empty())
    os << "  because " << state.reason << '\n';
}

static void printReduction(const ReductionExplanation &reduction, llvm::raw_ostream &os) {
  os << reduction.kind << " over " << reduction.over << " [" << reduction.place << "]\n";
  if (!reduction.mask)
    return;
  const MaskShape &mask = *reduction.mask;
  os << "  mask: holds for " << (mask.looksAtData ? "what the data says, at most " : "")
     << llvm::format("%.1f", 100 * mask.holds) << " % of all pairs";
  if (mask.emptyTiles)
    os << "; tiles of " << explainedTile << " x " << explainedTile << ": "
       << llvm::format("%.1f %% empty, %.1f %% full, %.1f %% partial", 100 * *mask.emptyTiles,
                       100 * *mask.fullTiles, 100 * (1 - *mask.emptyTiles - *mask.fullTiles));
  os << '\n';
}

static std::string formatAxes(const StepArgument &argument) {
  llvm::SmallVector<std::string> parts;
  for (auto [axis, size] : llvm::zip(argument.axes, argument.sizes))
    parts.push_back(size < 0 ? axis : axis + "=" + std::to_string(size));
  return "[" + llvm::join(parts, ", ") + "]";
}

static void printKept(const Explanation &e, llvm::raw_ostream &os) {
  os << "\nkept between calls, per head\n";
  for (const StepArgument &argument : e.kept) {
    os << "  " << argument.kind << ' ' << argument.name << ' ' << formatAxes(argument) << ": "
       << argument.bytes << " bytes";
    if (argument.kind == "cache") {
      os << " per token";
      if (argument.window > 0)
        os << ", of the last " << argument.window;
      if (!argument.sources.empty())
        os << ", made of " << llvm::join(argument.sources, ", ");
    }
    os << '\n';
  }
  os << "  per sequence and head: " << e.countKeptBytes() << " bytes";
  if (int64_t bytes = e.countKeptBytesPerToken())
    os << ", and " << bytes << " bytes per token";
  os << '\n';
}

static void printDevice(const DeviceExplanation &device, llvm::raw_ostream &os) {
  os << "\non " << device.chip << '\n';
  if (!device.reason.empty())
    os << "  no kernels: " << device.reason << '\n';
  for (const gpu::PhaseReport &phase : device.phases) {
    os << "  phase " << phase.name << ": blocks of " << phase.threads << " threads, "
       << phase.sharedBytes << " bytes of shared memory";
    if (phase.carriedRegisters > 0)
      os << ", " << phase.carriedRegisters << " registers of a thread go from round to round";
    os << '\n';
    for (const gpu::ProductReport &product : phase.products) {
      os << "    " << product.count << (product.count == 1 ? " product" : " products") << " by "
         << product.instruction;
      if (product.rounded > 0)
        os << "; a computed factor of " << product.rounded << " is rounded to 16 bits";
      os << '\n';
    }
    if (phase.roundBytes > 0)
      os << llvm::format(
          "    a round of its main loop: %lld bytes of tensors, %lld FLOP in "
          "products, %.2f bytes per 1000 FLOP\n",
          static_cast<long long>(phase.roundBytes), static_cast<long long>(phase.roundFlops),
          1e3 * static_cast<double>(phase.roundBytes) / static_cast<double>(phase.roundFlops));
  }
}

static void printText(const Explanation &e, std::optional<double> balance, llvm::raw_ostream &os) {
  os << e.mixer << " at " << formatSizes(e.sizes) << " in " << getTypeName(e.type) << "\n\n";
  for (const StateExplanation &state : e.states)
    printState(state, os);
  for (const ReductionExplanation &reduction : e.reductions)
    printReduction(reduction, os);
  if (e.states.empty() && e.reductions.empty())
    os << "no information moves between tokens\n";

  os << "\nform: " << (e.form ? getFormName(*e.form) : "reference only") << '\n';
  for (const std::string &reason : e.reasons)
    os << "  " << reason << '\n';
  for (const PhaseExplanation &phase : e.phases)
    os << "  phase " << phase.name << ": " << phase.grid << '\n';
  for (const PhaseExplanation &phase : e.phases)
    if (getComputeType(e.type) != e.type && phase.products > 0)
      os << "  phase " << phase.name << ": operands of " << getTypeName(e.type) << " in "
         << phase.narrowProducts << " of " << phase.products
         << " products (inputs as they are, weights of a softmax rounded), else float32\n";
  if (e.form && goesOn(*e.form))
    printKept(e, os);
  if (e.device)
    printDevice(*e.device, os);
  os << llvm::format("\nper head: state %lld bytes, workspace %lld bytes\n",
                     static_cast<long long>(e.stateBytes),
                     static_cast<long long>(e.workspaceBytes));
  os << llvm::format("per token and head: %.0f FLOP by the definition, %.0f bytes of tensors, "
                     "%.2f FLOP/byte\n",
                     e.flopsPerToken, e.bytesPerToken, e.getIntensity());
  if (balance)
    os << llvm::format("this machine does %.1f FLOP in the time that it moves a byte: ", *balance)
       << (e.getIntensity() > *balance ? "arithmetic is the limit\n" : "memory is the limit\n");
}

//===----------------------------------------------------------------------===//
// As JSON (docs/json.md)
//===----------------------------------------------------------------------===//

static json::Object toJson(const StateExplanation &state) {
  return json::Object{
      {"names", state.names},           {"class", state.className}, {"decay", state.decay},
      {"contracted", state.contracted}, {"rank", state.rank},       {"writes", state.writes},
      {"queries", state.queries},       {"reason", state.reason},   {"place", state.place}};
}

static json::Object toJson(const ReductionExplanation &reduction) {
  json::Object object{
      {"kind", reduction.kind}, {"over", reduction.over}, {"place", reduction.place}};
  if (!reduction.mask)
    return object;
  object["mask_holds"] = reduction.mask->holds;
  object["mask_looks_at_data"] = reduction.mask->looksAtData;
  if (reduction.mask->emptyTiles) {
    object["empty_tiles"] = *reduction.mask->emptyTiles;
    object["full_tiles"] = *reduction.mask->fullTiles;
  }
  return object;
}

static json::Object toJson(const StepArgument &argument) {
  json::Object object{{"kind", argument.kind},
                      {"name", argument.name},
                      {"axes", json::Array(argument.axes)},
                      {"sizes", json::Array(argument.sizes)},
                      {"bytes", argument.bytes}};
  if (argument.kind == "cache") {
    object["window"] = argument.window > 0 ? json::Value(argument.window) : json::Value(nullptr);
    object["sources"] = json::Array(argument.sources);
  }
  return object;
}

static json::Object toJson(const gpu::PhaseReport &phase) {
  json::Array products;
  for (const gpu::ProductReport &product : phase.products)
    products.push_back(json::Object{{"instruction", product.instruction},
                                    {"count", product.count},
                                    {"rounded", product.rounded}});
  return json::Object{{"name", phase.name},
                      {"threads", phase.threads},
                      {"shared_bytes", phase.sharedBytes},
                      {"carried_registers", phase.carriedRegisters},
                      {"products", std::move(products)},
                      {"round_bytes", phase.roundBytes},
                      {"round_flops", phase.roundFlops}};
}

static json::Object toJson(const DeviceExplanation &device) {
  json::Array phases;
  for (const gpu::PhaseReport &phase : device.phases)
    phases.push_back(toJson(phase));
  return json::Object{
      {"chip", device.chip}, {"phases", std::move(phases)}, {"reason", device.reason}};
}

static void printJson(const Explanation &e, std::optional<double> balance, llvm::raw_ostream &os) {
  json::Array states, reductions, phases;
  for (const StateExplanation &state : e.states)
    states.push_back(toJson(state));
  for (const ReductionExplanation &reduction : e.reductions)
    reductions.push_back(toJson(reduction));
  for (const PhaseExplanation &phase : e.phases)
    phases.push_back(json::Object{{"name", phase.name},
                                  {"grid", phase.grid},
                                  {"products", phase.products},
                                  {"narrow_products", phase.narrowProducts}});
  json::Object sizes;
  for (auto &entry : e.sizes)
    sizes[entry.getKey()] = entry.second;
  json::Object object{{"mixer", e.mixer},
                      {"sizes", std::move(sizes)},
                      {"dtype", getTypeName(e.type)},
                      {"states", std::move(states)},
                      {"reductions", std::move(reductions)},
                      {"form", e.form ? getFormName(*e.form) : "reference"},
                      {"reasons", json::Array(e.reasons)},
                      {"phases", std::move(phases)},
                      {"state_bytes", e.stateBytes},
                      {"workspace_bytes", e.workspaceBytes},
                      {"flops_per_token", e.flopsPerToken},
                      {"bytes_per_token", e.bytesPerToken},
                      {"intensity", e.getIntensity()},
                      {"machine_balance", balance}};
  if (e.device)
    object["device"] = toJson(*e.device);
  if (e.form && goesOn(*e.form)) {
    json::Array kept;
    for (const StepArgument &argument : e.kept)
      kept.push_back(toJson(argument));
    object["kept"] = std::move(kept);
    object["kept_bytes"] = e.countKeptBytes();
    object["kept_bytes_per_token"] = e.countKeptBytesPerToken();
  }
  os << llvm::formatv("{0:2}", json::Value(std::move(object))) << '\n';
}

/// The user's sizes; 1024 tokens and 64 of every feature where nothing is said.
static Expected<SizeMap> chooseSizes(const Arguments &arguments, const Signature &signature) {
  Expected<SizeMap> sizes = arguments.getNumbers("size");
  if (!sizes)
    return sizes.takeError();
  for (StringRef axis : signature.tokenAxes.keys())
    if (!signature.blocks.contains(axis))
      sizes->try_emplace(axis, 1024);
  for (const std::string &axis : signature.getFeatureAxes())
    sizes->try_emplace(axis, 64);
  if (Error error = completeSizes(signature, *sizes))
    return std::move(error);
  return sizes;
}

static Expected<int> explainFile(const Arguments &arguments) {
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  Expected<SizeMap> sizes = chooseSizes(arguments, (*spec)->getSignature());
  if (!sizes)
    return sizes.takeError();
  Expected<FormChoice> wanted = parseForm(arguments.get("form", "auto"));
  if (!wanted)
    return wanted.takeError();
  Expected<ElementType> type = parseType(arguments);
  if (!type)
    return type.takeError();
  Expected<Explanation> explanation = mixc::explain(**spec, *sizes, *wanted, *type);
  if (!explanation)
    return explanation.takeError();
  if (StringRef target = arguments.get("target", ""); !target.empty()) {
    if (!findGpuChip(target))
      return llvm::createStringError("--target: expected a GPU, one of " + getGpuChipNames() +
                                     ", got '" + target + "'");
    explainDevice(**spec, target, *explanation);
  }
  // About another machine, what this one does says nothing.
  std::optional<double> balance;
  if (!explanation->device)
    balance = measureBalance(*type);
  if (arguments.has("json"))
    printJson(*explanation, balance, llvm::outs());
  else
    printText(*explanation, balance, llvm::outs());
  return 0;
}

Command mix::mixc::getExplainCommand() {
  return {
      "explain",
      {"FILE.mix"},
      "say what the compiler saw: classes, forms, costs",
      "For every state: the class that was derived, its decay, and how many reads its writes\n"
      "depend on (the rank). For every reduction over tokens: how it runs, and how its mask\n"
      "falls into tiles. Then the form, its phases, memory, and which limit of this machine it\n"
      "meets. A recurrence that runs token by token is listed with the line that makes it so.\n"
      "--form step lists what must be kept between calls: states, and caches with the bytes that\n"
      "each token adds. --target says what the kernels of a GPU are: the instructions of "
      "products,\n"
      "what they round, memory of a block, and bytes per FLOP.",
      "mixc explain examples/gated_delta_rule.mix --size T=4096,K=128,V=128",
      {{"size", Option::AssignmentCommas, "AXIS=N,...",
        "sizes of axes (default: 1024 tokens, 64 of others)"},
       {"form", Option::Value, "FORM", "auto (default), chunked, recurrent, step or prefill"},
       {"target", Option::Value, "CHIP", "a GPU to look at: sm_80, gfx942, ..."},
       getTypeOption(),
       {"json", Option::Flag, "", "print JSON (docs/json.md)"},
       getSetOption(),
       getMixerOption()},
      explainFile};
}
