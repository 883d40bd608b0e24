//===- Frontend.cpp - The text language -----------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Frontend.h"
#include "dialect/Mix.h"
#include "frontends/mix/Elaborate.h"
#include "frontends/mix/Parser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mix;
using namespace mix::frontend;
using llvm::SMRange;
using llvm::Twine;

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

namespace {

/// Parses a file and what it imports, each file once.
class Loader {
public:
  explicit Loader(Diagnostics &diagnostics) : diagnostics(diagnostics) {}

  /// The file's own declarations; what it imports goes to `program` as well.
  const File &load(StringRef fileName, StringRef text);
  Program program;

private:
  void import(const Import &import, StringRef importer);
  void addNames(const File &file);

  Diagnostics &diagnostics;
  std::vector<std::unique_ptr<File>> files;
  llvm::StringSet<> loaded; // real paths
};

} // namespace

static File parseBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer, Diagnostics &diagnostics) {
  llvm::SourceMgr &sources = diagnostics.getSources();
  unsigned id = sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  return parse(sources.getMemoryBuffer(id)->getBuffer(), diagnostics);
}

const File &Loader::load(StringRef fileName, StringRef text) {
  llvm::SmallString<128> path;
  if (!llvm::sys::fs::real_path(fileName, path))
    loaded.insert(path);
  File &file = *files.emplace_back(std::make_unique<File>(
      parseBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, fileName), diagnostics)));
  for (const Import &entry : file.imports)
    import(entry, fileName);
  addNames(file);
  return file;
}

void Loader::import(const Import &import, StringRef importer) {
  llvm::SmallString<128> path(import.path);
  if (llvm::sys::path::is_relative(path)) {
    path = llvm::sys::path::parent_path(importer);
    llvm::sys::path::append(path, import.path);
  }
  llvm::SmallString<128> realPath;
  if (!llvm::sys::fs::real_path(path, realPath) && !loaded.insert(realPath).second)
    return;
  // A device or a pipe could be endless.
  llvm::sys::fs::file_status status;
  std::error_code error = llvm::sys::fs::status(path, status);
  if (!error && !llvm::sys::fs::is_regular_file(status)) {
    diagnostics.report(Error::ImportFailed, import.range, "'" + path.str() + "' is not a file");
    return;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    diagnostics.report(Error::ImportFailed, import.range,
                       "cannot read '" + path.str() + "': " + buffer.getError().message());
    return;
  }
  std::string text = (*buffer)->getBuffer().str();
  load(path, text);
}

void Loader::addNames(const File &file) {
  auto reportTwice = [&](const Name &name, const Name &previous) {
    diagnostics.report(Error::Redefined, name.range, "'" + name.text + "' is already defined")
        .note(previous.range, "here");
  };
  for (const Function &function : file.functions) {
    auto [it, isNew] = program.functions.try_emplace(function.name.text, &function);
    if (!isNew)
      reportTwice(function.name, it->second->name);
  }
  for (const Mixer &mixer : file.mixers) {
    auto previous = llvm::find_if(program.mixers,
                                  [&](const Mixer *m) { return m->name.text == mixer.name.text; });
    if (previous != program.mixers.end())
      reportTwice(mixer.name, (*previous)->name);
    program.mixers.push_back(&mixer);
  }
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// The mixer to build; null after an error.
static const Mixer *selectMixer(const File &file, const Program &program, StringRef name,
                                Diagnostics &diagnostics) {
  if (name.empty() && !file.mixers.empty())
    return &file.mixers.back();
  for (const Mixer *mixer : program.mixers)
    if (mixer->name.text == name)
      return mixer;
  if (name.empty()) {
    diagnostics.report(Error::NoMixer, {}, "the file declares no mixer");
    return nullptr;
  }
  std::string known;
  for (const Mixer *mixer : program.mixers)
    known += (known.empty() ? "" : ", ") + mixer->name.text.str();
  diagnostics.report(Error::NoMixer, {}, "the file has no mixer '" + name + "'")
      .hint("it has: " + known);
  return nullptr;
}

/// Whether a mixer can be checked without anybody's choice of settings.
static bool hasAllDefaults(const Mixer &mixer) {
  return llvm::all_of(mixer.arguments, [](const Argument &argument) {
    return argument.isTensor || argument.defaultValue;
  });
}

OwningOpRef<ModuleOp> mix::frontend::buildModule(MLIRContext &context, StringRef fileName,
                                                 StringRef text, const BuildOptions &options,
                                                 Diagnostics &diagnostics) {
  context.loadDialect<MixDialect, arith::ArithDialect, math::MathDialect, func::FuncDialect>();
  Loader loader(diagnostics);
  const File &file = loader.load(fileName, text);
  if (diagnostics.getNumErrors())
    return nullptr;
  const Mixer *chosen = selectMixer(file, loader.program, options.mixer, diagnostics);
  if (!chosen)
    return nullptr;
  // All mixers of the file are checked, in its order; an imported one may be chosen.
  SmallVector<const Mixer *> checked;
  for (const Mixer &mixer : file.mixers)
    if (&mixer == chosen || hasAllDefaults(mixer))
      checked.push_back(&mixer);
  if (!llvm::is_contained(checked, chosen))
    checked.push_back(chosen);
  OwningOpRef<func::FuncOp> function;
  BuildOptions defaults;
  for (const Mixer *mixer : checked) {
    bool isChosen = mixer == chosen;
    Elaborator elaborator(&context, diagnostics, loader.program, isChosen ? options : defaults);
    OwningOpRef<func::FuncOp> result = elaborator.elaborate(*mixer);
    if (isChosen)
      function = std::move(result);
  }
  if (diagnostics.getNumErrors())
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(function->getLoc());
  module->push_back(function.release());
  if (failed(verify(*module)))
    return nullptr;
  return module;
}
