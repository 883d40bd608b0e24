//===- Compile.cpp - mixc compile -------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Chips.h"
#include "codegen/cpu/Target.h"
#include "tools/driver/Choose.h"
#include "tools/mixc/Commands.h"
#include "tools/mixc/Header.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// What can be written, and the ending of its file.
struct Artefact {
  StringRef name, ending;
};

constexpr Artefact artefacts[] = {{"obj", ".o"},       {"so", ".so"}, {"header", ".h"},
                                  {"llvm", ".ll"},     {"asm", ".s"}, {"tile", ".tile.mlir"},
                                  {"mix", ".mix.mlir"}};

/// One compilation: a mixer in one form and type at fixed feature sizes.
class Job {
public:
  Job(Spec &spec, SizeMap sizes, KernelOptions options, StringRef directory)
      : spec(spec), sizes(std::move(sizes)), options(std::move(options)), directory(directory) {}

  Error emit(StringRef artefact) {
    Expected<std::string> bytes = produce(artefact);
    if (!bytes)
      return bytes.takeError();
    return artefact == "so" ? linkShared(*bytes) : writeFile(getPath(artefact), *bytes);
  }

  std::string getPath(StringRef artefact) const {
    auto found = llvm::find_if(artefacts, [&](const Artefact &a) { return a.name == artefact; });
    llvm::SmallString<128> path(directory);
    llvm::sys::path::append(path, spec.getSignature().mixer + "_" + getFormName(options.form) +
                                      found->ending);
    return path.str().str();
  }

private:
  static std::string print(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream(text) << module << '\n';
    return text;
  }

  /// The contents of the file; for a shared library those of its object.
  Expected<std::string> produce(StringRef artefact) {
    if (artefact == "header")
      return makeHeader(spec.getSignature(), sizes, options);
    if (artefact == "mix") {
      Expected<LoweredProgram> lowered = normalize(spec, sizes);
      if (!lowered)
        return lowered.takeError();
      return print(*lowered->program.module);
    }
    Expected<LoweredProgram> lowered = tile(spec, sizes, options);
    if (!lowered)
      return lowered.takeError();
    mlir::ModuleOp module = *lowered->program.module;
    if (artefact == "tile")
      return print(module);
    cpu::TargetOptions target{options.chip};
    if (artefact == "llvm" || artefact == "asm")
      return cpu::compileToText(
          module, artefact == "asm" ? cpu::TextKind::Assembly : cpu::TextKind::LLVMIR, target);
    auto object = cpu::compileToObject(module, target);
    if (!object)
      return object.takeError();
    return std::string(object->begin(), object->end());
  }

  static Error writeFile(StringRef path, StringRef bytes) {
    std::error_code code;
    llvm::raw_fd_ostream file(path, code);
    if (!code) {
      file << bytes;
      file.close();
      code = file.error();
      file.clear_error();
    }
    if (code)
      return createStringError("cannot write '" + path + "': " + code.message());
    return Error::success();
  }

  Error linkShared(StringRef object) {
    auto compiler = llvm::sys::findProgramByName("cc");
    if (!compiler)
      return createStringError("a shared library needs a linker, but there is no 'cc'");
    llvm::SmallString<128> temporary;
    if (std::error_code code = llvm::sys::fs::createTemporaryFile("mixwright", "o", temporary))
      return createStringError("cannot write a temporary file: " + code.message());
    Error error = writeFile(temporary, object);
    std::string output = getPath("so");
    StringRef words[] = {*compiler, "-shared", "-o", output, temporary, "-lm"};
    if (!error && llvm::sys::ExecuteAndWait(*compiler, words) != 0)
      error = createStringError("'cc' could not link '" + output + "'");
    llvm::sys::fs::remove(temporary);
    return error;
  }

  Spec &spec;
  SizeMap sizes;
  KernelOptions options;
  std::string directory;
};

/// The form to compile: the one that was asked for, or the fastest that has a tile program.
Expected<Form> chooseForm(const Arguments &arguments, Spec &spec, const SizeMap &sizes,
                          ElementType type) {
  Expected<FormChoice> wanted = parseForm(arguments.get("form", "auto"));
  if (!wanted)
    return wanted.takeError();
  if (*wanted == Form::Reference)
    return createStringError("--form: the reference form is evaluated, not compiled");
  std::string reasons;
  for (Form form : {Form::Chunked, Form::Recurrent}) {
    if (wanted->value_or(form) != form)
      continue;
    Expected<LoweredProgram> lowered = tile(spec, sizes, {form, type});
    if (lowered) {
      for (const std::string &note : lowered->notes)
        llvm::errs() << "note: " << note << '\n';
      if (!reasons.empty())
        llvm::errs() << "note: " << reasons << "; compiling the " << getFormName(form) << " form\n";
      return form;
    }
    reasons += (reasons.empty() ? "" : "; ") + ("no " + getFormName(form) + " form: ").str() +
               toString(lowered.takeError());
  }
  return createStringError(reasons);
}

