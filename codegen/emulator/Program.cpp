//===- Program.cpp - Load and launch ----------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Emulator.h"
#include "codegen/emulator/Machine.h"
#include "codegen/emulator/Retarget.h"
#include "codegen/emulator/operations/Numbers.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>

using namespace mix::emu;
using namespace llvm;

/// Stack of a GPU's thread: twice what the host's code of large kernels was seen to take.
static constexpr size_t kStackBytes = 256 << 10;

/// The most threads of a block on any chip.
static constexpr uint64_t kMaxThreads = 1024;

struct Program::Impl {
  std::unique_ptr<orc::LLJIT> jit;
  HostModule host;
  std::vector<void (*)(const char *)> entries; ///< By kernel.
  GlobalMemory data;                           ///< The module's own.

  const HostKernel *find(StringRef name) const {
    auto kernel =
        find_if(host.kernels, [&](const HostKernel &kernel) { return kernel.name == name; });
    return kernel == host.kernels.end() ? nullptr : &*kernel;
  }
};

Program::Program(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Program::~Program() = default;

//===----------------------------------------------------------------------===//
// Hooks
//===----------------------------------------------------------------------===//

/// A thread of a launch that is over goes no further.
static void leaveIfStopped(Thread &thread) {
  while (thread.block->launch.isStopped)
    thread.wait(Thread::State::Ended);
}

static void operationHook(const Site *site, const char *arguments, char *results) {
  if (site->predicateOffset >= 0 && !(arguments[site->predicateOffset] & 1))
    return;
  Thread &thread = *Block::running;
  Call call = {site, arguments, results};
  thread.call = &call;
  if (site->operation->meeting == Meeting::None)
    site->operation->runThread(thread, call);
  else
    thread.wait(Thread::State::AtMeeting);
  leaveIfStopped(thread);
}

static void accessHook(const Site *site, uintptr_t address, uint64_t bytes, uint32_t alignment,
                       uint32_t access) {
  Thread &thread = *Block::running;
  thread.block->access(thread, address, bytes, alignment, static_cast<Block::Access>(access),
                       *site);
  leaveIfStopped(thread);
}

static void trapHook(const Site *site) {
  Thread &thread = *Block::running;
  thread.block->stop(FindingKind::Invalid, thread.index, *site,
                     "thread " + std::to_string(thread.index) + " reaches " + site->what);
  leaveIfStopped(thread);
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

// Conversions that compilers' support libraries lack or have under other conventions.
static __bf16 truncateToBfloat(float x) {
  uint16_t bits = bfloatFromFloat(x);
  __bf16 result;
  memcpy(&result, &bits, sizeof(result));
  return result;
}
static __bf16 truncateDoubleToBfloat(double x) { return truncateToBfloat(float(x)); }
static _Float16 truncateToHalf(float x) {
  uint16_t bits = halfFromFloat(x);
  _Float16 result;
  memcpy(&result, &bits, sizeof(result));
  return result;
}
static _Float16 truncateDoubleToHalf(double x) { return truncateToHalf(float(x)); }
static float extendHalf(_Float16 x) {
  uint16_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return floatFromHalf(bits);
}

static Error defineHooks(orc::LLJIT &jit) {
  orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                          JITSymbolFlags::Exported | JITSymbolFlags::Callable};
  };
  define(kOperationHook, operationHook);
  define(kAccessHook, accessHook);
  define(kTrapHook, trapHook);
  define("__truncsfbf2", truncateToBfloat);
  define("__truncdfbf2", truncateDoubleToBfloat);
  define("__truncsfhf2", truncateToHalf);
  define("__truncdfhf2", truncateDoubleToHalf);
  define("__extendhfsf2", extendHalf);
  return jit.getMainJITDylib().define(orc::absoluteSymbols(std::move(symbols)));
}

static Expected<std::unique_ptr<orc::LLJIT>> makeJit() {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
  });
  auto machine = orc::JITTargetMachineBuilder::detectHost();
  if (!machine)
    return machine.takeError();
  // Less is more here: a kernel is compiled once and seldom runs for long.
  machine->setCodeGenOptLevel(CodeGenOptLevel::Less);
  // Conversions to bf16 of these extensions flush subnormal numbers.
  if (machine->getTargetTriple().isX86())
    machine->addFeatures({"-avx512bf16", "-avxneconvert"});
  auto jit = orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*machine))
                 .setPlatformSetUp(orc::setUpInactivePlatform)
                 .create();
  if (!jit)
    return jit.takeError();
  if (Error error = defineHooks(**jit))
    return std::move(error);
  return jit;
}

