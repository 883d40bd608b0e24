//===- CommandLine.cpp - Subcommands and their options ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/CommandLine.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

StringRef Arguments::get(StringRef option, StringRef otherwise) const {
  auto found = values.find(option);
  return found == values.end() ? otherwise : StringRef(found->second);
}

llvm::ArrayRef<Assignment> Arguments::getAssignments(StringRef option) const {
  auto found = assignments.find(option);
  if (found == assignments.end())
    return {};
  return found->second;
}

Expected<std::string> Arguments::getChoice(StringRef option,
                                           llvm::ArrayRef<StringRef> choices) const {
  StringRef value = get(option, choices.front());
  if (llvm::is_contained(choices, value))
    return value.str();
  return createStringError("--" + option + ": expected " + llvm::join(choices, ", ") + ", got '" +
                           value + "'");
}

Expected<int64_t> Arguments::getNumber(StringRef option, int64_t otherwise, int64_t least) const {
  if (!has(option))
    return otherwise;
  int64_t number;
  if (get(option).getAsInteger(10, number) || number < least)
    return createStringError("--" + option + ": expected a whole number, at least " +
                             std::to_string(least) + ", got '" + get(option) + "'");
  return number;
}

Expected<llvm::StringMap<int64_t>> Arguments::getNumbers(StringRef option) const {
  llvm::StringMap<int64_t> numbers;
  for (const auto &[name, text] : getAssignments(option)) {
    int64_t number;
    if (StringRef(text).getAsInteger(10, number) || number < 0)
      return createStringError("--" + option + " " + name +
                               ": expected a whole number, at least 0, got '" + text + "'");
    numbers[name] = number;
  }
  return numbers;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

/// The option that is spelled most like `name`, if any is near.
static std::string suggest(llvm::ArrayRef<Option> options, StringRef name) {
  const Option *best = nullptr;
  unsigned bestDistance = 3;
  for (const Option &option : options) {
    unsigned distance = name.edit_distance(option.name);
    if (distance < bestDistance) {
      best = &option;
      bestDistance = distance;
    }
  }
  return best ? ("; did you mean --" + best->name + "?").str() : "";
}

namespace mix::mixc {

/// Takes the words of a command line one by one.
class Parser {
public:
  Parser(const Command &command, llvm::ArrayRef<StringRef> words)
      : command(command), words(words) {}

  Expected<Arguments> parse() {
    while (!words.empty()) {
      StringRef word = take();
      if (word == "-o")
        word = "--output";
      bool isOption = word.consume_front("--");
      if (Error error = isOption ? parseOption(word) : parseFile(word))
        return error;
    }
    if (result.files.size() < command.files.size())
      return createStringError("no " + command.files[result.files.size()] +
                               "; usage: " + command.getUsage());
    return std::move(result);
  }

private:
  StringRef take() {
    StringRef word = words.front();
    words = words.drop_front();
    return word;
  }

  Error parseFile(StringRef word) {
    if (result.files.size() == command.files.size())
      return createStringError("unexpected '" + word + "'; usage: " + command.getUsage());
    result.files.push_back(word.str());
    return Error::success();
  }

  /// `text` is what follows the dashes: `name` or `name=value`.
  Error parseOption(StringRef text) {
    auto [name, value] = text.split('=');
    const Option *option = command.find(name);
    if (!option)
      return createStringError("unknown option --" + name + suggest(command.options, name));
    if (option->kind == Option::Flag) {
      result.values[name] = "";
      return Error::success();
    }
    if (!text.contains('=')) {
      if (words.empty() || words.front().starts_with("--"))
        return createStringError("--" + name + " needs a value: " + option->value);
      value = take();
    }
    if (option->kind != Option::Value)
      return parseAssignments(*option, value);
    if (result.has(name))
      return createStringError("--" + name + " is given twice");
    result.values[name] = value.str();
    return Error::success();
  }

  Error parseAssignments(const Option &option, StringRef first) {
    llvm::SmallVector<StringRef> texts = {first};
    while (!words.empty() && !words.front().starts_with("--") && words.front().contains('='))
      texts.push_back(take());
    for (StringRef text : texts) {
      llvm::SmallVector<StringRef> parts = {text};
      if (option.kind == Option::AssignmentCommas) {
        parts.clear();
        text.split(parts, ',', -1, /*KeepEmpty=*/false);
      }
      for (StringRef part : parts)
        if (Error error = addAssignment(option.name, part))
          return error;
    }
    return Error::success();
  }

  Error addAssignment(StringRef option, StringRef text) {
    auto [name, value] = text.split('=');
    if (name.empty() || value.empty())
      return createStringError("--" + option + ": expected name=value, got '" + text + "'");
    std::vector<Assignment> &known = result.assignments[option];
    if (llvm::is_contained(llvm::make_first_range(known), name.str()))
      return createStringError("--" + option + " gives '" + name + "' twice");
    known.emplace_back(name.str(), value.str());
    return Error::success();
  }

  const Command &command;
  llvm::ArrayRef<StringRef> words;
  Arguments result;
};

} // namespace mix::mixc

const Option *Command::find(StringRef option) const {
  auto found = llvm::find_if(options, [&](const Option &o) { return o.name == option; });
  return found == options.end() ? nullptr : &*found;
}

Expected<Arguments> Command::parse(llvm::ArrayRef<StringRef> words) const {
  return Parser(*this, words).parse();
}

//===----------------------------------------------------------------------===//
// Help
//===----------------------------------------------------------------------===//

std::string Command::getUsage() const {
  return ("mixc " + name + " " + llvm::join(files, " ") + " [options]").str();
}

void Command::printHelp(llvm::raw_ostream &os) const {
  os << summary << "\n\nusage: " << getUsage() << "\n\n"
     << description << "\n\nexample:\n  " << example << "\n\noptions:\n";
  for (const Option &option : options) {
    std::string left = ("  --" + option.name).str();
    if (!option.value.empty())
      left += (" " + option.value).str();
    os << left;
    if (left.size() > 30)
      os << '\n' << std::string(32, ' ');
    else
      os << std::string(32 - left.size(), ' ');
    llvm::SmallVector<StringRef> lines;
    option.help.split(lines, '\n');
    os << llvm::join(lines, "\n" + std::string(32, ' ')) << '\n';
  }
}

bool mix::mixc::asksForHelp(llvm::ArrayRef<StringRef> words) {
  return llvm::is_contained(words, "--help") || llvm::is_contained(words, "-h");
}
