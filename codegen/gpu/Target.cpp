//===- Target.cpp - From tile programs to GPU kernels -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Target.h"
#include "codegen/gpu/Machine.h"
#include "codegen/gpu/Passes.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
  });
}

static llvm::Expected<const GpuChip *> findChip(StringRef name) {
  if (const GpuChip *chip = findGpuChip(name))
    return chip;
  return llvm::createStringError("unknown GPU '%s'; known are %s", name.str().c_str(),
                                 getGpuChipNames().c_str());
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const Machine &machine) {
  initializeTargets();
  llvm::Triple triple(machine.getTriple());
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("LLVM cannot emit code for %s: %s", triple.str().c_str(),
                                   message.c_str());
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, machine.chip.cpu, machine.chip.features, llvm::TargetOptions(), llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

static void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

/// The kernels of lowered phases, in the order of the phases.
static std::vector<DeviceKernel> collectKernels(ModuleOp module) {
  SmallVector<std::pair<int64_t, DeviceKernel>> found;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    auto number = [&](StringRef name, int64_t otherwise) {
      auto attr = function->getAttrOfType<IntegerAttr>(name);
      return attr ? attr.getInt() : otherwise;
    };
    if (!function->hasAttr(kThreadsAttr))
      continue;
    auto space = function->getAttrOfType<StringAttr>("tile.space");
    found.push_back(
        {number("tile.phase", 0),
         {function.getName().str(), number("tile.features", 1), space ? space.str() : "",
          number("tile.rows", 0), number(kThreadsAttr, 0), number(kSharedBytesAttr, 0)}});
  }
  llvm::sort(found, llvm::less_first());
  std::vector<DeviceKernel> kernels;
  for (auto &[number, kernel] : found)
    kernels.push_back(std::move(kernel));
  return kernels;
}

/// The type of a parameter of so many bytes, as words.
static llvm::Type *getParameterType(llvm::LLVMContext &context, int64_t bytes) {
  llvm::Type *words = llvm::ArrayType::get(llvm::Type::getInt64Ty(context), bytes / 8);
  return llvm::StructType::get(words);
}

void gpu::registerTargetDialects(DialectRegistry &registry) {
  registry.insert<tile::TileDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

llvm::Expected<DeviceModule> gpu::compile(ModuleOp phases, StringRef chip, bool optimize) {
  llvm::Expected<const GpuChip *> row = findChip(chip);
  if (!row)
    return row.takeError();
  std::unique_ptr<Machine> machine = createMachine(**row);
  auto target = createTargetMachine(*machine);
  if (!target)
    return target.takeError();
  PassManager pm(phases.getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false);
  buildGpuPipeline(pm, chip);
  if (failed(pm.run(phases)))
    return llvm::createStringError("the tile program could not be lowered for %s",
                                   chip.str().c_str());
  DeviceModule device;
  device.context = std::make_unique<llvm::LLVMContext>();
  device.module = translateModuleToLLVMIR(phases, *device.context);
  if (!device.module)
    return llvm::createStringError("the lowered program could not be translated to LLVM IR");
  device.module->setTargetTriple((*target)->getTargetTriple());
  device.module->setDataLayout((*target)->createDataLayout());
  device.kernels = collectKernels(phases);
  for (auto function : phases.getOps<LLVM::LLVMFuncOp>()) {
    auto bytes = function->getAttrOfType<IntegerAttr>(kParameterBytesAttr);
    if (!bytes)
      continue;
    llvm::Function *kernel = device.module->getFunction(function.getName());
    kernel->addFnAttr("target-cpu", (*row)->cpu);
    kernel->addFnAttr("target-features", (*row)->features);
    machine->finishKernel(*kernel, getParameterType(*device.context, bytes.getInt()));
  }
  if (optimize)
    optimizeModule(*device.module, **target);
  return device;
}

llvm::Expected<std::string> gpu::emitCode(const DeviceModule &device, StringRef chip,
                                          CodeKind kind) {
  llvm::Expected<const GpuChip *> row = findChip(chip);
  if (!row)
    return row.takeError();
  std::unique_ptr<Machine> machine = createMachine(**row);
  auto target = createTargetMachine(*machine);
  if (!target)
    return target.takeError();
  // Code generation changes the module.
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*device.module);
  llvm::SmallString<0> code;
  llvm::raw_svector_ostream out(code);
  llvm::legacy::PassManager pm;
  auto fileType = kind == CodeKind::Assembly ? llvm::CodeGenFileType::AssemblyFile
                                             : llvm::CodeGenFileType::ObjectFile;
  if ((*target)->addPassesToEmitFile(pm, out, /*DwoOut=*/nullptr, fileType))
    return llvm::createStringError("LLVM emits no such file for %s", chip.str().c_str());
  pm.run(*copy);
  return code.str().str();
}
