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
#include "mixwright/abi.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include <mutex>

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

namespace {

/// One compilation: an LLVM module with its context, to which one chip after the other
/// adds its code.
class Compilation {
public:
  Compilation(const CompileOptions &options) : options(options) {
    // Without a handler of ours an error of LLVM would end the process.
    context.setDiagnosticHandlerCallBack(
        [](const llvm::DiagnosticInfo *diagnostic, void *self) {
          if (diagnostic->getSeverity() == llvm::DS_Error) {
            llvm::raw_string_ostream text(static_cast<Compilation *>(self)->errors);
            llvm::DiagnosticPrinterRawOStream printer(text);
            text << ": ";
            diagnostic->print(printer);
          }
        },
        this);
  }

  /// Runs the target's passes on the program of a chip.
  llvm::Error lower(const Variant &variant);
  /// Translates what was lowered last, cleans up what translation and emission leave, and
  /// appends it to the module.
  llvm::Error translate(const Variant &variant);
  /// Appends the kernels for a device.
  llvm::Error addDevice(ModuleOp described);
  llvm::Error emit(llvm::raw_pwrite_stream &out, llvm::CodeGenFileType kind);

  llvm::Module &getModule() { return *module; }

private:
  TimingScope startStage(StringRef name) {
    return options.timing ? options.timing->nest(name) : TimingScope();
  }
  llvm::Error selectChip(StringRef name);
  void optimize(llvm::Module &added);
  llvm::Error append(std::unique_ptr<llvm::Module> added);

  const CompileOptions &options;
  Chip chip; ///< of the variant at hand
  llvm::LLVMContext context;
  std::string errors; ///< what LLVM reported, each after ": "
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
  /// By the name of its first kernel, the last kernel of each list.
  llvm::StringMap<llvm::GlobalVariable *> lists;
  int64_t numAppended = 0; ///< modules
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

llvm::Error Compilation::selectChip(StringRef name) {
  llvm::Expected<Chip> found = findChip(name);
  if (!found)
    return found.takeError();
  chip = std::move(*found);
  initializeTargets();
  llvm::Triple triple(chip.triple);
  if (machine) {
    if (machine->getTargetTriple().getArch() != triple.getArch())
      return llvm::createStringError("one object cannot hold code for %s and for %s",
                                     machine->getTargetTriple().getArchName().str().c_str(),
                                     triple.getArchName().str().c_str());
    return llvm::Error::success();
  }
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("LLVM cannot emit code for %s: %s", chip.triple.c_str(),
                                   message.c_str());
  // Level 0 would keep tiles of registers in memory; beyond 1 only time is spent. Model and
  // features are attributes of each function.
  llvm::TargetOptions fused;
  fused.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  machine.reset(target->createTargetMachine(triple, chip.cpu, chip.features, fused,
                                            llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                            llvm::CodeGenOptLevel::Less));
  return llvm::Error::success();
}

llvm::Error Compilation::lower(const Variant &variant) {
  if (llvm::Error error = selectChip(variant.chip))
    return error;
  TimingScope stage = startStage("Lower to the LLVM dialect");
  ModuleOp phases = variant.phases;
  PassManager pm(phases.getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false);
  if (options.timing)
    pm.enableTiming(stage);
  buildCpuPipeline(pm, variant.chip);
  if (failed(pm.run(phases)))
    return llvm::createStringError("the tile program could not be lowered for %s",
                                   chip.name.c_str());
  return llvm::Error::success();
}

llvm::Error Compilation::translate(const Variant &variant) {
  std::unique_ptr<llvm::Module> added;
  {
    TimingScope stage = startStage("Translate to LLVM IR");
    added = translateModuleToLLVMIR(variant.phases, context);
  }
  if (!added)
    return llvm::createStringError("the lowered program could not be translated to LLVM IR");
  added->setTargetTriple(machine->getTargetTriple());
  added->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *added) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", chip.cpu);
    function.addFnAttr("target-features", chip.features);
    // Vectors of the chip's width are what was emitted; none may be split.
    function.addFnAttr("prefer-vector-width", std::to_string(8 * chip.vectorBytes));
  }
  TimingScope stage = startStage("Optimize LLVM IR");
  optimize(*added);
  return append(std::move(added));
}

llvm::Error Compilation::addDevice(ModuleOp described) {
  if (!machine)
    if (llvm::Error error = selectChip("native"))
      return error;
  std::unique_ptr<llvm::Module> added = translateModuleToLLVMIR(described, context);
  if (!added)
    return llvm::createStringError("a kernel for a device could not be translated to LLVM IR");
  added->setTargetTriple(machine->getTargetTriple());
  added->setDataLayout(machine->createDataLayout());
  return append(std::move(added));
}

