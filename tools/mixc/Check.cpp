//===- Check.cpp - mixc check -----------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Chips.h"
#include "codegen/GpuChips.h"
#include "tools/mixc/Checks.h"
#include "tools/mixc/Commands.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace json = llvm::json;

//===----------------------------------------------------------------------===//
// As text
//===----------------------------------------------------------------------===//

static void printForm(const CheckedForm &form, llvm::raw_ostream &os) {
  os << llvm::formatv("{0,-10} {1,-8} ", getFormName(form.form), getTypeName(form.types.type));
  if (!form.notDerived.empty()) {
    os << "not derived: " << form.notDerived << '\n';
    return;
  }
  std::string share = std::to_string(form.countPassed()) + "/" + std::to_string(form.cases.size());
  os << llvm::formatv("{0,-7}", share);
  if (const CheckedCase *worst = form.findWorst(); worst && worst->failure.empty()) {
    os << llvm::format(" %-12.1e", worst->comparison.error);
    if (worst->comparison.error > 0)
      os << ' ' << worst->name << ", " << worst->sizes << ", " << worst->comparison.worst;
  }
  os << '\n';
}

static void printFailures(const CheckedForm &form, llvm::raw_ostream &os) {
  for (const CheckedCase &one : form.cases) {
    if (one.passed)
      continue;
    os << "FAIL " << getFormName(form.form) << ' ' << getTypeName(form.types.type) << ' '
       << one.name << ", " << one.sizes << ": ";
    if (one.failure.empty())
      os << one.comparison.worst << " has error " << llvm::format("%.1e", one.comparison.error)
         << ", allowed " << llvm::format("%.1e", one.comparison.allowed) << '\n';
    else
      os << one.failure << '\n';
  }
}

static void printReport(const CheckReport &report, llvm::raw_ostream &os) {
  std::string restricted = report.plan.describe();
  os << report.mixer << ": inputs N(0, 1)" << (restricted.empty() ? "" : " except " + restricted)
     << '\n';
  if (!report.plan.isSane)
    os << "warning: the definition is ill-conditioned on these inputs, so forms may differ by "
          "more than\n  they should; give ranges that make sense: --range name=low:high\n";
  if (report.canBeCut == false)
    os << "not cut in two: the definition looks at more than its states and its own tokens\n";
  os << "\nform       dtype    passed  worst error  where\n";
  for (const CheckedForm &form : report.forms)
    printForm(form, os);
  std::vector<std::string> notes;
  for (const CheckedForm &form : report.forms)
    for (const std::string &note : form.notes)
      if (!llvm::is_contained(notes, note))
        notes.push_back(note);
  os << '\n';
  for (const std::string &note : notes)
    os << "note: " << note << '\n';
  for (const CheckedForm &form : report.forms)
    printFailures(form, os);
  os << report.countPassed() << " passed, " << report.countFailed() << " failed\n";
}

//===----------------------------------------------------------------------===//
// As JSON (docs/json.md)
//===----------------------------------------------------------------------===//

/// JSON has no infinity: an error that is none is given as null.
static json::Value toJson(double number) {
  return std::isfinite(number) ? json::Value(number) : json::Value(nullptr);
}

static json::Object toJson(const CheckedForm &form) {
  json::Array cases;
  for (const CheckedCase &one : form.cases)
    cases.push_back(json::Object{{"name", one.name},
                                 {"sizes", one.sizes},
                                 {"passed", one.passed},
                                 {"error", toJson(one.comparison.error)},
                                 {"allowed", toJson(one.comparison.allowed)},
                                 {"worst", one.comparison.worst},
                                 {"failure", one.failure}});
  return json::Object{
      {"form", getFormName(form.form)},     {"dtype", getTypeName(form.types.type)},
      {"derived", form.notDerived.empty()}, {"reason", form.notDerived},
      {"notes", json::Array(form.notes)},   {"tolerance", getTolerance(form.types.type)},
      {"passed", form.countPassed()},       {"failed", form.countFailed()},
      {"cases", std::move(cases)}};
}

static void printJson(const CheckReport &report, llvm::raw_ostream &os) {
  json::Array forms;
  for (const CheckedForm &form : report.forms)
    forms.push_back(toJson(form));
  json::Value cut = report.canBeCut ? json::Value(*report.canBeCut) : json::Value(nullptr);
  json::Object object{{"mixer", report.mixer},
                      {"inputs", report.plan.describe()},
                      {"well_conditioned", report.plan.isSane},
                      {"can_be_cut", std::move(cut)},
                      {"forms", std::move(forms)},
                      {"passed", report.countPassed()},
                      {"failed", report.countFailed()}};
  os << llvm::formatv("{0:2}", json::Value(std::move(object))) << '\n';
}

