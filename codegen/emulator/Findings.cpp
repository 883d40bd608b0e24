//===- Findings.cpp - What the emulator has to say about a launch -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Findings.h"
#include <algorithm>

using namespace mix::emu;

const char *mix::emu::getName(FindingKind kind) {
  switch (kind) {
  case FindingKind::Race:
    return "race";
  case FindingKind::Uninitialised:
    return "uninitialised read";
  case FindingKind::InFlight:
    return "in flight";
  case FindingKind::OutOfBounds:
    return "out of bounds";
  case FindingKind::Misaligned:
    return "misaligned";
  case FindingKind::Divergence:
    return "divergence";
  case FindingKind::Deadlock:
    return "deadlock";
  case FindingKind::LeftInFlight:
    return "left in flight";
  case FindingKind::Invalid:
    return "invalid";
  }
  return "";
}

std::string mix::emu::toString(const Finding &finding) {
  std::string text = std::string(getName(finding.kind)) + ": " + finding.message + " [" +
                     finding.location + ", block (" + std::to_string(finding.block.x) + "," +
                     std::to_string(finding.block.y) + "," + std::to_string(finding.block.z) + ")";
  if (finding.count > 1)
    text += ", " + std::to_string(finding.count) + " times";
  return text + "]";
}

void FindingList::add(Finding finding) {
  auto same = std::find_if(findings.begin(), findings.end(), [&](const Finding &known) {
    return known.kind == finding.kind && known.location == finding.location;
  });
  if (same == findings.end())
    findings.push_back(std::move(finding));
  else
    ++same->count;
}