/// Emitted code has its vectors, register tiles and fused operations already. What pays is
/// to move addresses and broadcasts out of loops; more only costs time.
void Compilation::optimize(llvm::Module &added) {
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
  for (llvm::Function &function : added)
    if (!function.isDeclaration())
      pm.run(function, functions);
  if (!options.checkAddresses)
    return;
  for (llvm::Function &function : added)
    if (!function.isDeclaration())
      function.addFnAttr(llvm::Attribute::SanitizeAddress);
  llvm::AddressSanitizerPass(llvm::AddressSanitizerOptions()).run(added, modules);
}

/// Lets the `next` of a kernel's description point to another.
static bool setNext(llvm::GlobalVariable &kernel, llvm::GlobalVariable &next) {
  auto *fields = dyn_cast<llvm::ConstantStruct>(kernel.getInitializer());
  if (!fields || !fields->getType()->elements().back()->isPointerTy())
    return false;
  SmallVector<llvm::Constant *> values;
  for (llvm::Use &field : fields->operands())
    values.push_back(cast<llvm::Constant>(field));
  values.back() = &next;
  kernel.setInitializer(llvm::ConstantStruct::get(fields->getType(), values));
  return true;
}

llvm::Error Compilation::append(std::unique_ptr<llvm::Module> added) {
  // The first kernel of a name is the one that is exported; others become its list.
  ++numAppended;
  SmallVector<std::pair<std::string, std::string>> kernels;
  for (llvm::GlobalVariable &global : added->globals()) {
    if (!global.getName().starts_with(MIXWRIGHT_KERNEL_PREFIX) || global.isDeclaration())
      continue;
    std::string name = global.getName().str();
    if (lists.contains(name))
      global.setName("." + name + "." + std::to_string(numAppended));
    kernels.push_back({name, global.getName().str()});
  }
  if (!module)
    module = std::move(added);
  else if (llvm::Linker::linkModules(*module, std::move(added)))
    return llvm::createStringError("the code for %s could not be added to the object%s",
                                   chip.name.c_str(), errors.c_str());
  for (auto &[name, own] : kernels) {
    llvm::GlobalVariable *kernel = module->getNamedGlobal(own);
    llvm::GlobalVariable *&last = lists[name];
    if (last) {
      kernel->setLinkage(llvm::GlobalValue::PrivateLinkage);
      if (!setNext(*last, *kernel))
        return llvm::createStringError("'%s' does not describe a kernel", name.c_str());
    }
    last = kernel;
  }
  return llvm::Error::success();
}

llvm::Error Compilation::emit(llvm::raw_pwrite_stream &out, llvm::CodeGenFileType kind) {
  TimingScope stage = startStage("Generate machine code");
  llvm::legacy::PassManager pm;
  if (machine->addPassesToEmitFile(pm, out, /*DwoOut=*/nullptr, kind, /*DisableVerify=*/true))
    return llvm::createStringError("LLVM emits no such file for %s", chip.name.c_str());
  pm.run(*module);
  if (!errors.empty())
    return llvm::createStringError("LLVM could not generate machine code%s", errors.c_str());
  return llvm::Error::success();
}

void cpu::registerTargetDialects(DialectRegistry &registry) {
  registry.insert<tile::TileDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

llvm::Expected<Object> cpu::compileToObject(ArrayRef<Variant> variants,
                                            const CompileOptions &options) {
  Compilation compilation(options);
  for (const Variant &variant : variants) {
    if (llvm::Error error = compilation.lower(variant))
      return std::move(error);
    if (llvm::Error error = compilation.translate(variant))
      return std::move(error);
  }
  for (ModuleOp described : options.devices)
    if (llvm::Error error = compilation.addDevice(described))
      return std::move(error);
  Object object;
  llvm::raw_svector_ostream out(object);
  if (llvm::Error error = compilation.emit(out, llvm::CodeGenFileType::ObjectFile))
    return std::move(error);
  return object;
}

llvm::Expected<std::string> cpu::compileToText(ArrayRef<Variant> variants, TextKind kind,
                                               const CompileOptions &options) {
  Compilation compilation(options);
  std::string text;
  llvm::raw_string_ostream out(text);
  for (const Variant &variant : variants) {
    if (llvm::Error error = compilation.lower(variant))
      return std::move(error);
    if (kind == TextKind::LLVMDialect)
      ModuleOp(variant.phases).print(out);
    else if (llvm::Error error = compilation.translate(variant))
      return std::move(error);
  }
  if (kind == TextKind::LLVMIR)
    compilation.getModule().print(out, nullptr);
  if (kind != TextKind::Assembly)
    return text;
  llvm::SmallString<0> assembly;
  llvm::raw_svector_ostream stream(assembly);
  if (llvm::Error error = compilation.emit(stream, llvm::CodeGenFileType::AssemblyFile))
    return std::move(error);
  return assembly.str().str();
}