Expected<llvm::SmallVector<StringRef>> parseArtefacts(StringRef text) {
  llvm::SmallVector<StringRef> names;
  text.split(names, ',', -1, /*KeepEmpty=*/false);
  for (StringRef name : names)
    if (llvm::none_of(artefacts, [&](const Artefact &a) { return a.name == name; }))
      return createStringError(
          "--emit: expected " +
          llvm::join(llvm::map_range(artefacts, [](const Artefact &a) { return a.name; }), ", ") +
          ", got '" + name + "'");
  return names;
}

Error checkSizes(const Signature &signature, const SizeMap &sizes) {
  auto features = signature.getFeatureAxes();
  for (const std::string &axis : features)
    if (!sizes.contains(axis))
      return createStringError("a kernel has fixed feature sizes: add --size " + axis + "=...");
  for (auto &entry : sizes)
    if (!llvm::is_contained(features, entry.getKey()))
      return createStringError(
          "--size: '" + signature.mixer + "' has no feature axis " + entry.getKey() +
          (signature.isTokenAxis(entry.getKey()) ? "; a kernel takes any number of tokens" : ""));
  return Error::success();
}

Expected<int> compileFile(const Arguments &arguments) {
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  Expected<SizeMap> sizes = arguments.getNumbers("size");
  if (!sizes)
    return sizes.takeError();
  if (Error error = checkSizes((*spec)->getSignature(), *sizes))
    return std::move(error);
  Expected<std::string> dtype = arguments.getChoice("dtype", {"f32", "f64"});
  if (!dtype)
    return dtype.takeError();
  auto wanted = parseArtefacts(arguments.get("emit", "obj,header"));
  if (!wanted)
    return wanted.takeError();
  KernelOptions options;
  options.type = *dtype == "f32" ? ElementType::F32 : ElementType::F64;
  options.chip = arguments.get("target", "native").str();
  if (Expected<Chip> chip = findChip(options.chip); !chip)
    return createStringError("--target: " + toString(chip.takeError()));
  Expected<Form> form = chooseForm(arguments, **spec, *sizes, options.type);
  if (!form)
    return form.takeError();
  options.form = *form;

  StringRef directory = arguments.get("output", ".");
  if (std::error_code code =
          llvm::sys::fs::create_directories(directory, true, llvm::sys::fs::perms::all_all))
    return createStringError("cannot make '" + directory + "': " + code.message());
  Job job(**spec, std::move(*sizes), options, directory);
  for (StringRef artefact : *wanted) {
    if (Error error = job.emit(artefact))
      return std::move(error);
    llvm::outs() << job.getPath(artefact) << '\n';
  }
  return 0;
}

} // namespace

Command mix::mixc::getCompileCommand() {
  return {
      "compile",
      {"FILE.mix"},
      "write an object, a header and more for use from C",
      "A kernel is compiled for fixed feature sizes and serves every batch, number of heads and\n"
      "number of tokens. It needs libmixwright_runtime, the C library and -lm, nothing else;\n"
      "examples/c shows a program. --emit takes any of: obj, so, header, llvm, asm, tile (level\n"
      "L3), mix (level L2).",
      "mixc compile examples/gated_delta_rule.mix --size K=128,V=128 --target x86-64-v4\n"
      "    --emit obj,header --output out",
      {{"size", Option::AssignmentCommas, "AXIS=N,...", "size of every feature axis"},
       {"target", Option::Value, "CHIP", "native (default), x86-64-v4, x86-64-v3, ..."},
       {"emit", Option::Value, "WHAT,...", "default: obj,header"},
       {"output", Option::Value, "DIR", "where to (default: here)"},
       {"form", Option::Value, "FORM", "auto (default), chunked or recurrent"},
       {"dtype", Option::Value, "TYPE", "f32 (default) or f64"},
       getSetOption(),
       getMixerOption()},
      compileFile};
}
