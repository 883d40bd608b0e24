//===- Compile.cpp - mixc compile -------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Chips.h"
#include "codegen/GpuChips.h"
#include "codegen/cpu/Target.h"
#include "tools/driver/Choose.h"
#include "tools/driver/Device.h"
#include "tools/mixc/Commands.h"
#include "tools/mixc/Header.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// Kinds of architectures, as bits. `Host` is this machine's, where only GPUs are targets: their
/// code goes into an object for it.
enum Makers : unsigned {
  Cpu = 1,
  Nvidia = 2,
  Amd = 4,
  Host = 8,
  Linkable = Cpu | Host,
  Gpu = Nvidia | Amd,
  Any = Cpu | Gpu
};

/// What can be written, the ending of its file, whether every architecture has its own, and
/// which have it.
struct Artefact {
  StringRef name, ending;
  bool isMachineCode;
  unsigned makers;
};

constexpr Artefact artefacts[] = {
    {"obj", ".o", true, Linkable},      {"so", ".so", true, Linkable},
    {"header", ".h", false, Linkable},  {"ptx", ".ptx", true, Nvidia},
    {"cubin", ".cubin", true, Nvidia},  {"hsaco", ".hsaco", true, Amd},
    {"llvm", ".ll", true, Any},         {"asm", ".s", true, Any},
    {"tile", ".tile.mlir", false, Any}, {"mix", ".mix.mlir", false, Any}};

/// The chips of one architecture, best first: what one object holds. Every GPU is its own.
struct Architecture {
  StringRef name; ///< as in triples: "x86_64"; of a GPU that of its chip
  std::vector<std::string> chips;
  Makers maker = Cpu;
  bool isEmulated = false; ///< a GPU whose code is to run on the emulator
};

/// What to compile: a mixer in one form and type at fixed feature sizes.
struct Request {
  SizeMap sizes;
  Form form;
  TensorTypes types;
  std::vector<Architecture> architectures;
  bool checksAddresses;
  std::string directory;
};

/// Writes the files of a request.
class Job {
public:
  Job(Spec &spec, const Request &request) : spec(spec), request(request) {}

  /// Writes one artefact, and to stdout the names of its files.
  Error emit(const Artefact &artefact) {
    bool isMade = false;
    for (const Architecture &architecture : request.architectures) {
      if (!(artefact.makers & architecture.maker))
        continue;
      isMade = true;
      Expected<std::string> bytes = produce(artefact, architecture);
      if (!bytes)
        return bytes.takeError();
      std::string path = getPath(artefact, architecture);
      if (Error error = artefact.name == "so" ? linkShared(path, *bytes, architecture)
                                              : writeFile(path, *bytes))
        return error;
      llvm::outs() << path << '\n';
      if (!artefact.isMachineCode)
        break;
    }
    if (!isMade)
      return createStringError("--emit: none of the targets has a '" + artefact.name + "'");
    return Error::success();
  }

private:
  std::string getPath(const Artefact &artefact, const Architecture &architecture) const {
    unsigned makers = artefact.makers == Linkable ? Linkable : Any;
    bool isOneOfSeveral = artefact.isMachineCode &&
                          llvm::count_if(request.architectures, [&](const Architecture &other) {
                            return other.maker & makers;
                          }) > 1;
    llvm::SmallString<128> path(request.directory);
    llvm::sys::path::append(path, spec.getSignature().mixer + "_" + getFormName(request.form) +
                                      (isOneOfSeveral ? "." + architecture.name : "") +
                                      artefact.ending);
    return path.str().str();
  }

  static std::string print(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream(text) << module << '\n';
    return text;
  }

  Expected<std::string> printHeader() const {
    std::vector<StepArgument> step;
    if (goesOn(request.form)) {
      Expected<LoweredProgram> lowered = tile(spec, request.sizes, {request.form, request.types});
      if (!lowered)
        return lowered.takeError();
      step = getStepArguments(*lowered->program.module);
    }
    llvm::SmallVector<StringRef> chips;
    for (const Architecture &architecture : request.architectures)
      llvm::append_range(chips, architecture.chips);
    bool hasDevices =
        llvm::any_of(request.architectures, [](const Architecture &a) { return a.maker & Gpu; });
    return makeHeader(spec.getSignature(), request.sizes, request.form, request.types,
                      llvm::join(chips, ", "), hasDevices, step);
  }

  Expected<LoweredProgram> tileFor(const Architecture &gpu) {
    return tileForGpu(spec, request.sizes, {request.form, request.types, gpu.chips.front()});
  }

