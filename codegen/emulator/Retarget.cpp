//===- Retarget.cpp - From a GPU's LLVM IR to the host's --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Retarget.h"
#include "codegen/emulator/Instrument.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/Utils/Local.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"
#include <set>

using namespace mix::emu;
using namespace llvm;

/// LLVM's number for shared memory (CUDA) and LDS (AMD), in both of its back ends.
static constexpr unsigned kSharedSpace = 3;

HostModule::HostModule() = default;
HostModule::HostModule(HostModule &&) = default;
HostModule::~HostModule() = default;

//===----------------------------------------------------------------------===//
// The module as it comes
//===----------------------------------------------------------------------===//

/// A copy in a context of its own, because the JIT takes the context too.
static Error copyModule(const Module &module, HostModule &result) {
  SmallVector<char, 0> bitcode;
  raw_svector_ostream stream(bitcode);
  WriteBitcodeToFile(module, stream);
  result.context = std::make_unique<LLVMContext>();
  auto copy =
      parseBitcodeFile({{bitcode.data(), bitcode.size()}, module.getName()}, *result.context);
  if (!copy)
    return copy.takeError();
  result.module = std::move(*copy);
  return Error::success();
}

static bool isKernel(const Function &function) {
  CallingConv::ID convention = function.getCallingConv();
  return !function.isDeclaration() &&
         (convention == CallingConv::PTX_Kernel || convention == CallingConv::AMDGPU_KERNEL);
}

/// CDNA and GCN run waves of 64 threads; RDNA runs 32 unless it is told otherwise.
static uint32_t getWaveSize(const Module &module, StringRef chip) {
  StringRef features;
  for (const Function &function : module)
    if (isKernel(function)) {
      if (chip.empty())
        chip = function.getFnAttribute("target-cpu").getValueAsString();
      features = function.getFnAttribute("target-features").getValueAsString();
    }
  if (features.contains("+wavefrontsize32"))
    return 32;
  if (features.contains("+wavefrontsize64"))
    return 64;
  bool isWave64 = chip.starts_with("gfx9") || chip.empty();
  return isWave64 ? 64 : 32;
}

