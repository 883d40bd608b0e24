//===- OneOperation.h - A warp that executes one operation ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For operations whose operands are spread over the registers of a warp: a test fills
// the registers of every lane as the instruction set documents them, and reads them back.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_CODEGEN_EMULATOR_ONEOPERATION_H
#define MIXWRIGHT_TEST_CODEGEN_EMULATOR_ONEOPERATION_H

#include "Kernel.h"

namespace mix::emu {

/// A type of LLVM and how many 32-bit registers hold it.
struct RegisterType {
  std::string name;
  int words;
};

class OneOperation {
public:
  /// `constants`: further operands, the same for all lanes (", i32 0, i1 false").
  OneOperation(const std::string &triple, const std::string &intrinsic,
               std::vector<RegisterType> operands, const RegisterType &result,
               const std::string &constants = "", uint32_t numLanes = 32)
      : numLanes(numLanes) {
    for (const RegisterType &operand : operands)
      words += operand.words;
    resultWords = result.words;
    in.assign(words * numLanes, 0);
    out.assign(resultWords * numLanes, 0xffffffff);
    const char *lane =
        triple == kNvptx ? "@llvm.nvvm.read.ptx.sreg.tid.x" : "@llvm.amdgcn.workitem.id.x";
    text = triple + "define " + (triple == kNvptx ? "ptx_kernel" : "amdgpu_kernel") +
           " void @operation(ptr addrspace(1) %in, ptr addrspace(1) %out) {\n  %lane = call i32 " +
           lane + "()\n  %start = mul i32 %lane, " + std::to_string(words) +
           "\n  %first = getelementptr i32, ptr addrspace(1) %in, i32 %start\n";
    std::string arguments;
    int word = 0;
    for (size_t n = 0; n < operands.size(); ++n) {
      std::string number = std::to_string(n);
      text += "  %p" + number + " = getelementptr i32, ptr addrspace(1) %first, i32 " +
              std::to_string(word) + "\n  %x" + number + " = load " + operands[n].name +
              ", ptr addrspace(1) %p" + number + ", align 4\n";
      arguments += (n ? ", " : "") + operands[n].name + " %x" + number;
      word += operands[n].words;
    }
    text += "  %y = call " + result.name + " @" + intrinsic + "(" + arguments + constants +
            ")\n  %place = mul i32 %lane, " + std::to_string(resultWords) +
            "\n  %to = getelementptr i32, ptr addrspace(1) %out, i32 %place\n  store " +
            result.name + " %y, ptr addrspace(1) %to, align 4\n  ret void\n}\n";
  }

  uint32_t &operand(int lane, int word) { return in[lane * words + word]; }
  uint32_t result(int lane, int word) const { return out[lane * resultWords + word]; }

  std::string run(const std::string &chip = "") {
    Launcher launcher(text, chip);
    launcher.add(in, "in");
    launcher.add(out, "out");
    return toString(launcher.run({1}, {numLanes}));
  }

private:
  std::string text;
  int words = 0, resultWords;
  uint32_t numLanes;
  std::vector<uint32_t> in, out;
};

} // namespace mix::emu

#endif // MIXWRIGHT_TEST_CODEGEN_EMULATOR_ONEOPERATION_H
