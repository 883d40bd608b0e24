//===- Instrument.cpp - Calls of the emulator in kernels --------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Instrument.h"
#include "codegen/emulator/InlineAssembly.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ModuleSlotTracker.h"
#include "llvm/Support/raw_ostream.h"
#include <set>

using namespace mix::emu;
using namespace llvm;

namespace {

/// What is to be done to an instruction.
struct Task {
  Instruction *instruction;
  Site *site;
};

class Instrumenter {
public:
  explicit Instrumenter(HostModule &host);

  Error run();

private:
  void collect(Function &function, ModuleSlotTracker &slots);
  void collect(CallBase &call, const std::string &location);
  void collect(FenceInst &fence, const std::string &location);
  Site &makeSite(Instruction &instruction, StringRef what, const std::string &location);

  void replaceOperation(CallBase &call, Site &site);
  void announceAccess(Instruction &instruction, Site &site);
  void announce(IRBuilder<> &builder, Value *pointer, Value *bytes, Align alignment,
                Block::Access access, Site &site);
  void guardDivision(BinaryOperator &division);
  Value *getBuffer(Function &function, bool isResult);
  Value *getAddress(const Site &site) {
    return ConstantExpr::getIntToPtr(ConstantInt::get(i64, reinterpret_cast<uintptr_t>(&site)),
                                     pointer);
  }

  HostModule &host;
  Module &module;
  const DataLayout &layout;
  IntegerType *i32, *i64;
  PointerType *pointer;
  FunctionCallee operationHook, accessHook, trapHook;
  std::set<std::string> unknown;
  std::vector<Task> operations, accesses, fences, traps;
  std::vector<Instruction *> useless;
  std::vector<BinaryOperator *> divisions;
  DenseMap<CallBase *, AssemblyOperation> assemblies;
  /// Bytes that the operations of a function need for arguments and results.
  DenseMap<Function *, std::pair<AllocaInst *, AllocaInst *>> buffers;
};

} // namespace

