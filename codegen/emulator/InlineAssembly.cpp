//===- InlineAssembly.cpp - PTX within LLVM IR ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/InlineAssembly.h"
#include <algorithm>
#include <map>

using namespace mix::emu;

static std::string_view trim(std::string_view text) {
  const char *blanks = " \t\n\r{}";
  size_t first = text.find_first_not_of(blanks);
  if (first == text.npos)
    return {};
  // A brace at the end may close a list of registers.
  size_t last = text.find_last_not_of(" \t\n\r");
  return text.substr(first, last - first + 1);
}

/// The first word of a statement, which is removed from it.
static std::string_view takeWord(std::string_view &statement) {
  statement = trim(statement);
  size_t end = statement.find_first_of(" \t\n");
  std::string_view word = statement.substr(0, end);
  statement.remove_prefix(std::min(word.size() + 1, statement.size()));
  return word;
}

/// "LABEL: statement" without the label.
static std::string_view dropLabel(std::string_view statement) {
  statement = trim(statement);
  size_t colon = statement.find(':');
  bool isLabel = colon != statement.npos &&
                 statement.substr(0, colon).find_first_of(" .[@$") == statement.npos;
  return isLabel ? trim(statement.substr(colon + 1)) : statement;
}

namespace {

class Reader {
public:
  Reader(std::string_view text, unsigned numOutputs) : text(text), numOutputs(numOutputs) {}

  std::optional<AssemblyOperation> read() {
    while (!text.empty()) {
      size_t end = text.find(';');
      if (!readStatement(dropLabel(text.substr(0, end))))
        return std::nullopt;
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    if (name.empty())
      return std::nullopt;
    return finish();
  }

private:
  bool readStatement(std::string_view statement) {
    if (trim(statement).empty())
      return true;
    std::string_view word = takeWord(statement);
    if (word == ".reg")
      return true;
    if (word == "setp.ne.b32") { // setp.ne.b32 p, $10, 0
      std::string_view target = takeWord(statement);
      predicates[std::string(target.substr(0, target.find(',')))] = statement;
      return true;
    }
    std::string_view guard;
    if (word[0] == '@') {
      guard = word.substr(1);
      word = takeWord(statement);
    }
    if (word == "bra.uni" || word == "bra") {
      isLoop = true;
      return true;
    }
    if (!name.empty())
      return false; // A second instruction.
    name = word;
    if (name.find("wgmma.mma_async") == 0)
      numLists = std::count(statement.begin(), statement.end(), '{');
    collectOperands(statement);
    if (!guard.empty()) {
      if (guard[0] != '$')
        return false;
      predicate = getInput(guard.substr(1));
    }
    return true;
  }

  /// The numbers after '$', and those behind predicates that were set up before.
  void collectOperands(std::string_view operands) {
    std::string expanded(operands);
    for (const auto &[predicateName, value] : predicates) {
      size_t at = expanded.find(", " + predicateName + ",");
      if (at != expanded.npos)
        expanded.replace(at + 2, predicateName.size(),
                         std::string(value.substr(0, value.find(','))));
    }
    for (size_t at = expanded.find('$'); at != std::string::npos; at = expanded.find('$', at + 1)) {
      int input = getInput(std::string_view(expanded).substr(at + 1));
      if (input >= 0)
        arguments.push_back(input);
    }
  }

  int getInput(std::string_view digits) const {
    unsigned number = 0;
    for (char digit : digits) {
      if (digit < '0' || digit > '9')
        break;
      number = number * 10 + (digit - '0');
    }
    return int(number) - int(numOutputs);
  }

  std::optional<AssemblyOperation> finish() {
    std::string full = "llvm.ptx." + name;
    if (isLoop && name.find("try_wait") != name.npos)
      full = "llvm.ptx.mbarrier.loop." + name.substr(std::string("mbarrier.").size());
    // The instruction gives the mbarrier last, the intrinsic second.
    if (name.find("cp.async.bulk.tensor.") == 0 && arguments.size() > 2) {
      unsigned barrier = arguments.back();
      arguments.pop_back();
      arguments.insert(arguments.begin() + 1, barrier);
    }
    // A second list of registers is the operand A of wgmma.
    if (numLists > 1)
      full.insert(std::string("llvm.ptx.wgmma.").size(), "registers.");
    // The accumulator of wgmma is tied to the outputs, and so is what its fences order.
    if (name.find("wgmma.") == 0)
      for (unsigned output = numOutputs; output-- > 0;)
        arguments.insert(arguments.begin(), output);
    FoundOperation operation = findOperation(full);
    if (!operation || (predicate >= 0 && operation->meeting != Meeting::None))
      return std::nullopt;
    return AssemblyOperation{*operation, name, arguments, predicate};
  }

  std::string_view text;
  unsigned numOutputs;
  std::string name;
  std::map<std::string, std::string_view> predicates; ///< By name, "operand, 0".
  std::vector<unsigned> arguments;
  int predicate = -1;
  bool isLoop = false;
  int numLists = 0; ///< Of registers, among the operands of wgmma.
};

} // namespace

std::optional<AssemblyOperation> mix::emu::readAssembly(std::string_view text,
                                                        unsigned numOutputs) {
  return Reader(text, numOutputs).read();
}
