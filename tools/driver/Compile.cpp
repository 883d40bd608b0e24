//===- Compile.cpp - From a spec to a kernel --------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compile.h"
#include "codegen/Chips.h"
#include "codegen/GpuChips.h"
#include "codegen/cpu/Target.h"
#include "dialect/Axes.h"
#include "dialect/Mix.h"
#include "mixwright/device.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "passes/TileScan.h"
#include "tools/driver/Cache.h"
#include "tools/driver/Device.h"
#include "tools/driver/Diagnostics.h"

using namespace mlir;
using namespace mix;
using namespace mix::driver;
using llvm::Expected;
using llvm::StringRef;

char NotDerivedError::ID = 0;

StringRef mix::driver::getFormName(Form form) {
  static constexpr StringRef names[] = {"chunked", "recurrent", "step", "prefill", "reference"};
  return names[static_cast<int>(form)];
}

/// What a user should know of a normal form: recurrences that no faster form was
/// found for.
static std::vector<std::string> collectNotes(func::FuncOp mixer) {
  std::vector<std::string> notes;
  auto addNote = [&](Location loc, ArrayAttr states, StringRef reason) {
    std::string names = llvm::join(states.getAsValueRange<StringAttr>(), "', '");
    notes.push_back(formatLocation(loc) + "state '" + names +
                    "' runs token by token: " + reason.str());
  };
  mixer.walk([&](Operation *op) {
    auto loop = dyn_cast<ForOp>(op);
    if (loop && loop.getClass_() == ScanClass::Sequential)
      addNote(loop.getLoc(), loop.getStates(), loop.getReason().value_or(""));
    auto scan = dyn_cast<AffineScanOp>(op);
    auto states = scan ? scan->getAttrOfType<ArrayAttr>(kStatesAttr) : ArrayAttr();
    if (states && !getChunkObstacle(scan).empty())
      addNote(scan.getLoc(), states, getChunkObstacle(scan));
  });
  return notes;
}

static TimingScope startStage(const KernelOptions &options, StringRef name) {
  return options.timing ? options.timing->nest(name) : TimingScope();
}

static Expected<LoweredProgram> normalize(Program program, const KernelOptions &options) {
  TimingScope stage = startStage(options, "Derive normal forms");
  MLIRContext &context = *program.module->getContext();
  DiagnosticCollector diagnostics(context);
  PassManager manager(&context);
  manager.enableTiming(stage);
  buildNormalizePipeline(manager);
  if (failed(manager.run(*program.module)))
    return llvm::make_error<NotDerivedError>(diagnostics.getErrors());
  std::vector<std::string> notes = collectNotes(program.getMixer());
  return LoweredProgram{std::move(program), std::move(notes)};
}

