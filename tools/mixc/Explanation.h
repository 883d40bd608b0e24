//===- Explanation.h - What the compiler saw in a mixer ---------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_EXPLANATION_H
#define MIXWRIGHT_TOOLS_MIXC_EXPLANATION_H

#include "codegen/gpu/Report.h"
#include "tools/driver/Choose.h"
#include "tools/driver/Cost.h"
#include "tools/driver/Steps.h"

namespace mix::mixc {

/// One recurrence of the normal form.
struct StateExplanation {
  std::string names;      ///< "S", or "m, l" for states that need each other
  std::string className;  ///< "affine", "elementwise", "max-stabilised", "sequential"
  std::string decay;      ///< of an affine one: "none", "scalar", "per channel of K"
  std::string contracted; ///< the axes that its reads sum over: "K"
  int64_t rank = 0, writes = 0, queries = 0;
  std::string reason; ///< of a sequential one
  std::string place;  ///< "file.mix:4:5"
};

/// One reduction over tokens.
struct ReductionExplanation {
  std::string kind; ///< "streamed softmax", "sum over pairs", "prefix sum", "top-k"
  std::string over; ///< the index axes that are reduced, or walked by a prefix
  std::string place;
  std::optional<driver::MaskShape> mask;
};

struct PhaseExplanation {
  std::string name;
  std::string grid; ///< "1 task per head", "blocks of 64 of T"
  /// Products of two tiles, and those whose operands have 16 bits: inputs as they are, and
  /// weights of a softmax, rounded.
  int64_t products = 0, narrowProducts = 0;
};

/// The kernels of a GPU.
struct DeviceExplanation {
  std::string chip;
  std::vector<gpu::PhaseReport> phases;
  std::string reason; ///< Why there are none; else empty.
};

struct Explanation {
  std::string mixer;
  driver::SizeMap sizes;
  std::vector<StateExplanation> states;
  std::vector<ReductionExplanation> reductions;
  std::optional<driver::Form> form; ///< none: only the reference
  std::vector<std::string> reasons; ///< why no faster form
  std::vector<PhaseExplanation> phases;
  std::optional<DeviceExplanation> device;     ///< of the GPU that was asked about
  std::vector<driver::StepArgument> kept;      ///< of the step form: states and caches
  int64_t stateBytes = 0, workspaceBytes = 0;  ///< of one head
  double flopsPerToken = 0, bytesPerToken = 0; ///< of one head
  driver::ElementType type = driver::ElementType::F32;

  /// What the step form keeps of one head: in any case, and per token.
  int64_t countKeptBytes() const;
  int64_t countKeptBytesPerToken() const;
  double getIntensity() const { return flopsPerToken / bytesPerToken; }
};

/// The size of an axis that the mask pictures and tile classes are counted in.
constexpr int64_t explainedTile = 64;

/// Errors: the spec cannot be brought to its normal form.
llvm::Expected<Explanation> explain(driver::Spec &spec, const driver::SizeMap &sizes,
                                    driver::FormChoice wanted, driver::ElementType type);

/// Adds what the form is on a GPU, a row of codegen/GpuChips.h.
void explainDevice(driver::Spec &spec, llvm::StringRef chip, Explanation &result);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_EXPLANATION_H
