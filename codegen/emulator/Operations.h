//===- Operations.h - Instructions that the emulator knows ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operation is an intrinsic (or a piece of inline assembly) of a GPU: who meets to
// execute it, and the function that does. Each family of operations has a file
// under operations/, with one look-up by name; a name that no family knows makes a
// module refuse to load.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_H
#define MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_H

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mix::emu {

class Thread;
class Warp;
struct Call;
struct Group;

/// Who has to be there for an operation to be executed.
enum class Meeting {
  None,      ///< Every thread alone. The function may suspend the thread.
  Members,   ///< The lanes that an operand names (PTX `.sync` with a membermask).
  WholeWarp, ///< All lanes of the warp, at the same place of the program (PTX `.aligned`).
  Active     ///< The lanes that are there (the execution mask of AMD).
};

struct Operation {
  Meeting meeting = Meeting::None;
  void (*runThread)(Thread &thread, const Call &call) = nullptr; ///< For Meeting::None.
  void (*runGroup)(Group &group) = nullptr;                      ///< For all others.
  int memberOperand = -1;                                        ///< For Meeting::Members.
  /// What distinguishes the members of a family, as its file says: sizes, types.
  std::array<int, 4> variant = {};
  bool isAligned = false; ///< A barrier that all of a warp reach at one place.
};

/// A place in a program that the emulator watches: an operation or a memory access.
struct Site {
  std::string what;     ///< "llvm.nvvm.barrier.cta.sync.aligned.all", "load", ...
  std::string location; ///< "file:line:column", or the function and its instruction.
  uint32_t order = 0;   ///< Blocks in reverse post-order, instructions in order.

  // Of operations only. The arguments are laid out one after the other as the members
  // of a C struct, and so are the results.
  std::optional<Operation> operation;
  std::vector<uint32_t> argumentOffsets, resultOffsets;
  int32_t predicateOffset = -1; ///< Of the argument that says whether it is executed, or -1.
};

/// One thread's execution of an operation.
struct Call {
  const Site *site;
  const char *arguments;
  char *results;

  template <typename T> T get(unsigned argument, unsigned element = 0) const {
    T value;
    memcpy(&value, arguments + site->argumentOffsets[argument] + element * sizeof(T), sizeof(T));
    return value;
  }
  template <typename T> void set(unsigned result, T value, unsigned element = 0) const {
    memcpy(results + site->resultOffsets[result] + element * sizeof(T), &value, sizeof(T));
  }
  /// Results one after the other as if they were one array, e.g. {float, float} or <2 x float>.
  template <typename T> void setElement(unsigned element, T value) const {
    if (site->resultOffsets.size() > 1)
      set(element, value);
    else
      set(0, value, element);
  }
};

/// The threads of a warp that execute an operation together.
struct Group {
  Warp &warp;
  /// By lane; null where a lane does not take part.
  std::array<const Call *, 64> calls;

  const Call *operator[](unsigned lane) const { return lane < 64 ? calls[lane] : nullptr; }
  /// Any call of the group, for what is the same in all.
  const Call &any() const {
    for (const Call *call : calls)
      if (call)
        return *call;
    return *calls[0];
  }
};

inline Operation threadOperation(void (*run)(Thread &, const Call &),
                                 std::array<int, 4> variant = {}) {
  return {Meeting::None, run, nullptr, -1, variant, false};
}
inline Operation groupOperation(Meeting meeting, void (*run)(Group &),
                                std::array<int, 4> variant = {}, int memberOperand = -1) {
  return {meeting, nullptr, run, memberOperand, variant, false};
}

using FoundOperation = std::optional<Operation>;

/// The operation of an intrinsic's full name ("llvm.nvvm.ex2.approx.ftz.f32").
FoundOperation findOperation(std::string_view name);

// The families, by file of operations/. Each takes the name without "llvm."; inline PTX
// is "ptx." and its instruction.
FoundOperation findThreads(std::string_view name);
FoundOperation findArithmetic(std::string_view name);
FoundOperation findShuffles(std::string_view name);
FoundOperation findMatrices(std::string_view name);
FoundOperation findCopies(std::string_view name);
FoundOperation findAsyncBarriers(std::string_view name);
FoundOperation findBulkCopies(std::string_view name);
FoundOperation findWarpGroups(std::string_view name);
FoundOperation findAmdLanes(std::string_view name);
FoundOperation findAmdMatrices(std::string_view name);

/// Removes a prefix, and says whether it was there.
inline bool consume(std::string_view &text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix)
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_OPERATIONS_H
