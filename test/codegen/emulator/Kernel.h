//===- Kernel.h - Kernels of tests of the emulator --------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_CODEGEN_EMULATOR_KERNEL_H
#define MIXWRIGHT_TEST_CODEGEN_EMULATOR_KERNEL_H

#include "codegen/emulator/Emulator.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include "gtest/gtest.h"
#include <random>
#include <set>

namespace mix::emu {

inline const std::string kNvptx = "target triple = \"nvptx64-nvidia-cuda\"\n";
inline const std::string kAmdgcn = "target triple = \"amdgcn-amd-amdhsa\"\n";

/// All legal executions that tests look at.
inline const std::vector<Schedule> kSchedules = {
    {Order::Forward, 0, false}, {Order::Forward, 0, true}, {Order::Reversed, 0, false},
    {Order::Random, 1, true},   {Order::Random, 2, false},
};

/// The program of a text in LLVM's assembly, or the error of loading it.
inline llvm::Expected<std::unique_ptr<Program>> load(const std::string &text,
                                                     const std::string &chip = "") {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  if (!module)
    return llvm::createStringError("line " + std::to_string(diagnostic.getLineNo()) + ": " +
                                   diagnostic.getMessage());
  return Program::load(*module, chip);
}

/// Device memory, the parameters that point to it, and a launch.
class Launcher {
public:
  Launcher(const std::string &text, const std::string &chip = "") {
    auto loaded = load(text, chip);
    if (!loaded)
      ADD_FAILURE() << llvm::toString(loaded.takeError());
    else
      program = std::move(*loaded);
  }

  /// The next parameter: a buffer.
  template <typename T> void add(std::vector<T> &values, const char *name) {
    memory.add(values.data(), values.size() * sizeof(T), name);
    addValue(values.data());
  }
  /// A buffer that the kernel reaches by other ways than a parameter.
  template <typename T> void allow(std::vector<T> &values, const char *name) {
    memory.add(values.data(), values.size() * sizeof(T), name);
  }
  /// The next parameter: a number or pointer of its own size.
  template <typename T> void addValue(T value) {
    parameters.resize((parameters.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T));
    auto *bytes = reinterpret_cast<const char *>(&value);
    parameters.insert(parameters.end(), bytes, bytes + sizeof(T));
  }

  /// Runs the only kernel of the program.
  std::vector<Finding> run(Dim3 grid, Dim3 block, Schedule schedule = {}, uint32_t shared = 0) {
    if (!program)
      return {};
    auto findings = program->launch(program->getKernels().front(),
                                    {grid, block, shared, parameters, schedule}, memory);
    if (findings)
      return *findings;
    ADD_FAILURE() << llvm::toString(findings.takeError());
    return {};
  }

private:
  std::unique_ptr<Program> program;
  GlobalMemory memory;
  std::vector<char> parameters;
};

/// All findings, one a line.
inline std::string toString(const std::vector<Finding> &findings) {
  std::string text;
  for (const Finding &finding : findings)
    text += toString(finding) + "\n";
  return text;
}

/// The kinds of findings, sorted, once each: "deadlock, race".
inline std::string getKinds(const std::vector<Finding> &findings) {
  std::set<std::string> kinds;
  for (const Finding &finding : findings)
    kinds.insert(getName(finding.kind));
  return llvm::join(kinds, ", ");
}

/// The text with one occurrence of `from`, which must be there, replaced.
inline std::string replace(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos) {
    ADD_FAILURE() << "'" << from << "' is not in the kernel";
    return text;
  }
  return text.replace(at, from.size(), to);
}

inline std::vector<float> drawFloats(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(engine);
  return values;
}

} // namespace mix::emu

#endif // MIXWRIGHT_TEST_CODEGEN_EMULATOR_KERNEL_H