  /// What every object has: the kernels of all GPUs that are targets.
  Error describeDevices() {
    for (const Architecture &architecture : request.architectures) {
      if (!(architecture.maker & Gpu))
        continue;
      Expected<LoweredProgram> lowered = tileFor(architecture);
      if (!lowered)
        return lowered.takeError();
      auto described = describeForGpu(*lowered->program.module, architecture.chips.front(),
                                      architecture.isEmulated ? DeviceCodeKind::Emulated
                                                              : DeviceCodeKind::Assembled);
      if (!described)
        return described.takeError();
      if (!described->note.empty())
        llvm::errs() << "note: " << described->note << '\n';
      devicePrograms.push_back(std::move(*lowered));
      devices.push_back(std::move(described->module));
    }
    return Error::success();
  }

  /// The contents of the file; for a shared library those of its object.
  Expected<std::string> produce(const Artefact &artefact, const Architecture &architecture) {
    if (artefact.name == "header")
      return printHeader();
    if (artefact.name == "mix") {
      Expected<LoweredProgram> lowered = normalize(spec, request.sizes);
      if (!lowered)
        return lowered.takeError();
      return print(*lowered->program.module);
    }
    if (architecture.maker & Gpu) {
      Expected<LoweredProgram> lowered = tileFor(architecture);
      if (!lowered)
        return lowered.takeError();
      mlir::ModuleOp module = *lowered->program.module;
      return artefact.name == "tile"
                 ? print(module)
                 : compileForGpu(module, architecture.chips.front(), artefact.name);
    }
    return produceForCpu(artefact, architecture);
  }

