//===- mixc.cpp - The command line of Mixwright -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exit status: 0 done; 1 a check or a comparison failed; 2 what was asked for is
// wrong, after one line that says why.
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/Commands.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/InitLLVM.h"

using namespace mix;
using namespace mix::mixc;

static void printHelp(llvm::ArrayRef<Command> commands) {
  llvm::outs()
      << "mixc compiles token mixers: the mathematics of one head in, fast kernels out.\n\n"
         "usage: mixc COMMAND FILE [options]\n\n";
  for (const Command &command : commands)
    llvm::outs() << "  " << command.name << std::string(10 - command.name.size(), ' ')
                 << command.summary << '\n';
  llvm::outs() << "\n`mixc COMMAND --help` explains a command and its options.\n"
                  "The language is described in docs/language.md.\n";
}

static int fail(const llvm::Twine &message) {
  llvm::errs() << "mixc: " << message << '\n';
  return 2;
}

static int runCommand(const Command &command, llvm::ArrayRef<llvm::StringRef> words) {
  if (asksForHelp(words)) {
    command.printHelp(llvm::outs());
    return 0;
  }
  llvm::Expected<Arguments> arguments = command.parse(words);
  llvm::Expected<int> status = arguments ? command.run(*arguments) : arguments.takeError();
  if (status)
    return *status;
  llvm::Error error = status.takeError();
  if (error.isA<driver::ReportedError>()) {
    llvm::consumeError(std::move(error));
    return 2;
  }
  return fail(llvm::toString(std::move(error)));
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::SmallVector<llvm::StringRef> words(argv + 1, argv + argc);
  const Command commands[] = {getCheckCommand(),  getExplainCommand(), getCompileCommand(),
                              getRunCommand(),    getBenchCommand(),   getDrawCommand(),
                              getCompareCommand()};
  if (words.empty() || words.front() == "--help" || words.front() == "-h") {
    printHelp(commands);
    return words.empty() ? 2 : 0;
  }
  auto command = llvm::find_if(commands, [&](const Command &c) { return c.name == words.front(); });
  if (command == std::end(commands))
    return fail(
        "unknown command '" + words.front() + "'; expected " +
        llvm::join(llvm::map_range(commands, [](const Command &c) { return c.name; }), ", "));
  return runCommand(*command, llvm::ArrayRef(words).drop_front());
}
