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

using namespace mix;

namespace {

/// A row, and what a host must have to run it.
struct Row {
  Chip chip;
  std::vector<const char *> needs;
};

const std::vector<Row> &getRows() {
  static const std::vector<Row> rows = {
      {{"x86-64-v4", "x86_64-unknown-linux-gnu", "x86-64-v4", "", 64, {8, 2}, {1, 8}, true, true},
       {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
      {{"x86-64-v3", "x86_64-unknown-linux-gnu", "x86-64-v3", "", 32, {4, 3}, {1, 8}, true, false},
       {"avx2", "fma", "bmi2", "f16c"}},
      {{"x86-64-v2", "x86_64-unknown-linux-gnu", "x86-64-v2", "", 16, {4, 3}, {1, 8}, false, false},
       {"sse4.2", "popcnt"}},
      {{"armv8-a",
        "aarch64-unknown-linux-gnu",
        "generic",
        "+neon",
        16,
        {6, 4},
        {1, 8},
        true,
        false},
       {"neon"}},
  };
  return rows;
}

/// The processor's own features in LLVM's syntax.
std::string getHostFeatures(const llvm::StringMap<bool> &features) {
  std::vector<std::string> enabled;
  for (const auto &feature : features)
    enabled.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(enabled);
  return llvm::join(enabled, ",");
}

llvm::Expected<Chip> findNativeChip() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  llvm::Triple host(llvm::sys::getProcessTriple());
  for (const Row &row : getRows()) {
    bool runs =
        llvm::Triple(row.chip.triple).getArch() == host.getArch() &&
        llvm::all_of(row.needs, [&](const char *feature) { return features.lookup(feature); });
    if (!runs)
      continue;
    Chip chip = row.chip;
    chip.triple = host.str();
    chip.cpu = llvm::sys::getHostCPUName().str();
    chip.features = getHostFeatures(features);
    return chip;
  }
  return llvm::createStringError("no chip of the table runs on this machine (%s)",
                                 host.str().c_str());
}

} // namespace

llvm::ArrayRef<Chip> mix::getChips() {
  static const std::vector<Chip> chips = [] {
    std::vector<Chip> all;
    for (const Row &row : getRows())
      all.push_back(row.chip);
    return all;
  }();
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
