//===- Target.cpp - From tile programs to object code -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Target.h"
#include "codegen/Chips.h"
#include "codegen/cpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include <mutex>

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

namespace {

/// One compilation: an LLVM module with its context, and the machine it is for.
class Compilation {
public:
  Compilation(const TargetOptions &options) : options(options) {}

  /// Selects the chip and creates its target machine.
  llvm::Error setUp();
  /// Runs the target's passes.
  llvm::Error lower(ModuleOp phases);
  /// Translates the LLVM dialect, and cleans up what translation and emission leave.
  llvm::Error translate(ModuleOp module);
  llvm::Error emit(llvm::raw_pwrite_stream &out, llvm::CodeGenFileType kind);

  llvm::Module &getModule() { return *module; }

private:
  TimingScope startStage(StringRef name) {
    return options.timing ? options.timing->nest(name) : TimingScope();
  }
  void optimize();

  const TargetOptions &options;
  Chip chip;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
};

} // namespace

/// Switches off strength reduction of loops: it takes a fifth of the time of code generation
/// and finds nothing, since emitted loops count up and address with constant offsets. LLVM
/// has no way to leave it out for one target machine.
static void disableStrengthReduction() {
  llvm::cl::Option *option = llvm::cl::getRegisteredOptions().lookup("disable-lsr");
  if (option && option->getNumOccurrences() == 0)
    option->addOccurrence(/*pos=*/0, option->ArgStr, "true");
}

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    disableStrengthReduction();
    for (const Chip &chip : getChips())
      switch (llvm::Triple(chip.triple).getArch()) {
      case llvm::Triple::x86_64:
        LLVMInitializeX86TargetInfo();
        LLVMInitializeX86Target();
        LLVMInitializeX86TargetMC();
        LLVMInitializeX86AsmPrinter();
        break;
      case llvm::Triple::aarch64:
        LLVMInitializeAArch64TargetInfo();
        LLVMInitializeAArch64Target();
        LLVMInitializeAArch64TargetMC();
        LLVMInitializeAArch64AsmPrinter();
        break;
      default:
        break;
      }
  });
}

llvm::Error Compilation::setUp() {
  llvm::Expected<Chip> found = findChip(options.chip);
  if (!found)
    return found.takeError();
  chip = std::move(*found);
  initializeTargets();
  llvm::Triple triple(chip.triple);
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("LLVM cannot emit code for %s: %s", chip.triple.c_str(),
                                   message.c_str());
  // Level 0 would keep tiles of registers in memory; beyond 1 only time is spent.
  machine.reset(target->createTargetMachine(triple, chip.cpu, chip.features, llvm::TargetOptions(),
                                            llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                            llvm::CodeGenOptLevel::Less));
  return llvm::Error::success();
}

llvm::Error Compilation::lower(ModuleOp phases) {
  TimingScope timing = startStage("Lower to the LLVM dialect");
  PassManager pm(phases.getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false);
  if (options.timing)
    pm.enableTiming(timing);
  buildCpuPipeline(pm, options.chip);
  if (failed(pm.run(phases)))
    return llvm::createStringError("the tile program could not be lowered for %s",
                                   chip.name.c_str());
  return llvm::Error::success();
}

llvm::Error Compilation::translate(ModuleOp source) {
  {
    TimingScope timing = startStage("Translate to LLVM IR");
    module = translateModuleToLLVMIR(source, context);
  }
  if (!module)
    return llvm::createStringError("the lowered program could not be translated to LLVM IR");
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", chip.cpu);
    function.addFnAttr("target-features", chip.features);
    // Vectors of the chip's width are what was emitted; none may be split.
    function.addFnAttr("prefer-vector-width", std::to_string(8 * chip.vectorBytes));
  }
  TimingScope timing = startStage("Optimize LLVM IR");
  optimize();
  return llvm::Error::success();
}

/// Emitted code has its vectors, register tiles and fused operations already. What pays is
/// to move addresses and broadcasts out of loops; more only costs time.
void Compilation::optimize() {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);

  llvm::FunctionPassManager pm;
  pm.addPass(llvm::SROAPass(llvm::SROAOptions::PreserveCFG));
  pm.addPass(llvm::EarlyCSEPass());
  pm.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()),
                                                   /*UseMemorySSA=*/true));
  for (llvm::Function &function : *module)
    if (!function.isDeclaration())
      pm.run(function, functions);
}

llvm::Error Compilation::emit(llvm::raw_pwrite_stream &out, llvm::CodeGenFileType kind) {
  TimingScope timing = startStage("Generate machine code");
  llvm::legacy::PassManager pm;
  if (machine->addPassesToEmitFile(pm, out, /*DwoOut=*/nullptr, kind, /*DisableVerify=*/true))
    return llvm::createStringError("LLVM emits no such file for %s", chip.name.c_str());
  pm.run(*module);
  return llvm::Error::success();
}

void cpu::registerTargetDialects(DialectRegistry &registry) {
  registry.insert<tile::TileDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

llvm::Expected<Object> cpu::compileToObject(ModuleOp phases, const TargetOptions &options) {
  Compilation compilation(options);
  if (llvm::Error error = compilation.setUp())
    return std::move(error);
  if (llvm::Error error = compilation.lower(phases))
    return std::move(error);
  if (llvm::Error error = compilation.translate(phases))
    return std::move(error);
  Object object;
  llvm::raw_svector_ostream out(object);
  if (llvm::Error error = compilation.emit(out, llvm::CodeGenFileType::ObjectFile))
    return std::move(error);
  return object;
}

llvm::Expected<std::string> cpu::compileToText(ModuleOp phases, TextKind kind,
                                               const TargetOptions &options) {
  Compilation compilation(options);
  if (llvm::Error error = compilation.setUp())
    return std::move(error);
  if (llvm::Error error = compilation.lower(phases))
    return std::move(error);
  std::string text;
  llvm::raw_string_ostream out(text);
  if (kind == TextKind::LLVMDialect) {
    phases.print(out);
    return text;
  }
  if (llvm::Error error = compilation.translate(phases))
    return std::move(error);
  if (kind == TextKind::LLVMIR) {
    compilation.getModule().print(out, nullptr);
    return text;
  }
  llvm::SmallString<0> assembly;
  llvm::raw_svector_ostream stream(assembly);
  if (llvm::Error error = compilation.emit(stream, llvm::CodeGenFileType::AssemblyFile))
    return std::move(error);
  return assembly.str().str();
}