static Error findTarget(const Module &module, StringRef chip, HostModule &result) {
  Triple triple(module.getTargetTriple());
  if (triple.isNVPTX()) {
    result.vendor = Vendor::Nvidia;
    result.warpSize = 32;
    return Error::success();
  }
  if (!triple.isAMDGCN())
    return createStringError("expected a module for nvptx64 or amdgcn, found one for '" +
                             triple.str() + "'");
  result.vendor = Vendor::Amd;
  result.warpSize = getWaveSize(module, chip);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// The functions whose code mentions a value, directly or in constants.
static void findUsers(const Value &value, SmallPtrSetImpl<const Function *> &functions) {
  for (const User *user : value.users()) {
    if (auto *instruction = dyn_cast<Instruction>(user))
      functions.insert(instruction->getFunction());
    else
      findUsers(*user, functions);
  }
}

/// The functions that a kernel calls, itself included.
static void findReachable(const Function &function, SmallPtrSetImpl<const Function *> &reachable) {
  if (!reachable.insert(&function).second)
    return;
  for (const BasicBlock &block : function)
    for (const Instruction &instruction : block)
      if (auto *call = dyn_cast<CallBase>(&instruction))
        if (const Function *callee = call->getCalledFunction())
          findReachable(*callee, reachable);
}

/// Gives every variable in shared memory its address, in the order of the module; those of
/// no size are the dynamic shared memory and begin together behind all others.
static Error placeShared(HostModule &result) {
  Module &module = *result.module;
  const DataLayout &layout = module.getDataLayout();
  std::vector<GlobalVariable *> fixed, dynamic;
  for (GlobalVariable &variable : module.globals())
    if (variable.getAddressSpace() == kSharedSpace)
      (layout.getTypeAllocSize(variable.getValueType()) == 0 ? dynamic : fixed)
          .push_back(&variable);
  uintptr_t base = SharedWindow::getBase(), end = base;
  if (!base)
    return createStringError("no address below 2^32 is free for the shared memory of kernels");

  auto place = [&](GlobalVariable &variable, uintptr_t address) {
    uint64_t bytes = layout.getTypeAllocSize(variable.getValueType());
    SmallPtrSet<const Function *, 4> users;
    findUsers(variable, users);
    for (HostKernel &kernel : result.kernels) {
      SmallPtrSet<const Function *, 8> reachable;
      findReachable(*module.getFunction(kernel.name), reachable);
      if (none_of(users, [&](const Function *user) { return reachable.contains(user); }))
        continue;
      if (bytes)
        kernel.sharedExtents.push_back({address, address + bytes});
      else
        kernel.dynamicShared = address;
    }
    Constant *number = ConstantInt::get(Type::getInt64Ty(module.getContext()), address);
    variable.replaceAllUsesWith(ConstantExpr::getIntToPtr(number, variable.getType()));
    variable.eraseFromParent();
  };
  auto align = [&](GlobalVariable &variable) {
    end = alignTo(end, variable.getAlign().value_or(layout.getPreferredAlign(&variable)));
  };
  for (GlobalVariable *variable : fixed) {
    align(*variable);
    uint64_t bytes = layout.getTypeAllocSize(variable->getValueType());
    place(*variable, end);
    end += bytes;
  }
  for (GlobalVariable *variable : dynamic)
    align(*variable);
  for (GlobalVariable *variable : dynamic)
    place(*variable, end);
  if (end - base > SharedWindow::kBytes)
    return createStringError("the kernels have %zu bytes of shared memory, more than any chip",
                             size_t(end - base));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// What the host's back end may not see
//===----------------------------------------------------------------------===//

/// Attributes, conventions and linkage speak of the GPU. Those that promise something
/// about memory or convergence go too, because the hooks do not keep such promises.
static void dropTargetDetails(Module &module) {
  for (const char *name : {"llvm.used", "llvm.compiler.used"})
    if (GlobalVariable *list = module.getNamedGlobal(name))
      list->eraseFromParent();
  for (Function &function : module) {
    function.setCallingConv(CallingConv::C);
    if (function.isDeclaration())
      continue;
    function.setAttributes({});
    function.setComdat(nullptr);
    function.setLinkage(GlobalValue::InternalLinkage);
    function.setVisibility(GlobalValue::DefaultVisibility);
    removeUnreachableBlocks(function);
    for (BasicBlock &block : function)
      for (Instruction &instruction : block) {
        instruction.dropUnknownNonDebugMetadata();
        if (auto *call = dyn_cast<CallBase>(&instruction)) {
          call->setCallingConv(CallingConv::C);
          if (!call->getIntrinsicID())
            call->setAttributes({});
        }
      }
  }
}

/// Exports the variables that are left, so that the JIT can say where they are.
static void exportData(HostModule &result) {
  const DataLayout &layout = result.module->getDataLayout();
  for (GlobalVariable &variable : result.module->globals()) {
    if (variable.isDeclaration())
      continue;
    variable.setName("mixwright_emulator_data_" + Twine(result.data.size()));
    variable.setLinkage(GlobalValue::ExternalLinkage);
    variable.setVisibility(GlobalValue::DefaultVisibility);
    variable.setComdat(nullptr);
    variable.setSection("");
    result.data.push_back({variable.getName().str(),
                           layout.getTypeAllocSize(variable.getValueType()),
                           !variable.isConstant()});
  }
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// void entry(ptr parameters): takes a kernel's parameters from where a launch puts them
/// and calls it.
static void makeEntry(Function &kernel, HostKernel &description) {
  Module &module = *kernel.getParent();
  const DataLayout &layout = module.getDataLayout();
  LLVMContext &context = module.getContext();
  auto *type = FunctionType::get(Type::getVoidTy(context), {PointerType::get(context, 0)}, false);
  description.entry = ("mixwright_emulator_entry_" + kernel.getName()).str();
  Function *entry = Function::Create(type, GlobalValue::ExternalLinkage, description.entry, module);
  IRBuilder<> builder(BasicBlock::Create(context, "", entry));
  uint32_t offset = 0;
  SmallVector<Value *> operands;
  for (Argument &argument : kernel.args()) {
    Type *inPlace = argument.getParamByValType();
    Type *byReference = argument.getParamByRefType();
    Type *held = inPlace ? inPlace : byReference ? byReference : argument.getType();
    Align alignment = layout.getABITypeAlign(held);
    if (inPlace || byReference)
      alignment = std::max(alignment, argument.getParamAlign().valueOrOne());
    uint32_t bytes = layout.getTypeAllocSize(held);
    offset = alignTo(offset, alignment);
    description.parameters.push_back({offset, bytes});
    Value *address = builder.CreateConstGEP1_32(builder.getInt8Ty(), entry->getArg(0), offset);
    if (inPlace) { // The kernel may change it.
      Value *copy = builder.CreateAlloca(builder.getInt8Ty(), builder.getInt32(bytes));
      cast<AllocaInst>(copy)->setAlignment(alignment);
      builder.CreateMemCpy(copy, alignment, address, Align(1), bytes);
      address = copy;
    }
    if (inPlace || byReference)
      operands.push_back(builder.CreateAddrSpaceCast(address, argument.getType()));
    else
      operands.push_back(builder.CreateAlignedLoad(held, address, Align(1)));
    offset += bytes;
  }
  builder.CreateCall(&kernel, operands);
  builder.CreateRetVoid();
}

Expected<HostModule> mix::emu::retarget(const Module &module, StringRef chip, const Triple &host,
                                        const DataLayout &layout) {
  HostModule result;
  if (Error error = copyModule(module, result))
    return std::move(error);
  if (Error error = findTarget(module, chip, result))
    return std::move(error);
  Module &copy = *result.module;
  copy.setTargetTriple(host);
  copy.setDataLayout(layout);
  for (Function &function : copy)
    if (isKernel(function)) {
      result.kernels.push_back({function.getName().str(), "", {}, {}});
      makeEntry(function, result.kernels.back());
    }
  dropTargetDetails(copy);
  for (HostKernel &kernel : result.kernels)
    copy.getFunction(kernel.entry)->setLinkage(GlobalValue::ExternalLinkage);
  // While variables still have their names, which findings show.
  if (Error error = instrument(result))
    return std::move(error);
  if (Error error = placeShared(result))
    return std::move(error);
  exportData(result);

  std::string problems;
  raw_string_ostream stream(problems);
  if (verifyModule(copy, &stream))
    return createStringError("the retargeted module is broken: " + problems);
  return std::move(result);
}