Expected<std::unique_ptr<Program>> Program::load(const Module &module, StringRef chip) {
  auto jit = makeJit();
  if (!jit)
    return jit.takeError();
  auto host = retarget(module, chip, (*jit)->getTargetTriple(), (*jit)->getDataLayout());
  if (!host)
    return host.takeError();
  std::unique_ptr<Impl> impl(new Impl{std::move(*jit), std::move(*host), {}, {}});
  if (Error error = impl->jit->addIRModule(
          orc::ThreadSafeModule(std::move(impl->host.module), std::move(impl->host.context))))
    return std::move(error);
  for (const HostKernel &kernel : impl->host.kernels) {
    auto entry = impl->jit->lookup(kernel.entry);
    if (!entry)
      return entry.takeError();
    impl->entries.push_back(entry->toPtr<void (*)(const char *)>());
  }
  for (const HostData &data : impl->host.data) {
    auto address = impl->jit->lookup(data.symbol);
    if (!address)
      return address.takeError();
    impl->data.add(address->toPtr<void *>(), data.bytes, "a variable of the module",
                   data.isWritable);
  }
  return std::unique_ptr<Program>(new Program(std::move(impl)));
}

std::vector<std::string> Program::getKernels() const {
  std::vector<std::string> names;
  for (const HostKernel &kernel : impl->host.kernels)
    names.push_back(kernel.name);
  return names;
}

Expected<std::vector<Parameter>> Program::getParameters(StringRef name) const {
  if (const HostKernel *kernel = impl->find(name))
    return kernel->parameters;
  return createStringError("the program has no kernel '" + name + "'");
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

/// What a driver would say about a launch.
static Error checkConfig(const HostKernel &kernel, const LaunchConfig &config) {
  if (config.grid.count() == 0 || config.block.count() == 0)
    return createStringError("kernel '" + kernel.name + "': a grid or block of no threads");
  if (config.block.count() > kMaxThreads)
    return createStringError("kernel '" + kernel.name + "': a block of " +
                             Twine(config.block.count()) + " threads, more than " +
                             Twine(kMaxThreads));
  size_t bytes = kernel.parameters.empty()
                     ? 0
                     : kernel.parameters.back().offset + kernel.parameters.back().bytes;
  if (config.parameters.size() < bytes)
    return createStringError("kernel '" + kernel.name + "': " + Twine(config.parameters.size()) +
                             " bytes of parameters, expected " + Twine(bytes));
  uintptr_t end = kernel.dynamicShared ? kernel.dynamicShared : SharedWindow::getBase();
  if (end + config.dynamicSharedBytes > SharedWindow::getBase() + SharedWindow::kBytes)
    return createStringError("kernel '" + kernel.name + "': " + Twine(config.dynamicSharedBytes) +
                             " bytes of dynamic shared memory, more than any chip has");
  return Error::success();
}

static Error makeThreads(uint64_t count, std::vector<std::unique_ptr<Thread>> &threads) {
  for (uint64_t index = 0; index < count; ++index) {
    threads.push_back(std::make_unique<Thread>());
    if (!threads.back()->fiber.allocate(kStackBytes))
      return createStringError("out of memory: no stack for thread " + Twine(index));
  }
  return Error::success();
}

/// The positions of a grid in the order of the schedule.
static std::vector<Dim3> getBlocks(Launch &launch) {
  std::vector<Dim3> blocks;
  for (uint32_t z = 0; z < launch.gridSize.z; ++z)
    for (uint32_t y = 0; y < launch.gridSize.y; ++y)
      for (uint32_t x = 0; x < launch.gridSize.x; ++x)
        blocks.push_back({x, y, z});
  if (launch.schedule.order == Order::Reversed)
    std::reverse(blocks.begin(), blocks.end());
  else if (launch.schedule.order == Order::Random)
    std::shuffle(blocks.begin(), blocks.end(), launch.random);
  return blocks;
}

Expected<std::vector<Finding>> Program::launch(StringRef name, const LaunchConfig &config,
                                               const GlobalMemory &memory) const {
  const HostKernel *kernel = impl->find(name);
  if (!kernel)
    return createStringError("the program has no kernel '" + name + "'");
  if (Error error = checkConfig(*kernel, config))
    return std::move(error);

  static std::mutex windowMutex;
  std::lock_guard<std::mutex> lock(windowMutex);
  Launch launch;
  launch.vendor = impl->host.vendor;
  launch.warpSize = impl->host.warpSize;
  launch.gridSize = config.grid;
  launch.blockSize = config.block;
  launch.granule = impl->host.granule;
  launch.sharedExtents = kernel->sharedExtents;
  if (kernel->dynamicShared && config.dynamicSharedBytes)
    launch.sharedExtents.push_back(
        {kernel->dynamicShared, kernel->dynamicShared + config.dynamicSharedBytes});
  launch.kernel = impl->entries[kernel - impl->host.kernels.data()];
  launch.parameters = config.parameters.data();
  launch.memory = &memory;
  launch.constants = impl->data;
  launch.constants.add(config.parameters.data(), config.parameters.size(), "parameters", false);
  launch.schedule = config.schedule;
  launch.random.seed(config.schedule.seed);

  std::vector<std::unique_ptr<Thread>> threads;
  if (Error error = makeThreads(config.block.count(), threads))
    return std::move(error);
  for (Dim3 position : getBlocks(launch)) {
    Block(launch, position, threads).run();
    if (launch.isStopped)
      break;
  }
  return launch.findings.get();
}
