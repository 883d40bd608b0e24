//===- Findings.h - What the emulator has to say about a launch -*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel that breaks a rule of its machine does not stop the host: the emulator
// writes a finding and goes on, or ends the launch where going on is impossible.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_FINDINGS_H
#define MIXWRIGHT_CODEGEN_EMULATOR_FINDINGS_H

#include <cstdint>
#include <string>
#include <vector>

namespace mix::emu {

/// Sizes or a position of a grid or block.
struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;

  uint64_t count() const { return uint64_t(x) * y * z; }
};

enum class FindingKind {
  Race,          ///< Two threads meet in shared memory with nothing that orders them.
  Uninitialised, ///< Shared memory is read before anything wrote it.
  InFlight,      ///< Bytes that a copy or matrix instruction still uses are touched.
  OutOfBounds,   ///< An access outside of every buffer that the kernel may use.
  Misaligned,    ///< An address that the access or instruction does not allow.
  Divergence,    ///< An instruction for whole warps is reached by a part of one.
  Deadlock,      ///< All threads that are left wait.
  LeftInFlight,  ///< A thread ends before its asynchronous work was waited for.
  Invalid        ///< Operands that the instruction set leaves undefined.
};

/// "race", "uninitialised read", ...: how a finding of this kind is printed.
const char *getName(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::string message;
  std::string location; ///< "file:line:column", or the function and its instruction.
  Dim3 block;           ///< Where it was first seen.
  uint32_t thread;      ///< Linear index in the block.
  uint64_t count = 1;   ///< How often the same kind was seen at the same place.
};

/// "race: thread 3 reads ... [file:line:column, block (0,0,0)]", one line.
std::string toString(const Finding &finding);

/// Findings in order of first appearance; one per kind and location.
class FindingList {
public:
  void add(Finding finding);
  const std::vector<Finding> &get() const { return findings; }

private:
  std::vector<Finding> findings;
};

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_FINDINGS_H
