//===- Driver.cpp - A driver whose GPU is the emulator ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <cstdlib>

using namespace mix;
using namespace mix::fake;
using llvm::StringRef;

static StringRef getSetting(const char *name, StringRef otherwise = "") {
  const char *value = std::getenv(name);
  return value ? StringRef(value) : otherwise;
}

Result Driver::call(const char *function, llvm::function_ref<Result()> body) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  StringRef path = getSetting("MIXWRIGHT_FAKE_LOG");
  if (!path.empty()) {
    std::error_code error;
    llvm::raw_fd_ostream log(path, error, llvm::sys::fs::OF_Append);
    log << function << '\n';
  }
  auto [name, result] = getSetting("MIXWRIGHT_FAKE_FAULT").split('=');
  int number;
  if (name == function && !result.getAsInteger(10, number))
    return static_cast<Result>(number);
  return failure ? failure : body();
}

std::string Driver::getChip() const { return getSetting("MIXWRIGHT_FAKE_CHIP", defaultChip).str(); }

int Driver::countDevices() const {
  int count = 2;
  getSetting("MIXWRIGHT_FAKE_DEVICES").getAsInteger(10, count);
  return count;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

/// Whether the devices run code that was compiled for a chip. Those of NVIDIA run code for earlier
/// ones; that for "sm_90a" is for sm_90 alone.
static bool runs(StringRef device, StringRef chip) {
  int own, other;
  if (!device.consume_front("sm_") || !chip.consume_front("sm_") || chip.consume_back("a"))
    return device == chip;
  return !device.getAsInteger(10, own) && !chip.getAsInteger(10, other) && other <= own;
}

Result Driver::load(int device, const char *image, Module *&module) {
  llvm::SMDiagnostic diagnostic;
  auto parsed = llvm::parseAssemblyString(image, diagnostic, context);
  if (!parsed)
    return InvalidImage;
  for (const llvm::Function &function : *parsed)
    if (!function.isDeclaration() && function.hasFnAttribute("target-cpu") &&
        !runs(getChip(), function.getFnAttribute("target-cpu").getValueAsString()))
      return NoBinary;
  auto program = emu::Program::load(*parsed);
  if (!program) {
    llvm::errs() << toString(program.takeError()) << '\n';
    return InvalidImage;
  }
  module = new Module{device, std::move(*program), {}};
  return Success;
}

Result Driver::getFunction(Module &module, const char *name, Function *&function) {
  auto parameters = module.program->getParameters(name);
  if (!parameters) {
    consumeError(parameters.takeError());
    return NotFound;
  }
  module.functions.push_back({&module, name, defaultSharedBytes});
  function = &module.functions.back();
  return Success;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

Result Driver::runKernel(const Function &function, const emu::LaunchConfig &config, int device) {
  auto findings = function.module->program->launch(function.name, config, memories[device]);
  if (!findings) {
    llvm::errs() << toString(findings.takeError()) << '\n';
    return LaunchFailed;
  }
  for (const emu::Finding &finding : *findings)
    llvm::errs() << function.name << ": " << toString(finding) << '\n';
  return findings->empty() ? Success : LaunchFailed;
}

Result Driver::launch(int device, Function &function, unsigned blocks, unsigned threads,
                      unsigned sharedBytes, const void *stream, void **parameters) {
  if (function.module->device != device)
    return InvalidHandle;
  if (blocks == 0 || threads == 0 || threads > 1024 || sharedBytes > function.sharedBytes)
    return InvalidValue;
  auto layout = function.module->program->getParameters(function.name);
  if (!layout) {
    consumeError(layout.takeError());
    return InvalidHandle;
  }
  // The caller may free what the parameters point to as soon as this returns.
  std::vector<char> bytes;
  for (auto [index, parameter] : llvm::enumerate(*layout)) {
    bytes.resize(parameter.offset + parameter.bytes);
    std::memcpy(&bytes[parameter.offset], parameters[index], parameter.bytes);
  }
  queue.push_back({stream, [=, &function] {
                     emu::LaunchConfig config;
                     config.grid.x = blocks;
                     config.block.x = threads;
                     config.dynamicSharedBytes = sharedBytes;
                     config.parameters = bytes;
                     return runKernel(function, config, device);
                   }});
  return Success;
}

/// Runs the work that is wanted, in order, and before it what it waits for: earlier work of its
/// stream; of all streams, if it is of the default one; and of the default one.
Result Driver::runWork(const std::function<bool(const Work &)> &isWanted) {
  std::vector<bool> runs(queue.size());
  for (size_t index = queue.size(); index-- > 0;) {
    runs[index] = isWanted(queue[index]);
    for (size_t later = index + 1; later < queue.size() && !runs[index]; ++later)
      runs[index] = runs[later] && (queue[index].stream == queue[later].stream ||
                                    !queue[index].stream || !queue[later].stream);
  }
  std::deque<Work> rest;
  for (auto [index, work] : llvm::enumerate(queue)) {
    if (!runs[index])
      rest.push_back(std::move(work));
    else if (!failure)
      failure = work.run();
  }
  queue = std::move(rest);
  return failure;
}

Result Driver::wait(const void *stream) {
  return runWork([&](const Work &work) { return work.stream == stream; });
}

Result Driver::waitForAll() {
  return runWork([](const Work &) { return true; });
}

Result Driver::record(Event &event, const void *stream) {
  queue.push_back({stream, [&event] {
                     auto now = std::chrono::steady_clock::now().time_since_epoch();
                     event.milliseconds = std::chrono::duration<double, std::milli>(now).count();
                     event.isRecorded = true;
                     return Success;
                   }});
  return Success;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result Driver::allocate(int device, size_t bytes, void *&address) {
  // As aligned as what drivers give, and full of what shows if it is read: NaNs.
  constexpr size_t alignment = 256;
  if (bytes == 0)
    return InvalidValue;
  address = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!address)
    return OutOfMemory;
  std::memset(address, 0xff, bytes);
  memories[device].add(address, bytes, "allocation " + std::to_string(allocations.size()));
  allocations[address] = device;
  return Success;
}

Result Driver::release(void *address) {
  if (!address)
    return Success;
  Result result = waitForAll();
  auto found = allocations.find(address);
  if (found == allocations.end())
    return InvalidValue;
  memories[found->second].remove(address);
  allocations.erase(found);
  std::free(address);
  return result;
}

Result Driver::copy(void *to, const void *from, size_t bytes, const void *onDevice) {
  if (Result result = waitForAll())
    return result;
  auto start = reinterpret_cast<uintptr_t>(onDevice);
  bool isInside = llvm::any_of(
      memories, [&](auto &memory) { return memory.second.find(start, bytes) != nullptr; });
  if (!isInside)
    return InvalidValue;
  std::memcpy(to, from, bytes);
  return Success;
}