Instrumenter::Instrumenter(HostModule &host)
    : host(host), module(*host.module), layout(module.getDataLayout()),
      i32(Type::getInt32Ty(module.getContext())), i64(Type::getInt64Ty(module.getContext())),
      pointer(PointerType::get(module.getContext(), 0)) {
  Type *none = Type::getVoidTy(module.getContext());
  operationHook = module.getOrInsertFunction(kOperationHook, none, pointer, pointer, pointer);
  accessHook = module.getOrInsertFunction(kAccessHook, none, pointer, i64, i64, i32, i32);
  trapHook = module.getOrInsertFunction(kTrapHook, none, pointer);
  host.granule = 4;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// The blocks of a function in an order in which a loop comes before what follows it, and
/// the branches of a condition before their join.
static std::vector<BasicBlock *> getProgramOrder(Function &function) {
  DominatorTree dominators(function);
  LoopInfo loops(dominators);
  std::vector<BasicBlock *> order;
  SmallPtrSet<BasicBlock *, 16> seen;
  // Post-order, where what leaves the loop is visited first.
  std::vector<std::pair<BasicBlock *, std::vector<BasicBlock *>>> stack;
  auto enter = [&](BasicBlock *block) {
    if (!seen.insert(block).second)
      return;
    std::vector<BasicBlock *> next(succ_begin(block), succ_end(block));
    // The last is taken first: what leaves a loop before what stays in it.
    auto staysDeeper = [&](BasicBlock *first, BasicBlock *second) {
      return loops.getLoopDepth(first) > loops.getLoopDepth(second);
    };
    for (size_t n = 1; n < next.size(); ++n)
      for (size_t at = n; at > 0 && staysDeeper(next[at], next[at - 1]); --at)
        std::swap(next[at], next[at - 1]);
    stack.push_back({block, std::move(next)});
  };
  enter(&function.getEntryBlock());
  while (!stack.empty()) {
    auto &[block, next] = stack.back();
    if (next.empty()) {
      order.push_back(block);
      stack.pop_back();
      continue;
    }
    BasicBlock *successor = next.back();
    next.pop_back();
    enter(successor);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

static std::string getLocation(const Instruction &instruction, ModuleSlotTracker &slots) {
  std::string text;
  raw_string_ostream stream(text);
  if (const DILocation *location = instruction.getDebugLoc()) {
    stream << location->getFilename() << ':' << location->getLine() << ':' << location->getColumn();
    return text;
  }
  instruction.print(stream, slots);
  return "@" + instruction.getFunction()->getName().str() + ": " + StringRef(text).trim().str();
}

Site &Instrumenter::makeSite(Instruction &instruction, StringRef what,
                             const std::string &location) {
  Site &site = host.sites.emplace_back();
  site.what = what.str();
  site.location = location;
  site.order = host.sites.size();
  return site;
}

//===----------------------------------------------------------------------===//
// What there is to do
//===----------------------------------------------------------------------===//

void Instrumenter::collect(Function &function, ModuleSlotTracker &slots) {
  slots.incorporateFunction(function);
  for (BasicBlock *block : getProgramOrder(function))
    for (Instruction &instruction : *block) {
      if (auto *call = dyn_cast<CallBase>(&instruction)) {
        collect(*call, getLocation(instruction, slots));
      } else if (isa<LoadInst, StoreInst, AtomicRMWInst, AtomicCmpXchgInst>(instruction)) {
        accesses.push_back({&instruction, &makeSite(instruction, instruction.getOpcodeName(),
                                                    getLocation(instruction, slots))});
      } else if (auto *fence = dyn_cast<FenceInst>(&instruction)) {
        collect(*fence, getLocation(instruction, slots));
      } else if (isa<UnreachableInst>(instruction)) {
        traps.push_back(
            {&instruction, &makeSite(instruction, "unreachable", getLocation(instruction, slots))});
      } else if (instruction.isIntDivRem() && !isa<Constant>(instruction.getOperand(1))) {
        divisions.push_back(cast<BinaryOperator>(&instruction));
      }
    }
}

/// Whether an intrinsic of LLVM itself means on the host what it means on a GPU, and
/// touches no memory that ought to be announced.
static bool isPortable(const Function &intrinsic) {
  if (intrinsic.isTargetIntrinsic())
    return false;
  return intrinsic.doesNotAccessMemory() || intrinsic.onlyAccessesInaccessibleMemory();
}

void Instrumenter::collect(CallBase &call, const std::string &location) {
  if (auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand())) {
    std::string text = assembly->getAsmString().str();
    if (StringRef(text).trim().empty() && call.getType()->isVoidTy()) {
      useless.push_back(&call);
      return;
    }
    bool isNone = call.getType()->isVoidTy();
    auto *results = dyn_cast<StructType>(call.getType());
    auto operation = readAssembly(text, isNone ? 0 : results ? results->getNumElements() : 1);
    if (!operation) {
      unknown.insert("inline assembly '" + text + "'");
      return;
    }
    Site &site = makeSite(call, operation->name, location);
    site.operation = operation->operation;
    operations.push_back({&call, &site});
    assemblies[&call] = std::move(*operation);
    return;
  }
  Function *callee = call.getCalledFunction();
  if (!callee) {
    unknown.insert("a call through a pointer");
    return;
  }
  if (!callee->isDeclaration())
    return;
  StringRef name = callee->getName();
  switch (callee->getIntrinsicID()) {
  case Intrinsic::memcpy:
  case Intrinsic::memcpy_inline:
  case Intrinsic::memmove:
  case Intrinsic::memset:
  case Intrinsic::memset_inline:
    accesses.push_back({&call, &makeSite(call, name, location)});
    return;
  case Intrinsic::trap:
  case Intrinsic::debugtrap:
  case Intrinsic::ubsantrap:
    traps.push_back({&call, &makeSite(call, name, location)});
    return;
  case Intrinsic::assume:
  case Intrinsic::lifetime_start:
  case Intrinsic::lifetime_end:
  case Intrinsic::invariant_start:
  case Intrinsic::invariant_end:
  case Intrinsic::prefetch:
  case Intrinsic::experimental_noalias_scope_decl:
    useless.push_back(&call);
    return;
  default:
    break;
  }
  if (callee->isIntrinsic() && isPortable(*callee))
    return;
  FoundOperation operation = findOperation(std::string_view(name.data(), name.size()));
  if (!operation) {
    unknown.insert("'" + name.str() + "'");
    return;
  }
  Site &site = makeSite(call, name, location);
  site.operation = operation;
  operations.push_back({&call, &site});
}

/// A fence is an operation without operands; those of one thread order nothing here.
void Instrumenter::collect(FenceInst &fence, const std::string &location) {
  if (fence.getSyncScopeID() == SyncScope::SingleThread)
    return;
  std::string name = std::string("llvm.fence.") + toIRString(fence.getOrdering());
  Site &site = makeSite(fence, name, location);
  site.operation = findOperation(name);
  fences.push_back({&fence, &site});
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Offsets of values laid out as the members of a C struct; yields the size of all.
static uint32_t layOut(ArrayRef<Type *> types, const DataLayout &layout,
                       std::vector<uint32_t> &offsets) {
  uint32_t end = 0;
  for (Type *type : types) {
    end = alignTo(end, layout.getABITypeAlign(type));
    offsets.push_back(end);
    end += layout.getTypeAllocSize(type);
  }
  return end;
}

/// Memory of a function for the arguments or the results of any of its operations. Its
/// size is the largest that was asked for.
static AllocaInst *growBuffer(AllocaInst *&buffer, Function &function, uint32_t bytes) {
  if (!buffer) {
    IRBuilder<> builder(&function.getEntryBlock(), function.getEntryBlock().begin());
    buffer = builder.CreateAlloca(builder.getInt8Ty(), builder.getInt32(1));
    buffer->setAlignment(Align(64));
  }
  auto *size = cast<ConstantInt>(buffer->getArraySize());
  if (size->getZExtValue() < bytes)
    buffer->setOperand(0, ConstantInt::get(size->getType(), bytes));
  return buffer;
}

/// Inline assembly names its inputs in an order of its own.
static void orderArguments(Site &site, const AssemblyOperation &assembly) {
  std::vector<uint32_t> offsets;
  for (unsigned argument : assembly.arguments)
    offsets.push_back(site.argumentOffsets[argument]);
  if (assembly.predicate >= 0)
    site.predicateOffset = site.argumentOffsets[assembly.predicate];
  site.argumentOffsets = std::move(offsets);
}

void Instrumenter::replaceOperation(CallBase &call, Site &site) {
  std::vector<Type *> arguments;
  for (Value *operand : call.args())
    arguments.push_back(operand->getType());
  std::vector<Type *> results;
  if (auto *aggregate = dyn_cast<StructType>(call.getType()))
    results = aggregate->elements().vec();
  else if (!call.getType()->isVoidTy())
    results.push_back(call.getType());

  auto &[argumentBuffer, resultBuffer] = buffers[call.getFunction()];
  Function &function = *call.getFunction();
  growBuffer(argumentBuffer, function, layOut(arguments, layout, site.argumentOffsets));
  growBuffer(resultBuffer, function, layOut(results, layout, site.resultOffsets));

  IRBuilder<> builder(&call);
  auto at = [&](AllocaInst *buffer, uint32_t offset) {
    return builder.CreateConstGEP1_32(builder.getInt8Ty(), buffer, offset);
  };
  for (auto [operand, offset] : zip(call.args(), site.argumentOffsets))
    builder.CreateStore(operand, at(argumentBuffer, offset));
  builder.CreateCall(operationHook, {getAddress(site), argumentBuffer, resultBuffer});
  Value *result = nullptr;
  if (isa<StructType>(call.getType())) {
    result = PoisonValue::get(call.getType());
    for (auto [index, offset] : enumerate(site.resultOffsets))
      result = builder.CreateInsertValue(
          result, builder.CreateLoad(results[index], at(resultBuffer, offset)), index);
  } else if (!results.empty()) {
    result = builder.CreateLoad(results[0], resultBuffer);
  }
  if (result)
    call.replaceAllUsesWith(result);
  if (auto assembly = assemblies.find(&call); assembly != assemblies.end())
    orderArguments(site, assembly->second);
  call.eraseFromParent();
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

/// Whether an access can only touch its own thread's variable, wholly inside of it.
static bool isOwn(const Value *pointer, uint64_t bytes, const DataLayout &layout) {
  APInt offset(layout.getIndexTypeSizeInBits(pointer->getType()), 0);
  const Value *base = pointer->stripAndAccumulateConstantOffsets(layout, offset, true);
  auto *variable = dyn_cast<AllocaInst>(base);
  if (!variable)
    return false;
  auto size = variable->getAllocationSize(layout);
  return size && offset.isNonNegative() && offset.getZExtValue() + bytes <= size->getFixedValue();
}

void Instrumenter::announce(IRBuilder<> &builder, Value *address, Value *bytes, Align alignment,
                            Block::Access access, Site &site) {
  if (auto *constant = dyn_cast<ConstantInt>(bytes))
    if (isOwn(address, constant->getZExtValue(), layout))
      return;
  builder.CreateCall(accessHook,
                     {getAddress(site), builder.CreatePtrToInt(address, i64),
                      builder.CreateZExtOrTrunc(bytes, i64), builder.getInt32(alignment.value()),
                      builder.getInt32(static_cast<int>(access))});
}

void Instrumenter::announceAccess(Instruction &instruction, Site &site) {
  IRBuilder<> builder(&instruction);
  auto sized = [&](Type *type) {
    uint64_t bytes = layout.getTypeStoreSize(type);
    host.granule = std::min<uint64_t>(host.granule, bytes & 1 ? 1 : bytes & 2 ? 2 : 4);
    return builder.getInt64(bytes);
  };
  if (auto *load = dyn_cast<LoadInst>(&instruction)) {
    auto access = load->isAtomic() ? Block::Access::Update : Block::Access::Read;
    announce(builder, load->getPointerOperand(), sized(load->getType()), load->getAlign(), access,
             site);
  } else if (auto *store = dyn_cast<StoreInst>(&instruction)) {
    auto access = store->isAtomic() ? Block::Access::Update : Block::Access::Write;
    announce(builder, store->getPointerOperand(), sized(store->getValueOperand()->getType()),
             store->getAlign(), access, site);
  } else if (auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
    announce(builder, update->getPointerOperand(), sized(update->getType()), update->getAlign(),
             Block::Access::Update, site);
  } else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
    announce(builder, exchange->getPointerOperand(), sized(exchange->getNewValOperand()->getType()),
             exchange->getAlign(), Block::Access::Update, site);
  } else if (auto *bulk = dyn_cast<MemIntrinsic>(&instruction)) {
    auto *transfer = dyn_cast<MemTransferInst>(bulk);
    host.granule = std::min<uint64_t>(host.granule, bulk->getDestAlign().valueOrOne().value());
    if (transfer) {
      host.granule =
          std::min<uint64_t>(host.granule, transfer->getSourceAlign().valueOrOne().value());
      announce(builder, transfer->getSource(), bulk->getLength(),
               transfer->getSourceAlign().valueOrOne(), Block::Access::Read, site);
    }
    announce(builder, bulk->getDest(), bulk->getLength(), bulk->getDestAlign().valueOrOne(),
             Block::Access::Write, site);
  }
}

//===----------------------------------------------------------------------===//
// Divisions
//===----------------------------------------------------------------------===//

/// A GPU divides by zero to some value, and a host's processor may trap.
void Instrumenter::guardDivision(BinaryOperator &division) {
  IRBuilder<> builder(&division);
  Value *divisor = division.getOperand(1);
  Type *type = divisor->getType();
  Value *isBad = builder.CreateICmpEQ(divisor, Constant::getNullValue(type));
  if (division.getOpcode() == Instruction::SDiv || division.getOpcode() == Instruction::SRem) {
    unsigned width = type->getScalarSizeInBits();
    Value *isLeast = builder.CreateICmpEQ(division.getOperand(0),
                                          ConstantInt::get(type, APInt::getSignedMinValue(width)));
    Value *isMinusOne = builder.CreateICmpEQ(divisor, Constant::getAllOnesValue(type));
    isBad = builder.CreateOr(isBad, builder.CreateAnd(isLeast, isMinusOne));
  }
  division.setOperand(1, builder.CreateSelect(isBad, ConstantInt::get(type, 1), divisor));
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

Error Instrumenter::run() {
  ModuleSlotTracker slots(&module);
  for (Function &function : module)
    if (!function.isDeclaration() && none_of(host.kernels, [&](const HostKernel &kernel) {
          return kernel.entry == function.getName();
        }))
      collect(function, slots);
  if (!unknown.empty())
    return createStringError("the emulator does not know " + join(unknown, ", "));

  for (Task task : accesses)
    announceAccess(*task.instruction, *task.site);
  for (Task task : operations)
    replaceOperation(*cast<CallBase>(task.instruction), *task.site);
  Constant *none = ConstantPointerNull::get(pointer);
  for (Task task : fences)
    IRBuilder<>(task.instruction).CreateCall(operationHook, {getAddress(*task.site), none, none});
  for (Task task : traps)
    IRBuilder<>(task.instruction).CreateCall(trapHook, {getAddress(*task.site)});
  for (Instruction *instruction : useless) {
    if (!instruction->getType()->isVoidTy())
      instruction->replaceAllUsesWith(PoisonValue::get(instruction->getType()));
    instruction->eraseFromParent();
  }
  for (BinaryOperator *division : divisions)
    guardDivision(*division);
  return Error::success();
}

Error mix::emu::instrument(HostModule &module) { return Instrumenter(module).run(); }
