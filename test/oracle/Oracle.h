//===- Oracle.h - Mixers as plain recurrences -------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An independent statement of what each example mixer computes: loops in double
// precision, written from the papers that the functions name. Shares no code with the
// compiler and does not depend on LLVM.
//
// Conventions: one head; T tokens, states of K x V, outputs S^T q; log decays are
// natural logarithms; softmax over an empty set is 0.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_ORACLE_H
#define MIXWRIGHT_TEST_ORACLE_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace oracle {

/// A row-major tensor of up to three dimensions.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> data;

  double &operator()() { return data[0]; }
  double &operator()(int64_t i) { return data[i]; }
  double &operator()(int64_t i, int64_t j) { return data[i * shape[1] + j]; }
  double &operator()(int64_t i, int64_t j, int64_t k) {
    return data[(i * shape[1] + j) * shape[2] + k];
  }
};

/// One call of a mixer: its arguments, and room for what it computes. States are
/// the initial ones before the call and the final ones after it.
struct Call {
  std::map<std::string, int64_t> sizes;
  std::map<std::string, Tensor> inputs, outputs, states;

  int64_t size(const char *axis) const { return sizes.at(axis); }
  Tensor &in(const char *name) { return inputs.at(name); }
  Tensor &out(const char *name) { return outputs.at(name); }
  Tensor &state(const char *name) { return states.at(name); }
};

/// How random values of an argument are drawn, so that the mixer stays in the
/// range it is made for.
enum class Draw {
  Normal,   // N(0, 1)
  Unit,     // N(0, 1), the last axis scaled to length 1: keys of the delta rule
  LogDecay, // uniform in (-2, 0)
  Fraction, // uniform in (0, 1): beta, forget gates, learning rates
  Positive, // uniform in (0.1, 1): step sizes
  Document, // whole numbers that grow along the axis: 0 0 0 1 1 ...
};

struct Argument {
  const char *name;
  std::vector<std::string> axes;
  Draw draw = Draw::Normal;
  /// Of a state: every element of the initial value that the spec declares, or the
  /// input that it is.
  double initial = 0.0;
  const char *initialInput = nullptr;
};

/// What a mixer of `examples/` takes and computes.
struct Mixer {
  const char *name; // of the mixer, and of its file without `.mix`
  std::vector<Argument> inputs, outputs, states;
  /// Options that differ from the example's defaults, so that small problems
  /// reach every case of the mixer: {"window", "17"}.
  std::map<std::string, std::string> settings;
  void (*run)(Call &call);
  /// Sizes of token axes that this mixer needs besides T and L.
  std::map<std::string, int64_t> sizes = {};
  /// Whether a sequence may be cut anywhere. Not where a position counts from the
  /// start of the sequence.
  bool canBeCut = true;
};

/// Every mixer that has an oracle.
const std::vector<Mixer> &mixers();

/// A call with random inputs and zeroed outputs. The states are random too if
/// `givesStates`, else the spec's initial ones.
Call draw(const Mixer &mixer, const std::map<std::string, int64_t> &sizes, bool givesStates,
          uint64_t seed);

// Oracle functions by kind; Oracle.cpp lists them.
std::vector<Mixer> attentionMixers();
std::vector<Mixer> matrixStateMixers();
std::vector<Mixer> scanMixers();

} // namespace oracle

#endif // MIXWRIGHT_TEST_ORACLE_H