  Expected<std::string> produceForCpu(const Artefact &artefact, const Architecture &architecture) {
    std::vector<LoweredProgram> programs;
    std::vector<cpu::Variant> variants;
    for (const std::string &chip : architecture.chips) {
      Expected<LoweredProgram> lowered =
          tile(spec, request.sizes, {request.form, request.types, chip});
      if (!lowered)
        return lowered.takeError();
      if (artefact.name == "tile")
        return print(*lowered->program.module);
      programs.push_back(std::move(*lowered));
      variants.push_back({*programs.back().program.module, chip});
    }
    cpu::CompileOptions options;
    options.checkAddresses = request.checksAddresses;
    if (artefact.name == "asm")
      return cpu::compileToText(variants, cpu::TextKind::Assembly, options);
    if (artefact.name == "llvm")
      return cpu::compileToText(variants, cpu::TextKind::LLVMIR, options);
    if (devices.empty())
      if (Error error = describeDevices())
        return std::move(error);
    auto modules = llvm::map_to_vector(devices, [](auto &module) { return *module; });
    options.devices = modules;
    auto object = cpu::compileToObject(variants, options);
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

  static Error linkShared(StringRef path, StringRef object, const Architecture &architecture) {
    bool isNative = llvm::Triple(llvm::sys::getProcessTriple()).getArchName() == architecture.name;
    std::string name = isNative ? "cc" : (architecture.name + "-linux-gnu-gcc").str();
    auto compiler = llvm::sys::findProgramByName(name);
    if (!compiler)
      return createStringError("a shared library needs a linker, but there is no '" + name + "'");
    llvm::SmallString<128> temporary;
    if (std::error_code code = llvm::sys::fs::createTemporaryFile("mixwright", "o", temporary))
      return createStringError("cannot write a temporary file: " + code.message());
    Error error = writeFile(temporary, object);
    StringRef words[] = {*compiler, "-shared", "-o", path, temporary, "-lm"};
    if (!error && llvm::sys::ExecuteAndWait(*compiler, words) != 0)
      error = createStringError("'" + name + "' could not link '" + path + "'");
    llvm::sys::fs::remove(temporary);
    return error;
  }

  Spec &spec;
  const Request &request;
  std::vector<LoweredProgram> devicePrograms;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> devices;
};

/// The form to compile: the one that was asked for, or the fastest that has a tile program.
Expected<Form> chooseForm(const Arguments &arguments, Spec &spec, const SizeMap &sizes,
                          TensorTypes types) {
  Expected<FormChoice> wanted = parseForm(arguments.get("form", "auto"));
  if (!wanted)
    return wanted.takeError();
  if (*wanted == Form::Reference)
    return createStringError("--form: the reference form is evaluated, not compiled");
  std::string reasons;
  for (Form form : getCandidates(*wanted)) {
    Expected<LoweredProgram> lowered = tile(spec, sizes, {form, types});
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

Expected<llvm::SmallVector<Artefact>> parseArtefacts(StringRef text) {
  llvm::SmallVector<Artefact> wanted;
  for (StringRef name : llvm::split(text, ',')) {
    auto found = llvm::find_if(artefacts, [&](const Artefact &a) { return a.name == name; });
    if (found == std::end(artefacts))
      return createStringError(
          "--emit: expected " +
          llvm::join(llvm::map_range(artefacts, [](const Artefact &a) { return a.name; }), ", ") +
          ", got '" + name + "'");
    wanted.push_back(*found);
  }
  return wanted;
}

/// Sorts chips by architecture, and within one the best to the front; GPUs come last. "emu:sm_80"
/// is the GPU on the emulator.
Expected<std::vector<Architecture>> parseTargets(StringRef text) {
  std::vector<std::pair<std::string, Chip>> targets;
  std::vector<Architecture> gpus;
  for (StringRef name : llvm::split(text, ',')) {
    StringRef gpuName = name;
    bool isEmulated = gpuName.consume_front("emu:");
    if (const GpuChip *gpu = findGpuChip(gpuName)) {
      if (llvm::any_of(gpus, [&](const Architecture &known) { return known.name == gpuName; }))
        return createStringError("--target names '" + gpuName + "' twice");
      Makers maker = gpu->vendor == GpuVendor::Nvidia ? Nvidia : Amd;
      gpus.push_back({gpu->name, {gpu->name}, maker, isEmulated});
      continue;
    }
    Expected<Chip> chip = findChip(name);
    if (!chip)
      return createStringError("--target: " + toString(chip.takeError()) + "; known GPUs are " +
                               getGpuChipNames());
    if (llvm::any_of(targets, [&](auto &target) { return target.first == name; }))
      return createStringError("--target names '" + name + "' twice");
    targets.push_back({name.str(), std::move(*chip)});
  }
  auto rank = [](const Chip &chip) {
    auto row = llvm::find_if(getChips(), [&](const Chip &row) { return row.name == chip.name; });
    return std::pair(row, -llvm::popcount(chip.needs)); // the native chip has a row's name
  };
  llvm::sort(targets, [&](auto &a, auto &b) { return rank(a.second) < rank(b.second); });
  std::vector<Architecture> architectures;
  for (auto &[name, chip] : targets) {
    StringRef architecture = llvm::Triple::getArchTypeName(llvm::Triple(chip.triple).getArch());
    auto found =
        llvm::find_if(architectures, [&](const Architecture &a) { return a.name == architecture; });
    if (found == architectures.end())
      found = architectures.insert(found, {architecture, {}});
    found->chips.push_back(name);
  }
  if (architectures.empty())
    architectures.push_back(
        {llvm::Triple(llvm::sys::getProcessTriple()).getArchName().str(), {}, Host});
  llvm::append_range(architectures, gpus);
  return architectures;
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
  Expected<TensorTypes> types = parseTypes(arguments, ElementType::F32);
  if (!types)
    return types.takeError();
  auto architectures = parseTargets(arguments.get("target", "native"));
  if (!architectures)
    return architectures.takeError();
  auto wanted = parseArtefacts(arguments.get("emit", "obj,header"));
  if (!wanted)
    return wanted.takeError();
  Expected<Form> form = chooseForm(arguments, **spec, *sizes, *types);
  if (!form)
    return form.takeError();

  StringRef directory = arguments.get("output", ".");
  if (std::error_code code =
          llvm::sys::fs::create_directories(directory, true, llvm::sys::fs::perms::all_all))
    return createStringError("cannot make '" + directory + "': " + code.message());
  Request request{
      std::move(*sizes), *form, *types, std::move(*architectures), arguments.has("check-addresses"),
      directory.str()};
  Job job(**spec, request);
  for (const Artefact &artefact : *wanted)
    if (Error error = job.emit(artefact))
      return std::move(error);
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
      "examples/c shows programs. Several targets of one architecture share an object, and the\n"
      "runtime chooses among them by what the processor has; every other architecture has an\n"
      "object of its own. Kernels for GPUs are in every object, which is for this machine if only\n"
      "GPUs are named: machine code, and for NVIDIA GPUs PTX, which later ones run too. Their\n"
      "machine code is made by NVIDIA's ptxas (on the PATH or in CUDA_PATH) or nvJitLink; without\n"
      "them there is PTX only. --emit takes any of: obj, so, header, ptx, cubin (of NVIDIA GPUs),\n"
      "hsaco (of AMD GPUs), llvm, asm, tile (level L3), mix (level L2).",
      "mixc compile examples/gated_delta_rule.mix --size K=128,V=128\n"
      "    --target x86-64-v4,x86-64-v3,aarch64 --output out",
      {{"size", Option::AssignmentCommas, "AXIS=N,...", "size of every feature axis"},
       {"target", Option::Value, "CHIP,...", "native (default), x86-64-v4, sm_80, gfx942, ..."},
       {"emit", Option::Value, "WHAT,...", "default: obj,header"},
       {"output", Option::Value, "DIR", "where to (default: here)"},
       {"form", Option::Value, "FORM", "auto (default), chunked, recurrent, step or prefill"},
       {"check-addresses", Option::Flag, "",
        "for tests of callers: every access of memory is checked; link\n"
        "with -fsanitize=address"},
       getTypeOption(),
       getStateTypeOption(),
       getSetOption(),
       getMixerOption()},
      compileFile};
}
