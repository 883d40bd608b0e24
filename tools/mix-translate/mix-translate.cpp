//===- mix-translate.cpp - From a .mix file to level L1 -------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Frontend.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("FILE.mix"), cl::Required);
static cl::opt<std::string> mixerName("mixer", cl::desc("The mixer to build (default: the last)"));
static cl::list<std::string> sizes("size", cl::desc("Sizes of feature axes, as K=128"),
                                   cl::CommaSeparated);
static cl::list<std::string> settings("set", cl::desc("Values of settings, as window=64"),
                                      cl::CommaSeparated);
static cl::opt<unsigned> maxErrors("max-errors", cl::desc("Show at most so many errors"),
                                   cl::init(20));
static cl::opt<bool> withLocations("locations", cl::desc("Print locations"));

/// Splits `name=value`; exits with a message if there is no `=`.
static std::pair<StringRef, StringRef> splitBinding(StringRef text) {
  auto [name, value] = text.split('=');
  if (name.empty() || value.empty()) {
    errs() << "error: expected NAME=VALUE, found '" << text << "'\n";
    exit(2);
  }
  return {name, value};
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Mixwright: from the text language to level L1\n");
  mix::frontend::BuildOptions options;
  options.mixer = mixerName;
  for (StringRef text : sizes) {
    auto [name, value] = splitBinding(text);
    if (value.getAsInteger(10, options.sizes[name])) {
      errs() << "error: expected an integer as the size of '" << name << "', found '" << value
             << "'\n";
      return 2;
    }
  }
  for (StringRef text : settings) {
    auto [name, value] = splitBinding(text);
    options.settings[name] = value.str();
  }
  auto buffer = MemoryBuffer::getFileOrSTDIN(inputFile, /*IsText=*/true);
  if (!buffer) {
    errs() << "error: cannot read '" << inputFile << "': " << buffer.getError().message() << '\n';
    return 2;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mix::frontend::Diagnostics diagnostics(errs(), maxErrors);
  auto module =
      mix::frontend::buildModule(context, inputFile, (*buffer)->getBuffer(), options, diagnostics);
  if (!module)
    return 1;
  mlir::OpPrintingFlags flags;
  if (withLocations)
    flags.enableDebugInfo();
  module->print(outs(), flags);
  outs() << '\n';
  return 0;
}