/// A chip or a GPU of this machine, or "emu:" and a GPU.
static Error parseTarget(const Arguments &arguments, CheckOptions &options) {
  StringRef target = arguments.get("target", "native");
  if (Gpu::isTarget(target)) {
    Expected<std::unique_ptr<Gpu>> gpu = Gpu::open(target);
    if (!gpu)
      return gpu.takeError();
    options.gpu = std::move(*gpu);
    options.chip = options.gpu->getChip().str();
    return Error::success();
  }
  options.isEmulated = target.consume_front("emu:");
  options.chip = target.str();
  Expected<int64_t> schedules = arguments.getNumber("schedules", 1, 1);
  if (!schedules)
    return schedules.takeError();
  options.schedules = *schedules;
  if (options.isEmulated && !findGpuChip(target))
    return createStringError("--target: unknown GPU '" + target + "', expected one of " +
                             getGpuChipNames());
  if (!options.isEmulated)
    if (Expected<Chip> chip = findHostChip(target); !chip)
      return createStringError("--target: " + toString(chip.takeError()));
  return Error::success();
}

/// All element types that the target has, or the one of --dtype.
static Expected<llvm::SmallVector<TensorTypes>> chooseTypes(const Arguments &arguments,
                                                            bool isForGpu) {
  llvm::SmallVector<TensorTypes> types;
  bool isFree = !arguments.has("dtype") && !arguments.has("state-dtype");
  if (isFree && isForGpu) // GPU kernels compute in float32.
    return llvm::SmallVector<TensorTypes>{ElementType::F32, ElementType::BF16, ElementType::F16};
  if (isFree)
    return llvm::SmallVector<TensorTypes>{ElementType::F32, ElementType::F64, ElementType::BF16,
                                          ElementType::F16};
  Expected<TensorTypes> one = parseTypes(arguments, ElementType::F32);
  if (!one)
    return one.takeError();
  return llvm::SmallVector<TensorTypes>{*one};
}

static Expected<int> check(const Arguments &arguments) {
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  CheckOptions options;
  Expected<SizeMap> sizes = arguments.getNumbers("size");
  if (!sizes)
    return sizes.takeError();
  options.sizes = std::move(*sizes);
  auto ranges = parseRanges(arguments, (*spec)->getSignature());
  if (!ranges)
    return ranges.takeError();
  options.ranges = std::move(*ranges);
  Expected<int64_t> threads = parseThreads(arguments);
  if (!threads)
    return threads.takeError();
  options.threads = *threads;
  if (Error error = parseTarget(arguments, options))
    return std::move(error);
  Expected<llvm::SmallVector<TensorTypes>> types = chooseTypes(arguments, options.isForGpu());
  if (!types)
    return types.takeError();
  options.types = std::move(*types);
  Expected<CheckReport> report = runChecks(**spec, options);
  if (!report)
    return report.takeError();
  if (arguments.has("json"))
    printJson(*report, llvm::outs());
  else
    printReport(*report, llvm::outs());
  return report->countFailed() == 0 ? 0 : 1;
}

Command mix::mixc::getCheckCommand() {
  return {
      "check",
      {"FILE.mix"},
      "compare every form of a mixer with its definition",
      "Derives every form, compiles it for this machine in every element type, and runs it on\n"
      "random inputs at lengths from 0 to several chunks, odd feature sizes, several batches and\n"
      "heads, with and without initial states, cut in two, and packed (each sequence with the\n"
      "bits that it has alone). Prints a table that ends in\n"
      "`N passed, N failed`; the exit status is 1 if any failed. A form that cannot be derived is\n"
      "listed with the reason and is no failure. Inputs are N(0, 1) unless the definition itself\n"
      "explodes on those; then some are drawn smaller, negative, or in (0, 1), and it says so.\n"
      "With --target emu:CHIP the kernels are those of a GPU and run on an emulator that finds\n"
      "races, wrong addresses and missing barriers too (docs/emulator.md). With --target cuda or\n"
      "hip they run on a GPU of this machine.",
      "mixc check examples/gated_delta_rule.mix --range g=-1:0",
      {{"range", Option::Assignments, "name=LOW:HIGH ...", "draw an input uniformly"},
       {"dtype", Option::Value, "TYPE", "f32, f64, bf16 or f16 (default: all of them)"},
       getStateTypeOption(),
       {"size", Option::AssignmentCommas, "AXIS=N,...",
        "sizes of axes, but not of the sequences (default: two sets of odd ones)"},
       {"target", Option::Value, "CHIP",
        "of those that this machine runs: x86-64-v3, ...; or emu:sm_80, emu:gfx942, ...; or a\n"
        "GPU of this machine: cuda, hip, cuda:1"},
       {"schedules", Option::Value, "N", "of the emulator, for each call (default: 1)"},
       {"json", Option::Flag, "", "print JSON (docs/json.md)"},
       getSetOption(),
       getMixerOption(),
       getThreadsOption()},
      check};
}
