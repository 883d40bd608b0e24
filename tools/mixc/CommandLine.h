//===- CommandLine.h - Subcommands and their options ------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A subcommand is a table of options; help is made from the same table. An option
// is written `--name value` or `--name=value`; -o is short for --output. An option that takes
// assignments
// (`--in q=q.npy k=k.npy`) may be followed by several and may be repeated.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_MIXC_COMMANDLINE_H
#define MIXWRIGHT_TOOLS_MIXC_COMMANDLINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <vector>

namespace mix::mixc {

struct Option {
  enum Kind {
    Flag,
    Value,
    Assignments,     ///< name=value, several
    AssignmentCommas ///< name=value,name=value, several
  };
  llvm::StringRef name;
  Kind kind;
  llvm::StringRef value; ///< what stands for the value in the help
  llvm::StringRef help;
};

using Assignment = std::pair<std::string, std::string>;

/// What was given on the command line.
class Arguments {
public:
  llvm::StringRef getFile(size_t index = 0) const { return files[index]; }
  bool has(llvm::StringRef option) const { return values.contains(option); }
  llvm::StringRef get(llvm::StringRef option, llvm::StringRef otherwise = "") const;
  llvm::ArrayRef<Assignment> getAssignments(llvm::StringRef option) const;

  /// Errors: the value is not one of `choices`; is no number from `least` on.
  llvm::Expected<std::string> getChoice(llvm::StringRef option,
                                        llvm::ArrayRef<llvm::StringRef> choices) const;
  llvm::Expected<int64_t> getNumber(llvm::StringRef option, int64_t otherwise, int64_t least) const;
  /// The assignments of an option as numbers >= 0.
  llvm::Expected<llvm::StringMap<int64_t>> getNumbers(llvm::StringRef option) const;

private:
  friend class Parser;
  std::vector<std::string> files;
  llvm::StringMap<std::string> values;
  llvm::StringMap<std::vector<Assignment>> assignments;
};

struct Command {
  llvm::StringRef name;
  std::vector<llvm::StringRef> files; ///< what stands for each in the help
  llvm::StringRef summary;
  llvm::StringRef description; ///< for --help, after the summary
  llvm::StringRef example;
  std::vector<Option> options;
  /// Returns the exit status. An error is the user's: one line, status 2.
  llvm::Expected<int> (*run)(const Arguments &);

  /// Errors: an option that is unknown, lacks its value or is given twice; a file too
  /// many or too few.
  llvm::Expected<Arguments> parse(llvm::ArrayRef<llvm::StringRef> words) const;
  void printHelp(llvm::raw_ostream &os) const;
  std::string getUsage() const;
  const Option *find(llvm::StringRef option) const;
};

/// The option of --help of every command.
bool asksForHelp(llvm::ArrayRef<llvm::StringRef> words);

} // namespace mix::mixc

#endif // MIXWRIGHT_TOOLS_MIXC_COMMANDLINE_H
