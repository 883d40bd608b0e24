//===- Chips.cpp - The table of CPU instruction sets ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Chips.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mix;

/// The bit of a feature of x86-64; 0 if every processor has it, or no code uses it.
static uint64_t getX86Bit(llvm::StringRef feature) {
  static const llvm::StringMap<int> bits = {
#define MIXWRIGHT_X86_FEATURE(BIT, NAME, LEAF, REGISTER, REGISTER_BIT, STATE) {NAME, BIT},
#include "mixwright/x86_features.def"
  };
  auto bit = bits.find(feature);
  return bit == bits.end() ? 0 : uint64_t(1) << bit->second;
}

uint64_t mix::getNeeds(llvm::StringRef triple, llvm::StringRef cpu, llvm::StringRef features) {
  if (llvm::Triple(triple).getArch() != llvm::Triple::x86_64)
    return 0;
  llvm::StringMap<bool> enabled;
  auto set = [&](llvm::StringRef name, bool isOn) {
    enabled[name] = isOn;
    llvm::X86::updateImpliedFeatures(name, isOn, enabled);
  };
  llvm::SmallVector<llvm::StringRef> names;
  llvm::X86::getFeaturesForCPU(cpu, names);
  for (llvm::StringRef name : names)
    set(name, true);
  for (llvm::StringRef name : llvm::split(features, ','))
    if (name.starts_with("+") || name.starts_with("-"))
      set(name.drop_front(), name.front() == '+');
  uint64_t needs = 0;
  for (const auto &feature : enabled)
    if (feature.second)
      needs |= getX86Bit(feature.first());
  return needs;
}

static std::vector<Chip> makeChips() {
  constexpr const char *x86 = "x86_64-unknown-linux-gnu", *arm = "aarch64-unknown-linux-gnu";
  std::vector<Chip> chips = {
      {"avx512-bf16",
       x86,
       "x86-64-v4",
       "+avx512bf16",
       0,
       64,
       {8, 2},
       {1, 8},
       true,
       true,
       true,
       true},
      {"x86-64-v4", x86, "x86-64-v4", "", 0, 64, {8, 2}, {1, 8}, true, true, true, false},
      {"x86-64-v3", x86, "x86-64-v3", "", 0, 32, {4, 3}, {1, 8}, true, false, true, false},
      {"x86-64-v2", x86, "x86-64-v2", "", 0, 16, {4, 3}, {1, 8}, false, false, false, false},
      {"aarch64", arm, "generic", "+neon", 0, 16, {6, 4}, {1, 8}, true, false, true, false},
  };
  for (Chip &chip : chips)
    chip.needs = getNeeds(chip.triple, chip.cpu, chip.features);
  return chips;
}

/// The processor's own features in LLVM's syntax.
static std::string getHostFeatures() {
  std::vector<std::string> enabled;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    enabled.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(enabled);
  return llvm::join(enabled, ",");
}

namespace {

/// This machine, in LLVM's words.
struct Host {
  std::string triple = llvm::sys::getProcessTriple();
  std::string cpu = llvm::sys::getHostCPUName().str();
  std::string features = getHostFeatures();
  uint64_t has = mix::getNeeds(triple, cpu, features);
};

} // namespace

static const Host &getHost() {
  static const Host host;
  return host;
}

bool mix::runsOnHost(const Chip &chip) {
  const Host &host = getHost();
  return llvm::Triple(chip.triple).getArch() == llvm::Triple(host.triple).getArch() &&
         (chip.needs & ~host.has) == 0;
}

static llvm::Expected<Chip> findNativeChip() {
  const Host &host = getHost();
  for (const Chip &row : getChips())
    if (runsOnHost(row)) {
      Chip chip = row;
      chip.triple = host.triple;
      chip.cpu = host.cpu;
      chip.features = host.features;
      chip.needs = host.has;
      return chip;
    }
  return llvm::createStringError("no chip of the table runs on this machine (%s)",
                                 host.triple.c_str());
}

llvm::ArrayRef<Chip> mix::getChips() {
  static const std::vector<Chip> chips = makeChips();
  return chips;
}

llvm::Expected<Chip> mix::findChip(llvm::StringRef name) {
  if (name == "native")
    return findNativeChip();
  std::vector<std::string> known = {"native"};
  for (const Chip &chip : getChips()) {
    if (chip.name == name)
      return chip;
    known.push_back(chip.name);
  }
  return llvm::createStringError("unknown CPU target '%s'; known are %s", name.str().c_str(),
                                 llvm::join(known, ", ").c_str());
}

llvm::Expected<Chip> mix::findHostChip(llvm::StringRef name) {
  llvm::Expected<Chip> chip = findChip(name);
  if (chip && !runsOnHost(*chip))
    return llvm::createStringError("code for '%s' does not run on this machine",
                                   name.str().c_str());
  return chip;
}