/// Whether information moves between tokens by nothing but recurrences that have to run
/// token by token; then the place of one of them.
static std::optional<Location> findTokenByToken(func::FuncOp normal) {
  std::optional<Location> loop;
  auto result = normal.walk([&](Operation *op) {
    auto scan = dyn_cast<AffineScanOp>(op);
    bool isChunked = scan && getChunkObstacle(scan).empty();
    auto recurrence = dyn_cast<ForOp>(op);
    isChunked |= recurrence && recurrence.getClass_() == ScanClass::Blocked;
    if ((recurrence || scan) && !isChunked)
      loop = op->getLoc();
    auto reduce = dyn_cast<ReduceOp>(op);
    bool isOverTokens =
        reduce && llvm::any_of(reduce.getAxes().getAsValueRange<StringAttr>(), isIndexAxis);
    return isOverTokens || isChunked || isa<StreamedReductionOp, PrefixOp, LargestOp>(op)
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return result.wasInterrupted() ? std::nullopt : loop;
}

static Expected<LoweredProgram> tile(Program program, const KernelOptions &options) {
  Expected<LoweredProgram> lowered = normalize(std::move(program), options);
  if (!lowered)
    return lowered.takeError();
  TimingScope stage = startStage(options, "Make tile programs");
  if (options.form == Form::Chunked)
    if (std::optional<Location> loop = findTokenByToken(lowered->program.getMixer()))
      return llvm::make_error<NotDerivedError>(formatLocation(*loop) +
                                               "recurrences run token by token, and all else is "
                                               "of one token");
  ModuleOp module = *lowered->program.module;
  DiagnosticCollector diagnostics(*module.getContext());
  PassManager manager(module.getContext());
  manager.enableTiming(stage);
  TileMixersOptions tileOptions;
  tileOptions.form = getFormName(options.form).str();
  tileOptions.element = getShortTypeName(options.types.type);
  if (options.types.state != getComputeType(options.types.type))
    tileOptions.state = getShortTypeName(options.types.state);
  tileOptions.chunk = options.tiles.chunk;
  if (options.tiles.rows)
    tileOptions.rows = options.tiles.rows;
  if (options.tiles.keys)
    tileOptions.keys = options.tiles.keys;
  tileOptions.stateElements = options.tiles.stateElements;
  buildTilePipeline(manager, tileOptions);
  if (failed(manager.run(module)))
    return llvm::make_error<NotDerivedError>(diagnostics.getErrors());
  for (auto function : module.getOps<func::FuncOp>())
    if (auto reason = function->getAttrOfType<StringAttr>("tile.not_tiled"))
      return llvm::make_error<NotDerivedError>(
          diagnostics.getFirst().empty() ? reason.str() : diagnostics.getFirst());
  return lowered;
}

Expected<LoweredProgram> mix::driver::normalize(Spec &spec, const SizeMap &sizes) {
  Expected<Program> program = spec.build(sizes);
  if (!program)
    return program.takeError();
  return ::normalize(std::move(*program), {});
}

Expected<LoweredProgram> mix::driver::tile(Spec &spec, const SizeMap &sizes,
                                           const KernelOptions &options) {
  Expected<Program> program = spec.build(sizes);
  if (!program)
    return program.takeError();
  return ::tile(std::move(*program), options);
}

/// All that determines a kernel and its notes, apart from the compiler itself: level
/// L1 has the imports, settings and sizes in it, and the places that notes name.
static std::string makeKey(ModuleOp module, const KernelOptions &options, StringRef target) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << target << ' ' << getFormName(options.form) << ' ' << getTypeName(options.types.type) << ' '
     << getTypeName(options.types.state) << '\n';
  module.print(os, OpPrintingFlags().enableDebugInfo());
  return key;
}

/// What determines the code of a chip.
static Expected<std::string> describeTarget(const KernelOptions &options) {
  if (findGpuChip(options.chip))
    return (options.isEmulated ? "emulated gpu " : "gpu ") + options.chip;
  Expected<Chip> chip = findHostChip(options.chip);
  if (!chip)
    return chip.takeError();
  return "cpu " + chip->triple + ' ' + chip->cpu + ' ' + chip->features;
}

static Expected<cpu::Object> compileObject(ModuleOp phases, const KernelOptions &options) {
  cpu::CompileOptions compileOptions;
  compileOptions.timing = options.timing;
  if (!findGpuChip(options.chip))
    return cpu::compileToObject({{phases, options.chip}}, compileOptions);
  auto described =
      describeForGpu(phases, options.chip,
                     options.isEmulated ? DeviceCodeKind::Emulated : DeviceCodeKind::Loadable);
  if (!described)
    return described.takeError();
  ModuleOp device = *described->module;
  compileOptions.devices = device;
  return cpu::compileToObject({}, compileOptions);
}

static Expected<CacheEntry> compileEntry(Spec &spec, const SizeMap &sizes, Program program,
                                         const KernelOptions &options) {
  Expected<LoweredProgram> lowered = findGpuChip(options.chip)
                                         ? tileForGpu(spec, sizes, options)
                                         : ::tile(std::move(program), options);
  if (!lowered)
    return lowered.takeError();
  ModuleOp module = *lowered->program.module;
  DiagnosticCollector diagnostics(*module.getContext());
  auto object = compileObject(module, options);
  if (!object) {
    std::string failed = toString(object.takeError()), details = diagnostics.getErrors();
    return llvm::createStringError(details.empty() ? failed : details);
  }
  return CacheEntry{std::move(lowered->notes), std::move(*object)};
}

void CompiledKernel::Unload::operator()(cpu::LoadedObject *object) const {
  for (const mixwright_kernel *kernel : object->getKernels())
    mixwright_unload(kernel);
  delete object;
}

Expected<CompiledKernel> mix::driver::compile(Spec &spec, const SizeMap &sizes,
                                              const KernelOptions &options) {
  TimingScope stage = startStage(options, "Read the spec");
  Expected<Program> program = spec.build(sizes);
  if (!program)
    return program.takeError();
  stage = startStage(options, "Look into the cache");
  Expected<std::string> target = describeTarget(options);
  if (!target)
    return target.takeError();
  Cache cache(Cache::findDirectory());
  std::string key = makeKey(*program->module, options, *target);
  std::optional<CacheEntry> entry = cache.load(key);
  stage.stop();
  if (!entry) {
    Expected<CacheEntry> compiled = compileEntry(spec, sizes, std::move(*program), options);
    if (!compiled)
      return compiled.takeError();
    stage = startStage(options, "Write to the cache");
    cache.store(key, *compiled);
    entry = std::move(*compiled);
  }
  stage = startStage(options, "Load");
  CompiledKernel result;
  auto object = cpu::load(entry->object);
  if (!object)
    return object.takeError();
  result.object.reset(object->release());
  for (const mixwright_kernel *kernel : result.object->getKernels())
    result.kernel = kernel;
  if (!result.kernel)
    return llvm::createStringError("the compiled object holds no kernel");
  result.notes = std::move(entry->notes);
  return result;
}
